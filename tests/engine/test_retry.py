"""What follows from a failed attempt: the whole table of the design, and the laws that hold for every policy."""

import math
from collections.abc import Mapping
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from wxasset.calls.base import Effect, Route
from wxasset.engine import retry
from wxasset.engine.retry import (
    Action,
    Attempt,
    Ending,
    OutcomeUnknown,
    Resend,
    RetryPolicy,
    RetryQuota,
    decide,
)
from wxasset.errors import (
    APIError,
    ConnectError,
    DecodeError,
    DestinationError,
    HTTPStatusError,
    ReplyTooLarge,
    SourceError,
    StreamConsumedError,
    TransferError,
    TransferTimeout,
    TruncatedDownload,
    UnsafeURLError,
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
)
from wxasset.wire.error_replies import api_error

PATH: Final = "/cgi-bin/any"
GONE: Final = frozenset({40007})
ROUTES: Final = {effect: Route(path=PATH, effect=effect) for effect in Effect} | {
    Effect.DELETE: Route(path=PATH, effect=Effect.DELETE, gone=GONE)
}
READ, DELETE, CREATE = Effect.READ, Effect.DELETE, Effect.CREATE

# Half of the first wait of the default policy: the chance of an `Attempt` is one half.
WAIT: Final = 0.25

NOT_SENT: Final = {
    "connect": ConnectError("No connection.", PATH),
    "cut while sending": TransferError("The body was not sent.", PATH, outcome_unknown=False),
    "stalled while sending": TransferTimeout("The body was not sent.", PATH, outcome_unknown=False),
}
UNCLEAR: Final = {
    "no answer": TransferError("Cut.", PATH),
    "stalled": TransferTimeout("Stalled.", PATH),
    "500": HTTPStatusError("500", PATH, status=500),
    "502": HTTPStatusError("502", PATH, status=502),
    "599": HTTPStatusError("599", PATH, status=599),
    "not JSON": DecodeError("HTML", PATH),
    "cut answer": TruncatedDownload("Cut.", PATH, received=1, expected=2),
    "-1": api_error(-1, "system error", PATH),
    "-1000": api_error(-1000, "system error", PATH),
    "-501002": api_error(-501002, "timeout", PATH),
    "46007": api_error(46007, "being transcoded", PATH),
}
REFUSED: Final = {str(code): api_error(code, "token", PATH) for code in (40001, 40014, 42001)}
FINAL: Final[dict[str, WxAssetError]] = {
    "412": HTTPStatusError("412", PATH, status=412),
    "499": HTTPStatusError("499", PATH, status=499),
    "302": HTTPStatusError("302", PATH, status=302),
    "40007": api_error(40007, "invalid media_id", PATH),
    "40013": api_error(40013, "invalid appid", PATH),
    "40164": api_error(40164, "invalid ip 203.0.113.7, not in whitelist", PATH),
    "40113": api_error(40113, "unsupported file type", PATH),
    "41001": api_error(41001, "access_token missing", PATH),
    "45009": api_error(45009, "reach max api daily quota limit", PATH),
    "48001": api_error(48001, "api unauthorized", PATH),
    "unheard of": api_error(99999999, "?", PATH),
    "usage": UsageError("Wrong."),
    "source": SourceError("Gone."),
    "destination": DestinationError("Full."),
    "stream": StreamConsumedError("Read."),
    "unsafe": UnsafeURLError("Unsafe.", PATH),
    "unknown already": UploadOutcomeUnknown(
        "?", PATH, filename="a.jpg", type="image", size=1, started_at=0.0, ended_at=1.0, reason="?"
    ),
}
THROTTLED: Final[dict[str, WxAssetError]] = {
    "429": HTTPStatusError("429", PATH, status=429),
    "-501004": api_error(-501004, "exceed concurrent", PATH),
}
MINUTE: Final = {"45011": api_error(45011, "api minute-quota reach limit", PATH)}
STALE: Final[dict[str, WxAssetError]] = {
    "stale, closed": TransferError("Closed.", PATH, stale=True),
}
STALE_UNSENT: Final[dict[str, WxAssetError]] = {
    "stale, not all sent": TransferError("Closed.", PATH, outcome_unknown=False, stale=True),
}
TOO_LARGE: Final = ReplyTooLarge("Large.", PATH, limit=1)
EVERYTHING: Final[list[WxAssetError]] = [
    *NOT_SENT.values(),
    *UNCLEAR.values(),
    *REFUSED.values(),
    *FINAL.values(),
    *THROTTLED.values(),
    *MINUTE.values(),
    *STALE.values(),
    *STALE_UNSENT.values(),
    TOO_LARGE,
]
DOUBTFUL_ERRORS: Final = [*UNCLEAR.values(), *STALE.values()]

