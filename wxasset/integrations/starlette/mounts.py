"""The session in the state of mounted applications: their own, or an error."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.requests import HTTPConnection
from starlette.routing import Host, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from wxasset.errors import UsageError
from wxasset.session import WxSession

__all__ = ["NoSession", "guard_mounts"]


class NoSession:
    """In the place of ``request.state.wx`` where the session is not known."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        raise UsageError(self._message)


class _Guarded:
    """A mounted application whose state has the session of its own account.

    Starlette passes the state of the outer application to mounted ones, with the session of the outer account.
    """

    def __init__(self, app: ASGIApp, key: str, find: Callable[[HTTPConnection], Awaitable[WxSession]]) -> None:
        self._app = app
        self._key = key
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the session of the account, or an error in its place."""
        scope = {"app_root_path": scope.get("root_path", ""), **scope}  # as Mount does; Host does not
        wx: WxSession | NoSession
        try:
            wx = await self._find(HTTPConnection({**scope, "app": _application(self._app)}))
        except UsageError as error:
            wx = NoSession(error.message)
        await self._app({**scope, "state": {**scope.get("state", {}), self._key: wx}}, receive, send)


def guard_mounts(app: Any, key: str, find: Callable[[HTTPConnection], Awaitable[WxSession]]) -> None:
    """Give each mounted application with a lifespan the session of its own account in its state.

    Args:
        app: The outermost application.
        key: The name of the session in the state.
        find: Function to find the session of an application.
    """
    for mount in _mounts(getattr(app, "routes", ())):
        application = _application(mount.app)
        if application is not None and not isinstance(mount.app, _Guarded):
            mount.app = _Guarded(mount.app, key, find)


def _mounts(routes: Any) -> Iterator[Mount | Host]:
    for route in routes:
        if isinstance(route, Mount | Host):
            yield route
            yield from _mounts(route.routes)


def _application(app: Any) -> Any:
    """Return the application inside its middleware; None for other ASGI applications."""
    while app is not None and not hasattr(app, "router"):
        app = getattr(app, "app", None)
    return app
