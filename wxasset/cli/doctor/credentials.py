"""Judge credentials by their form. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.cli.runtime.credentials import Credentials
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, UsageError, WxAssetError

__all__ = ["KEYS", "judge_credentials", "password_of", "secrets_of"]

_APPID: Final = re.compile(r"wx[0-9a-f]{16}")  # the form of every appid in the wire reference
_SECRET: Final = re.compile(r"[0-9a-f]{32}")
KEYS: Final = "微信开发者平台 → 我的业务 → 公众号/服务号/小程序 → 基础信息 → 开发密钥"
"""Place of appid, AppSecret and address list (wire reference 8.3; for mini programs assumed to be the same)."""
_CONSOLE: Final = Hint(
    f"Copy both from the console: {KEYS}. A sandbox account (测试号) has its own pair, linked there as well.",
    f"请到「{KEYS}」复制；测试号另有一对，入口也在微信开发者平台。",
)


def secrets_of(one: Credentials) -> list[str]:
    """Return the values to redact, including an appid of the form of an AppSecret, and the password of a Redis."""
    secrets = [one.secret, password_of(one.token_store or "")]
    return [*secrets, one.appid] if _SECRET.fullmatch(one.appid.strip()) else secrets


def password_of(url: str) -> str:
    """Return the password of an address."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def judge_credentials(found: Credentials | WxAssetError) -> Finding:
    """Judge the form of credentials, or explain missing ones; the AppSecret is not part of the finding."""
    if isinstance(found, WxAssetError):
        # A usage error (an unknown name, an invalid address) is explained by its message.
        remedy = _CONSOLE if isinstance(found, UsageError) else hint_for(found)
        return failed("credentials", Hint(found.message, f"没有可用的凭据（{found.message}）"), remedy)
    appid, secret = found.appid, found.secret
    invalid = _invalid(appid, secret)
    if invalid is not None:
        return failed("credentials", invalid, _CONSOLE)
    odd = []
    if not _APPID.fullmatch(appid):
        odd.append(Hint("the appid is not wx and 16 hexadecimal digits", "appid 不是 wx 加 16 位十六进制数"))
    if not _SECRET.fullmatch(secret):
        odd.append(Hint("the AppSecret is not 32 hexadecimal digits", "AppSecret 不是 32 位十六进制数"))
    if odd:
        message = Hint(
            f"Unusual form: {'; '.join(one.english for one in odd)}.",
            f"与微信的格式不符：{'；'.join(one.chinese for one in odd)}。",
        )
        lengths = {"appid_length": len(appid), "secret_length": len(secret)}  # the value itself may be a secret
        return warning("credentials", message, _CONSOLE, **lengths)
    origin_zh = {"the environment": "环境变量", "the simulator": "模拟器"}.get(found.origin, found.origin)
    message = Hint(
        f"appid {appid} and an AppSecret, from {found.origin}; the form of both is correct.",
        f"appid {appid} 和 AppSecret 格式正确（来自 {origin_zh}）。",
    )
    return ok("credentials", message, appid=appid, origin=found.origin)


def _invalid(appid: str, secret: str) -> Hint | None:
    """Return the reason for credentials to be invalid, or None."""
    if appid != appid.strip() or secret != secret.strip():
        return Hint("A value begins or ends with a blank or a line end.", "值的首尾有空格或换行。")
    if _APPID.fullmatch(secret) and _SECRET.fullmatch(appid):
        return Hint("The appid and the AppSecret are swapped.", "appid 与 AppSecret 填反了。")
    if appid.startswith("gh_"):
        return Hint(f"{appid} is an original id; an appid begins with wx.", f"{appid} 是原始 ID，appid 以 wx 开头。")
    return None
