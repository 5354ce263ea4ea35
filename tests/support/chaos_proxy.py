"""A proxy of plain streams that spoils what passes through it: slow, in pieces, cut, reset, half closed, or silent.

It stands between a client and a server and knows no protocol, so that the same faults befall every one of them.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

from attrs import define, field, frozen, validators

__all__ = [
    "Bandwidth",
    "BlackHole",
    "ChaosProxy",
    "HalfClose",
    "Latency",
    "Refuse",
    "ResetAfter",
    "Slice",
    "Toxic",
    "Way",
]

Way: TypeAlias = Literal["up", "down"]
"""``up`` goes from the client to the server, ``down`` comes back."""

_READ: Final = 64 * 1024  # bytes taken at a time
_BEATS: Final = 50  # pieces in a second, so that a bandwidth is a steady flow
_RST: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds

T = TypeVar("T")


@frozen(kw_only=True)
class _OneWay:
    """What befalls one way, or both where it says none."""

    way: Way | None = None

    def befalls(self, way: Way, connection: int) -> bool:
        """Tell whether it concerns a way of a connection, which is counted from 1."""
        del connection
        return self.way in (None, way)


@frozen(kw_only=True)
class Latency(_OneWay):
    """Hold back what is read at a time, which comes one after another."""

    seconds: float = field(validator=validators.ge(0))


@frozen(kw_only=True)
class Slice(_OneWay):
    """Hand bytes on in pieces of at most `size`, each in a packet of its own."""

    size: int = field(validator=validators.ge(1))


@frozen(kw_only=True)
class Bandwidth(_OneWay):
    """Hand on `rate` bytes in a second."""

    rate: float = field(validator=validators.gt(0))


@frozen(kw_only=True)
class _Once(_OneWay):
    """What happens when `count` bytes of a connection have been handed on.

    Attributes:
        count: The bytes of that way.
        connection: The one that it befalls, counted from 1; None for each.
    """

    way: Way
    count: int = field(validator=validators.ge(0))
    connection: int | None = None

    def befalls(self, way: Way, connection: int) -> bool:
        """Tell whether it concerns a way of a connection."""
        return self.way == way and self.connection in (None, connection)


@frozen(kw_only=True)
class ResetAfter(_Once):
    """Reset both ends, with RST."""


@frozen(kw_only=True)
class HalfClose(_Once):
    """End this way with FIN, while the other one goes on; what still comes is taken and dropped."""


@frozen
class BlackHole:
    """Take connections and bytes, and hand on nothing. What was taken is lost for good."""


@frozen
class Refuse:
    """Do not listen: connections are refused. Those that are there go on."""


Toxic: TypeAlias = Latency | Slice | Bandwidth | ResetAfter | HalfClose | BlackHole | Refuse


class _ResetError(Exception):
    """A connection is to be reset."""


class ChaosProxy:
    """Passes connections on to a server, under the `toxics` of the moment.

    Attributes:
        connections: How many were accepted.
        up: Bytes handed on to the server.
        down: Bytes handed on to the client.
        swallowed: Bytes that a black hole took, or that came after a half close.
    """

    def __init__(self, target: str, *toxics: Toxic) -> None:
        """Stand before the server at a URL; used as `async with`."""
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 80)
        self._port = 0
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._toxics = toxics
        self.connections = 0
        self.up = 0
        self.down = 0
        self.swallowed = 0

    @property
    def url(self) -> str:
        """The address to use instead of the server's."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def toxics(self) -> tuple[Toxic, ...]:
        """What is done to the bytes; can be replaced at any time, and holds from the next piece on."""
        return self._toxics

    @toxics.setter
    def toxics(self, toxics: tuple[Toxic, ...]) -> None:
        self._toxics = toxics
        self._listen_or_not()

    async def __aenter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self._port = found.getsockname()[1]
        self._listen_or_not()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def count(self, way: Way, size: int) -> None:
        """Count bytes that were handed on."""
        if way == "up":
            self.up += size
        else:
            self.down += size

    def _listen_or_not(self) -> None:
        if any(isinstance(toxic, Refuse) for toxic in self._toxics):
            self._close()
        elif self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
            self._listener.settimeout(0)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _close(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            client, _ = listener.accept()
            self.connections += 1
            task = asyncio.create_task(self._serve(client, self.connections))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket, number: int) -> None:
        """Pass one connection on, in both ways, until both have ended or one of them breaks."""
        broken = True
        server = socket.socket()
        try:
            for end in (client, server):
                end.settimeout(0)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(server, self._target)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_Stream(self, "up", number, client, server).run())
                ways.create_task(_Stream(self, "down", number, server, client).run())
            broken = False
        except* (_ResetError, OSError):
            pass
        finally:
            for end in (client, server):
                if broken:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                end.close()


@define(eq=False)
class _Stream:
    """One way of one connection."""

    proxy: ChaosProxy
    way: Way
    number: int
    source: socket.socket
    drain: socket.socket
    done: int = 0
    ended: bool = False

    async def run(self) -> None:
        """Pass it on to its end."""
        self._happen()
        while data := await asyncio.get_running_loop().sock_recv(self.source, _READ):
            for latency in self._active(Latency):
                await asyncio.sleep(latency.seconds)
            await self._hand_on(memoryview(data))
        if not self.ended:
            self.drain.shutdown(socket.SHUT_WR)

    async def _hand_on(self, view: memoryview) -> None:
        while view:
            self._happen()
            if self.ended or any(isinstance(toxic, BlackHole) for toxic in self.proxy.toxics):
                self.proxy.swallowed += len(view)
                return
            piece = view[: self._most()]
            await asyncio.get_running_loop().sock_sendall(self.drain, piece)
            view = view[len(piece) :]
            self.done += len(piece)
            self.proxy.count(self.way, len(piece))
            await self._pause(len(piece))
        self._happen()

    def _happen(self) -> None:
        """Let happen what is due at this byte."""
        if any(toxic.count <= self.done for toxic in self._active(ResetAfter)):
            raise _ResetError
        if not self.ended and any(toxic.count <= self.done for toxic in self._active(HalfClose)):
            self.ended = True
            self.drain.shutdown(socket.SHUT_WR)

    def _most(self) -> int:
        """How many bytes may go at once."""
        most = [_READ, *(toxic.size for toxic in self._active(Slice))]
        most += [max(1, int(toxic.rate / _BEATS)) for toxic in self._active(Bandwidth)]
        most += [toxic.count - self.done for kind in (ResetAfter, HalfClose) for toxic in self._active(kind)]
        return min(most)

    async def _pause(self, size: int) -> None:
        for bandwidth in self._active(Bandwidth):
            await asyncio.sleep(size / bandwidth.rate)
        if self._active(Slice):
            # For the other end, which may live in this event loop: a turn to see the piece, and one to read it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _active(self, kind: type[T]) -> list[T]:
        return [
            toxic
            for toxic in self.proxy.toxics
            if isinstance(toxic, kind) and isinstance(toxic, _OneWay) and toxic.befalls(self.way, self.number)
        ]
