"""File names: what is sent to WeChat, and what is made of the names that a server sends. Pure."""

import os.path
import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from wxasset.wire.formats import Format, by_extension

__all__ = ["disposition_filename", "is_attachment", "marked_name", "safe_name", "upload_name"]

_NAME_BYTES: Final = 200  # file systems allow 255; this leaves room for the marks of temporary and numbered names
_EXTENSION_BYTES: Final = 20
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)")
_FORBIDDEN: Final = frozenset('<>:"|?*')
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

# What servers name in practice; other codecs of Python are no text encodings, or refuse to replace.
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "gbk", "gb2312", "gb18030", "big5"})
_EXTENDED: Final = re.compile(r"(?i)(?:^|;)\s*filename\*\s*=\s*([\w!#$%&+^`{}~.-]+)'[^']*'([^;\s]*)")
_QUOTED: Final = re.compile(r'(?i)(?:^|;)\s*filename\s*=\s*"((?:\\.|[^"\\])*)"')
_BARE: Final = re.compile(r'(?i)(?:^|;)\s*filename\s*=\s*([^";]+)')


def upload_name(name: str, form: Format | None) -> str:
    """Give a file name the extension that the bytes call for.

    WeChat refuses names without a known extension (40113, wire reference 4.2). The rest of the name is kept.

    Args:
        name: A file name, or a path whose last part is one.
        form: The format of the bytes, or None where it is not known.
    """
    name = re.split(r"[/\\]", name)[-1]
    if not name.strip("."):
        name = "media"
    if form is None:
        return name
    stem, extension = os.path.splitext(name)
    if extension.lower() in form.extensions:
        return name
    # ".5" in "version 1.5" belongs to the name; ".png" on a JPEG misleads and is replaced.
    return (stem if by_extension(extension) else name) + form.extensions[0]


def marked_name(name: str, mark: str) -> str:
    """Put a mark between a file name and its extension: "poster.jpg" becomes "poster-MARK.jpg"."""
    # Not `splitext`, for which ".jpg" is a name without an extension; WeChat goes by what follows the last full stop.
    stem, dot, extension = name.rpartition(".")
    return f"{stem}-{mark}.{extension}" if dot else f"{name}-{mark}"


def is_attachment(disposition: str) -> bool:
    """Tell whether a Content-Disposition announces a file."""
    return disposition.strip().lower().startswith("attachment")


def disposition_filename(disposition: str) -> str | None:
    """Read the file name of a Content-Disposition (wire reference 4.7); it is not to be trusted yet.

    Args:
        disposition: The header, its bytes decoded as UTF-8 with ``surrogateescape``.
    """
    text = _repair(disposition)
    found = _EXTENDED.search(text)
    if found and found[1].lower() in _CHARSETS:
        return unquote(found[2], encoding=found[1], errors="replace")
    if found := _QUOTED.search(text):
        return re.sub(r"\\(.)", r"\1", found[1])
    if found := _BARE.search(text):
        return found[1].strip() or None
    return None


def _repair(header: str) -> str:
    """Read as GB18030 what was not UTF-8: the whole of it, as a backslash can be half of a character there."""
    if not re.search("[\ud800-\udfff]", header):
        return header
    raw = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", header).encode("utf-8", "surrogateescape")
    return raw.decode("gb18030", "replace")


def safe_name(name: str | None, fallback: str, form: Format | None = None) -> str:
    r"""Make a name from outside into a plain file name, whatever it holds.

    The result has no path, no leading dot, no control, direction or other invisible character, no character and no
    device name that some system forbids, and at most 200 bytes of UTF-8.

    Args:
        name: The name as a server sent it, or None.
        fallback: What to call the file where nothing is left of the name.
        form: The format of the bytes; its extension is added to a name that has no known one.
    """
    plain = _plain(name or "") or _plain(fallback) or "download"
    if form is not None and by_extension(os.path.splitext(plain)[1]) is None:
        plain += form.extensions[0]
    stem, extension = os.path.splitext(plain)
    if len(extension.encode()) > _EXTENSION_BYTES:  # a sentence behind a full stop
        stem, extension = plain, ""
    stem = stem.rstrip(" .")
    if _RESERVED.match(stem + extension):
        stem = f"_{stem}"
    room = _NAME_BYTES - len(extension.encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + extension


def _plain(name: str) -> str:
    name = re.split(r"[/\\]", name)[-1]
    kept = (char for char in name if unicodedata.category(char) not in _INVISIBLE)
    return "".join("_" if char in _FORBIDDEN else char for char in kept).strip(" .")
