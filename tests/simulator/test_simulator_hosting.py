"""Requests to the simulator from containers of WeChat cloud hosting, and the client against it."""

from pathlib import Path

import pytest

from policies import PATIENT
from self_signed import self_signed
from simulated import ADD, COUNT, GET, START, call, still_simulator, token_of
from wxasset import CloudHostingToken, NoToken, RetryPolicy, WxSession
from wxasset.errors import (
    BusyError,
    ConnectError,
    CredentialError,
    NotListedError,
    PermissionDeniedError,
    TokenUnavailableError,
)
from wxasset.simulator import Simulator, SimulatorOptions

sim = still_simulator

LISTED = SimulatorOptions(cloud_hosting=frozenset({COUNT}))


async def test_listed_paths_need_no_token(sim: Simulator) -> None:
    """From cloud hosting a listed path is answered without a token and with a sequence id; others get status 502."""
    sim.options = LISTED
    answer = await call(sim, COUNT)
    assert (answer.errcode, len(answer.headers["x-openapi-seqid"])) == (0, 32)
    other = await call(sim, GET, {})
    assert (other.status, "x-openapi-seqid" in other.headers) == (502, False)
    assert "x-openapi-seqid" not in (await call(sim, COUNT, access_token=await token_of(sim))).headers


async def test_an_unlisted_path_may_get_85107(sim: Simulator) -> None:
    """The other documented response names the console's list."""
    sim.options = SimulatorOptions(cloud_hosting=frozenset({COUNT}), unlisted_in_hosting=85107)
    assert "URL不在白名单内" in (await call(sim, GET, {})).document["errmsg"]
    assert (await call(sim, "/cgi-bin/material/nothing")).errcode == 85107
    assert (await call(sim, COUNT)).errcode == 0


async def test_without_the_sidecar_a_token_is_missing(sim: Simulator) -> None:
    """With the service switched off, calls without a token get 41001."""
    assert (await call(sim, COUNT)).errcode == 41001


async def test_a_deployment_takes_time(sim: Simulator) -> None:
    """Calls get 85113 for some seconds after the start and after each deployment; other callers do not."""
    sim.options = SimulatorOptions(cloud_hosting=frozenset({COUNT}), hosting_ready_after=120)
    assert (await call(sim, COUNT)).errcode == 85113
    assert (await call(sim, COUNT, access_token=await token_of(sim))).errcode == 0
    sim.advance(120)
    assert (await call(sim, COUNT)).errcode == 0
    sim.deploy_hosting()
    assert (await call(sim, COUNT)).errcode == 85113


async def test_from_appid_chooses_the_account(sim: Simulator) -> None:
    """The environment belongs to the first account; another one is named in the query, and an unknown one refused."""
    sim.options = SimulatorOptions(cloud_hosting=frozenset({COUNT}), account_kind="mini_program")
    shop = sim.add_account(options=SimulatorOptions())
    shop.add_article(title="t")
    assert (await call(sim, COUNT)).errcode == 48001
    assert (await call(sim, COUNT, from_appid=shop.appid)).document["news_count"] == 1
    assert (await call(sim, COUNT, from_appid="wx0123456789abcdef")).errcode == 85105
    token = sim.push_cloudbase_token()
    assert (await call(sim, COUNT, cloudbase_access_token=token)).errcode == 48001
    assert (await call(sim, COUNT, cloudbase_access_token=token, from_appid=shop.appid)).document["news_count"] == 1
    assert (await call(sim, COUNT, cloudbase_access_token=token, from_appid="wx0123456789abcdef")).errcode == 85105


async def test_from_appid_has_no_effect_on_an_own_token(sim: Simulator) -> None:
    """The token names the account."""
    shop = sim.add_account()
    shop.add_article(title="t")
    assert (await call(sim, COUNT, access_token=await token_of(sim), from_appid=shop.appid)).document["news_count"] == 0


async def test_a_pushed_token_lives_for_half_an_hour(sim: Simulator) -> None:
    """It works next to its successors, for 30 minutes, for listed paths, under its own name in the query alone."""
    token = sim.push_cloudbase_token()
    sim.advance(1799)
    sim.push_cloudbase_token()
    assert (await call(sim, COUNT, cloudbase_access_token=token)).errcode == 0
    assert sim.journal[-1].token == 1
    assert token not in repr(sim.journal)
    assert (await call(sim, COUNT, access_token=token)).errcode == 40001
    assert (await call(sim, COUNT, cloudbase_access_token=await token_of(sim))).errcode == 40001
    sim.options = SimulatorOptions(cloud_hosting=frozenset({GET}))
    assert (await call(sim, COUNT, cloudbase_access_token=token)).errcode == 85107
    assert (await call(sim, GET, {}, cloudbase_access_token=token)).errcode == 41006
    sim.advance(1)
    assert (await call(sim, GET, {}, cloudbase_access_token=token)).errcode == 42001


# The client


async def test_the_client_works_inside_cloud_hosting(sim: Simulator, tmp_path: Path) -> None:
    """The client's sources for cloud hosting work: none at all, and the file that tokens are pushed into."""
    file = tmp_path / "cloudbase_access_token"
    token = await sim.mount_cloudbase_token(file)
    assert file.read_text() == token
    async with WxSession(tokens=CloudHostingToken(file), base_url=sim.url) as wx:
        assert (await wx.count_materials()).image == 0
    sim.options = LISTED
    async with WxSession(tokens=NoToken(), base_url=sim.url) as wx:
        assert (await wx.count_materials()).image == 0


