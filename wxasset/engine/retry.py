"""Decide on the next step after a failed attempt: a pure function of the failure and the effect of a repetition."""

import enum
import math
from typing import Final

from attrs import evolve, field, frozen

from wxasset.calls.base import Effect, Route
from wxasset.errors import (
    APIError,
    BusyError,
    ConnectError,
    DecodeError,
    HTTPStatusError,
    NotListedError,
    RateLimitedError,
    ReplyTooLarge,
    TokenRejectedError,
    TransferError,
    TruncatedDownload,
    WxAssetError,
)
from wxasset.errors.classify import is_not_ready, is_turned_away, never_reached_server
from wxasset.wire.checks import number
from wxasset.wire.values import Value

__all__ = [
    "Action",
    "Attempt",
    "Ending",
    "OutcomeUnknown",
    "Resend",
    "RetryPolicy",
    "RetryQuota",
    "decide",
]

_SUCCESSES: Final = range(200, 300)  # other than 200, which has a body that says so: a gateway between has changed it
_SERVER_ERROR: Final = 500
_MINUTE_QUOTA: Final = 45011
_LONGEST_ORDER: Final = 120.0  # seconds; longer Retry-After values are not honoured
_SPREAD: Final = 2.0  # seconds over which calls that wait for the next minute are spread
_ROOM: Final = 10.0
"""Seconds left for the last attempt where the deadline alone ends the attempts: one that is cut off is in doubt."""
_MOST_STALE: Final = 8  # connections of a pool that a restarted server let go of, tried one after the other
# The costs and the capacity are botocore's: 500 pay for 35 retries of an outage, or 100 of a throttle.
_TRANSIENT: Final = 14
_THROTTLED: Final = 5
_CAPACITY: Final = 500


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
        self.left: int = _CAPACITY

    def spend(self, cost: int) -> None:
        """Pay for a retry; `decide` has checked the price."""
        self.left -= cost

    def refill(self, cost: int) -> None:
        """Return the budget spent by a successful call; 0 if it needed no retry."""
        if self.left < _CAPACITY:
            self.left = min(_CAPACITY, self.left + (cost or 1))


@frozen(kw_only=True, eq=False, repr=False)
class Attempt(Value):
    """Facts about a failed attempt.

    Attributes:
        number: Number of the attempt; counts from 1, without the resend after a rejected token.
        elapsed: Seconds since the start of the first one, without the time granted for the bytes of an upload.
        token_refused: Whether an earlier token of this call was refused.
        withdrawn: Whether the authorization of this token has ended; a later one gives another token.
        in_doubt: Whether an earlier attempt may have taken effect.
        resendable: Whether the body can be sent again.
        harmless: True if the caller accepts a second copy.
        minute_waited: Whether the call has waited for the next minute already.
        next_minute: Seconds until the next minute of the clock begins.
        stale: How many stale connections were met before.
        quota: The rest of the session's retry budget.
        cost: The retry budget spent by the call.
        progressed: Whether it brought more bytes of a resumed download; its retry costs nothing.
        chance: A random number from 0 to 1, for the wait.
    """

    number: int = 1
    elapsed: float = 0.0
    token_refused: bool = False
    withdrawn: bool = False
    in_doubt: bool = False
    resendable: bool = True
    harmless: bool = False
    minute_waited: bool = False
    next_minute: float = 60.0
    stale: int = 0
    quota: int = _CAPACITY
    cost: int = 0
    progressed: bool = False
    chance: float = 0.5

    def after(self, resend: "Resend") -> "Attempt":
        """Return the next attempt, as it begins."""
        return evolve(
            self,
            number=self.number + (not resend.fresh_token and not resend.stale),
            token_refused=self.token_refused or resend.fresh_token,
            in_doubt=resend.in_doubt,
            minute_waited=self.minute_waited or resend.minute,
            stale=self.stale + resend.stale,
            cost=self.cost + resend.cost,
            progressed=False,
        )


class Ending(enum.Enum):
    """The end of an operation with neither another attempt nor a search."""

    RAISE = "give the caller the error"
    ALREADY_DONE = "treat a delete as done: an earlier attempt removed the object"
    CANNOT_RESEND = "raise an error: the body is consumed"


@frozen(eq=False, repr=False)
class OutcomeUnknown(Value):
    """Find out whether a create happened, or raise `UploadOutcomeUnknown`.

    Attributes:
        cost: The price of the search; None if the budget is too small.
    """

    cost: int | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Resend(Value):
    """Make another attempt.

    Attributes:
        wait: Seconds to wait before.
        fresh_token: Whether with another token.
        in_doubt: Whether the failed attempt may have taken effect.
        stale: True if it replaces an attempt on a stale connection; it is not counted.
        minute: Whether the wait is for the next minute.
        cost: The price of the attempt.
    """

    wait: float = 0.0
    fresh_token: bool = False
    in_doubt: bool = False
    stale: bool = False
    minute: bool = False
    cost: int = 0


