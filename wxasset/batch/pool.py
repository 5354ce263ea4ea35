"""Many items, some at a time: every one gets its outcome, and memory depends on how many are under way alone."""

import asyncio
import reprlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, TypeVar

import anyio
from anyio.abc import TaskGroup
from attrs import define, field, frozen

from wxasset.batch.iteration import pulled
from wxasset.batch.pacing import ConcurrencyLimiter, Slot
from wxasset.batch.tally import Progress, Tally
from wxasset.errors import LedgerError, StreamConsumedError, UsageError, WxAssetError
from wxasset.errors.classify import is_throttled, stops_everything
from wxasset.instrumentation.events import AttemptEnded, AttemptStarted, Event
from wxasset.transfer.event_loop import LoopGuard, is_cancellation
from wxasset.transfer.progress import check_progress

__all__ = ["Batch", "Failed", "NotTried", "Work"]

T = TypeVar("T")
R = TypeVar("R")

_END: Final[Any] = object()
_ENTER: Final = "A batch is used as `async with batch as outcomes:`, with `async for outcome in outcomes:` inside."


@frozen
class Failed(Generic[T]):
    """A failed item. A batch continues with the others.

    Attributes:
        item: The item.
        error: Why.
    """

    item: T = field(repr=reprlib.repr)
    error: WxAssetError


@frozen
class NotTried(Generic[T]):
    """An item left undone after the batch was stopped; no request was made for it.

    Attributes:
        item: The item.
        error: The error behind the stop; the same for all of them.
    """

    item: T = field(repr=reprlib.repr)
    error: WxAssetError


@define(eq=False)
class Work:
    """One item in progress, and the callbacks of its call."""

    _limiter: ConcurrencyLimiter
    _slot: Slot
    _tally: Tally
    _through: int = 0

    def hear(self, event: Event) -> None:
        """Receive the start and the failure of attempts, retried ones included."""
        if isinstance(event, AttemptStarted):
            self._through = 0  # its bytes count from there, also where they are as many as those before
        if isinstance(event, AttemptEnded) and isinstance(event.error, WxAssetError) and is_throttled(event.error):
            self._limiter.throttled(self._slot)

    @property
    def sent(self) -> Callable[[int, int | None], object] | None:
        """The progress of an upload; None without a callback."""
        return None if self._tally.progress is None else lambda done, _: self._tally.step(sent=self._more(done))

    @property
    def received(self) -> Callable[[int, int | None], object] | None:
        """The progress of a download; None without a callback."""
        return None if self._tally.progress is None else lambda done, _: self._tally.step(received=self._more(done))

    def _more(self, done: int) -> int:
        """Return the bytes since the last time; a new attempt counts from 0."""
        more, self._through = done - self._through if done >= self._through else done, done
        return more


