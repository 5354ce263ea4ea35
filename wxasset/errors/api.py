"""Refusals of WeChat, one class per group of error codes."""

from typing import ClassVar

from attrs import define

from wxasset.errors.base import WxAssetError
from wxasset.errors.codes import TOKEN_REJECTED
from wxasset.errors.hints import HINTS, Hint

__all__ = [
    "APIError",
    "BusyError",
    "CredentialError",
    "IPNotAllowedError",
    "InvalidMediaError",
    "MediaNotFoundError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitedError",
    "TokenRejectedError",
]


@define(eq=False, repr=False, slots=False, kw_only=True)
class APIError(WxAssetError):
    """WeChat refused the call.

    Attributes:
        errcode: WeChat's code; decide on this and never on the text.
        errmsg: WeChat's text without its request id; unprintable characters are replaced by spaces.
        rid: WeChat's request id, for its support and for `openapi/rid/get`; None where it sent none.
        path: The API's path.
    """

    message: str = ""
    errcode: int
    errmsg: str
    rid: str | None = None
    path: str = ""

    _hint = Hint(
        "Look the code up in WeChat's table of global return codes.",
        "请在微信官方“全局返回码”文档中查询该错误码。",
    )
    _retryable: ClassVar[bool] = False

    def __attrs_post_init__(self) -> None:
        self.message = self.message or self._describe()
        super().__attrs_post_init__()

    def _describe(self) -> str:
        rid = f" (rid {self.rid})" if self.rid else ""
        return f"{self.path or 'WeChat'} answered {self.errcode}: {self.errmsg}{rid}."

    @property
    def hint(self) -> Hint:
        """Remedy for this code."""
        return HINTS.get(self.errcode, self._hint)

    @property
    def retryable(self) -> bool:
        """True if the same call may succeed a little later."""
        return self._retryable


class TokenRejectedError(APIError):
    """40001, 40014, 42001: the access token was refused, also after one refresh."""


class CredentialError(APIError):
    """The appid, the secret or a third-party platform's ticket was refused.

    A token endpoint reports a wrong AppSecret also with 40001 or 40014, elsewhere the codes of a rejected token.
    """

    _hint = Hint(
        "The AppSecret is wrong, was reset, or belongs to another appid. Copy both again: WeChat Developer Platform, "
        "Basic Information, Development Keys (mini programs: mp.weixin.qq.com, Development Settings); those of a "
        "third-party platform: open.weixin.qq.com.",
        "AppSecret 有误、已被重置，或与 appid 不属于同一账号：请到「微信开发者平台 - 基础信息 - 开发密钥」"
        "（小程序：公众平台 - 开发管理 - 开发设置；第三方平台：微信开放平台）重新复制两者。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy for this code."""
        return self._hint if self.errcode in TOKEN_REJECTED else super().hint


@define(eq=False, repr=False, slots=False, kw_only=True)
class IPNotAllowedError(APIError):
    """40164, or 61004 on a third-party platform: this machine's address is not on the IP allow-list.

    Attributes:
        ip: The address that WeChat saw, or None where it did not say.
    """

    ip: str | None = None


class PermissionDeniedError(APIError):
    """The account, or the third-party platform, may not call this API."""


class BusyError(APIError):
    """-1: WeChat is busy. 85113: cloud hosting has just started, and is ready in some minutes."""

    _retryable = True


class QuotaExceededError(APIError):
    """45009: the day's quota is spent."""


class RateLimitedError(APIError):
    """45011: too many calls this minute."""

    _retryable = True


class InvalidMediaError(APIError):
    """WeChat refused the media itself: its format, size, name or length."""


class MediaNotFoundError(APIError):
    """40007: no such media."""
