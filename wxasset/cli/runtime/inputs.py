"""Read ids and files from the command line, or from stdin for "-"."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from anyio import to_thread
from cyclopts import Parameter

from wxasset.errors import Hint, SourceError, UsageError
from wxasset.wire.formats import FORMATS, HEAD_SIZE, Format, sniff
from wxasset.wire.limits import ADD_MATERIAL

__all__ = [
    "DASHED",
    "IDS",
    "STDIO",
    "FileName",
    "Kind",
    "files_of",
    "format_of",
    "ids_of",
    "kind_of",
    "material_type",
    "stdin_lines",
]

STDIO: Final = "-"
DASHED: Final = Parameter(allow_leading_hyphen=True)
"""Parameter of arguments with a possible value "-"."""
FileName: TypeAlias = str | Path
"""A string at run time; `Path` in its type makes the shells complete the names of files."""
IDS: Final = Parameter(negative="", show_default=False, allow_leading_hyphen=True)
"""Parameter of ids: they may begin with a dash."""
_OPTION: Final = 20  # characters; ids of WeChat have 43 and more, options fewer


def ids_of(items: Sequence[str], name: str) -> list[str]:
    """Return the ids; "-" is replaced by the first column of each line of stdin.

    Args:
        items: The arguments of the command.
        name: Name of an id, for errors.

    Raises:
        UsageError: There is no id, or an item looks like a mistyped option.
    """
    ids: list[str] = []
    for item in items:
        if item == STDIO:
            ids += (line.partition("\t")[0].strip() for line in stdin_lines())
        elif item.startswith("-") and len(item) < _OPTION:
            raise UsageError(f"Unknown option: {item}.")
        else:
            ids.append(item)
    if not ids:
        raise UsageError(f"No {name} was given.")
    return ids


def stdin_lines() -> Iterable[str]:
    """Yield the non-blank lines of stdin without line ends."""
    return (line for line in (line.rstrip("\r\n") for line in sys.stdin) if line.strip())


Kind = Literal["image", "voice", "video", "thumb"]
_KINDS: Final[tuple[Kind, ...]] = ("image", "voice", "video", "thumb")


def material_type(name: str, form: Format | None) -> Kind:
    """Choose the type of material for a format; a JPEG becomes an image, not a thumb.

    Raises:
        SourceError: WeChat does not accept the format.
    """
    for kind in _KINDS:
        if form is not None and form.name in ADD_MATERIAL[kind].formats:
            return kind
    what = "of an unknown format" if form is None else f"{form.name}, a format not accepted by WeChat"
    formats = ", ".join(sorted({one for limit in ADD_MATERIAL.values() for one in limit.formats}))
    raise SourceError(
        f"{name} is {what}.",
        Hint(f"Accepted formats: {formats}.", f"可上传的格式有：{formats}。"),
    )


_LIST_LIMIT: Final = 64 << 20  # bytes; more paths than a library can hold


def files_of(source: str, kind: Kind, *, recursive: bool, link: Callable[[str], None] | None = None) -> list[str]:
    """Return the files of a source, each once; of a directory, sorted files with an extension of the type.

    Args:
        source: A directory, a file with a list of paths, or "-".
        kind: The type of material.
        recursive: Whether to include subdirectories.
        link: Called with each symbolic link in a directory: to a file of the type, or to a directory, which is not
            followed.

    Raises:
        UsageError: The source does not exist, cannot be read whole, or contains no file of the type.
    """
    path = Path(source)
    if source == STDIO:
        files = list(stdin_lines())
    elif path.is_dir():
        files = sorted(_fitting(path, kind, recursive=recursive, link=link or (lambda _: None)))
    else:
        files = _listed(path)
    if not files:
        raise UsageError(f"No file of the type {kind} was found in {'stdin' if source == STDIO else source}.")
    return list(dict.fromkeys(files))


def _fitting(directory: Path, kind: Kind, *, recursive: bool, link: Callable[[str], None]) -> Iterator[str]:
    """Find files of a type; hidden files and directories are skipped."""
    wanted = tuple(one for name in ADD_MATERIAL[kind].formats for one in FORMATS[name].extensions)
    for where, directories, names in os.walk(directory, onerror=_unreadable):
        directories[:] = [name for name in directories if recursive and not name.startswith(".")]
        fitting = [name for name in names if name.lower().endswith(wanted) and not name.startswith(".")]
        for name in sorted((*directories, *fitting)):
            path = os.path.join(where, name)  # noqa: PTH118 - strings
            if os.path.islink(path):  # noqa: PTH114 - the same
                link(path)
        yield from (os.path.join(where, name) for name in fitting)  # noqa: PTH118 - the same


def _unreadable(error: OSError) -> None:
    """Refuse a directory with unreadable parts: their files would be left out without a word."""
    raise UsageError(f"{error.filename} cannot be read: {error.strerror or error}.") from error


def _listed(path: Path) -> list[str]:
    """Read a list of paths."""
    try:
        if path.stat().st_size <= _LIST_LIMIT:
            lines = path.read_text("utf-8").splitlines()
            return [line for line in lines if line.strip()]
        problem = "is too large for a list"
    except UnicodeDecodeError:
        problem = "is not a list of paths; use wxasset add to upload the file itself"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    raise UsageError(f"{path} {problem}.")


async def format_of(path: Path) -> Format | None:
    """Detect a file's format from its first bytes; None if unknown.

    Raises:
        SourceError: The file cannot be read.
    """
    return sniff(await to_thread.run_sync(_head, path))


async def kind_of(path: Path) -> Kind:
    """Choose the type of material for a file; a JPEG becomes an image, not a thumb.

    Raises:
        SourceError: The file cannot be read, or WeChat does not accept its format.
    """
    head = await to_thread.run_sync(_head, path)
    if not head:
        raise SourceError(f"{path.name} is empty.", Hint("Check the file.", "文件为空，请检查。"))
    return material_type(path.name, sniff(head))


def _head(path: Path) -> bytes:
    """Read the first bytes of a file, in a thread."""
    problem = "it is not a regular file"
    try:
        if path.is_file() or not path.exists():  # a pipe or a device might never give its first bytes
            with path.open("rb") as file:
                return file.read(HEAD_SIZE)
    except OSError as error:
        problem = error.strerror or str(error)
    raise SourceError(
        f"{path} cannot be read: {problem}.",
        Hint("Nothing was uploaded; check the path.", "未上传任何内容，请检查文件路径。"),
    )
