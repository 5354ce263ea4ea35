"""`wxasset token`: the access token that the other commands use."""

import os
import time
from datetime import UTC, datetime
from typing import Annotated, Final

from wxasset import StableToken, TokenCache, TokenStore
from wxasset.cli.runtime.credentials import Credentials, find_credentials, open_session, open_store
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.runner import FLAG, Options, run_report
from wxasset.tokens.lease import SharedToken

__all__ = ["token_command"]

_COLUMNS: Final = ("appid", "from", "expires_in", "expires_at", "host", "credentials")
_LEAST: Final = 60.0  # seconds of life below which a call would not be made with it either


def token_command(
    *,
    show: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Tell where the access token comes from and how long it lives.

    It is looked up in the token store, if there is one, and otherwise asked for: WeChat gives everybody who asks the
    same stable token. JSON keys: appid, from, expires_in (seconds), expires_at (ISO 8601), host, credentials; with
    --show: token.

    Args:
        show: Print the token itself. Whoever has it can do all that the account can: keep it out of logs.
        options: What every command takes.
    """
    credentials = find_credentials(os.environ, options.account)

    async def work(report: Report) -> None:
        store = open_store(credentials)
        try:
            record, token = await _state(credentials, store)
        finally:
            if store is not None:
                await store.aclose()
        if show:
            report.note("This is a secret: whoever has it can do all that the account can until it ends.")
            record |= {"token": token}
        report.did(record)

    return run_report(options, ("token",) if show else _COLUMNS, work)


async def _state(credentials: Credentials, store: TokenStore | None) -> tuple[dict[str, object], str]:
    """Describe the token, and give it."""
    source = StableToken(credentials.appid, credentials.secret)
    kept = None if store is None else await store.load(SharedToken(store, source.account, supersedes=False).key)
    if kept is not None and kept.expires - time.time() > _LEAST:
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
