"""Downloads of files from responses to destinations."""

from collections.abc import AsyncIterator
from pathlib import Path

from attrs import frozen

from wxasset.errors import ReplyTooLarge, StreamConsumedError, TruncatedDownload
from wxasset.transfer.downloads.destination import Destination, Digest
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.event_loop import LoopGuard
from wxasset.transfer.http import Reply
from wxasset.transfer.integrity import Integrity, IntegrityChecker
from wxasset.transfer.progress import Progress, Throttle
from wxasset.wire.filenames import disposition_filename, safe_name
from wxasset.wire.limits import MIB
from wxasset.wire.values import Value

__all__ = ["FileReply", "MaterialStream", "SavedMaterial"]


@frozen(kw_only=True, eq=False, repr=False)
class SavedMaterial(Value):
    """A completely downloaded file.

    Attributes:
        path: Path of the file; None if it was written to a handle or a writer.
        filename: File name sent by WeChat, sanitized; None if WeChat sent none.
        content_type: Media type claimed by WeChat, possibly wrong; None if WeChat sent none.
        size: Number of bytes.
        sha256: SHA-256 hash of the bytes, in hexadecimal; empty with ``digest=None``, where `integrity` alone tells
            that the file is complete.
        integrity: Evidence for the completeness of the file.
    """

    path: Path | None
    filename: str | None
    content_type: str | None
    size: int
    sha256: str
    integrity: Integrity


class FileReply:
    """A response identified as a file, including the bytes read for the identification.

    Attributes:
        fallback: File name to use if WeChat sends none.
        filename: File name sent by WeChat, sanitized.
        integrity: Evidence for the completeness of the file; None before all of it has been read.
    """

    def __init__(self, fallback: str, reply: Reply, start: bytes, limit: int) -> None:
        """Begin with the bytes that were read; a body whose truncation HTTP does not reveal is watched for its end."""
        self.fallback: str = fallback
        self._reply = reply
        self._start = start
        self._limit = limit
        self._received = 0
        self._checker = IntegrityChecker() if reply.integrity is None else None
        name = disposition_filename(reply.disposition)
        self.filename: str | None = safe_name(name, fallback) if name else None
        self.integrity: Integrity | None = None

    @property
    def content_type(self) -> str | None:
        """Media type claimed by WeChat."""
        return self._reply.content_type

    @property
    def length(self) -> int | None:
        """Announced number of bytes."""
        return self._reply.length

    async def next_chunk(self) -> bytes:
        """Return the next bytes of the file; empty bytes at the end.

        Raises:
            ReplyTooLarge: The file exceeds `Limits.max_download`.
            TruncatedDownload: The file is incomplete.
        """
        chunk, self._start = self._start or await self._reply.next_chunk(), b""
        self._received += len(chunk)
        self._reply.check_packed(self._limit)
        if self._received > self._limit:
            path = self._reply.path
            raise ReplyTooLarge(f"{path} sent a file of more than {self._limit} bytes.", path, limit=self._limit)
        if chunk and self._checker is not None:
            self._checker.feed(chunk)
        if not chunk:
            self.integrity = self._final_integrity()
        return chunk

    def _final_integrity(self) -> Integrity:
        """Return the evidence for the completeness of the file, at the end of the body."""
        integrity = self._reply.integrity if self._checker is None else self._checker.result()
        if integrity is None:
            path, received = self._reply.path, self._received
            raise TruncatedDownload(
                f"The response of {path} broke off after {received} bytes: the end of the file is missing.",
                path,
                received=received,
            )
        return integrity

    async def save(self, sink: Sink, progress: Progress | None) -> SavedMaterial:
        """Write the file to a sink; the sink keeps it only if it is complete."""
        told = Throttle(progress) if progress is not None else None
        async with sink.open(self.filename, self.fallback) as writing:
            if not sink.hashed:
                writing.skip_hash()
            while chunk := await self.next_chunk():
                await writing.write(chunk)
                if told is not None:
                    told(writing.size, self.length)
        if told is not None:
            told.end(writing.size, self.length)
        return SavedMaterial(
            path=sink.path,
            filename=self.filename,
            content_type=self.content_type,
            size=writing.size,
            sha256=writing.sha256,
            integrity=self._final_integrity(),
        )


class MaterialStream:
    """A download in progress; it can be read once, inside its ``async with``.

    Iterate over it for chunks of bytes, `read` all of it, or `save` it.
    """

    def __init__(self, file: FileReply) -> None:
        """Create a stream; use `WxSession.open_material`."""
        self._file = file
        self._consumed = False
        self._guard = LoopGuard("stream")
        self._guard.require_same()

    @property
    def filename(self) -> str | None:
        """File name sent by WeChat, sanitized; None if WeChat sent none."""
        return self._file.filename

    @property
    def content_type(self) -> str | None:
        """Media type claimed by WeChat, possibly wrong."""
        return self._file.content_type

    @property
    def size(self) -> int | None:
        """Announced number of bytes, or None."""
        return self._file.length

    @property
    def integrity(self) -> Integrity | None:
        """Evidence for the completeness of the file; None before all of it has been read."""
        return self._file.integrity

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._consume()
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._file.next_chunk():
            yield chunk

    async def read(self, limit: int = 32 * MIB) -> bytes:
        """Read the file into memory.

        Args:
            limit: Maximum number of bytes.

        Raises:
            ReplyTooLarge: The file exceeds the limit.
            TruncatedDownload: The file is incomplete.
            StreamConsumedError: The stream has been read already.
        """
        self._consume()
        body = bytearray()
        while chunk := await self._file.next_chunk():
            body += chunk
            if len(body) > limit:
                raise ReplyTooLarge(f"The material has more than {limit} bytes.", limit=limit)
        return bytes(body)

    async def save(
        self,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
    ) -> SavedMaterial:
        """Write the file to a path, a directory, a handle or a writer, as `WxSession.get_material` does.

        Args:
            to: As in `WxSession.get_material`.
            progress: As in `WxSession.get_material`.
            fsync: As in `WxSession.get_material`.
            digest: As in `WxSession.get_material`.

        Raises:
            DestinationError: The destination cannot be written.
            TruncatedDownload: The file is incomplete; no part of it was kept.
            StreamConsumedError: The stream has been read already.
        """
        from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - many sessions save no file

        sink = await open_sink(to, fsync=fsync, digest=digest)
        self._consume()
        return await self._file.save(sink, progress)

    def end(self) -> None:
        """Mark the block as left; reading is an error from now on."""
        self._consumed = True

    def _consume(self) -> None:
        self._guard.require_same()
        if self._consumed:
            raise StreamConsumedError("The material has been read already, or its block was left.")
        self._consumed = True
