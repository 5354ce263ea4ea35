"""The frame of a multipart/form-data body, whose length is known before its first byte is sent. Pure."""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from attrs import frozen

__all__ = ["Frame", "frame", "sent_name"]

# The HTML standard's way to write these in a form's file name; the other control characters are treated alike.
_UNSAFE: Final = re.compile(r'["\x00-\x1f\x7f]')


@frozen(kw_only=True)
class Frame:
    """What goes around the media of one upload.

    Attributes:
        content_type: The request's Content-Type; its boundary is not quoted (WeChat refuses that, wire reference 4.4).
        head: Bytes before the media.
        tail: Bytes after it.
    """

    content_type: str
    head: bytes
    tail: bytes

    def length(self, size: int) -> int:
        """Return the Content-Length of a body with `size` bytes of media."""
        return len(self.head) + size + len(self.tail)


def sent_name(filename: str) -> str:
    """Return a file name as it goes out, and as WeChat lists it."""
    return _escape(filename).decode()


def _escape(name: str) -> bytes:
    quoted = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)
    return quoted.encode("utf-8", "replace")


def frame(
    filename: str,
    content_type: str,
    fields: Mapping[str, str],
    boundary: str | None = None,
    *,
    part: str = "media",
    last: bool = False,
) -> Frame:
    r"""Build the frame: the media first, then the text fields, or the other way round.

    The file name goes out as raw UTF-8 with quotes, CR and LF escaped, and never as ``filename*``, which WeChat
    does not read (wire reference 4.3).

    Args:
        filename: The name of the media, with its extension.
        content_type: The media's own type.
        fields: Text parts by name.
        boundary: For tests; a random one of 32 hexadecimal digits otherwise.
        part: The name of the media's part.
        last: Whether the media come after the fields, as object storage wants it (wire reference 3.1).
    """
    boundary = boundary or secrets.token_hex(16)
    mark = boundary.encode()
    delimiter = b"\r\n--" + mark
    head = (
        b'\r\nContent-Disposition: form-data; name="' + part.encode() + b'"; filename="' + _escape(filename) + b'"\r\n'
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    )
    texts = b"".join(
        b'\r\nContent-Disposition: form-data; name="'
        + _escape(name)
        + b'"\r\n\r\n'
        + text.encode("utf-8", "replace")
        + delimiter
        for name, text in fields.items()
    )
    opening, end = delimiter[2:], b"--\r\n"
    return Frame(
        content_type=f"multipart/form-data; boundary={boundary}",
        head=opening + texts + head if last else opening + head,
        tail=delimiter + end if last else delimiter + texts + end,
    )
