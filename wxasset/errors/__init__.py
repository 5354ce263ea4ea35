"""Every failure of wxasset: one tree, whose data is all in plain attributes.

::

    WxAssetError
    ├── UsageError                the call itself is wrong; nothing was sent
    ├── RequestError              no complete answer
    │   ├── ConnectError          nothing was sent
    │   ├── TransferError         broke on the way
    │   │   └── TransferTimeout
    │   └── UploadOutcomeUnknown  a create may or may not have happened
    ├── ReplyError                an answer that cannot be used
    │   ├── HTTPStatusError       the status was not 200
    │   │   └── StorageError      object storage said no
    │   ├── DecodeError  TruncatedDownload  ReplyTooLarge  UnsafeURLError  NotAFileError
    ├── APIError                  WeChat said no
    │   ├── TokenRejectedError    CredentialError    IPNotAllowedError
    │   ├── PermissionDeniedError BusyError          QuotaExceededError   RateLimitedError
    │   ├── InvalidMediaError     MediaNotFoundError
    ├── SourceError               the thing to upload
    ├── DestinationError          the place to download to
    ├── TokenUnavailableError     no access token is available
    │   └── TokenStoreError       the store that shares tokens failed
    ├── LedgerError               the file with the record of uploads
    ├── StreamConsumedError       read twice
    └── PartialDeleteError        some cloud files were not deleted

Errors name the API's path, never its URL: an access token rides in the query. They pickle, and they carry a hint
in English and Chinese. Their texts are printable: servers and file names can contain line ends and escapes.
"""

from collections.abc import Awaitable
from typing import Any, ClassVar, Final, Protocol, TypeVar

from attrs import define, field, fields

from wxasset.errors.codes import TOKEN_REJECTED
from wxasset.errors.hints import HINTS, STORAGE_HINTS, Hint
from wxasset.errors.text import printable

__all__ = [
    "APIError",
    "BusyError",
    "ConnectError",
    "CredentialError",
    "DecodeError",
    "DeletionOutcome",
    "DestinationError",
    "HTTPStatusError",
    "Hint",
    "IPNotAllowedError",
    "InvalidMediaError",
    "LedgerError",
    "MediaNotFoundError",
    "NotAFileError",
    "PartialDeleteError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitedError",
    "ReplyError",
    "ReplyTooLarge",
    "RequestError",
    "Resolver",
    "SourceError",
    "StorageError",
    "StreamConsumedError",
    "TokenRejectedError",
    "TokenStoreError",
    "TokenUnavailableError",
    "TransferError",
    "TransferTimeout",
    "TruncatedDownload",
    "UndeletedFile",
    "UnsafeURLError",
    "UploadOutcomeUnknown",
    "UsageError",
    "WxAssetError",
]

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")


class Resolver(Protocol[M_co]):
    """A session that finds out whether an upload happened; a `WxSession` is one."""

    def resolve_upload(self, error: "UploadOutcomeUnknown", /) -> Awaitable[M_co | None]:
        """Return the material of an upload, or None if the library does not have it."""
        ...


class DeletionOutcome(Protocol):
    """The result of deleting cloud files; a `DeleteReport` is one."""

    @property
    def deleted(self) -> tuple[str, ...]:
        """The ids of the deleted files."""
        ...

    @property
    def failed(self) -> tuple["UndeletedFile", ...]:
        """The files that were not deleted."""
        ...


class UndeletedFile(Protocol):
    """A cloud file that was not deleted; a `FailedDelete` is one."""

    @property
    def fileid(self) -> str:
        """The id of the file."""
        ...

    @property
    def status(self) -> int | None:
        """WeChat's status for it; None if the request failed."""
        ...

    @property
    def errmsg(self) -> str:
        """WeChat's message, or the failure of the request."""
        ...


