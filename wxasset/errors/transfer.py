"""Errors of requests without a complete response."""

from collections.abc import Awaitable
from typing import ClassVar, Protocol, TypeVar

from attrs import define

from wxasset.errors.base import WxAssetError
from wxasset.errors.hints import Hint

__all__ = ["ConnectError", "RequestError", "Resolver", "TransferError", "TransferTimeout", "UploadOutcomeUnknown"]

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")


class Resolver(Protocol[M_co]):
    """A session that finds out whether an upload happened; a `WxSession` is one."""

    def resolve_upload(self, error: "UploadOutcomeUnknown", /) -> Awaitable[M_co | None]:
        """Return the material of an upload, or None if the library does not have it."""
        ...


@define(eq=False, repr=False, slots=False)
class RequestError(WxAssetError):
    """No complete answer was received.

    Attributes:
        path: The API's path, for example ``/cgi-bin/material/add_material``.
    """

    path: str = ""

    _hint = Hint("Check the network and try again.", "请检查网络后重试。")


@define(eq=False, repr=False, slots=False)
class ConnectError(RequestError):
    """Name resolution, the proxy, the connection or TLS failed: nothing was sent, so a repetition is harmless.

    Attributes:
        proxy: Host and port of the proxy that was used; None without one.
        status: HTTP status with which the proxy refused to connect; None if it did not respond with one.
        permanent: Whether a repetition cannot succeed: an invalid certificate, or a proxy that refused with 401, 403 or
            407.
        self_signed: Whether the peer showed a self-signed certificate, as the sidecar of WeChat cloud hosting does.
    """

    proxy: str | None = None
    status: int | None = None
    permanent: bool = False
    self_signed: bool = False

    _hint = Hint(
        "Nothing was sent. Check DNS, proxy, firewall and the base URL, then try again.",
        "请求尚未发出。请检查 DNS、代理、防火墙和基础地址（base URL）后重试。",
    )
    _refused: ClassVar[Hint] = Hint(
        "Nothing was sent. Check address, user and password of the proxy (HTTPS_PROXY), and whether it may connect to"
        " this host.",
        "请求尚未发出。请检查代理的地址、用户名和密码（HTTPS_PROXY），以及代理是否允许连接该主机。",
    )

    _sidecar: ClassVar[Hint] = Hint(
        "Nothing was sent. In WeChat cloud hosting the sidecar of 开放接口服务 answers https with a self-signed"
        " certificate: call http://api.weixin.qq.com without a "
        "token (in a program: NoToken), or switch the service off"
        " and deploy a new version. Elsewhere a proxy reads the traffic.",
        "请求尚未发出。在微信云托管中，「开放接口服务」以自签名证书响应 https："
        "请不带 token 访问 http://api.weixin.qq.com（程序中用 NoToken），"
        "或关闭该服务并重新发布版本；其他环境下是代理在解密流量。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy; another one if the proxy refused, or for a self-signed certificate."""
        if self.self_signed:
            return self._sidecar
        return self._hint if self.status is None else self._refused


@define(eq=False, repr=False, slots=False)
class TransferError(RequestError):
    """The exchange broke on the way.

    Attributes:
        outcome_unknown: False where it is certain that WeChat never had the whole request.
        stale: Whether the connection had been kept from an earlier call, and broke before a byte of the answer came.
    """

    outcome_unknown: bool = True
    stale: bool = False


class TransferTimeout(TransferError):
    """No byte moved for `Timeouts.stall` seconds, or too few for `Timeouts.total` and `Timeouts.min_rate`."""

    _hint = Hint(
        "The peer stalled. Check the network and try again; on a slow line a program can raise the stall and total"
        " timeouts.",
        "对端无响应。请检查网络后重试；线路较慢时，程序可调大 stall 和 total 超时。",
    )


@define(eq=False, repr=False, slots=False, kw_only=True)
class UploadOutcomeUnknown(RequestError):
    """An upload, or another create, may or may not have happened. It was not sent again.

    Its response was lost, or an exception of this program (the cause) was raised after the request was sent.

    Attributes:
        filename: The name it was sent under, and is listed under; empty for a create without media.
        type: WeChat's type of the media, such as ``image``.
        size: The number of bytes of the media.
        started_at: Unix time in seconds just before the attempt.
        ended_at: Unix time in seconds when it was given up.
        reason: What became of the reply.
        listing: The type under which the library lists it; None where WeChat has no list.
        unique_name: Whether no other upload has its name.
        candidates: The ids of materials that may be it, where the search found any.
        owned: The ids that other calls of its process had in that time: none of them is it.
        sha256: The hash of the media in hexadecimal, where its name is not unique and it can be read again.
        clock_ahead: Seconds by which WeChat's clock was ahead of this machine's; None if unknown.
    """

    filename: str
    type: str
    size: int
    started_at: float
    ended_at: float
    reason: str
    listing: str | None = None
    unique_name: bool = False
    candidates: tuple[str, ...] = ()
    owned: tuple[str, ...] = ()
    sha256: str | None = None
    clock_ahead: float | None = None

    _exact = frozenset({"filename"})
    _hint = Hint(
        "Before you upload it again, ask `await error.resolve(wx)`, or look for its name with `iter_materials`.",
        "上传结果未知：再次上传前，请先调用 `await error.resolve(wx)`，"
        "或用 `iter_materials` 按文件名查找，避免重复占用额度。",
    )
    _several: ClassVar[Hint] = Hint(
        "One of `error.candidates` may be this upload: look at them, and delete surplus copies."
        " `UploadPolicy(unique_names=True)` gives each file a name of its own.",
        "`error.candidates` 中可能有本次上传的素材，请核对后删除多余的；"
        "`UploadPolicy(unique_names=True)` 可为每个文件生成唯一的文件名。",
    )
    _unlisted: ClassVar[Hint] = Hint(
        "WeChat does not list these uploads: upload it again if a second copy does no harm;"
        " `UploadPolicy(unlisted='resend')` does so automatically.",
        "上传结果未知，且微信不提供此类文件的列表：若重复无妨，可再次上传，或设置 `UploadPolicy(unlisted='resend')`。",
    )

    _bare: ClassVar[Hint] = Hint(
        "Check on WeChat's side if it was carried out before you send it again.",
        "请求结果未知：再次发送前，请先确认微信侧是否已执行。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy; only the library can be searched."""
        if self.listing is None:
            return self._unlisted if self.filename else self._bare
        return self._several if self.candidates else self._hint

    def resolve(self, wx: Resolver[M]) -> Awaitable[M | None]:
        """Find out later whether the upload happened; await it. The same as `WxSession.resolve_upload`.

        Args:
            wx: A session of the same account.

        Returns:
            The material, or None where the list proves that the library does not have it.

        Raises:
            UploadOutcomeUnknown: It cannot be told: several materials may be it, too many have been added since, or
                the list does not prove that it is absent.
            UsageError: WeChat has no list of such uploads.
            WxAssetError: The library could not be listed.
        """
        return wx.resolve_upload(self)
