"""Asks WeChat: for a token, and for what can be read with it. Nothing is written, and no refresh is forced."""

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import field, frozen

from wxasset import (
    GetQuota,
    MaterialCount,
    RetryPolicy,
    Timeouts,
    Token,
    TokenStore,
    WxSession,
)
from wxasset.calls.cloud import BatchDownloadFile, WantedFile
from wxasset.calls.materials import GetMaterial
from wxasset.calls.media import GetMedia
from wxasset.calls.tokens import GetStableAccessToken, IssuedToken
from wxasset.cli.doctor.account import Trial
from wxasset.cli.doctor.stores import SharedTrial
from wxasset.cli.runtime.credentials import Credentials
from wxasset.cli.runtime.usage import Usage, call_usage
from wxasset.errors import WxAssetError
from wxasset.tokens.lease import SharedToken
from wxasset.tokens.token import Exchange

__all__ = ["Asked", "fetch_token", "open_query_session", "query_account", "query_quotas", "try_shared"]

_PATIENT: Final = Timeouts(connect=5.0, stall=10.0, total=15.0)
_ONCE: Final = RetryPolicy(attempts=1)
_NOTHING: Final = "wxasset-doctor"  # a media_id that no material has
_AT_ONCE: Final = 4  # calls at once; a browser opens six connections to a host
_COUNT: Final = "/cgi-bin/material/get_materialcount"
_LIST: Final = "/cgi-bin/material/batchget_material"


@frozen(kw_only=True)
class Asked:
    """What the account answered.

    Attributes:
        trials: The calls that were made.
        count: What is in the library; None where it was not told.
    """

    trials: tuple[Trial, ...]
    count: MaterialCount | None = None


@frozen
class _Given:
    """One token, which is given again where it was refused: WeChat's own refusal says more than an error made here."""

    value: str = field(repr=False)

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        del exchange, previous, rejected
        return Token(value=self.value, expires_in=math.inf)


@asynccontextmanager
async def open_query_session(credentials: Credentials, token: str) -> AsyncGenerator[WxSession, None]:
    """Open a session with one token, which is never replaced, and that tries everything once."""
    async with WxSession(tokens=_Given(token), base_url=credentials.base_url, retry=_ONCE, timeouts=_PATIENT) as wx:
        yield wx


async def fetch_token(credentials: Credentials) -> IssuedToken:
    """Fetch the stable token in normal mode, which ends no other.

    Raises:
        WxAssetError: There is none.
    """
    call = GetStableAccessToken(appid=credentials.appid, secret=credentials.secret)
    async with WxSession(
        credentials.appid,
        credentials.secret,
        base_url=credentials.base_url,
        retry=_ONCE,
        timeouts=_PATIENT,
    ) as wx:
        return await wx.call(call)


async def _trial(path: str, work: Awaitable[object]) -> Trial:
    try:
        await work
    except WxAssetError as error:
        return Trial(path=path, error=error)
    return Trial(path=path)


async def query_account(wx: WxSession, env: str | None = None) -> Asked:
    """Make calls that read: count, list a page of one, and ask for media and a cloud file that do not exist.

    Args:
        wx: A session of the account.
        env: A cloud environment to ask about, or None.
    """
    count: list[MaterialCount] = []

    async def counted() -> None:
        count.append(await wx.count_materials())

    trials = [
        await _trial(_COUNT, counted()),
        await _trial(_LIST, wx.list_materials("image", count=1)),
        await _trial(GetMaterial.route.path, wx.call(GetMaterial(media_id=_NOTHING))),
        await _trial(GetMedia.route.path, wx.call(GetMedia(media_id=_NOTHING))),
    ]
    if env is not None:
        wanted = WantedFile(fileid=f"cloud://{env}.{_NOTHING}/{_NOTHING}", max_age=60)
        call = BatchDownloadFile(env=env, file_list=(wanted,))
        trials.append(await _trial(call.route.path, wx.call(call)))
    return Asked(trials=tuple(trials), count=count[0] if count else None)


async def query_quotas(wx: WxSession, paths: Sequence[str]) -> tuple[list[Usage], dict[str, WxAssetError]]:
    """Ask what is left of the day's calls of APIs.

    Returns:
        What WeChat told, in the order of `paths`, and what it refused to tell of others.
    """
    found: dict[str, Usage] = {}
    refused: dict[str, WxAssetError] = {}
    slots = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(path: str) -> None:
        async with slots:
            try:
                found[path] = call_usage(path, await wx.call(GetQuota(cgi_path=path)))
            except WxAssetError as error:
                refused[path] = error

    async with anyio.create_task_group() as tasks:
        for path in paths:
            tasks.start_soon(ask, path)
    return [found[path] for path in paths if path in found], {path: refused[path] for path in paths if path in refused}


async def try_shared(credentials: Credentials, store: TokenStore) -> tuple[tuple[SharedTrial, ...], list[str]]:
    """Try the tokens of the account that a store keeps; none is fetched, and the store is not written to.

    Returns:
        What became of each, and the tokens themselves, so that they can be kept out of what is message.

    Raises:
        TokenStoreError: The store cannot be read.
    """
    trials: list[SharedTrial] = []
    secrets: list[str] = []
    for mode in ("stable", "classic"):
        record = await store.load(SharedToken(store, f"{mode} {credentials.appid}", supersedes=False).key)
        if record is None:
            continue
        secrets.append(record.token)
        left, error = record.expires - time.time(), None
        if left > 0:
            async with open_query_session(credentials, record.token) as wx:
                error = (await _trial(_COUNT, wx.count_materials())).error
        trials.append(SharedTrial(mode=mode, left=left, error=error))
    return tuple(trials), secrets
