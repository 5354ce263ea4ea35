"""Responses on the wire: documents, files, and the exact error messages."""

import json
from collections import defaultdict
from collections.abc import Mapping
from enum import Enum

from attrs import Factory, evolve, frozen

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.wire.errcodes import official_text

Document = Mapping[str, object]

# Wire reference 0.4: both Content-Types of JSON responses are common; a client must accept either.
_CONTENT_TYPES = ("application/json; encoding=utf-8", "text/plain")


class _Suffix(Enum):
    """End of an error message (wire reference 0.3)."""

    RID = " rid: {rid}"
    COMMA_RID = ", rid: {rid}"
    HINT_AND_RID = " hint: [{hint}] rid: {rid}"


STABLE_INSTEAD = ", could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
_INVALID_CREDENTIAL = "invalid credential, access_token is invalid or not latest" + STABLE_INSTEAD
# Messages of captured responses, and those with another suffix or not in the service's own table of codes, which has
# the others (`errcodes`). The spelling is the service's.
_WORDING: dict[int, tuple[str, _Suffix]] = {
    40001: (_INVALID_CREDENTIAL, _Suffix.RID),
    40004: ("invalid media type", _Suffix.HINT_AND_RID),
    40005: ("invalid file type", _Suffix.HINT_AND_RID),
    40006: ("invalid meida size", _Suffix.HINT_AND_RID),
    40007: ("invalid media_id", _Suffix.HINT_AND_RID),
    40009: ("invalid image size", _Suffix.HINT_AND_RID),
    40033: ("invalid charset. please check your request, if include \\uxxxx will create  fail!", _Suffix.HINT_AND_RID),
    40113: ("unsupported file type", _Suffix.HINT_AND_RID),
    40125: ("invalid appsecret", _Suffix.COMMA_RID),
    40164: ("invalid ip {address} ipv6 ::ffff:{address}, not in whitelist", _Suffix.RID),
    41005: ("media data missing", _Suffix.HINT_AND_RID),
    41006: ("media_id missing", _Suffix.HINT_AND_RID),
    44001: ("empty media data", _Suffix.HINT_AND_RID),
    44002: ("empty post data", _Suffix.HINT_AND_RID),
    44003: ("empty news data", _Suffix.HINT_AND_RID),
    45001: ("media size out of limit", _Suffix.HINT_AND_RID),
    45002: ("content size out of limit", _Suffix.HINT_AND_RID),
    45003: ("title size out of limit", _Suffix.HINT_AND_RID),
    45004: ("description size out of limit", _Suffix.HINT_AND_RID),
    45008: ("article size out of limit", _Suffix.HINT_AND_RID),
    45074: ("material list size out of limit, you  should delete the useless material", _Suffix.HINT_AND_RID),
    47001: ("data format error", _Suffix.HINT_AND_RID),
    40243: ("AppSecret 已被冻结，请解冻后再次调用", _Suffix.RID),
    45007: ("playtime out of limit", _Suffix.HINT_AND_RID),
    45009: ("reach max api daily quota limit{more}", _Suffix.RID),
    45060: ("media is applied in ivr or menu, can not be deleted", _Suffix.HINT_AND_RID),
    46007: ("file being transcoded, please try later", _Suffix.HINT_AND_RID),
    48001: ("api unauthorized", _Suffix.HINT_AND_RID),
    48005: ("forbid to delete material used by auto-reply or menu", _Suffix.HINT_AND_RID),
    61004: ("access clientip is not registered requestIP: {address}", _Suffix.RID),
    45110: ("author size out of limit", _Suffix.HINT_AND_RID),
    45166: ("invalid content", _Suffix.HINT_AND_RID),
    53501: ("请勿频繁请求", _Suffix.HINT_AND_RID),
    88000: ("without comment privilege", _Suffix.HINT_AND_RID),
    45106: ("This API has been unsupported", _Suffix.RID),
    85105: ("not authorized", _Suffix.RID),
    85107: ("URL不在白名单内，请前往「微信云托管控制台-服务管理-云调用-微信令牌」配置", _Suffix.RID),
    85112: ("cloudbase_secret not found", _Suffix.RID),
    85113: ("cloudbase_token is not ready yet, please try again later", _Suffix.RID),
}


class ApiError(Exception):
    """Error response with one of WeChat's codes; `details` fill the placeholders of its message."""

    def __init__(self, errcode: int, **details: str) -> None:
        super().__init__(errcode)
        self.errcode = errcode
        self.details = details


@frozen
class RawReply:
    """Response with raw bytes, status and headers."""

    status: int = 200
    headers: Mapping[str, str] = Factory(dict)
    body: bytes | memoryview = b""
    close: bool = False


def with_headers(reply: RawReply, headers: Mapping[str, str]) -> RawReply:
    """Return the response with additional headers."""
    return evolve(reply, headers={**reply.headers, **headers}) if headers else reply


def error_document(error: ApiError, identifiers: Identifiers, now: float) -> dict[str, object]:
    """Return the JSON document of an error, with a new hint and request id.

    An injected code missing from the service's table has the message "simulated error".
    """
    text = _WORDING.get(error.errcode)
    wording, suffix = text or (official_text(error.errcode) or "simulated error", _Suffix.RID)
    end = suffix.value.format(hint=identifiers.hint(), rid=identifiers.rid(now))
    if text is not None:
        wording = wording.format_map(defaultdict(str, error.details))
    return {"errcode": error.errcode, "errmsg": wording + end}


def encode(document: Document) -> bytes:
    r"""Encode JSON in the service's format: raw UTF-8, no blanks, `/` as `\/` (wire reference 0.4).

    Bytes of a filename received in invalid UTF-8 are sent unchanged.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("/", "\\/").encode("utf-8", "surrogateescape")


class ReplyWriter:
    """Encoder of documents as responses; the Content-Type alternates from one document to the next."""

    def __init__(self) -> None:
        self._written = 0

    def document(self, document: Document) -> RawReply:
        """Return a JSON response with status 200, for success and error (wire reference 0.3)."""
        content_type = _CONTENT_TYPES[self._written % len(_CONTENT_TYPES)]
        self._written += 1
        return RawReply(headers={"Content-Type": content_type}, body=encode(document))
