"""Base of the events with an error. Pure."""

from attrs import frozen

from wxasset.errors import APIError, WxAssetError
from wxasset.errors.text import printable
from wxasset.wire.values import Value

__all__ = ["Failing"]


@frozen(kw_only=True, eq=False, repr=False)
class Failing(Value):
    """An event with an error, or None for a success.

    Attributes:
        error: The error.
    """

    error: BaseException | None = None

    @property
    def errcode(self) -> int | None:
        """WeChat's code, where it answered with one."""
        return self.error.errcode if isinstance(self.error, APIError) else None

    @property
    def rid(self) -> str | None:
        """WeChat's request id, where it answered with one."""
        return self.error.rid if isinstance(self.error, APIError) else None

    @property
    def message(self) -> str:
        """Return the event in one line; errors of other packages are named by class alone.

        Such a one comes from a file, a stream or a function of yours, whose text may hold anything.
        """
        if isinstance(self.error, WxAssetError):
            return printable(self.error.message)
        return "" if self.error is None else type(self.error).__name__
