"""The accounts of a third-party platform (第三方平台) in one process."""

import weakref
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from wxasset.batch.budget import CallBudget
from wxasset.calls.base import Call
from wxasset.calls.platform import ListedAuthorizer
from wxasset.engine.retry import RetryPolicy
from wxasset.engine.uploads import UploadPolicy
from wxasset.errors.frames import concealed
from wxasset.instrumentation.hooks import NO_HOOKS, Hooks
from wxasset.session import WxSession
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.platform_source import AuthorizerToken
from wxasset.tokens.store import MemoryTokenStore, TokenStore
from wxasset.tokens.token import TokenSource
from wxasset.transfer.http import ENVIRONMENT, ClientSession, Timeouts
from wxasset.wire.checks import check_number
from wxasset.wire.limits import Limits
from wxasset.wire.url_policy import DownloadPolicy

if TYPE_CHECKING:
    from wxasset.ledger.ledger import Ledger

__all__ = ["Platform"]

R = TypeVar("R")

_BASE_URL: Final = "https://api.weixin.qq.com"


class Platform:
    """Sessions for the accounts of a third-party platform, over one connection pool and one component token.

    ::

        async with Platform(ComponentToken(appid, secret, ticket), store=store) as platform:
            await platform.session("wx0123456789abcdef").add_material("image", "poster.png")

    The sessions end with the platform; closing one of them does nothing. It serves one event loop after the other,
    and any number of its tasks at once.
    """

    @concealed
    def __init__(
        self,
        component: TokenCache | TokenSource,
        *,
        store: TokenStore | None = None,
        component_appid: str | None = None,
        max_sessions: int = 1000,
        http: ClientSession | None = None,
        proxy: str | None = ENVIRONMENT,
        base_url: str = _BASE_URL,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        downloads: DownloadPolicy = DownloadPolicy(),  # noqa: B008 - frozen
        uploads: UploadPolicy = UploadPolicy(),  # noqa: B008 - frozen
        ledger: "Ledger | None" = None,
        budget: CallBudget | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        """Prepare a platform; nothing is opened or fetched before the first call.

        Args:
            component: The source of component tokens, such as `ComponentToken`, or a `TokenCache` of one.
            store: Where the tokens of the platform and its accounts are shared with other processes or hosts, and
                refresh tokens outlive this one; it is borrowed, and not closed here. Without one they are kept in
                memory.
            component_appid: The platform's appid, where `component` does not know it.
            max_sessions: Number of sessions that are kept ready. The one that was asked for longest ago is dropped
                first; one in use goes on, and its tokens stay in the store.
            http: As in `WxSession`, as all options below, for all accounts.
            proxy: An HTTP proxy, or None; by default the environment decides.
            base_url: The API host.
            retry: How often, and how patiently, calls are tried.
            timeouts: How long to wait.
            limits: Limits for sending and reading.
            downloads: The policy for following URLs from the server.
            uploads: The policy for uploads after a lost response.
            ledger: The ledger for ensured materials and for materials added in batches.
            budget: The calls that each account may make today, where several programs share them.
            hooks: Callbacks for operations, attempts, retries, token fetches and progress.

        Raises:
            UsageError: An argument is not usable.
        """
        check_number("max_sessions", max_sessions, at_least=1)
        self._max_sessions = max_sessions
        self._store = MemoryTokenStore() if store is None else store
        self._known = {} if component_appid is None else {"component_appid": component_appid}
        source = AuthorizerToken(component, "any", **self._known)
        TokenCache(source, store=self._store)  # gives the store also to the token of the platform
        self._component, self._component_appid = source.component, source.component_appid
        self._root = WxSession(
            tokens=self._component,
            http=http,
            proxy=proxy,
            base_url=base_url,
            retry=retry,
            timeouts=timeouts,
            limits=limits,
            downloads=downloads,
            uploads=uploads,
            ledger=ledger,
            budget=budget,
            hooks=hooks,
        )
        self._sessions: OrderedDict[str, WxSession] = OrderedDict()
        self._caches: weakref.WeakValueDictionary[str, TokenCache] = weakref.WeakValueDictionary()

    def session(
        self, appid: str, *, refresh_token: str | Callable[[], Awaitable[str | None]] | None = None
    ) -> WxSession:
        """Return the session of an account; nothing is requested before its first call.

        The refresh token comes from the store, from `refresh_token`, or from WeChat's list of accounts.

        Args:
            appid: The account's appid.
            refresh_token: The ``authorizer_refresh_token`` that came with the authorization, or an async function
                that returns the newest one; it stays with the session.

        Raises:
            UsageError: The appid is missing, or the refresh token is neither a string nor an async function.
        """
        source = AuthorizerToken(self._component, appid, refresh_token, **self._known)
        cache = self._caches.get(appid)
        if cache is None or (refresh_token is not None and cache.source != source):
            cache = self._caches[appid] = TokenCache(source, store=self._store)
            self._sessions.pop(appid, None)
        session = self._sessions.get(appid)
        if session is None:
            session = self._sessions[appid] = self._root._of_account(cache)  # noqa: SLF001 - its own floor
        self._sessions.move_to_end(appid)
        while len(self._sessions) > self._max_sessions:
            self._sessions.popitem(last=False)
        return session

    async def call(self, call: Call[R], /) -> R:
        """Make a declared call with the token of the platform.

        Raises:
            WxAssetError: The call failed.
        """
        return await self._root.call(call)

    def iter_authorizers(self, *, offset: int = 0) -> AsyncGenerator[ListedAuthorizer, None]:
        """Iterate over all accounts that authorized the platform, as `WxSession.iter_authorizers` does.

        Args:
            offset: Number of accounts to skip.
        """
        return self._root.iter_authorizers(self._component_appid, offset=offset)

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
        """Close the connections of all sessions. Later calls raise `UsageError`."""
        await self._root.aclose()
        self._sessions.clear()
