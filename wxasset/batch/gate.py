"""Decide when another item of a batch may begin. Pure: times come from the caller, in seconds of one clock."""

import math
from typing import Final

from attrs import define, field

from wxasset.errors import WxAssetError

__all__ = ["Gate"]

_IN_A_ROW: Final = 3
"""Failures without a sign of life, before the others wait: one alone is often a matter of its item."""
_FIRST_PROBE: Final = 0.5  # seconds; doubled for each further probe,
_LAST_PROBE: Final = 15.0  # and up to this, so that a service which is back is noticed


@define(eq=False)
class Gate:
    """The state of a service, as the outcomes of a batch show it.

    Attributes:
        patience: Seconds without a sign of life before the batch stops.
        interval: Least seconds between two calls; 0 without a limit.
        stop: The error behind the end of the batch; None while it runs.
    """

    patience: float
    interval: float = 0.0
    stop: WxAssetError | None = field(default=None, init=False)
    _silent: int = field(default=0, init=False)
    _silent_since: float = field(default=0.0, init=False)
    _probes: int = field(default=0, init=False)
    _probe_at: float = field(default=0.0, init=False)
    _closed_until: float = field(default=0.0, init=False)
    _next_call: float = field(default=-math.inf, init=False)

    @property
    def paused(self) -> bool:
        """Return True while the service shows no sign of life; one item at a time finds out."""
        return self._silent >= _IN_A_ROW

    def wait(self, now: float, under_way: int) -> float:
        """Return the seconds until another item may begin; infinite until one of those under way has ended."""
        if self.paused and under_way:
            return math.inf
        opens = max(self._closed_until, self._probe_at if self.paused else 0.0)
        return max(0.0, opens - now)

    def call(self, now: float) -> float:
        """Count one call against the rate; return the seconds until it may be made."""
        turn = max(self._next_call, now)
        self._next_call = turn + self.interval
        return turn - now

    def close_until(self, when: float) -> None:
        """Let no item begin before a time: the limit of this minute is reached."""
        self._closed_until = max(self._closed_until, when)

    def alive(self) -> None:
        """Note a sign of life: a result, or an error that the service itself gave."""
        self._silent = 0

    def silent(self, now: float, error: WxAssetError) -> None:
        """Note a failure without a sign of life."""
        if not self._silent:
            self._silent_since, self._probes = now, 0
        self._silent += 1
        if not self.paused or now < self._probe_at:  # one of those that were under way already
            return
        end = self._silent_since + self.patience
        if now >= end:
            self.stop = self.stop or error
        self._probe_at = min(end, now + min(_LAST_PROBE, _FIRST_PROBE * 2.0 ** min(self._probes, 10)))
        self._probes += 1
