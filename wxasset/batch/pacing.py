"""Adaptive concurrency limit of a batch: additive increase, multiplicative decrease (AIMD). Pure.

Additive increase, multiplicative decrease, as in TCP (Chiu and Jain, 1989): the simple rule that
gives equal shares to independent clients.
"""

from typing import Final

from attrs import define, field, validators

__all__ = ["ConcurrencyLimiter", "Slot"]

_DECREASE: Final = 0.5
"""Factor for the width after a throttle: TCP's own; it drains a queue that has just overflowed."""
_INCREASE: Final = 1.0
"""Growth of the width per round; a round has as many successes as the width: from 1 to 8 takes 28 of them."""


@define(eq=False)
class Slot:
    """One request in progress.

    Attributes:
        round: The limiter's round at the time of the request.
    """

    round: int


@define(eq=False)
class ConcurrencyLimiter:
    """Limit of the requests a batch makes at once.

    Attributes:
        most: Maximum number of requests at once, and the initial width.
        width: The current limit as a float; `limit` is its whole part.
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
        """Return the slot of a new request."""
        return Slot(self.round)

    def throttled(self, slot: Slot) -> None:
        """Reduce the limit, once per round; the request belongs to the new round from here on."""
        if slot.round == self.round:
            self.width = max(1.0, self.width * _DECREASE)
            self.round += 1
        slot.round = self.round

    def succeeded(self, slot: Slot) -> None:
        """Raise the limit a little, unless it was reduced after this request was sent."""
        if slot.round == self.round and self.width < self.most:
            self.width = min(float(self.most), self.width + _INCREASE / self.width)
