"""The files of a batch: those of a directory, of a list, or of stdin."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wxasset.cli.demo.plan import Kind
from wxasset.cli.items import STDIO, stdin_lines
from wxasset.errors import UsageError
from wxasset.wire.formats import FORMATS
from wxasset.wire.limits import ADD_MATERIAL

__all__ = ["files_of"]

_LIST_LIMIT: Final = 64 << 20  # bytes; more paths than a library has room for


def files_of(source: str, kind: Kind, *, recursive: bool) -> list[str]:
    """Say which files are meant, each once: of a directory those whose names fit the type, in their order.

    Args:
        source: A directory, a file that lists paths, or "-".
        kind: The type of material.
        recursive: Whether directories in a directory count as well.

    Raises:
        UsageError: There is no such directory or list, or it has no file.
    """
    path = Path(source)
    if source == STDIO:
        files = list(stdin_lines())
    elif path.is_dir():
        files = sorted(_fitting(path, kind, recursive=recursive))
    else:
        files = _listed(path)
    if not files:
        raise UsageError(f"There is no file for the type {kind} in {'stdin' if source == STDIO else source}.")
    return list(dict.fromkeys(files))


def _fitting(directory: Path, kind: Kind, *, recursive: bool) -> Iterator[str]:
    """Find the files that fit; what begins with a dot is hidden."""
    wanted = tuple(one for name in ADD_MATERIAL[kind].formats for one in FORMATS[name].extensions)
    for where, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if recursive and not name.startswith(".")]
        for name in names:
            if name.lower().endswith(wanted) and not name.startswith("."):
                yield os.path.join(where, name)  # noqa: PTH118 - texts


def _listed(path: Path) -> list[str]:
    """Read a list of paths."""
    try:
        if path.stat().st_size <= _LIST_LIMIT:
            lines = path.read_text("utf-8").splitlines()
            return [line for line in lines if line.strip()]
        problem = "is too large for a list"
    except UnicodeDecodeError:
        problem = "is no list of paths; wxasset add takes files themselves"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    raise UsageError(f"{path} {problem}.")
