"""The day's calls of an account, shared by everything that makes them."""

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wxasset.batch.turns import AccountBudget, SharedCounts
from wxasset.errors.frames import concealed
from wxasset.wire.checks import check_number

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from wxasset.batch.redis_counts import RedisCounts

__all__ = ["CallBudget"]


class CallBudget:
    """The calls of a day, for each account and path: counted here or in Redis, as far as WeChat allows them.

    ::

        budget = CallBudget("redis://:password@host:6379/0")
        async with WxSession(appid, secret, budget=budget) as wx:
            report = await wx.add_materials("image", paths).report()

    Each call of a session asks first. The first one of a day asks WeChat (``openapi/quota/get``) for the quota and for
    the calls that were used. A spent budget raises `BudgetSpentError` before anything is sent; it ends a batch, whose
    other items come as `NotTried`. The last calls of a day are made one at a time by each process, so that a count that
    is wrong, as after another program's calls, costs each process one refused call at most. What WeChat refuses with
    45009 or 45011 closes the path for all processes, until midnight in Beijing or for the minute.

    No call fails because Redis does: each process goes on with the last counts, at full speed for one sixteenth of the
    rest, then one call at a time; Redis is told of these calls when it is back. After a failure it is left alone for
    1 s, then for twice as long each time, up to 60 s.
    """

    @concealed
    def __init__(
        self,
        url: str | None = None,
        *,
        client: "Redis | None" = None,
        prefix: str = "wxasset:calls:",
        timeout: float = 0.5,
    ) -> None:
        """Prepare a budget; Redis is connected at first use.

        Args:
            url: ``redis://[[user]:password@]host:port/db``, ``rediss://...`` or ``unix://...``; without it, and without
                a client, the calls of this process alone are counted. Needs the extra ``redis``.
            client: A client of your own in the place of `url`; it is borrowed and never closed.
            prefix: Prefix of all keys.
            timeout: Seconds for any one command, connecting included.

        Raises:
            UsageError: redis is not installed, or the URL is none.
        """
        check_number("timeout", timeout, above=0)
        self._redis: RedisCounts | None = None
        if url is not None or client is not None:
            from wxasset.batch import redis_counts  # noqa: PLC0415 - an extra, for those who use it

            self._redis = redis_counts.RedisCounts(url, client=client, prefix=prefix, timeout=timeout)
        self._counts = SharedCounts(self._redis)

    def account(self, realm: str, appid: str, now: Callable[[], float]) -> AccountBudget:
        """Return the budget of an account; sessions ask for it.

        Args:
            realm: The service.
            appid: The account's appid.
            now: Function that returns WeChat's unix time in seconds.
        """
        return AccountBudget(self._counts, realm, appid, now)

    def __repr__(self) -> str:
        return f"CallBudget({'' if self._redis is None else self._redis!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections opened here; sessions borrow a budget, and leave it open."""
        if self._redis is not None:
            with suppress(Exception):  # the connections are not used again
                await self._redis.aclose()
