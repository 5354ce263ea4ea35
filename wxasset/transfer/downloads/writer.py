"""Writing a file as it comes: collected, hashed and counted on its way to wherever it goes."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

from wxasset.errors import DestinationError
from wxasset.transfer.buffers import BufferLease
from wxasset.transfer.threads import Job, in_background
from wxasset.wire.formats import HEAD_SIZE

__all__ = [
    "DirectWriting",
    "Sink",
    "ThreadedWriting",
    "Writing",
    "cannot_write",
    "in_thread",
    "shielded",
    "write_all",
]

T = TypeVar("T")

_DIRECT: Final = 256 * 1024
"""Bytes collected for one write that is made in the event loop: to hash them takes 0.15 ms."""


def cannot_write(name: object, error: Exception) -> DestinationError:
    """Make a `DestinationError` of what the operating system, or a file-like object, said."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DestinationError(f"Cannot write to {name}: {why}.")


def _guarded(name: object, function: Callable[..., T], *arguments: Any) -> T:
    try:
        return function(*arguments)
    except (OSError, ValueError, TypeError) as error:
        raise cannot_write(name, error) from error


async def in_thread(function: Callable[..., T], *arguments: Any, name: object) -> T:
    """Run blocking file work in a thread; its failures become a `DestinationError`."""
    result: T = await in_background(_guarded, name, function, *arguments).result()
    return result


class Writing(ABC):
    """One attempt at writing a file.

    Attributes:
        size: Bytes taken so far.
        head: The first of them.
    """

    def __init__(self, batch: int) -> None:
        """Collect so many bytes for the first write."""
        self.size: int = 0
        self.head: bytes = b""
        self._collected: list[bytes] = []
        self._room = batch
        self._hash = hashlib.sha256()

    async def write(self, data: bytes) -> None:
        """Take the next bytes; they are written in batches."""
        if len(self.head) < HEAD_SIZE:
            self.head = (self.head + data)[:HEAD_SIZE]
        self.size += len(data)
        self._collected.append(data)
        self._room -= len(data)
        if self._room <= 0:
            batch, self._collected = self._collected, []
            self._room = await self._pass_on(batch)

    def _absorb(self, batch: Sequence[bytes]) -> None:
        for part in batch:
            self._hash.update(part)

    @abstractmethod
    async def _pass_on(self, batch: list[bytes]) -> int:
        """Write a batch, or begin to; tells how many bytes to collect for the next one."""

    @property
    def sha256(self) -> str:
        """The hash of what has been written, in hexadecimal."""
        return self._hash.hexdigest()


class ThreadedWriting(Writing):
    """Writing behind: a thread hashes and writes one batch while the next one is collected."""

    def __init__(self, write: Callable[[bytes], object], lease: BufferLease, name: object) -> None:
        """Write with a blocking function, which takes all that it is given."""
        super().__init__(lease.minimum)
        self._lease = lease
        self._write = write
        self._name = name
        self._job: Job[None] | None = None

    async def _pass_on(self, batch: list[bytes]) -> int:
        if self._job is not None:
            # Not more than one behind: who collects waits here, and the server with it.
            await self._job.result()
        self._job = in_background(_guarded, self._name, self._step, batch)
        return self._lease.current

    def _step(self, batch: list[bytes]) -> None:
        for part in batch:
            self._write(part)
        self._absorb(batch)

    async def finish(self, function: Callable[..., T], *arguments: Any) -> T:
        """Write what is left, and do something after it, in one hop."""
        if self._job is not None:
            await self._job.result()

        def last() -> T:
            self._step(self._collected)
            return function(*arguments)

        return await in_thread(last, name=self._name)

    async def join(self) -> None:
        """Wait until no thread writes any more."""
        if self._job is not None:
            await self._job.join()


class DirectWriting(Writing):
    """Writing to what blocks on nothing: memory, or something that is awaited."""

    def __init__(self, write: Callable[[bytes], Awaitable[object]]) -> None:
        """Write with a coroutine function."""
        super().__init__(_DIRECT)
        self._write = write

    async def _pass_on(self, batch: list[bytes]) -> int:
        self._absorb(batch)
        await self._write(b"".join(batch))
        return _DIRECT

    async def finish(self) -> None:
        """Write what is left."""
        if self._collected:
            await self._pass_on(self._collected)


class Sink(ABC):
    """A place for one file."""

    @property
    def replayable(self) -> bool:
        """Whether it can be entered (again)."""
        return True

    path: Path | None = None
    """The file, once it is there; None for what has no path."""

    @abstractmethod
    def open(self, filename: str | None, fallback: str) -> AbstractAsyncContextManager[Writing]:
        """Enter the sink for one attempt.

        Args:
            filename: The name that the server gave the file, not to be trusted, or None.
            fallback: What a file in a directory is called where it gave none.
        """


def write_all(handle: Any, batch: bytes) -> None:
    """Write all of a batch: a raw file may take less at a time."""
    view = memoryview(batch)
    while view:
        taken = handle.write(view)
        if taken is not None and not isinstance(taken, int):
            raise TypeError(f"its write() returned {type(taken).__name__}, not a count")
        view = view[len(view) if taken is None else taken :]


async def shielded(*steps: Callable[[], Awaitable[object]]) -> None:
    """Clean up: each step is made, whatever becomes of the one before it."""
    async with AsyncExitStack() as stack:
        for step in reversed(steps):
            stack.push_async_callback(step)
