"""Under an outage a session asks about once a call, whatever the calls are, and recovers with the service."""

import asyncio
import os
import sys
from collections import Counter
from typing import Any, Final

import pytest

from raw_server import Handler, RawServer, reply, reset
from wxasset import RetryPolicy, Token, TokenCache, UploadPolicy, WxSession
from wxasset.errors import APIError, ConnectError, WxAssetError
from wxasset.simulator import Simulator

pytestmark = pytest.mark.usefixtures("unmeasured")

PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
EAGER = RetryPolicy(attempts=5, wait_initial=0)
CALLS = 1_000
MOST = 1_040

OUTAGES: dict[str, bytes | Handler] = {
    "503": reply(b"<html>503</html>", "text/html", status="503 Service Unavailable"),
    "-1": reply({"errcode": -1, "errmsg": "system error"}),
    "429": reply(b"", status="429 Too Many Requests"),
    "no HTTP": b"\x00\r\n\r\n",
    "a reset": reset,
}


class Fixed:
    """A source whose token never changes."""

    async def fetch(self, exchange: Any, *, previous: Any, rejected: bool) -> Token:
        """Give it."""
        del exchange, previous, rejected
        return Token(value="fixed" * 30, expires_in=7200)


async def operate(wx: WxSession, number: int) -> object:
    """Make one of the calls, in turn."""
    match number % 5:
        case 0:
            return await wx.count_materials()
        case 1:
            await wx.del_material("M")
            return None
        case 2:
            return await wx.add_material("image", PHOTO, filename=f"{number}.jpg")
        case 3:
            return await wx.upload_image(PHOTO)
        case _:
            return await wx.list_materials("image")


async def attempt(wx: WxSession, number: int) -> str:
    """Make a call; say how it ended."""
    try:
        await operate(wx, number)
    except WxAssetError as error:
        return type(error).__name__
    return "done"


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("width", [1, 100])
async def test_a_full_outage_costs_little_more_than_a_request_a_call(
    server: RawServer, record_property: Any, outage: str, width: int
) -> None:
    """A thousand calls of five kinds make no more than 1,040 requests, one after another or a hundred at once."""
    server.script = [OUTAGES[outage]]
    async with WxSession(tokens=TokenCache(Fixed()), base_url=server.url, retry=EAGER) as wx:
        ends: Counter[str] = Counter()
        for start in range(0, CALLS, width):
            ends.update(await asyncio.gather(*(attempt(wx, number) for number in range(start, start + width))))
    record_property("requests", len(server.requests))
    assert "done" not in ends
    assert CALLS <= len(server.requests) <= (MOST if outage != "429" else CALLS + 100)


async def test_an_outage_of_the_token_endpoint_is_shared(server: RawServer) -> None:
    """While no token can be had, a thousand calls make no more than 1,040 requests for one."""
    server.token_script = [OUTAGES["503"]]
    async with WxSession("wx1", "s", base_url=server.url, retry=EAGER) as wx:
        for start in range(0, CALLS, 100):
            await asyncio.gather(*(attempt(wx, number) for number in range(start, start + 100)))
    assert server.requests == []
    assert len(server.token_requests) <= MOST


async def test_a_server_that_is_gone_is_not_hammered() -> None:
    """Refused connections cost from the same quota; the errors say that nothing was sent."""
    async with RawServer() as server:
        url = server.url
    async with WxSession(tokens=TokenCache(Fixed()), base_url=url, retry=EAGER) as wx:
        ends = [await attempt(wx, number) for number in range(200)]
        quota = wx._engine.quota.left
    assert set(ends) == {ConnectError.__name__}
    assert quota < 14


async def test_the_quota_comes_back_with_the_service(server: RawServer) -> None:
    """After an outage successes earn the right to retry again."""
    server.script = [OUTAGES["503"]]
    async with WxSession(tokens=TokenCache(Fixed()), base_url=server.url, retry=EAGER) as wx:
        await asyncio.gather(*(attempt(wx, 0) for _ in range(100)))
        server.requests.clear()
        assert await attempt(wx, 0) == "HTTPStatusError"
        assert len(server.requests) == 1, "nothing is left to pay for a retry"
        count = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
        server.script = [count]
        for _ in range(14):
            await wx.count_materials()
        server.script = [OUTAGES["503"], count]
        assert (await wx.count_materials()).image == 0


