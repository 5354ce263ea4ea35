"""Delivery of responses by faults, below the web server: resets, cuts, stalls, trickles."""

import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from itertools import chain

from aiohttp import web

from wxasset.simulator.faults.language import Fault
from wxasset.simulator.faults.words import (
    Break,
    BreakUpload,
    CutReply,
    Instead,
    ReturnEarly,
    SlowHead,
    StallBody,
    Trickle,
    WrongLength,
)
from wxasset.simulator.state.objects import Content
from wxasset.simulator.wire.replies import RawReply

__all__ = ["HOLD_SECONDS", "PIECE", "deliver", "http_date", "is_plain", "pieces"]

Pause = Callable[[float], Awaitable[None]]
Count = Callable[[int], None]

HOLD_SECONDS: float = 1.0
"""Seconds between the FIN on a connection with an unread body and its reset: time for the client to read the end, or
the early response."""
PIECE = 64 * 1024
"""Bytes per write."""
_ENOUGH_WAITING = 256 * 1024  # bytes in the transport's buffer above which writing waits
_LOOK_SECONDS = 0.005  # polling interval of that buffer: aiohttp does not expose the transport's flow control
_GREETING = b"SSH-2.0-OpenSSH_9.6\r\n"
_PHRASES = {one.value: one.phrase for one in HTTPStatus}
_SENDING = (Break, BreakUpload, ReturnEarly, StallBody, Trickle, SlowHead, CutReply, WrongLength)


def is_plain(fault: Fault) -> bool:
    """Return True if the response is delivered normally."""
    special = any(isinstance(word, _SENDING) for word in fault.words)
    return not special and Instead("not-http") not in fault.words


def http_date(now: float) -> str:
    """Return the value of a Date header."""
    return formatdate(now, usegmt=True)


async def deliver(http: web.Request, fault: Fault, reply: RawReply, pause: Pause, count: Count) -> None:
    """Send a response as specified by a fault, and end the connection.

    Args:
        http: The request; no part of a response was sent yet.
        fault: A fault with a special delivery, see `is_plain`.
        reply: The response; ignored by faults without one.
        pause: Waits for a number of seconds of real time.
        count: Called with the number of body bytes after each write.

    Raises:
        ConnectionError: The client has disconnected, or the simulator was closed.
    """
    line = _Line(http, pause, count)
    word = next((one for one in fault.words if isinstance(one, (*_SENDING, Instead))), None)
    match word:
        case Break(reset=True) | BreakUpload(how="reset"):
            await line.reset()
        case Break():
            line.close()
        case BreakUpload():
            await line.close_unread()
        case ReturnEarly():
            await line.send(reply.body, head=_head(reply, close=True))
            await line.close_unread()
        case Instead():
            await line.send(b"", head=_GREETING)
            line.close()
        case _:
            await _send_oddly(line, http, fault, reply)


async def _send_oddly(line: "_Line", http: web.Request, fault: Fault, reply: RawReply) -> None:
    body = b"" if http.method == "HEAD" else reply.body
    word = next(one for one in fault.words if isinstance(one, _SENDING))
    match word:
        case StallBody(milliseconds=milliseconds, after=after):
            await line.send(body[:after], head=_head(reply, close=True))
            await line.wait(milliseconds)
            await line.send(body[after:])
        case Trickle(size=size, milliseconds=milliseconds):
            await line.send(b"", head=_head(reply, close=True))
            await line.trickle(body, size, milliseconds)
        case SlowHead(milliseconds=milliseconds):
            await line.trickle(_head(reply, close=True), 1, milliseconds, head=True)
            await line.send(body)
        case CutReply(how="chunked-cut", after=after):
            sent = body[:after]
            opening = f"{len(sent):x}\r\n".encode() if sent else b""
            await line.send(sent, head=_head(reply, {"Transfer-Encoding": "chunked"}) + opening)
            await line.send(b"", head=b"\r\n" if sent else b"")
        case CutReply(how=how, after=after):
            length = max(1, len(reply.body))
            await line.send(body[: min(after, length - 1)], head=_head(reply, {"Content-Length": str(length)}))
            if how == "reset-reply":
                await line.reset()
                return
        case WrongLength(by=by):
            await line.send(body, head=_head(reply, {"Content-Length": str(max(0, len(reply.body) + by))}))
        case _:
            raise AssertionError(word)
    line.close()


def _head(reply: RawReply, framing: dict[str, str] | None = None, *, close: bool = False) -> bytes:
    """Return the head of a response; by default it announces the length of the body."""
    headers = {**reply.headers, **(framing or {"Content-Length": str(len(reply.body))})}
    if close:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, '')}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join((*lines, "", "")).encode()


class _Line:
    """The connection of a request, below the web server."""

    def __init__(self, http: web.Request, pause: Pause, count: Count) -> None:
        transport = http.transport  # of uvloop, it is not an asyncio.Transport
        if transport is None:
            raise ConnectionResetError("the client has disconnected")
        self._transport = transport
        self._pause = pause
        self._count = count

    async def send(self, data: Content, *, head: bytes = b"") -> None:
        """Send a head and bytes of a body with flow control; only body bytes are counted."""
        uncounted, along = len(head), max(0, PIECE - len(head))
        start = head + bytes(data[:along])  # not all of a large file
        for piece in chain(pieces(start, PIECE), pieces(data[along:], PIECE)):
            while self._transport.get_write_buffer_size() > _ENOUGH_WAITING and not self._transport.is_closing():
                await self._pause(_LOOK_SECONDS)
            if self._transport.is_closing():
                raise ConnectionResetError("the client has disconnected")
            self._transport.write(piece)
            self._count(max(0, len(piece) - uncounted))
            uncounted = max(0, uncounted - len(piece))

    async def wait(self, milliseconds: int) -> None:
        """Wait while sent bytes are transmitted."""
        await self._pause(milliseconds / 1000)

    async def trickle(self, data: Content, size: int, milliseconds: int, *, head: bool = False) -> None:
        """Send data in pieces with a wait between them."""
        for number, piece in enumerate(pieces(data, size)):
            if number:
                await self.wait(milliseconds)
            await (self.send(b"", head=bytes(piece)) if head else self.send(piece))

    async def reset(self) -> None:
        """End the connection with RST after sent bytes are transmitted."""
        while self._transport.get_write_buffer_size() and not self._transport.is_closing():
            await self._pause(_LOOK_SECONDS)
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def close(self) -> None:
        """End the connection with FIN after sent bytes are transmitted."""
        self._transport.close()

    async def close_unread(self) -> None:
        """End the connection with FIN despite an unread body.

        aiohttp stops reading after two buffers; close alone would send RST.
        """
        if self._transport.is_closing():
            return
        self._transport.write_eof()
        await self._pause(HOLD_SECONDS)
        self._transport.abort()


def pieces(data: Content, size: int) -> Iterator[Content]:
    """Cut bytes into pieces of a size."""
    return (data[start : start + size] for start in range(0, len(data), size))
