"""The simulator's quotas, and what it tells about them and about its refusals."""

import json
import re
from collections.abc import AsyncIterator

import pytest
from attrs import evolve

from simulated import ADD, COUNT, GET, PNG, START, call, token_of, upload
from wxasset.simulator import Simulator, SimulatorOptions
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.state.request_ids import RequestIdRecords
from wxasset.simulator.wire.replies import ApiError
from wxasset.simulator.wire.requests import ApiRequest

TOKEN = "/cgi-bin/token"
STABLE = "/cgi-bin/stable_token"
CLEAR = "/cgi-bin/clear_quota"
RID = r"[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"
OK = {"errcode": 0, "errmsg": "ok"}
MIDNIGHT = 1_700_064_000  # the next midnight in Shenzhen after START


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A running simulator whose clock stands still, with three counts a day."""
    async with Simulator(clock=lambda: START, options=SimulatorOptions(daily_limits={COUNT: 3})) as running:
        yield running


def credentials(sim: Simulator) -> dict[str, str]:
    """The parameters of a token request."""
    return {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret}


async def codes(sim: Simulator, path: str, times: int) -> list[int]:
    """The codes of so many calls."""
    token = await token_of(sim)
    return [(await call(sim, path, access_token=token)).errcode for _ in range(times)]


async def test_the_day_of_a_quota_ends_at_midnight_in_shenzhen(sim: Simulator) -> None:
    """Calls beyond the limit answer 45009, in WeChat's words, until the day is over; other paths are not concerned."""
    assert await codes(sim, COUNT, 4) == [0, 0, 0, 45009]
    sim.advance(MIDNIGHT - START - 1)
    token = await token_of(sim)
    refused = (await call(sim, COUNT, access_token=token)).document
    assert re.fullmatch(f"reach max api daily quota limit rid: {RID}", refused["errmsg"])
    assert (await call(sim, GET, {}, access_token=token)).errcode == 41006
    sim.advance(1)
    assert await codes(sim, COUNT, 4) == [0, 0, 0, 45009]


@pytest.mark.parametrize(
    ("path", "daily"),
    [
        (TOKEN, 2_000),
        (STABLE, 500_000),
        ("/cgi-bin/media/upload", 100_000),
        ("/cgi-bin/media/get", 200_000),
        (ADD, 0),
        (COUNT, 3),
    ],
)
async def test_the_limits_are_the_documented_ones(sim: Simulator, path: str, daily: int) -> None:
    """Paths without an option keep their defaults; the library has no limit, shown as 0."""
    token = await token_of(sim)
    asked = (await call(sim, "/cgi-bin/openapi/quota/get", {"cgi_path": path}, access_token=token)).document
    used = 1 if path == STABLE else 0
    assert asked["quota"] == {"daily_limit": daily, "used": used, "remain": max(0, daily - used)}
    assert asked.get("rate_limit") == ({"call_count": 10_000, "refresh_second": 60} if path == STABLE else None)
    assert {name: asked[name] for name in OK} == OK


async def test_tokens_run_out_with_the_way_out_in_the_text(sim: Simulator) -> None:
    """Beyond the classic token's limit the text points to the stable one; a wrong secret uses nothing up."""
    sim.options = evolve(sim.options, daily_limits={TOKEN: 1})
    assert (await call(sim, TOKEN, query={**credentials(sim), "secret": "bad"})).errcode == 40125
    assert (await call(sim, TOKEN, query=credentials(sim))).errcode == 0
    refused = (await call(sim, TOKEN, query=credentials(sim))).document
    assert refused["errcode"] == 45009
    text = (
        "reach max api daily quota limit, could get access_token by getStableAccessToken, "
        "more details at https://mmbizurl.cn/s/JtxxFh33r rid: "
    )
    assert refused["errmsg"].startswith(text)


async def test_a_minute_has_its_own_limit(sim: Simulator) -> None:
    """Beyond the limit of a minute stable_token answers 45011, until the next one begins."""
    sim.options = evolve(sim.options, minute_limits={STABLE: 2})
    found = [(await call(sim, STABLE, credentials(sim))).errcode for _ in range(3)]
    assert found == [0, 0, 45011]
    sim.advance(60 - START % 60)
    assert (await call(sim, STABLE, credentials(sim))).errcode == 0


