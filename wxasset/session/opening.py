"""The result of `open_material`: a context manager that explains its use."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, NoReturn, TypeAlias

from wxasset.calls.library import News, Video
from wxasset.errors import UsageError
from wxasset.transfer.downloads.download import MaterialStream

__all__ = ["OpenMaterial"]

Opened: TypeAlias = News | Video | MaterialStream
_NAMES: Final = frozenset(name for kind in (News, Video, MaterialStream) for name in dir(kind) if name[0] != "_")
_ENTER: Final = "open_material is used as `async with wx.open_material(media_id) as material:`."


class OpenMaterial(AbstractAsyncContextManager[Opened]):
    """A material that is open inside the ``async with`` block."""

    def __init__(self, enter: Callable[[], AbstractAsyncContextManager[Opened]]) -> None:
        """Create a block; nothing is requested before it is entered."""
        self._enter = enter
        self._entered: AbstractAsyncContextManager[Opened] | None = None

    async def __aenter__(self) -> Opened:
        if self._entered is not None:
            raise UsageError("A material is opened once; call open_material again.")
        self._entered = self._enter()
        return await self._entered.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return None if self._entered is None else await self._entered.__aexit__(kind, error, traceback)

    def __getattr__(self, name: str) -> NoReturn:
        """Raise `UsageError` for an attribute of the material, which is not open yet."""
        if name in _NAMES:
            raise UsageError(_ENTER)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __await__(self) -> NoReturn:
        """Raise `UsageError`: the connection has to be closed by a block."""
        raise UsageError(_ENTER)

    def __aiter__(self) -> NoReturn:
        """Raise `UsageError`: the connection has to be closed by a block."""
        raise UsageError(_ENTER)
