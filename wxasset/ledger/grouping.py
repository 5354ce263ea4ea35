"""Answer requests in groups: those that arrive while one group is worked on form the next."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from attrs import define

from wxasset.transfer.threads import uncancelled

__all__ = ["Grouped"]

A = TypeVar("A")
B = TypeVar("B")


@define(eq=False)
class _Asked(Generic[A, B]):
    """A request, and the future that its caller waits for."""

    request: A
    future: "asyncio.Future[B]"
    served: bool = False


class Grouped(Generic[A, B]):
    """Work for many tasks of one event loop, a group at a time.

    A hop to a thread, a transaction and a round trip to a server each take longer than the work on one row.
    """

    def __init__(
        self, work: Callable[[Sequence[A]], Awaitable[Sequence[B | BaseException]]], *, turns: int = 0
    ) -> None:
        """Set the function.

        Args:
            work: Returns a result, or an error, for each request of a group.
            turns: Turns of the event loop to wait for further requests before each group; after an urgent request it
                waits for one more, in which other tasks of the same event make theirs.
        """
        self._work = work
        self._turns = turns
        self._urgent = False
        self._waiting: list[_Asked[A, B]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, request: A, *, urgent: bool = False) -> B:
        """Return the result for a request; a cancelled caller waits for it nevertheless."""
        loop = asyncio.get_running_loop()
        asked: _Asked[A, B] = _Asked(request, loop.create_future())
        self._append(asked, loop)
        self._urgent = self._urgent or urgent
        try:
            return await asked.future
        except asyncio.CancelledError:
            if not asked.served:
                asked.future = loop.create_future()
                await uncancelled(asked.future)
            if not asked.future.cancelled():
                asked.future.exception()  # looked at, or asyncio reports it as forgotten
            raise

    def add(self, request: A) -> None:
        """Work on a request with the next group, and discard its result or error."""
        loop = asyncio.get_running_loop()
        asked: _Asked[A, B] = _Asked(request, loop.create_future())
        asked.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._append(asked, loop)

    async def finish(self) -> bool:
        """Wait until no request is left, even if cancelled meanwhile; return whether the caller was cancelled."""
        cancelled = False
        while (task := self._task) is not None and task.get_loop() is asyncio.get_running_loop():
            cancelled = await uncancelled(task) or cancelled
        return cancelled

    def _append(self, asked: "_Asked[A, B]", loop: asyncio.AbstractEventLoop) -> None:
        if self._task is not None and self._task.get_loop() is not loop:  # that loop is closed
            self._task, self._waiting, self._urgent = None, [], False
        self._waiting.append(asked)
        if self._task is None:
            self._start(loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._serve())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Serve with another task if one was cancelled before its first step."""
        if task is self._task:
            self._task = None
            if self._waiting:
                self._start(task.get_loop())

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._waiting)
        finally:
            self._task = None

    async def _answer(self, group: "list[_Asked[A, B]]") -> None:
        results: Sequence[B | BaseException]
        try:
            await self._wait_for_more()
            self._waiting, self._urgent = [], False
            results = await self._work([asked.request for asked in group])
        except BaseException as error:  # noqa: BLE001 - each caller gets one
            if self._waiting is group:
                self._waiting, self._urgent = [], False
            results = [copy.copy(error) for _ in group]
        for asked, result in zip(group, results, strict=True):
            asked.served = True
            if asked.future.done():  # its caller was cancelled just now
                continue
            if isinstance(result, BaseException):
                asked.future.set_exception(result)
            else:
                asked.future.set_result(result)

    async def _wait_for_more(self) -> None:
        """Wait for further requests: all turns, or one after an urgent request."""
        for _ in range(self._turns):
            urgent = self._urgent
            await asyncio.sleep(0)
            if urgent:
                break
