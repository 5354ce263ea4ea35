"""Find the account of a command and open its session; credentials are never passed as arguments."""

import os
import re
import tomllib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from wxasset import FileTokenStore, RedisTokenStore, RetryPolicy, TokenStore, WxSession
from wxasset.cli.runtime import prompts
from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.transfer.http.proxies import ENVIRONMENT, Proxies
from wxasset.transfer.private_files import UnsafeFileError, open_private

__all__ = [
    "DEFAULT",
    "SERVICE",
    "Accounts",
    "Connection",
    "Credentials",
    "credentials_path",
    "find_credentials",
    "open_session",
    "open_store",
    "read_accounts",
]

SERVICE: Final = "https://api.weixin.qq.com"
_LIMIT: Final = 1 << 20  # bytes; thousands of accounts
_KEYS: Final = ("appid", "secret", "base_url", "token_store")


@frozen(kw_only=True)
class Connection:
    """Settings of the network, from the options of a command.

    Attributes:
        proxy: URL of an HTTP proxy, `none`, or None for that of the environment.
        timeout: Seconds for each call; None for the default of the library.
    """

    proxy: str | None = field(default=None, repr=False)
    timeout: float | None = None

    @property
    def session_proxy(self) -> str | None:
        """Value of ``proxy=`` of a session."""
        if self.proxy is None:
            return ENVIRONMENT
        return None if self.proxy.lower() == "none" else self.proxy

    def retry(self, policy: RetryPolicy = RetryPolicy()) -> RetryPolicy:  # noqa: B008 - frozen
        """Return a policy with the timeout, if there is one."""
        return policy if self.timeout is None else evolve(policy, timeout=self.timeout)

    def check(self) -> None:
        """Refuse a proxy that cannot be used; its value may hold a password and is not shown.

        Raises:
            UsageError: It is not the URL of an HTTP proxy.
        """
        try:
            Proxies(self.session_proxy)
        except UsageError:
            raise UsageError("--proxy must be the URL of an HTTP proxy, such as http://host:3128, or none.") from None


DEFAULT: Final = Connection()


@frozen(kw_only=True)
class Credentials:
    """Credentials of one account.

    Attributes:
        appid: Its appid.
        secret: Its AppSecret.
        base_url: The API host.
        token_store: The shared token store: a file path or a redis:// address (possibly with a password).
        origin: The origin of these credentials, for messages.
        name: The account's name in the file; None for the environment.
        connection: Settings of the network.
    """

    appid: str
    secret: str = field(repr=False)
    base_url: str = field(default=SERVICE, repr=False)
    token_store: str | None = field(default=None, repr=False)
    origin: str
    name: str | None = None
    connection: Connection = DEFAULT

    @property
    def host(self) -> str:
        """Return the name of the API host, without user and password.

        Raises:
            UsageError: The address has no host.
        """
        return prompts.host({"WXASSET_BASE_URL": self.base_url})


@frozen
class Accounts:
    """Content of a credentials file."""

    path: Path
    by_name: Mapping[str, Credentials]
    default: str | None

    def choose(self, name: str | None) -> Credentials:
        """Return the account of this name, by default the default account or the only one.

        Raises:
            UsageError: The account does not exist, or the choice is ambiguous.
        """
        names = ", ".join(self.by_name) or "none"
        wanted = name or self.default or (names if len(self.by_name) == 1 else None)
        if wanted is None:
            raise UsageError(
                f'{self.path} has no default among its accounts ({names}): pass --account, or write default = "NAME" at'
                " its top."
            )
        if wanted not in self.by_name:
            raise UsageError(f"{self.path} has no account {wanted}; it has: {names}.")
        return self.by_name[wanted]


def read_accounts(path: Path) -> Accounts:
    """Read a credentials file.

    Raises:
        TokenUnavailableError: The file is missing, accessible to others, or malformed. The error contains only names
            from the file.
    """
    try:
        document = tomllib.loads(_read(path).decode("utf-8"))
    except ValueError as error:  # of the encoding, or of TOML
        where = re.search(r"at line \d+", str(error))  # the rest may repeat content of the file
        problem = f"{path} is not valid TOML" + (f": see {where.group()}." if where else ".")
    else:
        default = document.pop("default") if isinstance(document.get("default"), str) else None
        return Accounts(path, {name: _account(name, table, path) for name, table in document.items()}, default)
    raise TokenUnavailableError(problem, prompts.HOW)


