"""Judge WeChat's responses to the credentials, to this address and to API calls. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from wxasset.cli.doctor.credentials import KEYS
from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, warning
from wxasset.cli.doctor.token_store import FORCED
from wxasset.cli.runtime.hints import hint_for, joined
from wxasset.cli.runtime.usage import Usage
from wxasset.errors import APIError, Hint, IPNotAllowedError, PermissionDeniedError, TokenRejectedError, WxAssetError

__all__ = ["Trial", "granted", "judge_address", "judge_library", "judge_permissions", "judge_quota", "judge_token"]

_NOT_LISTED: Final = 40164
_NO_SUCH_MEDIA: Final = 40007
_NO_API_RIGHT: Final = 48001
_LIBRARY_ACCOUNTS: Final = Hint(
    "Adding, counting, listing and deleting materials requires an official account (公众号, 服务号); a mini program has"
    " temporary media and cloud files. Check 微信开发者平台 → 接口管理 → 接口权限与额度, or test with a sandbox account"
    " (测试号), linked there.",
    "永久素材的新增、总数、列表和删除只对公众号、服务号开放，小程序请用临时素材或云文件。"
    "请在「微信开发者平台 → 接口管理 → 接口权限与额度」核对；测试可用测试号（入口在微信开发者平台）。",
)
_CLEAN_UP: Final = Hint(
    "Delete unused materials: `wxasset ls`, then `wxasset rm`. Images in articles (upload_image) and temporary media do"
    " not count.",
    "请清理不再使用的素材：先 `wxasset ls`，再 `wxasset rm`；图文内图片（upload_image）和临时素材不占额度。",
)
_MIDNIGHT: Final = Hint(
    "Counts are reset at midnight in Beijing, or by clear_quota (10 times a month); `wxasset quota` shows all.",
    "北京时间零点重新计数；也可调用 clear_quota 清零（每月 10 次）。`wxasset quota` 可查看全部。",
)


def judge_token(error: WxAssetError | None, expires_in: float | None) -> Finding:
    """Judge the fetch of a token.

    Args:
        error: The error, or None if a token was issued.
        expires_in: Seconds until the token expires, or None.
    """
    if error is None:
        message = Hint(
            f"WeChat accepts appid and AppSecret: a stable token was fetched (unforced), expiring in {expires_in} s.",
            f"微信接受 appid 和 AppSecret：已获取稳定版 token（未强制刷新），剩余 {expires_in} 秒。",
        )
        return ok("token", message, expires_in=expires_in)
    if isinstance(error, IPNotAllowedError):
        return skipped("token", Hint("WeChat refuses the address: see the next check.", "微信拒绝该 IP，见下一项。"))
    message = Hint(f"No token was issued: {error.message}", f"获取 token 失败：{error.message}")
    return failed("token", message, hint_for(error), **_evidence(error))


def _evidence(error: WxAssetError) -> dict[str, object]:
    """Return the distinguishing fields of an error."""
    if isinstance(error, APIError):
        return {"errcode": error.errcode, "errmsg": error.errmsg, "rid": error.rid, "path": error.path}
    return {"error": type(error).__name__, "path": getattr(error, "path", "")}


def judge_address(errors: Sequence[WxAssetError | None], proxy: str | None) -> Finding:
    """Judge the account's address list, and tell the address seen by WeChat.

    Args:
        errors: The results of the calls made.
        proxy: Host and port of the proxy used, or None.
    """
    refused = next((one for one in errors if isinstance(one, IPNotAllowedError)), None)
    if refused is not None:
        return _not_allowed(refused, proxy)
    whose = Hint(f"the proxy {proxy}", f"代理 {proxy} ") if proxy else Hint("this network", "本机网络")
    untold = Hint(
        f"It is the outgoing address of {whose.english}; WeChat names it only in a refusal.",
        f"该 IP 为{whose.chinese}的出口 IP；微信仅在拒绝时告知具体 IP。",
    )
    if None in errors:
        accepted = Hint("WeChat accepts calls from this address.", "微信接受来自该 IP 的调用。")
        return ok("address", joined(accepted, untold))
    code = next((one.errcode for one in errors if isinstance(one, APIError)), None)
    why = Hint(f"WeChat refused for another reason first ({code}).", f"微信先因其他原因拒绝（{code}），无法判断。")
    if code is None:
        why = Hint("WeChat could not be reached.", "未能连接微信，无法判断。")
    return skipped("address", joined(why, untold))


def _not_allowed(error: IPNotAllowedError, proxy: str | None) -> Finding:
    evidence = {"ip": error.ip, "proxy": proxy, **_evidence(error)}
    through = Hint(f" through the proxy {proxy}", f"（经代理 {proxy}）") if proxy else Hint("", "")
    seen = Hint(
        f"WeChat sees {error.ip or 'an address that it does not name'}{through.english}",
        f"微信看到的 IP 是{error.ip or '（未告知）'}{through.chinese}",
    )
    if error.errcode != _NOT_LISTED:  # an administrator's decision, or another list
        message = Hint(f"{error.message} {seen.english}.", f"调用被拒绝：{error.message} {seen.chinese}。")
        return failed("address", message, hint_for(error), **evidence)
    message = Hint(
        f"{seen.english}, missing from the account's address list (40164).",
        f"{seen.chinese}，不在该账号的 IP 白名单中（40164）。",
    )
    remedy = Hint(
        f"Add {error.ip or 'the outgoing address'} at {KEYS} → IP白名单; it takes CIDR entries such as 203.0.113.0/24,"
        " and up to 30 seconds. If the address changes, route all calls through a fixed one (NAT, a proxy).",
        f"请在「{KEYS} → IP白名单」中添加 {error.ip or '出口 IP'}（支持 203.0.113.0/24 等 CIDR 网段），最多 30 秒生效。"
        "出口 IP 会变化时，请经固定 IP 的 NAT 或代理出站。",
    )
    return failed("address", message, remedy, **evidence)


@frozen(kw_only=True)
class Trial:
    """Result of a reading call.

    Attributes:
        path: The API's path.
        error: The error, or None.
        result: The result, or None after an error.
    """

    path: str
    error: WxAssetError | None = None
    result: Any = None


def granted(trial: Trial) -> bool | None:
    """Return whether the account may call an API; None if the response does not show it."""
    error = trial.error
    if error is None or (isinstance(error, APIError) and error.errcode == _NO_SUCH_MEDIA):
        return True  # the requested media does not exist on purpose
    return False if isinstance(error, PermissionDeniedError) else None


def judge_permissions(trials: Sequence[Trial]) -> Finding:
    """Judge the account's permissions for reading APIs; writing APIs are not tried."""
    evidence = {trial.path: _verdict(trial) for trial in trials}
    code = next((_verdict(trial) for trial in trials if isinstance(trial.error, TokenRejectedError)), None)
    if code is not None:
        message = Hint(
            f"WeChat rejects the stable token just issued ({code}).",
            f"微信拒绝了刚刚签发的稳定版 token（{code}）。",
        )
        return failed("permissions", message, FORCED, **evidence)
    denied = [trial for trial in trials if granted(trial) is False]
    doubtful = denied or [trial for trial in trials if granted(trial) is None]
    paths = ", ".join(f"{trial.path} ({_verdict(trial)})" for trial in doubtful)
    if denied:
        message = Hint(f"The account may not call {paths}.", f"该账号无权调用 {paths}。")
        return failed("permissions", message, _permission_remedy(denied), **evidence)
    if doubtful:
        message = Hint(f"Permission to call {paths} could not be determined.", f"无法判断能否调用 {paths}。")
        return warning("permissions", message, _permission_remedy(doubtful), **evidence)
    message = Hint(
        f"The account may call all {len(trials)} APIs tried; writing APIs were not tried.",
        f"所试 {len(trials)} 个只读接口均可调用；未试写接口。",
    )
    return ok("permissions", message, **evidence)


