"""How long is waited: for bytes, for an attempt, for the whole call; and never for what the caller does himself."""

import asyncio
import io
import time

import pytest

from conftest import PATIENT
from raw_server import Connection, RawRequest, RawServer, forever, reply, reset
from wxasset import MaterialStream, RetryPolicy, Timeouts, WxSession
from wxasset.errors import TransferTimeout, WxAssetError

COUNT = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
PHOTO = b"\xff\xd8\xff\xe0" + bytes(5000)


async def trickle(_: RawRequest, connection: Connection) -> None:
    """Give a byte of the body now and then, for ever."""
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nContent-Type: image/jpeg\r\n\r\n")
    while True:
        await connection.send(b"\xff")
        await asyncio.sleep(0.02)


async def trickle_head(_: RawRequest, connection: Connection) -> None:
    """Give a byte of the head now and then, for ever."""
    await connection.send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await connection.send(b"x")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("handler", [trickle, trickle_head])
async def test_a_peer_that_trickles_is_given_up(server: RawServer, handler: object) -> None:
    """A byte now and then is no stall, and still does not hold a call beyond its total."""
    server.script = [handler]  # type: ignore[list-item] # one of the two
    timeouts = Timeouts(stall=5, total=0.3, min_rate=1_000_000)
    async with WxSession("wx1", "s", base_url=server.url, retry=RetryPolicy(attempts=1), timeouts=timeouts) as wx:
        begun = time.monotonic()
        with pytest.raises(TransferTimeout):
            await wx.get_material("M", to=io.BytesIO())
        assert time.monotonic() - begun < 4


async def test_a_line_that_is_slow_but_moves_is_not_cut(server: RawServer, tmp_path: object) -> None:
    """The total grows with the bytes that came."""

    async def slowly(_: RawRequest, connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5004\r\nContent-Type: image/jpeg\r\n\r\n")
        for start in range(0, len(PHOTO), 500):
            await connection.send(PHOTO[start : start + 500])
            await asyncio.sleep(0.03)

    server.script = [slowly]
    timeouts = Timeouts(total=0.05, min_rate=1000)
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, timeouts=timeouts) as wx:
        await wx.get_material("M", to=f"{tmp_path}/out.jpg")
    assert len(server.requests) == 1


async def test_what_the_caller_takes_for_himself_does_not_count(server: RawServer) -> None:
    """Whoever reads a stream may take his time between two pieces."""

    async def in_two(_: RawRequest, connection: Connection) -> None:
        await connection.send(reply(PHOTO, "image/jpeg")[:-100])
        await asyncio.sleep(0.05)
        await connection.send(PHOTO[-100:])

    server.script = [in_two]
    timeouts = Timeouts(total=0.3, min_rate=1_000_000)
    async with (
        WxSession("wx1", "s", base_url=server.url, retry=PATIENT, timeouts=timeouts) as wx,
        wx.open_material("M") as material,
    ):
        assert isinstance(material, MaterialStream)
        parts = []
        async for part in material:
            parts.append(part)
            await asyncio.sleep(0.4)
    assert b"".join(parts) == PHOTO


async def test_the_whole_call_has_one_deadline(server: RawServer) -> None:
    """Stalls, retries and waits together take no longer than `RetryPolicy.timeout`."""
    server.script = [forever]
    policy = RetryPolicy(attempts=100, timeout=0.5, wait_initial=0.01)
    async with WxSession("wx1", "s", base_url=server.url, retry=policy, timeouts=Timeouts(stall=0.2)) as wx:
        begun = time.monotonic()
        with pytest.raises(TransferTimeout):
            await wx.count_materials()
        assert time.monotonic() - begun < 3
    assert len(server.requests) >= 2


async def test_a_token_is_not_waited_for_beyond_the_deadline(server: RawServer) -> None:
    """A caller in a hurry does not wait for a fetch that takes longer; the fetch goes on for others."""
    server.token_script = [forever]
    async with WxSession("wx1", "s", base_url=server.url, timeouts=Timeouts(stall=5)) as wx:
        with pytest.raises(WxAssetError, match="No access token came"):
            await wx.with_options(retry=RetryPolicy(timeout=0.1)).count_materials()


async def test_timeouts_of_a_single_call(server: RawServer) -> None:
    """`with_options` sets them for a call."""
    server.script = [forever]
    async with WxSession("wx1", "s", base_url=server.url, retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(TransferTimeout, match=r"for 0\.1 seconds"):
            await wx.with_options(timeouts=Timeouts(stall=0.1)).count_materials()


@pytest.mark.parametrize("call", ["count_materials", "del_material"])
async def test_a_stale_connection_costs_nothing(server: RawServer, call: str) -> None:
    """A kept connection that the server had let go of costs a read or a deletion neither an attempt nor a wait."""
    done = COUNT if call == "count_materials" else reply({"errcode": 0, "errmsg": "ok"})
    server.script = [COUNT, reset, done]
    policy = RetryPolicy(attempts=1, wait_initial=60)
    async with WxSession("wx1", "s", base_url=server.url, retry=policy) as wx:
        await wx.count_materials()
        await getattr(wx, call)(*(("M",) if call == "del_material" else ()))
        assert wx._engine.quota.left == 500
    assert len(server.requests) == 3