FIRST: Final = Attempt()
DOUBTFUL: Final = Attempt(number=2, elapsed=1.0, in_doubt=True)
LAST: Final = Attempt(number=3)
STREAM: Final = Attempt(resendable=False)
LATE: Final = Attempt(elapsed=120.0)
POOR: Final = Attempt(quota=13)
BROKE: Final = Attempt(quota=4)
NEAR: Final = Attempt(next_minute=20.0)

# What a retry costs of the session's 500.
COST: Final = 14
THROTTLE: Final = 5
RETRY: Final = Resend(wait=WAIT, cost=COST)
RETRY_DOUBTFULLY: Final = Resend(wait=WAIT, in_doubt=True, cost=COST)
RETRY_THROTTLED: Final = Resend(wait=WAIT, cost=THROTTLE)
NEXT_MINUTE: Final = Resend(wait=21.0, minute=True, cost=THROTTLE)
FRESH: Final = Resend(fresh_token=True)
RAISE: Final = Ending.RAISE
UNKNOWN: Final = OutcomeUnknown(COST)
NOT_AFFORDABLE: Final = OutcomeUnknown(None)
AT_ONCE: Final = Resend(stale=True)
AT_ONCE_DOUBTFULLY: Final = Resend(stale=True, in_doubt=True)


def rows(failures: Mapping[str, WxAssetError], state: str, attempt: Attempt, *expected: Action) -> list[object]:
    """Write the rows of the table for some failures: what follows for a READ, a DELETE and a CREATE."""
    return [
        pytest.param(effect, error, attempt, action, id=f"{effect.value}-{name}-{state}")
        for name, error in failures.items()
        for effect, action in zip((READ, DELETE, CREATE), expected, strict=True)
    ]


SECOND_WAIT: Final = Resend(wait=2 * WAIT, in_doubt=True, cost=COST)
STILL_DOUBTFUL: Final = Resend(fresh_token=True, in_doubt=True)

