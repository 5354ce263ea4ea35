"""Count the bytes of a response on the wire: compression and chunk framing can hide any number of them."""

import asyncio
import time
from typing import Any, Final

from aiohttp.connector import Connection

from wxasset.wire.limits import MIB

__all__ = ["Meter", "MeteredProtocol", "is_kept", "meter_connection"]

_SLACK: Final = MIB  # bytes; the head of the response, and what waits in buffers
_DENSITY: Final = 4  # bytes on the wire per byte of the body: a chunk of two bytes has seven on the wire
_METERED: Final = "_wxasset_metered"


class Meter:
    """Bytes of one response.

    Attributes:
        wire: Bytes received, with the head and the framing.
        body: Bytes of the body that were read, decompressed.
        exceeded: Whether too many bytes came for so small a body; the connection is closed then.
        heard: Time of the last bytes by `time.monotonic`.
    """

    __slots__ = ("body", "exceeded", "heard", "wire")

    def __init__(self) -> None:
        self.wire: int = 0
        self.body: int = 0
        self.exceeded: bool = False
        self.heard: float = 0.0

    def count(self, size: int) -> None:
        """Count bytes received."""
        self.wire += size
        self.heard = time.monotonic()
        if self.wire > _SLACK and self.wire > self.limit:
            self.exceeded = True

    @property
    def limit(self) -> int:
        """Bytes that may have been received so far."""
        return _SLACK + _DENSITY * self.body


class MeteredProtocol(asyncio.Protocol):
    """Pass all events of a connection on to aiohttp, and abort it when its response exceeds the meter.

    Attributes:
        meter: The meter of the response under way; None between responses.
    """

    def __init__(self, protocol: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self.meter: Meter | None = None

    def data_received(self, data: bytes) -> None:
        """Count bytes and pass them on."""
        if self.meter is not None:
            self.meter.count(len(data))
            if self.meter.exceeded:
                self._transport.abort()
                return
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass the event on."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """Pass the event on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass the event on."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the event on."""
        self._protocol.connection_lost(exc)

    def stop(self) -> None:
        """End the response: the connection may serve another owner of its session."""
        self.meter = None


def is_kept(conn: Connection) -> bool:
    """Return whether a connection was metered before, for another request."""
    return hasattr(conn.protocol, _METERED)


def meter_connection(conn: Connection, meter: Meter) -> bool:
    """Count the bytes of the next response of a connection, until it is released.

    Returns:
        Whether the connection was metered before, for another request.
    """
    protocol: Any = conn.protocol
    metered: MeteredProtocol | None = getattr(protocol, _METERED, None)
    known = metered is not None
    if conn.transport is not None:
        if metered is None:
            metered = MeteredProtocol(protocol, conn.transport)
            conn.transport.set_protocol(metered)
            setattr(protocol, _METERED, metered)
        metered.meter = meter
        conn.add_callback(metered.stop)
    return known
