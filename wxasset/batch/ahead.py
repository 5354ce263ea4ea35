"""Look at the items of a batch in groups, before they begin: a hop to a thread serves several of them."""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

import anyio
from attrs import frozen

from wxasset.batch.gate import Gate
from wxasset.batch.iteration import in_groups
from wxasset.batch.queue import Again

__all__ = ["Ahead", "LookAhead", "Ready"]

T = TypeVar("T")

_GROUPS: Final = 4
"""Items of a group for each slot: two groups are kept, one looked at and one to begin."""
_MOST: Final = 64
"""Most items of a group: a hop to a thread takes 40 to 70 us, and the look at a known file 30."""


@frozen
class Ready:
    """The outcome of an item for which nothing has to be sent."""

    outcome: Any


@frozen
class Ahead(Generic[T]):
    """Work on the items of a batch before they begin.

    Attributes:
        look: Function that returns for each item of a group its `Ready` outcome, or what `Work.looked` is to be.
        light: Function that returns whether an item, such as a path, takes next to no memory: others are taken singly.
    """

    look: Callable[[Sequence[T]], Awaitable[Sequence[object]]]
    light: Callable[[T], bool]


class LookAhead(Generic[T]):
    """An iterator over the items that are left to do, with what was found of each.

    Attributes:
        failure: What the items raised, after all that came before.
    """

    def __init__(
        self,
        ahead: Ahead[T],
        items: Iterable[T] | AsyncIterable[T],
        gate: Gate,
        concurrency: int,
        done: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Prepare; `run` has to run beside the iteration.

        Args:
            ahead: The work.
            items: The items.
            gate: The state of the batch; nothing is looked at after its stop.
            concurrency: The slots of the batch.
            done: Takes the outcomes that are ready.
        """
        self.failure: Exception | None = None
        self._ahead, self._items, self._gate = ahead, items, gate
        self._most, self._done = min(_GROUPS * concurrency, _MOST), done
        self._give, self._take = anyio.create_memory_object_stream[list[Again[T]]]()
        self._here: deque[Again[T]] = deque()
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Look at one group while the one before begins."""
        try:
            with self._scope:
                async with in_groups(self._items, self._most, self._ahead.light) as groups:
                    async for group in groups:
                        await self._one(group)
        except Exception as failure:  # noqa: BLE001 - the items' own; raised after what came before
            self.failure = failure
        finally:
            self._give.close()

    async def _one(self, group: Sequence[T]) -> None:
        left = []
        looked = await self._ahead.look(group) if self._gate.stop is None else [None] * len(group)
        for item, found in zip(group, looked, strict=True):
            if isinstance(found, Ready):
                await self._done(found.outcome)
            else:
                left.append(Again(0.0, item, looked=found))
        if left:
            await self._give.send(left)

    def end(self) -> None:
        """Take no further items."""
        self._scope.cancel()
        self._take.close()

    def __aiter__(self) -> AsyncIterator[Again[T]]:
        return self

    async def __anext__(self) -> Again[T]:
        while not self._here:
            try:
                self._here.extend(await self._take.receive())
            except anyio.EndOfStream:
                raise StopAsyncIteration from None
        return self._here.popleft()
