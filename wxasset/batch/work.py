"""Facts about the calls of a batch, and the callbacks of one of them."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from attrs import define, field, frozen

from wxasset.batch.gate import Gate
from wxasset.batch.slots import Turn
from wxasset.batch.tally import Tally
from wxasset.errors import WxAssetError
from wxasset.errors.classify import is_throttled
from wxasset.wire.checks import number

__all__ = ["Terms", "Work"]

_MINUTE: Final = 60.0


def _always(item: object) -> bool:
    del item
    return True


def _next_minute() -> float:
    return _MINUTE - time.time() % _MINUTE


@frozen(kw_only=True)
class Terms:
    """Facts about the calls of a batch.

    Attributes:
        path: The path of the call that each item makes; a quota or permission of another one stops nothing.
        tries: Most tries of an item whose requests never reach the service, while other items do: its own host may be
            the one that is down. 1 leaves it to the retries of the call.
        patience: Seconds without a sign of life from the service before the rest is left undone.
        max_rate: Most calls a minute; None without a limit.
        repeatable: Function that tells whether an item can be tried again; a stream of bytes can be read only once.
        settle: Seconds after its end before a lost upload can be looked up again, and sent if it is not there; 0 if it
            cannot.
        early: True if an item that was looked at ahead begins without a slot, and takes one by its `Work.turn`.
        next_minute: Function that returns the seconds until WeChat's next minute begins.
        sleep: How to wait.
    """

    path: str = ""
    tries: int = 5
    patience: float = 120.0
    max_rate: float | None = field(default=None, validator=number(above=0, optional=True))
    repeatable: Callable[[Any], bool] = _always
    settle: float = 0.0
    early: bool = False
    next_minute: Callable[[], float] = _next_minute
    sleep: Callable[[float], Awaitable[object]] = anyio.sleep

    def gate(self) -> Gate:
        """Return the gate for one batch."""
        return Gate(self.patience, 0.0 if self.max_rate is None else _MINUTE / self.max_rate)


@define(eq=False)
class Work:
    """One item in progress, and the callbacks of its calls.

    Attributes:
        turn: Its slot.
        pace: Function that waits until another call may be made; None without a limit.
        looked: What was found when the item was looked at ahead; None at a later try.
        tried: Whether a request was made: without one, the item shows nothing about the service.
    """

    turn: Turn
    _tally: Tally
    pace: Callable[[], Awaitable[object]] | None = None
    looked: object = None
    tried: bool = False
    _through: int = 0

    def begin(self) -> None:
        """Note the start of an attempt."""
        self._through = 0  # its bytes count from there, also where they are as many as those before
        self.tried = True

    def fail(self, error: WxAssetError) -> None:
        """Note the failure of an attempt, also of one that is followed by another."""
        if is_throttled(error):
            self.turn.throttled()

    @property
    def sent(self) -> Callable[[int, int | None], object] | None:
        """The progress of an upload; None without a callback."""
        return None if self._tally.progress is None else lambda done, _: self._tally.step(sent=self._more(done))

    @property
    def received(self) -> Callable[[int, int | None], object] | None:
        """The progress of a download; None without a callback."""
        return None if self._tally.progress is None else lambda done, _: self._tally.step(received=self._more(done))

    def _more(self, done: int) -> int:
        """Return the bytes since the last time; a new attempt counts from 0."""
        more, self._through = done - self._through if done >= self._through else done, done
        return more
