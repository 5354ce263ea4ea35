"""Checks of every request, and security headers of every response."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wxasset.cli.web.door import ENTER

__all__ = ["HEADER", "MOST_BYTES", "Guard"]

HEADER: Final = "X-Wxasset"
"""Header of changes; pages of other sites cannot send it."""
MOST_BYTES: Final = 11 * 1024 * 1024
"""Maximum size of a request: WeChat accepts files of 10 MiB; the rest is for the form."""

_READING: Final = frozenset({"GET", "HEAD"})
_OWN_PAGES: Final = frozenset({"same-origin", "none"})  # none: an address typed by the user
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Middleware to reject requests by pages of other sites, and large bodies, before they are read.

    A browser says with Sec-Fetch-Site which page sends a request: an image embedded by another site would cost the
    account a download. Changes need a header as well. A page of another site cannot send it: its browser needs a CORS
    preflight, and the preflight fails here.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or reject it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        refused = _foreign(headers)
        if refused is None and scope["method"] not in _READING:
            refused = _unfit(headers, form=scope["path"] == ENTER)
        await (refused or self._app)(scope, receive, dressed)


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"message": message, "status": status}, status)


def _foreign(headers: Headers) -> JSONResponse | None:
    if headers.get("Sec-Fetch-Site", "none") in _OWN_PAGES:
        return None
    return _refusal(403, "A page of another site led here. Copy the address into the address bar.")


def _unfit(headers: Headers, *, form: bool) -> JSONResponse | None:
    origin, length = headers.get("Origin"), headers.get("Content-Length", "0")
    marked = form or headers.get(HEADER) == "1"  # the form for the token cannot send a header
    if not marked or (origin is not None and origin.partition("://")[2] != headers.get("Host")):
        return _refusal(403, "The request came from a page of another site.")
    if "Transfer-Encoding" in headers:
        return _refusal(411, "The body has no Content-Length.")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return _refusal(413, "The file has more than 10 MiB.")
    return None
