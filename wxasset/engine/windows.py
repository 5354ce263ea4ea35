"""Times at which an upload whose response was lost may have been carried out."""

import time
from typing import Final

from attrs import frozen

from wxasset.calls.library import MaterialItem
from wxasset.engine.register import ROUNDING, Pending
from wxasset.wire.values import Value

__all__ = ["Window", "recent", "recorded"]

_SKEW: Final = 60.0
"""Seconds by which a time of WeChat's may differ from ours when a proxy took the Date header away: the clocks of both
sides are kept by NTP, and a mistake here costs no more than an unknown outcome."""
_LATEST: Final = 600.0
"""Seconds after an upload was given up in which WeChat may still have carried it out."""


@frozen(kw_only=True, eq=False, repr=False)
class Window(Value):
    """The possible time of an upload, in unix seconds of WeChat's clock.

    Attributes:
        begin: When it was sent at the earliest.
        end: When it was carried out at the latest.
        now: The present time.
    """

    begin: float
    end: float
    now: float

    def holds(self, item: MaterialItem, margin: float = 0.0) -> bool:
        """Tell whether a material is of this time."""
        return self.begin - margin <= item.update_time <= self.end + margin


def recent(upload: Pending, theirs: float | None) -> Window:
    """Return the time of an upload of this process, measured by the monotonic clock.

    Args:
        upload: The upload.
        theirs: WeChat's unix time in seconds; None if unknown.
    """
    now, slack = (time.time(), _SKEW) if theirs is None else (theirs, ROUNDING)
    clock = time.monotonic()
    late = 0.0 if upload.given_up is None else max(0.0, clock - upload.given_up - _LATEST)
    return Window(begin=now - (clock - upload.begun) - slack, end=now - late + slack, now=now)


def recorded(started_at: float, ended_at: float, ahead: float | None, theirs: float | None) -> Window:
    """Return the time of an upload of another process, measured by WeChat's clock.

    Args:
        started_at: Unix time in seconds of its start, by the clock of its machine.
        ended_at: Unix time in seconds of giving up.
        ahead: Seconds by which WeChat's clock was ahead of that machine's; None if unknown.
        theirs: WeChat's unix time in seconds; None if unknown.
    """
    slack = _SKEW if ahead is None or theirs is None else ROUNDING
    now = time.time() if theirs is None else theirs
    if ahead is None:
        ahead = now - time.time()
    return Window(begin=started_at + ahead - slack, end=min(now, ended_at + ahead + _LATEST) + slack, now=now)
