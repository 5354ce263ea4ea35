"""Token file of WeChat cloud hosting (微信云托管)."""

import time
from collections.abc import Callable
from os import PathLike, fspath, fstat
from pathlib import Path
from typing import Any, Final

from attrs import Attribute, field, frozen

from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.token import Exchange, Token, is_placeholder, is_token
from wxasset.transfer.threads import run_in_thread

__all__ = ["CloudHostingToken"]

# wire reference 1.6: pushed every 10 minutes, valid for 30.
_MOUNTED: Final = "/.tencentcloudbase/wx/cloudbase_access_token"
_LIFE: Final = 1800.0
_REREAD: Final = 30.0  # seconds after which the file is read again; to do so takes less than a millisecond
_MOST: Final = 4096  # bytes; a token has up to 512 (wire reference 1.1)

_MOUNT: Final = Hint(
    "Switch on 开放接口服务/微信令牌 in the console of WeChat cloud hosting, list the APIs under 微信令牌权限配置,"
    f" deploy a new version, and see that {_MOUNTED} is mounted into the container; or pass its path.",
    "请在云托管控制台开启「开放接口服务/微信令牌」、配置令牌权限并重新部署，"
    f"确认容器内已挂载 {_MOUNTED}，或传入实际路径。",
)
_PUSH: Final = Hint(
    "A token is pushed every 10 minutes. See in the console of WeChat cloud hosting that 开放接口服务/微信令牌 is on"
    " and lists the API that is called, and restart the container if no push arrives.",
    "令牌每 10 分钟推送一次："
    "请在云托管控制台确认「开放接口服务/微信令牌」已开启并包含所调用的接口；若不再推送，请重启容器。",
)


def _path(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if not isinstance(value, str | PathLike) or not fspath(value):
        raise UsageError(f"{attribute.name} has to name the mounted file, such as {_MOUNTED}.")


@frozen
class _Pushed:
    """Content of the token file."""

    token: Token
    written_at: float


@conceals_arguments
@frozen
class CloudHostingToken:
    """The token pushed by WeChat cloud hosting into a file of the container, every 10 minutes for 30.

    It rides in ``cloudbase_access_token``. The file is read again after 30 seconds, and where WeChat refuses its
    token.
    Source: https://developers.weixin.qq.com/minigame/dev/wxcloud/guide/container/cloudcall.html
    """

    path: str | PathLike[str] = field(default=_MOUNTED, validator=_path)
    _now: Callable[[], float] = field(default=time.time, kw_only=True, repr=False)

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Read the file.

        Raises:
            TokenUnavailableError: It is missing, unreadable, holds no token, is more than 30 minutes old, or still
                holds the token that WeChat refused.
        """
        del exchange
        pushed = await run_in_thread(_read, fspath(self.path))
        if isinstance(pushed, str):
            raise TokenUnavailableError(f"The token file {fspath(self.path)} {pushed}.", _MOUNT)
        left = pushed.written_at + _LIFE - self._now()
        if left <= 0:
            raise TokenUnavailableError(
                f"The token file {fspath(self.path)} was last written more than 30 minutes ago: the push has stopped.",
                _PUSH,
            )
        if rejected and previous is not None and pushed.token.value == previous.value:
            raise TokenUnavailableError(
                f"WeChat refused the token of {fspath(self.path)}, and the file still holds the same one.", _PUSH
            )
        return Token(value=pushed.token.value, expires_in=min(_REREAD, left), parameter="cloudbase_access_token")


def _read(path: str) -> _Pushed | str:
    """Read the file, in a worker thread; describe a defect in words."""
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            return "is no regular file"
        with file.open("rb") as handle:
            content, written_at = handle.read(_MOST + 1), fstat(handle.fileno()).st_mtime
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None)
        return f"cannot be read ({reason or type(error).__name__})"
    if len(content) > _MOST:
        return f"has more than {_MOST} bytes, and so is no token"
    text = content.decode("ascii", "replace").strip()
    if not text:
        return "is empty"
    if not is_token(text) or is_placeholder(text):
        return "holds no token"
    return _Pushed(Token(value=text, expires_in=_LIFE), written_at)
