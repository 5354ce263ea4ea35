"""Check options and ask for confirmation before changes to a real account."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from wxasset.cli.runtime.console import one_line
from wxasset.cli.runtime.language import localized
from wxasset.errors import Hint, TokenUnavailableError, UsageError

__all__ = ["HOW", "NOT_DELETED", "agreed", "check_options", "check_variables", "counted", "host", "listing", "question"]

HOW: Final = Hint(
    "Set WXASSET_APPID and WXASSET_SECRET, or write a file with a table [name] of appid and secret (chmod 600).",
    "请设置环境变量 WXASSET_APPID 和 WXASSET_SECRET，或在凭据文件中写入含 appid、secret 的 [名称] 表（chmod 600）。",
)
"""Remedy for missing or incomplete credentials."""
NOT_DELETED: Final = Hint("Nothing was deleted.", "未删除任何内容。")

_REQUIRED: Final = ("WXASSET_APPID", "WXASSET_SECRET")
_NAMED: Final = 3  # items named in a question
_SERVICE: Final = "https://api.weixin.qq.com"


def check_options(*, live: bool, yes: bool, env: str | None, fileids: Sequence[str], account: bool) -> None:
    """Refuse options without effect.

    Raises:
        UsageError: An option is given without the option it depends on.
    """
    if not live and (yes or env is not None or fileids):
        raise UsageError("--yes, --env and --fileid require --live.")
    if not live and account:
        raise UsageError("--account, --proxy and --timeout require --live: the simulator has an account of its own.")
    if fileids and env is None:
        raise UsageError("--fileid requires --env, the environment of the files.")


def check_variables(environ: Mapping[str, str]) -> None:
    """Refuse an account from the environment without one of its variables.

    Raises:
        TokenUnavailableError: A variable is missing; the error names it.
    """
    missing = [name for name in _REQUIRED if not environ.get(name)]
    if missing:
        raise TokenUnavailableError(
            f"An account from the environment requires the environment variables {' and '.join(_REQUIRED)}; missing:"
            f" {' and '.join(missing)}.",
            HOW,
        )


def question(where: str, pieces: int, fileids: int) -> Hint:
    """Return the question before a live demonstration on an account (`where`)."""
    cloud = f", and permanently deletes {fileids} cloud files" if fileids else ""
    cloud_zh = f"，并永久删除 {fileids} 个云文件" if fileids else ""
    return Hint(
        f"This uploads {pieces} permanent materials to {where} and deletes them again{cloud}. Continue? [y/N]",
        f"将向 {where} 上传 {pieces} 个永久素材，然后删除{cloud_zh}。继续吗？[y/N]",
    )


def counted(number: int, what: str) -> str:
    """Format a number with a noun."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listing(items: Sequence[str]) -> str:
    """List the first items, and the number of further items."""
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def host(environ: Mapping[str, str]) -> str:
    """Return the API host, without user and password.

    Raises:
        UsageError: ``WXASSET_BASE_URL`` has no host.
    """
    try:
        name = urlsplit(environ.get("WXASSET_BASE_URL") or _SERVICE).netloc.rpartition("@")[2]
    except ValueError:
        name = ""
    if not name:
        raise UsageError(f"WXASSET_BASE_URL is not a URL with a host, such as {_SERVICE}.")
    return name


def agreed(text: Hint | str, who: str = "--live") -> bool:
    """Ask on the terminal, on behalf of `who`, and return whether the answer was yes.

    Raises:
        UsageError: Standard input or error is not a terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{who} asks for confirmation, which requires a terminal; pass --yes to skip the question.")
    sys.stderr.write(f"{one_line(localized(text))} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
