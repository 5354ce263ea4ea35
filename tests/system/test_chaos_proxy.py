"""The chaos proxy does what it says: each effect, seen with plain sockets on both sides."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from attrs import define, field

from chaos_proxy import Bandwidth, BlackHole, ChaosProxy, HalfClose, Latency, Refuse, ResetAfter, Slice, Toxic
from raw_server import RawServer
from waiting import until

BOUND = 5  # seconds; everything here is over in a fraction of one
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@define
class Peer:
    """A server that keeps what it gets, and how each connection ended."""

    greeting: bytes = b""
    url: str = ""
    got: bytearray = field(factory=bytearray)
    pieces: list[int] = field(factory=list)
    endings: asyncio.Queue[str] = field(factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet, read to the end, and say goodbye."""
        ending = "FIN"
        try:
            writer.write(self.greeting)
            while data := await reader.read(65536):
                self.got += data
                self.pieces.append(len(data))
            writer.write(b"bye")
            await writer.drain()
        except ConnectionError:
            ending = "RST"
        self.endings.put_nowait(ending)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def ended(self) -> str:
        """How the next connection ended."""
        return await asyncio.wait_for(self.endings.get(), BOUND)


@asynccontextmanager
async def between(*toxics: Toxic, greeting: bytes = b"") -> AsyncIterator[tuple[Peer, ChaosProxy]]:
    """A server with a proxy before it."""
    peer = Peer(greeting)
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as listening:
        peer.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with ChaosProxy(peer.url, *toxics) as proxy:
            yield peer, proxy


