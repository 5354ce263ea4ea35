"""Ask about many cloud files, 50 to a request; every id that was read has an outcome, also after a cancellation."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Generic, NoReturn, TypeAlias, TypeVar

from attrs import define, frozen

from wxasset.batch.iteration import pulled
from wxasset.batch.outcomes import BatchReport, Failed, NotTried, Sum, Unknown
from wxasset.batch.pool import Batch
from wxasset.batch.work import Terms, Work
from wxasset.calls.base import Call
from wxasset.calls.cloud_batches import Collected
from wxasset.calls.fileids import FileIds, checked
from wxasset.errors import TransferError, WxAssetError

__all__ = ["FileBatch", "FileOutcomes", "Part", "Questions"]

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 - an outcome
FileOutcome: TypeAlias = O | Failed[str] | NotTried[str]


@frozen
class Questions(Generic[R, O]):
    """The kind of request that a batch makes.

    Attributes:
        make: Function to create the request for at most 50 ids.
        each: Function to return the outcome of each id from a response.
    """

    make: Callable[[tuple[str, ...]], Call[R]]
    each: Callable[[tuple[str, ...], R], Sequence[O | Failed[str]]]


@define(eq=False)
class _Request(Generic[R]):
    number: int
    ids: tuple[str, ...]
    call: Call[R]
    sent: bool = False
    answer: R | WxAssetError | None = None


@frozen
class Part(Generic[R]):
    """One request with its result.

    Attributes:
        number: Its place.
        ids: The ids it is about.
        result: The response, or the error.
        tried: False if it was not sent.
    """

    number: int
    ids: tuple[str, ...]
    result: R | WxAssetError
    tried: bool = True


@frozen(eq=False)
class FileOutcomes(Generic[O]):
    """The outcomes of a batch of cloud files, as they come."""

    _next: Callable[[], Awaitable[FileOutcome[O]]]
    _rest: Callable[[], list[FileOutcome[O]]]

    def __aiter__(self) -> AsyncIterator[FileOutcome[O]]:
        return self

    async def __anext__(self) -> FileOutcome[O]:
        return await self._next()

    def rest(self) -> list[FileOutcome[O]]:
        """Return the outcomes not taken yet of all ids that were read; for use after the block was left early.

        An id whose request was cut off by a cancellation is `Failed`, since its effect is not known; one whose request
        was not sent is `NotTried`.
        """
        return self._rest()


class FileBatch(Generic[R, O]):
    """Ask about many cloud files; an ``async with`` value with an iterator over the outcomes of the ids.

    The outcomes come in order of completion. Leaving the block early cancels requests in progress; `FileOutcomes.rest`
    then returns the outcomes that were not taken.
    """

    def __init__(
        self,
        questions: Questions[R, O],
        fileids: FileIds,
        send: Callable[[Call[R], Work], Awaitable[R]],
        *,
        concurrency: int,
        terms: Terms,
    ) -> None:
        """Prepare a batch; no id is read before the block is entered."""
        self._questions = questions
        self._send = send
        self._path = terms.path
        self._open: dict[int, _Request[R]] = {}
        self._ready: deque[FileOutcome[O]] = deque()
        requests = self._requests(checked(fileids))
        self._batch = Batch(requests, self._ask, concurrency=concurrency, terms=terms)

    async def report(self) -> BatchReport[str]:
        """Run the batch without a loop of your own, and return the sum of its outcomes.

        An exception of the ids is raised as it is, with the sum so far as a note.
        """
        so_far: Sum[str] = Sum()
        async with self as outcomes:
            try:
                async for outcome in outcomes:
                    so_far.add(outcome)
            except Exception as error:
                for outcome in outcomes.rest():
                    so_far.add(outcome)
                error.add_note(f"The batch up to here: {so_far.report()}.")
                raise
        return so_far.report()

    async def __aenter__(self) -> FileOutcomes[O]:
        self._source = await self._batch.__aenter__()
        return FileOutcomes(self._next, self._rest)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._batch.__aexit__(kind, error, traceback)

    def __aiter__(self) -> NoReturn:
        """Raise `UsageError`: a batch is entered first."""
        self._batch.__aiter__()

    def __await__(self) -> NoReturn:
        """Raise `UsageError`, as for iteration."""
        self._batch.__await__()

    __iter__ = __aiter__

    async def parts(self) -> AsyncGenerator[Part[R], None]:
        """Run the batch, and give the result of each request."""
        async with self:
            while (part := await self._part()) is not None:
                yield part

    def unfinished(self) -> list[Part[R]]:
        """Return the requests without a result that was taken, after the batch has ended."""
        return [self._known(one) for one in self._open.values()]

    async def _part(self) -> Part[R] | None:
        outcome = await anext(self._source, None)
        if outcome is None:
            return None
        if isinstance(outcome, Failed | Unknown | NotTried):
            request = self._open.pop(outcome.item.number)
            return Part(request.number, request.ids, outcome.error, not isinstance(outcome, NotTried))
        return self._known(self._open.pop(outcome.number))

    async def _next(self) -> FileOutcome[O]:
        while not self._ready:
            part = await self._part()
            if part is None:
                raise StopAsyncIteration
            self._ready.extend(self._each(part))
        return self._ready.popleft()

    def _rest(self) -> list[FileOutcome[O]]:
        rest = [*self._ready, *(one for part in self.unfinished() for one in self._each(part))]
        self._ready.clear()
        self._open.clear()
        return rest

    def _each(self, part: Part[R]) -> Sequence[FileOutcome[O]]:
        if not isinstance(part.result, WxAssetError):
            return self._questions.each(part.ids, part.result)
        outcome = Failed if part.tried else NotTried
        return [outcome(one, part.result) for one in part.ids]

    def _known(self, request: _Request[R]) -> Part[R]:
        """Return the result of a request as far as it is known."""
        result = request.answer
        if result is None:
            seen = "cut off before its response" if request.sent else "not sent, as the batch was left"
            result = TransferError(f"A request to {self._path} was {seen}.", self._path)
        return Part(request.number, request.ids, result, request.sent)

    async def _ask(self, request: _Request[R], work: Work) -> _Request[R]:
        request.sent, request.answer = True, None
        try:
            request.answer = await self._send(request.call, work)
        except WxAssetError as error:
            request.answer = error.with_traceback(None)
            raise
        return request

    async def _requests(self, fileids: FileIds) -> AsyncGenerator[_Request[R], None]:
        """Make the requests, each when it can be sent."""
        number = 0
        async with pulled(fileids) as ids, aclosing(_batches(ids)) as batches:
            async for batch in batches:
                request = self._open[number] = _Request(number, batch, self._questions.make(batch))
                yield request
                number += 1


async def _batches(ids: AsyncIterator[str]) -> AsyncGenerator[tuple[str, ...], None]:
    """Give ids 50 at a time, in order and each of them once, reading no further than it takes.

    Ids that were read before the source raised come first.
    """
    collected, broken = Collected(), None
    try:
        async for one in ids:
            if full := collected.add(one):
                yield full
    except Exception as error:  # noqa: BLE001 - raised again below
        broken = error
    if rest := collected.rest():
        yield rest
    if broken is not None:
        raise broken
