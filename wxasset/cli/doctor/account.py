"""What WeChat says to the credentials, to this address, and to calls of its APIs. Pure."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.cli.runtime.usage import Usage
from wxasset.errors import APIError, Hint, IPNotAllowedError, PermissionDeniedError, TokenRejectedError, WxAssetError

__all__ = ["Trial", "granted", "judge_address", "judge_library", "judge_permissions", "judge_quota", "judge_token"]

_NOT_LISTED: Final = 40164
_NO_SUCH_MEDIA: Final = 40007
_WHERE: Final = Hint(
    "公众平台 → 设置与开发 → 基本配置 → IP白名单 (mini programs: 开发管理 → 开发设置)",
    "「公众平台 → 设置与开发 → 基本配置 → IP白名单」（小程序：「开发管理 → 开发设置」）",
)
_NEAR: Final = 0.9  # of a cap or a limit: what is told while there is time to act


def judge_token(error: WxAssetError | None, expires_in: int | None) -> Finding:
    """Judge what became of the fetch of a token.

    Args:
        error: Why there was none; None where there was one.
        expires_in: The seconds that it has left; None where there was none.
    """
    if error is None:
        return ok(
            "token",
            Hint(
                "WeChat takes appid and AppSecret: the stable token was fetched (not forced), and has"
                f" {expires_in} s left.",
                f"微信接受 appid 和 AppSecret：已获取稳定版 token（未强制刷新），剩余 {expires_in} 秒。",
            ),
            expires_in=expires_in,
        )
    if isinstance(error, IPNotAllowedError):
        why = Hint(
            "WeChat does not say before this address is allowed.", "须先把本机 IP 加入白名单，微信才会校验凭证。"
        )
        return skipped("token", why)
    message = Hint(f"No token: {error.message}", f"获取 token 失败：{error.message}")
    return failed("token", message, hint_for(error), **_evidence(error))


def _evidence(error: WxAssetError) -> dict[str, object]:
    """Take from an error what tells it from others."""
    if isinstance(error, APIError):
        return {"errcode": error.errcode, "errmsg": error.errmsg, "rid": error.rid, "path": error.path}
    return {"error": type(error).__name__, "path": getattr(error, "path", "")}


def judge_address(error: WxAssetError | None) -> Finding:
    """Judge whether the account's address list lets this machine in, by what became of the fetch of a token."""
    if isinstance(error, IPNotAllowedError):
        return _not_allowed(error)
    if isinstance(error, APIError):
        why = Hint(
            f"WeChat refused for another reason first ({error.errcode}).",
            f"微信先因其他原因拒绝（{error.errcode}），无法判断。",
        )
        return skipped("address", why)
    if error is not None:
        return skipped("address", Hint("WeChat could not be asked.", "未能连接微信，无法判断。"))
    return ok("address", Hint("WeChat takes calls from this machine's address.", "微信接受来自本机 IP 的调用。"))


def _not_allowed(error: IPNotAllowedError) -> Finding:
    seen = Hint(error.ip or "this machine", error.ip or "本机")
    address = Hint(error.ip or "the address in the message", error.ip or "错误信息中的 IP")
    if error.errcode != _NOT_LISTED:  # an administrator decides, or another list
        message = Hint(error.message, f"来自{seen.chinese}的调用被拒绝：{error.message}")
        return failed("address", message, hint_for(error), ip=error.ip, **_evidence(error))
    return failed(
        "address",
        Hint(
            f"WeChat sees {seen.english}, which is not on the account's address list (40164).",
            f"微信看到的 IP 是 {seen.chinese}，不在该账号的 IP 白名单中（40164）。",
        ),
        Hint(
            f"Add {address.english} at {_WHERE.english}; it takes up to 30 seconds. Where that address changes, let all"
            " calls go out through one that does not (NAT, a proxy).",
            f"请在{_WHERE.chinese}中添加 {address.chinese}，最多 30 秒生效。出口 IP 会变化时，请经固定 IP 的"
            " NAT 或代理出站。",
        ),
        ip=error.ip,
        **_evidence(error),
    )


@frozen(kw_only=True)
class Trial:
    """What became of a call that reads.

    Attributes:
        path: The API's path.
        error: What was answered; None where all was well.
    """

    path: str
    error: WxAssetError | None = None


def granted(trial: Trial) -> bool | None:
    """Tell whether the account may call an API; None where the answer does not say."""
    error = trial.error
    if error is None or (isinstance(error, APIError) and error.errcode == _NO_SUCH_MEDIA):
        return True  # the media that was asked for does not exist on purpose
    return False if isinstance(error, PermissionDeniedError) else None