def _rebuild(cls: "type[WxAssetError]", values: dict[str, Any], args: tuple[Any, ...] = ()) -> "WxAssetError":
    """Restore an error without `__init__`, as a subclass outside of this package may have its own."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(values)
    return error


@define(eq=False, slots=False)
class WxAssetError(Exception):
    """The root: ``except WxAssetError`` catches every failure of this package.

    Attributes:
        message: What happened, in one English sentence.
        hint: What to do about it, in English and in Chinese.
    """

    message: str

    _hint: ClassVar[Hint] = Hint("See the message.", "请查看错误说明。")
    _exact: ClassVar[frozenset[str]] = frozenset()

    def __attrs_post_init__(self) -> None:
        """Make all texts printable, except for `_exact` fields, by which something is searched."""
        for one in fields(type(self)):
            text = getattr(self, one.name)
            if isinstance(text, str) and one.name not in self._exact:
                setattr(self, one.name, printable(text))

    @property
    def hint(self) -> Hint:
        """Remedy, in English (`hint.english`) and Chinese (`hint.chinese`)."""
        return self._hint

    def __str__(self) -> str:
        """Say what happened, then what to do."""
        return f"{self.message} {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name, with the notes: the default rebuilds from positions, which keyword-only fields refuse."""
        return _rebuild, (type(self), dict(self.__dict__), self.args)


class UsageError(WxAssetError, ValueError):
    """The call itself is wrong: a bad argument, missing credentials, a closed session. Nothing was sent."""

    _hint = Hint("Correct the arguments; nothing was sent.", "参数有误，请更正后再试；请求未发出。")


@define(eq=False, slots=False)
class RequestError(WxAssetError):
    """No complete answer was received.

    Attributes:
        path: The API's path, for example ``/cgi-bin/material/add_material``.
    """

    path: str = ""

    _hint = Hint("Check the network and try again.", "请检查网络后重试。")


