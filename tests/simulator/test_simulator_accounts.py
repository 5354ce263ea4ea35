"""Several accounts behind one address: libraries, tokens, quotas and options of their own."""

from collections.abc import AsyncIterator

import pytest

from simulated import COUNT, PNG, START, call
from wxasset import WxSession
from wxasset.calls.account import GetRid
from wxasset.errors import APIError
from wxasset.simulator import SimulatedAccount, Simulator, SimulatorOptions

TOKEN = "/cgi-bin/token"


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A running simulator whose clock stands still."""
    async with Simulator(clock=lambda: START) as running:
        yield running


async def fetch(sim: Simulator, account: Simulator | SimulatedAccount, secret: str | None = None) -> int:
    """Fetch a token of an account and return the errcode."""
    asked = {"grant_type": "client_credential", "appid": account.appid, "secret": secret or account.secret}
    return (await call(sim, TOKEN, query=asked)).errcode


async def test_each_account_has_its_own_library(sim: Simulator) -> None:
    """A session of one account sees the uploads of this account alone."""
    other = sim.add_account(appid="wx2", secret="2")
    async with WxSession("wx2", "2", base_url=sim.url) as wx:
        await wx.add_material("image", PNG, filename="a.png")
        assert (await wx.count_materials()).image == len(other.materials) == 1
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        assert (await wx.count_materials()).image == len(sim.materials) == 0


async def test_secrets_belong_to_one_account(sim: Simulator) -> None:
    """The secret of another account is 40125, an unknown appid 40013."""
    other = sim.add_account()
    assert await fetch(sim, other) == 0
    assert await fetch(sim, other, sim.secret) == 40125
    asked = {"grant_type": "client_credential", "appid": "wx0", "secret": sim.secret}
    assert (await call(sim, TOKEN, query=asked)).errcode == 40013


async def test_a_token_of_one_account_leaves_the_others_alone(sim: Simulator) -> None:
    """Fetching for one account ends no token of another; both count for the journal."""
    other = sim.add_account()
    asked = {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret}
    token = (await call(sim, TOKEN, query=asked)).document["access_token"]
    for _ in range(2):
        await fetch(sim, other)
        sim.advance(301)
    assert (await call(sim, COUNT, access_token=token)).errcode == 0
    assert [entry.token for entry in sim.journal][-1] == 1


@pytest.mark.parametrize(("name", "code"), [("revoke_tokens", 40001), ("expire_tokens", 42001)])
async def test_tokens_of_one_account_can_be_ended(sim: Simulator, name: str, code: int) -> None:
    """An account ends its own tokens, the simulator those of all."""
    other = sim.add_account()
    tokens = []
    for account in (sim, other):
        asked = {"grant_type": "client_credential", "appid": account.appid, "secret": account.secret}
        tokens.append((await call(sim, TOKEN, query=asked)).document["access_token"])
    found = []
    for controls in (other, sim):
        getattr(controls, name)()
        found.append([(await call(sim, COUNT, access_token=token)).errcode for token in tokens])
    assert found == [[0, code], [code, code]]


async def test_each_account_has_its_own_quota_and_options(sim: Simulator) -> None:
    """A test account with 200 tokens a day stands beside one with 2,000."""
    preset = SimulatorOptions(daily_limits={TOKEN: 2})
    trial = sim.add_account(options=preset)
    assert [await fetch(sim, trial) for _ in range(3)] == [0, 0, 45009]
    assert [await fetch(sim, sim) for _ in range(3)] == [0, 0, 0]
    sim.options = SimulatorOptions(account_kind="mini_program")
    assert trial.options is preset
    assert sim.add_account().options is sim.options
    trial.options = SimulatorOptions()
    assert (await fetch(sim, trial), sim.options.account_kind) == (0, "mini_program")


async def test_accounts_share_one_cloud_address(sim: Simulator) -> None:
    """A file uploaded by one account is not in the storage of another."""
    other = sim.add_account()
    async with WxSession(other.appid, other.secret, base_url=sim.url) as wx:
        fileid = await wx.upload_file("env", "a.png", PNG)
        assert (dict(other.cloud_files), dict(sim.cloud_files)) == ({fileid: PNG}, {})


async def test_an_error_belongs_to_its_account(sim: Simulator) -> None:
    """rid/get finds an account's own request ids; those of another one are 76003."""
    other = sim.add_account()
    async with WxSession(other.appid, other.secret, base_url=sim.url) as wx:
        with pytest.raises(APIError) as caught:
            await wx.call(GetRid(rid="none"))
        found = await wx.call(GetRid(rid=caught.value.rid or ""))
        assert found.request.invoke_time == int(START)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        with pytest.raises(APIError, match="76003"):
            await wx.call(GetRid(rid=caught.value.rid or ""))


async def test_a_reset_keeps_the_accounts(sim: Simulator) -> None:
    """Libraries are empty afterwards; appids, secrets, authorizations and the objects of a test remain."""
    other = sim.add_account()
    sim.platform.authorize(other.appid)
    first = other.add_article(title="a")
    kept = (other.secret, sim.platform.refresh_token(other.appid), sim.component_appid)
    sim.reset()
    assert (other.materials, list(sim.accounts)) == ({}, [sim.appid, other.appid])
    assert (other.secret, sim.platform.refresh_token(other.appid), sim.component_appid) == kept
    assert sim.accounts[other.appid] is other
    assert (await fetch(sim, other), other.add_article(title="a")) == (0, first)


def test_an_appid_is_taken_once() -> None:
    """Neither a second account nor the platform can have an appid that is taken."""
    sim = Simulator(appid="wx1")
    for taken in ("wx1", sim.platform.appid):
        with pytest.raises(ValueError, match="is taken"):
            sim.add_account(appid=taken)
    with pytest.raises(ValueError, match="unknown account 'wx9'"):
        sim.platform.authorize("wx9")
