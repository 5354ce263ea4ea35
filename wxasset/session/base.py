"""The base of all sessions: credentials, options and lifetime."""

import asyncio
import copy
import os
import weakref
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from wxasset._version import __version__
from wxasset.engine.engine import Engine
from wxasset.engine.register import UploadRegister
from wxasset.engine.retry import RetryPolicy, RetryQuota
from wxasset.engine.uploads import UploadPolicy
from wxasset.errors import LedgerError, MediaNotFoundError, UsageError
from wxasset.errors.frames import concealed
from wxasset.instrumentation.hooks import NO_HOOKS, Hooks
from wxasset.session.identity import AccountIdentity, appid_of, platform_of
from wxasset.session.options import check_budget, check_from_appid, check_http, options
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.sources import NoToken, StableToken
from wxasset.tokens.store import TokenStore, run_shielded
from wxasset.tokens.token import TokenSource
from wxasset.transfer.http import ENVIRONMENT, ClientSession, Timeouts, Transport
from wxasset.wire.limits import Limits
from wxasset.wire.realms import realm_of
from wxasset.wire.url_policy import DownloadPolicy

if TYPE_CHECKING:
    from wxasset.batch.budget import CallBudget
    from wxasset.batch.work import Terms, Work
    from wxasset.ledger.ledger import Ledger

__all__ = ["Session", "check_ledger"]

_CLOSING: Final = 5.0  # seconds for each step of closing; it takes milliseconds
_BASE_URL: Final = "https://api.weixin.qq.com"
_HOSTED_URL: Final = "http://api.weixin.qq.com"  # for calls without a token (wire reference 1.6)


def check_ledger(ledger: object) -> None:
    """Raise `UsageError` unless it is a ledger or None."""
    if ledger is None:
        return
    from wxasset.ledger.ledger import Ledger  # noqa: PLC0415 - with it comes SQLite, which those without a ledger do not need

    if not isinstance(ledger, Ledger):
        raise UsageError(f"ledger= is a Ledger; not {type(ledger).__name__}.")