@define(eq=False, slots=False)
class ConnectError(RequestError):
    """Name resolution, the proxy, the connection or TLS failed: nothing was sent, so a repetition is harmless.

    Attributes:
        proxy: Host and port of the proxy that was used; None without one.
        status: HTTP status with which the proxy refused to connect; None if it did not respond with one.
        permanent: Whether a repetition cannot succeed: an invalid certificate, or a proxy that refused with 401, 403 or
            407.
    """

    proxy: str | None = None
    status: int | None = None
    permanent: bool = False

    _hint = Hint(
        "Nothing was sent. Check DNS, proxy, firewall and the base URL, then try again.",
        "请求尚未发出。请检查 DNS、代理、防火墙和基础地址（base URL）后重试。",
    )
    _refused: ClassVar[Hint] = Hint(
        "Nothing was sent. Check address, user and password of the proxy (HTTPS_PROXY), and whether it may connect to"
        " this host.",
        "请求尚未发出。请检查代理的地址、用户名和密码（HTTPS_PROXY），以及代理是否允许连接该主机。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy; another one if the proxy refused."""
        return self._hint if self.status is None else self._refused


@define(eq=False, slots=False)
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


@define(eq=False, slots=False, kw_only=True)
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


@define(eq=False, slots=False)
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

    @property
    def hint(self) -> Hint:
        """Remedy for this response."""
        return self.remedy or self._hint


@define(eq=False, slots=False, kw_only=True)
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


@define(eq=False, slots=False, kw_only=True)
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


@define(eq=False, slots=False, kw_only=True)
class DecodeError(ReplyError):
    """The body is not the JSON object that this API answers with.

    Attributes:
        excerpt: The start of the body, at most 200 characters.
    """

    excerpt: str = ""


@define(eq=False, slots=False, kw_only=True)
class TruncatedDownload(ReplyError):
    """The body ended before its announced length. Nothing incomplete was left at the destination.

    Attributes:
        received: Bytes that had been read when it broke.
        expected: Bytes that were announced, or None.
    """

    received: int
    expected: int | None = None

    _hint = Hint("The download was cut short; fetch it again.", "下载被中断，请重新下载。")


@define(eq=False, slots=False, kw_only=True)
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


@define(eq=False, slots=False, kw_only=True)
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
        "The AppSecret is wrong, was reset, or belongs to another appid. Copy appid and AppSecret again from the "
        "console; on a third-party platform, those of the platform.",
        "AppSecret 有误、已被重置，或与 appid 不属于同一账号：请到后台重新复制 appid 和 AppSecret"
        "（第三方平台请复制平台自己的）。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy for this code."""
        return self._hint if self.errcode in TOKEN_REJECTED else super().hint


@define(eq=False, slots=False, kw_only=True)
class IPNotAllowedError(APIError):
    """40164: this machine's address is not on the account's IP allow-list.

    Attributes:
        ip: The address that WeChat saw, or None where it did not say.
    """

    ip: str | None = None


class PermissionDeniedError(APIError):
    """The account, or the third-party platform, may not call this API."""


class BusyError(APIError):
    """-1: WeChat is busy."""

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


@define(eq=False, slots=False)
class SourceError(WxAssetError):
    """The thing to upload is gone, changed, of the wrong size or kind, or cannot be sent again.

    Attributes:
        remedy: What to do about it; shown as the hint.
    """

    remedy: Hint | None = None

    _hint = Hint("Nothing was uploaded; correct the file and try again.", "未上传任何内容，请更正文件后重试。")

    @property
    def hint(self) -> Hint:
        """Remedy for this source."""
        return self.remedy or self._hint


class DestinationError(WxAssetError):
    """The place to download to cannot be written. Nothing incomplete was left there."""

    _hint = Hint(
        "Check that the destination is a regular file or a directory, that the directory exists, is writable and has"
        " room, and that no link on the way and no file in it belongs to other users.",
        "请检查目标是否为普通文件或目录，目录是否存在、可写且空间充足，以及路径中没有其他用户的链接或文件。",
    )


@define(eq=False, slots=False)
class TokenUnavailableError(WxAssetError):
    """No access token is available: a file is missing, a ticket unreadable, a callable failed, a store is down.

    Attributes:
        remedy: What to do about it; shown as the hint.
    """

    remedy: Hint | None = None

    _hint = Hint("Check where the access token comes from.", "请检查 access_token 的来源。")

    @property
    def hint(self) -> Hint:
        """Remedy for this token source."""
        return self.remedy or self._hint


class TokenStoreError(TokenUnavailableError):
    """The store through which processes share their tokens failed."""

    _hint = Hint(
        "Check that the store is up, and that its address, password and permissions are right.",
        "请检查 token 存储是否可用，以及地址、密码和权限是否正确。",
    )


@define(eq=False, slots=False)
class LedgerError(WxAssetError):
    """The ledger of uploads cannot be read or written. Its records stay valid.

    Attributes:
        remedy: What to do about it; shown as the hint.
    """

    remedy: Hint | None = None

    _hint = Hint(
        "Check that the ledger's path is on a local disk with room, is yours to write, and holds a ledger of wxasset.",
        "请检查台账文件是否位于本地磁盘、可写且空间充足，并确认它是 wxasset 的台账。",
    )

    @property
    def hint(self) -> Hint:
        """Remedy for this ledger."""
        return self.remedy or self._hint


class StreamConsumedError(WxAssetError):
    """The stream has been read, or its block has been left; it holds nothing any more."""

    _hint = Hint(
        "A stream can be read once, while it is open; keep the bytes, or open the material again.",
        "数据流只能在打开期间读取一次；请自行保存数据，或重新打开素材。",
    )


@define(eq=False, slots=False, kw_only=True)
class PartialDeleteError(WxAssetError):
    """Some cloud files were not deleted.

    Attributes:
        report: The outcome of every id.
    """

    report: DeletionOutcome

    _hint = Hint(
        "The failed files still exist; delete them again. The other files are deleted.",
        "列出的文件未删除，请重新删除；其余文件已删除。",
    )


_FORBIDDEN: Final = 403
