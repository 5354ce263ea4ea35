"""Control of a running simulator over HTTP, for programs in any language: all paths below `/_sim/`.

`wxasset.simulator.control.table` lists the routes, and docs/simulator.md describes them. Responses are JSON; an
invalid request gets `{"error"}` and a status of 400 or more. Control is enabled by default on loopback only; with a
token it is enabled for other machines too, which send `Authorization: Bearer TOKEN`. The server rejects requests sent
by browsers for other sites.
"""

import hmac
import re

from aiohttp import web

from wxasset.simulator.control.routes import ControlError, ControlRequest, Route
from wxasset.simulator.control.table import ROUTES
from wxasset.simulator.control.target import Controlled
from wxasset.simulator.senders import comes_from_here
from wxasset.simulator.shared_state import SharedState
from wxasset.simulator.structuring import hint_at

__all__ = ["PREFIX", "ControlApi"]

PREFIX = "/_sim/"
_TOKEN = re.compile(r"[!-~]{1,200}")
_UNAUTHORIZED = 401


class ControlApi:
    """Handlers of the requests below `/_sim/`."""

    def __init__(self, simulator: Controlled, shared: SharedState, *, allowed: bool, token: str | None = None) -> None:
        """Control a simulator.

        Args:
            simulator: The simulator.
            shared: Its state.
            allowed: Accept control requests.
            token: The token required from other machines; None requires none.

        Raises:
            ValueError: The token cannot be sent in a header.
        """
        if token is not None and not _TOKEN.fullmatch(token):
            raise ValueError("the control token must have 1 to 200 printable ASCII characters without blanks")
        self._simulator = simulator
        self._shared = shared
        self._allowed = allowed
        self._token = token
        self._routes = {(route.method, route.path): route for route in ROUTES}

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Handle one request."""
        try:
            route = self._route(http)
            reply = await route.serve(ControlRequest(self._simulator, self._shared, http))
            await self._shared.persist()
        except ControlError as error:
            headers = {"WWW-Authenticate": "Bearer"} if error.status == _UNAUTHORIZED else None
            return web.json_response({"error": str(error)}, status=error.status, headers=headers)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        except OSError as error:
            return web.json_response({"error": str(error)}, status=500)
        return reply if isinstance(reply, web.StreamResponse) else web.json_response(reply)

    def _route(self, http: web.Request) -> Route:
        name = http.path.removeprefix(PREFIX)
        route = self._routes.get(("GET" if http.method == "HEAD" else http.method, name))
        if not (route and route.open):
            self._check_permission(http)
        known = {path for _, path in self._routes}
        if name not in known:
            raise ControlError(404, f"unknown path {http.path[:80]}{hint_at(name, known)}")
        if route is None:
            raise ControlError(405, f"{http.path} does not take {http.method}")
        return route

    def _check_permission(self, http: web.Request) -> None:
        """Check that the client may control the simulator.

        Raises:
            ControlError: 403 if control is disabled, 401 without the token from another machine.
        """
        if not self._allowed:
            raise ControlError(
                403,
                "control over HTTP is disabled beyond loopback; to enable it, start with --control TOKEN, "
                "or in Python with control_token=... or control=True",
            )
        if self._token is None or comes_from_here(http):
            return
        kind, _, given = http.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            raise ControlError(
                _UNAUTHORIZED, "control from another machine needs the header Authorization: Bearer TOKEN"
            )
