"""The hash of what is to be uploaded, and word of the moment in which its bytes are first asked for."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from attrs import evolve, field, frozen

from wxasset.transfer.content import Chunk, Content
from wxasset.transfer.source import Source
from wxasset.transfer.threads import run_in_thread

__all__ = ["announced", "sha256_of"]


async def sha256_of(source: Source) -> str:
    """Hash a source that can be opened again; in a thread, as 10 MiB take some 10 ms and more."""
    digest = hashlib.sha256()
    if source.whole is not None:
        await run_in_thread(digest.update, source.whole)
        return digest.hexdigest()
    async with source.open() as chunks:
        async for chunk in chunks:
            # The memory of a piece is used again for the next one.
            await run_in_thread(digest.update, chunk)
    return digest.hexdigest()


def announced(source: Source, announce: Callable[[], Awaitable[None]]) -> Source:
    """Return a source that says so each time before its bytes are read for an attempt."""
    return evolve(source, content=_Announced(source._content, announce))  # noqa: SLF001 - the same bytes


@frozen
class _Announced:
    """Bytes that are announced."""

    _content: Content
    _announce: Callable[[], Awaitable[None]]
    whole: None = field(default=None, init=False)  # or they would be sent without being opened

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._content.size

    @property
    def head(self) -> bytes:
        """The first of them."""
        return self._content.head

    @property
    def replayable(self) -> bool:
        """Whether they can be opened again."""
        return self._content.replayable

    def close(self) -> None:
        """Let go of a file that was made to keep them."""
        self._content.close()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Announce the attempt, then open the bytes."""
        await self._announce()
        async with self._content.open() as chunks:
            yield chunks
