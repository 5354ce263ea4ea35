"""The round of the doctor: one step after the other, each by what those before it have shown."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Final, Self

from anyio import to_thread
from attrs import define, evolve, field

from wxasset import FileTokenStore
from wxasset.cli.doctor.account import (
    judge_address,
    judge_library,
    judge_permissions,
    judge_quota,
    judge_token,
)
from wxasset.cli.doctor.credentials import Found, judge_credentials
from wxasset.cli.doctor.findings import Finding, Status, skipped, without_secrets
from wxasset.cli.doctor.inspection import inspect_file, inspect_ledger, inspect_redis, inspect_versions, password_of
from wxasset.cli.doctor.ledger import judge_ledger
from wxasset.cli.doctor.network import judge_answer, judge_attempts, judge_clock, judge_lookup
from wxasset.cli.doctor.probe import Network, Target, probe, target_of, trust_store
from wxasset.cli.doctor.programs import judge_programs
from wxasset.cli.doctor.proxies import judge_proxies, proxies_of
from wxasset.cli.doctor.queries import fetch_token, open_query_session, query_account, query_quotas, try_shared
from wxasset.cli.doctor.stores import FileStore, judge_file, judge_redis, judge_shared
from wxasset.cli.doctor.tls import judge_handshake, untimely
from wxasset.cli.runtime.credentials import SERVICE, Credentials, find_credentials, open_store
from wxasset.cli.runtime.usage import ENDPOINTS, library_usage
from wxasset.errors import Hint, TokenStoreError, UsageError, WxAssetError

__all__ = ["Context", "examine"]

_REDIS: Final = ("redis://", "rediss://", "unix://")
_NOT_COME_TO: Final = Hint("What comes before it failed.", "前面的检查未通过。")
_NO_CREDENTIALS: Final = Hint("There are no credentials to ask with.", "没有可用的凭证。")
_NO_WAY: Final = Hint("The API host does not answer.", "接口主机没有应答。")
_IN_REDIS: Final = Hint("Tokens are shared through Redis.", "token 存储在 Redis 中。")
_IN_FILE: Final = Hint("Tokens are shared through a file.", "token 存储在文件中。")
_NO_TOKEN: Final = Hint("There is no token to ask with.", "没有可用的 token。")


@define(kw_only=True)
class Context:
    """What is examined.

    Attributes:
        environ: The environment variables.
        ledger: A ledger to look at, or None.
        env: A cloud environment to ask about, or None.
        credentials: The account; None where none was found.
        error: Why none was found; None where one was.
        secrets: What must not be message; grows on the way.
    """

    environ: Mapping[str, str] = field(repr=False)
    ledger: Path | None = None
    env: str | None = None
    credentials: Credentials | None = None
    error: WxAssetError | None = None
    secrets: list[str] = field(factory=list, repr=False)

    @classmethod
    def find(
        cls,
        environ: Mapping[str, str],
        account: str | None = None,
        *,
        ledger: Path | None = None,
        env: str | None = None,
    ) -> Self:
        """Find the account as every command does; that there is none is a finding as well."""
        context = cls(environ=environ, ledger=ledger, env=env)
        try:
            context.credentials = find_credentials(environ, account)
        except WxAssetError as error:
            context.error = error
        return context

    @property
    def base_url(self) -> str:
        """The API host's address; without credentials the one that they would be for."""
        if self.credentials is not None:
            return self.credentials.base_url
        return self.environ.get("WXASSET_BASE_URL") or SERVICE

    @property
    def found(self) -> Found:
        """The credentials, as they are judged."""
        if self.credentials is None:
            return Found(error=self.error)
        one = self.credentials
        return Found(appid=one.appid, secret=one.secret, origin=one.origin)


async def examine(context: Context) -> AsyncGenerator[Finding, None]:
    """Give the findings one by one, cleared of secrets."""
    one = context.credentials
    if one is not None:
        context.secrets += [*context.found.secrets, password_of(one.token_store or "")]
    async for finding in _round(context):
        yield without_secrets(finding, context.secrets)


