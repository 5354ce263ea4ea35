"""Media to upload, and their conversion to a `Source`."""

import hashlib
import logging
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from attrs import field, frozen

from wxasset.errors import Hint, SourceError, UsageError
from wxasset.errors.text import printable
from wxasset.transfer.readiness import is_async_file
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.content import Chunk, Content, MemoryContent
from wxasset.transfer.uploads.files import DECODED, MANY, ReadFile, examine_file
from wxasset.transfer.uploads.handles import examine_handle
from wxasset.transfer.uploads.media import Media
from wxasset.transfer.uploads.streams import examine_stream, handle_chunks, spool
from wxasset.wire.filenames import upload_name
from wxasset.wire.formats import FORMATS, Format, sniff
from wxasset.wire.limits import Limits, UploadLimit
from wxasset.wire.media_text import describe_text, shortened

__all__ = ["Source", "open_source", "sha256_of"]


_log: Final = logging.getLogger("wxasset.engine")

_KINDS: Final = Hint(
    "Use a path; programs may also pass bytes, a binary file, an UploadFile, or an async iterable of bytes.",
    "请使用文件路径；程序还可传入 bytes、以二进制方式打开的文件、UploadFile 或产生 bytes 的异步迭代器。",
)
_BYTES: Final = (bytes, bytearray, memoryview)
_PATHS: Final = (str, os.PathLike)
_UNNAMED: Final = "media"
_BINARY: Final = "application/octet-stream"
_HASHED_AT_ONCE: Final = 65_536  # bytes that are hashed in less time than a hop to a thread takes


