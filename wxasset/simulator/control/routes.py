"""One route of the control API, and the request seen by its handler."""

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, get_type_hints

from aiohttp import web
from attrs import fields_dict, frozen

from wxasset.simulator.control.target import Controlled
from wxasset.simulator.controls import AccountControls
from wxasset.simulator.shared_state import SharedState
from wxasset.simulator.structuring import from_text, hint_at, structure

__all__ = ["ControlError", "ControlRequest", "Done", "Nothing", "Reply", "Route", "done", "view_route"]

Reply: TypeAlias = Mapping[str, object] | list[dict[str, object]] | web.StreamResponse
"""A JSON document, or a complete response of another type."""
_BODILESS = frozenset({"GET", "HEAD", "DELETE"})


class ControlError(Exception):
    """A refused request, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@frozen
class Nothing:
    """Arguments of a route without any."""


@frozen
class ControlRequest:
    """A request for control.

    Attributes:
        simulator: The simulator.
        shared: Its state.
        http: The HTTP request.
    """

    simulator: Controlled
    shared: SharedState
    http: web.Request

    def account(self, appid: str | None) -> AccountControls:
        """Return the controls of an account, by default of the first one.

        Raises:
            ControlError: 404, there is no such account.
        """
        if appid is None:
            return self.simulator.first
        found = self.simulator.accounts.get(appid)
        if found is None:
            raise ControlError(404, f"no account {appid[:80]!r}{hint_at(appid, self.simulator.accounts)}")
        return found


class _Handler(Protocol):
    def __call__(self, control: ControlRequest, arguments: Any, /) -> Reply | Awaitable[Reply]: ...


@frozen
class Route:
    """One route.

    Attributes:
        method: The HTTP method.
        path: The path below `/_sim/`.
        handler: Function of the request and its arguments.
        arguments: An attrs class, filled from the query of GET and DELETE and from the JSON body of other methods;
            `dict` for the JSON object as it is; None if the handler reads the request itself.
        open: The route needs no permission for control; its response has no data of the accounts.
    """

    method: str
    path: str
    handler: _Handler
    arguments: type | None = Nothing
    open: bool = False

    async def serve(self, control: ControlRequest) -> Reply:
        """Handle a request.

        Raises:
            ControlError: The body has another type than JSON.
            ValueError: An argument is invalid.
        """
        reply = self.handler(control, await self._read(control.http))
        return await reply if inspect.isawaitable(reply) else reply

    async def _read(self, http: web.Request) -> object:
        if self.arguments is None:
            return None
        if self.method in _BODILESS:
            names = fields_dict(self.arguments)
            types = get_type_hints(self.arguments)
            given = {name: http.query.getall(name) for name in http.query}
            document: dict[str, object] = {
                name: from_text(types[name], texts if len(texts) > 1 else texts[0]) if name in names else texts
                for name, texts in given.items()
            }
        else:
            document = await _document(http)
        return document if self.arguments is dict else structure(self.arguments, document)


def view_route(method: str, path: str, view: Callable[[web.Request], Awaitable[Reply]], *, open: bool = False) -> Route:  # noqa: A002  # as in Route
    """Return a route for a handler of the HTTP request alone, which reads its query itself."""
    return Route(method, path, lambda control, _arguments: view(control.http), None, open)


Done: TypeAlias = Callable[[ControlRequest, Nothing], Reply]


def done(act: Callable[[Controlled], object]) -> Done:
    """Return a handler for an act on the simulator without a result."""

    def handle(control: ControlRequest, _arguments: Nothing) -> Reply:
        act(control.simulator)
        return {}

    return handle


async def _document(http: web.Request) -> dict[str, object]:
    """Return the JSON object of a request. Browsers send this Content-Type to other sites only after a preflight."""
    if http.content_type != "application/json":
        raise ControlError(415, f"Content-Type must be application/json, got {http.content_type[:80]!r}")
    try:
        document = json.loads(await http.read() or b"{}")
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - one error for bad input
    return document
