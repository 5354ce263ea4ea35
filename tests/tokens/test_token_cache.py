"""The token cache on its own: a virtual clock, a source that does what a test says, and no network."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field

from clocks import Clock
from wxasset import Token, TokenCache
from wxasset.calls.tokens import GetAccessToken, IssuedToken
from wxasset.errors import (
    APIError,
    CredentialError,
    IPNotAllowedError,
    TokenRejectedError,
    TokenStoreError,
    TokenUnavailableError,
    TransferError,
)
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.store import MemoryTokenStore

LIFE = 7200.0
REFUSED = TokenRejectedError(errcode=40001, errmsg="invalid credential", path="/cgi-bin/x")
BAD_SECRET = CredentialError(errcode=40125, errmsg="invalid appsecret", path="/cgi-bin/token")

NOT_LISTED = IPNotAllowedError(errcode=40164, errmsg="invalid ip", path="/cgi-bin/token", ip="203.0.113.7")


@define
class Source:
    """A source that counts its fetches, and gives, raises or waits as it is told."""

    account: str | None = "classic wx1"
    supersedes: bool = True
    life: float = LIFE
    name: str = "token"
    fetches: int = 0
    under_way: int = 0
    most: int = 0
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    seen: list[tuple[str | None, bool]] = field(factory=list)

    async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
        """Make one call through the exchange, and issue the next token."""
        self.seen.append((previous.value if previous else None, rejected))
        await exchange(GetAccessToken(appid="wx1", secret="s"))
        self.fetches += 1
        number = self.fetches
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return Token(value=f"{self.name}{number}", expires_in=self.life)
        finally:
            self.under_way -= 1


async def exchange(call: Any, /) -> Any:
    """Answer a token call; what it says does not matter here."""
    del call
    return IssuedToken(access_token="t", expires_in=1)


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    """A virtual clock."""
    return Clock(1_800_000_000.0)


@pytest.fixture
def source() -> Source:
    """A source."""
    return Source()


@pytest.fixture
def cache(source: Source, clock: Clock) -> TokenCache:
    """A cache over it."""
    return TokenCache(source, now=clock, clock=clock)


# Windows


async def test_in_the_last_minutes_one_task_fetches_and_nobody_waits(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    """From 5 to 4 minutes before its end on, at random, a token is replaced in the background."""
    first = await cache.acquire(exchange)
    clock.time += LIFE - 301
    assert await cache.acquire(exchange) is first
    await settle()
    assert source.fetches == 1, "no sooner than 5 minutes before"

    clock.time += 61
    source.gate = asyncio.Event()
    assert [(await cache.acquire(exchange)) is first for _ in range(50)] == [True] * 50
    await settle()
    assert (source.fetches, source.under_way) == (2, 1), "no later than 4 minutes before, and once"
    source.gate.set()
    await settle()
    assert (await cache.acquire(exchange)).value == "token2"


async def test_in_the_last_minute_everybody_waits(cache: TokenCache, source: Source, clock: Clock) -> None:
    """A token is not given out in its last minute; all wait for one fetch."""
    await cache.acquire(exchange)
    clock.time += LIFE - 59
    source.gate = asyncio.Event()
    tasks = [asyncio.create_task(cache.acquire(exchange)) for _ in range(50)]
    await settle()
    assert (source.fetches, [task for task in tasks if task.done()]) == (2, [])
    source.gate.set()
    assert {token.value for token in await asyncio.gather(*tasks)} == {"token2"}


@pytest.mark.parametrize(("life", "quiet", "late"), [(100.0, 74, 91), (345.0, 258, 311), (2.0, 1.4, 1.9)])
async def test_margins_shrink_with_a_short_life(
    cache: TokenCache, source: Source, clock: Clock, life: float, quiet: float, late: float
) -> None:
    """A short-lived token is replaced in its last quarter, and serves until its last tenth."""
    source.life = life
    first = await cache.acquire(exchange)
    clock.time += quiet
    assert await cache.acquire(exchange) is first
    await settle()
    assert source.fetches == 1
    clock.time += late - quiet
    assert await cache.acquire(exchange) is not first


@pytest.mark.parametrize("life", [LIFE, 100.0])
@pytest.mark.parametrize(("chance", "early"), [(0.0, 300.0), (0.5, 270.0), (1.0, 240.0)])
async def test_the_renewal_begins_at_its_second(
    cache: TokenCache,
    source: Source,
    clock: Clock,
    life: float,
    chance: float,
    early: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """300 seconds before its end, less up to 60 at random, or 25 of 100: not sooner, and not later."""
    monkeypatch.setattr("random.random", lambda: chance)
    source.life = life
    first = await cache.acquire(exchange)
    clock.time += life - min(early, life / 4) - 0.5
    assert await cache.acquire(exchange) is first
    await settle()
    assert source.fetches == 1
    clock.time += 0.5
    assert await cache.acquire(exchange) is first
    await settle()
    assert source.fetches == 2


@pytest.mark.parametrize(("life", "last"), [(LIFE, 60.0), (100.0, 10.0)])
async def test_a_token_serves_until_its_last_minute_begins(
    cache: TokenCache, source: Source, clock: Clock, life: float, last: float
) -> None:
    """60 seconds before its end, or 10 of 100, a token is given out no longer; half a second before, it still is."""
    source.life = life
    first = await cache.acquire(exchange)
    clock.time += life - last - 0.5
    assert await cache.acquire(exchange) is first
    clock.time += 0.5
    assert await cache.acquire(exchange) is not first


async def test_a_failure_in_the_background_is_logged_once(
    cache: TokenCache, source: Source, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """While the old token serves, a renewal that fails is one warning in one line, and is tried again in 30 seconds."""
    caplog.set_level(logging.WARNING, "wxasset.tokens")
    first = await cache.acquire(exchange)
    source.failure = TransferError("The connection broke.\r\nCRITICAL \x1b[31m")
    clock.time += LIFE - 230
    for _ in range(5):
        for _ in range(10):
            assert await cache.acquire(exchange) is first
            await settle()
        clock.time += 31
    assert source.fetches == 1 + 5
    (record,) = caplog.records
    assert "could not be renewed" in record.getMessage()
    assert record.getMessage().isprintable()
    source.failure = None
    assert await cache.acquire(exchange) is first
    await settle()
    assert (await cache.acquire(exchange)).value == "token7"


# Cancellation


async def test_cancelling_waiters_harms_nobody_and_loses_nothing(cache: TokenCache, source: Source) -> None:
    """The first of three waiters is cancelled, then all: the others get the token, and what was issued is kept."""
    source.gate = asyncio.Event()
    first, second, third = [asyncio.create_task(cache.acquire(exchange)) for _ in range(3)]
    await settle()
    first.cancel()
    await settle()
    assert (first.cancelled(), second.done(), source.fetches) == (True, False, 1)
    second.cancel()
    third.cancel()
    await settle()
    source.gate.set()
    await settle()
    assert (await cache.acquire(exchange)).value == "token1"
    assert source.fetches == 1


async def test_a_session_that_is_closed_stops_its_fetch_and_others_go_on(cache: TokenCache, source: Source) -> None:
    """The fetch belongs to the session whose exchange it uses; those who wait with another one fetch anew."""

    async def other(call: Any, /) -> Any:
        return await exchange(call)

    source.gate = asyncio.Event()
    tasks = [asyncio.create_task(cache.acquire(exchange)), asyncio.create_task(cache.acquire(other))]
    await settle()
    tasks[0].cancel()
    await cache.release(other)
    assert source.under_way == 1, "not this one's fetch"
    await cache.release(exchange)
    await settle()
    assert (source.fetches, source.under_way) == (2, 1)
    source.gate.set()
    assert (await tasks[1]).value == "token2"
    await cache.release(other)


async def test_a_session_is_known_by_its_method(cache: TokenCache, source: Source) -> None:
    """A session's exchange is a method, which is another object each time that it is looked up."""

    class Session:
        async def exchange(self, call: Any, /) -> Any:
            return await exchange(call)

    session = Session()
    source.gate = asyncio.Event()
    task = asyncio.create_task(cache.acquire(session.exchange))
    await settle()
    task.cancel()
    await cache.release(Session().exchange)
    assert source.under_way == 1, "another session's"
    await cache.release(session.exchange)
    assert source.under_way == 0


