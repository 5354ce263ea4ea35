"""State of a simulator, shared by all its requests."""

import asyncio
import threading

from attrs import Factory, define, field

from wxasset.simulator.faults.schedule import FaultSchedule
from wxasset.simulator.persistence.keeper import Keeper
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.journal import Journal
from wxasset.simulator.state.service import Service
from wxasset.simulator.wire.replies import RawReply, ReplyWriter

__all__ = ["SharedState"]


@define(kw_only=True, eq=False)
class SharedState:
    """State shared by all requests.

    Attributes:
        service: The accounts and the platform.
        schedule: The fault rules.
        journal: The latest requests.
        writer: Encodes documents as responses.
        token_calls: Number of requests to the token endpoints so far.
        lock: Held while state changes, because tests may read and write from another thread.
        closing: Set when the simulator closes; ends all waits.
        active: Tasks of the requests in progress.
    """

    service: Service
    schedule: FaultSchedule
    journal: Journal = field(
        default=Factory(lambda self: Journal(lambda: self.service.first.options.journal_cap), takes_self=True)
    )
    writer: ReplyWriter = Factory(ReplyWriter)
    token_calls: int = 0
    lock: threading.RLock = Factory(threading.RLock)
    closing: asyncio.Event = Factory(asyncio.Event)
    active: set["asyncio.Task[object]"] = Factory(set)
    keeper: Keeper | None = None
    closed: bool = False

    async def persist(self, *, last: bool = False) -> None:
        """Wait until all changes are in the state directory, if there is one; with the counts of calls if `last`.

        Raises:
            OSError: They cannot be written.
        """
        if self.keeper is not None and not self.closed:
            with self.lock:
                written = self.keeper.save(self.service, last=last)
            await asyncio.wrap_future(written)

    async def persisted(self, reply: RawReply) -> RawReply:
        """Return a response after the changes of its request are in the state directory; 500 if this fails."""
        try:
            await self.persist()
        except OSError as error:
            return RawReply(status=500, headers={"Content-Type": "text/plain; charset=utf-8"}, body=str(error).encode())
        return reply

    async def close(self) -> None:
        """Write the last changes and close the state directory; no effect without one."""
        if self.keeper is not None and not self.closed:
            try:
                await self.persist(last=True)
            finally:
                self.closed = True
                await asyncio.to_thread(self.keeper.close)

    @property
    def account(self) -> Account:
        """The first account; its links, clock and request ids are common to all."""
        return self.service.first

    async def pause(self, seconds: float) -> None:
        """Wait in real time.

        Raises:
            ConnectionError: The simulator was closed while waiting.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        except TimeoutError:
            return
        raise ConnectionAbortedError("the simulator is closing")
