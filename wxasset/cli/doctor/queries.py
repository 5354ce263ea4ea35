"""Query WeChat: fetch a token and make calls that only read."""

import time
from collections.abc import Awaitable, Sequence
from typing import Final

import anyio

from wxasset import (
    GetQuota,
    MaterialCount,
    RetryPolicy,
    StableToken,
    StaticToken,
    Timeouts,
    Token,
    TokenSource,
    TokenStore,
    WxSession,
)
from wxasset.calls.cloud import BatchDownloadFile, WantedFile
from wxasset.calls.materials import GetMaterial
from wxasset.calls.media import GetMedia
from wxasset.cli.doctor.account import Trial
from wxasset.cli.doctor.shared_token import SharedTrial
from wxasset.cli.runtime.credentials import Credentials
from wxasset.cli.runtime.usage import Usage, call_usage
from wxasset.errors import WxAssetError
from wxasset.tokens.lease import SharedToken
from wxasset.tokens.token import Exchange

__all__ = ["fetch_token", "open_query_session", "query_account", "query_quotas", "try_stored"]

_TIMEOUTS: Final = Timeouts(connect=5.0, stall=10.0, total=15.0)
_ONCE: Final = RetryPolicy(attempts=1)
_MISSING: Final = "wxasset-doctor"  # a media_id of no material
_CONCURRENCY: Final = 4  # a browser opens six connections to a host
_COUNT: Final = "/cgi-bin/material/get_materialcount"
_LIST: Final = "/cgi-bin/material/batchget_material"


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


async def _try(path: str, work: Awaitable[object]) -> Trial:
    try:
        await work
    except WxAssetError as error:
        return Trial(path=path, error=error)
    return Trial(path=path)


async def query_account(wx: WxSession, env: str | None = None) -> tuple[list[Trial], MaterialCount | None]:
    """Count the library, list one material, and request media and a cloud file with ids of missing files.

    Args:
        wx: A session of the account.
        env: A cloud environment to query, or None.

    Returns:
        The calls made and the counts of the library, or None if they could not be obtained.
    """
    count: MaterialCount | None = None

    async def count_materials() -> None:
        nonlocal count
        count = await wx.count_materials()

    trials = [
        await _try(_COUNT, count_materials()),
        await _try(_LIST, wx.list_materials("image", count=1)),
        await _try(GetMaterial.route.path, wx.call(GetMaterial(media_id=_MISSING))),
        await _try(GetMedia.route.path, wx.call(GetMedia(media_id=_MISSING))),
    ]
    if env is not None:
        wanted = WantedFile(fileid=f"cloud://{env}.{_MISSING}/{_MISSING}", max_age=60)
        call = BatchDownloadFile(env=env, file_list=(wanted,))
        trials.append(await _try(call.route.path, wx.call(call)))
    return trials, count


async def query_quotas(wx: WxSession, paths: Sequence[str]) -> tuple[list[Usage], dict[str, WxAssetError]]:
    """Query the remaining daily calls of APIs.

    Returns:
        Usages in the order of `paths`, and the errors of failed queries by path.
    """
    found: dict[str, Usage] = {}
    refused: dict[str, WxAssetError] = {}
    slots = anyio.CapacityLimiter(_CONCURRENCY)

    async def query(path: str) -> None:
        async with slots:
            try:
                found[path] = call_usage(path, await wx.call(GetQuota(cgi_path=path)))
            except WxAssetError as error:
                refused[path] = error

    async with anyio.create_task_group() as tasks:
        for path in paths:
            tasks.start_soon(query, path)
    return [found[path] for path in paths if path in found], {path: refused[path] for path in paths if path in refused}


async def try_stored(credentials: Credentials, store: TokenStore) -> tuple[list[SharedTrial], list[str]]:
    """Make a call with each stored token of the account; the store is only read.

    Returns:
        The results, and the tokens to redact.

    Raises:
        TokenStoreError: The store cannot be read.
    """
    trials: list[SharedTrial] = []
    secrets: list[str] = []
    for mode in ("stable", "classic"):
        record = await store.load(SharedToken(store, f"{mode} {credentials.appid}", supersedes=False).key)
        if record is None or not record.is_sound():
            continue
        secrets.append(record.token)
        left, error = record.left(time.time()), None
        if left > 0:
            async with open_query_session(credentials, record.token) as wx:
                error = (await _try(_COUNT, wx.count_materials())).error
        trials.append(SharedTrial(mode=mode, left=left, error=error))
    return trials, secrets
