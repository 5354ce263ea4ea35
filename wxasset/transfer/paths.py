"""Downloads to a path or a directory: a file appears when all of it is there, and never before."""

import errno
import io
import os
import secrets
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from attrs import define, field

from wxasset.transfer.memory import WRITING
from wxasset.transfer.threads import in_background
from wxasset.transfer.writing import Sink, ThreadedWriting, Writing, thoroughly, write_all
from wxasset.wire.formats import sniff
from wxasset.wire.names import safe_name

__all__ = ["PathSink", "examine_path"]


def examine_path(path: str, sync: bool) -> "PathSink":  # noqa: FBT001 - passed on by position
    """Look at a path, in a thread: a directory, a file to replace, or one to make.

    Raises:
        OSError: Nothing can be written there.
    """
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
    return PathSink(directory, None if directory == target else target, mode, sync)


@define
class PathSink(Sink):
    """A path or a directory: written to a temporary name beside the target, which is then replaced at once."""

    _directory: str
    _target: str | None
    _mode: int | None
    _sync: bool
    path: Path | None = field(default=None, init=False)

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        """Enter the sink for one attempt."""
        part = _Part(self._directory, os.path.basename(self._target) if self._target else "wxasset")
        with WRITING.take() as batch:
            writing = ThreadedWriting(part.write, batch, self._target or self._directory)
            try:
                yield writing
                name = None if self._target else safe_name(filename, fallback, sniff(writing.head))
                self.path = await writing.finish(self._finish, part, name)
            except BaseException:
                # A cancelled download leaves no part behind either.
                await thoroughly(writing.through, lambda: in_background(part.discard).through())
                raise

    def _finish(self, part: "_Part", name: str | None) -> Path:
        part.close(self._mode, sync=self._sync)
        if self._target is None:
            path = _add(part.path, Path(self._directory), name or "")
        else:
            os.replace(part.path, self._target)
            path = Path(self._target)
        if self._sync:
            _sync_directory(self._directory)
        return path


class _Part:
    """A file on its way, under a temporary name. All of this is done in a thread."""

    def __init__(self, directory: str, base: str) -> None:
        # Cut, so that the marks fit into what a file system allows for a name.
        self.path = os.path.join(directory, f".{base[:60]}.{secrets.token_hex(6)}.part")
        self._handle: io.FileIO | None = None

    def write(self, data: bytes) -> None:
        """Write; the file is made for its first bytes, so that a small one takes one hop in all."""
        write_all(self._open(), data)

    def _open(self) -> io.FileIO:
        if self._handle is None:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            self._handle = io.FileIO(os.open(self.path, flags, 0o666), "wb")
        return self._handle

    def close(self, mode: int | None, *, sync: bool) -> None:
        """Close the whole file, with the permissions that it shall have."""
        handle = self._open()
        if mode is not None:
            os.chmod(self.path, mode)
        if sync:
            os.fsync(handle.fileno())
        handle.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._handle is not None:
            self._handle.close()
            Path(self.path).unlink(missing_ok=True)


def _sync_directory(directory: str) -> None:
    """Have a new name survive a loss of power as well; where directories cannot be opened there is no way to."""
    with suppress(PermissionError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
