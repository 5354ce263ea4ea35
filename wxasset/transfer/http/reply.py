"""An answer on its way in: its head, and its body piece by piece."""

import asyncio
import re
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from aiohttp import hdrs

from wxasset.errors import (
    HTTPStatusError,
    ReplyTooLarge,
    TransferError,
    TransferTimeout,
    TruncatedDownload,
    WxAssetError,
)
from wxasset.transfer.http.errors import reason
from wxasset.transfer.http.request import Request
from wxasset.transfer.integrity import Integrity
from wxasset.wire.codec import excerpt
from wxasset.wire.error_replies import storage_error
from wxasset.wire.limits import KIB

__all__ = ["OK", "REDIRECTS", "Reply", "at_most", "raise_for_status"]

OK: Final = 200
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PACKED: Final = 1024 * KIB  # bytes that any packed reply may unpack to
_DENSITY: Final = 32  # times its size that a larger one may: articles of HTML are packed to a tenth
_PEEK: Final = 2048  # bytes read of the body of a reply that is not 200, for its excerpt
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_EVER: Final = 1e9  # seconds; more than uvloop can count is 2**64 milliseconds


class Reply:
    """An answer whose body is still to be read."""

    def __init__(self, request: Request, response: aiohttp.ClientResponse, patience: float) -> None:
        """Stand for the answer to a request, for whose first bytes this many seconds are waited."""
        self.path: str = request.path
        self._request = request
        self._response = response
        self._received = 0
        self._patience = patience
        self._min_rate = request.timeouts.min_rate
        request.status = response.status

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def etag(self) -> str | None:
        """The mark of what was sent, with its quotes; None where there is none that holds for each of its bytes."""
        etag = self._response.headers.get(hdrs.ETAG, "")
        return etag if etag.startswith('"') else None

    @property
    def content_range(self) -> tuple[int, int] | None:
        """Where the body begins in the file, and how many bytes that has; None where it is not said."""
        found = _CONTENT_RANGE.fullmatch(self._response.headers.get(hdrs.CONTENT_RANGE, "").strip())
        return None if found is None else (int(found[1]), int(found[2]))

    @property
    def disposition(self) -> str:
        """The Content-Disposition, empty where there is none."""
        return self._response.headers.get(hdrs.CONTENT_DISPOSITION, "")

    @property
    def content_type(self) -> str | None:
        """The media type that the server claims, or None."""
        return self._response.headers.get(hdrs.CONTENT_TYPE)

    @property
    def date(self) -> float | None:
        """When the server sent it, by its own clock, in unix seconds; None where it does not say."""
        return _unix_time(self._response.headers.get(hdrs.DATE))

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again; None where it does not say."""
        text = self._response.headers.get(hdrs.RETRY_AFTER, "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        then = _unix_time(text)
        return None if then is None else max(0.0, then - (self.date or time.time()))

    @property
    def length(self) -> int | None:
        """The announced number of bytes of the body, or None."""
        return None if hdrs.CONTENT_ENCODING in self._response.headers else self._response.content_length

    @property
    def integrity(self) -> Integrity | None:
        """What the end of the body, which is checked, shows; None where nothing but a closed connection ends it."""
        if self.length is not None:
            return Integrity.LENGTH
        headers = self._response.headers
        chunked = "chunked" in headers.get(hdrs.TRANSFER_ENCODING, "").lower()
        return Integrity.FRAMED if chunked or hdrs.CONTENT_LENGTH in headers else None

    async def next_chunk(self) -> bytes:
        """Give the next bytes of the body, none at its end.

        Raises:
            TruncatedDownload: It ended before its announced length, or the connection broke.
            TransferTimeout: Nothing came for `Timeouts.stall` seconds, or too little in all the time.
        """
        failure: WxAssetError
        try:
            content = self._response.content
            chunk = content.read_nowait()
            if not chunk and not content.at_eof():
                chunk = await self._wait()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._broken(error)
        else:
            self._received += len(chunk)
            self._request.received += len(chunk)
            return chunk
        # Raised outside of the handler: aiohttp's own error holds the URL, and with it the token.
        raise failure

    async def _wait(self) -> bytes:
        """Wait for bytes: only that takes of the patience, and not what is done with them."""
        content, begun = self._response.content, time.monotonic()
        # A timer, since what frames or packs a body can trickle in for ever without a byte of it.
        async with at_most(self._patience + self._moved / self._min_rate):
            chunk = await content.readany()
        self._patience -= time.monotonic() - begun
        return chunk

    @property
    def _moved(self) -> int:
        """How many bytes came over the line: a packed body does not earn time by what it unpacks to."""
        packed: int | None = self._response.content.total_compressed_bytes
        return self._received if packed is None else packed

    def _broken(self, error: Exception) -> WxAssetError:
        received = self._received
        if isinstance(error, aiohttp.ServerTimeoutError):
            return TransferTimeout(f"{self.path} stopped answering after {received} bytes.", self.path)
        if isinstance(error, TimeoutError):
            return TransferTimeout(f"{self.path} answers too slowly: {received} bytes so far.", self.path)
        length = f" of {self.length}" if self.length is not None else ""
        return TruncatedDownload(
            f"The answer of {self.path} broke off after {received}{length} bytes ({reason(error)}).",
            self.path,
            received=received,
            expected=self.length,
        )

    def most(self, limit: int) -> int:
        """Return how many bytes of JSON to take where `limit` are allowed: what was packed may not be much more."""
        if hdrs.CONTENT_ENCODING not in self._response.headers:
            return limit
        return min(limit, max(_PACKED, _DENSITY * (self._response.content_length or 0)))

    async def read(self, limit: int) -> bytes:
        """Read the whole body of a JSON reply.

        Raises:
            ReplyTooLarge: It has more than `limit` bytes.
            TransferError: It broke off.
        """
        parts, size, limit = [], 0, self.most(limit)
        try:
            while chunk := await self.next_chunk():
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise ReplyTooLarge(f"{self.path} answered with more than {limit} bytes.", self.path, limit=limit)
                if self._response.content.at_eof():
                    break  # all of a small reply comes at once: one wait less
        except TruncatedDownload as error:
            raise TransferError(error.message, self.path) from None
        return b"".join(parts)


def at_most(seconds: float) -> asyncio.Timeout:
    """Return a timer; none that an event loop could not count, where `Timeouts` are infinite."""
    return asyncio.timeout(seconds if seconds < _EVER else None)


def _unix_time(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


async def raise_for_status(reply: Reply, status: int) -> None:
    """Raise `HTTPStatusError` for a reply of this status, with the start of its body."""
    start = b""
    with suppress(WxAssetError):  # the status says enough
        while len(start) < _PEEK and (chunk := await reply.next_chunk()):
            start += chunk
    refusal = storage_error(start.decode("utf-8", "replace"), status, reply.path, reply.retry_after)
    if refusal is not None:
        raise refusal
    said = f"{reply.path} answered with HTTP status {status}"
    message = f"{said}, a redirect, which is not followed." if status in REDIRECTS else f"{said}."
    raise HTTPStatusError(message, reply.path, status=status, excerpt=excerpt(start), retry_after=reply.retry_after)
