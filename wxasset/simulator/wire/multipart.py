"""Parser of multipart/form-data bodies on raw bytes.

It accepts the requests known to be accepted by WeChat: raw UTF-8 in `name="..."` and `filename="..."`, CRLF line ends,
bytes after the last boundary, and a Content-Type without a boundary. RFC 2231 (`filename*=`) and percent escapes are
not supported (wire reference 4.2 to 4.4, 8.1). The remaining shapes of RFC 2046 are switches, see `Leniency`.
"""

import re
from itertools import islice

from attrs import field, frozen

from wxasset.simulator.wire.replies import ApiError

_BOUNDARY = re.compile(r";\s*boundary=([^;]*)", re.IGNORECASE)
_LONGEST_BOUNDARY = 70  # RFC 2046, section 5.1.1
_MOST_LINES = 16  # lines tried; the first one is the right one unless a preamble looks like one
_FIRST_LINE = re.compile(rb"(?:^|\r\n)--([^\r\n]{1,%d})(?=\r\n)" % _LONGEST_BOUNDARY)
_DISPOSITION = re.compile(r"content-disposition:\s*(form-data|attachment)(?=\s*;)(.*)", re.IGNORECASE)
# A quoted value ends at the next quote; a backslash is an ordinary character.
_PARAMETER = re.compile(r'\s*;\s*([^\s=;"]+)\s*=\s*(?:"([^"]*)"|([^\s;"]*))')


@frozen(kw_only=True)
class Leniency:
    """Accepted shapes of a form without evidence for or against them.

    Attributes:
        preamble: Bytes before the first boundary.
        unquoted_names: `name=media; filename=a.png`.
        attachment: `Content-Disposition: attachment` in place of `form-data`.
        bare_end: A last boundary `--B--` without a line end after it.
    """

    preamble: bool = True
    unquoted_names: bool = True
    attachment: bool = True
    bare_end: bool = True


LENIENT: Leniency = Leniency()


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


def boundary_of(content_type: str | None, *, accept_quoted: bool) -> bytes | None:
    """Return the boundary given in a Content-Type header; None without one.

    Raises:
        ApiError: 47001 if this is not multipart/form-data or the boundary is too long, 41005 if it is quoted.
    """
    media_type, semicolon, parameters = (content_type or "").partition(";")
    if media_type.strip().lower() != "multipart/form-data":
        raise ApiError(47001)
    match = _BOUNDARY.search(semicolon + parameters)
    boundary = "" if match is None else match[1].strip()
    if boundary.startswith('"'):
        if not accept_quoted:
            raise ApiError(41005)
        boundary = boundary.strip('"')
    if len(boundary) > _LONGEST_BOUNDARY:
        raise ApiError(47001)
    return boundary.encode("utf-8", "surrogateescape") or None


def boundary_in(body: bytes) -> bytes:
    """Return the boundary of a form sent without one in its Content-Type: the first line of its first part (8.1).

    Raises:
        ApiError: 47001, no line of the body starts a form that also ends.
    """
    for match in islice(_FIRST_LINE.finditer(body), _MOST_LINES):
        if b"\r\n--" + match[1] + b"--" in body:
            return match[1]
    raise ApiError(47001)


def parse(body: bytes, boundary: bytes, leniency: Leniency = LENIENT) -> Form:
    """Split a body into its parts; bytes after the last boundary are ignored.

    Raises:
        ApiError: 47001 for invalid framing: a preamble that is not accepted, a part without headers, a missing last
            boundary. 41005 for a last boundary without a line end that is not accepted.
    """
    delimiter = b"--" + boundary
    begins = body.startswith((delimiter + b"\r\n", delimiter + b"--"))
    start = 0 if begins else body.find(b"\r\n" + delimiter + b"\r\n") + 2
    if start and (start == 1 or not leniency.preamble):
        raise ApiError(47001)
    parts: list[Part] = []
    position = start + len(delimiter)
    while body[position : position + 2] == b"\r\n":
        end = body.find(b"\r\n" + delimiter, position)
        if end < 0:
            raise ApiError(47001)
        parts.append(_part(body, position + 2, end, leniency))
        position = end + 2 + len(delimiter)
    if body[position : position + 2] != b"--":
        raise ApiError(47001)
    if position + 2 == len(body) and not leniency.bare_end:
        raise ApiError(41005)
    return Form(tuple(parts))


def _part(body: bytes, start: int, end: int, leniency: Leniency) -> Part:
    """Parse the part between two positions: headers, an empty line, content."""
    headers_end = body.find(b"\r\n\r\n", start, end)
    if headers_end < 0:
        raise ApiError(47001)
    headers = body[start:headers_end].decode("utf-8", "surrogateescape")
    parameters: dict[str, str | None] = {}
    for line in headers.split("\r\n"):
        match = _DISPOSITION.fullmatch(line)
        if match and (leniency.attachment or match[1].lower() == "form-data"):
            parameters = _parameters(match[2], leniency)
    return Part(
        name=parameters.get("name"),
        filename=parameters.get("filename") or None,
        content=body[headers_end + 4 : end],
    )


def _parameters(text: str, leniency: Leniency) -> dict[str, str | None]:
    """Return the parameters of a header, None for unquoted ones that are not accepted; empty for a malformed header."""
    found: dict[str, str | None] = {}
    position = 0
    while match := _PARAMETER.match(text, position):
        position = match.end()
        found[match[1].lower()] = match[3] if match[2] is None and leniency.unquoted_names else match[2]
    return found if not text[position:].strip(" ;") else {}
