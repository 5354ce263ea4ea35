"""Uploads to cloud storage with a permit of tcb/uploadfile and a form of COS (wire reference 3.1).

A form is read in pieces, and its file is written directly to its final storage.
"""

import re

from aiohttp import web

from wxasset.simulator.state.account import Account
from wxasset.simulator.state.objects import Memory, Room, StoredFile, make_room
from wxasset.simulator.state.upload_permits import PREFIX, CosError, cos_error_reply
from wxasset.simulator.wire.multipart import boundary_of
from wxasset.simulator.wire.replies import ApiError, RawReply

_LARGEST = 5 * 1024**3  # documented by COS for a form
_LARGEST_HEAD = 64 * 1024  # bytes before the file; chosen, the fields have less than 4 KB
_FILE = re.compile(rb'content-disposition:\s*form-data;\s*name=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)


def _malformed() -> CosError:
    # Observed by many users of tcb/uploadfile.
    return CosError(
        400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )


class FormReader:
    """Incremental parser of a form: fields, then the file as the last one."""

    def __init__(self, boundary: bytes, room: Room | None = None) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._pending = bytearray(b"\r\n")
        self._room = room or Memory()
        self._in_file = False
        self._ended = False
        self.fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> None:
        """Parse the next piece.

        Raises:
            CosError: The form is malformed.
        """
        self._pending += chunk
        while not self._in_file and self._field():
            pass
        if self._in_file and not self._ended:
            self._more()
        if self._ended == self._in_file and len(self._pending) > _LARGEST_HEAD:
            raise _malformed()

    def file(self) -> StoredFile:
        """Return the file after the last piece.

        Raises:
            CosError: The file is missing, it is not the last field, or the form has no end.
        """
        if not self._in_file or not self._pending.startswith(self._delimiter + b"--"):
            raise _malformed()
        return self._room.stored()

    def _field(self) -> bool:
        """Parse one field or the headers of the file; return True if more fields may follow."""
        head = len(self._delimiter) + 2
        end = self._pending.find(b"\r\n\r\n", head)
        if end < 0:
            return False
        name = _FILE.search(self._pending, head, end)
        if name is None or self._pending[:head] != self._delimiter + b"\r\n":
            raise _malformed()
        field = name[2] if name[1] is None else name[1]
        if field == b"file":
            self._in_file = True
            del self._pending[: end + 4]
            return False
        last = self._pending.find(self._delimiter, end + 4)
        if last < 0:
            return False
        self.fields[field.decode("utf-8", "replace")] = self._pending[end + 4 : last].decode("utf-8", "replace")
        del self._pending[:last]
        return True

    def _more(self) -> None:
        """Write pending bytes to the file, except a possible start of the final delimiter."""
        end = self._pending.find(self._delimiter)
        self._ended = end >= 0
        sure = end if self._ended else max(0, len(self._pending) - len(self._delimiter) + 1)
        self._room.write(memoryview(self._pending)[:sure].tobytes())
        del self._pending[:sure]


def owns(path: str) -> bool:
    """Return True if a path belongs to object storage rather than to the API."""
    return path.startswith(PREFIX)


async def receive(account: Account, http: web.Request) -> tuple[RawReply, int, str | None]:
    """Read a form and return the response: 204, or an error in XML.

    Also return the number of body bytes read, and the id of the stored file or None.
    """
    size = 0
    try:
        boundary = _boundary(http)
        form = FormReader(boundary, await make_room(http.content_length or 0))
        async for chunk in http.content.iter_any():
            size += len(chunk)
            form.feed(chunk)
        file = form.file()
        permit = account.upload_permits.find(http.path, form.fields)
    except CosError as error:
        return cos_error_reply(error, account.identifiers, close=True), size, None
    permit.files.put(permit.file_id, file)
    return RawReply(status=204, headers={"ETag": file.etag}), size, permit.file_id


def _boundary(http: web.Request) -> bytes:
    """Check the head of a request and return the boundary. The order of the checks is chosen.

    Raises:
        CosError: 405, 411, 400 EntityTooLarge or MalformedPOSTRequest: codes of the table of COS.
    """
    if http.method != "POST":
        raise CosError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    if http.content_length is None:
        raise CosError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if http.content_length > _LARGEST:
        raise CosError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
    try:
        boundary = boundary_of(http.headers.get("Content-Type"), accept_quoted=True)
    except ApiError:
        raise _malformed() from None
    if boundary is None:
        raise _malformed()
    return boundary
