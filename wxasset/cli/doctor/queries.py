"""Query WeChat: fetch a token and make calls that only read."""

import time
from collections.abc import Awaitable
from contextlib import aclosing
from typing import Final

from wxasset import RetryPolicy, StableToken, StaticToken, Timeouts, Token, TokenSource, WxSession
from wxasset.calls.cloud import BatchDownloadFile, WantedFile
from wxasset.calls.library import CountMaterials, GetMaterial, ListMaterials
from wxasset.calls.media import GetMedia
from wxasset.cli.doctor.account import Trial
from wxasset.cli.doctor.token_store import SharedTrial
from wxasset.cli.runtime.credentials import Credentials, open_store
from wxasset.errors import WxAssetError
from wxasset.tokens.lease import SharedToken
from wxasset.tokens.token import Exchange

__all__ = ["fetch_token", "open_query_session", "query_account", "try_stored"]

_TIMEOUTS: Final = Timeouts(connect=5.0, stall=10.0, total=15.0)
_ONCE: Final = RetryPolicy(attempts=1)
_MISSING: Final = "wxasset-doctor"  # a media_id of no material


class _FixedToken(StaticToken):
    """Return the same token even after a rejection, to report WeChat's own error."""

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        del rejected
        return await super().fetch(exchange, previous=previous, rejected=False)


def open_query_session(credentials: Credentials, token: str) -> WxSession:
    """Open a session with a fixed token and without retries."""
    return _open_session(credentials, _FixedToken(token))


def _open_session(credentials: Credentials, tokens: TokenSource) -> WxSession:
    connection = credentials.connection
    return WxSession(
        tokens=tokens,
        base_url=credentials.base_url,
        proxy=connection.session_proxy,
        retry=connection.retry(_ONCE),
        timeouts=_TIMEOUTS,
    )


async def fetch_token(credentials: Credentials) -> Token:
    """Fetch the stable token in normal mode; other tokens stay valid.

    Raises:
        WxAssetError: No token was issued.
    """
    source = StableToken(credentials.appid, credentials.secret)
    async with _open_session(credentials, source) as wx:
        return await source.fetch(wx.call, previous=None, rejected=False)


async def query_account(wx: WxSession, env: str | None = None) -> list[Trial]:
    """Count the library, list one material, and request media and a cloud file with ids of missing files.

    Args:
        wx: A session of the account.
        env: A cloud environment to query, or None.

    Returns:
        The calls made; the first one has the counts of the library.
    """
    trials = [
        await _count(wx),
        await _try(ListMaterials.route.path, wx.list_materials("image", count=1)),
        await _try(GetMaterial.route.path, wx.call(GetMaterial(media_id=_MISSING))),
        await _try(GetMedia.route.path, wx.call(GetMedia(media_id=_MISSING))),
    ]
    if env is not None:
        wanted = WantedFile(fileid=f"cloud://{env}.{_MISSING}/{_MISSING}", max_age=60)
        call = BatchDownloadFile(env=env, file_list=(wanted,))
        trials.append(await _try(call.route.path, wx.call(call)))
    return trials


async def _count(wx: WxSession) -> Trial:
    return await _try(CountMaterials.route.path, wx.count_materials())


async def _try(path: str, work: Awaitable[object]) -> Trial:
    try:
        return Trial(path=path, result=await work)
    except WxAssetError as error:
        return Trial(path=path, error=error)


async def try_stored(credentials: Credentials, secrets: list[str]) -> list[SharedTrial]:
    """Make a call with each stored token of the account; the store is only read.

    Args:
        credentials: The account.
        secrets: Values to redact; the tokens are appended.

    Raises:
        TokenStoreError: The store cannot be read.
    """
    trials: list[SharedTrial] = []
    store = open_store(credentials)
    if store is None:
        return trials
    async with aclosing(store):
        for mode in ("stable", "classic"):
            record = await store.load(SharedToken(store, f"{mode} {credentials.appid}", supersedes=False).key)
            if record is None or not record.is_sound():
                continue
            secrets.append(record.token)
            left, error = record.left(time.time()), None
            if left > 0:
                async with open_query_session(credentials, record.token) as wx:
                    error = (await _count(wx)).error
            trials.append(SharedTrial(mode=mode, left=left, error=error))
    return trials