TABLE: Final = [
    # after these failures, in this state: READ, DELETE, CREATE
    *rows(NOT_SENT, "first", FIRST, RETRY, RETRY, RETRY),
    *rows(NOT_SENT, "doubtful", DOUBTFUL, SECOND_WAIT, SECOND_WAIT, SECOND_WAIT),
    *rows(NOT_SENT, "last", LAST, RAISE, RAISE, RAISE),
    *rows(NOT_SENT, "late", LATE, RAISE, RAISE, RAISE),
    *rows(NOT_SENT, "stream", STREAM, RAISE, RAISE, RAISE),
    *rows(UNCLEAR, "first", FIRST, RETRY_DOUBTFULLY, RETRY_DOUBTFULLY, UNKNOWN),
    *rows(UNCLEAR, "doubtful", DOUBTFUL, SECOND_WAIT, SECOND_WAIT, UNKNOWN),
    *rows(UNCLEAR, "last", LAST, RAISE, RAISE, UNKNOWN),
    *rows(UNCLEAR, "late", LATE, RAISE, RAISE, UNKNOWN),
    *rows(UNCLEAR, "stream", STREAM, RAISE, RAISE, UNKNOWN),
    *rows(NOT_SENT, "just rich enough", Attempt(quota=COST), RETRY, RETRY, RETRY),
    *rows(UNCLEAR, "just rich enough", Attempt(quota=COST), RETRY_DOUBTFULLY, RETRY_DOUBTFULLY, UNKNOWN),
    *rows(THROTTLED, "just rich enough", Attempt(quota=THROTTLE), RETRY_THROTTLED, RETRY_THROTTLED, RETRY_THROTTLED),
    *rows(NOT_SENT, "poor", POOR, RAISE, RAISE, RAISE),
    *rows(UNCLEAR, "poor", POOR, RAISE, RAISE, NOT_AFFORDABLE),
    *rows(UNCLEAR, "harmless", Attempt(harmless=True), RETRY_DOUBTFULLY, RETRY_DOUBTFULLY, RETRY_DOUBTFULLY),
    *rows(THROTTLED, "first", FIRST, RETRY_THROTTLED, RETRY_THROTTLED, RETRY_THROTTLED),
    *rows(THROTTLED, "poor", POOR, RETRY_THROTTLED, RETRY_THROTTLED, RETRY_THROTTLED),
    *rows(THROTTLED, "broke", BROKE, RAISE, RAISE, RAISE),
    *rows(THROTTLED, "last", LAST, RAISE, RAISE, RAISE),
    *rows(THROTTLED, "stream", STREAM, RAISE, RAISE, RAISE),
    *rows(MINUTE, "first", NEAR, NEXT_MINUTE, NEXT_MINUTE, NEXT_MINUTE),
    *rows(MINUTE, "waited", Attempt(number=2, minute_waited=True), RAISE, RAISE, RAISE),
    *rows(MINUTE, "too late", Attempt(elapsed=100.0, next_minute=20.0), RAISE, RAISE, RAISE),
    *rows(STALE, "first", FIRST, AT_ONCE_DOUBTFULLY, AT_ONCE_DOUBTFULLY, UNKNOWN),
    *rows(STALE, "last", LAST, AT_ONCE_DOUBTFULLY, AT_ONCE_DOUBTFULLY, UNKNOWN),
    *rows(STALE, "poor", POOR, AT_ONCE_DOUBTFULLY, AT_ONCE_DOUBTFULLY, NOT_AFFORDABLE),
    *rows(STALE, "one more", Attempt(stale=7), AT_ONCE_DOUBTFULLY, AT_ONCE_DOUBTFULLY, UNKNOWN),
    *rows(STALE, "too many", Attempt(stale=8), RETRY_DOUBTFULLY, RETRY_DOUBTFULLY, UNKNOWN),
    *rows(STALE, "stream", STREAM, RAISE, RAISE, UNKNOWN),
    *rows(STALE_UNSENT, "first", FIRST, AT_ONCE, AT_ONCE, RETRY),
    *rows(REFUSED, "first", FIRST, FRESH, FRESH, FRESH),
    *rows(REFUSED, "poor", BROKE, FRESH, FRESH, FRESH),
    *rows(REFUSED, "doubtful", DOUBTFUL, STILL_DOUBTFUL, STILL_DOUBTFUL, STILL_DOUBTFUL),
    *rows(REFUSED, "last", LAST, FRESH, FRESH, FRESH),
    *rows(REFUSED, "late", LATE, FRESH, FRESH, FRESH),
    *rows(REFUSED, "refused before", Attempt(token_refused=True), RAISE, RAISE, RAISE),
    *rows(REFUSED, "stream", STREAM, Ending.CANNOT_RESEND, Ending.CANNOT_RESEND, Ending.CANNOT_RESEND),
    *rows({"too large": TOO_LARGE}, "first", FIRST, RAISE, RAISE, UNKNOWN),
    *rows({"too large": TOO_LARGE}, "doubtful", DOUBTFUL, RAISE, RAISE, UNKNOWN),
    *rows(FINAL, "first", FIRST, RAISE, RAISE, RAISE),
    *rows({name: FINAL[name] for name in FINAL if name != "40007"}, "doubtful", DOUBTFUL, RAISE, RAISE, UNKNOWN),
    *rows({"40007": FINAL["40007"]}, "doubtful", DOUBTFUL, RAISE, Ending.ALREADY_DONE, UNKNOWN),
    *rows(UNCLEAR, "harmless at last", Attempt(harmless=True, number=3), RAISE, RAISE, UNKNOWN),
]


@pytest.mark.parametrize(("effect", "error", "attempt", "expected"), TABLE)
def test_the_table(effect: Effect, error: WxAssetError, attempt: Attempt, expected: Action) -> None:
    """Each failure in each state has the consequence that the design's table gives it."""
    assert decide(ROUTES[effect], error, attempt, RetryPolicy()) == expected


@pytest.mark.parametrize("error", REFUSED.values(), ids=REFUSED)
def test_a_call_without_a_token_is_not_sent_again_with_another(error: WxAssetError) -> None:
    """At a token endpoint 40001 means that the secret is wrong, and no token can cure that."""
    route = Route(path="/cgi-bin/stable_token", effect=READ, authorized=False)
    assert decide(route, error, FIRST, RetryPolicy()) == RAISE


