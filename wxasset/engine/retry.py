"""Options and budget of retries. `wxasset.engine.decisions`, which applies them, is loaded with the first failure."""

from typing import Final

from attrs import field, frozen

from wxasset.wire.checks import number
from wxasset.wire.values import Value

__all__ = ["CAPACITY", "RetryPolicy", "RetryQuota"]

CAPACITY: Final = 500
"""Retry budget of a session, as in botocore."""


@frozen(kw_only=True, eq=False, repr=False)
class RetryPolicy(Value):
    """Limits of attempts and waits of a call.

    Attributes:
        attempts: The most attempts of one call; 1 makes none again. The one resend after a refused token comes
            on top, and so does one in place of a connection closed by the server meanwhile. 85113, with which cloud
            hosting answers in the minutes after a deployment, is waited out up to `timeout`.
        timeout: Seconds that one call may take in all: tokens, attempts, waits, and the search for a lost upload. What
            its bytes take comes on top, at `Timeouts.min_rate`.
        wait_initial: Seconds before the second attempt; doubled for each further one.
        wait_max: The longest wait in seconds.
        wait_jitter: The random share of each wait, from 0 to 1.
    """

    attempts: int = field(default=3, validator=number(at_least=1, whole=True))
    timeout: float = field(default=120.0, validator=number(above=0))
    wait_initial: float = field(default=0.5, validator=number(at_least=0))
    wait_max: float = field(default=8.0, validator=number(at_least=0))
    wait_jitter: float = field(default=1.0, validator=number(at_least=0, at_most=1))

    def wait(self, number: int, chance: float) -> float:
        """Return the seconds to wait after attempt `number`, counted from 1.

        Args:
            number: The failed attempt.
            chance: A random number from 0 to 1.
        """
        longest = min(self.wait_max, self.wait_initial * 2.0 ** min(number - 1, 60))
        return longest * (1 - self.wait_jitter * chance)


class RetryQuota:
    """Retry budget of a session: an outage uses it up, and then every call makes one attempt.

    A failure costs 14 of 500, a throttle 5. A call that succeeds gets back what it spent, and 1 where it spent nothing,
    as in botocore's standard mode.

    Attributes:
        left: The rest of the budget.
    """

    def __init__(self) -> None:
        """Begin with all of it."""
        self.left: int = CAPACITY

    def spend(self, cost: int) -> None:
        """Pay for a retry; `decide` has checked the price."""
        self.left -= cost

    def refill(self, cost: int) -> None:
        """Return the budget spent by a successful call; 0 if it needed no retry."""
        if self.left < CAPACITY:
            self.left = min(CAPACITY, self.left + (cost or 1))