@pytest.mark.parametrize("answer", [502, 85107])
async def test_an_unlisted_upload_stores_nothing_and_says_so(sim: Simulator, photo: bytes, answer: int) -> None:
    """The client reports a refusal, the simulator has no material, and neither a second upload nor a search came."""
    sim.options = SimulatorOptions(cloud_hosting=frozenset({COUNT}), unlisted_in_hosting=answer)  # type: ignore[arg-type]
    async with WxSession(tokens=NoToken(), base_url=sim.url, retry=PATIENT) as wx:
        with pytest.raises((NotListedError, PermissionDeniedError)) as caught:
            await wx.add_material("image", photo, filename="a.jpg")
        assert "微信令牌权限配置" in caught.value.hint.chinese
    assert sim.materials == {}
    assert [(one.path, one.committed) for one in sim.journal] == [(ADD, False)]


async def test_an_upload_right_after_a_deployment_is_stored_once(photo: bytes) -> None:
    """85113 is waited out, without a search and without a duplicate."""
    now = START

    def clock() -> float:
        nonlocal now
        now += 1
        return now

    options = SimulatorOptions(cloud_hosting=frozenset({ADD}), hosting_ready_after=60)
    async with Simulator(clock=clock, options=options) as sim:
        async with WxSession(tokens=NoToken(), base_url=sim.url, retry=PATIENT) as wx:
            added = await wx.add_material("image", photo, filename="a.jpg")
        assert list(sim.materials) == [added.media_id]
        assert {one.path for one in sim.journal} == {ADD}
        assert len(sim.journal) > 3


async def test_a_service_that_is_not_ready_is_busy(sim: Simulator, photo: bytes) -> None:
    """At the deadline the upload ends with 85113: retryable, and nothing is unknown."""
    sim.options = SimulatorOptions(cloud_hosting=frozenset({ADD}), hosting_ready_after=60)
    async with WxSession(tokens=NoToken(), base_url=sim.url, retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(BusyError) as caught:
            await wx.add_material("image", photo, filename="a.jpg")
    assert (caught.value.errcode, caught.value.retryable) == (85113, True)
    assert sim.materials == {}


async def test_a_service_that_is_off_says_so(sim: Simulator, photo: bytes) -> None:
    """41001 names the three reasons; the upload is not repeated."""
    async with WxSession(tokens=NoToken(), base_url=sim.url, retry=PATIENT) as wx:
        with pytest.raises(CredentialError, match="41001") as caught:
            await wx.add_material("image", photo, filename="a.jpg")
    assert "未重新发布" in caught.value.hint.chinese
    assert len(sim.journal) == 1


async def test_the_account_of_a_shared_environment(sim: Simulator, photo: bytes) -> None:
    """Without `from_appid` the owner is called, a mini program here, and the hint names the parameter."""
    sim.options = SimulatorOptions(cloud_hosting=frozenset({ADD}), account_kind="mini_program")
    shop = sim.add_account(options=SimulatorOptions())
    async with WxSession(tokens=NoToken(), base_url=sim.url, retry=PATIENT) as wx:
        with pytest.raises(PermissionDeniedError, match="48001") as caught:
            await wx.add_material("image", photo, filename="a.jpg")
        assert "from_appid" in caught.value.hint.english
        added = await wx.with_options(from_appid=shop.appid).add_material("image", photo, filename="a.jpg")
        with pytest.raises(PermissionDeniedError, match="85105") as other:
            await wx.with_options(from_appid="wx0123456789abcdef").add_material("image", photo, filename="a.jpg")
        assert "from_appid" in other.value.hint.english
    assert (list(shop.materials), sim.materials) == ([added.media_id], {})


async def test_the_placeholder_of_a_new_container(sim: Simulator, tmp_path: Path) -> None:
    """No call is sent before the first push; the error names the file and what it holds."""
    file = tmp_path / "cloudbase_access_token"
    assert await sim.mount_cloudbase_token(file, pushed=False) == "default-tcb-wx-access-token"
    retry = RetryPolicy(timeout=0.1)
    async with WxSession(tokens=CloudHostingToken(file), base_url=sim.url, retry=retry) as wx:
        with pytest.raises(TokenUnavailableError, match="no token has been pushed yet"):
            await wx.count_materials()
    assert sim.journal == []
    await sim.mount_cloudbase_token(file)
    async with WxSession(tokens=CloudHostingToken(file), base_url=sim.url, retry=retry) as wx:
        assert (await wx.count_materials()).image == 0


async def test_the_sidecar_answers_https_with_its_own_certificate() -> None:
    """A simulator with TLS has an https address; the client names the self-signed certificate."""
    async with Simulator(tls=self_signed()) as sim:
        assert sim.url.startswith("https://")
        async with WxSession(tokens=NoToken(), base_url=sim.url, retry=PATIENT) as wx:
            with pytest.raises(ConnectError, match="self-signed certificate") as caught:
                await wx.count_materials()
    assert "开放接口服务" in caught.value.hint.chinese


@pytest.mark.parametrize("errcode", [85105, 85107, 85112, 85113, 45103, 45106])
async def test_the_simulator_has_wechats_texts(sim: Simulator, errcode: int) -> None:
    """The codes can be injected, with WeChat's own message."""
    sim.fail("get_materialcount", f"errcode:{errcode}")
    document = (await call(sim, COUNT, access_token=await token_of(sim))).document
    assert document["errcode"] == errcode
    assert not document["errmsg"].startswith("simulated error")
