"""Errors as HTTP statuses: whose fault it was, in a form that may be shown to anybody."""

import math
import time
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from wxasset.errors import (
    APIError,
    BusyError,
    HTTPStatusError,
    InvalidMediaError,
    MediaNotFoundError,
    PartialDeleteError,
    QuotaExceededError,
    RateLimitedError,
    ReplyError,
    RequestError,
    SourceError,
    TokenUnavailableError,
    TransferTimeout,
    UploadOutcomeUnknown,
    WxAssetError,
)

__all__ = ["answer_error", "problem", "retry_after", "status_of"]

_STATUS: Final[Sequence[tuple[type[WxAssetError], int]]] = (
    (SourceError, 422),
    (InvalidMediaError, 422),
    (MediaNotFoundError, 404),
    (RateLimitedError, 429),
    (QuotaExceededError, 429),
    (BusyError, 503),
    (TokenUnavailableError, 503),
    (TransferTimeout, 504),
    (UploadOutcomeUnknown, 504),
    (RequestError, 502),
    (ReplyError, 502),
    (APIError, 502),
    (PartialDeleteError, 502),
)
_SERVER_ERROR: Final = 500
_ASK_LATER: Final = frozenset({429, 503})  # statuses that speak of a time

_MINUTE: Final = 60
_DAY: Final = 86_400
_CHINA: Final = 8 * 3600  # seconds ahead of UTC: quotas end with the day there (wire reference 0.7)


def status_of(error: WxAssetError) -> int:
    """Give the HTTP status that says whose fault it was; 500 for a fault of the program."""
    if isinstance(error, HTTPStatusError) and error.status in _ASK_LATER:
        return 503
    return next((status for kind, status in _STATUS if isinstance(error, kind)), _SERVER_ERROR)


def retry_after(error: WxAssetError, now: float) -> int | None:
    """Give the seconds after which a repetition may succeed, where that is known.

    Args:
        error: What happened.
        now: The time, in unix seconds.
    """
    if isinstance(error, RateLimitedError):
        return math.ceil(_MINUTE - now % _MINUTE)
    if isinstance(error, QuotaExceededError):
        return math.ceil(_DAY - (now + _CHINA) % _DAY)
    if isinstance(error, HTTPStatusError) and error.status in _ASK_LATER and error.retry_after is not None:
        return math.ceil(error.retry_after)
    return None


def problem(error: WxAssetError) -> JSONResponse:
    """Make the response that says what happened: ``{error, hint, hint_zh}``, in words without a secret."""
    after = retry_after(error, time.time())
    return JSONResponse(
        {"error": _public(error), "hint": error.hint.english, "hint_zh": error.hint.chinese},
        status_of(error),
        {"Cache-Control": "no-store"} | ({} if after is None else {"Retry-After": str(after)}),
    )


def _public(error: WxAssetError) -> str:
    """Say what happened, without what is nobody's business: a host, an address, an appid, a file of the server's."""
    match error:
        case APIError():
            return f"WeChat refused it with code {error.errcode}."
        case TokenUnavailableError():
            return "The server has no access token for WeChat."
        case UploadOutcomeUnknown():
            return f"The upload of {error.filename} may or may not have happened; it was not sent again."
        case RequestError():
            return "WeChat could not be reached, or did not answer in full."
        case ReplyError():
            return "WeChat's answer cannot be used."
    return error.message


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a `WxAssetError` with the status that says whose fault it was, and with what to do about it.

    ``exception_handlers={WxAssetError: answer_error}``. The body is ``{"error", "hint", "hint_zh"}``.

    ========  ==========================================================================================
    422       `SourceError`, `InvalidMediaError`: the file is at fault
    404       `MediaNotFoundError`
    429       `RateLimitedError`, `QuotaExceededError`, with Retry-After
    502       the network failed, WeChat's answer cannot be used, or WeChat refused this server
    503       `BusyError`, `TokenUnavailableError`, an HTTP status 429 or 503 of WeChat's, with its Retry-After
    504       `TransferTimeout`, `UploadOutcomeUnknown`
    ========  ==========================================================================================

    Raises:
        Exception: The error itself, where it is a mistake in the program (such as `UsageError`), or where there is no
            request that could be answered, as in a websocket: the server makes a 500 of it, and a line in its log.
    """
    # FastAPI gives a websocket to the same handlers.
    if not isinstance(error, WxAssetError) or status_of(error) == _SERVER_ERROR or not isinstance(request, Request):
        raise error
    return problem(error)
