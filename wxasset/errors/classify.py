"""Classify errors for retries, batches, token caches and exit codes. Pure."""

from typing import Final

from wxasset.errors import (
    APIError,
    BusyError,
    ConnectError,
    DecodeError,
    HTTPStatusError,
    RateLimitedError,
    ReplyTooLarge,
    TokenRejectedError,
    TokenUnavailableError,
    TransferError,
)

__all__ = [
    "is_final",
    "is_not_ready",
    "is_throttled",
    "is_turned_away",
    "never_reached_server",
]

_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_UNAVAILABLE: Final = 503
_NOT_READY: Final = 85113


def never_reached_server(error: BaseException) -> bool:
    """Return True if the request was not sent, or not in full; a gateway may have answered it early."""
    if isinstance(error, HTTPStatusError):
        return error.early and error.status >= _SERVER_ERROR
    if isinstance(error, ConnectError | TokenUnavailableError):
        return True
    return isinstance(error, TransferError) and not error.outcome_unknown


def is_turned_away(error: BaseException) -> bool:
    """Return True if the request was rejected unprocessed because of its rate: 45011 or status 429."""
    if isinstance(error, HTTPStatusError):
        return error.status == _TOO_MANY_REQUESTS
    return isinstance(error, RateLimitedError)


def is_not_ready(error: BaseException) -> bool:
    """Return True if cloud hosting refused the call unprocessed because it has just started: 85113."""
    return isinstance(error, APIError) and error.errcode == _NOT_READY


def is_throttled(error: BaseException) -> bool:
    """Return True if fewer requests at once would help: `is_turned_away`, and also -1 and status 503."""
    if isinstance(error, HTTPStatusError) and error.status == _UNAVAILABLE:
        return True
    return is_turned_away(error) or isinstance(error, BusyError)


def is_final(error: BaseException) -> bool:
    """Return True if a token endpoint would respond in the same way again: with a refusal, or without a token.

    A busy or throttling endpoint is not final. Nor is a rejected token: it can be replaced.
    """
    if isinstance(error, HTTPStatusError):
        return error.status < _SERVER_ERROR and not is_turned_away(error)
    if isinstance(error, APIError):
        return not isinstance(error, BusyError | RateLimitedError | TokenRejectedError)
    return isinstance(error, DecodeError | ReplyTooLarge)