async def _round(context: Context) -> AsyncIterator[Finding]:
    yield judge_programs(await to_thread.run_sync(inspect_versions))
    yield judge_credentials(context.found)
    network = None
    try:
        target = target_of(context.base_url)
    except ValueError:
        for check in ("proxy", "dns", "connection", "tls", "api", "clock"):
            yield skipped(check, Hint("WXASSET_BASE_URL is no address.", "WXASSET_BASE_URL 不是有效地址。"))
    else:
        network = await probe(target, await to_thread.run_sync(trust_store, context.environ))
        yield judge_proxies(proxies_of(context.environ, target.scheme, target.host), reached=network.reached)
        for finding in _way(target, network):
            yield finding
    answers = network is not None and network.answer is not None and network.answer.errcode is not None
    async for finding in _account(context, answers=answers):
        yield finding
    async for finding in _places(context, answers=answers):
        yield finding
    yield judge_ledger(None if context.ledger is None else await inspect_ledger(context.ledger))


def _way(target: Target, network: Network) -> list[Finding]:
    """Judge the steps on the way to the API host."""
    findings = [judge_lookup(network.lookup)]
    if network.attempts is None:
        findings += [skipped(check, _NOT_COME_TO) for check in ("connection", "tls", "api")]
    else:
        findings.append(judge_attempts(target.host, target.port, network.attempts))
        secure = target.scheme == "https"
        if secure and network.handshake is None:
            findings.append(skipped("tls", _NOT_COME_TO))
        else:
            findings.append(judge_handshake(target.host, network.handshake))
        answer = network.answer
        findings.append(skipped("api", _NOT_COME_TO) if answer is None else judge_answer(target.host, answer))
    return [*findings, judge_clock(network.answer, untimely(network.handshake))]


async def _account(context: Context, *, answers: bool) -> AsyncIterator[Finding]:
    """Ask WeChat about the account."""
    one = context.credentials
    if one is None or not context.found.usable or not answers:
        why = _NO_WAY if one is not None and context.found.usable else _NO_CREDENTIALS
        for check in ("token", "address", "permissions", "library", "quota"):
            yield skipped(check, why)
        return
    try:
        issued = await fetch_token(one)
    except WxAssetError as error:
        yield judge_token(error, None)
        yield judge_address(error)
        for check in ("permissions", "library", "quota"):
            yield skipped(check, _NO_TOKEN)
        return
    yield judge_token(None, issued.expires_in)
    yield judge_address(None)
    context.secrets.append(issued.access_token)
    async with open_query_session(one, issued.access_token) as wx:
        asked = await query_account(wx, context.env)
        yield judge_permissions(asked.trials)
        yield judge_library(None if asked.count is None else library_usage(asked.count))
        yield judge_quota((await query_quotas(wx, ENDPOINTS))[0])


async def _places(context: Context, *, answers: bool) -> AsyncIterator[Finding]:
    """Look at where tokens are shared, and try those that are there."""
    one = context.credentials
    place = one.token_store if one is not None else context.environ.get("WXASSET_TOKEN_STORE") or None
    is_redis = place is not None and place.startswith(_REDIS)
    if place is None:
        file, redis = judge_file(None), judge_redis(None)
    elif is_redis:
        file = skipped("store", _IN_REDIS)
        redis = judge_redis(await to_thread.run_sync(inspect_redis, place))
    else:
        file, redis = judge_file(await _inspect_file(place)), skipped("redis", _IN_FILE)
    yield file
    yield redis
    if one is None or place is None:
        yield judge_shared(None)
    elif Status.FAILED in (file.status, redis.status):
        yield skipped("shared_token", _NOT_COME_TO)
    elif not answers:
        yield skipped("shared_token", _NO_WAY)
    else:
        yield await _shared(context, one)


async def _inspect_file(place: str) -> FileStore:
    """See whether wxasset can use a file with tokens."""
    if "://" in place:
        return FileStore(path=place.partition("://")[0] + "://...", error=UsageError("There is no such token store."))
    path, error = await to_thread.run_sync(Path(place).expanduser), None
    try:
        await FileTokenStore(path).load("doctor")
    except (TokenStoreError, UsageError) as caught:
        error = caught
    return evolve(await to_thread.run_sync(inspect_file, path), error=error)


async def _shared(context: Context, credentials: Credentials) -> Finding:
    """Try the tokens that the store keeps."""
    store = open_store(credentials)
    if store is None:
        return judge_shared(None)
    try:
        trials, secrets = await try_shared(credentials, store)
    except TokenStoreError as error:
        return skipped("shared_token", Hint(error.message, f"无法读取 token 存储：{error.message}"))
    finally:
        await store.aclose()
    context.secrets += secrets
    return judge_shared(trials)