def _verdict(trial: Trial) -> str:
    if granted(trial):
        return "ok"
    return str(trial.error.errcode) if isinstance(trial.error, APIError) else type(trial.error).__name__


def _permission_remedy(trials: Sequence[Trial]) -> Hint:
    """Explain the kind of account required by the denied APIs (wire reference 2, availability)."""
    errors = [trial.error for trial in trials if trial.error is not None]
    codes = {error.errcode if isinstance(error, APIError) else None for error in errors}
    if codes == {_NO_API_RIGHT} and any("/material/" in trial.path for trial in trials):
        return _LIBRARY_ACCOUNTS
    return hint_for(errors[0])


def judge_library(usages: Sequence[Usage] | None) -> Finding:
    """Judge the use of the library; None if it could not be counted."""
    if usages is None:
        return skipped("library", Hint("The library could not be counted.", "未能获取素材总数。"))
    shown = ", ".join(f"{usage.name} {usage.used:,} of {usage.limit:,}" for usage in usages)
    shown_zh = "，".join(f"{usage.name} {usage.used:,}/{usage.limit:,}" for usage in usages)
    spent, near, evidence = _usage(usages)
    if spent or near:
        state = Hint("full", "已满") if spent else Hint("nearly full", "接近上限")
        message = Hint(f"The library is {state.english}: {shown}.", f"素材库{state.chinese}：{shown_zh}。")
        return (failed if spent else warning)("library", message, _CLEAN_UP, **evidence)
    return ok("library", Hint(f"{shown}.", f"{shown_zh}。"), **evidence)


def judge_quota(usages: Sequence[Usage]) -> Finding:
    """Judge the remaining daily calls; APIs without a limit are ignored."""
    if not usages:
        return skipped("quota", Hint("WeChat returned no quotas.", "未能查询到额度。"))
    spent, near, evidence = _usage([usage for usage in usages if usage.limit])
    if spent or near:
        state = Hint("No", "已用完") if spent else Hint("Few", "即将用完")
        names = spent or near
        message = Hint(f"{state.english} calls are left today for {names}.", f"今日额度{state.chinese}：{names}。")
        return (failed if spent else warning)("quota", message, _MIDNIGHT, **evidence)
    message = Hint(
        f"All {len(usages)} APIs have calls left; {len(evidence)} of them have a daily limit.",
        f"{len(usages)} 个接口今日均有余量，其中 {len(evidence)} 个有每日上限。",
    )
    return ok("quota", message, **evidence)


def _usage(usages: Sequence[Usage]) -> tuple[str, str, dict[str, str]]:
    """Return the names of exhausted and nearly exhausted limits, and the evidence."""
    spent = ", ".join(usage.name for usage in usages if usage.is_spent)
    near = ", ".join(usage.name for usage in usages if usage.is_nearly_spent)
    return spent, near, {usage.name: f"{usage.used}/{usage.limit}" for usage in usages}
