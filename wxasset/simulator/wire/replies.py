"""Responses on the wire: documents, files, and the exact error messages."""

import json
from collections import defaultdict
from collections.abc import Mapping
from enum import Enum

from attrs import Factory, evolve, frozen

from wxasset.simulator.identifiers import Identifiers

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
# From captured responses if available, else from the service's own table of codes. The spelling is the service's.
_WORDING: dict[int, tuple[str, _Suffix]] = {
    40001: (_INVALID_CREDENTIAL, _Suffix.RID),
    40002: ("invalid grant_type", _Suffix.RID),
    40004: ("invalid media type", _Suffix.HINT_AND_RID),
    40005: ("invalid file type", _Suffix.HINT_AND_RID),
    40006: ("invalid meida size", _Suffix.HINT_AND_RID),
    40007: ("invalid media_id", _Suffix.HINT_AND_RID),
    40009: ("invalid image size", _Suffix.HINT_AND_RID),
    40013: ("invalid appid", _Suffix.RID),
    40014: ("invalid access_token", _Suffix.RID),
    40066: ("invalid url", _Suffix.RID),
    40097: ("invalid args", _Suffix.RID),
    40101: ("missing parameter", _Suffix.RID),
    40113: ("unsupported file type", _Suffix.HINT_AND_RID),
    40125: ("invalid appsecret", _Suffix.COMMA_RID),
    40164: ("invalid ip {address} ipv6 ::ffff:{address}, not in whitelist", _Suffix.RID),
    41001: ("access_token missing", _Suffix.RID),
    41002: ("appid missing", _Suffix.RID),
    41004: ("appsecret missing", _Suffix.RID),
    41005: ("media data missing", _Suffix.HINT_AND_RID),
    41006: ("media_id missing", _Suffix.HINT_AND_RID),
    42001: ("access_token expired", _Suffix.RID),
    43001: ("require GET method", _Suffix.RID),
    43002: ("require POST method", _Suffix.RID),
    44001: ("empty media data", _Suffix.HINT_AND_RID),
    44002: ("empty post data", _Suffix.HINT_AND_RID),
    45001: ("media size out of limit", _Suffix.HINT_AND_RID),
    45074: ("material list size out of limit, you  should delete the useless material", _Suffix.HINT_AND_RID),
    47001: ("data format error", _Suffix.HINT_AND_RID),
    40170: ("args count exceed count limit", _Suffix.RID),
    40201: ("invalid check url", _Suffix.RID),
    40202: ("invalid check action", _Suffix.RID),
    40203: ("invalid check operator", _Suffix.RID),
    40243: ("AppSecret 已被冻结，请解冻后再次调用", _Suffix.RID),
    45007: ("playtime out of limit", _Suffix.HINT_AND_RID),
    45009: ("reach max api daily quota limit{more}", _Suffix.RID),
    45011: ("api minute-quota reach limit, must slower, retry next minute", _Suffix.RID),
    45060: ("media is applied in ivr or menu, can not be deleted", _Suffix.HINT_AND_RID),
    46007: ("file being transcoded, please try later", _Suffix.HINT_AND_RID),
    48001: ("api unauthorized", _Suffix.HINT_AND_RID),
    48005: ("forbid to delete material used by auto-reply or menu", _Suffix.HINT_AND_RID),
    48006: ("forbid to clear quota because of reaching the limit", _Suffix.RID),
    50004: ("user not allow to use accesstoken, maybe for punishment", _Suffix.RID),
    50007: ("账号已冻结", _Suffix.RID),
    61003: ("component is not authorized by this account", _Suffix.RID),
    61004: ("access clientip is not registered requestIP: {address}", _Suffix.RID),
    61005: ("component ticket is expired", _Suffix.RID),
    61006: ("component ticket is invalid", _Suffix.RID),
    61007: ("api is unauthorized to component", _Suffix.RID),
    61009: ("code is invalid", _Suffix.RID),
    61010: ("code is expired", _Suffix.RID),
    61011: ("invalid component", _Suffix.RID),
    61014: ("must use component token for component api", _Suffix.RID),
    61015: ("must use biz account token for not component api", _Suffix.RID),
    61023: ("refresh_token is invalid", _Suffix.RID),
    45103: ("This API has been unsupported", _Suffix.RID),
    45106: ("This API has been unsupported", _Suffix.RID),
    76001: ("rid not found", _Suffix.RID),
    76002: ("rid is error", _Suffix.RID),
    76003: ("could not query this rid,no permission", _Suffix.RID),
    76004: ("rid time is error", _Suffix.RID),
    76021: ("cgi_path not found, please check", _Suffix.RID),
    76022: ("could not use this cgi_path，no permission", _Suffix.RID),
    85105: ("not authorized", _Suffix.RID),
    85107: ("URL不在白名单内，请前往「微信云托管控制台-服务管理-云调用-微信令牌」配置", _Suffix.RID),
    85112: ("cloudbase_secret not found", _Suffix.RID),
    85113: ("cloudbase_token is not ready yet, please try again later", _Suffix.RID),
    89501: ("公众号有未处理的确认请求，请稍候重试", _Suffix.RID),
    89503: ("此次调用需要管理员确认，请耐心等候", _Suffix.RID),
    89506: ("该IP调用求请求已被公众号管理员拒绝，请24小时后再试，建议调用前与管理员沟通确认", _Suffix.RID),
    89507: ("该IP调用求请求已被公众号管理员拒绝，请1小时后再试，建议调用前与管理员沟通确认", _Suffix.RID),
    -501007: ("INVALID_PARAM", _Suffix.RID),
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
    """Return the JSON document of an error, with a new hint and request id."""
    wording, suffix = _WORDING[error.errcode]
    end = suffix.value.format(hint=identifiers.hint(), rid=identifiers.rid(now))
    return {"errcode": error.errcode, "errmsg": wording.format_map(defaultdict(str, error.details)) + end}


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
