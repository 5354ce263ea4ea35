"""Any sequence of calls, fetches, failures, refusals, cancellations and hours, held against a model of the cache."""

import asyncio
import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from wxasset import Token, TokenCache
from wxasset.errors import CredentialError, TokenRejectedError, TransferError

EXAMPLES = int(os.environ.get("WXASSET_EXAMPLES", "200"))

FAILURES = (
    TransferError("The connection broke."),
    CredentialError(errcode=40125, errmsg="invalid appsecret", path="/cgi-bin/token"),
)


class TokenCacheMachine(RuleBasedStateMachine):
    """The model: which tokens were issued and when they end, which were refused, who waits."""

    waiters: Bundle[asyncio.Task[Token]] = Bundle("waiters")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.pending: list[asyncio.Future[Token]] = []
        self.ends: dict[str, float] = {}
        self.refused: set[str] = set()
        self.tasks: list[asyncio.Task[Token]] = []
        self.problems: list[str] = []
        self.cache = TokenCache(self, now=lambda: self.now)
        self.last: Token | None = None

    # The machine is its cache's source, and answers when a rule says so.

    async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
        """Wait for a rule to finish the fetch."""
        del exchange, previous, rejected
        answer: asyncio.Future[Token] = self.loop.create_future()
        self.pending.append(answer)
        try:
            return await answer
        finally:
            self.pending.remove(answer)

    async def exchange(self, call: Any, /) -> Any:
        """Make no call."""

    async def call(self, *, refused: bool = False) -> Token:
        """Be a call that needs a token, and look at what it gets; WeChat may refuse it at once."""
        token = await self.cache.acquire(self.exchange)
        if self.now >= self.ends[token.value]:
            self.problems.append(f"{token.value} was given out after its end")
        if token.value in self.refused:
            self.problems.append(f"{token.value} was given out after it was refused")
        self.last = token
        if refused:
            self.refuse_last()
        return token

    def refuse_last(self) -> None:
        """Tell the cache that WeChat refuses the token that was given out last."""
        assert self.last is not None
        self.refused.add(self.last.value)
        self.cache.reject(self.last, TokenRejectedError(errcode=40001, errmsg="invalid credential"))

    def settle(self) -> None:
        """Run every task until all of them wait."""

        async def turn() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())

    @rule(target=waiters)
    def start(self) -> asyncio.Task[Token]:
        """A call begins."""
        task = self.loop.create_task(self.call())
        self.tasks.append(task)
        self.settle()
        return task

    @rule(refusals=st.lists(st.booleans(), min_size=2, max_size=20))
    def start_many(self, refusals: list[bool]) -> None:
        """Many calls begin at once; some are refused as soon as they are made."""
        self.tasks += [self.loop.create_task(self.call(refused=refused)) for refused in refusals]
        self.settle()

    @rule(task=consumes(waiters))
    def cancel(self, task: asyncio.Task[Token]) -> None:
        """Somebody gives a call up."""
        task.cancel()
        self.settle()

    @precondition(lambda self: self.pending)
    @rule(life=st.sampled_from((7200.0, 345.0, 60.0, 2.0)))
    def succeed(self, life: float) -> None:
        """The fetch under way brings a token."""
        token = Token(value=f"token{len(self.ends)}", expires_in=life)
        self.ends[token.value] = self.now + life
        self.pending[0].set_result(token)
        self.settle()

    @precondition(lambda self: self.pending)
    @rule(error=st.sampled_from(FAILURES))
    def fail(self, error: Exception) -> None:
        """The fetch under way fails."""
        self.pending[0].set_exception(error)
        self.settle()

    @precondition(lambda self: self.last)
    @rule()
    def refuse(self) -> None:
        """WeChat refuses the token that was given out last."""
        self.refuse_last()
        self.settle()

    @rule(seconds=st.sampled_from((0.5, 10.0, 31.0, 250.0, 3600.0, 7200.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @precondition(lambda self: self.last)
    @rule(seconds=st.sampled_from((-290.0, -65.0, -1.0, 0.0)))
    def approach_the_end(self, seconds: float) -> None:
        """The end of the last token is near, or reached."""
        assert self.last is not None
        self.now = max(self.now, self.ends[self.last.value] + seconds)

    @rule()
    def close(self) -> None:
        """The session is closed under those who wait; they belong to others, and go on."""
        self.loop.run_until_complete(self.cache.release(self.exchange))
        self.settle()

    @invariant()
    def one_fetch_at_a_time(self) -> None:
        """There is at most one fetch under way."""
        assert len(self.pending) <= 1

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Whoever waits, waits for a fetch."""
        assert self.pending or all(task.done() for task in self.tasks)

    @invariant()
    def no_token_is_given_out_that_should_not_be(self) -> None:
        """No token past its life, and none after it was refused."""
        assert self.problems == []

    def teardown(self) -> None:
        """Finish what is under way, and look at every result."""
        for task in self.tasks:
            task.cancel()
        self.loop.run_until_complete(self.cache.release(self.exchange))
        self.settle()
        assert all(task.done() for task in self.tasks)
        results = [None if task.cancelled() else task.exception() or task.result() for task in self.tasks]
        self.loop.close()
        expected = (Token, TransferError, CredentialError, TokenRejectedError)
        assert [one for one in results if one is not None and not isinstance(one, expected)] == []


def test_the_token_cache_holds_to_its_model() -> None:
    """At most one fetch in flight, no waiter lost, no token past its life, none after it was refused."""
    run_state_machine_as_test(
        TokenCacheMachine, settings=settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
    )
