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
    """Uploaded materials of a demonstration; leaving the block deletes the remaining ones.

    Args:
        wx: The session.
        warn: Function to report failed deletions to.
    """

    def __init__(self, wx: WxSession, warn: Callable[[str], None]) -> None:
        self._wx = wx
        self._warn = warn
        self._held: list[Upload] = []
        self._abandoned = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            while self._held and not self._abandoned:
                with anyio.move_on_after(_RESCUE_SECONDS, shield=True) as scope:
                    await self._rescue(self._held[-1].media_id)
                upload = self._held.pop()
                if scope.cancelled_caught:
                    self._warn(f"Left in the library: {upload.media_id}; the deletion timed out.")
        finally:  # the rest after a second signal
            for upload in self._held:
                self._warn(f"May be left in the library: {upload.media_id}; delete it with wxasset rm.")
            self._held.clear()

    async def put(self, piece: SampleFile) -> Upload:
        """Upload a file, and measure the time."""
        try:
            with anyio.CancelScope(shield=True):
                self._held.append(await self._send(piece))
        except anyio.get_cancelled_exc_class():  # a second signal
            self._abandoned = True
            self._warn(f"May be in the library: {piece.name}; look for it with wxasset ls.")
            raise
        await checkpoint()
        return self._held[-1]

    async def clear(self) -> int:
        """Delete the uploads, newest first, and return the number of confirmed deletions."""
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
            pass  # the interrupted deletion was completed
        except WxAssetError as error:
            self._warn(f"Left in the library: {media_id}; {error}")
