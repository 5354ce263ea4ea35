"""Run the checks in order; later checks depend on the results of earlier ones."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from anyio import to_thread
from attrs import define, field

from wxasset.cli.doctor.account import judge_address, judge_library, judge_permissions, judge_quota, judge_token
from wxasset.cli.doctor.credentials import judge_credentials, secrets_of
from wxasset.cli.doctor.findings import Finding, Status, redact, skipped
from wxasset.cli.doctor.ledger import inspect_ledger
from wxasset.cli.doctor.network import judge_address_form, judge_clock, judge_connection
from wxasset.cli.doctor.queries import fetch_token, open_query_session, query_account, try_stored
from wxasset.cli.doctor.route import Route, inspect_route
from wxasset.cli.doctor.token_store import inspect_redis, inspect_token_file, judge_shared
from wxasset.cli.doctor.versions import inspect_versions
from wxasset.cli.runtime.credentials import DEFAULT, SERVICE, Connection, Credentials, find_credentials
from wxasset.cli.runtime.usage import library_usage, query_quotas
from wxasset.errors import Hint, TokenStoreError, UsageError, WxAssetError

__all__ = ["Context", "run_checks"]

_REDIS: Final = ("redis://", "rediss://", "unix://")
_EARLIER: Final = Hint("An earlier check failed.", "前面的检查未通过。")
_NO_CREDENTIALS: Final = Hint("No credentials are available.", "没有可用的凭据。")
_NO_API: Final = Hint("The API host does not respond.", "接口主机没有响应。")
_NO_TOKEN: Final = Hint("No token is available.", "没有可用的 token。")
_NO_STORE: Final = Hint("No token store is set (WXASSET_TOKEN_STORE).", "未设置 token 存储（WXASSET_TOKEN_STORE）。")
_IN_REDIS: Final = Hint("Tokens are shared through Redis.", "token 存储在 Redis 中。")
_IN_FILE: Final = Hint("Tokens are shared through a file.", "token 存储在文件中。")
_NO_LEDGER: Final = Hint("No ledger is given (--ledger).", "未指定台账（--ledger）。")


@define(kw_only=True)
class Context:
    """Input of the checks.

    Attributes:
        environ: The environment variables.
        account: The credentials, or the reason of missing ones.
        connection: Settings of the network.
        ledger: A ledger to check, or None.
        env: A cloud environment to query, or None.
        secrets: Values to redact; extended during the checks.
    """

    environ: Mapping[str, str] = field(repr=False)
    account: Credentials | WxAssetError
    connection: Connection = DEFAULT
    ledger: Path | None = None
    env: str | None = None
    secrets: list[str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Collect the secrets of the account."""
        self.secrets = secrets_of(self.credentials)

    @classmethod
    def find(
        cls, environ: Mapping[str, str], account: str | None = None, connection: Connection = DEFAULT, **more: Any
    ) -> Self:
        """Find the account as other commands do; store the error if it is missing."""
        connection.check()
        found: Credentials | WxAssetError
        try:
            found = find_credentials(environ, account, connection)
        except WxAssetError as error:
            found = error
        return cls(environ=environ, account=found, connection=connection, **more)

    @property
    def credentials(self) -> Credentials:
        """The credentials; if missing, blank ones for the host and the token store of the environment."""
        if isinstance(self.account, Credentials):
            return self.account
        base_url, store = (self.environ.get(name) for name in ("WXASSET_BASE_URL", "WXASSET_TOKEN_STORE"))
        return Credentials(appid="", secret="", base_url=base_url or SERVICE, token_store=store or None, origin="")

    @property
    def usable(self) -> bool:
        """Return whether neither value is blank."""
        return bool(self.credentials.appid.strip() and self.credentials.secret.strip())


async def run_checks(context: Context) -> AsyncGenerator[Finding, None]:
    """Yield the findings one by one, with secrets redacted."""
    async for finding in _run(context):
        yield redact(finding, context.secrets)


async def _run(context: Context) -> AsyncIterator[Finding]:
    yield await to_thread.run_sync(inspect_versions)
    yield judge_credentials(context.account)
    route: Route | None = None
    try:
        route = await inspect_route(context.credentials.base_url, context.environ, context.connection.session_proxy)
        yield judge_connection(route)
    except UsageError as error:
        yield judge_address_form(error)
    yield judge_clock(route)
    async for finding in _check_account(context, route):
        yield finding
    async for finding in _check_store(context, responds=route is not None and route.is_wechat):
        yield finding
    yield skipped("ledger", _NO_LEDGER) if context.ledger is None else await inspect_ledger(context.ledger)


async def _check_account(context: Context, route: Route | None) -> AsyncIterator[Finding]:
    """Query WeChat about the account."""
    one = context.credentials
    if not context.usable or route is None or not route.is_wechat:
        for check in ("token", "address", "permissions", "library", "quota"):
            yield skipped(check, _NO_API if context.usable else _NO_CREDENTIALS)
        return
    try:
        issued = await fetch_token(one)
    except WxAssetError as error:
        yield judge_token(error, None)
        yield judge_address([error], route.proxy)
        for check in ("permissions", "library", "quota"):
            yield skipped(check, _NO_TOKEN)
        return
    context.secrets.append(issued.value)
    yield judge_token(None, issued.expires_in)
    async with open_query_session(one, issued.value) as wx:
        trials = await query_account(wx, context.env)
        yield judge_address([None, *(trial.error for trial in trials)], route.proxy)  # the token was issued
        yield judge_permissions(trials)
        count = trials[0].result
        yield judge_library(None if count is None else library_usage(count))
        yield judge_quota((await query_quotas(wx))[0])


async def _check_store(context: Context, *, responds: bool) -> AsyncIterator[Finding]:
    """Check the token store and the tokens in it."""
    place = context.credentials.token_store
    if place is None:
        for check in ("store", "redis", "shared_token"):
            yield skipped(check, _NO_STORE)
        return
    if place.startswith(_REDIS):
        yield skipped("store", _IN_REDIS)
        yield (finding := await inspect_redis(place))
    else:
        yield (finding := await inspect_token_file(place))
        yield skipped("redis", _IN_FILE)
    if not context.usable:
        yield skipped("shared_token", _NO_CREDENTIALS)
    elif finding.status is Status.FAILED:
        yield skipped("shared_token", _EARLIER)
    elif not responds:
        yield skipped("shared_token", _NO_API)
    else:
        yield await _check_stored_tokens(context)


async def _check_stored_tokens(context: Context) -> Finding:
    try:
        return judge_shared(await try_stored(context.credentials, context.secrets))
    except TokenStoreError as error:
        return skipped("shared_token", Hint(error.message, f"无法读取 token 存储：{error.message}"))
