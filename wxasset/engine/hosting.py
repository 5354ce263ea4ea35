"""Calls from inside WeChat cloud hosting. Pure."""

from typing import Final

from wxasset.errors import HTTPStatusError, NotListedError, StorageError, WxAssetError
from wxasset.tokens.token import Token

__all__ = ["hosting_error", "with_account"]

_BAD_GATEWAY: Final = 502


def hosting_error(error: WxAssetError, token: Token | None) -> WxAssetError:
    """Return the error to raise for a failed attempt; status 502 for a call without a token means "not listed".

    The sidecar of cloud hosting answers so for a path that is not on the console's list, and passes nothing on (wire
    reference 8.5).
    """
    bare = token is not None and not token.parameter
    if not bare or not isinstance(error, HTTPStatusError) or isinstance(error, StorageError):
        return error
    if error.status != _BAD_GATEWAY:
        return error
    return NotListedError(
        f"{error.path} is not on the list of WeChat cloud hosting: it answered with HTTP status 502.",
        error.path,
        status=error.status,
        excerpt=error.excerpt,
    )


def with_account(query: dict[str, str], token: Token | None, from_appid: str | None) -> dict[str, str]:
    """Return the query with `from_appid`, for calls that carry the account's identity.

    https://developers.weixin.qq.com/minigame/dev/wxcloudrun/src/guide/reuse/index.md
    """
    return query if token is None or from_appid is None else {"from_appid": from_appid, **query}
