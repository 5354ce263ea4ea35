"""Decide on other items of the same account after an error: for batches and the command line. Pure."""

import enum
import errno
from typing import Final

from wxasset.errors import (
    APIError,
    BudgetSpentError,
    BusyError,
    ConnectError,
    CredentialError,
    DestinationError,
    HTTPStatusError,
    InvalidMediaError,
    IPNotAllowedError,
    Later,
    LedgerError,
    NotListedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RequestError,
    TokenRejectedError,
    TokenUnavailableError,
    UploadOutcomeUnknown,
    UsageError,
)
from wxasset.errors.classify import is_not_ready, is_turned_away

__all__ = ["Consequence", "consequence"]

_SERVER_ERROR: Final = 500
_TOKEN_PATHS: Final = ("/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/component/", "/cgi-bin/auth/")
_STORE_FULL: Final = frozenset({45034, 45074})  # no room for another material of this type, until one is deleted
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Consequence(enum.Enum):
    """Consequence of one failed item for the others."""

    ITEM = "this item failed; the others are not concerned"
    REFUSED = "WeChat refuses this file, and would refuse it again"
    LATER = "nothing was decided: the same item can be tried again at a known time"
    PAUSE = "the network or a service is down: nothing else would arrive now"
    STOP = "the account, its quota, its library or its ledger refuses every further item"


def consequence(error: BaseException, path: str = "") -> Consequence:
    """Decide on the other items after an error.

    Args:
        error: The error of one item.
        path: The path of the call made for each item, such as ``/cgi-bin/material/add_material``. A quota or a
            permission belongs to its path: where another path was refused, only this item is concerned. Empty if any
            path counts.
    """
    if isinstance(error, BudgetSpentError) and not error.minute:
        return Consequence.STOP if path in {"", error.path} else Consequence.ITEM
    if isinstance(error, Later | RateLimitedError):
        return Consequence.LATER
    if _stops(error, path):
        return Consequence.STOP
    if isinstance(error, InvalidMediaError):
        return Consequence.REFUSED
    return Consequence.PAUSE if _is_down(error) else Consequence.ITEM


def _stops(error: BaseException, path: str) -> bool:
    if isinstance(error, PermissionDeniedError | QuotaExceededError):
        return not path or error.path in {"", path} or error.path.startswith(_TOKEN_PATHS)
    if isinstance(error, APIError) and error.errcode in _STORE_FULL:
        return True
    if isinstance(error, DestinationError):
        return isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK
    if isinstance(error, ConnectError):
        return error.permanent
    refusals = CredentialError | IPNotAllowedError | NotListedError | TokenRejectedError | LedgerError
    return isinstance(error, refusals)


def _is_down(error: BaseException) -> bool:
    """Return True without a sign of life of the service; a lost upload shows the same by its cause."""
    if isinstance(error, UploadOutcomeUnknown):
        return isinstance(error.__cause__, BaseException) and _is_down(error.__cause__)
    if isinstance(error, HTTPStatusError):
        return error.status >= _SERVER_ERROR or is_turned_away(error)
    if isinstance(error, BusyError):
        return is_not_ready(error)
    return isinstance(error, RequestError | TokenUnavailableError) and not isinstance(error, UsageError)
