"""Errors on this side of the connection: files and streams, token sources and stores, the ledger."""

from attrs import define, field

from wxasset.errors.base import WxAssetError
from wxasset.errors.hints import Hint

__all__ = [
    "BudgetSpentError",
    "DestinationError",
    "Later",
    "LedgerError",
    "SourceError",
    "StreamConsumedError",
    "TokenStoreError",
    "TokenUnavailableError",
]


@define(eq=False, repr=False, slots=False)
class SourceError(WxAssetError):
    """The thing to upload is gone, changed, of the wrong size or kind, or cannot be sent again.

    Attributes:
        remedy: What to do about it; shown as the hint.
    """

    remedy: Hint | None = None

    _hint = Hint("Nothing was uploaded; correct the file and try again.", "未上传任何内容，请更正文件后重试。")


class DestinationError(WxAssetError):
    """The place to download to cannot be written. Nothing incomplete was left there."""

    _hint = Hint(
        "Check that the destination is a regular file or a directory, that the directory exists, is writable and has"
        " room, and that no link on the way and no file in it belongs to other users.",
        "请检查目标是否为普通文件或目录，目录是否存在、可写且空间充足，以及路径中没有其他用户的链接或文件。",
    )


@define(eq=False, repr=False, slots=False)
class TokenUnavailableError(WxAssetError):
    """No access token is available: a file is missing, a ticket unreadable, a callable failed, a store is down.

    Attributes:
        remedy: What to do about it; shown as the hint.
    """

    remedy: Hint | None = None

    _hint = Hint("Check where the access token comes from.", "请检查 access_token 的来源。")


@define(eq=False, repr=False, slots=False)
class TokenStoreError(TokenUnavailableError):
    """The store through which processes share their tokens failed.

    Attributes:
        patience: Seconds for which the store may be tried again, as during a restart; 0 where that is useless.
    """

    patience: float = field(default=0.0, kw_only=True)

    _hint = Hint(
        "Check that the store is up, and that its address, password and permissions are right.",
        "请检查 token 存储是否可用，以及地址、密码和权限是否正确。",
    )


@define(eq=False, repr=False, slots=False)
class LedgerError(WxAssetError):
    """The ledger of uploads cannot be read or written. Its records stay valid.

    Attributes:
        remedy: What to do about it; shown as the hint.
        material: The `AddedMaterial` that is in the library, but not in the ledger; None if nothing was added.
    """

    remedy: Hint | None = None
    material: object | None = None

    _hint = Hint(
        "Check that the ledger's path is on a local disk with room, is yours to write, and holds a ledger of wxasset.",
        "请检查台账文件是否位于本地磁盘、可写且空间充足，并确认它是 wxasset 的台账。",
    )


@define(eq=False, repr=False, slots=False, kw_only=True)
class Later(WxAssetError):
    """Nothing was decided yet: the same call can be made again at a known time, and may sleep or be queued until then.

    Attributes:
        at: Unix time in seconds, before which another try is useless.
    """

    at: float

    _hint = Hint(
        "Make the same call again at the given time; a queue of jobs can do so without holding a worker.",
        "请在给定时间之后以相同参数重试；使用任务队列时无需占用 worker 等待。",
    )


@define(eq=False, repr=False, slots=False, kw_only=True)
class BudgetSpentError(Later):
    """The `CallBudget` has no call left: of this day, or of this minute. Nothing was sent.

    Attributes:
        path: The API's path.
        minute: Whether calls are left after this minute; else at midnight in Beijing.
    """

    path: str = ""
    minute: bool = False

    _hint = Hint(
        "Continue at the given time. For more calls a day, see the quota in WeChat's console, or clear it there.",
        "请在给定时间之后继续；如需更多调用次数，请在微信后台查看额度，或在后台清零。",
    )


class StreamConsumedError(WxAssetError):
    """The stream has been read, or its block has been left; it holds nothing any more."""

    _hint = Hint(
        "A stream can be read once, while it is open; keep the bytes, or open the material again.",
        "数据流只能在打开期间读取一次；请自行保存数据，或重新打开素材。",
    )