@pytest.mark.parametrize("limits", [{"material": 1}, {"/cgi-bin/token": -1}, {"/cgi-bin/token": "1"}])
def test_limits_are_checked(limits: dict[str, int]) -> None:
    """A limit belongs to a path and is a number that is not negative."""
    with pytest.raises((ValueError, TypeError)):
        SimulatorOptions(daily_limits=limits)


async def test_a_quota_is_judged_between_the_token_and_the_body(sim: Simulator) -> None:
    """With the quota used up a wrong token is still told so, and a wrong body is not looked at."""
    sim.options = evolve(sim.options, daily_limits={GET: 0})
    assert (await call(sim, GET, {}, access_token="x" * 120)).errcode == 40001
    assert (await call(sim, GET, {}, access_token=await token_of(sim))).errcode == 45009


async def test_all_quotas_are_cleared_ten_times_a_month(sim: Simulator) -> None:
    """Both versions of clear_quota share ten clearings, then it is 48006 until the next month."""
    token = await token_of(sim)
    first, second = {"appid": sim.appid}, {"appid": sim.appid, "appsecret": sim.secret}
    for _ in range(5):
        assert await codes(sim, COUNT, 4) == [0, 0, 0, 45009]
        assert (await call(sim, CLEAR, first, access_token=token)).document == OK
        assert (await call(sim, f"{CLEAR}/v2", second)).document == OK
    refused = (await call(sim, CLEAR, first, access_token=token)).document
    assert refused["errcode"] == 48006
    assert refused["errmsg"].startswith("forbid to clear quota because of reaching the limit rid: ")
    assert (await call(sim, f"{CLEAR}/v2", second)).errcode == 48006
    sim.advance(31 * 86_400)
    assert (await call(sim, f"{CLEAR}/v2", method="POST", query=second)).document == OK


@pytest.mark.parametrize(
    ("changes", "code"), [({"appid": "wx0"}, 40013), ({"appid": ""}, 41002), ({"appsecret": ""}, 41004)]
)
async def test_who_clears_names_the_account(sim: Simulator, changes: dict[str, str], code: int) -> None:
    """A clearing without the right credentials is refused, and does not count."""
    given = {"appid": sim.appid, "appsecret": sim.secret, **changes}
    for _ in range(11):
        assert (await call(sim, f"{CLEAR}/v2", given)).errcode == code
    given = {"appid": sim.appid, "appsecret": "bad"}
    assert (await call(sim, f"{CLEAR}/v2", given)).errcode == 40125
    assert (await call(sim, CLEAR, {"appid": sim.appid}, access_token=await token_of(sim))).errcode == 0


async def test_one_quota_is_cleared_fifty_times_a_month(sim: Simulator) -> None:
    """The count of one path starts again, that of another goes on."""
    token = await token_of(sim)
    await codes(sim, COUNT, 3)
    path = "/cgi-bin/openapi/quota/clear"
    assert (await call(sim, path, {"cgi_path": GET}, access_token=token)).document == OK
    assert await codes(sim, COUNT, 1) == [45009]
    for _ in range(49):
        assert (await call(sim, path, {"cgi_path": COUNT}, access_token=token)).errcode == 0
    assert await codes(sim, COUNT, 1) == [0]
    assert (await call(sim, path, {"cgi_path": COUNT}, access_token=token)).errcode == 45009


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"cgi_path": "/none"}, 76021), ({}, 76021), ({"cgi_path": "/cgi-bin/component/api_component_token"}, 76022)],
)
async def test_a_quota_belongs_to_a_known_path(sim: Simulator, asked: dict[str, str], code: int) -> None:
    """An unknown path is 76021, one of a third-party platform 76022."""
    assert (await call(sim, "/cgi-bin/openapi/quota/get", asked, access_token=await token_of(sim))).errcode == code


