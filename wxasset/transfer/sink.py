"""Where a download can go: the one door through which everything becomes a `Sink`.

A sink is entered for each attempt. Left well it holds the whole file; left by an error, nothing of it.
"""

import errno
import hashlib
import inspect
import io
import os
import secrets
import stat
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias, TypeVar

import anyio
from attrs import define, field

from wxasset.errors import DestinationError
from wxasset.transfer.threads import run_in_thread
from wxasset.wire.formats import HEAD_SIZE, sniff
from wxasset.wire.names import safe_name

__all__ = ["AsyncWriter", "Destination", "Sink", "Writing", "open_sink"]

T = TypeVar("T")

_BATCH: Final = 256 * 1024
"""Bytes collected for one hop to a worker thread: 16 KiB cost 166 us, 64 KiB 228 us, 256 KiB 485 us."""


class AsyncWriter(Protocol):
    """Anything with ``async write(bytes)``."""

    async def write(self, data: bytes, /) -> object:
        """Take the next bytes."""
        ...


Destination: TypeAlias = str | os.PathLike[str] | BinaryIO | anyio.AsyncFile[bytes] | AsyncWriter
"""Where a download can go: a path, a directory, an open binary file, an anyio file, or an object with
``async write(bytes)``."""


def _failed(name: object, error: Exception) -> DestinationError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DestinationError(f"Cannot write to {name}: {why}.")


async def _hop(function: Callable[..., T], *arguments: Any, name: object) -> T:
    """Run blocking file work in a worker thread; its failures become a `DestinationError`."""
    try:
        return await run_in_thread(function, *arguments)
    except (OSError, ValueError, TypeError) as error:
        raise _failed(name, error) from error


