"""Adaptive concurrency limit of a batch: additive increase, multiplicative decrease (AIMD). Pure.

Additive increase, multiplicative decrease, as in TCP (Chiu and Jain, 1989): of the simple rules it is the one by which
several clients that know nothing of each other come to equal shares.
"""

from typing import Final

from attrs import define, field, validators

__all__ = ["ConcurrencyLimiter", "Slot"]

_DECREASE: Final = 0.5
"""What is left of the width after a throttle: TCP's own share; a queue that has just overflowed drains with it."""
_INCREASE: Final = 1.0
"""By how much the width grows in a round, which is as many successes as it is wide: from 1 to 8 takes 28 of them."""


@define(eq=False)
class Slot:
    """One request under way.

    Attributes:
        round: The limiter's round at the time of the request.
    """

    round: int


@define(eq=False)
class ConcurrencyLimiter:
    """The width of a batch.

    Attributes:
        most: The most requests at once; it begins with so many.
        width: How many there may be now; `limit` is its whole part.
        round: Number of reductions. Requests of one round are throttled together, and reduce the limit once.
    """

    most: int = field(validator=validators.ge(1))
    width: float = field(init=False)
    round: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.width = float(self.most)

    @property
    def limit(self) -> int:
        """Return the number of requests allowed at once, at least 1."""
        return int(self.width)

    def begin(self) -> Slot:
        """Send a request."""
        return Slot(self.round)

    def throttled(self, slot: Slot) -> None:
        """Reduce the limit, once per round; the request belongs to the new round from here on."""
        if slot.round == self.round:
            self.width = max(1.0, self.width * _DECREASE)
            self.round += 1
        slot.round = self.round

    def succeeded(self, slot: Slot) -> None:
        """Grow a little, unless it gave way after this request was sent."""
        if slot.round == self.round:
            self.width = min(float(self.most), self.width + _INCREASE / self.width)
