"""How long a call waits: a peer that trickles cannot hold it, and a slow line that moves is not cut."""

import email.utils
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

import certificates
from declared import MakeDraft
from raw_server import Connection, Handler, RawRequest, RawServer, forever, reply, reset
from wxasset import MaterialStream, RetryPolicy, SavedMaterial, StaticToken, Timeouts, WxSession
from wxasset.errors import (
    ConnectError,
    HTTPStatusError,
    TokenUnavailableError,
    TransferError,
    TransferTimeout,
    UploadOutcomeUnknown,
)

contexts = certificates.contexts


ONCE = RetryPolicy(attempts=1)
PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
COUNT = reply({"voice_count": 1, "video_count": 2, "image_count": 3, "news_count": 4})
HURRIED = Timeouts(total=0.3)
SOON = 5.0  # seconds; far below the 30 of `stall`, far above what a busy machine adds


@asynccontextmanager
async def session(server: RawServer, timeouts: Timeouts, **options: Any) -> AsyncIterator[WxSession]:
    """A session that tries once and needs no token."""
    retry = options.pop("retry", ONCE)
    async with WxSession(tokens=StaticToken("t"), base_url=server.url, retry=retry, timeouts=timeouts, **options) as wx:
        yield wx


def trickle(start: bytes, drop: bytes) -> Handler:
    """Send a start, and then one drop after the other for ever."""

    async def send(_: RawRequest, connection: Connection) -> None:
        await connection.send(start)
        while True:
            for byte in drop:
                await connection.send(bytes([byte]))
                await anyio.sleep(0.02)

    return send


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TRICKLES = {
    "the status line": (b"", b"HTTP/1.1 200 " + b"O" * 1000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{", b" "),
    "chunks": (CHUNKED + b"1\r\n{\r\n", b"1\r\n \r\n"),
    "the size of a chunk": (CHUNKED + b"1\r\n{\r\n1;x=", b"y"),
    "the head of a compressed body": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\3",
        b"name",
    ),
    "the page of an error": (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000\r\n\r\n", b"<"),
}


@pytest.mark.parametrize("what", TRICKLES)
async def test_a_peer_that_trickles_is_given_up(server: RawServer, what: str) -> None:
    """Bytes that come one by one hold a call for `Timeouts.total`, wherever in the answer they are."""
    server.script = [trickle(*TRICKLES[what])]
    expected = HTTPStatusError if what == "the page of an error" else TransferTimeout
    begun = time.monotonic()
    async with session(server, HURRIED) as wx:
        with pytest.raises(expected):
            await wx.count_materials()
    assert 0.2 < time.monotonic() - begun < SOON


async def test_silence_counts_from_the_last_byte_of_the_head(server: RawServer) -> None:
    """A head that comes slowly is read, whatever it takes in all; one that stops is given up after `stall`."""

    async def slowly(_: RawRequest, connection: Connection) -> None:
        for part in (COUNT[:5], COUNT[5:9], COUNT[9:15], COUNT[15:20], COUNT[20:]):
            await connection.send(part)
            await anyio.sleep(0.3)

    async def stopping(request: RawRequest, connection: Connection) -> None:
        await connection.send(COUNT[:20])
        await forever(request, connection)

    server.script = [slowly, stopping]
    async with session(server, Timeouts(stall=1.0)) as wx:
        assert (await wx.count_materials()).image == 3
        with pytest.raises(TransferTimeout, match="did not answer for 1 seconds"):
            await wx.count_materials()


async def test_a_download_that_trickles_is_given_up(server: RawServer, tmp_path: Path) -> None:
    """The same goes for a file; nothing of it is left."""
    server.script = [trickle(*TRICKLES["a body"])]
    async with session(server, HURRIED) as wx:
        with pytest.raises(TransferTimeout, match="too slowly") as caught:
            await wx.get_material("M", to=tmp_path)
    assert "total" in caught.value.hint.english
    assert list(tmp_path.iterdir()) == []


async def test_the_deadline_of_a_call_bounds_its_attempt(server: RawServer) -> None:
    """`RetryPolicy.timeout` ends an attempt that is under way, too."""
    server.script = [forever]
    begun = time.monotonic()
    async with session(server, Timeouts(), retry=RetryPolicy(timeout=0.2)) as wx:
        with pytest.raises(TransferTimeout, match="in the time"):
            await wx.count_materials()
    assert time.monotonic() - begun < SOON


async def test_a_slow_line_that_moves_is_not_cut(server: RawServer, tmp_path: Path) -> None:
    """A download that brings `min_rate` bytes a second takes as long as it takes."""

    async def slowly(_: RawRequest, connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
        for _part in range(10):
            await connection.send(PHOTO[:200])
            await anyio.sleep(0.06)

    server.script = [slowly]
    begun = time.monotonic()
    async with session(server, Timeouts(total=0.3, min_rate=500)) as wx:
        saved = await wx.get_material("M", to=tmp_path / "out")
    assert isinstance(saved, SavedMaterial)
    assert saved.size == 2000
    assert time.monotonic() - begun > 0.5, "longer than `total`"


async def test_a_reader_may_take_its_time(server: RawServer) -> None:
    """What the receiver of a file does between its chunks does not count: only waiting for the peer does."""
    more = anyio.Event()

    async def in_two_parts(_: RawRequest, connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + PHOTO[:1000])
        await more.wait()
        await connection.send(b"\xff" * 1000)

    server.script = [in_two_parts]
    async with session(server, Timeouts(total=0.3, min_rate=1 << 30)) as wx, wx.open_material("M") as stream:
        assert isinstance(stream, MaterialStream)
        chunks = aiter(stream)
        size = len(await anext(chunks))
        await anyio.sleep(0.5)
        more.set()
        async for chunk in chunks:
            size += len(chunk)
    assert size == 2000


def borrowed(
    limit: int = 100, send_buffer: int | None = None, tls: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    """An aiohttp session of the caller's."""

    def make(address: Any) -> socket.socket:
        made = socket.socket(*address[:3])
        if send_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        return made

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit, socket_factory=make, ssl=tls or True))


async def test_waiting_for_a_free_connection_ends(server: RawServer) -> None:
    """A call that gets no connection in its time was not sent, and says so: `ConnectError`."""
    arrived = anyio.Event()

    async def hold(_: RawRequest, __: Connection) -> None:
        arrived.set()
        await anyio.sleep_forever()

    server.script = [hold]
    async with borrowed(limit=1) as http, session(server, HURRIED, http=http) as wx, anyio.create_task_group() as group:
        group.start_soon(_swallow, http.get(server.url))
        await arrived.wait()
        for call in (wx.count_materials(), wx.upload_image(PHOTO)):
            with pytest.raises(ConnectError, match="time limit of the call was reached"):
                await call
        group.cancel_scope.cancel()
    assert len(server.requests) == 1


async def _swallow(request: Any) -> None:
    async with request:
        pass


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("stop_after", [None, 1_400_000])
async def test_a_slow_upload_goes_on_while_bytes_move(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], stop_after: int | None, tls: bool
) -> None:
    """A piece may take longer than `stall` as long as the peer takes any of it; once it takes none, it is given up."""
    if tls and sys.platform != "linux":
        pytest.skip("only Linux tells what moves under TLS")
    async with RawServer(tls=contexts[0] if tls else None, take=0) as server:
        await _upload_slowly(server, stop_after, contexts[1] if tls else None)


async def _upload_slowly(server: RawServer, stop_after: int | None, tls: ssl.SSLContext | None) -> None:
    assert server._server is not None
    server._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)

    async def read_slowly(request: RawRequest, connection: Connection) -> None:
        connection.reader._limit = 8_192  # type: ignore[attr-defined]  # it reads ahead otherwise
        left = int(request.header("Content-Length") or 0)
        while left:
            left -= len(await connection.reader.read(8_192))
            await anyio.sleep(0.01)
            if stop_after is not None and left < stop_after:
                await anyio.sleep_forever()
        await connection.send(reply({"media_id": "M", "url": "u"}))

    server.script = [read_slowly]
    data = PHOTO + bytes(2_000_000)
    async with (
        borrowed(send_buffer=16_384, tls=tls) as http,
        # Under TLS the server itself reads ahead 256 KiB, and takes nothing while it works them off.
        session(server, Timeouts(stall=1.5 if tls else 0.2, min_rate=1 << 17), http=http) as wx,
    ):
        if stop_after is None:
            assert (await wx.add_material("image", data)).media_id == "M"
        else:
            with pytest.raises(TransferTimeout, match="took no byte") as caught:
                await wx.add_material("image", data)
            assert caught.value.outcome_unknown is False