@define
class Writing:
    """One attempt at writing a file: collects, hashes and counts what it is given.

    Attributes:
        size: Bytes taken so far.
        head: The first of them.
    """

    _flush: "Callable[[bytes], Any]"
    size: int = 0
    head: bytes = b""
    _pending: bytearray = field(factory=bytearray)
    _hash: Any = field(factory=hashlib.sha256)

    async def write(self, data: bytes) -> None:
        """Take the next bytes; they are written in batches."""
        if len(self.head) < HEAD_SIZE:
            self.head = (self.head + data)[:HEAD_SIZE]
        self.size += len(data)
        self._pending += data
        if len(self._pending) >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Write what has been collected."""
        batch, self._pending = bytes(self._pending), bytearray()
        if batch:
            await self._flush(batch)

    def absorb(self, batch: bytes) -> None:
        """Hash a batch, in whatever thread writes it."""
        self._hash.update(batch)

    @property
    def sha256(self) -> str:
        """The hash of what has been written, in hexadecimal."""
        digest: str = self._hash.hexdigest()
        return digest


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


def _examine(path: str) -> "_PathSink":
    target = os.path.realpath(path)
    try:
        found = os.stat(target)
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_ISDIR(found.st_mode):
        directory, mode = target, None
    elif path.endswith(("/", os.sep)):
        raise NotADirectoryError(errno.ENOTDIR, "no such directory")
    elif found is not None and not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file; pass it as an open handle")
    else:
        directory, mode = os.path.dirname(target), stat.S_IMODE(found.st_mode) if found else None
    if not os.path.isdir(directory):
        raise NotADirectoryError(errno.ENOTDIR, "its directory does not exist")
    if not os.access(directory, os.W_OK | os.X_OK) or (found is not None and not os.access(target, os.W_OK)):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return _PathSink(directory, None if directory == target else target, mode)


@define
class _PathSink(Sink):
    """A path or a directory: written to a temporary name beside the target, which is then replaced at once."""

    _directory: str
    _target: str | None
    _mode: int | None
    path: Path | None = field(default=None, init=False)

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        temporary, handle = await _hop(self._create, name=self._target or self._directory)
        done = False
        try:
            writing = Writing(lambda batch: _hop(step, batch, name=self._target or self._directory))

            def step(batch: bytes) -> None:
                _write(handle, batch)
                writing.absorb(batch)

            yield writing
            await writing.flush()
            name = None if self._target else safe_name(filename, fallback, sniff(writing.head))
            self.path = await _hop(self._finish, handle, temporary, name, name=self._target or self._directory)
            done = True
        finally:
            if not done:
                # A cancelled download leaves no part behind either.
                with anyio.CancelScope(shield=True):
                    await run_in_thread(_discard, handle, temporary)

    def _create(self) -> tuple[str, io.FileIO]:
        base = os.path.basename(self._target) if self._target else "wxasset"
        # Cut, so that the marks fit into what a file system allows for a name.
        temporary = os.path.join(self._directory, f".{base[:60]}.{secrets.token_hex(6)}.part")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
        return temporary, io.FileIO(descriptor, "wb")

    def _finish(self, handle: io.FileIO, temporary: str, name: str | None) -> Path:
        if self._mode is not None:
            os.chmod(temporary, self._mode)
        handle.close()
        if self._target is None:
            return _add(temporary, Path(self._directory), name or "")
        os.replace(temporary, self._target)
        return Path(self._target)


def _add(temporary: str, directory: Path, name: str) -> Path:
    """Give a file its name in a directory, without taking the name of another: names from WeChat are not unique."""
    plain = Path(name)
    for number in range(10_000):
        target = directory / (f"{plain.stem}-{number}{plain.suffix}" if number else name)
        try:
            os.link(temporary, target)
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            try:
                target.touch(exist_ok=False)
            except FileExistsError:
                continue
            Path(temporary).replace(target)
            return target
        Path(temporary).unlink()
        return target
    raise FileExistsError(errno.EEXIST, f"10,000 files are named like {name}")


def _discard(handle: io.FileIO, temporary: str) -> None:
    handle.close()
    Path(temporary).unlink(missing_ok=True)


def _write(handle: Any, batch: bytes) -> None:
    """Write all of a batch: a raw file may take less at a time."""
    view = memoryview(batch)
    while view:
        taken = handle.write(view)
        if taken is not None and not isinstance(taken, int):
            raise TypeError(f"its write() returned {type(taken).__name__}, not a count")
        view = view[len(view) if taken is None else taken :]


def _examine_handle(handle: Any) -> None:
    if getattr(handle, "closed", False):
        raise DestinationError("The destination is closed.")
    if isinstance(handle, io.TextIOBase):
        raise DestinationError("The destination is open in text mode.")
    if hasattr(handle, "writable") and not handle.writable():
        raise DestinationError("The destination is not open for writing.")


@define
class _HandleSink(Sink):
    """A file that somebody else opened: written from where it stands, and left open."""

    _handle: Any
    _seekable: bool
    _written: bool = field(default=False, init=False)

    @property
    def replayable(self) -> bool:
        """Where it cannot seek, only as long as nothing has been written."""
        return self._seekable or not self._written

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback
        start = await self._work(self._begin)
        writing = Writing(lambda batch: self._work(step, batch))

        def step(batch: bytes) -> None:
            self._written = True
            _write(self._handle, batch)
            writing.absorb(batch)

        try:
            yield writing
            await writing.flush()
            await self._work(self._end)
        except BaseException:
            if start is not None:
                with anyio.CancelScope(shield=True):
                    await self._work(self._restore, *start)
            raise

    def _begin(self) -> tuple[int, int] | None:
        if not self._seekable:
            return None
        start = self._handle.tell()
        self._handle.seek(0, os.SEEK_END)
        end = self._handle.tell()
        self._handle.seek(start)
        return start, end

    def _end(self) -> None:
        if hasattr(self._handle, "flush"):
            self._handle.flush()

    def _restore(self, start: int, end: int) -> None:
        """Go back to where the file stood, and take away what the download added to its length."""
        self._handle.seek(max(start, end))
        self._handle.truncate()
        self._handle.seek(start)

    async def _work(self, function: Callable[..., T], *arguments: Any) -> T:
        if not isinstance(self._handle, io.BytesIO):
            return await _hop(function, *arguments, name="the open file")
        try:
            return function(*arguments)
        except (ValueError, TypeError) as error:
            raise _failed("the open file", error) from error


@define
class _WriterSink(Sink):
    """An object with ``async write(bytes)``; what it was given cannot be taken back."""

    _writer: AsyncWriter
    _written: bool = field(default=False, init=False)

    @property
    def replayable(self) -> bool:
        """Only as long as nothing has been written."""
        return not self._written

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback

        async def step(batch: bytes) -> None:
            self._written = True
            try:
                await self._writer.write(batch)
            except OSError as error:
                raise _failed("the destination", error) from error
            writing.absorb(batch)

        writing = Writing(step)
        yield writing
        await writing.flush()


async def open_sink(to: Destination) -> Sink:
    """Make a `Sink` of anywhere that a download can go, and check it before anything is fetched.

    Args:
        to: A path (its directory has to exist; an existing file is replaced), a directory (the file takes the name
            that the server gave, made safe, and replaces nothing), or something open for writing bytes.

    Raises:
        DestinationError: Nothing can be written there.
    """
    if isinstance(to, str | os.PathLike):
        path = os.fsdecode(to)
        if not path:
            raise DestinationError("The destination is an empty path.")
        return await _hop(_examine, path, name=path)
    if isinstance(to, anyio.AsyncFile):
        return await _handle_sink(to.wrapped)
    if not hasattr(to, "write"):
        raise DestinationError(f"Cannot write to an object of type {type(to).__name__}.")
    if _is_async(to):
        return _WriterSink(to)  # type: ignore[arg-type]  # an async write makes it an AsyncWriter
    return await _handle_sink(to)


def _is_async(to: Any) -> bool:
    return inspect.iscoroutinefunction(to.write)


async def _handle_sink(handle: Any) -> Sink:
    _examine_handle(handle)
    seekable = bool(getattr(handle, "seekable", bool)()) and hasattr(handle, "truncate")
    return _HandleSink(handle, seekable)
