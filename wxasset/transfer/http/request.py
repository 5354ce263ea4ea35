"""What one attempt sends, and how long it may take."""

import math
import time
from collections.abc import Mapping

import aiohttp
from attrs import define, field, frozen, validators

from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.body import UploadBody
from wxasset.transfer.uploads.content import CHUNK
from wxasset.wire.limits import KIB

__all__ = ["Request", "Timeouts"]


@frozen(kw_only=True)
class Timeouts:
    """How long to wait, in seconds.

    One attempt takes at most `total`, and a second more for each `min_rate` bytes that it sends or receives: so that a
    peer which gives a byte now and then cannot hold it for ever, and a slow line that moves is not cut.

    Attributes:
        connect: For a connection: DNS, TCP and TLS.
        pool: For a free connection, its making included, or None to wait as long as the call may take.
        stall: While no byte moves, in either direction. The answer to an upload may take as much longer as its last
            piece, of 256 KiB, takes at `min_rate`: that may be on its way still when all of it was handed over.
        total: For one attempt, apart from what its bytes take. Time that whoever receives a file takes for himself does
            not count.
        min_rate: Bytes in a second at the least.
    """

    connect: float = field(default=10.0, validator=validators.gt(0))
    pool: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    stall: float = field(default=30.0, validator=validators.gt(0))
    total: float = field(default=60.0, validator=validators.gt(0))
    min_rate: int = field(default=8 * KIB, validator=validators.gt(0))
    _client: aiohttp.ClientTimeout = field(init=False, eq=False, repr=False)

    @_client.default
    def _make_client(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, connect=self.pool, sock_connect=self.connect, sock_read=self.stall)

    def client(self, grace: float) -> aiohttp.ClientTimeout:
        """Return the same in aiohttp's words, made once but for uploads.

        Args:
            grace: Seconds by which an answer may be longer in coming than `stall`.
        """
        if not grace:
            return self._client
        return aiohttp.ClientTimeout(
            total=None, connect=self.pool, sock_connect=self.connect, sock_read=self.stall + grace
        )


@define(kw_only=True, eq=False)
class Request:
    """What is sent in one attempt, and what was seen of it. What may hold a secret is kept out of `repr`.

    Attributes:
        method: GET or POST.
        path: The API's path.
        query: The query, the access token included.
        body: JSON, an upload, or None.
        timeouts: How long to wait.
        deadline: When the whole call has to be over, apart from the bytes that it receives, by `time.monotonic`.
        progress: Who is told how far a file has come.
        status: The HTTP status that came.
        sent: The bytes of the body that were handed to the connection.
        received: The bytes of the answer's body.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict, repr=False)
    body: "bytes | UploadBody | None" = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    deadline: float = math.inf
    progress: Progress | None = field(default=None, repr=False)
    status: int | None = field(default=None, init=False)
    sent: int = field(default=0, init=False)
    received: int = field(default=0, init=False)

    def limit(self) -> float:
        """Return when the attempt that begins now has to be over, apart from the bytes that it receives."""
        size = self.body.size if isinstance(self.body, UploadBody) else 0
        return min(self.deadline, time.monotonic() + self.timeouts.total + size / self.timeouts.min_rate)

    @property
    def grace(self) -> float:
        """The seconds for which an answer may fail to come because the last piece is on its way still."""
        size = self.body.size if isinstance(self.body, UploadBody) else 0
        return min(size, CHUNK) / self.timeouts.min_rate
