"""Control of a running simulator over HTTP, for programs in any language: all paths below `/_sim/`.

`wxasset.simulator.control.table` lists the routes, and docs/simulator.md describes them. Responses are JSON; an
invalid request gets `{"error"}` and a status of 400 or more. Control is enabled by default on loopback only. The
server rejects requests sent by browsers for other sites.
"""

from aiohttp import web

from wxasset.simulator.control.routes import ControlError, ControlRequest, Route
from wxasset.simulator.control.table import ROUTES
from wxasset.simulator.control.target import Controlled
from wxasset.simulator.exchange import SharedState
from wxasset.simulator.structuring import hint_at

__all__ = ["PREFIX", "ControlApi"]

PREFIX = "/_sim/"


class ControlApi:
    """Handlers of the requests below `/_sim/`."""

    def __init__(self, simulator: Controlled, shared: SharedState, *, allowed: bool) -> None:
        """Control a simulator.

        Args:
            simulator: The simulator.
            shared: Its state.
            allowed: Accept control requests.
        """
        self._simulator = simulator
        self._shared = shared
        self._allowed = allowed
        self._routes = {(route.method, route.path): route for route in ROUTES}

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Handle one request."""
        try:
            route = self._route(http)
            reply = await route.serve(ControlRequest(self._simulator, self._shared, http))
        except ControlError as error:
            return web.json_response({"error": str(error)}, status=error.status)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return reply if isinstance(reply, web.StreamResponse) else web.json_response(reply)

    def _route(self, http: web.Request) -> Route:
        name = http.path.removeprefix(PREFIX)
        route = self._routes.get((http.method, name))
        if not self._allowed and not (route and route.open):
            raise ControlError(403, "control over HTTP is disabled beyond loopback; to enable it, pass control=True")
        known = {path for _, path in self._routes}
        if name not in known:
            raise ControlError(404, f"unknown path {http.path[:80]}{hint_at(name, known)}")
        if route is None:
            raise ControlError(405, f"{http.path} does not take {http.method}")
        return route
