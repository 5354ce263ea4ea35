"""Control of a running simulator over HTTP, for programs in any language: all paths below `/_sim/`.

| request | does |
|---|---|
| `POST /_sim/faults` `{"endpoint", "fault", "times": 1, "after": 0}` | adds a rule, returns `{"id"}`; null: unlimited |
| `GET /_sim/faults` | returns the rules with their remaining requests |
| `DELETE /_sim/faults` | removes the rules |
| `GET /_sim/journal?since=N` | returns the requests from the Nth on, counted from 0 |
| `POST /_sim/reset` `{}` | clears library, journal and rules |
| `POST /_sim/advance` `{"seconds"}` | moves the clock |
| `GET /_sim/state` | returns the content and counts of the library |

Responses are JSON; an invalid request gets `{"error"}` and a status of 400 or more. There is no authentication: every
client with access to the simulator can control it. For this reason control is enabled by default on loopback only. The
server rejects requests sent by browsers for other sites.
"""

import json
from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import web
from attrs import asdict

from wxasset.simulator.exchange import SharedState
from wxasset.simulator.faults.language import Fault
from wxasset.simulator.faults.schedule import FaultRule

__all__ = ["PREFIX", "ControlApi"]

PREFIX = "/_sim/"
_MOST_DIGITS = 15
_MOST_SECONDS = 1e9  # 30 years; dates are limited to the year 9999
_Reply = Mapping[str, object] | list[dict[str, object]]


class _Controlled(Protocol):
    """Methods of the simulator used by the control endpoints."""

    def fail(self, endpoint: str, fault: str | Fault, *, times: int | None = 1, after: int = 0) -> FaultRule: ...

    def clear_faults(self) -> None: ...

    def reset(self) -> None: ...

    def advance(self, seconds: float) -> None: ...


class _RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ControlApi:
    """Handlers of the requests below `/_sim/`."""

    def __init__(self, simulator: _Controlled, shared: SharedState, *, allowed: bool) -> None:
        """Control a simulator.

        Args:
            simulator: The simulator.
            shared: Its state.
            allowed: Accept control requests.
        """
        self._simulator = simulator
        self._shared = shared
        self._allowed = allowed
        self._routes: dict[tuple[str, str], Callable[[web.Request, Mapping[str, object]], _Reply]] = {
            ("POST", "faults"): self._add_fault,
            ("GET", "faults"): lambda _http, _document: [_rule(rule) for rule in shared.schedule.rules],
            ("DELETE", "faults"): lambda _http, _document: self._done(simulator.clear_faults),
            ("GET", "journal"): self._journal,
            ("POST", "reset"): lambda _http, _document: self._done(simulator.reset),
            ("POST", "advance"): self._advance,
            ("GET", "state"): lambda _http, _document: self._state(),
        }

    async def serve(self, http: web.Request) -> web.Response:
        """Handle one request."""
        try:
            route = self._route(http)
            document = await _document(http) if http.method == "POST" else {}
            return web.json_response(route(http, document))
        except _RequestError as error:
            return web.json_response({"error": str(error)}, status=error.status)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    def _route(self, http: web.Request) -> Callable[[web.Request, Mapping[str, object]], _Reply]:
        if not self._allowed:
            raise _RequestError(403, "control over HTTP is disabled beyond loopback; to enable it, pass control=True")
        name = http.path.removeprefix(PREFIX)
        if name not in {known for _, known in self._routes}:
            raise _RequestError(404, f"unknown path {http.path}")
        route = self._routes.get((http.method, name))
        if route is None:
            raise _RequestError(405, f"{http.path} does not take {http.method}")
        return route

    def _add_fault(self, _http: web.Request, document: Mapping[str, object]) -> _Reply:
        unknown = set(document) - {"endpoint", "fault", "times", "after"}
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
        endpoint, fault = document.get("endpoint"), document.get("fault")
        times, after = document.get("times", 1), document.get("after", 0)
        if not isinstance(endpoint, str) or not isinstance(fault, str):
            raise ValueError("endpoint and fault are required strings")  # noqa: TRY004 - one error for bad input
        if times is not None and not isinstance(times, int):
            raise ValueError("times must be a whole number, or null for all requests")
        if not isinstance(after, int):
            raise ValueError("after must be a whole number")  # noqa: TRY004 - one error for bad input
        return {"id": self._simulator.fail(endpoint, fault, times=times, after=after).id}

    def _journal(self, http: web.Request, _document: Mapping[str, object]) -> _Reply:
        since = http.query.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) <= _MOST_DIGITS):
            raise ValueError("since must be a whole number of at least 0")
        return [asdict(entry) for entry in self._shared.journal[int(since) :]]

    def _advance(self, _http: web.Request, document: Mapping[str, object]) -> _Reply:
        seconds = document.get("seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= _MOST_SECONDS:
            raise ValueError(f"seconds must be a number from 0 to {_MOST_SECONDS:g}")
        self._simulator.advance(seconds)
        return {"now": self._shared.account.clock.now()}

    def _state(self) -> _Reply:
        account = self._shared.account
        materials = [
            {
                "media_id": one.media_id,
                "type": one.type,
                "filename": _printable(one.filename),
                "title": _printable(one.title),
                "size": len(one.content),
                "update_time": one.update_time,
            }
            for one in list(account.materials.values())
        ]
        media = [
            {"media_id": one.media_id, "type": one.type, "filename": _printable(one.filename), "size": len(one.content)}
            for one in list(account.temporary_media.values())
        ]
        kinds = ("voice", "video", "image", "news")
        return {
            "now": account.clock.now(),
            "token_calls": self._shared.token_calls,
            "counts": {kind: len(account.listed(kind)) for kind in kinds},
            "materials": materials,
            "temporary_media": media,
            "cloud_files": [{"fileid": name, "size": size} for name, size in account.cloud_files.sizes().items()],
            "article_images": [{"url": url, "size": len(data)} for url, data in list(account.article_images.items())],
        }

    @staticmethod
    def _done(act: Callable[[], None]) -> _Reply:
        act()
        return {}


async def _document(http: web.Request) -> Mapping[str, object]:
    """Return the JSON object in a POST. Browsers send this Content-Type to other sites only after a preflight."""
    if http.content_type != "application/json":
        raise _RequestError(415, f"Content-Type must be application/json, got {http.content_type[:80]!r}")
    try:
        document = json.loads(await http.read() or b"{}")
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - one error for bad input
    return document


def _rule(rule: FaultRule) -> dict[str, object]:
    return {
        "id": rule.id,
        "endpoint": rule.endpoint,
        "fault": str(rule.fault),
        "times": rule.times,
        "after": rule.after,
        "used": rule.used,
        "remaining": rule.remaining,
    }


def _printable(text: str) -> str:
    """Replace bytes of a name outside UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
