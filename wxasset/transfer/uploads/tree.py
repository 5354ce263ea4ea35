"""The files of a directory, with their relative paths. All functions block."""

import os
from pathlib import Path
from typing import NoReturn

from wxasset.errors import Hint, SourceError

__all__ = ["tree_files"]

_LINK = Hint("Upload what it points to under a name of its own.", "请以单独的名称上传它所指向的文件。")


def tree_files(directory: str) -> dict[str, str | SourceError]:
    """Return the path of each file below a directory by its relative path, with "/" as separator.

    A symbolic link, and anything else that is not a regular file, has an error instead.

    Raises:
        SourceError: A directory cannot be read.
    """
    files: dict[str, str | SourceError] = {}
    for where, directories, names in os.walk(directory, onerror=_unreadable):
        directories.sort()
        for name in sorted([*names, *directories]):
            path = Path(where, name)
            if name in directories and not path.is_symlink():
                continue
            relative = path.relative_to(directory).as_posix()
            files[relative] = _problem(path, relative) or str(path)
    return files


def _unreadable(error: OSError) -> NoReturn:
    raise SourceError(f"The directory {error.filename} cannot be read: {error.strerror}.") from error


def _problem(path: Path, relative: str) -> SourceError | None:
    if path.is_symlink():
        return SourceError(f"{relative} is a symbolic link, which is not followed in a directory.", _LINK)
    if path.exists() and not path.is_file():
        return SourceError(f"{relative} is not a regular file.")
    try:
        relative.encode()
    except UnicodeEncodeError:
        return SourceError(f"The name {relative!r} is not valid UTF-8.")
    return None
