"""Command `wxasset token`: origin and lifetime of the access token."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final

from wxasset import StableToken, TokenCache, TokenStore
from wxasset.cli.runtime.credentials import Credentials, open_session, open_store
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.runner import FLAG, Options, run_report
from wxasset.errors import Hint
from wxasset.tokens.lease import SharedToken

__all__ = ["token_command"]

_COLUMNS: Final = ("appid", "from", "expires_in", "expires_at", "host", "credentials")
_LEAST: Final = 60.0  # seconds; sessions do not use a token with less left either


def token_command(
    *,
    show: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Show the origin and the lifetime of the access token.

    The token is read from the token store if one is set, and fetched from WeChat otherwise; a stable token is the same
    for every program fetching it. JSON keys: appid, from, expires_in (seconds), expires_at (ISO 8601), host,
    credentials; with --show: token.

    Args:
        show: Print the token itself. It gives full access to the account: keep it out of logs.
        options: Options of every command.
    """
    credentials = options.credentials()

    async def work(report: Report) -> None:
        store = open_store(credentials)
        try:
            record, token = await _state(credentials, store)
        finally:
            if store is not None:
                await store.aclose()
        if show:
            report.note(
                Hint(
                    "The token is a secret: it gives full access to the account until it expires.",
                    "token 是机密信息：在过期之前，持有者可以完全操作该账号。",
                )
            )
            record |= {"token": token}
        report.did(record)

    return run_report(options, ("token",) if show else _COLUMNS, work)


async def _state(credentials: Credentials, store: TokenStore | None) -> tuple[dict[str, object], str]:
    """Return the description of the token, and the token."""
    source = StableToken(credentials.appid, credentials.secret)
    kept = None if store is None else await store.load(SharedToken(store, source.account, supersedes=False).key)
    if kept is not None and kept.left(time.time()) > _LEAST:
        return _described(credentials, "token store", kept.expires), kept.token
    asked_at = time.time()
    async with open_session(credentials, store) as wx:
        token = await TokenCache(source, store=store).acquire(wx.call)
    return _described(credentials, "WeChat", asked_at + token.expires_in), token.value


def _described(credentials: Credentials, origin: str, expires: float) -> dict[str, object]:
    return {
        "appid": credentials.appid,
        "from": origin,
        "expires_in": int(expires - time.time()),
        "expires_at": datetime.fromtimestamp(int(expires), UTC).isoformat().replace("+00:00", "Z"),
        "host": credentials.host,
        "credentials": credentials.origin,
    }