def _read(path: Path) -> bytes:
    """Read the file if it belongs to this user alone."""
    try:
        with open(open_private(path, os.O_RDONLY), "rb") as file:  # noqa: PTH123 - a descriptor is no path
            return file.read(_LIMIT)
    except UnsafeFileError as error:
        remedy = Hint(
            f"{error.remedy.english}. If others may have read the secret, reset it in the console as well.",
            f"{error.remedy.chinese}。如密钥可能已泄露，请同时在公众平台重置 AppSecret。",
        )
        raise TokenUnavailableError(f"{path} was not read: {error}.", remedy) from error
    except FileNotFoundError:
        problem = f"No credentials were found: WXASSET_APPID is not set, and {path} does not exist."
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}."
    raise TokenUnavailableError(problem, prompts.HOW)


def _account(name: str, table: Any, path: Path) -> Credentials:
    """Check one table of the file."""
    if not isinstance(table, dict):
        raise TokenUnavailableError(f"{path}: {name} is not a table [{name}].", prompts.HOW)
    problem = None
    if unknown := [key for key in table if key not in _KEYS]:
        problem = f"has the unknown key {unknown[0]}; known keys: {', '.join(_KEYS)}"
    elif missing := [key for key in ("appid", "secret") if not table.get(key)]:
        problem = f"has no {missing[0]}"
    elif odd := [key for key, value in table.items() if not isinstance(value, str)]:
        problem = f"has a value of {odd[0]} that is not a string in quotes"
    if problem:
        raise TokenUnavailableError(f"{path}: [{name}] {problem}.", prompts.HOW)
    return Credentials(**table, origin=f"[{name}] of {path}", name=name)


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the credentials file: `WXASSET_CREDENTIALS`, or below the user's configuration directory."""
    if given := environ.get("WXASSET_CREDENTIALS"):
        return Path(given).expanduser()
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "wxasset" / "credentials.toml"


def find_credentials(
    environ: Mapping[str, str], account: str | None = None, connection: Connection = DEFAULT
) -> Credentials:
    """Find the account to work for.

    The environment takes precedence, unless an account of the file is given by name. An account of the file is used as
    a whole: its secret is sent only to its own host.

    Args:
        environ: The environment variables.
        account: The name of an account in the file.
        connection: Settings of the network.

    Raises:
        UsageError: The file has no such account, or an address is invalid.
        TokenUnavailableError: Credentials are missing or incomplete, or their file is unsafe.
    """
    appid, secret = environ.get("WXASSET_APPID"), environ.get("WXASSET_SECRET")
    if account is None and (appid or secret):
        prompts.check_variables(environ)
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
    connection.check()
    return evolve(found, connection=connection)


def open_store(credentials: Credentials) -> TokenStore | None:
    """Create the token store of these credentials, or return None. Close it with `aclose`.

    Raises:
        UsageError: The kind of store is unknown, or its extra is not installed.
    """
    place = credentials.token_store
    if place is None:
        return None
    if place.startswith(("redis://", "rediss://", "unix://")):
        return RedisTokenStore(place)
    if "://" in place:
        raise UsageError("The token store must be a file path or a redis://, rediss:// or unix:// address.")
    return FileTokenStore(Path(place).expanduser())


@asynccontextmanager
async def open_session(credentials: Credentials, store: TokenStore | None = None) -> AsyncGenerator[WxSession, None]:
    """Open a session for this account, with the given store or the store of the credentials.

    Raises:
        UsageError: The address or the token store is invalid.
    """
    own = None if store is not None else open_store(credentials)
    try:
        async with WxSession(
            credentials.appid,
            credentials.secret,
            store=store or own,
            base_url=credentials.base_url,
            proxy=credentials.connection.session_proxy,
            retry=credentials.connection.retry(),
        ) as wx:
            yield wx
    finally:
        if own is not None:
            await own.aclose()
