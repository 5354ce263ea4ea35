"""Blocking file work in worker threads, which nobody leaves before it has ended."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import anyio.to_thread

__all__ = ["run_in_thread"]

T = TypeVar("T")


class _Work(Generic[T]):
    """A function that runs once, or never."""

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self._function = function
        self._arguments = arguments
        self._lock = threading.Lock()
        self._abandoned = False

    def run(self) -> T:
        """Run it, unless it was abandoned before it could begin."""
        with self._lock:
            if self._abandoned:
                raise asyncio.CancelledError
            return self._function(*self._arguments)

    def abandon(self) -> None:
        """Wait for its end if it has begun, else see to it that it never does."""
        with self._lock:
            self._abandoned = True


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work in a worker thread; a cancelled caller stays until the thread is through.

    aiohttp cancels its writer as a plain task, against which anyio's own shield does not help: a thread would go on
    reading from a handle that the next attempt moves, or writing to one that is being restored.
    """
    work = _Work(function, arguments)
    try:
        return await anyio.to_thread.run_sync(work.run)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            ended = asyncio.ensure_future(anyio.to_thread.run_sync(work.abandon))
            while not ended.done():
                try:
                    await asyncio.shield(ended)
                except asyncio.CancelledError:
                    continue  # cancelled again meanwhile, which changes nothing
        raise
