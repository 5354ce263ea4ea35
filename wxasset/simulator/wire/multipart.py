"""Strict parser of multipart/form-data bodies on raw bytes.

It accepts only the syntax known to be accepted by WeChat: parts with quoted `name="..."` and `filename="..."`
parameters, raw UTF-8 in them, and CRLF line ends. RFC 2231 (`filename*=`) and percent escapes are not supported (wire
reference 4.2, 4.3, 4.4).
"""

import re

from attrs import field, frozen

from wxasset.simulator.wire.replies import ApiError

_BOUNDARY = re.compile(r";\s*boundary=([^;]*)", re.IGNORECASE)
_LONGEST_BOUNDARY = 70  # RFC 2046, section 5.1.1
_DISPOSITION = re.compile(r"content-disposition:\s*form-data(?=\s*;)(.*)", re.IGNORECASE)
# A quoted value ends at the next quote; a backslash is an ordinary character.
_PARAMETER = re.compile(r'\s*;\s*([^\s=;"]+)\s*=\s*(?:"([^"]*)"|[^\s;"]*)')


@frozen
class Part:
    """One part of a form.

    Attributes:
        name: The field name, or None if the part has none.
        filename: The filename exactly as sent, including percent sequences, or None if the part has no
            `filename="..."`; never empty.
        content: The bytes.
    """

    name: str | None
    filename: str | None
    content: bytes = field(repr=False)


@frozen
class Form:
    """Parts of an upload, in order."""

    parts: tuple[Part, ...]

    def text(self, name: str) -> str | None:
        """Return the value of a non-file field, or None; a field of invalid UTF-8 counts as absent."""
        for part in self.parts:
            if part.name == name and part.filename is None:
                try:
                    return part.content.decode()
                except UnicodeDecodeError:
                    return None
        return None

    def file(self, name: str | None) -> tuple[str, bytes]:
        """Return filename and bytes of the file in the field `name`, or of the first file if `name` is None.

        Raises:
            ApiError: 41005, the part is missing or has no filename.
        """
        for part in self.parts:
            if part.filename is not None and name in (None, part.name):
                return part.filename, part.content
        raise ApiError(41005)


def boundary_of(content_type: str | None, *, accept_quoted: bool) -> bytes:
    """Return the boundary given in a Content-Type header.

    Raises:
        ApiError: 47001 if this is not multipart/form-data with a boundary, 41005 if the boundary is quoted.
    """
    media_type, semicolon, parameters = (content_type or "").partition(";")
    match = _BOUNDARY.search(semicolon + parameters)
    if media_type.strip().lower() != "multipart/form-data" or match is None:
        raise ApiError(47001)
    boundary = match[1].strip()
    if boundary.startswith('"'):
        if not accept_quoted:
            raise ApiError(41005)
        boundary = boundary.strip('"')
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise ApiError(47001)
    return boundary.encode("utf-8", "surrogateescape")


def parse(body: bytes, boundary: bytes) -> Form:
    """Split a body into its parts.

    Raises:
        ApiError: 47001 for invalid framing: a preamble before the first boundary, a part without headers, a missing
            last boundary, bytes after it.
    """
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        raise ApiError(47001)
    parts: list[Part] = []
    position = len(delimiter)
    while body[position : position + 2] == b"\r\n":
        end = body.find(b"\r\n" + delimiter, position)
        if end < 0:
            raise ApiError(47001)
        parts.append(_part(body, position + 2, end))
        position = end + 2 + len(delimiter)
    if body[position:] not in (b"--", b"--\r\n"):
        raise ApiError(47001)
    return Form(tuple(parts))


def _part(body: bytes, start: int, end: int) -> Part:
    """Parse the part between two positions: headers, an empty line, content."""
    headers_end = body.find(b"\r\n\r\n", start, end)
    if headers_end < 0:
        raise ApiError(47001)
    headers = body[start:headers_end].decode("utf-8", "surrogateescape")
    parameters: dict[str, str | None] = {}
    for line in headers.split("\r\n"):
        if match := _DISPOSITION.fullmatch(line):
            parameters = _parameters(match[1])
    return Part(
        name=parameters.get("name"),
        filename=parameters.get("filename") or None,
        content=body[headers_end + 4 : end],
    )


def _parameters(text: str) -> dict[str, str | None]:
    """Return the parameters of a header, None for unquoted ones; empty for a malformed header."""
    found: dict[str, str | None] = {}
    position = 0
    while match := _PARAMETER.match(text, position):
        position = match.end()
        found[match[1].lower()] = match[2]
    return found if not text[position:].strip(" ;") else {}
