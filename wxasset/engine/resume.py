"""Resume downloads after a cut, restart them if necessary, and renew expired links."""

from collections.abc import Awaitable, Callable

from attrs import define

from wxasset.calls.object_storage import FetchFile
from wxasset.engine.engine import Engine
from wxasset.errors import HTTPStatusError, TruncatedDownload
from wxasset.transfer.downloads.download import SavedMaterial
from wxasset.transfer.downloads.partial import Partial, Restart
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.progress import Progress, Throttle

__all__ = ["resume"]


async def resume(
    engine: Engine, find: Callable[[], Awaitable[FetchFile]], sink: Sink, progress: Progress | None
) -> SavedMaterial:
    """Download a file into a sink, over as many answers as it takes.

    Args:
        engine: Makes the attempts.
        find: Asks for a link to the file.
        sink: Where it goes.
        progress: Called with the bytes received and their total.

    Raises:
        TruncatedDownload: The file was another one each time, or the sink cannot begin anew.
        WxAssetError: Any other failure.
    """
    download = _Download(engine, find, await find())
    for _ in range(engine.retry.attempts):
        try:
            return await download.into(sink, progress)
        except Restart:
            if not sink.replayable:
                break
    path = FetchFile.route.path
    message = f"The file behind {path} changed while it was downloaded, or its rest could not be had."
    raise TruncatedDownload(message, path, received=0)


@define
class _Download:
    """A file and its link, renewed at most once."""

    _engine: Engine
    _find: Callable[[], Awaitable[FetchFile]]
    _link: FetchFile
    _renewed: bool = False

    async def into(self, sink: Sink, progress: Progress | None) -> SavedMaterial:
        """Write the file into a sink, from its first byte."""
        engine, told = self._engine, Throttle(progress) if progress is not None else None
        async with sink.open(None, self._link.fallback) as writing:
            if not sink.hashed:
                writing.skip_hash()
            partial = Partial(writing, told, engine.retry.timeout, engine.timeouts.min_rate)
            await self._go_on(partial)
        return partial.saved(sink.path)

    async def _go_on(self, partial: Partial) -> None:
        try:
            await self._engine.go_on(self._link, partial)
        except HTTPStatusError as error:
            if error.status not in self._link.expired or self._renewed:
                raise
        else:
            return
        self._renewed = True
        self._link = await self._find()
        await self._engine.go_on(self._link, partial)