async def test_the_answer_to_an_upload_is_waited_for_as_long_as_its_last_piece_may_take(server: RawServer) -> None:
    """A small upload on a slow line is not given up `stall` seconds after it was handed over."""

    async def later(_: RawRequest, connection: Connection) -> None:
        await anyio.sleep(0.4)
        await connection.send(reply({"media_id": "M", "url": "u"}))

    server.script = [later]
    async with session(server, Timeouts(stall=0.1, min_rate=1000)) as wx:
        assert (await wx.add_material("image", PHOTO)).media_id == "M"
        with pytest.raises(TransferTimeout):
            await wx.count_materials()


# Connections that were kept


async def close_now(_: RawRequest, connection: Connection) -> None:
    """Close at the moment a request comes."""
    connection.writer.transport.abort()


async def half_a_head(_: RawRequest, connection: Connection) -> None:
    """Begin an answer, and close."""
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-")
    connection.writer.close()


@pytest.mark.parametrize(
    ("fault", "first", "stale"),
    [
        (close_now, COUNT, True),
        (reset, COUNT, True),
        (half_a_head, COUNT, False),
        (close_now, None, False),
        (forever, COUNT, False),
    ],
)
@pytest.mark.parametrize("own", [True, False])
async def test_a_stale_connection_is_told_from_a_broken_one(
    server: RawServer, fault: Handler, first: bytes | None, stale: bool, own: bool
) -> None:
    """`stale` is set where a kept connection broke before a byte of the answer came, and nowhere else."""
    async with (
        borrowed() as http,
        session(server, Timeouts(stall=0.2, min_rate=1 << 30), http=None if own else http) as wx,
    ):
        for large in (None, PHOTO, PHOTO + bytes(900_000)):
            if first is not None:
                server.script = [first]
                await wx.count_materials()
            server.script = [fault]
            with pytest.raises((TransferError, UploadOutcomeUnknown)) as caught:
                await (wx.call(MakeDraft(title="t")) if large is None else wx.upload_image(large))
            error: Any = caught.value
            error = error.__cause__ if isinstance(error, UploadOutcomeUnknown) else error
            assert error.stale is stale


