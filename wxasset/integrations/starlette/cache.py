"""Materials on the disk: fetched once, at full speed, and read from there at the speed of each visitor."""

import asyncio
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from anyio import sleep
from attrs import define

from wxasset.calls.library import News, Video
from wxasset.errors import DestinationError, UsageError
from wxasset.integrations.starlette.cache_files import CacheDirectory
from wxasset.integrations.starlette.cached_file import CachedFile, Part
from wxasset.session import WxSession
from wxasset.transfer.threads import in_background, run_in_thread, uncancelled
from wxasset.wire.checks import check_number

__all__ = ["MaterialCache", "temporary_cache"]

_POLL: Final = 0.05  # seconds between looks at a material that another process fetches
_TEMPORARY_BYTES: Final = 256 * 1024 * 1024  # a choice: 25 images of the largest size
_ATTEMPTS: Final = 5  # a file that other processes evict at once, time after time, is in a cache that is too small


@define(eq=False)
class _Flight:
    """A fetch with those that wait for it."""

    task: "asyncio.Task[News | CachedFile]"
    waiting: int = 0
    forgotten: bool = False
    origin: TracebackType | None = None


class MaterialCache:
    """Permanent materials in a directory, for `MaterialResponse`.

    ::

        previews = MaterialCache("previews", max_bytes=1 << 30)

        MaterialResponse(wx, media_id, cache=previews)

    A material is fetched once, however many ask for it at the same time, also in several processes with the same
    directory; the connection to WeChat is free again before the first visitor has read a byte. The least recently used
    files are deleted to stay within `max_bytes`, but none is deleted while it is read. A material of more than
    `max_bytes` is kept for its readers only. `WxSession.del_material` deletes the file too; for deletions elsewhere
    see `forget`. The directory and its files belong to this user alone; names are hashes.

    The directory may hold several accounts: each sees its own materials only. A session without an appid (some token
    sources have none) shares its files with no other session: give it one, ``WxSession(tokens=..., appid=...)``.
    """

    def __init__(self, directory: str | os.PathLike[str], max_bytes: int) -> None:
        """Describe a cache; the directory is created at the first use.

        Args:
            directory: The directory; it should hold nothing else.
            max_bytes: Bytes of the files that stay; a download in progress comes on top.

        Raises:
            UsageError: `directory` is not a path, or `max_bytes` is not a positive number.
        """
        given: Any = directory
        if not isinstance(given, str | os.PathLike) or not os.fspath(given):
            raise UsageError(f"directory= is the path of a directory; not {directory!r}.")
        check_number("max_bytes", max_bytes, at_least=1, whole=True)
        self._files = CacheDirectory(Path(directory), max_bytes)
        self._flights: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Flight]] = (
            weakref.WeakKeyDictionary()
        )

    def __repr__(self) -> str:
        return f"MaterialCache({str(self._files.path)!r}, max_bytes={self._files.max_bytes})"

    @asynccontextmanager
    async def open(self, wx: WxSession, media_id: str) -> AsyncGenerator[News | CachedFile, None]:
        """Find a material, or fetch it; inside the block its file is not evicted.

        Args:
            wx: The session.
            media_id: The material's id.

        Yields:
            `News` for articles, which are not cached, else the file; for a video that of the video itself.

        Raises:
            MediaNotFoundError: There is no such material.
            NotAFileError: WeChat gave the address of a page instead of a video file.
            DestinationError: The directory cannot be written.
            WxAssetError: Any other failure.
        """
        material = await self._find(wx, media_id)
        try:
            yield material
        finally:
            if isinstance(material, CachedFile):
                await in_background(self._files.release, material).join()

    async def forget(self, wx: WxSession, media_id: str) -> None:
        """Delete the file of a material that was deleted elsewhere, such as on the web console.

        A deletion by a session with which this cache has been used does that by itself.

        Args:
            wx: The session.
            media_id: The material's id.
        """
        key = self.key(wx, media_id)
        for flights in list(self._flights.values()):
            if key in flights:
                flights.pop(key).forgotten = True
        await run_in_thread(self._files.forget, key)

    def key(self, wx: WxSession, media_id: str) -> str:
        """Return the name of a material in the directory: a hash of its account and its id."""
        name = f"{wx.account.key}\0{media_id}"
        return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()

    async def _find(self, wx: WxSession, media_id: str) -> News | CachedFile:
        wx.account.watchers.add(self)
        key = self.key(wx, media_id)
        for _ in range(_ATTEMPTS):
            material = await self._held(self._files.take, key) or await self._join(key, wx, media_id)
            if material is not None:
                return material
        raise DestinationError(f"{self} is too small: files are deleted before they are read.")

    async def _join(self, key: str, wx: WxSession, media_id: str) -> News | CachedFile | None:
        """Wait for the fetch of a material, the same one for all visitors; the last one to leave ends it."""
        flights = self._flights.setdefault(asyncio.get_running_loop(), {})
        flight = flights.get(key)
        if flight is None or flight.task.done():
            flight = flights[key] = _Flight(asyncio.create_task(self._fetch(key, wx, media_id)))
        flight.waiting += 1
        try:
            await asyncio.wait([flight.task])
            error = flight.task.exception()
            if error is not None:
                flight.origin = flight.origin or error.__traceback__  # or it would collect the frames of all
                raise error.with_traceback(flight.origin)
            material = flight.task.result()
            if flight.forgotten:  # it was deleted meanwhile: ask again
                await run_in_thread(self._files.forget, key)
                return None
            return await self._held(self._files.take, key) if isinstance(material, CachedFile) else material
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                if flights.get(key) is flight:
                    del flights[key]
                await self._end(flight.task)

    async def _end(self, task: "asyncio.Task[News | CachedFile]") -> None:
        """Cancel a fetch, or release its file; its failure has been raised by those who waited."""
        task.cancel()
        await uncancelled(task)
        if not task.cancelled() and task.exception() is None and isinstance(file := task.result(), CachedFile):
            await in_background(self._files.release, file).join()

    async def _held(self, take: Callable[..., CachedFile | None], *arguments: object) -> CachedFile | None:
        """Take a file in a thread; a cancelled caller gives it back."""
        taken: list[CachedFile | None] = []
        try:
            await run_in_thread(lambda: taken.append(take(*arguments)))
        except asyncio.CancelledError:
            if taken and taken[0] is not None:
                await in_background(self._files.release, taken[0]).join()
            raise
        return taken[0]

    async def _fetch(self, key: str, wx: WxSession, media_id: str) -> News | CachedFile:
        """Fetch a material, one process at a time; the others wait for its file."""
        claim = self._files.claim_of(key)
        try:
            while not await run_in_thread(self._files.claim, claim):  # noqa: ASYNC110 - it is held by another process
                await sleep(_POLL)
            # Another process may have fetched it meanwhile.
            return await self._held(self._files.take, key) or await self._download(key, wx, media_id)
        finally:
            await in_background(self._files.unclaim, claim).join()

    async def _download(self, key: str, wx: WxSession, media_id: str) -> News | CachedFile:
        parts: list[Part] = []
        try:
            await run_in_thread(lambda: parts.append(self._files.begin(key)))
            saved = await wx.get_material(media_id, parts[0].handle)
            if isinstance(saved, Video):
                saved = await wx.download_video(saved, parts[0].handle)
            if isinstance(saved, News):
                return saved
            file = await self._held(self._files.keep, key, parts[0], saved.filename, saved.content_type)
        finally:
            for part in parts:
                await in_background(part.discard).join()
        if file is None:
            raise DestinationError(f"{self}: the file of a material was deleted at once.")
        return file


@asynccontextmanager
async def temporary_cache() -> AsyncGenerator[MaterialCache, None]:
    """Make a cache in a new temporary directory, and delete it at the end."""
    made: list[str] = []
    try:
        await run_in_thread(lambda: made.append(tempfile.mkdtemp(prefix="wxasset-")))
        yield MaterialCache(made[0], _TEMPORARY_BYTES)
    finally:
        for directory in made:
            await in_background(shutil.rmtree, directory, True).join()  # noqa: FBT003 - ignore_errors, by position
