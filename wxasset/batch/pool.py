"""Batches: each of many items gets its outcome."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

from wxasset.batch.iteration import check_items
from wxasset.errors import UsageError
from wxasset.transfer.progress import check_progress

if TYPE_CHECKING:
    from wxasset.batch.ahead import Ahead
    from wxasset.batch.outcomes import BatchReport, Failed, NotTried, Unknown
    from wxasset.batch.tally import Progress
    from wxasset.batch.work import Terms, Work

__all__ = ["Batch"]

T = TypeVar("T")
R = TypeVar("R")

_ENTER: Final = "A batch is used as `async with batch as outcomes:`, with `async for outcome in outcomes:` inside."


class Batch(Generic[T, R]):
    """Run some items at a time; an ``async with`` value with an iterator over their outcomes.

    The outcomes come in order of completion. Leaving the block early cancels items in progress.
    """

    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        do: "Callable[[T, Work], Awaitable[R]]",
        *,
        concurrency: int,
        progress: "Progress | None" = None,
        before: Callable[[], Awaitable[object]] | None = None,
        ahead: "Ahead[T] | None" = None,
        terms: "Terms | None" = None,
    ) -> None:
        """Prepare a batch; no item is read before the block is entered.

        Args:
            items: The items. A plain iterator is pulled in a thread, as a directory it walks through may be slow; what
                has to stay in one thread comes as an async iterator. A generator is closed in the end.
            do: The function for one item; its `WxAssetError` decides on this item and on the others.
            concurrency: The most items under way at once.
            progress: Told how far it has come.
            before: A check made when the block is entered, before any item is read.
            ahead: Work on groups of items before they begin.
            terms: Facts about the calls.
        """
        check_items(items)
        if type(concurrency) is not int or concurrency < 1:
            raise UsageError(f"concurrency= is at least 1; not {concurrency!r}.")
        check_progress(progress)
        from wxasset.batch.run import BatchRun  # noqa: PLC0415 - it has 20 classes, for sessions with batches

        self._run = BatchRun(
            items, do, concurrency=concurrency, progress=progress, before=before, ahead=ahead, terms=terms
        )

    async def report(self) -> "BatchReport[T]":
        """Run the batch without a loop of your own, and return the sum of its outcomes.

        An exception of the items or of `progress` is raised as it is, with the sum so far as a note.
        """
        from wxasset.batch.outcomes import Sum  # noqa: PLC0415 - as above

        so_far: Sum[T] = Sum()
        async with self as outcomes:
            try:
                async for outcome in outcomes:
                    so_far.add(outcome)
            except Exception as error:
                error.add_note(f"The batch up to here: {so_far.report()}.")
                raise
        return so_far.report()

    @property
    def in_progress(self) -> list[T]:
        """The items that have been sent and have no outcome, also those whose response was lost."""
        return self._run.in_progress

    def end(self) -> None:
        """Begin no further item: those under way have their outcomes, lost ones are `Unknown`, the others have none."""
        self._run.end()

    async def __aenter__(self) -> "AsyncIterator[R | Failed[T] | Unknown[T] | NotTried[T]]":
        return await self._run.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._run.close(kind, error, traceback)

    def __aiter__(self) -> NoReturn:
        """Raise `UsageError`: items in progress are cancelled where the block is left, so there has to be one."""
        raise UsageError(_ENTER)

    def __await__(self) -> NoReturn:
        """Raise `UsageError`, as for iteration."""
        raise UsageError(_ENTER)

    __iter__ = __aiter__
