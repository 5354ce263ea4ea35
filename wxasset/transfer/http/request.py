"""Requests and timeouts of single attempts."""

import math
import time
from collections.abc import Mapping
from typing import Final

import aiohttp
from attrs import define, field, frozen

from wxasset.transfer.http.meter import Meter
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.body import UploadBody
from wxasset.transfer.uploads.content import CHUNK
from wxasset.wire.checks import number
from wxasset.wire.limits import KIB
from wxasset.wire.values import Value

__all__ = ["Delivery", "Request", "Timeouts"]


@frozen(kw_only=True, eq=False, repr=False)
class Timeouts(Value):
    """Timeouts, in seconds.

    One attempt takes at most `total`, plus one second for each `min_rate` bytes sent or received. A slow but steady
    transfer is therefore not interrupted, while a peer cannot hold it forever with a byte now and then.

    Attributes:
        connect: Time to connect: DNS, TCP, proxy and TLS.
        pool: Time to wait while all connections of the session are in use (100 of its own). No other limit counts this
            time, nor does `RetryPolicy.timeout`. With None, a request waits as long as others are completed.
        stall: Longest time without a byte in either direction. For the response to an upload, the time of up to
            256 KiB at `min_rate` is added: its last chunk may still be in transit.
        total: Time of one attempt, without the time for its bytes. Time used by the receiver of a file does not count.
        min_rate: Minimum rate, in bytes per second.
    """

    connect: float = field(default=10.0, validator=number(above=0))
    pool: float | None = field(default=None, validator=number(above=0, optional=True))
    stall: float = field(default=30.0, validator=number(above=0))
    total: float = field(default=60.0, validator=number(above=0))
    min_rate: int = field(default=8 * KIB, validator=number(above=0))
    _client: aiohttp.ClientTimeout = field(init=False, eq=False, repr=False)

    _unwatched: aiohttp.ClientTimeout = field(init=False, eq=False, repr=False)

    @_unwatched.default
    def _make_unwatched(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, connect=self.connect, sock_connect=self.connect)

    @_client.default
    def _make_client(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, connect=self.connect, sock_connect=self.connect, sock_read=self.stall)

    def client(self, grace: float | None) -> aiohttp.ClientTimeout:
        """Return the timeouts as an aiohttp object; it is cached, except for uploads.

        Args:
            grace: Seconds to add to `stall` for the response; None if a `Deadline` watches for silence.
        """
        if grace is None:
            return self._unwatched
        if not grace:
            return self._client
        return aiohttp.ClientTimeout(
            total=None, connect=self.connect, sock_connect=self.connect, sock_read=self.stall + grace
        )


class Delivery:
    """Delivery of the last request of an operation.

    Attributes:
        started_at: Unix time in seconds before the request; 0 without a request.
        whole: Whether all of it was passed to a connection, so that the server may have carried it out.
        waited: Seconds of waiting for a free connection of the session.
    """

    __slots__ = ("started_at", "waited", "whole")

    def __init__(self) -> None:
        self.started_at: float = 0.0
        self.whole: bool = False
        self.waited: float = 0.0

    def start(self) -> None:
        """Begin the next request."""
        self.started_at, self.whole, self.waited = time.time(), False, 0.0


_SMALL: Final = 16 * KIB  # bytes; no socket buffer is smaller
_NO_METER: Final = Meter()  # of requests without a connection; each connection sets another one


@define(kw_only=True, eq=False, repr=False)
class Request:
    """Request of one attempt, and its statistics. It has no `repr` of its own, as it holds secrets.

    Attributes:
        method: GET or POST.
        path: Path of the API.
        query: Query parameters, including the access token.
        body: JSON, an upload, or None.
        timeouts: Timeouts of the attempt.
        deadline: Deadline of the whole call by `time.monotonic`, without the time for received bytes.
        progress: Callback for the progress of a file.
        delivery: Updated when the request was sent.
        status: HTTP status of the response.
        sent: Number of body bytes passed to the connection.
        received: Number of bytes received of the response body.
        meter: Bytes of the last response on the wire.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict)
    body: "bytes | UploadBody | None" = None
    timeouts: Timeouts = Timeouts()
    deadline: float = math.inf
    progress: Progress | None = None
    delivery: Delivery = field(factory=Delivery)
    status: int | None = field(default=None, init=False)
    sent: int = field(default=0, init=False)
    received: int = field(default=0, init=False)
    meter: Meter = field(default=_NO_METER, init=False)

    def postpone(self, seconds: float) -> None:
        """Move the deadline by the time of waiting for a free connection."""
        self.deadline += seconds
        self.delivery.waited = seconds

    def limit(self) -> float:
        """Return the deadline of an attempt starting now, without the time for received bytes."""
        size = self.body.size if isinstance(self.body, UploadBody) else 0
        return min(self.deadline, time.monotonic() + self.timeouts.total + size / self.timeouts.min_rate)

    @property
    def at_once(self) -> bool:
        """True if the connection takes the whole request at once, so that silence counts from then on."""
        return self.body is None or (isinstance(self.body, bytes) and len(self.body) <= _SMALL)

    @property
    def grace(self) -> float:
        """Additional seconds to wait for the response, while the last chunk may still be in transit."""
        size = self.body.size if isinstance(self.body, UploadBody) else 0
        return min(size, CHUNK) / self.timeouts.min_rate
