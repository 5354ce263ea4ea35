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
) -> Frame:
    r"""Build the frame: the part ``media`` first, then the text fields.

    The file name goes out as raw UTF-8 with quotes, CR and LF escaped, and never as ``filename*``, which WeChat
    does not read (wire reference 4.3).

    Args:
        filename: The name of the media, with its extension.
        content_type: The media's own type.
        fields: Text parts by name.
        boundary: For tests; a random one of 32 hexadecimal digits otherwise.
    """
    boundary = boundary or secrets.token_hex(16)
    mark = boundary.encode()
    head = (
        b"--" + mark + b'\r\nContent-Disposition: form-data; name="media"; filename="' + _escape(filename) + b'"\r\n'
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    )
    texts = b"".join(
        b"\r\n--" + mark + b'\r\nContent-Disposition: form-data; name="' + _escape(name) + b'"\r\n\r\n' + text.encode()
        for name, text in fields.items()
    )
    return Frame(
        content_type=f"multipart/form-data; boundary={boundary}",
        head=head,
        tail=texts + b"\r\n--" + mark + b"--\r\n",
    )
