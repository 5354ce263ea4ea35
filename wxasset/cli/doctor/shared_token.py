"""Judge the tokens kept in a token store. Pure."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped
from wxasset.errors import Hint, TokenRejectedError, WxAssetError

__all__ = ["SharedTrial", "judge_shared"]

_MARGIN: Final = 60.0  # seconds; a token this close to its expiry is not tried


@frozen(kw_only=True)
class SharedTrial:
    """Result of a call with a stored token.

    Attributes:
        mode: Kind of token: "stable" or "classic".
        left: Seconds until expiry according to the store.
        error: The error of the call, or None.
    """

    mode: str
    left: float
    error: WxAssetError | None = None


def judge_shared(trials: Sequence[SharedTrial]) -> Finding:
    """Judge whether WeChat accepts the stored tokens."""
    living = [trial for trial in trials if trial.left > _MARGIN]
    if not living:
        return skipped("shared_token", Hint("The store contains no valid token.", "存储中没有应当有效的 token。"))
    evidence = {trial.mode: f"{trial.left:.0f} s left" for trial in living}
    for trial in living:
        if isinstance(trial.error, TokenRejectedError):
            message, remedy = _rejected(trial, trial.error)
            return failed("shared_token", message, remedy, errcode=trial.error.errcode, **evidence)
    error = next((trial.error for trial in living if trial.error is not None), None)
    if error is not None:
        why = Hint(f"The stored token could not be tried: {error.message}", "未能向微信验证存储中的 token。")
        return skipped("shared_token", why)
    modes = " and ".join(trial.mode for trial in living)
    message = Hint(f"WeChat accepts the stored token ({modes}).", f"微信接受存储中的 token（{modes}）。")
    return ok("shared_token", message, **evidence)


def _rejected(trial: SharedTrial, error: TokenRejectedError) -> tuple[Hint, Hint]:
    minutes = f"{trial.left / 60:.0f}"
    message = Hint(
        f"The stored {trial.mode} token expires in {minutes} minutes, but WeChat already rejects it"
        f" ({error.errcode}): another program has fetched a newer one.",
        f"存储中的 {trial.mode} token 还应有效 {minutes} 分钟，但微信已拒绝（{error.errcode}）：已有新 token。",
    )
    if trial.mode == "classic":
        return message, Hint(
            "Another program fetches /cgi-bin/token for this account; each fetch invalidates the previous token. Find"
            " the program, or use the stable token (WxSession(appid, secret)), unaffected by such fetches.",
            "有其他程序在为该账号调用 /cgi-bin/token，每次获取都会使之前的 token 失效。请找到它，或改用稳定版 token"
            "（WxSession(appid, secret)），两者互不影响。",
        )
    return message, Hint(
        "Another program forces the refresh (force_refresh), or the AppSecret was reset. wxasset fetches a new token"
        " for the next call.",
        "有其他程序强制刷新（force_refresh），或 AppSecret 已被重置。wxasset 会在下次调用时重新获取。",
    )