async def test_a_connection_closed_while_idle_is_stale(server: RawServer) -> None:
    """A server that closes a kept connection just before it is used again costs no attempt."""
    kept: list[Connection] = []

    async def answer(_: RawRequest, connection: Connection) -> None:
        kept.append(connection)
        await connection.send(COUNT)

    server.script = [answer]
    async with session(server, Timeouts()) as wx:
        await wx.count_materials()
        # Nothing runs in between: the client's loop has not heard of it when it sends.
        kept[0].shut_down()
        await wx.count_materials()
        kept[-1].shut_down()
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.call(MakeDraft(title="t"))
    cause = caught.value.__cause__
    assert isinstance(cause, TransferError)
    assert cause.stale
    assert len(kept) == 2


# What servers say of times


NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:30 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        *((value, None) for value in (None, "", "soon", "-5", "1e3", "Wed, 99 Oct 2015 07:28:30 GMT")),
    ],
)
async def test_retry_after(server: RawServer, value: str | None, seconds: float | None) -> None:
    """`HTTPStatusError.retry_after` is in seconds by the server's own clock; None where it does not say."""
    header = "" if value is None else f"Retry-After: {value}\r\n"
    head = (
        f"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nDate: {email.utils.formatdate(NOW, usegmt=True)}\r\n{header}"
    )
    server.script = [f"{head}\r\n".encode()]
    async with session(server, Timeouts()) as wx:
        with pytest.raises(HTTPStatusError) as caught:
            await wx.count_materials()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("make", [lambda n: Timeouts(total=n), lambda n: Timeouts(min_rate=n)])
