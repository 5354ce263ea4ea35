"""Iterate over items of any source without blocking the event loop."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Generator, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeVar

import anyio

from wxasset.errors import UsageError
from wxasset.transfer.owned import OwnedIterator
from wxasset.transfer.threads import run_in_thread

__all__ = ["check_items", "distinct", "pulled"]

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


def check_items(items: object) -> None:
    """Raise `UsageError` unless it is an iterable of items."""
    if isinstance(items, str | bytes | bytearray | memoryview):
        raise UsageError("A batch is made of many items, not of a single text.")
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
