"""The account of the application, and the answers to failures."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from attrs import field, frozen
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from wxasset import WxSession
from wxasset.cli.runtime.credentials import Credentials
from wxasset.cli.runtime.errors import document_of
from wxasset.errors import WxAssetError
from wxasset.integrations.starlette.cache import MaterialCache
from wxasset.integrations.starlette.errors import retry_after, status_of

__all__ = ["NO_STORE", "Endpoint", "Site", "answer_failure", "answer_refusal", "changes", "failure", "site_of"]

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
NO_STORE: Final = {"Cache-Control": "no-store"}


@frozen(kw_only=True)
class Site:
    """An account, and the permission to change its library.

    Attributes:
        wx: The session of the account.
        cache: Downloaded materials.
        credentials: Its credentials.
        environ: The environment variables, for the doctor.
        controls: Address of the simulator's controls; None for the real service.
        read_only: Refuse uploads and deletions.
    """

    wx: WxSession
    cache: MaterialCache
    credentials: Credentials
    environ: Mapping[str, str] = field(repr=False)
    controls: str | None = None
    read_only: bool = False


def site_of(request: Request) -> Site:
    """Return the account of the application."""
    site: Site = request.app.state.site
    return site


def changes(endpoint: Endpoint) -> Endpoint:
    """Make an endpoint that answers 403 in a read-only application."""

    async def checked(request: Request) -> Response:
        if site_of(request).read_only:
            raise HTTPException(403, "The library is open for reading only (--read-only).")
        return await endpoint(request)

    return checked


def failure(error: WxAssetError) -> dict[str, object]:
    """Describe a failure to the operator: the status, and the fields of an error of the command line.

    The user of the page has the credentials of the account, so the message and the hint are shown in full.
    """
    return {**document_of(error), "status": status_of(error), "retry_after": retry_after(error, time.time())}


async def answer_failure(request: Request, error: Exception) -> Response:
    """Answer a failed call: an exception handler for `WxAssetError`."""
    del request
    if not isinstance(error, WxAssetError):
        raise error
    return JSONResponse(failure(error), status_of(error), NO_STORE)


async def answer_refusal(request: Request, error: Exception) -> Response:
    """Answer an invalid request: an exception handler for `HTTPException`."""
    del request
    if not isinstance(error, HTTPException):
        raise error
    document = {"message": error.detail, "status": error.status_code}
    return JSONResponse(document, error.status_code, {**(error.headers or {}), **NO_STORE})