async def test_a_refusal_can_be_looked_up_for_seven_days(sim: Simulator) -> None:
    """A request id leads to the request, without its token, and to the reply; after seven days it is 76004."""
    token = await token_of(sim)
    refused = await call(sim, GET, {"media_id": "x"}, access_token=token, lang="zh")
    rid = re.search(RID, refused.document["errmsg"])
    assert rid is not None
    asked = {"rid": rid[0]}
    found = (await call(sim, "/cgi-bin/openapi/rid/get", asked, access_token=token)).document
    assert found == {
        **OK,
        "request": {
            "invoke_time": int(START),
            "cost_in_ms": 30,
            "request_url": f"access_token={token[:6]}xxxx&lang=zh",
            "request_body": '{"media_id":"x"}',
            "response_body": refused.body.decode(),
            "client_ip": "127.0.0.1",
        },
    }
    sim.advance(7 * 86_400)
    path = "/cgi-bin/openapi/rid/get"
    assert (await call(sim, path, asked, access_token=await token_of(sim))).errcode == 0
    sim.advance(1)
    assert (await call(sim, path, asked, access_token=await token_of(sim))).errcode == 76004


async def test_a_refusal_keeps_no_secret(sim: Simulator) -> None:
    """The secret of a token request and the bytes of an upload are not told to anyone."""
    bad = {"grant_type": "client_credential", "appid": sim.appid, "secret": "0123456789"}
    for refused in (await call(sim, STABLE, bad), await upload(sim, ADD, "image", "a.webp", PNG)):
        rid = re.search(RID, refused.document["errmsg"])
        assert rid is not None
        asked = {"rid": rid[0]}
        answer = await call(sim, "/cgi-bin/openapi/rid/get", asked, access_token=await token_of(sim))
        body = answer.document["request"]["request_body"]
        assert body == "" or json.loads(body) == {**bad, "secret": "012345xxxx"}


@pytest.mark.parametrize(
    ("rid", "code"),
    [("", 76002), ("6173-1-2", 76002), (f"{int(START):08x}-00000000-00000000", 76001), ("5" * 8 + "-0" * 2, 76002)],
)
async def test_other_request_ids_lead_nowhere(sim: Simulator, rid: str, code: int) -> None:
    """An invalid request id gets 76002, an unknown one 76001."""
    assert (await call(sim, "/cgi-bin/openapi/rid/get", {"rid": rid}, access_token=await token_of(sim))).errcode == code


async def test_the_request_id_of_another_account_is_not_told(sim: Simulator) -> None:
    """A refusal to another appid is that account's: 76003."""
    refused = await call(sim, TOKEN, query={**credentials(sim), "appid": "wx0"})
    rid = re.search(RID, refused.document["errmsg"])
    assert rid is not None
    asked = {"rid": rid[0]}
    answer = await call(sim, "/cgi-bin/openapi/rid/get", asked, access_token=await token_of(sim))
    assert answer.errcode == 76003


def test_not_every_refusal_is_remembered() -> None:
    """The newest 10,000 are, so that a long run does not fill the memory."""
    book = RequestIdRecords(Clock(lambda: START))
    request = ApiRequest("GET", COUNT, {}, {}, b"", "127.0.0.1")
    for number in range(10_001):
        text = f"system error rid: {int(START):08x}-00000000-{number:08x}"
        book.enter(ApiError(40001), {"errcode": 40001, "errmsg": text}, request, "wx1")
    assert book.find(f"{int(START):08x}-00000000-00000001", "wx1")
    with pytest.raises(ApiError) as caught:
        book.find(f"{int(START):08x}-00000000-00000000", "wx1")
    assert caught.value.errcode == 76001


async def test_addresses_and_callbacks(sim: Simulator) -> None:
    """Both lists of addresses and the check of a callback have the documented shape."""
    token = await token_of(sim)
    for path in ("/cgi-bin/get_api_domain_ip", "/cgi-bin/getcallbackip"):
        assert (await call(sim, path, access_token=token)).document["ip_list"]
    path = "/cgi-bin/callback/check"
    answer = await call(sim, path, {"action": "all", "check_operator": "DEFAULT"}, access_token=token)
    assert set(answer.document["dns"][0]) == {"ip", "real_operator"}
    assert set(answer.document["ping"][0]) == {"ip", "from_operator", "package_loss", "time"}
    assert list((await call(sim, path, {"action": "dns"}, access_token=token)).document) == ["dns"]
    assert (await call(sim, path, {"action": "x"}, access_token=token)).errcode == 40202
    assert (await call(sim, path, {"action": "dns", "check_operator": "x"}, access_token=token)).errcode == 40203
