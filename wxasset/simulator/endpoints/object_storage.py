"""Uploads to cloud storage: what tcb/uploadfile grants, and the form that COS takes (wire reference 3.1).

A form is read piece by piece, and its file goes where it will be kept.
"""

import re

from aiohttp import web

from wxasset.simulator.state.account import Account
from wxasset.simulator.state.objects import Memory, Room, StoredFile, make_room
from wxasset.simulator.state.upload_permits import PREFIX, CosError, cos_error_reply
from wxasset.simulator.wire.multipart import boundary_of
from wxasset.simulator.wire.replies import ApiError, RawReply

_LARGEST = 5 * 1024**3  # documented by COS for a form
_LARGEST_HEAD = 64 * 1024  # of what is not the file; chosen, the fields have less than 4 KB
_FILE = re.compile(rb'content-disposition:\s*form-data;\s*name="([^"]*)"', re.IGNORECASE)


def _malformed() -> CosError:
    # Seen by many who used tcb/uploadfile.
    return CosError(
        400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )


class FormReader:
    """Takes a form in pieces: fields, and the file last."""

    def __init__(self, boundary: bytes, room: Room | None = None) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._pending = bytearray(b"\r\n")
        self._room = room or Memory()
        self._in_file = False
        self._ended = False
        self.fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> None:
        """Take the next piece.

        Raises:
            CosError: It cannot be part of such a form.
        """
        self._pending += chunk
        while not self._in_file and self._field():
            pass
        if self._in_file and not self._ended:
            self._more()
        elif len(self._pending) > _LARGEST_HEAD:
            raise _malformed()

    def file(self) -> StoredFile:
        """The file, once everything has been fed.

        Raises:
            CosError: There is no file, it is not the last field, or the form has no end.
        """
        if not self._in_file or bytes(self._pending) not in (self._delimiter + b"--", self._delimiter + b"--\r\n"):
            raise _malformed()
        return self._room.stored()

    def _field(self) -> bool:
        """Take one field off what is pending, or the headers of the file; say whether there may be more."""
        head = len(self._delimiter) + 2
        end = self._pending.find(b"\r\n\r\n", head)
        if end < 0:
            return False
        name = _FILE.search(self._pending, head, end)
        if name is None or self._pending[:head] != self._delimiter + b"\r\n":
            raise _malformed()
        if name[1] == b"file":
            self._in_file = True
            del self._pending[: end + 4]
            return False
        last = self._pending.find(self._delimiter, end + 4)
        if last < 0:
            return False
        self.fields[name[1].decode("utf-8", "replace")] = self._pending[end + 4 : last].decode("utf-8", "replace")
        del self._pending[:last]
        return True

    def _more(self) -> None:
        """Move to the file what cannot be the delimiter that ends it."""
        end = self._pending.find(self._delimiter)
        self._ended = end >= 0
        sure = end if self._ended else max(0, len(self._pending) - len(self._delimiter) + 1)
        self._room.write(memoryview(self._pending)[:sure].tobytes())
        del self._pending[:sure]


def owns(path: str) -> bool:
    """Return True if a path belongs to object storage rather than to the API."""
    return path.startswith(PREFIX)


async def receive(account: Account, http: web.Request) -> tuple[RawReply, int, str | None]:
    """Take a form in, and say 204 or what is wrong with it in XML.

    With the bytes of the body that were read, and the id of the file that is there now.
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
    account.cloud_files.put(permit.file_id, file)
    return RawReply(status=204, headers={"ETag": file.etag}), size, permit.file_id


def _boundary(http: web.Request) -> bytes:
    """Judge the head of a request, in an order that is chosen.

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
        return boundary_of(http.headers.get("Content-Type"), accept_quoted=True)
    except ApiError:
        raise _malformed() from None
