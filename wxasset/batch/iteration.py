"""Iterate over items of any source without blocking the event loop."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import anyio

from wxasset.errors import UsageError
from wxasset.transfer.owned import OwnedIterator
from wxasset.transfer.threads import in_background, run_in_thread

__all__ = ["check_items", "distinct", "in_groups", "pulled"]

T = TypeVar("T")

_END: Final[Any] = object()


@asynccontextmanager
async def pulled(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """Iterate over anything, and close in the end what is a generator: nobody else has it.

    What holds its items, such as a list, is iterated over as it is. A plain iterator is pulled in a thread, as it may
    block on a directory or on a database.
    """
    if isinstance(items, AsyncIterable):
        source = aiter(items)
        if not isinstance(source, AsyncGenerator):
            yield source
            return
        async with aclosing(OwnedIterator(source)) as owned:
            yield owned
        return
    async with aclosing(_at_hand(items) if isinstance(items, Collection) else _in_thread(items)) as source:
        yield source


async def _at_hand(items: Iterable[T]) -> AsyncGenerator[T, None]:
    for item in items:
        yield item


async def _in_thread(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """Pull one at a time: a hop to a thread takes 20 to 40 us, the request for the item some ms."""
    iterator = await run_in_thread(iter, items)
    try:
        while (item := await run_in_thread(next, iterator, _END)) is not _END:
            yield item
    finally:
        if isinstance(iterator, Generator):
            with anyio.CancelScope(shield=True):
                await run_in_thread(iterator.close)


@asynccontextmanager
async def in_groups(
    items: Iterable[T] | AsyncIterable[T], most: int, light: Callable[[T], bool]
) -> AsyncGenerator[AsyncIterator[list[T]], None]:
    """Iterate over groups of items, as `pulled` does over single ones; nothing waits for the others of its group.

    Args:
        items: The items.
        most: Most items of a group.
        light: Function that returns whether an item takes next to no memory; others are taken singly.
    """
    if isinstance(items, AsyncIterable):
        async with pulled(items) as source:
            yield _singly(source)
        return
    groups = _slices(items, most) if isinstance(items, Collection) else _groups_in_thread(items, most, light)
    async with aclosing(groups) as source:
        yield source


async def _singly(items: AsyncIterator[T]) -> AsyncGenerator[list[T], None]:
    async for item in items:
        yield [item]


async def _slices(items: Iterable[T], most: int) -> AsyncGenerator[list[T], None]:
    iterator = iter(items)
    while group := list(islice(iterator, most)):
        yield group


async def _groups_in_thread(items: Iterable[T], most: int, light: Callable[[T], bool]) -> AsyncGenerator[list[T], None]:
    iterator, ended = await run_in_thread(iter, items), False
    try:
        while not ended:
            pull = _Pull(iterator, most, light)
            job = in_background(pull.run)
            try:
                while group := await pull.group():
                    yield group
            finally:
                await job.join()
            ended = await job.result()
    finally:
        if isinstance(iterator, Generator):
            with anyio.CancelScope(shield=True):
                await run_in_thread(iterator.close)


class _Pull(Generic[T]):
    """Take items in a thread, and hand over each as soon as it is there."""

    def __init__(self, iterator: Iterator[T], most: int, light: Callable[[T], bool]) -> None:
        self._iterator, self._most, self._light = iterator, most, light
        self._taken: deque[T] = deque()
        self._over = False
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

    def run(self) -> bool:
        """Take some items; return True at the end of all."""
        try:
            for _ in range(self._most):
                item = next(self._iterator, _END)
                if item is _END:
                    return True
                self._taken.append(item)
                if len(self._taken) == 1:  # else the loop has been told, and has not looked yet
                    self._tell()
                if not self._light(item):
                    break
            return False
        finally:
            self._over = True
            self._tell()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def group(self) -> list[T]:
        """Wait for items, and return those that have arrived; none after the last."""
        while True:
            self._arrived.clear()
            over, group = self._over, []
            while self._taken:
                group.append(self._taken.popleft())
            if group or over:
                return group
            await self._arrived.wait()


def check_items(items: object) -> None:
    """Raise `UsageError` unless it is an iterable of items."""
    if isinstance(items, str | bytes | bytearray | memoryview):
        raise UsageError("Expected an iterable of items, got a single string.")
    if not isinstance(items, Iterable | AsyncIterable):
        raise UsageError(f"A batch is made of an iterable or an async iterable; not of {type(items).__name__}.")


def distinct(items: Iterable[T] | AsyncIterable[T]) -> Iterable[T] | AsyncIterable[T]:
    """Return the items, each of them once."""
    check_items(items)
    if isinstance(items, Collection):
        return list(dict.fromkeys(items))
    if isinstance(items, AsyncIterable):
        return _distinct_async(items)
    return _distinct(items)


def _distinct(items: Iterable[T]) -> Generator[T, None, None]:
    seen: set[T] = set()
    try:
        for item in items:
            if item not in seen:
                seen.add(item)
                yield item
    finally:
        if isinstance(items, Generator):
            items.close()


async def _distinct_async(items: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    seen: set[T] = set()
    async with pulled(items) as source:
        async for item in source:
            if item not in seen:
                seen.add(item)
                yield item