def test_timeouts_are_positive(make: Callable[[int], Timeouts]) -> None:
    """No time, or no rate, is a mistake."""
    with pytest.raises(ValueError, match="must be a number above 0"):
        make(0)


# The whole call


async def test_the_whole_call_has_one_deadline(server: RawServer) -> None:
    """Stalls, retries and waits together take no longer than `RetryPolicy.timeout`."""
    server.script = [forever]
    policy = RetryPolicy(attempts=100, timeout=0.5, wait_initial=0.01)
    async with session(server, Timeouts(stall=0.2), retry=policy) as wx:
        begun = time.monotonic()
        with pytest.raises(TransferTimeout):
            await wx.count_materials()
        assert time.monotonic() - begun < SOON
    assert len(server.requests) >= 2


@pytest.mark.parametrize(("min_rate", "enough"), [(1_000, True), (1_000_000, False)])
async def test_the_deadline_leaves_time_for_the_bytes(server: RawServer, min_rate: int, *, enough: bool) -> None:
    """What the bytes of an upload may take is not held against the call: a refused token can still be renewed."""

    async def late(_: RawRequest, connection: Connection) -> None:
        await anyio.sleep(0.4)
        await connection.send(reply({"errcode": 40001, "errmsg": "invalid credential"}))

    server.script = [late, reply({"media_id": "M"})]
    timeouts = Timeouts(min_rate=min_rate)
    async with WxSession("wx1", "s", base_url=server.url, retry=RetryPolicy(timeout=0.3), timeouts=timeouts) as wx:
        if enough:
            assert (await wx.add_material("image", PHOTO)).media_id == "M"
        else:
            with pytest.raises(UploadOutcomeUnknown):
                await wx.add_material("image", PHOTO)


async def test_a_token_is_not_waited_for_beyond_the_deadline(server: RawServer) -> None:
    """A caller in a hurry does not wait for a fetch that takes longer; the fetch goes on for others."""
    gate = anyio.Event()

    async def wait(_: RawRequest, connection: Connection) -> None:
        await gate.wait()
        await connection.send(reply({"access_token": "t" * 100, "expires_in": 7200}))

    server.token_script, server.script = [wait], [COUNT]
    async with WxSession("wx1", "s", base_url=server.url) as wx:
        with pytest.raises(TokenUnavailableError, match="No access token came"):
            await wx.with_options(retry=RetryPolicy(timeout=0.1)).count_materials()
        gate.set()
        assert (await wx.count_materials()).image == 3
    assert len(server.token_requests) == 1


async def test_timeouts_of_a_single_call(server: RawServer) -> None:
    """`with_options` sets them for a call."""
    server.script = [forever]
    async with session(server, Timeouts()) as wx:
        with pytest.raises(TransferTimeout, match=r"for 0\.1 seconds"):
            await wx.with_options(timeouts=Timeouts(stall=0.1)).count_materials()


@pytest.mark.parametrize("call", ["count_materials", "del_material"])
async def test_a_stale_connection_costs_nothing(server: RawServer, call: str) -> None:
    """A kept connection that the server had let go of costs a read or a deletion neither an attempt nor a wait."""
    done = COUNT if call == "count_materials" else reply({"errcode": 0, "errmsg": "ok"})
    server.script = [COUNT, reset, done]
    async with session(server, Timeouts(), retry=RetryPolicy(attempts=1, wait_initial=60)) as wx:
        await wx.count_materials()
        await getattr(wx, call)(*(("M",) if call == "del_material" else ()))
        assert wx._engine.quota.left == 500
    assert len(server.requests) == 3