@asynccontextmanager
async def connected(proxy: ChaosProxy) -> AsyncIterator[Streams]:
    """A client of the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_without_toxics_all_passes_and_is_counted() -> None:
    """Bytes go both ways unchanged, a FIN is passed on while the other way goes on, and everything is counted."""
    data = bytes(range(256)) * 4000
    async with between(greeting=b"hello") as (peer, proxy):
        for number in (1, 2):
            async with connected(proxy) as (reader, writer):
                writer.write(data)
                writer.write_eof()
                assert await asyncio.wait_for(reader.read(), BOUND) == b"hellobye"
            assert await peer.ended() == "FIN"
            assert peer.got == data * number
            assert (proxy.connections, proxy.up, proxy.down) == (number, len(data) * number, 8 * number)
        assert proxy.swallowed == 0


@pytest.mark.parametrize("way", ["up", "down", None])
async def test_latency_holds_back_each_way(way: object) -> None:
    """An answer takes the latency of the ways that have one."""
    async with between(Latency(seconds=0.05, way=way)) as (_, proxy), connected(proxy) as (reader, writer):  # type: ignore[arg-type]  # a Way
        begun = time.monotonic()
        writer.write(b"x")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), BOUND) == b"bye"
        assert 0.05 * (1 if way else 2) <= time.monotonic() - begun < 1


async def test_slices_come_one_by_one() -> None:
    """What was sent at once arrives in many pieces, the other way in one."""
    async with between(Slice(size=3, way="up"), greeting=b"g" * 60) as (peer, proxy):
        async with connected(proxy) as (reader, writer):
            writer.write(b"x" * 60)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), BOUND) == b"g" * 60 + b"bye"
        assert peer.got == b"x" * 60
        assert len(peer.pieces) >= 15, f"{peer.pieces}"


async def test_bandwidth_is_bytes_in_a_second() -> None:
    """20,000 bytes at 100,000 a second take 0.2 seconds."""
    async with between(Bandwidth(rate=100_000, way="up")) as (_, proxy), connected(proxy) as (reader, writer):
        begun = time.monotonic()
        writer.write(b"x" * 20_000)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), BOUND)
        assert 0.19 <= time.monotonic() - begun < 2


@pytest.mark.parametrize("count", [0, 1, 10, 70_000])
async def test_a_reset_comes_after_exactly_so_many_bytes_up(count: int) -> None:
    """The server gets `count` bytes and a reset, the client a reset."""
    async with between(ResetAfter(count=count, way="up")) as (peer, proxy), connected(proxy) as (reader, writer):
        writer.write(b"x" * 100_000)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), BOUND)
        assert await peer.ended() == "RST"
        assert len(peer.got) == proxy.up == count


@pytest.mark.parametrize("count", [0, 1, 10, 70_000])
async def test_a_reset_comes_after_exactly_so_many_bytes_down(count: int) -> None:
    """The client gets `count` bytes and a reset, the server a reset."""
    async with between(ResetAfter(count=count, way="down"), greeting=b"g" * 100_000) as (peer, proxy):
        loop, got = asyncio.get_running_loop(), 0
        with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as client:
            client.settimeout(0)
            with pytest.raises(ConnectionResetError):  # noqa: PT012 - the last read is the one that raises
                while data := await asyncio.wait_for(loop.sock_recv(client, 1000), BOUND):
                    got += len(data)
            assert got == proxy.down == count
        assert await peer.ended() == "RST"


async def test_what_happens_once_can_be_for_one_connection() -> None:
    """With `connection=` only that one is reset."""
    async with between(ResetAfter(count=1, way="up", connection=2)) as (peer, proxy):
        for number in (1, 2, 3):
            async with connected(proxy) as (_, writer):
                writer.write(b"xyz")
                writer.write_eof()
                assert await peer.ended() == ("RST" if number == 2 else "FIN")


async def test_a_half_close_up_leaves_the_way_down() -> None:
    """The server sees the end after `count` bytes; its answer still comes, and the rest of the client is dropped."""
    async with between(HalfClose(count=4, way="up")) as (peer, proxy), connected(proxy) as (reader, writer):
        writer.write(b"12345678")
        assert await asyncio.wait_for(reader.read(), BOUND) == b"bye"
        assert await peer.ended() == "FIN"
        assert peer.got == b"1234"
        assert proxy.swallowed == 4


async def test_a_half_close_down_leaves_the_way_up() -> None:
    """The client sees the end after `count` bytes, and what it sends still arrives."""
    half = HalfClose(count=4, way="down")
    async with between(half, greeting=b"12345678") as (peer, proxy), connected(proxy) as (reader, writer):
        assert await asyncio.wait_for(reader.read(), BOUND) == b"1234"
        writer.write(b"still here")
        writer.write_eof()
        assert await peer.ended() == "FIN"
        assert peer.got == b"still here"


async def test_a_black_hole_takes_all_and_gives_nothing() -> None:
    """Connections and bytes are taken, and nothing comes; lifted, it lets what follows pass."""
    async with between(BlackHole(), greeting=b"hello") as (peer, proxy), connected(proxy) as (reader, writer):
        writer.write(b"x" * 1_000_000)
        await writer.drain()
        await until(lambda: proxy.swallowed == 1_000_005)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.02)
        assert (proxy.connections, proxy.up, proxy.down, bytes(peer.got)) == (1, 0, 0, b"")
        proxy.toxics = ()
        writer.write(b"y")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), BOUND) == b"bye"
        assert peer.got == b"y"


async def test_refuse_has_no_listener_and_can_be_switched() -> None:
    """Refused, connections fail at once and those that exist go on; afterwards the same port listens again."""
    async with between(greeting=b"hello") as (_, proxy):
        async with connected(proxy) as (reader, writer):
            assert await asyncio.wait_for(reader.readexactly(5), BOUND) == b"hello"
            proxy.toxics = (Refuse(),)
            with pytest.raises(ConnectionRefusedError):
                async with connected(proxy):
                    pass
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), BOUND) == b"bye"
        proxy.toxics = ()
        async with connected(proxy) as (reader, _):
            assert await asyncio.wait_for(reader.readexactly(5), BOUND) == b"hello"
        assert proxy.connections == 2


async def test_toxics_change_under_a_connection() -> None:
    """What is set at run time holds from the next piece on, also for connections that exist."""
    async with between() as (peer, proxy), connected(proxy) as (reader, writer):
        writer.write(b"one")
        await until(lambda: peer.got == b"one")
        proxy.toxics = (ResetAfter(count=0, way="up"),)
        writer.write(b"two")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), BOUND)
        assert await peer.ended() == "RST"
        assert peer.got == b"one"


async def test_a_reset_of_a_peer_is_passed_on() -> None:
    """A server that crashes is a reset for the client, and one that is not there as well."""

    async def crash(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with await asyncio.start_server(crash, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with ChaosProxy(url) as proxy, connected(proxy) as (reader, writer):
            writer.write(b"x")
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), BOUND)
    async with ChaosProxy(url) as proxy, connected(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), BOUND)


async def test_nothing_is_left_of_a_proxy(server: RawServer) -> None:
    """Left in the middle of everything, it has no task, and its peers see their connections end."""
    before = asyncio.all_tasks()
    async with ChaosProxy(server.url, Latency(seconds=60)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: server.connections == 1)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), BOUND)
    writer.close()
    await until(lambda: asyncio.all_tasks() <= before)