class Batch(Generic[T, R]):
    """Run some items at a time; an ``async with`` value with an iterator over their outcomes.

    The outcomes come in order of completion. Leaving the block early cancels items in progress.
    """

    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        do: Callable[[T, Work], Awaitable[R]],
        *,
        concurrency: int,
        progress: Progress | None = None,
        before: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Prepare a batch; no item is read before the block is entered.

        Args:
            items: The items. A plain iterator is pulled in a thread, as a directory it walks through may be slow; what
                has to stay in one thread comes as an async iterator. A generator is closed in the end.
            do: The function for one item; its `WxAssetError` becomes a `Failed`.
            concurrency: The most items under way at once.
            progress: Told how far it has come.
            before: A check made when the block is entered, before any item is read.
        """
        if isinstance(items, str | bytes | bytearray | memoryview):
            raise UsageError("A batch is made of many items, not of a single text.")
        if not isinstance(items, Iterable | AsyncIterable):
            raise UsageError(f"A batch is made of an iterable or an async iterable; not of {type(items).__name__}.")
        if type(concurrency) is not int or concurrency < 1:
            raise UsageError(f"concurrency= is at least 1; not {concurrency!r}.")
        check_progress(progress)
        self._items = items
        self._do = do
        self._before = before
        self._limiter = ConcurrencyLimiter(concurrency)
        self._tally = Tally(len(items) if isinstance(items, Collection) else None, progress)
        self._under_way = 0
        self._stop: WxAssetError | None = None
        self._broken: Exception | None = None
        self._changed = anyio.Event()
        self._group: TaskGroup | None = None
        self._guard = LoopGuard("batch")
        self._concurrency = concurrency

    async def __aenter__(self) -> AsyncIterator[R | Failed[T] | NotTried[T]]:
        if self._group is not None:
            raise UsageError("A batch is run once; call again for another one.")
        if self._before is not None:
            await self._before()
        # What is done waits here for whoever iterates, and nothing is begun while it is full.
        self._give, self._take = anyio.create_memory_object_stream[R | Failed[T] | NotTried[T]](self._concurrency)
        self._guard.require_same()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._feed, self._group)
        return _Outcomes(self._next)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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

    def __aiter__(self) -> NoReturn:
        """Raise `UsageError`: items in progress are cancelled where the block is left, so there has to be one."""
        raise UsageError(_ENTER)

    def __await__(self) -> NoReturn:
        """Raise `UsageError`, as for iteration."""
        raise UsageError(_ENTER)

    __iter__ = __aiter__

    async def _next(self) -> R | Failed[T] | NotTried[T]:
        self._guard.require_same()
        try:
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
            async with pulled(self._items) as items:
                while await self._has_room() and (item := await anext(items, _END)) is not _END:
                    if self._stop is None:
                        self._under_way += 1
                        group.start_soon(self._run, item)
                    else:
                        self._tally.step(done=1, failed=1)
                        await self._give.send(NotTried(item, self._stop))
        except Exception as failure:  # noqa: BLE001 - the items' own; raised where the outcomes are taken
            self._broken = self._broken or failure
        while self._under_way:
            await self._change()
        try:
            self._tally.end()
        except Exception as failure:  # noqa: BLE001 - the callback's own
            self._broken = self._broken or failure
        self._give.close()

    async def _has_room(self) -> bool:
        """Wait until another item may begin; False where none may, ever."""
        while self._under_way >= self._limiter.limit and self._stop is None and self._broken is None:
            await self._change()
        return self._broken is None

    async def _change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    async def _run(self, item: T) -> None:
        try:
            outcome = await self._outcome(item)
            try:
                self._tally.step(done=1, failed=int(isinstance(outcome, Failed | NotTried)))
            finally:  # whatever a callback raises: nobody else knows what came of the item
                await self._give.send(outcome)
        except Exception as failure:  # noqa: BLE001 - no failure of the item's: raised where the outcomes are taken
            self._broken = self._broken or failure
        finally:
            self._under_way -= 1
            self._changed.set()

    async def _outcome(self, item: T) -> R | Failed[T] | NotTried[T]:
        if (stop := self._stop) is not None:  # since it was begun
            return NotTried(item, stop)
        slot = self._limiter.begin()
        try:
            done = await self._do(item, Work(self._limiter, slot, self._tally))
        except WxAssetError as error:
            if stops_everything(error) or isinstance(error, LedgerError):
                self._stop = error
            # Without the frames that it came through: one that is kept would keep the media.
            return Failed(item, error.with_traceback(None))
        except asyncio.CancelledError as error:
            if is_cancellation(error):
                raise
            raise RuntimeError("An item of the batch raised CancelledError, but was not cancelled.") from error
        self._limiter.succeeded(slot)
        return done


@frozen(eq=False)
class _Outcomes(Generic[R]):
    """Outcomes of one batch. Not a generator: an abandoned generator is closed later, by another task."""

    _next: Callable[[], Awaitable[R]]

    def __aiter__(self) -> AsyncIterator[R]:
        return self

    async def __anext__(self) -> R:
        return await self._next()
