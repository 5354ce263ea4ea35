"""One session for all requests of an application: opened when it starts, closed when it ends."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeAlias

from starlette.requests import HTTPConnection

from wxasset.errors import UsageError
from wxasset.session import WxSession

__all__ = ["lifespan", "session"]

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""Type of ``lifespan=`` in Starlette and FastAPI: with a state or without."""

_STATE: Final = "wx"


def lifespan(
    appid: str | None = None,
    secret: str | None = None,
    *,
    session: WxSession | Callable[[], WxSession] | None = None,
    inner: Lifespan | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]:
    """Make the ``lifespan=`` of an application that has a `WxSession` as ``request.state.wx``.

    Each start of the application opens a session, and its end closes it.

    Args:
        appid: The account's appid; without it and `session` the session is `WxSession.from_env`.
        secret: The account's AppSecret.
        session: A function that makes the session, for one with options; or a session, which is borrowed, not closed.
        inner: The application's own lifespan: entered when the session is there, left before it closes, its state kept.
            The other way round works as well: ``async with lifespan()(app) as state`` in a lifespan of your own.

    Raises:
        UsageError: Credentials and `session=` were given. When the application starts: no credentials are there.
    """
    if session is not None and (appid is not None or secret is not None):
        raise UsageError("Give the credentials, or session=, which has its own.")

    @asynccontextmanager
    async def opened(app: Any) -> AsyncGenerator[Mapping[str, Any], None]:
        async with AsyncExitStack() as stack:
            if isinstance(session, WxSession):
                wx = session
            else:
                wx = await stack.enter_async_context(_make(appid, secret, session))
            state = await stack.enter_async_context(inner(app)) if inner is not None else None
            yield {**(state or {}), _STATE: wx}

    return opened


def _make(appid: str | None, secret: str | None, make: Callable[[], WxSession] | None) -> WxSession:
    if make is not None:
        return make()
    return WxSession.from_env() if appid is None and secret is None else WxSession(appid, secret)


async def session(request: HTTPConnection) -> WxSession:
    """Find the application's session.

    As a dependency of FastAPI it is ``Depends(session)``; in Starlette, ``wx = await session(request)``.

    Args:
        request: A request or a websocket.

    Raises:
        UsageError: The application has no such lifespan, or it was not started.
    """
    wx = request.scope.get("state", {}).get(_STATE)
    if not isinstance(wx, WxSession):
        raise UsageError(
            "The application has no WxSession: make it with lifespan=wxasset.starlette.lifespan(), and in tests start"
            " it (with TestClient(app) as client)."
        )
    return wx
