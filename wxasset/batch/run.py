"""Run many items, some at a time: each gets its outcome, and memory depends on the concurrency alone."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from wxasset.batch.ahead import Ahead, LookAhead
from wxasset.batch.conclusions import Case
from wxasset.batch.iteration import pulled
from wxasset.batch.outcomes import Failed, NotTried, Unknown
from wxasset.batch.pacing import ConcurrencyLimiter
from wxasset.batch.queue import Again, LaterQueue
from wxasset.batch.slots import Slots, Turn
from wxasset.batch.tally import Progress, Tally
from wxasset.batch.work import Terms, Work
from wxasset.errors import StreamConsumedError, UsageError, WxAssetError
from wxasset.transfer.event_loop import LoopGuard, is_cancellation

__all__ = ["BatchRun"]

T = TypeVar("T")
R = TypeVar("R")

_END: Final[Any] = object()
_SOON: Final = 0.001  # seconds: it is tried again when there is room
_NOT_TAKEN: Final = (
    "The block of this batch was left before an outcome was taken, so that its items were cancelled. Iterate over the"
    " outcomes inside the block, or use `await batch.report()`."
)


class BatchRun(Generic[T, R]):
    """The items of one batch under way. `wxasset.batch.pool.Batch` is its public face, and describes its arguments."""

    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        do: Callable[[T, Work], Awaitable[R]],
        *,
        concurrency: int,
        progress: Progress | None,
        before: Callable[[], Awaitable[object]] | None,
        ahead: Ahead[T] | None,
        terms: Terms | None,
    ) -> None:
        """Prepare a run; no item is read before it is opened."""
        self._items = items
        self._do = do
        self._before = before
        self._ahead = ahead
        self._terms = terms or Terms()
        self._gate = self._terms.gate()
        self._slots = Slots(ConcurrencyLimiter(concurrency), self._closed, self._wake)
        self._later: LaterQueue[T] = LaterQueue(concurrency)
        self._tally = Tally(len(items) if isinstance(items, Collection) else None, progress)
        self._under_way: dict[Again[T], Turn] = {}
        self._ended = False
        self._taken = False
        self._skew = 0.0
        self._broken: Exception | None = None
        self._changed = anyio.Event()
        self._group: TaskGroup | None = None
        self._guard = LoopGuard("batch")
        self._concurrency = concurrency

    @property
    def in_progress(self) -> list[T]:
        """The items that have been sent and have no outcome, also those whose response was lost."""
        begun = [again.item for again, turn in self._under_way.items() if not turn.waits]
        return begun + [one.item for one in self._later if one.doubt is not None]

    def end(self) -> None:
        """Begin no further item: those under way have their outcomes, lost ones are `Unknown`, the others have none."""
        self._ended = True
        self._changed.set()

    async def open(self) -> AsyncIterator[R | Failed[T] | Unknown[T] | NotTried[T]]:
        """Begin with the first items, and return the iterator over the outcomes."""
        if self._group is not None:
            raise UsageError("A batch is run once; call again for another one.")
        if self._before is not None:
            await self._before()
        # What is done waits here for whoever iterates, and nothing is begun while it is full.
        self._give, self._take = anyio.create_memory_object_stream[R | Failed[T] | Unknown[T] | NotTried[T]](
            self._concurrency
        )
        self._guard.require_same()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._feed, self._group)
        return _Outcomes(self._next)

    async def close(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel the items under way, for a block that is left with this error."""
        if self._group is None:
            return
        self._group.cancel_scope.cancel()
        try:
            # What the block raised is not the group's, which would wrap it; that it was cancelled is.
            if isinstance(error, asyncio.CancelledError):
                await self._group.__aexit__(kind, error, traceback)
            else:
                await self._group.__aexit__(None, None, None)
        finally:
            self._give.close()
            self._take.close()
        if error is None and not self._taken:
            raise UsageError(_NOT_TAKEN)

    async def _next(self) -> R | Failed[T] | Unknown[T] | NotTried[T]:
        self._guard.require_same()
        self._taken = True
        try:
            try:
                return self._take.receive_nowait()
            except anyio.WouldBlock:
                return await self._take.receive()
        except anyio.ClosedResourceError:
            raise StreamConsumedError("The block of this batch has been left.") from None
        except anyio.EndOfStream:
            if self._broken is not None:
                raise self._broken from None
            raise StopAsyncIteration from None

    async def _feed(self, group: TaskGroup) -> None:
        """Begin one item after the other, as soon as there is room."""
        try:
            async with self._looked(group) as items:
                while self._broken is None and (again := await self._item(items)) is not None:
                    await self._begin(group, again)
        except Exception as failure:  # noqa: BLE001 - the items' own; raised where the outcomes are taken
            self._broken = self._broken or failure
        while (again := await self._item(None)) is not None:  # what waited for its time when the items broke off
            await self._begin(group, again)
        try:
            self._tally.end()
        except Exception as failure:  # noqa: BLE001 - the callback's own
            self._broken = self._broken or failure
        self._give.close()

    @asynccontextmanager
    async def _looked(self, group: TaskGroup) -> AsyncGenerator[AsyncIterator[T | Again[T]], None]:
        """Iterate over the items, or over those left to do after a look ahead."""
        if self._ahead is None:
            async with pulled(self._items) as items:
                yield items
            return
        ahead = LookAhead(self._ahead, self._items, self._gate, self._concurrency, self._tell)
        group.start_soon(ahead.run)
        try:
            yield ahead
        finally:
            ahead.end()
        if ahead.failure is not None:
            raise ahead.failure

    async def _tell(self, outcome: R | Failed[T] | Unknown[T] | NotTried[T]) -> None:
        """Count an outcome, and pass it on."""
        undone = isinstance(outcome, Failed | Unknown | NotTried)
        try:
            self._tally.step(done=1, failed=int(undone), skipped=int(getattr(outcome, "skipped", False)))
        except Exception as failure:  # noqa: BLE001 - the callback's own; nobody else knows what came of the item
            self._broken = self._broken or failure
        try:
            self._give.send_nowait(outcome)  # without the turn of the event loop that `send` gives in any case
        except anyio.WouldBlock:
            await self._give.send(outcome)

    async def _begin(self, group: TaskGroup, again: Again[T]) -> None:
        early = self._is_early(again)
        while not early and (wait := self._room(early=False)) > 0:
            await self._change(wait)
        if self._ended:
            if again.doubt is not None:
                await self._tell(again.left(again.doubt))
        elif self._gate.stop is None:
            self._under_way[again] = turn = Turn.begin(self._slots, early=early)
            group.start_soon(self._run, again, turn)
        else:
            await self._tell(again.left(self._gate.stop))

    async def _item(self, items: AsyncIterator[T | Again[T]] | None) -> Again[T] | None:
        """Wait for room, and return the next item; None at the end."""
        while True:
            if (wait := self._room(early=self._terms.early)) > 0:
                await self._change(wait)
                continue
            now = math.inf if self._ended or self._gate.stop is not None else self._now()
            if (again := self._later.pop(now)) is not None:
                return again
            if items is not None and not self._ended and not self._later.full:
                item = await anext(items, _END)
                if self._ended:
                    continue
                if item is not _END:
                    return item if isinstance(item, Again) else Again(now, item)
                items = None
            elif self._later or self._under_way:
                await self._change(self._later.wait(now))
            else:
                return None

    def _is_early(self, again: Again[T]) -> bool:
        """Return True for an item that takes next to no memory before its slot: what is sent has been read."""
        return self._terms.early and again.looked is not None

    def _room(self, *, early: bool) -> float:
        """Return the seconds until another item may begin; infinite until one has ended."""
        if self._ended or self._gate.stop is not None:
            return 0.0
        if self._slots.full(early=early):
            return math.inf
        return self._gate.wait(self._now(), self._slots.held + self._slots.waiting)

    def _closed(self, others: int) -> float:
        """Return the seconds until an item that has begun may make requests, beside others; 0 if it may."""
        if self._ended or self._gate.stop is not None:
            return _SOON
        wait = self._gate.wait(self._now(), others)
        return _SOON if wait == math.inf else wait

    def _now(self) -> float:
        return time.monotonic() + self._skew

    async def _change(self, most: float = math.inf) -> None:
        """Wait until an item has ended, or for some seconds."""
        self._changed = anyio.Event()
        if most == math.inf:
            await self._changed.wait()
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._alarm, most)
            await self._changed.wait()
            group.cancel_scope.cancel()

    def _wake(self) -> None:
        self._changed.set()

    async def _alarm(self, seconds: float) -> None:
        begun = time.monotonic()
        await self._terms.sleep(seconds)
        self._skew += max(0.0, seconds - (time.monotonic() - begun))  # a test need not take the time
        self._changed.set()

    async def _run(self, again: Again[T], turn: Turn) -> None:
        try:
            outcome = await self._outcome(again, turn)
            if isinstance(outcome, Again):
                self._later.push(outcome)
            else:
                await self._tell(outcome)
        except Exception as failure:  # noqa: BLE001 - no failure of the item's: raised where the outcomes are taken
            self._broken = self._broken or failure
        finally:
            del self._under_way[again]
            turn.end()
            self._changed.set()

    async def _outcome(self, again: Again[T], turn: Turn) -> R | Failed[T] | Unknown[T] | NotTried[T] | Again[T]:
        if (stop := self._gate.stop) is not None:  # since it was begun
            return again.left(stop)
        work = Work(turn, self._tally, self._pace if self._gate.interval else None, again.looked)
        try:
            done = await self._do(again.item, work)
        except WxAssetError as error:
            # Without the frames that it came through: one that is kept would keep the media.
            case = Case(again, self._gate, self._terms, self._now())
            return case.judge(error.with_traceback(None), tried=work.tried)
        except asyncio.CancelledError as error:
            if is_cancellation(error):
                raise
            raise RuntimeError("An item of the batch raised CancelledError, but was not cancelled.") from error
        if not getattr(done, "skipped", False):  # else no request was made
            turn.succeeded()
            self._gate.alive()
        self._gate.stop = self._gate.stop or getattr(done, "unrecorded", None)
        return done

    async def _pace(self) -> None:
        """Wait until another call may be made at the rate of the batch."""
        if (wait := self._gate.call(self._now())) > 0:
            await self._terms.sleep(wait)


@frozen(eq=False)
class _Outcomes(Generic[R]):
    """Outcomes of one batch. Not a generator: an abandoned generator is closed later, by another task."""

    _next: Callable[[], Awaitable[R]]

    def __aiter__(self) -> AsyncIterator[R]:
        return self

    async def __anext__(self) -> R:
        return await self._next()
