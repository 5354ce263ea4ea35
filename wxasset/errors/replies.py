"""Errors of responses that cannot be used."""

from typing import Final

from attrs import define, field

from wxasset.errors.base import WxAssetError
from wxasset.errors.hints import STORAGE_HINTS, Hint

__all__ = [
    "DecodeError",
    "HTTPStatusError",
    "NotAFileError",
    "NotListedError",
    "ReplyError",
    "ReplyTooLarge",
    "StorageError",
    "TruncatedDownload",
    "UnsafeURLError",
]

_FORBIDDEN: Final = 403


@define(eq=False, repr=False, slots=False)
class ReplyError(WxAssetError):
    """An answer came, but it cannot be used.

    Attributes:
        path: The API's path.
        remedy: Remedy for this response; shown as the hint in place of the usual one.
    """

    path: str = ""
    remedy: Hint | None = field(default=None, kw_only=True)

    _hint = Hint(
        "A proxy or gateway may have responded instead of WeChat: check proxies and the base URL.",
        "响应可能来自代理或网关而非微信，请检查代理和基础地址（base URL）。",
    )


@define(eq=False, repr=False, slots=False, kw_only=True)
class HTTPStatusError(ReplyError):
    """The HTTP status was not 200. WeChat reports its own errors with status 200.

    Attributes:
        status: The HTTP status.
        excerpt: The start of the body, at most 200 characters.
        retry_after: Seconds after which the server wants to be asked again; None where it does not say.
        early: Whether it came before the whole request was sent, so that WeChat did not carry the request out.
    """

    status: int
    excerpt: str = ""
    retry_after: float | None = None
    early: bool = False


@define(eq=False, repr=False, slots=False, kw_only=True)
class StorageError(HTTPStatusError):
    """Object storage, where cloud files are, refused a request; it says why in XML.

    Attributes:
        code: Its code, such as ``AccessDenied``: decide on this, and on `status`.
        errmsg: Its text.
        request_id: Its id of the request, for the support of Tencent Cloud; None where it sent none.
    """

    code: str
    errmsg: str = ""
    request_id: str | None = None

    _hint = Hint(
        "Look the code up in Tencent Cloud's table of COS error codes.",
        "请在腾讯云对象存储 COS 的错误码文档中查询该错误码。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy for this code."""
        return STORAGE_HINTS.get(self.code, self._hint)

    @property
    def expired(self) -> bool:
        """True if the signature of the request had expired."""
        return self.status == _FORBIDDEN and "expired" in f"{self.code} {self.errmsg}".lower()


class NotListedError(HTTPStatusError):
    """Cloud hosting answered a call without a token with status 502: its path is not on the list of the console.

    Nothing was carried out (wire reference 8.5). The same refusal with a body is 85107, a `PermissionDeniedError`.
    """

    _hint = Hint(
        "Nothing was carried out. Add the path to the list of the WeChat cloud hosting console"
        " (cloud.weixin.qq.com/cloudrun/openapi, 云调用 - 微信令牌权限配置). If it is listed, see that 开放接口服务"
        " is on, and deploy a new version.",
        "请求未被执行：请在微信云托管控制台（cloud.weixin.qq.com/cloudrun/openapi）"
        "「云调用 - 微信令牌权限配置」中加入该路径；"
        "若已加入，请确认「开放接口服务」已开启并重新发布版本。",
    )


@define(eq=False, repr=False, slots=False, kw_only=True)
class DecodeError(ReplyError):
    """The body is not the JSON object that this API answers with.

    Attributes:
        excerpt: The start of the body, at most 200 characters.
    """

    excerpt: str = ""


@define(eq=False, repr=False, slots=False, kw_only=True)
class TruncatedDownload(ReplyError):
    """The body ended before its announced length. Nothing incomplete was left at the destination.

    Attributes:
        received: Bytes that had been read when it broke.
        expected: Bytes that were announced, or None.
    """

    received: int
    expected: int | None = None

    _hint = Hint("The download was cut short; fetch it again.", "下载被中断，请重新下载。")


@define(eq=False, repr=False, slots=False, kw_only=True)
class ReplyTooLarge(ReplyError):
    """The body is larger than the limit that was set for it.

    Attributes:
        limit: That limit, in bytes.
    """

    limit: int

    _hint = Hint(
        "Check the id and the base URL; if so much data is expected, a program can raise the limit.",
        "请检查 id 和基础地址（base URL）；如确需接收，程序可调大上限。",
    )


class UnsafeURLError(ReplyError):
    """A URL that the server gave must not be followed."""

    _hint = Hint(
        "The link does not lead to a public media host and was not followed. Check the base URL; a program can allow"
        " other hosts.",
        "该链接不是允许的公网媒体域名，未下载。请检查基础地址（base URL）；程序可放行其他主机。",
    )


class NotAFileError(ReplyError):
    """A link leads to a page of HTML instead of to the file; nothing was saved."""

    _hint = Hint(
        "WeChat gives some accounts a page playing the video instead of the file: watch it on mp.weixin.qq.com.",
        "微信对部分账号返回的是视频播放页面而不是文件，请登录 mp.weixin.qq.com 查看。",
    )
