"""Token file of WeChat cloud hosting (微信云托管)."""

import time
from collections.abc import Awaitable, Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import anyio
from attrs import Attribute, define, field

from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.token import Exchange, Token, is_placeholder, is_token
from wxasset.tokens.validation import is_same
from wxasset.transfer.threads import run_in_thread

__all__ = ["CloudHostingToken"]

# wire reference 1.6: pushed every 10 minutes, valid for 30.
_MOUNTED: Final = "/.tencentcloudbase/wx/cloudbase_access_token"
_REREAD: Final = 30.0  # seconds after which the file is read again; to do so takes less than a millisecond
_MOST: Final = 4096  # bytes; a token has up to 512 (wire reference 1.1)
_BEFORE_PUSH: Final = "default-tcb-wx-access-token"  # content of the file until the first push (wire reference 8.5)
_POLL: Final = 1.0  # seconds between two looks for the first push
_FIRST_PUSH: Final = 600.0  # seconds; a token is pushed every 10 minutes

_MOUNT: Final = Hint(
    "In the console of WeChat cloud hosting (cloud.weixin.qq.com/cloudrun/openapi) list the APIs under"
    " 云调用 - 微信令牌权限配置, leave 开放接口服务 off (with it, use NoToken() instead), deploy a new version, and see"
    f" that {_MOUNTED} is mounted into the container; or pass its path.",
    "请在微信云托管控制台（cloud.weixin.qq.com/cloudrun/openapi）「云调用 - 微信令牌权限配置」中加入接口路径，"
    "关闭「开放接口服务」（若使用该服务，请改用 NoToken()）并重新发布版本，"
    f"确认容器内已挂载 {_MOUNTED}，或传入实际路径。",
)
_PUSH: Final = Hint(
    "A token is pushed every 10 minutes. See in the console of WeChat cloud hosting that 微信令牌权限配置 lists the API"
    " that is called, and deploy a new version if no push arrives.",
    "令牌每 10 分钟推送一次：请在微信云托管控制台确认「微信令牌权限配置」已包含所调用的接口；"
    "若不再推送，请重新发布版本。",
)


def _path(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if not isinstance(value, str | PathLike) or not fspath(value):
        raise UsageError(f"{attribute.name} has to name the mounted file, such as {_MOUNTED}.")


@conceals_arguments
@define
class CloudHostingToken:
    """The token pushed by WeChat cloud hosting (微信令牌) into a file of the container, every 10 minutes for 30.

    For containers with 开放接口服务 switched off; with the service on, use `NoToken` instead. It is sent as
    ``cloudbase_access_token``. The file is read again after 30 seconds, and where WeChat refuses its token; the time
    of its last change is not considered. A new container waits for the first push.

    A base URL of ``http://api.weixin.qq.com`` is allowed, as the official page has it; the default is https.
    Source: https://developers.weixin.qq.com/minigame/dev/wxcloud/guide/container/cloudcall.html
    """

    path: str | PathLike[str] = field(default=_MOUNTED, validator=_path)
    _now: Callable[[], float] = field(default=time.monotonic, kw_only=True, repr=False, eq=False)
    _sleep: Callable[[float], Awaitable[object]] = field(default=anyio.sleep, kw_only=True, repr=False, eq=False)
    _waiting: bool = field(default=False, init=False, repr=False, eq=False)

    @property
    def in_hosting(self) -> bool:
        """True: calls from inside cloud hosting may use plain http."""
        return True

    @property
    def awaited(self) -> TokenUnavailableError | None:
        """The reason why a token takes time; None if it does not."""
        if not self._waiting:
            return None
        return TokenUnavailableError(
            f"The token file {fspath(self.path)} still holds {_BEFORE_PUSH}: no token has been pushed yet.", _PUSH
        )

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Read the file; wait for the first push.

        Raises:
            TokenUnavailableError: It is missing, unreadable, holds no token, still holds the token that WeChat refused,
                or no push came in 10 minutes.
        """
        del exchange
        token = await self._pushed()
        if rejected and is_same(token, previous):
            raise TokenUnavailableError(
                f"WeChat refused the token of {fspath(self.path)}, and the file still holds the same one.", _PUSH
            )
        return token

    async def _pushed(self) -> Token:
        """Return the token of the file; one that is not pushed yet is waited for."""
        until = self._now() + _FIRST_PUSH
        try:
            while (token := await self._read()).value == _BEFORE_PUSH:
                self._waiting = True
                if self._now() >= until and (awaited := self.awaited) is not None:
                    raise awaited
                await self._sleep(_POLL)
        finally:
            self._waiting = False
        return token

    async def _read(self) -> Token:
        token = await run_in_thread(_content, fspath(self.path))
        if isinstance(token, str):
            raise TokenUnavailableError(f"The token file {fspath(self.path)} {token}.", _MOUNT)
        return token


def _content(path: str) -> Token | str:
    """Read the file, in a worker thread; describe a defect in words."""
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            return "is no regular file"
        with file.open("rb") as handle:
            content = handle.read(_MOST + 1)
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
    return Token(value=text, expires_in=_REREAD, parameter="cloudbase_access_token")
