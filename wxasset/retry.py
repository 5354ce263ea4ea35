"""Whether a failed attempt is made again: a pure function over what failed and what a repetition would do."""

from typing import Final

from attrs import field, frozen, validators

from wxasset.calls.base import Effect, Route
from wxasset.errors import (
    APIError,
    BusyError,
    ConnectError,
    DecodeError,
    HTTPStatusError,
    ReplyTooLarge,
    TokenRejectedError,
    TransferError,
    TruncatedDownload,
    WxAssetError,
)

__all__ = [
    "Action",
    "AlreadyDone",
    "Attempt",
    "CannotResend",
    "OutcomeUnknown",
    "Raise",
    "Resend",
    "RetryPolicy",
    "decide",
]

_SERVER_ERROR: Final = 500


@frozen(kw_only=True)
class RetryPolicy:
    """How often, and how patiently, a call is tried.

    Attributes:
        attempts: The most attempts of one call; 1 makes none again. The one resend after a refused token comes
            on top.
        timeout: No attempt starts later than this many seconds after the first.
        wait_initial: Seconds before the second attempt; doubled for each further one.
        wait_max: The longest wait in seconds.
        wait_jitter: The share of each wait that is drawn at random, from 0 to 1.
    """

    attempts: int = field(default=3, validator=validators.ge(1))
    timeout: float = field(default=60.0, validator=validators.ge(0))
    wait_initial: float = field(default=0.5, validator=validators.ge(0))
    wait_max: float = field(default=8.0, validator=validators.ge(0))
    wait_jitter: float = field(default=1.0, validator=[validators.ge(0), validators.le(1)])

    def wait(self, number: int, chance: float) -> float:
        """Return the seconds to wait after attempt `number`, which counts from 1.

        Args:
            number: The attempt that failed.
            chance: A random number from 0 to 1.
        """
        longest = min(self.wait_max, self.wait_initial * 2.0 ** min(number - 1, 60))
        return longest * (1 - self.wait_jitter * chance)


@frozen(kw_only=True)
class Attempt:
    """What is known when an attempt has failed.

    Attributes:
        number: Which one it was; counts from 1, without the resend after a refused token.
        elapsed: Seconds since the first one began.
        token_refused: Whether an earlier token of this call was refused.
        in_doubt: Whether an earlier attempt may have taken effect.
        resendable: Whether the body can be sent again.
        chance: A random number from 0 to 1, for the wait.
    """

    number: int = 1
    elapsed: float = 0.0
    token_refused: bool = False
    in_doubt: bool = False
    resendable: bool = True
    chance: float = 0.5


@frozen
class Raise:
    """Give the caller the error."""


@frozen
class AlreadyDone:
    """An earlier attempt did it: the error says that what was to be deleted is gone."""


@frozen
class OutcomeUnknown:
    """Tell the caller that a create may have happened."""


@frozen
class CannotResend:
    """Tell the caller that the body is used up."""


@frozen(kw_only=True)
class Resend:
    """Make another attempt.

    Attributes:
        wait: Seconds to wait before.
        fresh_token: Whether with another token.
        in_doubt: Whether the failed attempt may have taken effect.
    """

    wait: float = 0.0
    fresh_token: bool = False
    in_doubt: bool = False


Action = Raise | AlreadyDone | OutcomeUnknown | CannotResend | Resend


def _unclear(error: WxAssetError) -> bool:
    """Tell whether the request may have been carried out although the answer does not say so."""
    if isinstance(error, TransferError):
        return error.outcome_unknown
    if isinstance(error, HTTPStatusError):
        return error.status >= _SERVER_ERROR
    return isinstance(error, BusyError | DecodeError | ReplyTooLarge | TruncatedDownload)


def _never_arrived(error: WxAssetError) -> bool:
    return isinstance(error, ConnectError) or (isinstance(error, TransferError) and not error.outcome_unknown)


def decide(route: Route, error: WxAssetError, attempt: Attempt, policy: RetryPolicy) -> Action:
    """Say what follows from a failed attempt.

    ============================  ===========  ===================================  ========================
    after...                      READ         DELETE                               CREATE
    ============================  ===========  ===================================  ========================
    nothing (whole) was sent      retry        retry                                retry
    unclear                       retry        retry; "already gone" is a success   the outcome is unknown
    the token was refused         one refresh and one resend, for all three
    anything else                 raise        raise                                raise
    ============================  ===========  ===================================  ========================
    """
    if isinstance(error, TokenRejectedError):
        return _after_refusal(route, attempt)
    if _never_arrived(error):
        return _again(attempt, policy, in_doubt=False)
    if _unclear(error):
        if route.effect is Effect.CREATE:
            return OutcomeUnknown()
        # What is too large stays too large.
        return Raise() if isinstance(error, ReplyTooLarge) else _again(attempt, policy, in_doubt=True)
    if attempt.in_doubt and isinstance(error, APIError) and error.errcode in route.gone:
        return AlreadyDone()
    return Raise()


def _after_refusal(route: Route, attempt: Attempt) -> Action:
    if attempt.token_refused or not route.authorized:
        return Raise()
    return Resend(fresh_token=True, in_doubt=attempt.in_doubt) if attempt.resendable else CannotResend()


def _again(attempt: Attempt, policy: RetryPolicy, *, in_doubt: bool) -> Action:
    wait = policy.wait(attempt.number, attempt.chance)
    if attempt.number >= policy.attempts or attempt.elapsed + wait > policy.timeout or not attempt.resendable:
        return Raise()
    return Resend(wait=wait, in_doubt=in_doubt or attempt.in_doubt)
