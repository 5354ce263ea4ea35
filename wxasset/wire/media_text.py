"""Recognize a string that is no path of a file: a URL, a data URI, or base64. Pure."""

import base64
import binascii
import re
from typing import Final
from urllib.parse import urlsplit

from wxasset.wire.formats import sniff

__all__ = ["describe_text", "shortened"]

# pathlib makes one slash of two; a page refers to another host without a scheme.
_URL: Final = r"(?a)\s*(?:([A-Za-z][A-Za-z0-9+.-]+):/?/|//[^/?]+\.[^/?]+[/?])"
_QUERY: Final = r"(?s)\?[^/?=]*=.*"
_DATA_URI: Final = r"(?ai)\s*data:([\w.+-]{1,50}/[\w.+-]{1,50})?[;,]"
_BASE64: Final = r"(?a)[A-Za-z0-9+/_\r\n-]+={0,2}\s*"
_SAMPLE: Final = 64  # characters of base64 whose bytes show the format
_LONG: Final = 4096  # characters; no path is longer
_SHOWN: Final = 200


def describe_text(text: str) -> str | None:
    """Describe a string that is a URL, a data URI or base64, without any secret part of it; None for other strings."""
    if found := re.match(_DATA_URI, text):
        return f"a data URI ({found[1] or 'text/plain'})"
    if found := re.match(_URL, text):
        return f"a URL ({(found[1] or 'https').lower()}://{_host(text)})"
    if not re.fullmatch(_BASE64, text):
        return None
    form = sniff(_decoded(text))
    if form is not None:
        return f"base64 text (a {form.name})"
    return "base64 text" if len(text) > _LONG else None


def _host(text: str) -> str:
    """Return the host of a URL: its path and its query may be signed, and its user name may come with a password."""
    try:
        return urlsplit(re.sub(r"^([^:/]*):/{1,2}", r"\1://", text.strip())).hostname or ""
    except ValueError:
        return ""


def _decoded(text: str) -> bytes:
    letters = re.sub(r"\s", "", text[: 2 * _SAMPLE])[:_SAMPLE].translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(letters[: len(letters) // 4 * 4])
    except binascii.Error:
        return b""


def shortened(text: str) -> str:
    """Shorten a path for an error, also by what may be the query of a signed URL."""
    text = re.sub(_QUERY, "?...", text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
