"""HTTP responses: the headers, and the body chunk by chunk."""

import re
import time
import zlib
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from aiohttp import hdrs

from wxasset.errors import (
    DecodeError,
    HTTPStatusError,
    ReplyTooLarge,
    TransferError,
    TransferTimeout,
    TruncatedDownload,
    WxAssetError,
)
from wxasset.errors.text import printable
from wxasset.transfer.deadlines import Deadlines, SilenceError
from wxasset.transfer.http.decoding import Decoder, coding_of
from wxasset.transfer.http.direct import Response
from wxasset.transfer.http.errors import reason
from wxasset.transfer.http.request import Request
from wxasset.transfer.integrity import Integrity
from wxasset.wire.error_replies import storage_error
from wxasset.wire.json_bodies import excerpt, raise_for_errcode
from wxasset.wire.limits import KIB

__all__ = ["OK", "REDIRECTS", "Reply", "raise_for_status"]

OK: Final = 200
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PACKED: Final = 1024 * KIB  # bytes; allowed decompressed size of any compressed response
_DENSITY: Final = 32  # allowed compression ratio of larger ones: articles of HTML are compressed to a tenth
_PEEK: Final = 2048  # bytes of an error response read for the excerpt
_CONTENT_RANGE: Final = r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})"


class Reply:
    """An HTTP response with a body still to be read."""

    def __init__(
        self, request: Request, response: aiohttp.ClientResponse | Response, patience: float, deadlines: Deadlines
    ) -> None:
        """Wrap a response.

        Args:
            request: The request.
            response: The response.
            patience: Seconds to wait for its bytes, without the time for those received.
            deadlines: The deadlines of the event loop.
        """
        self.path: str = request.path
        self._request = request
        self._response = response
        self._deadlines = deadlines
        self._received = 0
        self._patience = patience
        self._min_rate = request.timeouts.min_rate
        self._coding = coding_of(response.headers.get(hdrs.CONTENT_ENCODING, ""))
        self._decoder: Decoder | None = None
        request.status = response.status

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self._response.status

    @property
    def etag(self) -> str | None:
        """The strong ETag, with quotes; None if there is none (weak ETags do not guarantee equal bytes)."""
        etag = self._response.headers.get(hdrs.ETAG, "")
        return etag if etag.startswith('"') else None

    @property
    def content_range(self) -> tuple[int, int] | None:
        """Offset of the body in the file and size of the file, from Content-Range; None if absent."""
        found = re.fullmatch(_CONTENT_RANGE, self._response.headers.get(hdrs.CONTENT_RANGE, "").strip())
        return None if found is None else (int(found[1]), int(found[2]))

    @property
    def disposition(self) -> str:
        """Content-Disposition header, empty if absent."""
        return self._response.headers.get(hdrs.CONTENT_DISPOSITION, "")

    @property
    def content_type(self) -> str | None:
        """Media type claimed by the server, or None."""
        claimed = self._response.headers.get(hdrs.CONTENT_TYPE)
        return None if claimed is None else printable(claimed)

    @property
    def date(self) -> float | None:
        """Date header by the clock of the server, in unix seconds; None if absent."""
        return _unix_time(self._response.headers.get(hdrs.DATE))

    @property
    def retry_after(self) -> float | None:
        """Retry-After header in seconds; None if absent."""
        text = self._response.headers.get(hdrs.RETRY_AFTER, "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        then = _unix_time(text)
        return None if then is None else max(0.0, then - (self.date or time.time()))

    @property
    def length(self) -> int | None:
        """Announced number of bytes of the body, or None."""
        return None if hdrs.CONTENT_ENCODING in self._response.headers else self._response.content_length

    @property
    def integrity(self) -> Integrity | None:
        """Evidence for a complete body, from its framing; None if the body ends only with the connection."""
        if self.length is not None:
            return Integrity.LENGTH
        headers = self._response.headers
        chunked = "chunked" in headers.get(hdrs.TRANSFER_ENCODING, "").lower()
        return Integrity.FRAMED if chunked or hdrs.CONTENT_LENGTH in headers else None

    async def next_chunk(self) -> bytes:
        """Return the next bytes of the body; empty bytes at the end.

        Raises:
            DecodeError: The body is compressed in a way that was not asked for.
            ReplyTooLarge: Far more bytes came than the body has: compressed to nothing, or as framing.
            TruncatedDownload: The body is shorter than announced, or the connection broke.
            TransferTimeout: No byte arrived for `Timeouts.stall` seconds, or the average rate is too low.
        """
        failure: WxAssetError
        try:
            chunk = await (self._next_bytes() if self._coding is None else self._next_decoded(self._coding))
        except zlib.error:
            failure = self._cut("the compressed body is malformed")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._broken(error)
        else:
            self._received += len(chunk)
            self._request.received += len(chunk)
            self._request.meter.body += len(chunk)
            if not self._request.meter.exceeded:
                return chunk
            failure = self._too_large()
        # Raised outside of the handler: aiohttp's own error contains the URL, and with it the token.
        raise failure

    async def _next_bytes(self) -> bytes:
        content = self._response.content
        chunk: bytes = content.read_nowait()
        return chunk if chunk or content.at_eof() else await self._wait()

    async def _next_decoded(self, coding: str) -> bytes:
        """Return the next bytes of a compressed body; aiohttp would take a part of one for the whole."""
        try:
            decoder = self._decoder = self._decoder or Decoder(coding)
        except ValueError:
            message = f"{self.path} returned a body in the compression {coding}, which was not asked for."
            raise DecodeError(message, self.path) from None
        while not (chunk := decoder.decode()):
            packed = await self._next_bytes()
            if not packed:
                if decoder.complete:
                    return b""
                exceeded = self._request.meter.exceeded
                raise self._too_large() if exceeded else self._cut("the compressed body is not complete")
            decoder.feed(packed)
        return chunk

    async def _wait(self) -> bytes:
        """Wait for bytes; only the waiting counts against the time limit, not the processing of the bytes."""
        begun = time.monotonic()
        # A limit, since chunk framing or compressed data can trickle in forever without a byte of the body.
        with self._deadlines.at(begun + self._patience + self._moved / self._min_rate) as deadline:
            deadline.listen(self._request.meter, self._request.timeouts.stall)
            chunk = await self._response.content.readany()
        self._patience -= time.monotonic() - begun
        return chunk

    def _too_large(self) -> ReplyTooLarge:
        wire = self._request.meter.wire
        message = f"{self.path} sent {wire} bytes for {self._received} bytes of a body."
        return ReplyTooLarge(message, self.path, limit=self._request.meter.limit)

    @property
    def _moved(self) -> int:
        """Number of bytes received: the time limit of a compressed body depends on its compressed size."""
        packed = self._packed
        return self._received if packed is None else packed

    @property
    def _packed(self) -> int | None:
        """Compressed bytes received; None for a body without compression."""
        return None if self._decoder is None else self._decoder.packed

    def _broken(self, error: Exception) -> WxAssetError:
        received = self._received
        if self._request.meter.exceeded:
            return self._too_large()
        if isinstance(error, aiohttp.ServerTimeoutError | SilenceError):
            return TransferTimeout(f"{self.path} stopped answering after {received} bytes.", self.path)
        if isinstance(error, TimeoutError):
            return TransferTimeout(f"{self.path} answers too slowly: {received} bytes so far.", self.path)
        return self._cut(reason(error))

    def _cut(self, why: str) -> TruncatedDownload:
        received = self._received
        length = f" of {self.length}" if self.length is not None else ""
        return TruncatedDownload(
            f"The response of {self.path} broke off after {received}{length} bytes ({why}).",
            self.path,
            received=received,
            expected=self.length,
        )

    def check_packed(self, limit: int) -> None:
        """Raise `ReplyTooLarge` for a compressed body of more than `limit` bytes before its decompression."""
        if (self._packed or 0) > limit:
            raise ReplyTooLarge(f"{self.path} returned more than {limit} compressed bytes.", self.path, limit=limit)

    def _check_size(self, size: int, limit: int) -> None:
        """Raise `ReplyTooLarge` for a JSON body over the limit; a compressed body has a lower one."""
        self.check_packed(limit)
        packed = self._packed
        most = limit if packed is None else min(limit, max(_PACKED, _DENSITY * packed))
        if size > most:
            raise ReplyTooLarge(f"{self.path} returned more than {most} bytes.", self.path, limit=most)

    async def read(self, limit: int, start: bytes = b"") -> bytes:
        """Read the whole body of a JSON response.

        Args:
            limit: Maximum number of bytes.
            start: The bytes read so far.

        Raises:
            APIError: The body is incomplete, but contains the code of an error.
            ReplyTooLarge: The body has more than `limit` bytes.
            TransferError: The body is incomplete.
        """
        parts, size, content = [start], len(start), self._response.content
        if start:
            self._check_size(size, limit)
        try:
            while chunk := await self.next_chunk():
                parts.append(chunk)
                size += len(chunk)
                self._check_size(size, limit)
                if content.at_eof() and self._coding is None:
                    break  # a small response arrives at once; this saves a wait
        except TruncatedDownload as error:
            raise_for_errcode(b"".join(parts), self.path)
            raise TransferError(error.message, self.path) from None
        return b"".join(parts)


def _unix_time(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


async def raise_for_status(reply: Reply, status: int, *, early: bool = False) -> None:
    """Raise `HTTPStatusError` or `StorageError` for a response, with the start of its body.

    Args:
        reply: The response.
        status: Its status.
        early: Whether it came before the whole request was sent.
    """
    start = b""
    with suppress(WxAssetError):  # the status is sufficient
        # Where a redirect has no length, the end of a body that it does not have would be waited for.
        empty = status in REDIRECTS and reply.integrity is None
        while not empty and len(start) < _PEEK and (chunk := await reply.next_chunk()):
            start += chunk
    refusal = storage_error(start.decode("utf-8", "replace"), status, reply.path, reply.retry_after)
    if refusal is not None:
        refusal.early = early
        raise refusal
    summary = f"{reply.path} returned HTTP status {status}"
    message = f"{summary}, a redirect, which is not followed." if status in REDIRECTS else f"{summary}."
    page, wait = excerpt(start), reply.retry_after
    raise HTTPStatusError(message, reply.path, status=status, excerpt=page, retry_after=wait, early=early)
