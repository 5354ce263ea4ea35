"""The token of a third-party platform from another program, and the calls that carry it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import redis_server as support
from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from redis_server import RedisServer
from simulated import call
from wxasset import (
    AuthorizerToken,
    CallableToken,
    CloudHostingToken,
    ComponentToken,
    MemoryTokenStore,
    RedisToken,
    StaticToken,
    Token,
    TokenCache,
    TokenSource,
    WxSession,
)
from wxasset.errors import CredentialError, UsageError
from wxasset.simulator import Simulator

redis_server = support.redis_server

FETCH = "/cgi-bin/component/api_component_token"


async def component_token(sim: Simulator) -> str:
    """Fetch a component token, as another program does; it ends the one before."""
    fields = {"component_appid": sim.component_appid, "component_appsecret": sim.component_appsecret}
    answer = await call(sim, FETCH, {**fields, "component_verify_ticket": sim.push_verify_ticket()})
    return str(answer.document["component_access_token"])


def platform(sim: Simulator) -> ComponentToken:
    """The platform's own source."""
    return ComponentToken(sim.component_appid, sim.component_appsecret, sim.push_verify_ticket())


Keep = Callable[[str], Awaitable[None]]
Kept = tuple[TokenSource | TokenCache, Keep]


@pytest.fixture(params=["redis", "function", "file", "cache"])
async def kept(
    request: pytest.FixtureRequest, sim: Simulator, tmp_path: Path, redis_server: RedisServer
) -> AsyncIterator[Kept]:
    """A source, and the way in which another program gives it a token."""
    value = ""
    if request.param == "redis":
        key = f"wechat_component_access_token:{sim.component_appid}"
        source = RedisToken(redis_server.url, key)

        async def keep(token: str) -> None:
            await asyncio.to_thread(redis_server.command, "SET", key, token, "EX", "7200")

        yield source, keep
        await source.aclose()
        return
    if request.param == "file":

        async def write(token: str) -> None:
            await asyncio.to_thread((tmp_path / "token").write_text, token)

        yield CloudHostingToken(tmp_path / "token"), write
        return

    async def central() -> str:
        return value

    async def give(token: str) -> None:
        nonlocal value
        value = token

    function = CallableToken(central)
    yield (TokenCache(function) if request.param == "cache" else function), give


async def test_any_source_gives_the_component_token(sim: Simulator, kept: Kept) -> None:
    """The token of another program serves the accounts, also after that program has replaced it."""
    source, keep = kept
    await keep(await component_token(sim))
    tokens = AuthorizerToken(source, sim.appid, component_appid=sim.component_appid)
    async with WxSession(tokens=tokens, base_url=sim.url, retry=PATIENT) as wx:
        await wx.count_materials()
        await keep(await component_token(sim))
        sim.authorize_platform()
        await wx.count_materials()
    assert [one.path for one in sim.journal].count(FETCH) == 2, "the session fetched none"


async def test_a_source_that_does_not_know_the_platform_is_told_its_appid(sim: Simulator) -> None:
    """Without component_appid= the error names the source; the platform's own source needs none."""
    with pytest.raises(UsageError, match="component_appid is missing: StaticToken does not know the platform"):
        AuthorizerToken(StaticToken("t" * 120), sim.appid)
    source = AuthorizerToken(platform(sim), sim.appid)
    assert source.component_appid == sim.component_appid


@pytest.mark.parametrize("shared", [False, True])
async def test_cloud_files_are_deleted_with_the_component_token(sim: Simulator, shared: bool) -> None:
    """/componenttcb takes it as access_token, fetched here or read from a store after a restart."""
    stores = [MemoryTokenStore()] * 2 if shared else [None, None]
    for store in stores:
        found = sim.add_cloud_file("env", "a.txt", b"x")
        async with WxSession(tokens=platform(sim), store=store, base_url=sim.url, retry=PATIENT) as wx:
            (link,) = await wx.file_urls("env", [found], as_component=True)
            report = await wx.batch_delete_file("env", [found], as_component=True)
        assert (link.status, report.deleted) == (0, (found,))
        assert found not in sim.cloud_files
    assert [one.path for one in sim.journal].count(FETCH) == (1 if shared else 2)


async def test_files_are_stored_and_fetched_with_the_component_token(sim: Simulator, tmp_path: Path) -> None:
    """Uploads and downloads of a platform go to /componenttcb as well."""
    async with WxSession(tokens=platform(sim), base_url=sim.url, retry=PATIENT) as wx:
        fileid = await wx.upload_file("env", "a.txt", b"content", as_component=True)
        await wx.download_file("env", fileid, tmp_path / "a.txt", as_component=True)
    assert (tmp_path / "a.txt").read_bytes() == b"content"
    assert {one.path for one in sim.journal if one.path.startswith(("/tcb/", "/component"))} == {
        "/componenttcb/uploadfile",
        "/componenttcb/batchdownloadfile",
    }


async def test_the_token_of_an_account_deletes_nothing_there(sim: Simulator) -> None:
    """61014 says that the component token is wanted."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT) as wx:
        with pytest.raises(CredentialError) as caught:
            await wx.batch_delete_file("env", ["cloud://a"], as_component=True)
    assert caught.value.errcode == 61014


@pytest.mark.parametrize(
    ("parameter", "path", "sent"),
    [
        ("component_access_token", "/componenttcb/batchdeletefile", "access_token"),
        ("component_access_token", "/tcb/batchdeletefile", "component_access_token"),
        ("cloudbase_access_token", "/tcb/batchdeletefile", "cloudbase_access_token"),
        ("access_token", "/componenttcb/batchdeletefile", "access_token"),
    ],
)
async def test_the_path_decides_on_the_parameter(server: RawServer, parameter: str, path: str, sent: str) -> None:
    """Only /componenttcb renames the component token, also where a store has kept it."""
    queries: list[str] = []

    async def wechat(request: RawRequest, connection: Connection) -> None:
        queries.append(request.line.split(" ")[1])
        await connection.send(reply({"errcode": 0, "delete_list": [{"fileid": "a", "status": 0}]}))

    class Central:
        account, supersedes, given = "central wx1", False, 0

        async def fetch(self, exchange: object, *, previous: Token | None, rejected: bool) -> Token:
            del exchange, previous, rejected
            self.given += 1
            return Token(value="T", expires_in=7200, parameter=parameter)

    server.script = [wechat]
    store, source = MemoryTokenStore(), Central()
    for _ in range(2):
        async with WxSession(tokens=source, store=store, base_url=server.url) as wx:
            await wx.batch_delete_file("env", ["a"], as_component=path.startswith("/componenttcb"))
    assert queries == [f"{path}?{sent}=T"] * 2
    assert source.given == 1, "the second session read the store"


async def test_a_new_ticket_ends_a_refusal(sim: Simulator) -> None:
    """A ticket that was refused is not sent again for 30 seconds; a new one is used at once."""
    tickets = ["ticket@@@old"]

    async def ticket() -> str:
        return tickets[-1]

    source = ComponentToken(sim.component_appid, sim.component_appsecret, ticket)
    async with WxSession(tokens=AuthorizerToken(source, sim.appid), base_url=sim.url, retry=PATIENT) as wx:
        for _ in range(5):
            with pytest.raises(CredentialError, match="61006"):
                await wx.count_materials()
        assert len(sim.journal) == 1
        tickets.append(sim.push_verify_ticket())
        await wx.count_materials()
