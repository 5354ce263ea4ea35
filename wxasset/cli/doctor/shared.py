"""What WeChat says to the tokens that a store keeps. Pure."""

from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped
from wxasset.cli.doctor.stores import NOT_GIVEN
from wxasset.errors import Hint, TokenRejectedError, WxAssetError

__all__ = ["SharedTrial", "judge_shared"]

_OUTLIVES: Final = 60.0  # seconds; a token this near its end is refused for its age


@frozen(kw_only=True)
class SharedTrial:
    """What became of the tokens that are kept in a store.

    Attributes:
        mode: The kind of token: "stable" or "classic".
        left: Seconds of life that it should have, by its record.
        error: What WeChat said to a call with it; None where all was well.
    """

    mode: str
    left: float
    error: WxAssetError | None = None


def judge_shared(trials: tuple[SharedTrial, ...] | None) -> Finding:
    """Judge whether WeChat still takes the tokens that a store keeps; None where there is no store to look into."""
    if trials is None:
        return skipped("shared_token", NOT_GIVEN)
    living = [trial for trial in trials if trial.left > _OUTLIVES]
    if not living:
        why = Hint("The store keeps no token that should be valid now.", "存储中没有应当有效的 token。")
        return skipped("shared_token", why)
    evidence = {trial.mode: f"{trial.left:.0f} s left" for trial in living}
    for trial in living:
        if isinstance(trial.error, TokenRejectedError):
            said, cure = _ended(trial)
            return failed("shared_token", said, cure, errcode=trial.error.errcode, **evidence)
    unknown = [trial for trial in living if trial.error is not None]
    if unknown:
        why = Hint(
            f"WeChat could not be asked about it: {unknown[0].error.message if unknown[0].error else ''}",
            "未能向微信验证存储中的 token。",
        )
        return skipped("shared_token", why)
    modes = " and ".join(trial.mode for trial in living)
    said = Hint(f"WeChat takes the {modes} token of the store.", f"微信接受存储中的 token（{modes}）。")
    return ok("shared_token", said, **evidence)


def _ended(trial: SharedTrial) -> tuple[Hint, Hint]:
    code = getattr(trial.error, "errcode", "?")
    minutes = f"{trial.left / 60:.0f}"
    said = Hint(
        f"The {trial.mode} token of the store has {minutes} minutes left, and WeChat refuses it already"
        f" ({code}): somebody"
        " else has fetched a newer one.",
        f"存储中的 {trial.mode} token 还应有效 {minutes} 分钟，但微信已拒绝（{code}）：有其他程序获取了更新的 token。",
    )
    if trial.mode == "classic":
        return said, Hint(
            "Another program fetches /cgi-bin/token for this account, and each fetch ends the token before. Find it, or"
            " use the stable token (WxSession(appid, secret)), which no such fetch touches.",
            "有其他程序在为该账号调用 /cgi-bin/token，每次获取都会使之前的 token 失效。请找到它，或改用稳定版 token"
            "（WxSession(appid, secret)），两者互不影响。",
        )
    return said, Hint(
        "Another program forces the refresh (force_refresh), or the AppSecret was reset. wxasset fetches a new"
        " token at the"
        " next call.",
        "有其他程序强制刷新（force_refresh），或 AppSecret 已被重置。wxasset 会在下次调用时重新获取。",
    )
