"""File names: names of uploads, and sanitized names of downloads. Pure."""

import os.path
import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from wxasset.wire.formats import Format, by_extension

__all__ = ["cut_bytes", "disposition_filename", "guarded_name", "marked_name", "safe_name", "upload_name"]

_NAME_BYTES: Final = 200  # file systems allow 255; this leaves room for the affixes of temporary and numbered names
_EXTENSION_BYTES: Final = 20
_SENT_BYTES: Final = 255  # of an upload; WeChat documents no limit, and file systems have this one
_RESERVED: Final = r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)"
_FORBIDDEN: Final = frozenset('<>:"|?*')
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

# Charsets used by servers in practice; other codecs of Python are not text encodings, or do not support "replace".
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "gbk", "gb2312", "gb18030", "big5"})
_EXTENDED: Final = r"(?i)(?:^|;)\s*filename\*\s*=\s*([\w!#$%&+^`{}~.-]+)'[^']*'([^;\s]*)"
_QUOTED: Final = r'(?i)(?:^|;)\s*filename\s*=\s*"((?:\\.|[^"\\])*)"'
_BARE: Final = r'(?i)(?:^|;)\s*filename\s*=\s*([^";]+)'


def upload_name(name: str, form: Format | None) -> str:
    """Return a file name with the extension of the actual format.

    WeChat rejects names without a known extension (40113, wire reference 4.2). The rest of the name is kept, after "_"
    where it could be read as an option.

    Args:
        name: A file name, or a path ending in one.
        form: The format of the bytes, or None if unknown.
    """
    if "://" in name:
        name = re.split("[?#]", name)[0]  # a query may be a signature
    name = _last_part(name)
    name = guarded_name(name) if name.strip(".") else "media"
    stem, extension = os.path.splitext(name)
    if form is not None and extension.lower() not in form.extensions:
        # ".5" in "version 1.5" belongs to the name; ".png" on a JPEG is misleading and replaced.
        stem, extension = stem if by_extension(extension) else name, form.extensions[0]
    return _joined(stem, extension)


def _last_part(path: str) -> str:
    """Return what follows the last separator of any system."""
    return path[max(path.rfind("/"), path.rfind("\\")) + 1 :]


def guarded_name(name: str) -> str:
    """Put "_" before a name that a command could read as an option ("-") or a shell as a home directory ("~").

    Blanks, dots and invisible characters before these do not count: other programs strip them from a name.
    """
    for char in name:
        if char in "-~":
            return f"_{name}"
        if not (char == "." or char.isspace() or unicodedata.category(char) in _INVISIBLE):
            break
    return name


def _guarded_stem(stem: str, extension: str) -> str:
    """Put "_" before a stem where `guarded_name` does so for the whole name, which can begin in its extension."""
    return guarded_name(stem + extension).removesuffix(extension)


def _joined(stem: str, extension: str) -> str:
    """Join the parts of a name to upload; the stem is cut to fit."""
    name = stem + extension
    if len(name.encode("utf-8", "replace")) <= _SENT_BYTES:
        return name
    room = _SENT_BYTES - len(extension.encode("utf-8", "replace"))
    cut = cut_bytes(stem, room) + extension if room > 0 else cut_bytes(name, _SENT_BYTES)
    return cut_bytes(guarded_name(cut), _SENT_BYTES)  # a stem cut to nothing leaves the "-" of a mark in front


def cut_bytes(name: str, most: int) -> str:
    """Cut a name to a number of bytes in UTF-8, between characters."""
    return name.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def marked_name(name: str, mark: str) -> str:
    """Insert a mark before the extension of a file name: "poster.jpg" becomes "poster-MARK.jpg"."""
    # Not `splitext`, since it treats ".jpg" as a name without an extension; WeChat uses the part after the last dot.
    stem, dot, extension = name.rpartition(".")
    stem, end = (stem, f"-{mark}.{extension}") if dot else (name, f"-{mark}")
    return _joined(guarded_name(f"{stem}-")[:-1], end)  # an empty stem leaves the "-" of the mark in front


def disposition_filename(disposition: str) -> str | None:
    """Parse the file name of a Content-Disposition (wire reference 4.7); the result is untrusted.

    Args:
        disposition: The header, its bytes decoded as UTF-8 with ``surrogateescape``.
    """
    text = _repair(disposition)
    found = re.search(_EXTENDED, text)
    if found and found[1].lower() in _CHARSETS:
        return unquote(found[2], encoding=found[1], errors="replace")
    if found := re.search(_QUOTED, text):
        return re.sub(r"\\(.)", r"\1", found[1])
    if found := re.search(_BARE, text):
        return found[1].strip() or None
    return None


def _repair(header: str) -> str:
    """Decode a non-UTF-8 header as GB18030, as a whole, since a backslash can be the second byte of a character."""
    if not re.search("[\ud800-\udfff]", header):
        return header
    raw = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", header).encode("utf-8", "surrogateescape")
    return raw.decode("gb18030", "replace")


def safe_name(name: str | None, fallback: str, form: Format | None = None) -> str:
    r"""Sanitize an untrusted file name.

    The result has no path, no leading dot, hyphen or tilde, no control, direction or other invisible characters, no
    characters or device names forbidden by any system, and at most 200 bytes of UTF-8.

    Args:
        name: The name sent by a server, or None.
        fallback: File name to use if no part of the name remains.
        form: The format of the bytes; its extension is added to names without a known one.
    """
    plain = _plain(name or "") or _plain(fallback) or "download"
    if form is not None and by_extension(os.path.splitext(plain)[1]) is None:
        plain += form.extensions[0]
    stem, extension = os.path.splitext(plain)
    if len(extension.encode()) > _EXTENSION_BYTES:  # a sentence after a full stop
        stem, extension = plain, ""
    stem = stem.rstrip(" .")
    stem = f"_{stem}" if re.match(_RESERVED, stem + extension) else _guarded_stem(stem, extension)
    room = _NAME_BYTES - len(extension.encode())
    return cut_bytes(stem, room).rstrip(" .") + extension


def _plain(name: str) -> str:
    name = _last_part(name)
    kept = (char for char in name if unicodedata.category(char) not in _INVISIBLE)
    return "".join("_" if char in _FORBIDDEN else char for char in kept).strip(" .")
