"""The access token: fetched once for everybody, replaced in time, and after a refusal once for everybody again."""

import traceback
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import ClassicToken, RetryPolicy, StableToken, Token, TokenCache, WxSession
from wxasset.errors import CredentialError, DecodeError, IPNotAllowedError, TokenRejectedError, UsageError
from wxasset.simulator import Simulator

COUNT = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
REFUSED = reply({"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"})
PHOTO = b"\xff\xd8\xff\xe0" + bytes(50_000)


async def at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """Make a call in many tasks at once; return what each got, an exception included."""
    results: list[Any] = []

    async def one() -> None:
        try:
            results.append(await call())
        except Exception as error:  # noqa: BLE001 - what came of it is the result
            results.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
    return results


@pytest.mark.parametrize("source", [StableToken, ClassicToken])
async def test_200_tasks_on_a_cold_cache_make_one_token_call(
    sim: Simulator, source: Callable[[str, str], StableToken | ClassicToken]
) -> None:
    """However many calls start at once, the token is fetched once."""
    async with WxSession(tokens=source(sim.appid, sim.secret), base_url=sim.url) as wx:
        results = await at_once(200, wx.count_materials)
    assert not [one for one in results if isinstance(one, Exception)]
    assert sim.token_calls == 1


async def test_a_token_revoked_under_50_uploads_costs_one_refresh(sim: Simulator, photo: bytes) -> None:
    """50 uploads in flight with a token that is revoked: one refresh, and all 50 arrive whole, once each."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        await wx.count_materials()
        before = sim.token_calls
        started = anyio.Event()
        waiting = 0

        async def upload() -> Any:
            nonlocal waiting

            async def slowly() -> Any:
                nonlocal waiting
                yield photo[:1000]
                waiting += 1
                if waiting == 50:
                    sim.revoke_tokens()
                    started.set()
                await started.wait()
                yield photo[1000:]

            return await wx.add_material("image", slowly(), filename="x.jpg")

        results = await at_once(50, upload)
    assert not [one for one in results if isinstance(one, Exception)]
    assert len({one.media_id for one in results}) == 50
    assert [one.content == photo for one in sim.materials.values()] == [True] * 50
    assert sim.token_calls == before + 1


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_refused_token_is_replaced_once(raw: WxSession, server: RawServer, code: int) -> None:
    """After 40001, 40014 or 42001 there is one refresh and one resend; a second refusal is raised."""
    refused = reply({"errcode": code, "errmsg": "no"})
    server.script = [refused, COUNT]
    await raw.count_materials()
    assert (len(server.requests), len(server.token_requests)) == (2, 2)
    async with WxSession("wx1", "secret-4711", base_url=server.url) as other:
        server.script = [refused]
        with pytest.raises(TokenRejectedError) as caught:
            await other.count_materials()
    assert caught.value.errcode == code
    assert (len(server.requests), len(server.token_requests)) == (4, 4)


@pytest.mark.parametrize("source", [StableToken, ClassicToken])
async def test_100_callers_against_a_permanent_refusal(
    server: RawServer, source: Callable[[str, str], StableToken | ClassicToken]
) -> None:
    """WeChat refuses each token: at most 2 token calls in 30 seconds, and at most one resend per call."""
    server.script = [REFUSED]
    async with WxSession(tokens=source("wx1", "secret-4711"), base_url=server.url, retry=PATIENT) as wx:
        results = await at_once(100, wx.count_materials)
        for _ in range(10):
            results += await at_once(1, wx.count_materials)
    assert {type(one) for one in results} == {TokenRejectedError}
    assert len(server.token_requests) <= 2
    assert len(server.requests) <= 2 * 100


async def test_100_callers_from_an_address_that_is_not_listed(server: RawServer) -> None:
    """40164: one token call for everybody, also for those who come later, and each error has the address."""
    server.token_script = [reply({"errcode": 40164, "errmsg": "invalid ip 203.0.113.7, not in whitelist"})]
    async with WxSession("wx1", "secret-4711", base_url=server.url, retry=PATIENT) as wx:
        results = await at_once(100, wx.count_materials) + await at_once(1, wx.count_materials)
    assert {one.ip for one in results} == {"203.0.113.7"}
    assert (len(server.token_requests), server.requests) == (1, [])


async def test_a_missing_token_is_not_refreshed(raw: WxSession, server: RawServer) -> None:
    """41001 says that no token was sent, which a refresh would not mend."""
    server.script = [reply({"errcode": 41001, "errmsg": "access_token missing"})]
    with pytest.raises(CredentialError):
        await raw.count_materials()
    assert (len(server.requests), len(server.token_requests)) == (1, 1)


async def test_a_late_refusal_of_an_old_token_does_not_harm_the_new_one(raw: WxSession, server: RawServer) -> None:
    """Only the token that was refused is forgotten: a call that was slow to fail costs no second refresh."""
    slow_arrived, release = anyio.Event(), anyio.Event()

    async def slow(_: RawRequest, connection: Connection) -> None:
        slow_arrived.set()
        await release.wait()
        await connection.send(REFUSED)

    server.script = [slow, REFUSED, COUNT]
    async with anyio.create_task_group() as group:
        group.start_soon(raw.count_materials)
        await slow_arrived.wait()
        await raw.count_materials()
        release.set()
    assert len(server.token_requests) == 2


async def test_a_stable_token_that_does_not_change_is_forced(server: RawServer) -> None:
    """Where normal mode brings back the very token that was refused, a refresh is forced."""
    same = reply({"access_token": "same", "expires_in": 7200})
    new = reply({"access_token": "new", "expires_in": 7200})
    now = 1000.0
    server.token_script = [same, same, new]
    server.script = [COUNT, REFUSED, COUNT]
    tokens = TokenCache(StableToken("wx1", "s", now=lambda: now), now=lambda: now)
    async with WxSession(tokens=tokens, base_url=server.url) as wx:
        await wx.count_materials()
        now += 3600
        await wx.count_materials()
        bodies = [one.body for one in server.token_requests]
        assert [b'"force_refresh":true' in body for body in bodies] == [False, False, True]


async def test_how_the_tokens_are_asked_for(server: RawServer) -> None:
    """The stable token is asked for with JSON in a POST, the classic one with the query of a GET."""
    server.script = [COUNT]
    for source in (StableToken("wx 1", "s&cret"), ClassicToken("wx 1", "s&cret")):
        async with WxSession(tokens=source, base_url=server.url) as wx:
            await wx.count_materials()
    stable, classic = server.token_requests
    assert stable.line == "POST /cgi-bin/stable_token HTTP/1.1"
    assert stable.body == (b'{"grant_type":"client_credential","appid":"wx 1","secret":"s&cret","force_refresh":false}')
    assert classic.line == ("GET /cgi-bin/token?grant_type=client_credential&appid=wx+1&secret=s%26cret HTTP/1.1")


async def test_a_failure_is_shared(raw: WxSession, server: RawServer) -> None:
    """50 tasks behind a bad secret make one token call, and each gets the error; so does the next call."""
    bad = reply({"errcode": 40125, "errmsg": "invalid appsecret, rid: 66b5fb8f-5e3c0071-3d7f539a"})
    server.token_script = [bad]
    results = await at_once(50, raw.count_materials)
    assert {type(one) for one in results} == {CredentialError}
    assert len({id(one) for one in results}) == 50
    assert {one.rid for one in results} == {"66b5fb8f-5e3c0071-3d7f539a"}
    assert len(server.token_requests) == 1
    with pytest.raises(CredentialError):
        await raw.count_materials()
    assert len(server.token_requests) == 1


async def test_a_source_of_ones_own(server: RawServer) -> None:
    """Any object with `fetch` is a source; it is told which token was refused, and names its query parameter."""
    asked: list[str | None] = []

    class Central:
        async def fetch(self, exchange: object, *, previous: Token | None, rejected: bool) -> Token:
            del exchange
            asked.append(previous.value if previous and rejected else None)
            return Token(value=f"central{len(asked)}", expires_in=60, parameter="cloudbase_access_token")

    server.script = [REFUSED, COUNT]
    async with WxSession(tokens=Central(), base_url=server.url) as wx:
        await wx.count_materials()
    assert asked == [None, "central1"]
    assert [one.line.split()[1].split("?")[1] for one in server.requests] == [
        "cloudbase_access_token=central1",
        "cloudbase_access_token=central2",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "SECRETTOKEN"},
        {"access_token": "SECRETTOKEN", "expires_in": 0},
        {"access_token": "SECRETTOKEN", "expires_in": -5},
        {"access_token": "SECRETTOKEN", "expires_in": None},
        {"access_token": "SECRETTOKEN", "expires_in": [7200]},
        {"access_token": "", "expires_in": 7200},
        {"access_token": " ", "expires_in": 7200},
        {"expires_in": 7200},
        b"<html>SECRETTOKEN</html>",
        b'{"access_token":"SECRETTOKEN","expires_in":7200',
    ],
)
async def test_a_lying_token_endpoint_is_a_decode_error(server: RawServer, answer: Any) -> None:
    """An answer without a usable token is a `DecodeError` that names the endpoint, and shows no token."""
    server.token_script = [reply(answer)]
    async with WxSession("wx1", "secret-4711", base_url=server.url, retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(DecodeError) as caught:
            await wx.count_materials()
    assert caught.value.path == "/cgi-bin/stable_token"
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    inside = [str(frame.locals) for frame in stack if "wxasset" in frame.filename]
    assert inside
    assert "SECRETTOKEN" not in f"{inside} {caught.value!r} {caught.value}"


async def test_a_life_as_text_is_understood(server: RawServer) -> None:
    """`"expires_in":"7200"` is a number to WeChat, and so it is here."""
    server.token_script = [reply({"access_token": "t", "expires_in": "7200"})]
    server.script = [COUNT]
    async with WxSession("wx1", "secret-4711", base_url=server.url) as wx:
        await wx.count_materials()


async def test_a_busy_token_endpoint_is_asked_again(server: RawServer) -> None:
    """-1 from the token endpoint is waited out."""
    server.token_script = [
        reply({"errcode": -1, "errmsg": "system error"}),
        reply({"access_token": "t", "expires_in": 7200}),
    ]
    server.script = [COUNT]
    async with WxSession("wx1", "secret-4711", base_url=server.url, retry=PATIENT) as wx:
        await wx.count_materials()
    assert len(server.token_requests) == 2


async def test_an_address_that_is_not_listed_is_named(server: RawServer) -> None:
    """40164 carries the address that WeChat saw, and is asked once."""
    server.token_script = [
        reply(
            {
                "errcode": 40164,
                "errmsg": "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist"
                " rid: 61250a39-612fed42-36740516",
            }
        )
    ]
    async with WxSession("wx1", "secret-4711", base_url=server.url, retry=PATIENT) as wx:
        with pytest.raises(IPNotAllowedError) as caught:
            await wx.count_materials()
    assert (caught.value.ip, len(server.token_requests)) == ("203.0.113.7", 1)


@pytest.mark.parametrize("source", [StableToken, ClassicToken])
def test_a_source_without_credentials(source: Callable[..., object]) -> None:
    """A source says at once which credential is missing, and never shows the secret."""
    with pytest.raises(UsageError, match="appid is missing"):
        source("", "s")
    with pytest.raises(UsageError, match="secret is missing"):
        source("wx1", None)
    assert "hush" not in repr(source("wx1", "hush"))
