"""Iterate over an async iterable in a task of its own."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Generic, TypeVar

import anyio

from wxasset.transfer.threads import uncancelled

__all__ = ["OwnedIterator"]

T = TypeVar("T")


class OwnedIterator(Generic[T]):
    """An async iterator in one task, from its first item to its closing.

    Cancel scopes, task groups and context variables inside an async generator require a single task, while its items
    are used by several: the head of an upload is read by its caller, and the rest by aiohttp.
    """

    def __init__(self, items: AsyncIterable[T]) -> None:
        """Start the task; the caller must await `aclose`."""
        self._give, self._take = anyio.create_memory_object_stream[T](0)
        self._wanted = anyio.Event()
        self._failure: Exception | None = None
        self._task = asyncio.create_task(self._run(items))

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        self._wanted.set()
        try:
            return await self._take.receive()
        except anyio.EndOfStream:
            failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # or error and frame would hold each other
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancel the task unless it has ended, and wait until it has closed the iterator."""
        self._take.close()
        self._task.cancel()
        cancelled = await uncancelled(self._task)
        self._give.close()
        if cancelled:
            raise asyncio.CancelledError

    async def _run(self, items: AsyncIterable[T]) -> None:
        with self._give:
            try:
                await self._send_all(aiter(items))
            except Exception as error:  # noqa: BLE001 - raised in the task that uses the items
                self._failure = error
            except (asyncio.CancelledError, GeneratorExit, BaseExceptionGroup) as error:
                self._failure = _ended_itself(error)

    async def _send_all(self, iterator: AsyncIterator[T]) -> None:
        try:
            await self._wanted.wait()  # no item is read ahead
            async for item in iterator:
                self._wanted = anyio.Event()
                await self._give.send(item)
                await self._wanted.wait()
        finally:
            # Without a shield: it would be entered inside the scopes of a generator, and left outside of them. Nobody
            # else cancels this task.
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()


def _ended_itself(error: BaseException) -> Exception:
    """Convert a cancellation by the iterator itself, such as of a timeout or a task group inside it."""
    reason = error
    while isinstance(reason, BaseExceptionGroup):
        reason = next((one for one in reason.exceptions if isinstance(one, Exception)), reason.exceptions[0])
    if isinstance(reason, Exception):
        return reason
    failure = RuntimeError("it was cancelled or closed from inside, such as by a timeout")
    failure.__cause__ = error
    return failure