async def _within(seconds: float, step: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await step


class Session:
    """The base of all sessions."""

    _transport_class: type[Transport] = Transport

    @concealed
    def __init__(
        self,
        appid: str | None = None,
        secret: str | None = None,
        *,
        tokens: TokenCache | TokenSource | None = None,
        store: TokenStore | None = None,
        http: ClientSession | None = None,
        proxy: str | None = ENVIRONMENT,
        base_url: str = _BASE_URL,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        downloads: DownloadPolicy = DownloadPolicy(),  # noqa: B008 - frozen
        uploads: UploadPolicy = UploadPolicy(),  # noqa: B008 - frozen
        ledger: "Ledger | None" = None,
        budget: "CallBudget | None" = None,
        hooks: Hooks = NO_HOOKS,
        from_appid: str | None = None,
    ) -> None:
        # Not when a call fails: there may be no free file descriptor left to load a module with.
        import concurrent.futures.thread  # noqa: F401, PLC0415 - the import of this class does not need them

        import wxasset.engine.operation_events  # noqa: PLC0415 - as above
        import wxasset.engine.reconcile  # noqa: F401, PLC0415 - as above

        given = options(
            retry=retry, timeouts=timeouts, limits=limits, downloads=downloads, uploads=uploads, hooks=hooks
        )
        if tokens is None:
            tokens = StableToken(appid or "", secret or "")
        check_ledger(ledger)
        check_http(http)
        self._ledger = ledger
        if isinstance(tokens, TokenCache) and store is not None:
            raise UsageError("store= belongs to the TokenCache: TokenCache(source, store=...).")
        cache = tokens if isinstance(tokens, TokenCache) else TokenCache(tokens, store=store)
        check_from_appid(from_appid, cache.source)
        self._appid = next((str(one) for one in (from_appid, appid_of(cache.source), appid) if one), None)
        if isinstance(cache.source, NoToken) and base_url == _BASE_URL:
            base_url = _HOSTED_URL
        hosted = bool(getattr(cache.source, "in_hosting", False))
        self._transport = self._transport_class(base_url, http, f"wxasset/{__version__}", bare=hosted, proxy=proxy)
        self._account = AccountIdentity(self._transport.origin, self._appid)
        check_budget(budget)
        self._budget = budget
        account = self._of_appid(self._appid or platform_of(cache.source))
        self._engine = Engine(self._transport, cache, from_appid=from_appid, **account, **given)
        self._accounts: weakref.WeakSet[TokenCache] = weakref.WeakSet()
        self._owner = True

    def __repr__(self) -> str:
        state = "closed" if self._transport.closed else "open"
        return f"<{type(self).__name__} appid={self._appid!r} host={self._transport.origin!r} {state}>"

    @property
    def account(self) -> AccountIdentity:
        """Identity of the account, for caches of its materials."""
        return self._account

    @classmethod
    @concealed
    def from_env(
        cls,
        *,
        store: TokenStore | None = None,
        http: ClientSession | None = None,
        proxy: str | None = ENVIRONMENT,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        downloads: DownloadPolicy = DownloadPolicy(),  # noqa: B008 - frozen
        uploads: UploadPolicy = UploadPolicy(),  # noqa: B008 - frozen
        ledger: "Ledger | None" = None,
        budget: "CallBudget | None" = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Self:
        """Make a session from ``WXASSET_APPID``, ``WXASSET_SECRET`` and, if set, ``WXASSET_BASE_URL``.

        Raises:
            UsageError: A variable is missing.
        """
        return cls(
            os.environ.get("WXASSET_APPID"),
            os.environ.get("WXASSET_SECRET"),
            store=store,
            base_url=os.environ.get("WXASSET_BASE_URL") or _BASE_URL,
            http=http,
            proxy=proxy,
            retry=retry,
            timeouts=timeouts,
            limits=limits,
            downloads=downloads,
            uploads=uploads,
            ledger=ledger,
            budget=budget,
            hooks=hooks,
        )

    def with_options(
        self,
        *,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        downloads: DownloadPolicy | None = None,
        uploads: UploadPolicy | None = None,
        ledger: "Ledger | None" = None,
        hooks: Hooks | None = None,
        from_appid: str | None = None,
    ) -> Self:
        """Return this session with other options, for a call or for many.

        It shares everything else: token, connections, what is known of uploads. It ends with the session that it was
        made from; closing it does nothing.

        ::

            await wx.with_options(retry=RetryPolicy(attempts=1)).count_materials()

        Args:
            retry: How often, and how patiently, calls are tried; None leaves it as it is, here and below.
            timeouts: How long to wait.
            limits: Limits for sending and reading.
            downloads: The policy for following URLs from the server.
            uploads: The policy for uploads after a lost response.
            hooks: Who is told what happens, instead of the session's hooks; ``hooks.also(...)`` makes one of two.
            ledger: The ledger for ensured materials and for materials added in batches.
            from_appid: The account that is called through cloud hosting, as in the constructor.
        """
        check_ledger(ledger)
        engine = self._engine
        given = options(
            retry=engine.retry if retry is None else retry,
            timeouts=engine.timeouts if timeouts is None else timeouts,
            limits=engine.limits if limits is None else limits,
            downloads=engine.downloads if downloads is None else downloads,
            uploads=engine.uploads if uploads is None else uploads,
            hooks=engine.hooks if hooks is None else hooks,
        )
        engine = self._calling(engine.with_options(**given), from_appid)
        return self._with_engine(engine, ledger or self._ledger, self._appid)

    def _with_engine(self, engine: Engine, ledger: "Ledger | None", appid: str | None) -> Self:
        """Return a session that shares everything but these, and is not closed by `aclose`."""
        other = copy.copy(self)
        other._become(engine, ledger, appid)  # noqa: SLF001 - an instance of the same class
        return other

    def _of_account(self, tokens: TokenCache) -> Self:
        """Return a session of another account, with the connections of this one; it ends with this one."""
        appid = str(appid_of(tokens.source))
        engine = self._engine.with_options(tokens=tokens, quota=RetryQuota(), **self._of_appid(appid))
        self._accounts.add(tokens)
        return self._with_engine(engine, self._ledger, appid)

    def _become(self, engine: Engine, ledger: "Ledger | None", appid: str | None) -> None:
        self._owner, self._engine, self._ledger = False, engine, ledger
        self._appid = engine.from_appid or appid  # uploads are recorded for the account that is called

    def _calling(self, engine: Engine, from_appid: str | None) -> Engine:
        """Return an engine that calls this account of the environment, and records its uploads."""
        check_from_appid(from_appid, engine.tokens.source)
        if from_appid is None:
            return engine
        return engine.with_options(from_appid=from_appid, **self._of_appid(from_appid))

    def _of_appid(self, appid: str | None) -> dict[str, Any]:
        """Return the options of an engine that belong to one account."""
        realm = realm_of(self._transport.api)
        register, budget = UploadRegister.of_account(realm, appid), self._budget
        if budget is not None and appid is None:
            raise UsageError("A budget needs to know the account: pass its appid to the session, beside tokens=.")
        return {
            "register": register,
            "budget": None if budget is None else budget.account(realm, appid or "", register.clock.time),
        }

    def _observing(self, work: "Work", *, minutes: bool = False) -> Engine:
        """Return the engine with calls that report their attempts.

        Args:
            work: The item of a batch.
            minutes: Whether calls wait for the next minute; by default the batch does.
        """
        return self._engine.with_options(work=work, minutes=minutes)

    def _terms(self, path: str, max_rate: float | None = None, *, tries: int = 5) -> "Terms":
        """Return the facts about the calls of a batch to one path."""
        from wxasset.batch.work import Terms  # noqa: PLC0415 - many sessions have no batches

        engine = self._engine
        return Terms(
            path=path,
            tries=tries,
            patience=engine.retry.timeout,
            max_rate=max_rate,
            next_minute=engine.register.clock.next_minute,
            sleep=engine.sleep,
        )

    @asynccontextmanager
    async def _noting(self, media_id: str, *, deletes: bool = False) -> AsyncGenerator[None, None]:
        """Update ledger and caches when WeChat does not know a material, or when the block `deletes` it."""
        try:
            yield
        except MediaNotFoundError:
            await self._account.forget(self, media_id)
            if self._ledger is not None:
                with suppress(LedgerError):  # the other one matters more
                    await self._ledger.forget(media_id)
            raise
        if deletes:
            await self._account.forget(self, media_id)
            if self._ledger is not None:
                await self._ledger.forget(media_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were opened here, also in a cancelled scope. Later calls raise `UsageError`."""
        if self._owner:
            await run_shielded(self._close())

    async def _close(self) -> None:
        """Take both steps, even if one fails or hangs."""
        async with AsyncExitStack() as steps:
            steps.push_async_callback(_within, _CLOSING, self._transport.aclose())
            steps.push_async_callback(_within, _CLOSING, self._release())

    async def _release(self) -> None:
        """Cancel the token fetches of this session, and of the accounts that share its connections."""
        for tokens in (self._engine.tokens, *self._accounts):
            await tokens.release(self._engine.exchange)
