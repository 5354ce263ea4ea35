"""Admission of browsers: with a one-time token printed by the program, or with a password."""

import hmac
import secrets
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from attrs import define, field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wxasset.cli.web.site import NO_STORE

__all__ = ["ENTER", "Door", "Keys"]

ENTER: Final = "/enter"
_PAGE: Final = (Path(__file__).with_name("static") / "enter.html").read_text("utf-8")
_WRONG: Final = 'id="wrong" role="alert" hidden'
_EARLY: Final = 'id="early" role="alert" hidden'
_OPEN: Final = frozenset({"/style.css", "/icon.svg"})  # files of the page that asks for the token
_MOST_BYTES: Final = 4096  # of a form with one password
_IPV6: Final = 6
_PAUSE: Final = 2  # seconds after a wrong password, for its address
_MOST_ADDRESSES: Final = 1000  # more wrong passwords than that in one pause: nobody enters


@define
class Mistakes:
    """Addresses with a wrong password a moment ago.

    Each process counts its own, so that two of them admit two guesses in the time of one.
    """

    now: Callable[[], float] = time.monotonic
    _until: dict[str, float] = field(factory=dict)

    def holds_up(self, address: str) -> bool:
        """Return True if an address has to wait."""
        now = self.now()
        self._until = {one: until for one, until in self._until.items() if until > now}
        return address in self._until or len(self._until) >= _MOST_ADDRESSES

    def add(self, address: str) -> None:
        """Let an address wait."""
        self._until[address] = self.now() + _PAUSE


@define
class Keys:
    """The one-time token or the password, and the browsers that have entered it.

    Attributes:
        announce: Called with each new token, in a thread: it prints, and a pipe that nobody reads would hold it up.
        password: The password; None for one-time tokens.
        token: The token that the next browser enters.
    """

    announce: Callable[[str], None]
    password: str | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    _browsers: set[str] = field(factory=set, repr=False)

    def renew(self) -> None:
        """Draw a token, unless there is a password; the previous token becomes invalid."""
        if self.password is None:
            self.token = secrets.token_urlsafe(16)

    def tell(self) -> None:
        """Announce the token, unless there is a password."""
        if self.password is None:
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
        self._mistakes = Mistakes()

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
        address = _address(request)
        if given is not None and self._keys.password is not None and self._mistakes.holds_up(address):
            return HTMLResponse(_page(_EARLY), 429, {**NO_STORE, "Retry-After": str(_PAUSE)})
        browser = None if given is None else self._keys.enter(given)
        if browser is not None:
            response = RedirectResponse("/", 303, background=BackgroundTask(self._keys.tell))
            secure = request.url.scheme == "https"
            response.set_cookie(cookie, browser, httponly=True, samesite="strict", secure=secure)
            return response
        if given is not None:
            self._mistakes.add(address)
        if path in ("/", ENTER):
            return HTMLResponse(_page(None if given is None else _WRONG), 401, NO_STORE)
        return JSONResponse({"message": "Open the library with the address printed by wxasset web."}, 401, NO_STORE)


def _page(shown: str | None) -> str:
    """Return the page with the form; `shown` is the message to show."""
    return _PAGE if shown is None else _PAGE.replace(shown, shown.removesuffix(" hidden"))


def _address(request: Request) -> str:
    """Return the client's address; an IPv6 client has a network of them (/64)."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False)) if address.version == _IPV6 else host


async def _entered(request: Request) -> str | None:
    """Read the field of the form; None for a form without it."""
    length = request.headers.get("Content-Length", "0")
    if not length.isdecimal() or int(length) > _MOST_BYTES:
        return None
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return fields.get("token", [None])[0]
