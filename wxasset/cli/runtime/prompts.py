"""Check options and ask for consent before changes to a real account."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from wxasset.cli.runtime.console import one_line
from wxasset.errors import Hint, TokenUnavailableError, UsageError

__all__ = ["HOW", "agreed", "check_options", "check_variables", "counted", "host", "listing", "question"]

HOW: Final = Hint(
    "Set WXASSET_APPID and WXASSET_SECRET, or write a file with a table [name] of appid and secret (chmod 600).",
    "请设置环境变量 WXASSET_APPID 和 WXASSET_SECRET，或在凭据文件中写入含 appid、secret 的 [名称] 表（chmod 600）。",
)
"""Remedy for missing or incomplete credentials."""

_VARIABLES: Final = Hint("Set WXASSET_APPID and WXASSET_SECRET.", "请设置环境变量 WXASSET_APPID 和 WXASSET_SECRET。")
_REQUIRED: Final = ("WXASSET_APPID", "WXASSET_SECRET")
_NAMED: Final = 3  # items that a question names
_SERVICE: Final = "https://api.weixin.qq.com"


def check_options(*, live: bool, yes: bool, env: str | None, fileids: Sequence[str]) -> None:
    """Refuse options that would silently do nothing.

    Raises:
        UsageError: They do not go together.
    """
    if not live and (yes or env is not None or fileids):
        raise UsageError("--yes, --env and --fileid belong to --live.")
    if fileids and env is None:
        raise UsageError("--fileid needs --env, the environment that the files are in.")


def check_variables(environ: Mapping[str, str], who: str = "--live", hint: Hint = _VARIABLES) -> None:
    """Refuse to start without credentials, on behalf of `who`.

    Raises:
        TokenUnavailableError: A variable is missing; it says which.
    """
    missing = [name for name in _REQUIRED if not environ.get(name)]
    if missing:
        raise TokenUnavailableError(
            f"{who} needs the environment variables {' and '.join(_REQUIRED)}; missing: {' and '.join(missing)}.",
            hint,
        )


def question(where: str, pieces: int, fileids: int) -> str:
    """Say what is about to happen, to which account (`where`), and ask."""
    cloud = f", and deletes {fileids} cloud files for good" if fileids else ""
    return f"This uploads {pieces} permanent materials to {where} and deletes them again{cloud}. Go on? [y/N]"


def counted(number: int, what: str) -> str:
    """Say how many there are of something."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listing(items: Sequence[str]) -> str:
    """Name the first of some items, and say how many more there are."""
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def host(environ: Mapping[str, str]) -> str:
    """The host that the session will talk to, without anything that may be secret in its address.

    Raises:
        UsageError: ``WXASSET_BASE_URL`` names no host.
    """
    try:
        name = urlsplit(environ.get("WXASSET_BASE_URL") or _SERVICE).netloc.rpartition("@")[2]
    except ValueError:
        name = ""
    if not name:
        raise UsageError(f"WXASSET_BASE_URL is no address such as {_SERVICE}.")
    return name


def agreed(text: str, who: str = "--live") -> bool:
    """Ask on the terminal, on behalf of `who`; anything but a yes is a no.

    Raises:
        UsageError: There is no terminal to ask on.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{who} asks before it starts, and this is no terminal; pass --yes to go without a question.")
    sys.stderr.write(f"{one_line(text)} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
