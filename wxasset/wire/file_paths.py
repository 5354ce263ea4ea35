"""Paths of many cloud files: checked, and mapped to relative paths on a disk. Pure."""

import unicodedata
from collections.abc import Iterable

from wxasset.errors import UsageError
from wxasset.wire.filenames import safe_name

__all__ = ["local_paths", "stored_path"]


def stored_path(prefix: str, name: object) -> str:
    """Return the path in the storage of one of many files.

    Raises:
        UsageError: It is not a relative path.
    """
    if not isinstance(name, str) or not name or any(part in {"", ".", ".."} for part in name.split("/")):
        raise UsageError(f"A path in the storage is relative and has no empty, . or .. part; not {name!r}.")
    start = prefix.rstrip("/")
    return f"{start}/{name}" if start else name


def local_paths(fileids: Iterable[str]) -> dict[str, str]:
    """Return a relative path for each file id: its path in the storage, each part of it made safe.

    Raises:
        UsageError: An id has no such path, or two files would be one on some system.
    """
    paths: dict[str, str] = {}
    taken: dict[str, str] = {}
    parents: dict[str, str] = {}
    for fileid in dict.fromkeys(fileids):
        path = paths[fileid] = _local_path(fileid)
        folded = unicodedata.normalize("NFC", path).casefold()
        above = [folded[:place] for place, char in enumerate(folded) if char == "/"]
        other = taken.get(folded) or parents.get(folded) or next((taken[one] for one in above if one in taken), None)
        if other is not None:
            raise UsageError(f"{other} and {fileid} would be the same file in a directory; download them separately.")
        taken[folded] = fileid
        parents.update(dict.fromkeys(above, fileid))
    return paths


def _local_path(fileid: str) -> str:
    _, _, path = fileid.removeprefix("cloud://").partition("/")
    parts = path.split("/")
    if not fileid.startswith("cloud://") or any(part in {"", ".", ".."} for part in parts):
        raise UsageError(f"{fileid!r} has no relative path; an id looks like cloud://env.bucket/path.")
    return "/".join(safe_name(part, "file") for part in parts)
