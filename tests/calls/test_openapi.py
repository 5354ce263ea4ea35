"""The calls about quotas, request ids and addresses, against the simulator."""

import pytest
from attrs import fields

from wxasset import CheckCallback, GetApiDomainIp, GetQuota, GetRid, RecordedRequest, WxSession
from wxasset.errors import APIError, MediaNotFoundError, UsageError
from wxasset.simulator import Simulator, SimulatorOptions

MEDIA = "/cgi-bin/media/get"


async def test_the_quota_of_an_api(wx: WxSession, sim: Simulator) -> None:
    """What was called of an API is told with the day's limit; one by the minute is there where it has one."""
    sim.options = SimulatorOptions(daily_limits={MEDIA: 3}, minute_limits={MEDIA: 9})
    with pytest.raises(MediaNotFoundError):
        await wx.get_media("nothing", "nowhere")
    found = await wx.call(GetQuota(cgi_path=MEDIA))
    assert (found.quota.daily_limit, found.quota.used, found.quota.remain) == (3, 1, 2)
    assert found.rate_limit is not None
    assert (found.rate_limit.call_count, found.rate_limit.refresh_second) == (9, 60)
    assert (await wx.call(GetQuota(cgi_path="/cgi-bin/get_api_domain_ip"))).rate_limit is None


async def test_the_quota_of_no_api(wx: WxSession) -> None:
    """A path that WeChat does not know is refused with its own code."""
    with pytest.raises(APIError) as caught:
        await wx.call(GetQuota(cgi_path="/cgi-bin/nothing"))
    assert caught.value.errcode == 76021


@pytest.mark.parametrize("path", ["cgi-bin/media/get", "https://api.weixin.qq.com/cgi-bin/media/get", "/a?b=c", "", 1])
def test_a_path_that_is_none(path: str) -> None:
    """What WeChat would answer with 76003 is refused before it is sent."""
    with pytest.raises(UsageError, match="cgi_path="):
        GetQuota(cgi_path=path)


async def test_the_request_behind_a_rid(wx: WxSession) -> None:
    """The request id of a refusal leads to the request and its answer; nothing that may be secret is in its repr."""
    with pytest.raises(MediaNotFoundError) as caught:
        await wx.get_material("nothing", "nowhere")
    assert caught.value.rid is not None
    record = (await wx.call(GetRid(rid=caught.value.rid))).request
    assert record.invoke_time > 0
    assert "40007" in record.response_body
    assert record.client_ip
    assert record.request_url not in repr(record)
    assert {one.name for one in fields(RecordedRequest) if not one.repr} == {
        "request_url",
        "request_body",
        "response_body",
    }


@pytest.mark.parametrize(("rid", "code"), [("1", 76002), ("61725984-6126f6f9-040f19c4", 76004)])
async def test_a_rid_that_leads_nowhere(wx: WxSession, rid: str, code: int) -> None:
    """A request id that is malformed, or more than 7 days old, is refused with its own code."""
    with pytest.raises(APIError) as caught:
        await wx.call(GetRid(rid=rid))
    assert caught.value.errcode == code


async def test_addresses(wx: WxSession) -> None:
    """The addresses of the API hosts come as texts."""
    assert "101.89.47.18" in (await wx.call(GetApiDomainIp())).addresses


@pytest.mark.parametrize(("action", "found"), [("dns", (1, 0)), ("ping", (0, 1)), ("all", (1, 1))])
async def test_the_callback_host(wx: WxSession, action: str, found: tuple[int, int]) -> None:
    """WeChat looks the callback's host up, or pings it, or both, from where it is told."""
    checked = await wx.call(CheckCallback(action=action, check_operator="UNICOM"))
    assert (len(checked.dns), len(checked.ping)) == found
    assert all(ping.package_loss == "0%" and ping.from_operator == "UNICOM" for ping in checked.ping)


@pytest.mark.parametrize("arguments", [{"action": "look"}, {"check_operator": "MINE"}])
def test_a_check_that_there_is_not(arguments: dict[str, str]) -> None:
    """Actions and operators that WeChat does not have are refused before anything is sent."""
    with pytest.raises(UsageError, match="must be one of"):
        CheckCallback(**arguments)