@pytest.mark.parametrize("errcode", [40164, 45009, 48001])
async def test_a_permanent_refusal_is_asked_once(server: RawServer, errcode: int) -> None:
    """What will not change is not asked again: one request a call."""
    server.script = [reply({"errcode": errcode, "errmsg": "no"})]
    async with WxSession(tokens=TokenCache(Fixed()), base_url=server.url, retry=EAGER) as wx:
        for number in range(50):
            with pytest.raises(APIError):
                await operate(wx, number)
    assert len(server.requests) == 50


async def test_patience_on_request(server: RawServer) -> None:
    """`Retry-After` is waited for by a read, and no longer than the call may take."""
    busy = reply(b"", status="503 Service Unavailable\r\nRetry-After: 1")
    count = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
    server.script = [busy, count]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with WxSession(tokens=TokenCache(Fixed()), base_url=server.url, retry=EAGER) as wx:
        wx._engine.sleep = sleep
        await wx.count_materials()
        assert waits == [1.0]
        server.script = [busy]
        with pytest.raises(WxAssetError):
            await wx.with_options(retry=RetryPolicy(timeout=0.9, wait_initial=0)).count_materials()
        assert waits == [1.0]


async def test_the_minute_quota_is_waited_out_once(server: RawServer) -> None:
    """45011 is waited for to the next minute, once, by an upload too: it was turned away undone."""
    full = reply({"errcode": 45011, "errmsg": "api minute-quota reach limit"})
    server.script = [full, reply({"media_id": "M"}), full]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with WxSession(tokens=TokenCache(Fixed()), base_url=server.url, retry=EAGER) as wx:
        wx._engine.sleep = sleep
        assert (await wx.add_material("image", PHOTO)).media_id == "M"
        with pytest.raises(APIError):
            await wx.with_options(uploads=UploadPolicy(reconcile="raise")).add_material("image", PHOTO)
    assert len(waits) == 2
    assert all(0 <= wait <= 62 for wait in waits)
    assert len(server.requests) == 4


WITHOUT_DESCRIPTORS: Final = """
import asyncio, errno, sys
from importlib.abc import MetaPathFinder
from wxasset import RetryPolicy, WxSession


class NoDescriptors(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("wxasset"):
            raise OSError(errno.EMFILE, "Too many open files", name)


async def main():
    photo = bytes.fromhex("ffd8ffe0") + bytes(1000)
    wx = WxSession.from_env(retry=RetryPolicy(attempts=2, wait_initial=0))
    await wx.count_materials()
    await wx.add_material("image", photo)
    sys.meta_path.insert(0, NoDescriptors())
    for call in [lambda: wx.add_material("image", photo)] * int(sys.argv[1]) + [wx.count_materials]:
        try:
            await call()
        except Exception as error:
            print(type(error).__name__, flush=True)
        else:
            print("done", flush=True)
    sys.meta_path.pop(0)
    await wx.aclose()


asyncio.run(main())
"""
"""No module of the package can be loaded after the first calls, as in a process without free file descriptors."""


async def test_a_failed_call_loads_no_module(sim: Simulator) -> None:
    """A process without free file descriptors gets the same errors, and what was added is known."""
    faults = {
        "errcode:45009": "QuotaExceededError",
        "reset-after-commit": "done",
        "status-after-commit:502": "done",
        "errcode:40004": "InvalidMediaError",
        "errcode:-1": "UploadOutcomeUnknown",
        "errcode:40001": "done",
    }
    sim.fail("add_material", "delay-1ms")
    for fault in faults:
        sim.fail("add_material", fault)
    sim.fail("get_materialcount", "delay-1ms")
    sim.fail("get_materialcount", "errcode:-1", times=None)
    told = {"WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret, "WXASSET_BASE_URL": sim.url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT_DESCRIPTORS, str(len(faults))),
        env=os.environ | told,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaints = await process.communicate()
    assert (output.decode().split(), process.returncode) == ([*faults.values(), "BusyError"], 0), complaints.decode()
