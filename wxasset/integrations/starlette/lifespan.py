"""The accounts of an application: a session for each, opened when it starts and closed when it ends."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from wxasset.errors import UsageError
from wxasset.integrations.starlette.cache import MaterialCache, temporary_cache
from wxasset.integrations.starlette.mounts import NoSession, guard_mounts
from wxasset.integrations.starlette.nesting import is_default, is_mounted, lifespan_of, unmerged
from wxasset.session import WxSession

__all__ = ["Account", "Lifespan", "lifespan", "opened_accounts", "session"]

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""Type of ``lifespan=`` in Starlette and FastAPI: with a state or without."""

_STATE: Final = "wx"
_MOUNTED: Final = "wxasset.mounted"


class Account:
    """A WeChat account of an application.

    Several accounts in one application are several objects; each has its lifespan and its dependency::

        shop, school = Account(session=open_shop), Account(session=open_school)

        app = FastAPI(lifespan=shop.lifespan(inner=school.lifespan()))

        @app.get("/shop/count")
        async def count(wx: Annotated[WxSession, Depends(shop.session)]) -> int: ...

        app.mount("/school", school.mount(school_app))   # `session` and request.state.wx are the school's in there

    Starlette starts the lifespan of the outermost application only, never that of a mounted one: give all accounts to
    the outermost. Accounts with the same arguments are equal.
    """

    def __init__(
        self,
        appid: str | None = None,
        secret: str | None = None,
        *,
        session: WxSession | Callable[[], WxSession] | None = None,
    ) -> None:
        """Describe an account; a session is opened by the lifespan.

        Args:
            appid: Its appid; without it and `session` the session is `WxSession.from_env`.
            secret: Its AppSecret.
            session: A function that makes the session, for one with options; or a session, which is borrowed.

        Raises:
            UsageError: Credentials and `session=` were given.
        """
        if session is not None and (appid is not None or secret is not None):
            raise UsageError("Give the credentials, or session=, which has its own.")
        self._given = (appid, secret, session)
        self._identity = (appid, secret, id(session))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        appid, _, made = self._given
        if made is not None:
            return f"Account(session={getattr(made, '__name__', type(made).__name__)})"
        return "Account()" if appid is None else f"Account({appid!r}, ...)"

    @property
    def key(self) -> str:
        """Key of the account in the state of an application."""
        return f"wxasset.{hash(self):x}"

    def lifespan(self, *, inner: Lifespan | None = None) -> "AccountLifespan":
        """Make the ``lifespan=`` of an application with this account.

        Each start of the application opens a session, and its end closes it.

        Args:
            inner: Another lifespan, of another account or the application's own: entered when the session is there,
                left before it closes, its state kept. In a lifespan of your own the other way round works as well:
                ``async with account.lifespan()(app) as state``.

        Raises:
            UsageError: When the application starts: no credentials are there.
        """
        return AccountLifespan(self, inner)

    async def session(self, request: HTTPConnection) -> WxSession:
        """Find the session of this account, as a dependency of FastAPI (``Depends(account.session)``) or awaited.

        Args:
            request: A request or a websocket.

        Raises:
            UsageError: The account was not opened by the lifespan of the running application.
        """
        opened = request.scope.get("state", {}).get(self.key)
        if isinstance(opened, Opened):
            return opened.wx
        if not opened_accounts(request.scope):
            raise _not_started()
        raise UsageError(
            f"{self} was not opened. Starlette starts the lifespan of the outermost application only; give it this"
            " account too: lifespan=first.lifespan(inner=second.lifespan()). In tests, remember dependency_overrides."
        )

    def mount(self, app: ASGIApp) -> "MountedApp":
        """Wrap an application for mounting, so that `session` and ``request.state.wx`` are this account's inside.

        ::

            app.mount("/school", school.mount(school_app))

        Args:
            app: The application to mount. The lifespan of the outermost application has to open this account.

        Raises:
            UsageError: The application has a lifespan with other accounts.
        """
        others = _accounts_of(app)
        if others and self not in others:
            raise UsageError(f"The application has a lifespan of its own, with {others[0]}; it cannot be {self} too.")
        return MountedApp(self, app)

    def make(self) -> WxSession:
        """Make a session."""
        appid, secret, made = self._given
        if isinstance(made, WxSession):
            return made
        if made is not None:
            return made()
        return WxSession.from_env() if appid is None and secret is None else WxSession(appid, secret)

    @property
    def borrowed(self) -> bool:
        """True if the session is closed by the caller."""
        return isinstance(self._given[2], WxSession)


@frozen
class Opened:
    """An account of a running application.

    Attributes:
        account: The account.
        wx: Its session.
        app: The application whose lifespan opened it.
        cache: A cache for `MaterialResponse`, deleted when the application ends.
    """

    account: Account
    wx: WxSession
    app: Any = field(repr=False)
    cache: MaterialCache


