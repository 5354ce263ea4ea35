"""What can be told of credentials without asking WeChat. Pure."""

import re
from typing import Final

from attrs import field, frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, UsageError, WxAssetError

__all__ = ["Found", "judge_credentials"]

_APPID: Final = re.compile(r"wx[0-9a-f]{16}")  # of every account that the wire reference shows
_SECRET: Final = re.compile(r"[0-9a-f]{32}")
_ORIGINAL: Final = "gh_"

_CONSOLE: Final = Hint(
    "Copy both from the console: 公众平台 → 设置与开发 → 基本配置 (mini programs: 开发管理 → 开发设置).",
    "请到「公众平台 → 设置与开发 → 基本配置」（小程序：「开发管理 → 开发设置」）复制。",
)


@frozen(kw_only=True)
class Found:
    """What was found of the account's credentials.

    Attributes:
        appid: The appid.
        secret: The AppSecret.
        origin: Where they are from.
        error: Why there are none that can be used; None where there are.
    """

    appid: str = ""
    secret: str = field(default="", repr=False)
    origin: str = ""
    error: WxAssetError | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: also what stands in the place of the appid, if it looks like an AppSecret."""
        return (self.secret, self.appid) if _SECRET.fullmatch(self.appid.strip()) else (self.secret,)

    @property
    def usable(self) -> bool:
        """Whether WeChat can be asked with them."""
        return self.error is None and bool(self.appid.strip() and self.secret.strip())


def judge_credentials(found: Found) -> Finding:
    """Judge whether credentials are there, and look as WeChat's do."""
    if found.error is not None:
        # What is missing, or wrong with a file, has its own remedy; a wrong name or address is message by the message.
        remedy = hint_for(found.error) if not isinstance(found.error, UsageError) else _CONSOLE
        message = Hint(found.error.message, f"没有可用的凭证（{found.error.message}）")
        return failed("credentials", message, remedy)
    return _shape(found, found.appid, found.secret)


def _shape(found: Found, appid: str, secret: str) -> Finding:
    """Judge the looks of credentials; the secret's own never leave this function."""
    wrong = _wrong(appid, secret)
    if wrong is not None:
        return failed("credentials", wrong, _CONSOLE)
    odd = [
        one
        for one, fits in (
            (
                Hint("the appid is not wx and 16 hexadecimal digits", "appid 不是 wx 加 16 位十六进制数"),
                _APPID.fullmatch(appid),
            ),
            (
                Hint("the AppSecret is not 32 hexadecimal digits", "AppSecret 不是 32 位十六进制数"),
                _SECRET.fullmatch(secret),
            ),
        )
        if not fits
    ]
    if odd:
        return warning(
            "credentials",
            Hint(
                f"They look unlike WeChat's: {'; '.join(one.english for one in odd)}.",
                f"与微信的格式不符：{'；'.join(one.chinese for one in odd)}。",
            ),
            _CONSOLE,
            appid_length=len(appid),  # what is no appid may be a secret
            secret_length=len(secret),
        )
    origin_zh = "环境变量" if found.origin == "the environment" else found.origin
    message = Hint(
        f"appid {appid} and an AppSecret, from {found.origin}; both look as WeChat's do.",
        f"appid {appid} 和 AppSecret 格式正确（来自 {origin_zh}）。",
    )
    return ok("credentials", message, appid=appid, origin=found.origin)


def _wrong(appid: str, secret: str) -> Hint | None:
    """Say what cannot be right, whatever WeChat thinks of it."""
    if appid != appid.strip() or secret != secret.strip():
        return Hint("There are blanks or line ends around a value.", "值的首尾有空格或换行。")
    if _APPID.fullmatch(secret) and _SECRET.fullmatch(appid):
        return Hint("The appid and the AppSecret have changed places.", "appid 与 AppSecret 填反了。")
    if appid.startswith(_ORIGINAL):
        return Hint(
            f"{appid} is an original id, not an appid, which begins with wx.",
            f"{appid} 是原始 ID，不是以 wx 开头的 appid。",
        )
    return None
