"""Errors as HTTP statuses: whose fault it was, in a form that may be shown to anybody."""

import logging
import math
import time
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from wxasset.errors import (
    APIError,
    BusyError,
    Hint,
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
from wxasset.errors.text import printable

__all__ = ["answer_error", "problem", "retry_after", "status_of"]

_LOG: Final = logging.getLogger("wxasset.starlette")
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
_VISITORS: Final = frozenset({404, 422})  # statuses whose cause, and so the hint, is the visitor's
_LATER: Final = Hint("Try again later.", "请稍后再试。")
_OPERATOR: Final = Hint(
    "Try again later. If it happens again, tell the operator of this site.", "请稍后再试；若仍失败，请联系网站管理员。"
)
_HINTS: Final = {
    429: _LATER,
    502: _OPERATOR,
    503: _LATER,
    504: Hint("Look whether it was done before you try again.", "请先确认操作是否已完成，再重试。"),
}
_ASK_LATER: Final = frozenset({429, 503})  # statuses that speak of a time

_SENTENCES: Final[Sequence[tuple[type[WxAssetError], str]]] = (
    (MediaNotFoundError, "There is no such material."),
    (InvalidMediaError, "WeChat does not accept this file."),
    (RateLimitedError, "There have been too many requests to WeChat."),
    (QuotaExceededError, "There have been too many requests to WeChat."),
    (BusyError, "WeChat is busy."),
    (APIError, "WeChat refused the request of this server."),
    (TokenUnavailableError, "The server has no access to WeChat."),
    (RequestError, "WeChat could not be reached, or did not answer in full."),
    (ReplyError, "WeChat's answer cannot be used."),
    (PartialDeleteError, "Some files could not be deleted."),
)
"""Sentences for visitors; the message of a `SourceError` is about their own file."""
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


def problem(error: WxAssetError, scope: Scope) -> JSONResponse:
    """Make the response to a visitor, ``{error, hint, hint_zh}``, and log the rest for the operator.

    Args:
        error: The failure.
        scope: The request, for the log.
    """
    status, after = status_of(error), retry_after(error, time.time())
    _log(error, status, scope)
    hint = error.hint if status in _VISITORS else _HINTS[status]
    return JSONResponse(
        {"error": _public(error), "hint": hint.english, "hint_zh": hint.chinese},
        status,
        {"Cache-Control": "no-store"} | ({} if after is None else {"Retry-After": str(after)}),
    )


def _log(error: WxAssetError, status: int, scope: Scope) -> None:
    """Log a refusal with everything that helps the operator; faults of visitors at INFO, the rest at WARNING."""
    _LOG.log(
        logging.INFO if status in _VISITORS else logging.WARNING,
        "%s %s was answered with %d: %s: %s %s",
        *(scope.get("method", ""), printable(scope.get("path", "")), status, type(error).__name__),
        *(error.message, error.hint),
        extra={
            "wx_status": status,
            "wx_error": type(error).__name__,
            "wx_errcode": getattr(error, "errcode", None),
            "wx_rid": getattr(error, "rid", None),
            "wx_hint": error.hint.english,
        },
    )


def _public(error: WxAssetError) -> str:
    """Describe a failure to visitors, without hosts, addresses, codes, the appid, or files of the server."""
    if isinstance(error, UploadOutcomeUnknown):
        return f"The upload of {error.filename} may or may not have happened; it was not sent again."
    return next((sentence for kind, sentence in _SENTENCES if isinstance(error, kind)), error.message)


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a `WxAssetError` with the status for its cause, in words for visitors.

    ``exception_handlers={WxAssetError: answer_error}``. The body is ``{"error", "hint", "hint_zh"}``. The rest is for
    the operator, in the log ``wxasset.starlette``: the message, the hint, errcode and rid (also as attributes
    ``wx_errcode``, ``wx_rid``, ``wx_hint``); 404 and 422 at INFO, all others at WARNING.

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
    return problem(error, request.scope)
