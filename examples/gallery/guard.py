"""Checks of every request, and security headers of every response."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MOST_BYTES", "Guard"]

MOST_BYTES: Final = 11 * 1024 * 1024  # WeChat accepts pictures of 10 MiB; the rest is for the form

_READING: Final = frozenset({"GET", "HEAD"})
_OWN_PAGES: Final = frozenset({"same-origin", "none"})  # none: an address typed by the user
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Middleware to reject requests by pages of other sites, and large bodies, before they are read.

    A browser says with Sec-Fetch-Site which page asks: a picture that another site embeds would cost the account a
    download. Changes need a header as well. A page of another site cannot send it: its browser needs a CORS preflight,
    and the preflight fails here.
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
        refused = _foreign(headers) or (None if scope["method"] in _READING else _unfit(headers))
        await (refused or self._app)(scope, receive, dressed)


def _foreign(headers: Headers) -> JSONResponse | None:
    if headers.get("Sec-Fetch-Site", "none") in _OWN_PAGES:
        return None
    return JSONResponse({"error": "A page of another site led here. Copy the address into the address bar."}, 403)


def _unfit(headers: Headers) -> JSONResponse | None:
    origin, length = headers.get("Origin"), headers.get("Content-Length", "0")
    if headers.get("X-Gallery") != "1" or (origin is not None and origin.partition("://")[2] != headers.get("Host")):
        return JSONResponse({"error": "The request came from a page of another site."}, 403)
    if "Transfer-Encoding" in headers:
        return JSONResponse({"error": "The body has no Content-Length."}, 411)
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return JSONResponse({"error": "The picture has more than 10 MiB."}, 413)
    return None
