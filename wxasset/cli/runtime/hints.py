"""Hints for users of the command line: the library's own, and the commands and variables to use. Pure."""

from collections.abc import Mapping
from typing import Final

from wxasset import errors
from wxasset.errors import Hint, UploadOutcomeUnknown, WxAssetError

__all__ = ["advice_for", "hint_for", "joined"]

_BASE_URL: Final = Hint(
    "It is set by WXASSET_BASE_URL (or base_url in the credentials file).",
    "该地址由 WXASSET_BASE_URL（或凭据文件中的 base_url）设置。",
)
_CREDENTIALS: Final = Hint(
    "They are set by WXASSET_APPID and WXASSET_SECRET or the credentials file.",
    "appid 和 AppSecret 由 WXASSET_APPID 和 WXASSET_SECRET 或凭据文件设置。",
)
_TOKENS: Final = Hint(
    "The token store is set by WXASSET_TOKEN_STORE (or token_store in the credentials file).",
    "token 存储由 WXASSET_TOKEN_STORE（或凭据文件中的 token_store）设置。",
)

_ADDED: Final[Mapping[type[WxAssetError], Hint]] = {
    errors.ConnectError: _BASE_URL,
    errors.DecodeError: _BASE_URL,
    errors.HTTPStatusError: _BASE_URL,
    errors.ReplyTooLarge: _BASE_URL,
    errors.UnsafeURLError: _BASE_URL,
    errors.CredentialError: _CREDENTIALS,
    errors.TokenRejectedError: _TOKENS,
    errors.TokenStoreError: _TOKENS,
    errors.DestinationError: Hint("It is the argument after -o.", "目标由 -o 指定。"),
}
"""Sentences to append to the library's hints, by exact class."""

_INSTEAD: Final[Mapping[type[WxAssetError], Hint]] = {
    errors.UsageError: Hint(
        "Nothing was sent. See: wxasset COMMAND --help", "请求未发出。用法见：wxasset COMMAND --help"
    ),
    errors.StreamConsumedError: Hint("Run the command again.", "请重新执行该命令。"),
}
"""Hints to use instead of the library's, by exact class."""


_EXAMINED: Final = (
    *(errors.ConnectError, errors.TransferTimeout, errors.DecodeError, errors.HTTPStatusError, errors.ReplyTooLarge),
    *(errors.CredentialError, errors.TokenRejectedError, errors.TokenUnavailableError, errors.TokenStoreError),
    *(errors.IPNotAllowedError, errors.PermissionDeniedError),
)
"""Errors of the configuration or the network."""
_DOCTOR: Final = Hint("wxasset doctor examines the causes.", "可用 wxasset doctor 检查原因。")


def advice_for(error: WxAssetError) -> Hint:
    """Return the hint to show for an error of a command; it names `wxasset doctor` where that helps."""
    hint = hint_for(error)
    return joined(hint, _DOCTOR) if isinstance(error, _EXAMINED) else hint


def hint_for(error: WxAssetError) -> Hint:
    """Return the hint of the library, with the variables and options of the command line."""
    if isinstance(error, UploadOutcomeUnknown):
        return _outcome(error)
    hint = _INSTEAD.get(type(error), error.hint)
    added = _ADDED.get(type(error))
    return hint if added is None else joined(hint, added)


def joined(hint: Hint, added: Hint) -> Hint:
    """Append sentences to a hint."""
    return Hint(f"{hint.english} {added.english}", f"{hint.chinese}{added.chinese}")


def _outcome(error: UploadOutcomeUnknown) -> Hint:
    """Return the command to look for an upload; the library's hint names a method instead."""
    if error.listing is None:
        return Hint(
            "WeChat does not list these uploads: upload it again if a second copy does no harm.",
            "上传结果未知，且微信不提供此类文件的列表：若重复无妨，可再次上传。",
        )
    command = f"wxasset ls {error.listing}"
    return Hint(
        f"Look for {error.filename} in: {command}. Upload it again only if it is not there a minute from now.",
        f"请先执行 {command} 查找 {error.filename}；一分钟后仍未出现再重新上传，以免重复占用额度。",
    )
