"""Write a download: collect the chunks, hash and count them, and pass them on in batches."""

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from wxasset.errors import DestinationError
from wxasset.transfer.buffers import BufferLease
from wxasset.transfer.readiness import wait_writable, write_ready
from wxasset.transfer.threads import Job, NoThreadError, in_background
from wxasset.wire.formats import HEAD_SIZE

__all__ = [
    "DirectWriting",
    "Sink",
    "ThreadedWriting",
    "Writing",
    "cannot_write",
    "clean_up",
    "flush",
    "in_thread",
    "shielded",
    "write_all",
]

T = TypeVar("T")

_DIRECT: Final = 256 * 1024
"""Bytes collected for one write made in the event loop; hashing them takes 0.15 ms."""


def cannot_write(name: object, error: Exception) -> DestinationError:
    """Convert an error of the operating system, or of a file-like object, to a `DestinationError`."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DestinationError(f"Cannot write to {name}: {why}.")


Submit: TypeAlias = Callable[..., Job[Any]]
"""A function to submit work to a thread: `in_background`, or `abandonable`."""


def _submit(submit: Submit, name: object, function: Callable[..., T], *arguments: Any) -> Job[T]:
    try:
        return submit(_guarded, name, function, *arguments)
    except NoThreadError as error:
        raise cannot_write(name, error) from error


def _guarded(name: object, function: Callable[..., T], *arguments: Any) -> T:
    try:
        return function(*arguments)
    except (OSError, ValueError, TypeError) as error:
        raise cannot_write(name, error) from error


async def in_thread(function: Callable[..., T], *arguments: Any, name: object) -> T:
    """Run blocking file work in a thread; failures raise `DestinationError`."""
    return await _submit(in_background, name, function, *arguments).result()


async def clean_up(function: Callable[..., object], *arguments: Any) -> None:
    """Run clean-up in a thread, or without one if none can be started; its failure is discarded."""
    try:
        job = in_background(function, *arguments)
    except NoThreadError:
        with suppress(OSError, ValueError):
            function(*arguments)
    else:
        await job.join()


class Writing(ABC):
    """One attempt to write a file.

    Attributes:
        size: Bytes accepted so far.
        head: The first `HEAD_SIZE` bytes.
        etag: The ETag of what a killed process left, if any; `size` counts those bytes.
        named: Told the ETag of the file before its first byte.
    """

    def __init__(self, batch: int) -> None:
        """Set the number of bytes to collect for the first write."""
        self.size: int = 0
        self.head: bytes = b""
        self._collected: list[bytes] = []
        self._room = batch
        self._hash: Any = hashlib.sha256()
        self.etag: str | None = None
        self.named: Callable[[str], object] | None = None

    def go_on(self, size: int, head: bytes, digest: Any, etag: str) -> None:
        """Begin after the bytes that are there already."""
        self.size, self.head, self._hash, self.etag = size, head, digest, etag

    def skip_hash(self) -> None:
        """Hash nothing; call it before the first byte."""
        self._hash = None

    async def write(self, data: bytes) -> None:
        """Accept the next bytes; they are written in batches."""
        if len(self.head) < HEAD_SIZE:
            self.head = (self.head + data)[:HEAD_SIZE]
        self.size += len(data)
        self._collected.append(data)
        self._room -= len(data)
        if self._room <= 0:
            batch, self._collected = self._collected, []
            self._room = await self._pass_on(batch)

    def _absorb(self, batch: Sequence[bytes]) -> None:
        if self._hash is not None:
            for part in batch:
                self._hash.update(part)

    @abstractmethod
    async def _pass_on(self, batch: list[bytes]) -> int:
        """Write a batch, or start to; return the number of bytes to collect for the next one."""

    @property
    def sha256(self) -> str:
        """SHA-256 hash of the written bytes, in hexadecimal; empty if they are not hashed."""
        return "" if self._hash is None else str(self._hash.hexdigest())


class ThreadedWriting(Writing):
    """Write-behind: a thread hashes and writes one batch while the next one is collected."""

    def __init__(
        self,
        write: Callable[[Sequence[bytes]], object],
        lease: BufferLease,
        name: object,
        submit: Submit = in_background,
    ) -> None:
        """Write with a blocking function; it has to accept every batch completely."""
        super().__init__(lease.minimum)
        self._submit = submit
        self._lease = lease
        self._write = write
        self._name = name
        self._job: Job[None] | None = None

    async def _pass_on(self, batch: list[bytes]) -> int:
        if self._job is not None:
            # At most one batch behind: the download waits here, and the server with it.
            await self._job.result()
        self._job = _submit(self._submit, self._name, self._step, batch)
        return self._lease.current

    def _step(self, batch: list[bytes]) -> None:
        self._write(batch)
        self._absorb(batch)

    async def finish(self, function: Callable[..., T], *arguments: Any) -> T:
        """Write the remaining bytes, then call `function`, in one thread hop."""
        if self._job is not None:
            await self._job.result()

        def last() -> T:
            self._step(self._collected)
            return function(*arguments)

        return await _submit(self._submit, self._name, last).result()

    async def join(self) -> None:
        """Wait until the thread has finished writing."""
        if self._job is not None:
            await self._job.join()


class DirectWriting(Writing):
    """Write without a thread: to memory, or to an awaitable writer."""

    def __init__(self, write: Callable[[bytes], Awaitable[object]]) -> None:
        """Write with a coroutine function."""
        super().__init__(_DIRECT)
        self._write = write

    async def _pass_on(self, batch: list[bytes]) -> int:
        self._absorb(batch)
        await self._write(b"".join(batch))
        return _DIRECT

    async def finish(self) -> None:
        """Write the remaining bytes."""
        if self._collected:
            await self._pass_on(self._collected)


class Sink(ABC):
    """A destination of one file."""

    @property
    def replayable(self) -> bool:
        """True if the sink can be entered (again)."""
        return True

    mark: str | None = None
    """Mark of one file, by which a partial file of it is found again; only for a path."""

    path: Path | None = None
    """Path of the file once it is complete; None for a sink without a path."""

    hashed: bool = True
    """True if the bytes are hashed."""

    @abstractmethod
    def open(self, filename: str | None, fallback: str) -> AbstractAsyncContextManager[Writing]:
        """Enter the sink for one attempt.

        Args:
            filename: File name sent by the server, untrusted, or None.
            fallback: File name to use in a directory if the server sent none.
        """


def write_all(handle: Any, batch: bytes) -> None:
    """Write all of a batch, since a raw file may accept a part of it, or nothing if it does not block."""
    view = memoryview(batch)
    while view:
        try:
            taken = write_ready(handle, view)
        except BlockingIOError as error:  # of a buffer around a non-blocking file
            taken = error.characters_written
        else:
            if taken is None and not isinstance(handle, io.RawIOBase):
                return  # a file-like object without a count has accepted everything
        taken = 0 if taken is None else taken
        if not isinstance(taken, int):
            raise TypeError(f"its write() returned {type(taken).__name__}, not a count")
        if not taken:
            wait_writable(handle)
        view = view[taken:]


def flush(handle: Any) -> None:
    """Flush a buffer, also if it is around a non-blocking file."""
    while hasattr(handle, "flush"):
        try:
            handle.flush()
        except BlockingIOError:
            wait_writable(handle)
        else:
            return


async def shielded(*steps: Callable[[], Awaitable[object]]) -> None:
    """Run all clean-up steps in order, even if one of them raises."""
    async with AsyncExitStack() as stack:
        for step in reversed(steps):
            stack.push_async_callback(step)
