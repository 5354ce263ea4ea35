"""Downloads to a path or a directory: a file appears only after it is complete."""

import errno
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import define, field

from wxasset.transfer.buffers import DOWNLOAD_BUFFERS
from wxasset.transfer.downloads.part_file import PartialFile
from wxasset.transfer.downloads.permissions import resolve
from wxasset.transfer.downloads.writer import Sink, ThreadedWriting, Writing, clean_up, in_thread, shielded
from wxasset.wire.filenames import safe_name
from wxasset.wire.formats import sniff

__all__ = ["PathSink", "examine_path", "is_directory", "place_below"]

_SEPARATORS: Final = tuple({"/", os.sep})


def is_directory(path: str) -> bool:
    """Return whether a path is a directory; one that ends with a separator is created, with its parents, in a thread.

    Raises:
        OSError: The directory cannot be created, or leads over a link of another user.
    """
    _make_if_directory(path)
    return os.path.isdir(path)


def _make_if_directory(path: str) -> None:
    if path.endswith(_SEPARATORS):
        os.makedirs(resolve(os.path.abspath(path)), exist_ok=True)


def place_below(directory: str, relative: str) -> str:
    """Return the path of a file below a directory; create the directories on the way, in a thread.

    Raises:
        OSError: A directory cannot be created, leads over a link of another user, or has the name of the file.
    """
    path = os.path.join(directory, *relative.split("/"))
    is_directory(os.path.join(os.path.dirname(path), ""))
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, f"{relative} is a directory there")
    return path


def examine_path(path: str, sync: bool) -> "PathSink":  # noqa: FBT001 - passed on by position
    """Examine a path in a thread: a directory (created if the path ends with a separator), or a file.

    Each system call releases the GIL, which takes longer to get back than most of the calls.

    Raises:
        OSError: The path cannot be written, or leads over a link of another user.
    """
    _make_if_directory(path)
    target = os.path.abspath(path)
    resolved = resolve(target)
    found = _lstat(target)
    if found is not None and stat.S_ISLNK(found.st_mode):
        target = resolved
        found = _lstat(target)
    if found is not None and stat.S_ISDIR(found.st_mode):
        _check_writable(target)
        return PathSink(target, resolved, None, None, sync)
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    directory = os.path.dirname(target)
    _check_writable(directory)
    if found is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return PathSink(directory, os.path.dirname(resolved), target, found, sync)


def _lstat(target: str) -> os.stat_result | None:
    try:
        return os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _check_writable(directory: str) -> None:
    if os.access(os.path.join(directory, ""), os.W_OK | os.X_OK):
        return
    if not os.path.isdir(directory):
        raise NotADirectoryError(errno.ENOTDIR, "its directory does not exist")
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@define
class PathSink(Sink):
    """A path or a directory: written to a temporary file beside the target, then renamed atomically."""

    _directory: str
    _resolved: str
    _target: str | None
    _replaced: os.stat_result | None
    _sync: bool
    path: Path | None = field(default=None, init=False)
    mark: str | None = field(default=None, init=False)

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        """Enter the sink for one attempt."""
        base = os.path.basename(self._target or "wxasset")
        part = PartialFile(self._directory, self._resolved, base, self._replaced, self.mark)
        with DOWNLOAD_BUFFERS.lease() as lease:
            writing = ThreadedWriting(part.write, lease, self._target or self._directory)
            writing.named = lambda etag: setattr(part, "etag", etag)
            try:
                if self.mark is not None:
                    kept = await in_thread(part.adopt, name=self._target or self._directory)
                    if kept is not None:
                        writing.go_on(kept.size, kept.head, kept.hash, kept.etag)
                yield writing
                name = None if self._target else safe_name(filename, fallback, sniff(writing.head))
                self.path = await writing.finish(self._finish, part, name)
            except BaseException:
                # A cancelled download leaves no partial file behind either.
                await shielded(writing.join, lambda: clean_up(part.discard))
                raise

    def _finish(self, part: PartialFile, name: str | None) -> Path:
        part.close(sync=self._sync)
        if self._target is None:
            path = _add(part.path, Path(self._directory), name or "")
        else:
            os.replace(part.path, self._target)
            path = Path(self._target)
        if self._sync:
            _sync_directory(self._directory)
        return path


def _sync_directory(directory: str) -> None:
    """Sync a directory, so that a new name survives a power loss; skipped if directories cannot be opened."""
    with suppress(PermissionError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _add(temporary: str, directory: Path, name: str) -> Path:
    """Rename a file within a directory without replacing another one: names from WeChat are not unique."""
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