def judge_permissions(trials: Sequence[Trial]) -> Finding:
    """Judge which of the APIs that read the account may call; those that write are not tried."""
    evidence = {trial.path: _verdict(trial) for trial in trials}
    refused = next((trial for trial in trials if isinstance(trial.error, TokenRejectedError)), None)
    if refused is not None:
        return failed(
            "permissions",
            Hint(
                f"WeChat refuses the stable token that it has just given ({_verdict(refused)}).",
                f"微信拒绝了刚刚签发的稳定版 token（{_verdict(refused)}）。",
            ),
            Hint(
                "Another program forces its refresh, or the AppSecret was reset: look for force_refresh elsewhere.",
                "可能有其他程序在强制刷新（force_refresh），或 AppSecret 已被重置，请排查。",
            ),
            **evidence,
        )
    denied = [trial for trial in trials if granted(trial) is False]
    if denied:
        paths = ", ".join(trial.path for trial in denied)
        codes = ", ".join(sorted({_verdict(trial) for trial in denied}))
        return failed(
            "permissions",
            Hint(f"The account may not call {paths} ({codes}).", f"该账号无权调用 {paths}（{codes}）。"),
            _right(denied),
            **evidence,
        )
    unknown = [trial for trial in trials if granted(trial) is None]
    if unknown:
        paths = ", ".join(f"{trial.path} ({_verdict(trial)})" for trial in unknown)
        return warning(
            "permissions",
            Hint(f"It is not known whether the account may call {paths}.", f"无法判断能否调用 {paths}。"),
            hint_for(unknown[0].error) if unknown[0].error else Hint("", ""),
            **evidence,
        )
    count = len(trials)
    return ok(
        "permissions",
        Hint(
            f"The account may call all {count} that were tried; those that write were not.",
            f"所试 {count} 个只读接口均可调用；未试写接口。",
        ),
        **evidence,
    )


def _verdict(trial: Trial) -> str:
    if granted(trial):
        return "ok"
    return str(trial.error.errcode) if isinstance(trial.error, APIError) else type(trial.error).__name__


def _right(denied: Sequence[Trial]) -> Hint:
    """Say what kind of account has the right that is missing (wire reference 2, availability)."""
    codes = {trial.error.errcode for trial in denied if isinstance(trial.error, APIError)}
    hint = hint_for(denied[0].error) if denied[0].error else Hint("", "")
    if codes != {48001}:
        return hint
    if any("/material/" in trial.path for trial in denied):
        return Hint(
            "Adding, counting, listing and deleting materials is for official accounts (公众号, 服务号); a mini"
            " program has"
            " temporary media and cloud files. Look at 公众平台 → 设置与开发 → 接口权限 whether the account is verified"
            " (微信认证) and has each interface.",
            "永久素材的新增、总数、列表和删除只对公众号、服务号开放，小程序请用临时素材或云文件。"
            "请在「公众平台 → 设置与开发 → 接口权限」核对账号是否已认证，以及各接口是否已获得。",
        )
    return hint


def judge_library(usages: Sequence[Usage] | None) -> Finding:
    """Judge how near the library is to its caps; None where it was not counted."""
    if usages is None:
        return skipped("library", Hint("It could not be counted.", "未能获取素材总数。"))
    evidence = {usage.name: f"{usage.used}/{usage.limit}" for usage in usages}
    shown = ", ".join(f"{usage.name} {usage.used:,} of {usage.limit:,}" for usage in usages)
    shown_zh = "，".join(f"{usage.name} {usage.used:,}/{usage.limit:,}" for usage in usages)
    remedy = Hint(
        "Delete what is not used any more: `wxasset ls`, then `wxasset rm`; articles' images (upload_image) and"
        " temporary"
        " media do not count.",
        "请清理不再使用的素材：先 `wxasset ls`，再 `wxasset rm`；图文内图片（upload_image）和临时素材不占额度。",
    )
    if any(usage.left <= 0 for usage in usages):
        return failed("library", Hint(f"It is full: {shown}.", f"素材库已满：{shown_zh}。"), remedy, **evidence)
    if any(usage.used >= _NEAR * usage.limit for usage in usages):
        return warning(
            "library", Hint(f"It is nearly full: {shown}.", f"素材库接近上限：{shown_zh}。"), remedy, **evidence
        )
    return ok("library", Hint(f"{shown}.", f"{shown_zh}。"), **evidence)


def judge_quota(usages: Sequence[Usage]) -> Finding:
    """Judge what is left of the day's calls; an API without a limit is not counted."""
    limited = [usage for usage in usages if usage.limit]
    evidence = {usage.name: f"{usage.used}/{usage.limit}" for usage in limited}
    if not usages:
        return skipped("quota", Hint("WeChat told no quota.", "未能查询到额度。"))
    spent = [usage.name for usage in limited if usage.left <= 0]
    near = [usage.name for usage in limited if usage.left > 0 and usage.used >= _NEAR * usage.limit]
    remedy = Hint(
        "Counts start again at midnight in Beijing; clear_quota does it at once, 10 times a month. `wxasset"
        " quota` shows"
        " all.",
        "北京时间零点重新计数；也可调用 clear_quota 立即清零（每月 10 次）。`wxasset quota` 可查看全部。",
    )
    if spent:
        names = ", ".join(spent)
        message = Hint(f"No calls are left today of {names}.", f"今日额度已用完：{names}。")
        return failed("quota", message, remedy, **evidence)
    if near:
        names = ", ".join(near)
        message = Hint(f"Few calls are left today of {names}.", f"今日额度即将用完：{names}。")
        return warning("quota", message, remedy, **evidence)
    message = Hint(
        f"Calls are left of all {len(usages)} APIs; {len(limited)} of them have a daily limit.",
        f"{len(usages)} 个接口今日均有余量，其中 {len(limited)} 个有每日上限。",
    )
    return ok("quota", message, **evidence)