@frozen
class AccountLifespan:
    """Lifespan of an application with an account.

    Attributes:
        account: The account.
        inner: Another lifespan, entered inside this one.
    """

    account: Account
    inner: Lifespan | None

    @asynccontextmanager
    async def __call__(self, app: Any) -> AsyncGenerator[Mapping[str, Any], None]:
        """Open the session of the account, unless tests have overridden its dependency."""
        async with AsyncExitStack() as stack:
            own: dict[str, Any] = {}
            if not self._overridden(app):
                wx = self.account.make()
                if not self.account.borrowed:
                    await stack.enter_async_context(wx)
                cache = await stack.enter_async_context(temporary_cache())
                own = {self.account.key: Opened(self.account, wx, app, cache), _STATE: wx}
            state = await stack.enter_async_context(self.inner(app)) if self.inner is not None else None
            others = [one for one in (state or {}).values() if isinstance(one, Opened)]
            if own and any(one.account != self.account for one in others):
                own[_STATE] = NoSession(str(_several()))
            guard_mounts(app, _STATE, session)
            yield {**(state or {}), **own}

    def _overridden(self, app: Any) -> bool:
        overrides = getattr(app, "dependency_overrides", None) or {}
        return session in overrides or self.account.session in overrides


class MountedApp:
    """An application that is mounted with an account."""

    def __init__(self, account: Account, app: ASGIApp) -> None:
        self._account = account
        self._app = app
        self.routes: list[Any] = getattr(app, "routes", [])  # Mount looks for them here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the session of the account."""
        wx = await self._account.session(HTTPConnection(scope))
        state = {**scope["state"], _STATE: wx, _MOUNTED: self._account}
        await self._app({**scope, "state": state}, receive, send)


def lifespan(
    appid: str | None = None,
    secret: str | None = None,
    *,
    session: WxSession | Callable[[], WxSession] | None = None,
    inner: Lifespan | None = None,
) -> AccountLifespan:
    """Make the ``lifespan=`` of an application with one account, whose session is also ``request.state.wx``.

    Short for ``Account(appid, secret, session=session).lifespan(inner=inner)``, with the same arguments and errors;
    `session` finds the session.
    """
    return Account(appid, secret, session=session).lifespan(inner=inner)


async def session(request: HTTPConnection) -> WxSession:
    """Find the session of the application, which has one account.

    As a dependency of FastAPI it is ``Depends(session)``; in Starlette, ``wx = await session(request)``. A mounted
    application without a lifespan has the account of the application around it, or that of `Account.mount`.

    Args:
        request: A request or a websocket.

    Raises:
        UsageError: The application has no such lifespan, it was not started, or it has several accounts.
    """
    scope, state = request.scope, request.scope.get("state", {})
    own, opened = _accounts_of(scope.get("app")), opened_accounts(scope)
    if not opened and not (own and is_mounted(scope)) and isinstance(wx := state.get(_STATE), WxSession):
        return wx  # the state of a lifespan that its author wrote
    mounted = state.get(_MOUNTED)
    if len(own) == 1 or (not own and isinstance(mounted, Account)):
        return await (own[0] if own else mounted).session(request)
    if not own and _has_own_lifespan(scope) and not any(one.app is scope["app"] for one in opened):
        raise UsageError(
            "The mounted application has a lifespan of its own, which Starlette does not start, so that its account is"
            " not known. Mount it with account.mount(app), or use Depends(account.session) in it."
        )
    if not opened:
        raise _not_started()
    if len(own) > 1 or len(opened) > 1:
        raise _several()
    return opened[0].wx


def opened_accounts(scope: Scope) -> list[Opened]:
    """Return the accounts of the running application."""
    return [one for one in scope.get("state", {}).values() if isinstance(one, Opened)]


def _not_started() -> UsageError:
    return UsageError(
        "The application has no WxSession: make it with lifespan=wxasset.starlette.lifespan(), and in tests start"
        " it (with TestClient(app) as client)."
    )


def _several() -> UsageError:
    return UsageError("The application has several accounts: use Depends(account.session) or account.session(request).")


def _accounts_of(app: Any) -> list[Account]:
    """Return the accounts in the lifespan of an application."""
    return list(dict.fromkeys(one.account for one in _parts(lifespan_of(app)) if isinstance(one, AccountLifespan)))


def _has_own_lifespan(scope: Scope) -> bool:
    """Return whether a request is for a mounted application with a lifespan written by its author."""
    return is_mounted(scope) and not all(is_default(one) for one in _parts(lifespan_of(scope.get("app"))))


def _parts(part: Any) -> Iterator[Any]:
    """Yield the lifespans that make up one."""
    for one in unmerged(part):
        yield one
        if isinstance(one, AccountLifespan):
            yield from _parts(one.inner)
