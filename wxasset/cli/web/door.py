"""Admission of browsers: with a one-time token printed by the program, or with a password."""

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from attrs import define, field
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wxasset.cli.web.site import NO_STORE

__all__ = ["ENTER", "Door", "Keys"]

ENTER: Final = "/enter"
_PAGE: Final = (Path(__file__).with_name("static") / "enter.html").read_text("utf-8")
_WRONG: Final = 'id="wrong" role="alert" hidden'
_OPEN: Final = frozenset({"/style.css", "/icon.svg"})  # files of the page that asks for the token
_MOST_BYTES: Final = 4096  # of a form with one password


@define
class Keys:
    """The one-time token or the password, and the browsers that have entered it.

    Attributes:
        announce: Called with each new token.
        password: The password; None for one-time tokens.
        token: The token that the next browser enters.
    """

    announce: Callable[[str], None]
    password: str | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    _browsers: set[str] = field(factory=set, repr=False)

    def renew(self) -> None:
        """Draw and announce a token, unless there is a password; the previous token becomes invalid."""
        if self.password is None:
            self.token = secrets.token_urlsafe(16)
            self.announce(self.token)

    def enter(self, given: str) -> str | None:
        """Exchange the token or the password for the value of a cookie; None for a wrong one."""
        expected = self.password or self.token
        if not expected or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8")):
            return None
        self.renew()
        browser = secrets.token_urlsafe(32)
        self._browsers.add(browser)
        return browser

    def knows(self, browser: str) -> bool:
        """Return True for the cookie of an admitted browser."""
        return browser in self._browsers


class Door:
    """Middleware to reject requests of browsers without admission."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        """Wrap an application."""
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or ask for the token."""
        response = await self._answer(Request(scope, receive)) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        path = request.scope["path"]
        cookie = f"wxasset-{request.url.port or 80}"  # cookies are shared by all ports of a host
        linked = request.query_params.get("token") if path == "/" and self._keys.password is None else None
        if self._keys.knows(request.cookies.get(cookie, "")):
            leaves = linked is not None or path == ENTER  # the token does not stay in the address
            return RedirectResponse("/", 303) if leaves else None
        if path in _OPEN:
            return None
        given = await _entered(request) if path == ENTER and request.method == "POST" else linked
        browser = None if given is None else self._keys.enter(given)
        if browser is not None:
            response = RedirectResponse("/", 303)
            secure = request.url.scheme == "https"
            response.set_cookie(cookie, browser, httponly=True, samesite="strict", secure=secure)
            return response
        if path in ("/", ENTER):
            page = _PAGE if given is None else _PAGE.replace(_WRONG, _WRONG.removesuffix(" hidden"))
            return HTMLResponse(page, 401, NO_STORE)
        return JSONResponse({"message": "Open the library with the address printed by wxasset web."}, 401, NO_STORE)


async def _entered(request: Request) -> str | None:
    """Read the field of the form; None for a form without it."""
    length = request.headers.get("Content-Length", "0")
    if not length.isdecimal() or int(length) > _MOST_BYTES:
        return None
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return fields.get("token", [None])[0]