def test_gone_is_success_only_where_the_route_says_so() -> None:
    """A code that the route does not list stays an error on a repetition."""
    route = Route(path=PATH, effect=DELETE)
    assert decide(route, FINAL["40007"], DOUBTFUL, RetryPolicy()) == RAISE


def test_a_decision_can_be_named() -> None:
    """Every decision is a public name of the module."""
    assert {one.__name__ for one in Action.__args__} <= set(retry.__all__)


SECONDS: Final = st.floats(0, 1e6, allow_nan=False)
TIMEOUTS: Final = st.floats(0, 1e6, exclude_min=True) | st.just(math.inf)
POLICIES: Final = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 1000),
    timeout=TIMEOUTS,
    wait_initial=SECONDS,
    wait_max=SECONDS,
    wait_jitter=st.floats(0, 1),
)
ATTEMPTS: Final = st.builds(
    Attempt,
    number=st.integers(1, 1000),
    elapsed=SECONDS,
    token_refused=st.booleans(),
    in_doubt=st.booleans(),
    resendable=st.booleans(),
    minute_waited=st.booleans(),
    next_minute=st.floats(0, 60),
    stale=st.integers(0, 10),
    quota=st.integers(0, 500),
    chance=st.floats(0, 1),
)
EFFECTS: Final = st.sampled_from(Effect)
ERRORS: Final = st.sampled_from(EVERYTHING)


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
@example(READ, NOT_SENT["connect"], Attempt(number=2000), RetryPolicy(attempts=10_000, timeout=math.inf))
def test_waits_are_bounded(effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy) -> None:
    """A wait is never negative and never longer than `wait_max`, unless it is for the next minute."""
    match decide(ROUTES[effect], error, attempt, policy):
        case Resend(minute=True, wait=wait):
            assert attempt.next_minute <= wait <= attempt.next_minute + 2
        case Resend(wait=wait):
            assert 0 <= wait <= policy.wait_max


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_no_more_attempts_than_allowed(
    effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """After the last attempt only a refused token is worth another, and that once."""
    match decide(ROUTES[effect], error, attempt, policy):
        case Resend(stale=True):
            assert attempt.stale < 8
        case Resend(fresh_token=False):
            assert attempt.number < policy.attempts
        case Resend(fresh_token=True):
            assert not attempt.token_refused


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_no_attempt_starts_after_the_timeout(
    effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """A wait that would end after the timeout is not begun."""
    match decide(ROUTES[effect], error, attempt, policy):
        case Resend(fresh_token=False, stale=False, wait=wait):
            assert attempt.elapsed + wait <= policy.timeout


@given(ERRORS, ATTEMPTS, POLICIES)
def test_what_replaces_the_same_with_the_same_is_repeated_like_a_read(
    error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """A second time changes nothing, so that no doubt is in the way."""
    assert decide(ROUTES[Effect.REPLACE], error, attempt, policy) == decide(ROUTES[READ], error, attempt, policy)


@given(st.sampled_from([*DOUBTFUL_ERRORS, TOO_LARGE]), ATTEMPTS, POLICIES)
def test_a_create_that_is_unclear_is_never_sent_again(
    error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """Whatever the state: where an upload may have happened, the caller decides."""
    assert isinstance(decide(ROUTES[CREATE], error, attempt, policy), OutcomeUnknown)


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_what_is_used_up_is_not_sent_again(
    effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """A body that cannot be reopened is never resent."""
    if not attempt.resendable:
        assert not isinstance(decide(ROUTES[effect], error, attempt, policy), Resend)


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_doubt_is_never_forgotten(effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy) -> None:
    """Once an attempt may have taken effect, every later one knows it; and only an unclear one raises the doubt."""
    match decide(ROUTES[effect], error, attempt, policy):
        case Resend(in_doubt=in_doubt):
            assert in_doubt == (attempt.in_doubt or error in DOUBTFUL_ERRORS)


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_only_a_repeated_delete_can_be_done_already(
    effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """An error counts as success for a DELETE alone, in doubt alone, and by its code alone."""
    if decide(ROUTES[effect], error, attempt, policy) is Ending.ALREADY_DONE:
        assert effect is DELETE
        assert attempt.in_doubt
        assert isinstance(error, APIError)
        assert error.errcode in GONE


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_a_decision_is_a_function(effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy) -> None:
    """The same question has the same answer: chance is an argument."""
    first, second = (decide(ROUTES[effect], error, attempt, policy) for _ in range(2))
    assert first == second


@given(EFFECTS, st.lists(ERRORS, min_size=40, max_size=40), st.integers(1, 5), st.floats(0, 1))
def test_a_call_that_keeps_failing_comes_to_an_end(
    effect: Effect, errors: list[WxAssetError], attempts: int, chance: float
) -> None:
    """Played through: at most `attempts` sendings and one more, and a create goes out at most once in doubt."""
    policy = RetryPolicy(attempts=attempts)
    attempt = Attempt(chance=chance)
    sendings = refreshes = stale = 0
    for error in errors:
        sendings += 1
        action = decide(ROUTES[effect], error, attempt, policy)
        if not isinstance(action, Resend):
            break
        assert not (effect is CREATE and action.in_doubt)
        refreshes += action.fresh_token
        stale += action.stale
        attempt = evolve(attempt.after(action), elapsed=attempt.elapsed + action.wait)
    assert refreshes <= 1
    assert stale <= 8
    assert sendings <= attempts + refreshes + stale


@given(EFFECTS, ERRORS, ATTEMPTS, POLICIES)
def test_no_more_is_spent_than_there_is(
    effect: Effect, error: WxAssetError, attempt: Attempt, policy: RetryPolicy
) -> None:
    """What a decision costs is there to be spent."""
    match decide(ROUTES[effect], error, attempt, policy):
        case Resend(cost=cost) | OutcomeUnknown(cost=int(cost)):
            assert 0 <= cost <= attempt.quota


def test_a_call_begins_without_a_past() -> None:
    """The first attempt has cost, waited and met nothing, and the session is rich; a plain resend costs nothing."""
    first = Attempt()
    assert (first.number, first.elapsed, first.stale, first.quota, first.cost) == (1, 0.0, 0, 500, 0)
    assert {first.token_refused, first.in_doubt, first.harmless, first.minute_waited} == {False}
    assert first.resendable
    assert (Resend().wait, Resend().cost) == (0.0, 0)
    assert RetryPolicy().timeout == 120.0


@pytest.mark.parametrize(
    ("resend", "changes"),
    [
        (Resend(wait=1.0, cost=14), {"number": 3, "cost": 19}),
        (Resend(in_doubt=True, cost=5), {"number": 3, "cost": 10, "in_doubt": True}),
        (Resend(fresh_token=True), {"token_refused": True}),
        (Resend(stale=True, in_doubt=True), {"stale": 3, "in_doubt": True}),
        (Resend(wait=30.0, minute=True, cost=5), {"number": 3, "cost": 10, "minute_waited": True}),
    ],
)
def test_the_next_attempt_knows_what_was(resend: Resend, changes: dict[str, Any]) -> None:
    """Costs add up; a fresh token and a stale connection do not count as attempts, but are remembered."""
    before = Attempt(number=2, stale=2, cost=5)
    assert before.after(resend) == evolve(before, **changes)


@pytest.mark.parametrize("flag", ["token_refused", "minute_waited"])
def test_what_was_is_not_forgotten(flag: str) -> None:
    """A refused token and a minute that was waited for are remembered through later attempts."""
    before = evolve(Attempt(), **{flag: True})
    assert getattr(before.after(Resend(wait=1.0)), flag) is True


def test_an_outage_uses_the_quota_up() -> None:
    """500 pay for 35 retries at 14 each, or for 100 at 5 each."""
    for error, retries in ((NOT_SENT["connect"], 35), (THROTTLED["429"], 100)):
        quota, made = RetryQuota(), 0
        while isinstance(action := decide(ROUTES[READ], error, Attempt(quota=quota.left), RetryPolicy()), Resend):
            quota.spend(action.cost)
            made += 1
        assert made == retries


@given(st.lists(st.integers(0, 100), max_size=50))
def test_the_quota_comes_back_with_success(costs: list[int]) -> None:
    """A success gives back what its call spent, or 1, up to 500."""
    quota = RetryQuota()
    quota.spend(490)
    left = quota.left
    for cost in costs:
        quota.refill(cost)
        left = min(500, left + (cost or 1))
        assert quota.left == left


@pytest.mark.parametrize("status", [201, 204, 206])
def test_a_changed_status_of_success_leaves_a_create_in_doubt(status: int) -> None:
    """A gateway may have replaced a response that said yes; reads and deletions are told the status."""
    error = HTTPStatusError("", PATH, status=status)
    actions = [decide(ROUTES[effect], error, FIRST, RetryPolicy()) for effect in (CREATE, READ, DELETE)]
    assert actions == [OutcomeUnknown(COST), RAISE, RAISE]


@pytest.mark.parametrize(
    ("order", "expected"),
    [(None, WAIT), (0.1, WAIT), (3.0, 3.0), (120.0, 120.0), (120.1, None), (1e9, None)],
)
@pytest.mark.parametrize(("status", "cost", "in_doubt"), [(429, THROTTLE, False), (503, COST, True)])
def test_a_server_may_ask_for_patience(
    status: int, cost: int, order: float | None, expected: float | None, *, in_doubt: bool
) -> None:
    """`Retry-After` lengthens a wait up to 120 seconds; beyond that the error is raised."""
    error = HTTPStatusError("", PATH, status=status, retry_after=order)
    action = decide(ROUTES[READ], error, FIRST, RetryPolicy(timeout=1000))
    assert action == (RAISE if expected is None else Resend(wait=expected, in_doubt=in_doubt, cost=cost))


def test_a_server_is_not_waited_for_beyond_the_timeout() -> None:
    """A `Retry-After` that the call has no time for ends it at once."""
    error = HTTPStatusError("", PATH, status=429, retry_after=30.0)
    assert decide(ROUTES[READ], error, FIRST, RetryPolicy(timeout=29.9)) == RAISE


@pytest.mark.parametrize(
    ("number", "chance", "expected"),
    [(1, 0.0, 0.5), (2, 0.0, 1.0), (3, 0.0, 2.0), (5, 0.0, 8.0), (6, 0.0, 8.0), (1, 1.0, 0.0), (3, 0.25, 1.5)],
)
def test_waits_double_up_to_the_longest(number: int, chance: float, expected: float) -> None:
    """The default waits are 0.5, 1, 2, 4 and then 8 seconds, less what chance takes away."""
    assert RetryPolicy().wait(number, chance) == expected


@given(st.integers(1, 30), st.floats(0, 1), POLICIES)
def test_jitter_takes_away_no_more_than_its_share(number: int, chance: float, policy: RetryPolicy) -> None:
    """With a jitter of j, at least 1 - j of each wait is left; without any, chance changes nothing."""
    longest = RetryPolicy(wait_initial=policy.wait_initial, wait_max=policy.wait_max, wait_jitter=0).wait(
        number, chance
    )
    assert policy.wait(number, 0.0) == longest
    least = longest * (1 - policy.wait_jitter)
    assert least * (1 - 1e-9) <= policy.wait(number, chance) <= longest


def test_the_timeout_itself_is_still_in_time() -> None:
    """An attempt may start exactly at the timeout."""
    policy = RetryPolicy(timeout=10, wait_initial=1, wait_jitter=0)
    assert decide(ROUTES[READ], NOT_SENT["connect"], Attempt(elapsed=9.0), policy) == Resend(wait=1.0, cost=COST)
    assert decide(ROUTES[READ], NOT_SENT["connect"], Attempt(elapsed=9.5), policy) == RAISE


def test_one_attempt_means_no_retry() -> None:
    """`attempts=1` sends once; the resend after a refused token comes on top."""
    policy = RetryPolicy(attempts=1)
    assert decide(ROUTES[READ], NOT_SENT["connect"], FIRST, policy) == RAISE
    assert decide(ROUTES[READ], REFUSED["42001"], FIRST, policy) == FRESH


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("attempts", -1),
        ("timeout", 0),
        ("timeout", -0.1),
        ("timeout", math.nan),
        ("wait_initial", -1.0),
        ("wait_max", -1.0),
        ("wait_jitter", -0.1),
        ("wait_jitter", 1.1),
    ],
)
def test_a_policy_refuses_what_makes_no_sense(name: str, value: float) -> None:
    """Counts start at 1, seconds at 0, and a share is from 0 to 1; the message names the argument."""
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: value})  # type: ignore[arg-type] # one of several names


@pytest.mark.parametrize(
    ("name", "value"), [("attempts", 1), ("timeout", 0.001), ("wait_initial", 0), ("wait_max", 0), ("wait_jitter", 1)]
)
def test_a_policy_takes_the_limits_themselves(name: str, value: float) -> None:
    """The smallest and the largest permitted values are permitted."""
    assert getattr(RetryPolicy(**{name: value}), name) == value  # type: ignore[arg-type] # as above