@frozen(kw_only=True, eq=False, repr=False)
class Source:
    """Media to upload; the size is known before the first byte is sent.

    Attributes:
        filename: File name to send, with the extension matching the bytes.
        content_type: Media type of the bytes.
        size: Number of bytes.
        named: Whether the media has a name of its own.
        marked: Whether its name has a mark of its own.
        before: Called before the bytes are sent, at each attempt.
    """

    filename: str
    content_type: str
    named: bool = True
    marked: bool = False
    before: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    _content: Content = field(repr=False)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self._content.size

    @property
    def replayable(self) -> bool:
        """True if `open` can be called again."""
        return self._content.replayable

    @property
    def whole(self) -> Chunk | None:
        """All bytes if they are few and in memory, so that `open` is not needed; else None."""
        return self._content.whole

    def renamed(
        self, filename: str, *, marked: bool = False, before: Callable[[], Awaitable[None]] | None = None
    ) -> "Source":
        """Return the same media under another name, for one upload; `evolve` would take ten times as long."""
        return Source(
            filename=filename,
            content_type=self.content_type,
            named=self.named,
            marked=marked,
            before=before,
            content=self._content,
        )

    async def aclose(self) -> None:
        """Close the temporary file or the stream, if there is one; a failure of that is logged."""
        try:
            await self._content.aclose()
        except Exception:  # noqa: BLE001 - of the media itself; raised, it would replace the result of an upload
            _log.exception("the media %s could not be closed", printable(self.filename))

    def open(self) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Open the bytes for one attempt; yields exactly `size` bytes, or raises `SourceError`."""
        return self._content.open()


async def open_source(
    media: Media | ReadFile,
    *,
    filename: str | None,
    size: int | None,
    limit: UploadLimit | None,
    limits: Limits,
) -> Source:
    """Convert media to a `Source`, and check it before sending; the caller has to close the source.

    Args:
        media: The media to upload.
        filename: File name to send, or None for the media's own.
        size: Number of bytes, or None to determine it.
        limit: Documented limit of this upload, or None.
        limits: Settings of the checks.

    Raises:
        SourceError: The media cannot be read, is empty, or violates the documented limits of the endpoint.
    """
    _check_size(size)
    if filename is not None and not isinstance(filename, str):
        raise UsageError(f"filename= must be a string, not {filename!r}.")
    most = min(limit.max_bytes, limits.max_spool) if limit is not None and limits.check_size else limits.max_spool
    name, content = await _content(media, size, most)
    try:
        form = sniff(content.head)
        _check(filename or name, content, form, announced=size, limit=limit, limits=limits)
    except BaseException:
        await content.aclose()
        raise
    return Source(
        filename=upload_name(filename or name, form),
        content_type=form.content_type if form else _BINARY,
        named=bool(filename) or name != _UNNAMED,
        content=content,
    )


async def _content(media: Any, size: int | None, most: int) -> tuple[str, Content]:
    if isinstance(media, _BYTES):
        return _UNNAMED, MemoryContent(media)
    if isinstance(media, ReadFile):
        return os.path.basename(media.path), media.content
    if isinstance(media, _PATHS):
        path = os.fsdecode(media)
        return os.path.basename(path) or path, await examine_file(path)
    if is_async_file(media):
        media = media.wrapped  # each read through the wrapper would be a thread hop of its own
    elif hasattr(media, "file") and hasattr(media, "filename"):
        name, content = await _from_handle(media.file, size, most)
        return media.filename or name, content
    if hasattr(media, "__aiter__"):
        return _UNNAMED, await _from_chunks(media, size, most)
    if hasattr(media, "read"):
        return await _from_handle(media, size, most)
    kind = type(media).__name__
    if isinstance(media, Iterable):
        raise SourceError(f"Cannot upload an object of type {kind}: add_materials uploads many files.", MANY)
    raise SourceError(f"Cannot upload an object of type {kind}.", _KINDS)


async def _from_handle(handle: Any, size: int | None, most: int) -> tuple[str, Content]:
    path = getattr(handle, "name", None)
    # The name is an int if the file was opened by descriptor.
    name = os.path.basename(os.fsdecode(path)) if isinstance(path, str | os.PathLike) else _UNNAMED
    content = await examine_handle(handle, name)
    if content is None:
        return name, await _from_chunks(handle_chunks(handle, name), size, most)
    return name, content


async def _from_chunks(chunks: AsyncIterable[Any], size: int | None, most: int) -> Content:
    return await (spool(chunks, most) if size is None else examine_stream(chunks, size))


def _check_size(size: object) -> None:
    if size is not None and (type(size) is not int or size < 0):
        raise SourceError(
            f"size= must be a number of bytes, not {size!r}.",
            Hint(
                "The size must be the exact number of bytes, or be left out.", "声明的大小应为准确的字节数，也可不填。"
            ),
        )


def _check(
    name: str,
    content: Content,
    form: Format | None,
    *,
    announced: int | None,
    limit: UploadLimit | None,
    limits: Limits,
) -> None:
    """Raise `SourceError` for media to be rejected by WeChat, before sending."""
    size = content.size
    if announced is not None and size != announced:
        raise SourceError(
            f"{shortened(name)} has {size} bytes, not the {announced} of size=.",
            Hint("Correct the size, or leave it out.", "请更正声明的大小，或不填。"),
        )
    if size == 0:
        raise SourceError(f"{shortened(name)} is empty.", Hint("Check the file.", "文件为空，请检查。"))
    if limit is None:
        return
    if limits.check_size and size > limit.max_bytes:
        raise SourceError(
            f"{shortened(name)} has {size} bytes; WeChat takes at most {limit.max_bytes} here ({limit.source}).",
            Hint("Make it smaller; a program can switch this check off.", "请压缩文件；程序可关闭此检查。"),
        )
    if limits.check_format and limit.formats and (form is None or form.name not in limit.formats):
        text = describe_text(content.head.decode("latin-1")) if form is None else None
        if text is not None:
            raise SourceError(f"The bytes of {shortened(name)} are {text}, not those of a file.", DECODED)
        taken = ", ".join(one for one in FORMATS if one in limit.formats)
        raise SourceError(
            f"The bytes of {shortened(name)} are {form.name if form else 'of no known format'}; WeChat takes {taken}"
            f" here ({limit.source}).",
            Hint(
                "Convert it, or choose another type; a program can switch this check off.",
                f"此处只接受 {taken}：请转换格式，或改用其他类型；程序可关闭此检查。",
            ),
        )


async def sha256_of(source: Source) -> str:
    """Hash a replayable source with SHA-256; in a thread unless it is small, as 10 MiB take 10 ms and more."""
    digest = hashlib.sha256()
    if source.whole is not None and len(source.whole) <= _HASHED_AT_ONCE:
        digest.update(source.whole)
        return digest.hexdigest()
    if source.whole is not None:
        await run_in_thread(digest.update, source.whole)
        return digest.hexdigest()
    async with source.open() as chunks:
        async for chunk in chunks:
            # Wait for it, since the buffer is reused for the next chunk.
            await run_in_thread(digest.update, chunk)
    return digest.hexdigest()
