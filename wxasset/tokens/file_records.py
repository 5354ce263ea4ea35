"""Token records in files: one small JSON document for each account, and the one document of earlier versions."""

import json
import logging
import os
import re
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from wxasset.errors import Hint
from wxasset.tokens.records import TokenRecord, parse_document
from wxasset.transfer.private_files import CREATE, UnsafeFileError, check_private, open_private
from wxasset.wire.limits import MIB

__all__ = ["EarlierDocument", "read_document", "record_in", "replace_document"]

_log: Final = logging.getLogger("wxasset.tokens")

_MOST: Final = 32 * MIB  # bytes; a record has up to 3 KiB
_BLANK: Final = b" \t\r\n\0"  # a file system may leave a file of zeros after a power failure
_OWN: Final = re.compile(rb'\{\s*"[^"]*"\s*:\s*\{\s*"token"\s*:\s*"[^"]*"\s*,\s*"issued"\s*:')
_CUT: Final = re.compile(
    rb'\{\s*("[^"]{0,64}("\s*(:\s*(\{\s*("t?o?k?e?n?"?\s*:?\s*("[^"]*("\s*,?\s*"?i?s?s?u?e?d?"?)?)?)?)?)?)?)?'
)
"""The start of a file of token records, and a file that ends within it."""
_FOREIGN: Final = Hint(
    "Pass the path of a file for wxasset alone, which it creates; if the content is not needed, delete the file.",
    "请传入供 wxasset 专用的文件路径（文件由它自动创建）；如果现有内容不再需要，请先删除该文件。",
)


def read_document(path: Path) -> dict[str, Any]:
    """Return the content of a file; an empty document if it is missing, or was cut off while it was written.

    Raises:
        UnsafeFileError: The file was not written by this package, or other users have access to it.
        OSError: It cannot be read.
    """
    data = _read(path)
    if len(data) <= _MOST and not data.strip(_BLANK):
        return {}
    try:
        found = parse_document(data) if len(data) <= _MOST else None
    except (ValueError, RecursionError):
        if _OWN.match(data) or _CUT.fullmatch(data):
            _log.warning("%s is damaged; the next token that is saved takes its place", path)
            return {}
        found = None
    if isinstance(found, dict) and (not found or any(map(TokenRecord.is_named, found.values()))):
        return found
    raise UnsafeFileError(f"{path.name} exists, but was not written by wxasset", _FOREIGN)


def record_in(document: dict[str, Any], key: str, path: Path) -> TokenRecord | None:
    """Return the record of a key in a document; None without one, and for one that cannot be read."""
    entry = document.get(key)
    if entry is None:
        return None
    try:
        record = TokenRecord(**entry)
    except TypeError:
        record = None
    if record is None or not record.is_sound():
        _log.warning("the record %s in %s cannot be read; the next one that is saved takes its place", key, path)
        return None
    return record


def replace_document(path: Path, document: dict[str, Any], *, durable: bool) -> None:
    """Replace a file as a whole. Its lock is held: the temporary name is ours alone.

    Args:
        path: The file.
        document: Its content.
        durable: Whether to wait for the disk, so that a power failure loses nothing.

    Raises:
        UnsafeFileError: The temporary file is not ours.
        OSError: It cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        descriptor = open_private(temporary, CREATE)
    except (FileExistsError, UnsafeFileError):  # of a process that was killed
        temporary.unlink()
        descriptor = open_private(temporary, CREATE)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor is no path
            file.write(json.dumps(document, separators=(",", ":")).encode())
            if durable:
                file.flush()
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _write_through(path.parent)


@define(eq=False)
class EarlierDocument:
    """The document with the records of all accounts, as earlier versions kept it: it is read, and never written.

    A file that has not changed since is not parsed again.
    """

    path: Path
    _read: tuple[tuple[int, ...], dict[str, Any]] | None = field(default=None, init=False, repr=False)

    def record(self, key: str) -> TokenRecord | None:
        """Return the record of a key.

        Raises:
            UnsafeFileError: The file was not written by this package, or other users have access to it.
            OSError: It cannot be read.
        """
        try:
            found = check_private(self.path)
        except FileNotFoundError:
            return None
        state, read = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns), self._read
        if read is None or read[0] != state:
            read = self._read = state, read_document(self.path)
        return record_in(read[1], key, self.path)


def _write_through(directory: Path) -> None:
    """Wait until the disk has the names of a directory; Windows opens none."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> bytes:
    """Return the content of a file; empty if it is missing."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor is no path
        return file.read(_MOST + 1)