async def test_a_session_that_is_closed_stops_the_fetch_of_its_platform_as_well(source: Source) -> None:
    """The platform's token may be under way for an account's: both stop with the session that asked."""
    platform = TokenCache(source)

    @define
    class Account:
        component: TokenCache

        async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
            del previous, rejected
            return await self.component.acquire(exchange)

    cache = TokenCache(Account(platform))
    source.gate = asyncio.Event()
    task = asyncio.create_task(cache.acquire(exchange))
    await settle()
    task.cancel()
    assert source.under_way == 1
    await cache.release(exchange)
    assert source.under_way == 0


# Failures


async def test_a_failure_is_everybodys(cache: TokenCache, source: Source) -> None:
    """All who wait get the failure, each a copy of its own; who comes later asks again."""
    source.failure = TransferError("The connection broke.", "/cgi-bin/token")
    tasks = [asyncio.create_task(cache.acquire(exchange)) for _ in range(50)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {str(one) for one in results} == {str(source.failure)}
    assert (len({id(one) for one in results}), source.fetches) == (50, 1)
    with pytest.raises(TransferError):
        await cache.acquire(exchange)
    assert source.fetches == 2


async def test_a_fault_of_a_source_is_raised_as_it_is(cache: TokenCache, source: Source) -> None:
    """What is no failure of ours, such as a slip in a user's source, reaches the caller unchanged."""
    source.failure = ZeroDivisionError("slip")
    with pytest.raises(ZeroDivisionError, match="slip"):
        await cache.acquire(exchange)


async def test_a_fault_of_a_source_has_the_same_short_traceback_in_each_task(cache: TokenCache, source: Source) -> None:
    """It is one error for all, and each that raises it would add its frames to those of the others."""
    source.failure = ZeroDivisionError("slip")
    caught = await asyncio.gather(*(cache.acquire(exchange) for _ in range(50)), return_exceptions=True)
    last = caught[-1]
    assert isinstance(last, ZeroDivisionError)
    names = [frame.name for frame in traceback.extract_tb(last.__traceback__)]
    assert names.count("acquire") == 1
    assert names[-1] == "fetch"


@pytest.mark.parametrize(
    "refusal",
    [BAD_SECRET, IPNotAllowedError(errcode=40164, errmsg="invalid ip", path="/cgi-bin/token", ip="203.0.113.7")],
)
async def test_a_refusal_for_good_is_not_asked_for_again(
    cache: TokenCache, source: Source, clock: Clock, refusal: APIError
) -> None:
    """A bad secret or an unlisted address: one token call in 30 seconds, and everybody gets the same error."""
    source.failure = refusal
    for _ in range(100):
        with pytest.raises(type(refusal)) as caught:
            await cache.acquire(exchange)
        assert str(caught.value) == str(refusal)
    assert source.fetches == 1
    clock.time += 31
    source.failure = None
    assert (await cache.acquire(exchange)).value == "token2"


async def test_a_refusal_while_the_old_token_serves_leaves_the_quota_alone(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    """A secret that was reset: the old token serves to its end, and the source is asked every 30 seconds."""
    first = await cache.acquire(exchange)
    source.failure = BAD_SECRET
    clock.time += LIFE - 200
    for _ in range(29):
        assert await cache.acquire(exchange) is first
        await settle()
        clock.time += 1
    assert source.fetches == 2


async def test_a_source_that_was_refused_is_asked_again_after_30_seconds(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    """Half a second before, the refusal is raised again; from then on the source is asked, also by a token in hand."""
    source.failure = BAD_SECRET
    for wait in (0.0, 30.0):
        clock.time += wait
        with pytest.raises(CredentialError):
            await cache.acquire(exchange)
    assert source.fetches == 2
    clock.time += 29.5
    with pytest.raises(CredentialError):
        await cache.acquire(exchange)
    assert source.fetches == 2

    source.failure = None
    clock.time += 0.5
    first = await cache.acquire(exchange)
    source.failure = BAD_SECRET
    clock.time += LIFE - 200
    for wait, fetches in ((0.0, 4), (29.5, 4), (0.5, 5)):
        clock.time += wait
        assert await cache.acquire(exchange) is first
        await settle()
        assert source.fetches == fetches


async def test_a_remembered_refusal_is_raised_after_a_look_at_the_store(source: Source, clock: Clock) -> None:
    """A token that another process has stored meanwhile ends the refusal; the source is not asked before."""
    store = MemoryTokenStore()
    cache = TokenCache(source, store=store, now=clock, clock=clock)
    source.failure = BAD_SECRET
    for _ in range(3):
        with pytest.raises(CredentialError):
            await cache.acquire(exchange)
    assert source.fetches == 1
    other = await TokenCache(Source(name="other"), store=store, now=clock, clock=clock).acquire(exchange)
    assert (await cache.acquire(exchange)).value == other.value
    assert source.fetches == 1


async def test_a_refused_call_is_made_again_with_other_credentials(clock: Clock) -> None:
    """A refusal belongs to the call with its credentials: another secret is tried at once."""

    class Changing:
        secret = "old"

        async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
            del previous, rejected
            await exchange(GetAccessToken(appid="wx1", secret=self.secret))
            return Token(value=self.secret, expires_in=LIFE)

    asked: list[str] = []

    async def wechat(call: Any, /) -> Any:
        asked.append(call.secret)
        if call.secret == "old":
            raise BAD_SECRET
        return await exchange(call)

    source = Changing()
    cache = TokenCache(source, now=clock, clock=clock)
    for wait in (0.0, 29.5, 0.5):
        clock.time += wait
        with pytest.raises(CredentialError):
            await cache.acquire(wechat)
    source.secret = "new"
    assert (await cache.acquire(wechat)).value == "new"
    assert asked == ["old", "old", "new"]


async def test_tokens_that_served_are_replaced_more_often(cache: TokenCache, source: Source) -> None:
    """A token that served its path was superseded: 20 fetches in 30 seconds; one that expired is always replaced."""
    expired = TokenRejectedError(errcode=42001, errmsg="access_token expired", path=REFUSED.path)
    for error, fetches in ((expired, 50), (REFUSED, 20)):
        source.fetches = 0
        for _ in range(fetches):
            token = await cache.acquire(exchange)
            cache.accept(REFUSED.path)
            cache.reject(token, error)
        assert source.fetches == fetches
    with pytest.raises(TokenRejectedError):
        await cache.acquire(exchange)


async def test_calls_of_the_last_30_seconds_count_against_a_refused_token(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    """However many there were before the refusal, the endpoint rests until fewer than two are 30 seconds old."""
    source.life = 10.0
    for _ in range(3):
        await cache.acquire(exchange)
        clock.time += 9.5  # in its last tenth
    assert cache._token is not None
    cache.reject(cache._token, REFUSED)  # the calls were 28.5, 19 and 9.5 seconds ago
    clock.time += 10.0
    with pytest.raises(TokenRejectedError):
        await cache.acquire(exchange)
    clock.time += 1.0  # the second is 30 seconds old
    assert (await cache.acquire(exchange)).value == "token4"


async def test_a_late_refusal_does_not_cost_a_token_that_was_fetched_since(cache: TokenCache, source: Source) -> None:
    """WeChat may issue the same text again; the refusal of the one before is no news about it."""

    class Same(Source):
        async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
            await source.fetch(exchange, previous=previous, rejected=rejected)
            return Token(value="same", expires_in=LIFE)

    cache.source = Same()
    first = await cache.acquire(exchange)
    cache.reject(first, REFUSED)
    second = await cache.acquire(exchange)
    cache.reject(first, REFUSED)
    assert await cache.acquire(exchange) is second
    assert source.fetches == 2


async def test_tokens_that_are_refused_one_after_the_other_are_held_back(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    """While WeChat refuses each new token, an endpoint is called twice in 30 seconds; the refusal is raised."""
    for _ in range(2):
        cache.reject(await cache.acquire(exchange), REFUSED)
    for _ in range(100):
        with pytest.raises(TokenRejectedError) as caught:
            await cache.acquire(exchange)
        assert caught.value is not REFUSED
    assert source.fetches == 2
    clock.time += 31
    assert (await cache.acquire(exchange)).value == "token3"


async def test_a_rejection_without_an_error_is_held_back_too(cache: TokenCache) -> None:
    """A source that rejects another cache's token gives no error; the cure is named all the same."""
    for _ in range(2):
        cache.reject(await cache.acquire(exchange))
    with pytest.raises(TokenUnavailableError, match=r"^WeChat refuses each token .* up to 30 seconds") as caught:
        await cache.acquire(exchange)
    assert caught.value.hint is not None
    assert caught.value.hint.english.startswith("See that the appid is that of the account that is called")
    assert caught.value.hint.chinese.startswith("请确认 appid")


async def test_a_source_is_told_what_was_refused(cache: TokenCache, source: Source, clock: Clock) -> None:
    """`previous` is the last token, `rejected` whether it was refused before its time."""
    token = await cache.acquire(exchange)
    cache.reject(token, REFUSED)
    cache.reject(token, REFUSED)
    await cache.acquire(exchange)
    cache.reject(token, REFUSED)  # long replaced
    clock.time += LIFE
    await cache.acquire(exchange)
    assert source.seen == [(None, False), ("token1", True), ("token2", False)]


# Stores


class BrokenStore(MemoryTokenStore):
    """A store that fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    async def load(self, key: str) -> TokenRecord | None:
        """Load, or fail."""
        self._check("load")
        return await super().load(key)

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Save, or fail."""
        self._check("save")
        return await super().save(key, record)

    def lease(self, key: str) -> Any:
        """Lease, or fail when it is entered or left."""
        del key
        return BrokenLease(self)

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise TokenStoreError("Redis is down.")


class BrokenLease:
    """A lease that can fail."""

    def __init__(self, store: BrokenStore) -> None:
        self.store = store

    async def __aenter__(self) -> None:
        """Begin."""
        self.store._check("lease")

    async def __aexit__(self, *_: object) -> None:
        """End."""
        self.store._check("return")


@pytest.fixture
def store() -> BrokenStore:
    """A store."""
    return BrokenStore()


def caches(
    count: int, make: Callable[[], Source], store: MemoryTokenStore, clock: Clock
) -> list[tuple[TokenCache, Source]]:
    """Caches as of several processes, each with a source of its own."""
    sources = [make() for _ in range(count)]
    return [(TokenCache(source, store=store, now=clock, clock=clock), source) for source in sources]


async def test_a_store_spares_the_others_their_fetch(store: BrokenStore, clock: Clock) -> None:
    """What one process has fetched, another finds; also after a refusal, and near its end."""
    (one, source), (two, idle) = caches(2, Source, store, clock)
    token = await one.acquire(exchange)
    found = await two.acquire(exchange)
    assert (found.value, idle.fetches) == (token.value, 0)

    two.reject(found, REFUSED)
    idle.name = "other"
    assert (await two.acquire(exchange)).value == "other1"
    assert (source.fetches, idle.fetches) == (1, 1), "the record was the refused one"
    one.reject(token, REFUSED)
    assert (await one.acquire(exchange)).value == "other1"
    assert (source.fetches, idle.fetches) == (1, 1), "the other one had replaced it"

    clock.time += LIFE - 100
    await one.acquire(exchange)
    await settle()
    await two.acquire(exchange)
    await settle()
    assert source.fetches + idle.fetches == 3


async def test_a_record_holds_no_appid_and_no_secret(store: BrokenStore, clock: Clock) -> None:
    """The key is a hash; the record has the token, its times, its version and its kind."""
    ((one, _),) = caches(1, Source, store, clock)
    await one.acquire(exchange)
    ((key, record),) = store._records.items()
    assert "wx1" not in key
    assert record == TokenRecord(
        token="token1", issued=clock.time, expires=clock.time + LIFE, version=1, mode="classic"
    )
    assert TokenRecord.parse(record.dump()) == record


@pytest.mark.parametrize(("life", "last"), [(LIFE, 60.0), (100.0, 10.0)])
@pytest.mark.parametrize("early", [0.5, 0.0])
async def test_a_record_serves_until_its_last_minute_begins(
    store: BrokenStore, clock: Clock, life: float, last: float, early: float
) -> None:
    """What another process fetched is taken as long as it would be given out: until 60 seconds, or 10 of 100."""
    ((one, _), (two, idle)) = caches(2, lambda: Source(life=life), store, clock)
    await one.acquire(exchange)
    clock.time += life - last - early
    token = await two.acquire(exchange)
    assert (token.expires_in, idle.fetches) == (life, 0 if early else 1)


async def test_a_record_is_given_out_no_longer_than_by_who_fetched_it(store: BrokenStore, clock: Clock) -> None:
    """The time that it has been in the store is time of its life."""
    ((one, _), (two, idle)) = caches(2, Source, store, clock)
    await one.acquire(exchange)
    clock.time += LIFE / 2
    await two.acquire(exchange)
    assert idle.fetches == 0
    clock.time += LIFE / 2 - 60
    await two.acquire(exchange)
    assert idle.fetches == 1


async def test_a_refused_token_is_not_taken_from_a_store_again(clock: Clock) -> None:
    """Its record is known by the token's text: most stores give another object each time."""

    class Copies(MemoryTokenStore):
        async def load(self, key: str) -> TokenRecord | None:
            record = await super().load(key)
            return TokenRecord.parse(record.dump()) if record is not None else None

    ((_, source), (two, idle)) = caches(2, Source, copies := Copies(), clock)
    await TokenCache(source, store=copies, now=clock, clock=clock).acquire(exchange)
    two.reject(await two.acquire(exchange), REFUSED)
    assert idle.fetches == 0
    await two.acquire(exchange)
    assert idle.seen == [("token1", True)]


async def test_a_source_is_told_of_its_own_last_token_first(store: BrokenStore, clock: Clock) -> None:
    """A new process is told of the token that the store knows; one that has had a token, of that one."""
    ((one, source), (two, idle)) = caches(2, Source, store, clock)
    await one.acquire(exchange)
    clock.time += LIFE
    await two.acquire(exchange)
    clock.time += LIFE
    await one.acquire(exchange)
    assert (source.seen, idle.seen) == ([(None, False), ("token1", False)], [("token1", False)])


async def test_a_source_that_says_nothing_of_others_does_without_the_store(store: BrokenStore, clock: Clock) -> None:
    """Without `supersedes` a fetch is taken to end nobody's token."""

    class Quiet:
        account = "own wx1"

        async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
            del exchange, previous, rejected
            return Token(value="t", expires_in=LIFE)

    store.broken = {"load"}
    assert (await TokenCache(Quiet(), store=store, now=clock, clock=clock).acquire(exchange)).value == "t"


@pytest.mark.parametrize("step", [-10_000.0, 100.0, 10_000.0])
async def test_a_clock_that_steps_does_not_lengthen_a_life(store: BrokenStore, clock: Clock, step: float) -> None:
    """A record is never believed to live longer than it was issued for; one from the past is fetched anew."""
    wall = Clock(1_800_000_000.0)
    one = TokenCache(Source(), store=store, now=clock, clock=wall)
    await one.acquire(exchange)
    wall.time += step
    idle = Source()
    two = TokenCache(idle, store=store, now=clock, clock=wall)
    await two.acquire(exchange)
    assert idle.fetches == (1 if step > LIFE else 0)
    clock.time += LIFE - 50
    await two.acquire(exchange)
    assert idle.fetches == (2 if step > LIFE else 1)


@pytest.mark.parametrize("broken", [{"load", "lease", "save"}, {"lease"}, {"save"}, {"return"}])
async def test_with_a_stable_token_a_broken_store_stops_nobody(
    store: BrokenStore, clock: Clock, broken: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Each process fetches for itself; the store's failure is one warning, and none when it works again."""
    ((one, source),) = caches(1, lambda: Source(account="stable wx1", supersedes=False), store, clock)
    store.broken = broken
    for _ in range(3):
        await one.acquire(exchange)
        clock.time += LIFE
    assert source.fetches == 3
    assert len([one for one in caplog.records if "store failed" in one.getMessage()]) >= 1


async def test_with_a_classic_token_the_cached_one_serves_while_it_lives(store: BrokenStore, clock: Clock) -> None:
    """A store that is down costs nothing until the token ends; then the call fails, and says why."""
    ((one, source),) = caches(1, Source, store, clock)
    first = await one.acquire(exchange)
    store.broken = {"load", "lease", "save"}
    clock.time += LIFE - 200
    assert await one.acquire(exchange) is first
    await settle()
    clock.time += 150
    with pytest.raises(TokenStoreError, match=r"would end the one that others use.*Redis is down") as caught:
        await one.acquire(exchange)
    assert "stable" in caught.value.hint.english
    assert source.fetches == 1
    store.broken = set()
    assert (await one.acquire(exchange)).value == "token2"


async def test_an_unsaved_token_is_not_lost(store: BrokenStore, clock: Clock) -> None:
    """A token that was issued serves its process, also where the store did not take it."""
    ((one, source),) = caches(1, Source, store, clock)
    store.broken = {"save"}
    assert (await one.acquire(exchange)).value == "token1"
    assert (await one.acquire(exchange)).value == "token1"
    assert source.fetches == 1


async def test_a_late_writer_gives_way_to_a_newer_token(store: BrokenStore, clock: Clock) -> None:
    """A fetch that took so long that another one overtook it: the newer token counts, for the late one too."""
    (slow, late), (fast, _) = caches(2, Source, store, clock)
    late.gate = asyncio.Event()
    task = asyncio.create_task(slow.acquire(exchange))
    await settle()
    clock.time += 5
    newer = await fast.acquire(exchange)
    ((_, record),) = store._records.items()
    store._records = dict.fromkeys(store._records, TokenRecord.parse(record.dump().replace(b"token1", b"newer")))
    clock.time -= 5
    late.gate.set()
    assert (await task).value == "newer"
    assert newer.value == "token1"


async def test_after_a_flush_the_next_token_is_kept_again(store: BrokenStore, clock: Clock) -> None:
    """A store that forgot everything is filled again by the next fetch."""
    ((one, _),) = caches(1, Source, store, clock)
    await one.acquire(exchange)
    store._records.clear()
    clock.time += LIFE
    await one.acquire(exchange)
    ((_, record),) = store._records.items()
    assert (record.token, record.version) == ("token2", 2)


async def test_a_refresh_token_comes_back_from_the_store(store: BrokenStore, clock: Clock) -> None:
    """What a third-party platform needs for its next token is kept with the last one, also after its end."""
    seen: list[str | None] = []

    class Platform:
        account = "authorizer wx1"
        supersedes = True

        async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
            del exchange, rejected
            seen.append(previous.refresh_token if previous else None)
            return Token(value=f"t{len(seen)}", expires_in=LIFE, refresh_token=f"refresh{len(seen)}")

    await TokenCache(Platform(), store=store, now=clock, clock=clock).acquire(exchange)
    clock.time += LIFE
    await TokenCache(Platform(), store=store, now=clock, clock=clock).acquire(exchange)
    assert seen == [None, "refresh1"]


async def test_tokens_that_belong_to_nobody_are_not_stored(store: BrokenStore, clock: Clock) -> None:
    """A source without an account, such as a user's own, leaves the store alone."""
    ((one, _),) = caches(1, lambda: Source(account=None), store, clock)
    await one.acquire(exchange)
    assert store._records == {}
