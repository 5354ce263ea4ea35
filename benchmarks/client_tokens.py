"""Tasks waiting for wxasset's token, fetched or never fetched."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Any

from jobs import TOKEN, Item, Job, check
from tasks import TaskClient
from wxasset import Call, StableToken, Token, TokenCache, WxSession
from wxasset.tokens.token import Exchange


@asynccontextmanager
async def _requests(job: Job) -> AsyncGenerator[Item]:
    """Open a session; yield the function for one request of its token."""
    cache = TokenCache(StableToken("wx1", "s"))
    async with WxSession(tokens=cache, base_url=job.url) as wx:

        async def acquire(_: int) -> None:
            check((await cache.acquire(wx.call)).value, TOKEN)

        yield acquire


class Hits(TaskClient):
    """Request a token that was fetched, again and again."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Item]:
        async with _requests(self.job) as acquire:
            await acquire(0)
            yield acquire


class _Tasks(TaskClient):
    """A job whose items all run at once, in a task each.

    Not in a task group, which is no part of what waits: it takes 50 of 118 ms with 10,000 tasks.
    """

    async def run(self) -> list[str]:
        """Do the job and return the errors, one string per failed item."""
        errors: list[str] = []
        async with self.opened() as item:
            for task in [asyncio.create_task(item(number)) for number in range(self.job.count)]:
                try:
                    await task
                except Exception as error:  # noqa: BLE001 - every failed item is counted
                    errors.append(f"{type(error).__name__}: {error}")
        return errors


class Waiting(_Tasks):
    """Request the token from a cold cache in all tasks at once."""

    def opened(self) -> AbstractAsyncContextManager[Item]:
        return _requests(self.job)


class Event(_Tasks):
    """Wait for an `asyncio.Event` in all tasks at once: the limit of asyncio."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Item]:
        event = asyncio.Event()

        async def wait(number: int) -> None:
            if number == 0:
                asyncio.get_running_loop().call_soon(event.set)  # after all others wait
            await event.wait()

        yield wait


class _Never:
    """Token source without a response."""

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        del exchange, previous, rejected
        await asyncio.get_running_loop().create_future()
        raise AssertionError


class Cancelling:
    """Cancel all waiting tasks at once."""

    def __init__(self, job: Job) -> None:
        self.job = job

    async def run(self) -> list[str]:
        """Do the job and return the errors. Only the time from the first cancellation on is measured."""
        cache = TokenCache(_Never())

        async def exchange(call: Call[Any], /) -> Any:
            raise AssertionError(call)

        waiters = [asyncio.create_task(cache.acquire(exchange)) for _ in range(self.job.count)]
        await asyncio.sleep(0)
        self.started = perf_counter()
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        errors = [] if all(waiter.cancelled() for waiter in waiters) else ["a waiter was not cancelled"]
        await cache.release(exchange)
        return errors


class Parking:
    """Make all calls at once, of a session whose token never comes."""

    def __init__(self, job: Job) -> None:
        self.job = job

    async def run(self) -> list[str]:
        """Do the job and return the errors."""
        async with WxSession(tokens=TokenCache(_Never()), base_url=self.job.url) as wx:
            calls = [asyncio.create_task(wx.count_materials()) for _ in range(self.job.count)]
            for _ in range(5):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
        return [] if all(call.cancelled() for call in calls) else ["a call was not cancelled"]


def make(name: str, job: Job) -> Waiting | Hits | Event | Cancelling | Parking:
    """Create the client for the job."""
    del name
    kinds: dict[str, type[Hits | Event | Cancelling | Parking]] = {
        "hit": Hits,
        "cancel": Cancelling,
        "park": Parking,
        "event": Event,
    }
    return kinds.get(job.work, Waiting)(job)
