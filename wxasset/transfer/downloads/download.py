"""Files on their way from a reply to wherever they go."""

from collections.abc import AsyncIterator
from pathlib import Path

from attrs import define, field, frozen

from wxasset.errors import ReplyTooLarge, StreamConsumedError, TruncatedDownload
from wxasset.transfer.downloads.sink import Destination, open_sink
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.http import Reply
from wxasset.transfer.integrity import Integrity, IntegrityChecker
from wxasset.transfer.progress import Progress, Throttle
from wxasset.wire.filenames import disposition_filename, safe_name
from wxasset.wire.limits import MIB

__all__ = ["FileReply", "MaterialStream", "SavedMaterial"]


@frozen(kw_only=True)
class SavedMaterial:
    """A file that was downloaded whole.

    Attributes:
        path: Where it is; None where it went to a handle or a writer.
        filename: The name that WeChat gave it, made safe; None where it gave none.
        content_type: The media type that WeChat claims, which may be wrong; None where it claims none.
        size: Its number of bytes.
        sha256: The hash of its bytes, in hexadecimal.
        integrity: What showed that it is whole.
    """

    path: Path | None
    filename: str | None
    content_type: str | None
    size: int
    sha256: str
    integrity: Integrity


@define
class FileReply:
    """A reply that turned out to be a file, with what was read of it to find out.

    Attributes:
        fallback: What to call the file where WeChat gives no name.
        filename: The name that WeChat gave, made safe.
        integrity: What showed that it is whole; None before all of it has been read.
    """

    fallback: str
    _reply: Reply
    _start: bytes = field(repr=False)
    _limit: int
    _received: int = field(default=0, init=False)
    _watch: IntegrityChecker | None = field(init=False, repr=False)
    filename: str | None = field(init=False)
    integrity: Integrity | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Watch for the end of the file where nothing else would show that it was cut."""
        self._watch = IntegrityChecker() if self._reply.integrity is None else None
        name = disposition_filename(self._reply.disposition)
        self.filename = safe_name(name, self.fallback) if name else None

    @property
    def content_type(self) -> str | None:
        """The media type that WeChat claims."""
        return self._reply.content_type

    @property
    def length(self) -> int | None:
        """The announced number of bytes."""
        return self._reply.length

    async def next_chunk(self) -> bytes:
        """Give the next bytes of the file, none at its end.

        Raises:
            ReplyTooLarge: There are more than `Limits.max_download`.
            TruncatedDownload: They ended early.
        """
        chunk, self._start = self._start or await self._reply.next_chunk(), b""
        self._received += len(chunk)
        if self._received > self._limit:
            path = self._reply.path
            raise ReplyTooLarge(f"{path} sent a file of more than {self._limit} bytes.", path, limit=self._limit)
        if chunk and self._watch is not None:
            self._watch.feed(chunk)
        if not chunk:
            self.integrity = self._judge()
        return chunk

    def _judge(self) -> Integrity:
        """Say what shows, at the end of the body, that the file is whole."""
        integrity = self._reply.integrity if self._watch is None else self._watch.judge()
        if integrity is None:
            path, received = self._reply.path, self._received
            raise TruncatedDownload(
                f"The answer of {path} broke off after {received} bytes: the end of the file is missing.",
                path,
                received=received,
            )
        return integrity

    async def save(self, sink: Sink, progress: Progress | None) -> SavedMaterial:
        """Write the file into a sink, which keeps it if it is whole."""
        told = Throttle(progress) if progress is not None else None
        async with sink.open(self.filename, self.fallback) as writing:
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
            integrity=self._judge(),
        )


class MaterialStream:
    """A file that is being downloaded: read it once, inside its ``async with``.

    Iterate over it for chunks of bytes as they come, `read` it whole, or `save` it.
    """

    def __init__(self, file: FileReply) -> None:
        """Stand for a file; `WxSession.open_material` makes these."""
        self._file = file
        self._consumed = False

    @property
    def filename(self) -> str | None:
        """The name that WeChat gave, made safe; None where it gave none."""
        return self._file.filename

    @property
    def content_type(self) -> str | None:
        """The media type that WeChat claims, which may be wrong."""
        return self._file.content_type

    @property
    def size(self) -> int | None:
        """The announced number of bytes, or None."""
        return self._file.length

    @property
    def integrity(self) -> Integrity | None:
        """What showed that the file is whole; None before all of it has been read."""
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
            limit: The most bytes to accept.

        Raises:
            ReplyTooLarge: It has more.
            TruncatedDownload: It ended early.
            StreamConsumedError: It has been read already.
        """
        self._consume()
        body = bytearray()
        while chunk := await self._file.next_chunk():
            body += chunk
            if len(body) > limit:
                raise ReplyTooLarge(f"The material has more than {limit} bytes.", limit=limit)
        return bytes(body)

    async def save(self, to: Destination, *, progress: Progress | None = None, fsync: bool = False) -> SavedMaterial:
        """Write the file to a path, a directory, a handle or a writer, as `WxSession.get_material` does.

        Args:
            to: As in `WxSession.get_material`.
            progress: The same.
            fsync: The same.

        Raises:
            DestinationError: It cannot be written there.
            TruncatedDownload: It ended early; nothing of it was left.
            StreamConsumedError: It has been read already.
        """
        sink = await open_sink(to, fsync=fsync)
        self._consume()
        return await self._file.save(sink, progress)

    def end(self) -> None:
        """Mark the block as left: nothing can be read any more."""
        self._consumed = True

    def _consume(self) -> None:
        if self._consumed:
            raise StreamConsumedError("The material has been read already, or its block was left.")
        self._consumed = True
