"""Frames of multipart/form-data bodies; the length is known before the first byte is sent. Pure."""

import os
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from wxasset.wire.values import Value

__all__ = ["Frame", "frame", "sent_name"]

_UNSAFE: Final = {code: f"%{code:02X}" for code in (*range(0x20), ord('"'), 0x7F)}
"""Escaped in file names of forms as specified by the HTML standard; other control characters are escaped alike."""


@frozen(kw_only=True, eq=False, repr=False)
class Frame(Value):
    """Bytes around the media of one upload.

    Attributes:
        content_type: Content-Type of the request. The boundary is unquoted: WeChat rejects quotes (wire reference 4.4).
        head: Bytes before the media.
        tail: Bytes after the media.
    """

    content_type: str
    head: bytes
    tail: bytes

    def length(self, size: int) -> int:
        """Return the Content-Length of a body with `size` bytes of media."""
        return len(self.head) + size + len(self.tail)


def sent_name(filename: str) -> str:
    """Return a file name as sent to WeChat and listed by WeChat."""
    return _encode(_escape(filename)).decode()


def _escape(name: str) -> str:
    return name.translate(_UNSAFE)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def frame(
    filename: str,
    content_type: str,
    fields: Mapping[str, str],
    boundary: str | None = None,
    *,
    part: str = "media",
    last: bool = False,
) -> Frame:
    r"""Build the frame: the media first, then the text fields, or the reverse.

    The file name is sent as raw UTF-8 with quotes, CR and LF escaped. It is never sent as ``filename*``: WeChat does
    not read it (wire reference 4.3).

    Args:
        filename: File name of the media, with its extension.
        content_type: Content-Type of the media.
        fields: Text parts by name.
        boundary: Boundary, for tests; by default a random one of 32 hexadecimal digits.
        part: Name of the media part.
        last: Whether the media follow the fields, as required by object storage (wire reference 3.1).
    """
    boundary = boundary or os.urandom(16).hex()  # `secrets` would load hmac with the package
    opening = f"--{boundary}"
    media = (
        f'\r\nContent-Disposition: form-data; name="{part}"; filename="{_escape(filename)}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    texts = "".join(
        [
            f'\r\nContent-Disposition: form-data; name="{_escape(name)}"\r\n\r\n{text}\r\n{opening}'
            for name, text in fields.items()
        ]
    )
    before, after = (texts, "") if last else ("", texts)
    return Frame(
        content_type=f"multipart/form-data; boundary={boundary}",
        head=_encode(f"{opening}{before}{media}"),
        tail=_encode(f"\r\n{opening}{after}--\r\n"),
    )
