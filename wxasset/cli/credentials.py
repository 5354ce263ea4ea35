"""Whose account a command works for, and the session that does; nothing of it is ever an argument."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from wxasset import DownloadPolicy, FileTokenStore, RedisTokenStore, TokenStore, WxSession
from wxasset.cli import consent
from wxasset.cli.accounts import SERVICE, Credentials, read_accounts
from wxasset.errors import UsageError

__all__ = ["credentials_path", "find_credentials", "open_session", "open_store"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where the credentials file is: `WXASSET_CREDENTIALS`, or below the user's configuration directory."""
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
        consent.check_variables(environ, "An account of the environment", consent.HOW)
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
