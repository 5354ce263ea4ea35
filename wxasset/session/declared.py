"""The verb of any declared call."""

import functools
from typing import TYPE_CHECKING, Any, TypeVar, overload

from wxasset.calls.base import Call, Download, Upload
from wxasset.engine.engine import Engine
from wxasset.errors import UsageError
from wxasset.session.base import Session
from wxasset.session.options import check_call
from wxasset.transfer.downloads.destination import Destination, Digest
from wxasset.transfer.downloads.download import MaterialStream, SavedMaterial
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.media import Media

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wxasset.transfer.uploads.source import Source

__all__ = ["DeclaredCalls", "upload"]

R = TypeVar("R")


class DeclaredCalls(Session):
    """Calls declared by this package or by its users."""

    @overload
    async def call(
        self,
        call: Upload[R],
        /,
        *,
        media: Media,
        filename: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
        from_appid: str | None = None,
    ) -> R: ...

    @overload
    async def call(
        self,
        call: Download[R],
        /,
        *,
        to: Destination,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
        from_appid: str | None = None,
    ) -> R | SavedMaterial: ...

    @overload
    async def call(self, call: Call[R], /, *, from_appid: str | None = None) -> R: ...

    async def call(
        self,
        call: Call[Any],
        /,
        *,
        media: Media | None = None,
        filename: str | None = None,
        size: int | None = None,
        to: Destination | None = None,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
        from_appid: str | None = None,
    ) -> Any:
        """Make any declared call, an endpoint of your own included.

        Args:
            call: An instance of a `Call`, `Upload` or `Download` class.
            media: What an `Upload` sends; as in `add_material`, with `filename` and `size`.
            filename: As in `add_material`.
            size: As in `add_material`.
            to: Where a `Download` goes; as in `get_material`.
            progress: As in `add_material` and `get_material`.
            fsync: As in `get_material`.
            digest: As in `get_material`.
            from_appid: The account that is called through cloud hosting, as in the constructor.

        Returns:
            The call's reply; for a `Download`, what was saved where the answer is a file.

        Raises:
            UsageError: The arguments do not fit the kind of call.
            WxAssetError: Anything that went wrong.
        """
        check_call(call)
        engine = self._calling(self._engine, from_appid)
        if isinstance(call, Upload) is (media is None) or (to is not None and not isinstance(call, Download)):
            raise UsageError(f"{type(call).__name__}: an Upload takes media=, a Download takes to=.")
        if media is not None and isinstance(call, Upload):
            return await upload(engine, call, media, filename=filename, size=size, progress=progress)
        if isinstance(call, Download):
            if to is None:
                return await _answer(engine, call)
            from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - many sessions save no file

            return await engine.download(call, await open_sink(to, fsync=fsync, digest=digest), progress)
        return await engine.call(call)


async def upload(
    engine: Engine,
    call: Upload[R],
    media: Media,
    *,
    filename: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
) -> R:
    """Make an upload; the media is open until its end."""
    source = await _opener()(media, filename=filename, size=size, limit=call.limit, limits=engine.limits)
    try:
        return await engine.call(call, source=source, progress=progress)
    finally:
        await source.aclose()


@functools.cache
def _opener() -> "Callable[..., Awaitable[Source]]":
    """Return `open_source`; an import statement for each upload would take 0.6 us, more than parsing its JSON."""
    from wxasset.transfer.uploads.source import open_source  # noqa: PLC0415 - many sessions upload nothing

    return open_source


async def _answer(engine: Engine, call: Download[R]) -> R:
    async with engine.open(call) as answer:
        if isinstance(answer, MaterialStream):
            raise UsageError(f"{type(call).__name__} was answered with a file: pass to= to say where it goes.")
        return answer
