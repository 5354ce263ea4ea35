"""Convert error responses of WeChat and of object storage to exceptions. Pure."""

import re
from collections.abc import Sequence
from typing import Any, Final

from wxasset.errors import (
    APIError,
    BusyError,
    CredentialError,
    InvalidMediaError,
    IPNotAllowedError,
    MediaNotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    StorageError,
    TokenRejectedError,
    codes,
)

__all__ = ["api_error", "storage_error"]

_CLASSES: Final[Sequence[tuple[frozenset[int], type[APIError]]]] = (
    (codes.TOKEN_REJECTED, TokenRejectedError),
    (codes.CREDENTIAL, CredentialError),
    (codes.IP_NOT_ALLOWED, IPNotAllowedError),
    (codes.PERMISSION_DENIED, PermissionDeniedError),
    (codes.BUSY, BusyError),
    (codes.QUOTA_EXCEEDED, QuotaExceededError),
    (codes.RATE_LIMITED, RateLimitedError),
    (codes.INVALID_MEDIA, InvalidMediaError),
    (codes.MEDIA_NOT_FOUND, MediaNotFoundError),
)
# wire reference 0.3: the request id ends the text, after a space or a comma. 1.1 and 8.4: the address in 40164, 61004.
_RID: Final = r",?\s*rid:\s*([0-9a-fA-F]{8}-[0-9a-fA-F]{8}-[0-9a-fA-F]{8})\s*$"
_IP: Final = (
    r"invalid ip (\S+?)(?: ipv6 \S+)?,? not in whitelist|requestIP:\s*(?:::ffff:(?=\d+\.))?([0-9A-Fa-f.:]*[0-9A-Fa-f])"
)
_ERRMSG_LIMIT: Final = 500  # characters; the longest captured text has 190
_ELEMENT: Final = r"<{}>\s*(?:<!\[CDATA\[)?([^<\]]{{1,500}})"  # elements in responses of COS have no attributes


def storage_error(body: str, status: int, path: str, retry_after: float | None) -> StorageError | None:
    """Convert an error response of object storage to an exception; return None for other responses.

    https://cloud.tencent.com/document/product/436/7730

    Args:
        body: Start of the response body.
        status: HTTP status of the response.
        path: Path of the request, for errors.
        retry_after: Retry-After header in seconds, or None.
    """
    if "<Error>" not in body:
        return None
    found = {name: re.search(_ELEMENT.format(name), body) for name in ("Code", "Message", "RequestId")}
    from html import unescape  # noqa: PLC0415 - its tables are for errors of object storage alone

    code, text, request_id = (unescape(one[1].strip()) if one else "" for one in found.values())
    if not code:
        return None
    known = f" (request {request_id})" if request_id else ""
    return StorageError(
        f"{path} answered {status} {code}: {text.rstrip('.')}{known}.",
        path,
        status=status,
        retry_after=retry_after,
        code=code,
        errmsg=text,
        request_id=request_id or None,
    )


def api_error(errcode: int, errmsg: str, path: str) -> APIError:
    """Convert an error response of WeChat to an exception of the class matching its code."""
    found = re.search(_RID, errmsg)
    text = errmsg[: found.start()] if found else errmsg
    cls = next((cls for codes, cls in _CLASSES if errcode in codes), APIError)
    known: dict[str, Any] = {
        "errcode": errcode,
        "errmsg": text.strip()[:_ERRMSG_LIMIT],
        "rid": found.group(1) if found else None,
        "path": path,
    }
    if issubclass(cls, IPNotAllowedError):
        address = re.search(_IP, text)
        known["ip"] = (address[1] or address[2]) if address else None
    return cls(**known)
