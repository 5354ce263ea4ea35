"""Draw the conclusions from the error of an item, for it and for the others of its batch."""

import time
from typing import Final, Generic, TypeAlias, TypeVar

from attrs import frozen

from wxasset.batch.gate import Gate
from wxasset.batch.outcomes import Failed, NotTried, Unknown
from wxasset.batch.queue import Again
from wxasset.batch.work import Terms
from wxasset.errors import BudgetSpentError, Later, UploadOutcomeUnknown, WxAssetError
from wxasset.errors.classify import is_turned_away, never_reached_server
from wxasset.errors.consequence import Consequence, consequence

__all__ = ["Case"]

T = TypeVar("T")
Undone: TypeAlias = Failed[T] | Unknown[T] | NotTried[T]

_DAY: Final = 86400.0  # seconds; a longer wait comes from a clock that is wrong


@frozen
class Case(Generic[T]):
    """A failed item.

    Attributes:
        again: The item, and what came of its tries before.
        gate: The state of its batch.
        terms: Facts about the calls.
        now: The time, in seconds of the batch's clock.
    """

    again: Again[T]
    gate: Gate
    terms: Terms
    now: float

    def judge(self, error: WxAssetError, *, tried: bool) -> Undone[T] | Again[T]:
        """Return the item's outcome, or when to try it again; the gate learns what concerns the others.

        Args:
            error: The error.
            tried: Whether a request was made.
        """
        what = consequence(error, self.terms.path)
        if what is Consequence.PAUSE:
            self.gate.silent(self.now, error)
        elif tried:  # a file that cannot be read says nothing about the service
            self.gate.alive()
        if what is Consequence.STOP:
            self.gate.stop = self.gate.stop or error
        repeatable = self.terms.repeatable(self.again.item)
        if what is Consequence.LATER:
            wait = self._until(error)
            if repeatable:
                return self.again.later(self.now + wait)
        unreached = self.again.unreached + 1
        undone = repeatable and (never_reached_server(error) or is_turned_away(error))
        if what is Consequence.PAUSE and undone and unreached < self.terms.tries:
            return Again(self.now, self.again.item, unreached)
        if isinstance(error, BudgetSpentError) and what is Consequence.STOP:
            return self.again.left(error)
        return self._lost(error) if isinstance(error, UploadOutcomeUnknown) else Failed(self.again.item, error)

    def _lost(self, error: UploadOutcomeUnknown) -> Unknown[T] | Again[T]:
        """Keep an upload whose response was lost until a ledger can settle it; one that it could not settle stays."""
        item, lost = self.again.item, self.again.lost + 1
        settled, cause = error.ended_at + self.terms.settle - time.time(), error.__cause__
        settled = min(settled, self.terms.settle)  # a clock may have been set
        useless = cause is not None and consequence(cause) is Consequence.STOP  # such as a spent quota of lists
        if settled <= 0 or useless or lost >= self.terms.tries or not self.terms.repeatable(item):
            return Unknown(item, error)
        return Again(self.now + settled, item, doubt=error, lost=lost)

    def _until(self, error: WxAssetError) -> float:
        """Return the seconds until an item can be tried again; a minute's limit holds for the others too."""
        if isinstance(error, Later):
            wait = min(_DAY, max(0.0, error.at - time.time()))
            if isinstance(error, BudgetSpentError):
                self.gate.close_until(self.now + wait)
            return wait
        wait = self.terms.next_minute()
        self.gate.close_until(self.now + wait)
        return wait
