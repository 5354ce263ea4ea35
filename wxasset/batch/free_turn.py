"""The turn of a call that is not counted."""

from typing import Final

from wxasset.errors import WxAssetError

__all__ = ["FREE", "FreeTurn"]


class FreeTurn:
    """A call that is not counted; call `ended` after it."""

    __slots__ = ()

    def failed(self, error: WxAssetError) -> None:
        """Note the error of the call."""

    async def ended(self) -> None:
        """Do nothing."""


FREE: Final = FreeTurn()