Action = Ending | OutcomeUnknown | Resend


def _unclear(route: Route, error: WxAssetError) -> bool:
    """Tell whether the request may have been carried out although the answer does not say so."""
    if isinstance(error, TransferError):
        return error.outcome_unknown
    if isinstance(error, NotListedError) or is_not_ready(error):
        return False
    if isinstance(error, HTTPStatusError):
        vague = error.status >= _SERVER_ERROR or (error.status in _SUCCESSES and route.effect is Effect.CREATE)
        return (vague and not error.early) or error.status in route.not_yet
    return isinstance(error, BusyError | DecodeError | ReplyTooLarge | TruncatedDownload)


def decide(route: Route, error: WxAssetError, attempt: Attempt, policy: RetryPolicy) -> Action:
    """Return the action after a failed attempt.

    ============================  =============  ===================================  ========================
    after...                      READ, REPLACE  DELETE                               CREATE
    ============================  =============  ===================================  ========================
    nothing (whole) was sent      retry          retry                                retry
    a throttle                    retry          retry                                retry
    85113 of cloud hosting        retry until the deadline, for all of them
    unclear                       retry          retry; "already gone" is a success   the outcome is unknown
    the same, connection stale    at once        at once; the same                    the outcome is unknown
    the token was refused         one refresh and one resend, for all of them
    anything else                 raise          raise                                raise
    ============================  =============  ===================================  ========================
    """
    action = _next(route, error, attempt, policy)
    if action is Ending.RAISE and route.effect is Effect.CREATE and (attempt.in_doubt or _unclear(route, error)):
        return _unknown(attempt)  # this or an earlier attempt may have made it
    return action


def _unknown(attempt: Attempt) -> OutcomeUnknown:
    return OutcomeUnknown(_TRANSIENT if attempt.quota >= _TRANSIENT else None)


def _next(route: Route, error: WxAssetError, attempt: Attempt, policy: RetryPolicy) -> Action:
    """Return the action without regard to earlier attempts of a create."""
    if isinstance(error, TokenRejectedError) or attempt.withdrawn:
        return _after_refusal(route, attempt)
    unclear = _unclear(route, error)
    if unclear and route.effect is Effect.CREATE and not attempt.harmless:
        return _unknown(attempt)
    if route.effect is not Effect.CREATE and _stale(error, attempt):
        return Resend(stale=True, in_doubt=unclear or attempt.in_doubt)
    if unclear or never_reached_server(error) or is_turned_away(error) or is_not_ready(error):
        permanent = isinstance(error, ReplyTooLarge) or (isinstance(error, ConnectError) and error.permanent)
        return Ending.RAISE if permanent else _again(error, attempt, policy, in_doubt=unclear)
    if attempt.in_doubt and isinstance(error, APIError) and error.errcode in route.gone:
        return Ending.ALREADY_DONE
    return Ending.RAISE


def _stale(error: WxAssetError, attempt: Attempt) -> bool:
    """Tell whether it was the connection's fault alone; a body of some size would be no cheap thing to repeat."""
    return isinstance(error, TransferError) and error.stale and attempt.stale < _MOST_STALE and attempt.resendable


def _after_refusal(route: Route, attempt: Attempt) -> Action:
    if attempt.token_refused or not route.authorized:
        return Ending.RAISE
    if not attempt.resendable:
        return Ending.CANNOT_RESEND
    return Resend(fresh_token=True, in_doubt=attempt.in_doubt)


def _again(error: WxAssetError, attempt: Attempt, policy: RetryPolicy, *, in_doubt: bool) -> Action:
    minute = isinstance(error, RateLimitedError) and error.errcode == _MINUTE_QUOTA
    if minute and attempt.minute_waited:
        return Ending.RAISE
    order = error.retry_after or 0.0 if isinstance(error, HTTPStatusError) else 0.0
    wait = max(policy.wait(attempt.number, attempt.chance), order)
    if minute:
        wait = attempt.next_minute + _SPREAD * attempt.chance
    cost = _THROTTLED if is_turned_away(error) else _TRANSIENT
    if attempt.progressed:
        cost = 0
    attempts, end = float(policy.attempts), policy.timeout
    if is_not_ready(error) and attempts > 1:
        attempts, cost = math.inf, 0  # it takes minutes, and is no outage
        end -= min(_ROOM, end / 2)
    if attempt.number >= attempts or attempt.elapsed + wait > end or not attempt.resendable:
        return Ending.RAISE
    if order > _LONGEST_ORDER or cost > attempt.quota:
        return Ending.RAISE
    return Resend(wait=wait, in_doubt=in_doubt or attempt.in_doubt, minute=minute, cost=cost)
