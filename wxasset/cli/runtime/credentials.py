"""Find the account of a command and open its session; credentials are never arguments."""

import os
import re
import shlex
import stat
import tomllib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import field, frozen

from wxasset import DownloadPolicy, FileTokenStore, RedisTokenStore, TokenStore, WxSession
from wxasset.cli.runtime import prompts
from wxasset.errors import Hint, TokenUnavailableError, UsageError

__all__ = [
    "SERVICE",
    "Accounts",
    "Credentials",
    "credentials_path",
    "find_credentials",
    "open_session",
    "open_store",
    "read_accounts",
]

SERVICE: Final = "https://api.weixin.qq.com"
_LIMIT: Final = 1 << 20  # bytes; thousands of accounts
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_POSIX: Final = os.name == "posix"  # elsewhere modes do not say who may read
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_KEYS: Final = ("appid", "secret", "base_url", "token_store")


@frozen(kw_only=True)
class Credentials:
    """Credentials of one account.

    Attributes:
        appid: Its appid.
        secret: Its AppSecret.
        base_url: The API host.
        token_store: Where tokens are shared: the path of a file, or a redis:// address, which may hold a password.
        origin: Where all this is from, for messages.
        name: The account's name in the file; None where it is from the environment.
    """

    appid: str
    secret: str = field(repr=False)
    base_url: str = field(default=SERVICE, repr=False)
    token_store: str | None = field(default=None, repr=False)
    origin: str
    name: str | None = None

    @property
    def host(self) -> str:
        """The name of the API host, without anything that may be secret in its address.

        Raises:
            UsageError: The address names none.
        """
        return prompts.host({"WXASSET_BASE_URL": self.base_url})


@frozen
class Accounts:
    """Content of a credentials file."""

    path: Path
    by_name: Mapping[str, Credentials]
    default: str | None

    def choose(self, name: str | None) -> Credentials:
        """Return the account of this name; without one the default, or the only one.

        Raises:
            UsageError: There is no such account, or nothing says which.
        """
        names = ", ".join(self.by_name) or "none"
        wanted = name or self.default or (names if len(self.by_name) == 1 else None)
        if wanted is None:
            raise UsageError(
                f'{self.path} has no account that is the only one: pass --account, or write default = "NAME" at its'
                f" top; it has: {names}."
            )
        if wanted not in self.by_name:
            raise UsageError(f"{self.path} has no account {wanted}; it has: {names}.")
        return self.by_name[wanted]


def read_accounts(path: Path) -> Accounts:
    """Read a credentials file.

    Raises:
        TokenUnavailableError: It is missing, others can read it, or it is not as it should be. The error repeats
            nothing of the file but names.
    """
    try:
        document = tomllib.loads(_read(path).decode("utf-8"))
    except ValueError as error:  # of the encoding, or of TOML
        where = re.search(r"at line \d+", str(error))  # the rest may repeat what stands there
        problem = f"{path} is no TOML" + (f": see {where.group()}." if where else ".")
    else:
        default = document.pop("default") if isinstance(document.get("default"), str) else None
        return Accounts(path, {name: _account(name, table, path) for name, table in document.items()}, default)
    raise TokenUnavailableError(problem, prompts.HOW)


def _read(path: Path) -> bytes:
    """Read the file, if it is closed to others."""
    try:
        with open(os.open(path, _OPEN), "rb") as file:  # noqa: PTH123 - a descriptor is no path
            _check(os.fstat(file.fileno()).st_mode, path)
            return file.read(_LIMIT)
    except FileNotFoundError:
        problem = f"There are no credentials: no WXASSET_APPID in the environment, and no file {path}."
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}."
    raise TokenUnavailableError(problem, prompts.HOW)


def _check(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise TokenUnavailableError(f"{path} is no regular file.", prompts.HOW)
    if _POSIX and mode & _OTHERS:
        cure = f"chmod 600 {shlex.quote(str(path))}"
        raise TokenUnavailableError(
            f"{path} is not used: others have access to it (mode {stat.S_IMODE(mode):04o}).",
            Hint(
                f"Run: {cure}. Where others may have read the secret, reset it on the console as well.",
                f"请执行：{cure}。如密钥可能已泄露，请同时在公众平台重置 AppSecret。",
            ),
        )


def _account(name: str, table: Any, path: Path) -> Credentials:
    """Check one table of the file."""
    if not isinstance(table, dict):
        raise TokenUnavailableError(f"{path}: {name} is no table [{name}].", prompts.HOW)
    problem = None
    if unknown := [key for key in table if key not in _KEYS]:
        problem = f"has {unknown[0]}, which is none of: {', '.join(_KEYS)}"
    elif missing := [key for key in ("appid", "secret") if not table.get(key)]:
        problem = f"has no {missing[0]}"
    elif odd := [key for key, value in table.items() if not isinstance(value, str)]:
        problem = f"has {odd[0]}, which is no text in quotes"
    if problem:
        raise TokenUnavailableError(f"{path}: [{name}] {problem}.", prompts.HOW)
    return Credentials(**table, origin=f"[{name}] of {path}", name=name)


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the credentials file: `WXASSET_CREDENTIALS`, or below the user's configuration directory."""
    if given := environ.get("WXASSET_CREDENTIALS"):
        return Path(given).expanduser()
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "wxasset" / "credentials.toml"


def find_credentials(environ: Mapping[str, str], account: str | None = None) -> Credentials:
    """Find the account to work for.

    The environment comes first, unless an account of the file is asked for by name. What is in the file is taken
    from there as a whole: a secret in it goes to no other host than it says.

    Args:
        environ: The environment variables.
        account: The name of an account in the file.

    Raises:
        UsageError: The file has no such account, or an address is none.
        TokenUnavailableError: There are no credentials, or not all of them, or their file must not be used.
    """
    appid, secret = environ.get("WXASSET_APPID"), environ.get("WXASSET_SECRET")
    if account is None and (appid or secret):
        prompts.check_variables(environ, "An account of the environment", prompts.HOW)
        found = Credentials(
            appid=appid or "",
            secret=secret or "",
            base_url=environ.get("WXASSET_BASE_URL") or SERVICE,
            token_store=environ.get("WXASSET_TOKEN_STORE") or None,
            origin="the environment",
        )
    else:
        found = read_accounts(credentials_path(environ)).choose(account)
    _ = found.host
    return found


def open_store(credentials: Credentials) -> TokenStore | None:
    """Make the token store that these credentials name; None where they name none. Close it with `aclose`.

    Raises:
        UsageError: It is of no kind that is known, or its extra is not installed.
    """
    place = credentials.token_store
    if place is None:
        return None
    if place.startswith(("redis://", "rediss://", "unix://")):
        return RedisTokenStore(place)
    if "://" in place:
        raise UsageError("The token store is the path of a file, or an address that begins with redis://.")
    return FileTokenStore(Path(place).expanduser())


@asynccontextmanager
async def open_session(credentials: Credentials, store: TokenStore | None = None) -> AsyncGenerator[WxSession, None]:
    """Open a session for this account, on the store that is given or, without one, on that of the credentials.

    Raises:
        UsageError: The address or the token store is not usable.
    """
    own = None if store is not None else open_store(credentials)
    try:
        # The links of a simulator on this machine lead to itself.
        local = urlsplit(credentials.base_url).hostname in _LOOPBACK
        policy = DownloadPolicy(allow_private_hosts=local)
        async with WxSession(
            credentials.appid,
            credentials.secret,
            store=store or own,
            base_url=credentials.base_url,
            downloads=policy,
        ) as wx:
            yield wx
    finally:
        if own is not None:
            await own.aclose()
