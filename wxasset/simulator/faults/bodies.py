"""Response bodies made by faults: gateway pages, truncated documents, bombs."""

import asyncio
import gzip
import io
import json
from collections.abc import Callable
from http import HTTPStatus

from attrs import evolve

from wxasset.simulator.faults.language import Fault
from wxasset.simulator.faults.words import (
    Bomb,
    CorruptText,
    ErrorCode,
    Instead,
    Redirect,
    RetryAfter,
    ReturnEarly,
    Status,
    Tokens,
)
from wxasset.simulator.state.account import Account
from wxasset.simulator.wire.replies import ApiError, Document, RawReply
from wxasset.simulator.wire.requests import ApiRequest

__all__ = ["REDIRECTED", "error_body", "headers_of", "instead_of_commit", "page", "replace_body", "sets_no_response"]

REDIRECTED = "/redirected"
_BODILESS = (204, 304)
_HTML = {"Content-Type": "text/html"}
_JSON = {"Content-Type": "application/json; encoding=utf-8"}
# The form of Tencent's gateways (wire reference 8.2).
_FOREIGN = RawReply(headers=_JSON, body=b'{"code":"INVALID_PARAM","message":"invalid parameter","requestId":"17b9"}')
_BLOCK = 1 << 20
# A private-use character marks the positions of bytes invalid in JSON; it is not used in real texts.
_MARK = "\uf8ff"
_CORRUPT_BYTES = {"control-characters": b"\x01\x08\x0b\x1f", "invalid-utf8": b"\xff\xc3\x28\xed\xa0\x80"}
_UNCHANGED = ("id", "url", "token", "type", "authorization")  # ids, URLs and credentials stay usable


def page(status: int) -> RawReply:
    """Return an HTTP status with a gateway's page."""
    if status in _BODILESS:
        return RawReply(status=status)
    known = {one.value: one.phrase for one in HTTPStatus}
    title = f"{status} {known.get(status, '')}".rstrip()
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n"
    )
    return RawReply(status=status, headers=_HTML, body=body.encode() + b"</html>\r\n")


def error_body(account: Account, errcode: int, request: ApiRequest) -> Document:
    """Return the document of an error code, with the service's message if known."""
    return account.refuse(ApiError(errcode, address=request.remote), request)


def instead_of_commit(  # noqa: PLR0911 - one for each word
    fault: Fault, base_url: str
) -> RawReply | int | None:
    """Return the response or code of a fault that prevents the request; None if it is carried out."""
    for word in fault.words:
        match word:
            case ErrorCode(errcode=errcode, committed=False):
                return errcode
            case Tokens(verdict="malformed"):
                return word.errcode
            case Status(status=status, committed=False) | ReturnEarly(status=status):
                return page(status)
            case Redirect(status=status, location=location):
                return evolve(page(status), headers={**_HTML, "Location": location or base_url + REDIRECTED})
            case Instead(text="foreign-json"):
                return _FOREIGN
            case Instead(committed=False):
                return evolve(page(502), status=200)
            case _:
                pass
    if fault.find(RetryAfter) and sets_no_response(fault):
        return page(503)
    return None


def sets_no_response(fault: Fault) -> bool:
    """Return True if no word of the fault sets the response."""
    return not any("the response" in word.decides for word in fault.words)


def headers_of(fault: Fault) -> dict[str, str]:
    """Return the headers added by a fault."""
    wait = fault.find(RetryAfter)
    return {} if wait is None else {"Retry-After": str(wait.seconds)}


async def replace_body(  # noqa: PLR0911 - one for each word
    fault: Fault, document: Document | None, write: Callable[[Document], RawReply]
) -> RawReply | None:
    """Return the replacement for the response of a request already carried out; None keeps it.

    Args:
        fault: The fault.
        document: The response, if it is a document.
        write: Encodes a document as a response.
    """
    for word in fault.words:
        match word:
            case Status(status=status):
                return page(status)
            case Instead(text="html-after-commit"):
                return evolve(page(502), status=200)
            case Instead(text="foreign-json-after-commit"):
                return _FOREIGN
            case Instead(text="empty-after-commit"):
                return RawReply()
            case Instead(text="garbage-after-commit"):
                whole = write(document or {"errcode": 0, "errmsg": "ok"})
                return evolve(whole, body=whole.body[: len(whole.body) // 2])
            case Bomb():
                return await _bomb(word)
            case CorruptText(text=text) if document is not None:
                whole = write({"errmsg": "ok" + _MARK, **_marked(document)})
                return evolve(whole, body=bytes(whole.body).replace(_MARK.encode(), _CORRUPT_BYTES[text]))
            case _:
                pass
    return None


def _marked(document: Document) -> dict[str, object]:
    return {key: value if key.endswith(_UNCHANGED) else _mark(value) for key, value in document.items()}


def _mark(value: object) -> object:
    match value:
        case str():
            return value + _MARK
        case dict():
            return _marked(value)
        case list():
            return [_mark(one) for one in value]
        case _:
            return value


async def _bomb(word: Bomb) -> RawReply:
    amount = word.amount
    match word.kind:
        case "deep-json":
            return RawReply(headers=_JSON, body=b'{"errcode":0,"item":' + b"[" * amount + b"]" * amount + b"}")
        case "long-errcode":
            return RawReply(headers=_JSON, body=b'{"errcode":' + b"9" * amount + b',"errmsg":"system error"}')
        case "gzip-bomb":
            body = await asyncio.to_thread(_packed, amount)
            return RawReply(headers={**_JSON, "Content-Encoding": "gzip"}, body=body)
        case _:
            head, tail = _around_text()
            return RawReply(headers=_JSON, body=head + b"x" * (amount - len(head + tail)) + tail)


def _around_text() -> tuple[bytes, bytes]:
    head, tail = json.dumps({"errcode": 0, "errmsg": _MARK}, ensure_ascii=False).encode().split(_MARK.encode())
    return head, tail


def _packed(amount: int) -> bytes:
    """Compress a JSON document of `amount` bytes as one gzip member, without holding it in memory."""
    head, tail = _around_text()
    left = max(0, amount - len(head + tail))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(head)
        while left:
            file.write(b"0" * min(_BLOCK, left))
            left -= min(_BLOCK, left)
        file.write(tail)
    return packed.getvalue()
