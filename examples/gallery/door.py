"""One-time tokens: a browser shows the gallery after it has entered a token that the program printed."""

import hmac
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import define, field
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Door", "Keys"]

_PAGE: Final = Path(__file__).with_name("enter.html").read_text("utf-8")
_OPEN: Final = frozenset({"/style.css", "/icon.svg"})  # for the page that asks for the token


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a program


@define
class Keys:
    """The token to print next, and the browsers that have entered one, known to their own process only.

    Attributes:
        address: The address of the gallery, for the printed line.
        token: The token that the next browser enters.
        tell: Called with each line to print.
    """

    address: str = "http://127.0.0.1:8000"
    token: str = ""
    tell: Callable[[str], None] = _print
    _browsers: set[str] = field(factory=set)

    def renew(self) -> None:
        """Draw and print a token; the one before it is worth nothing any longer."""
        self.token = secrets.token_urlsafe(16)
        self.tell(f"Open the gallery in one browser: {self.address}/?token={self.token}")

    def enter(self, token: str) -> str | None:
        """Exchange the token for the content of a cookie; None for a wrong one."""
        if not self.token or not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        self.renew()
        browser = secrets.token_urlsafe(32)
        self._browsers.add(browser)
        return browser

    def knows(self, browser: str) -> bool:
        """Return True for the cookie of a browser that has entered a token."""
        return browser in self._browsers


class Door:
    """Middleware to reject requests of browsers that have entered no token."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        """Wrap an application."""
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or ask for the token."""
        response = self._answer(HTTPConnection(scope)) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> Response | None:
        path = request.scope["path"]
        cookie = f"gallery-{request.url.port or 80}"  # cookies are for all ports of a host
        token = request.query_params.get("token") if path == "/" else None
        if self._keys.knows(request.cookies.get(cookie, "")):
            return None if token is None else RedirectResponse("/", 303)  # the token does not stay in the address
        if path in _OPEN:
            return None
        browser = None if token is None else self._keys.enter(token)
        if browser is not None:
            response = RedirectResponse("/", 303)
            response.set_cookie(cookie, browser, httponly=True, samesite="strict")
            return response
        if path == "/":
            return HTMLResponse(_PAGE, 401, {"Cache-Control": "no-store"})
        return JSONResponse({"error": "Open the gallery with the address that it printed."}, 401)
