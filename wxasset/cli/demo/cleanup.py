"""Delete the materials of a demonstration, also after a failure."""

from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.lowlevel import checkpoint

from wxasset import WxSession
from wxasset.cli.demo.checks import Upload
from wxasset.cli.demo.plan import SampleFile
from wxasset.errors import MediaNotFoundError, WxAssetError

__all__ = ["Cleanup"]

_RESCUE_SECONDS: Final = 20.0  # for one deletion after an interruption; a healthy one takes well under a second


class Cleanup:
    """The materials that this run has uploaded and not deleted yet; leaving its block deletes them.

    Args:
        wx: The session.
        warn: Told of what could not be deleted.
    """

    def __init__(self, wx: WxSession, warn: Callable[[str], None]) -> None:
        self._wx = wx
        self._warn = warn
        self._held: list[Upload] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for upload in reversed(self._held):
            with anyio.move_on_after(_RESCUE_SECONDS, shield=True) as scope:
                await self._rescue(upload.media_id)
            if scope.cancelled_caught:
                self._warn(f"Left in the library: {upload.media_id}; its deletion was not answered in time.")
        self._held.clear()

    async def put(self, piece: SampleFile) -> Upload:
        """Upload a file, and time it."""
        # An upload is seen through: one that is broken off may leave a material whose id nobody knows.
        with anyio.CancelScope(shield=True):
            self._held.append(await self._send(piece))
        await checkpoint()
        return self._held[-1]

    async def clear(self) -> int:
        """Delete everything, the newest first, and return how many deletions were confirmed."""
        deleted = 0
        while self._held:
            await self._wx.del_material(self._held[-1].media_id)
            self._held.pop()
            deleted += 1
        return deleted

    async def _send(self, piece: SampleFile) -> Upload:
        size = (await anyio.Path(piece.path).stat()).st_size
        started = perf_counter()
        added = await self._wx.add_material(
            piece.type,
            piece.path,
            filename=piece.filename,
            title=piece.title,
            introduction=piece.introduction,
        )
        elapsed = perf_counter() - started
        return Upload(piece=piece, size=size, media_id=added.media_id, milliseconds=elapsed * 1000)

    async def _rescue(self, media_id: str) -> None:
        try:
            await self._wx.del_material(media_id)
        except MediaNotFoundError:
            pass  # an interrupted deletion had been carried out
        except WxAssetError as error:
            self._warn(f"Left in the library: {media_id}; {error}")
