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
        self._running = False
        self._left = False
        self._tell: Callable[[], object] | None = None

    def run(self) -> T:
        """Run it, unless everybody has left before it could begin."""
        with self._lock:
            if self._left:
                raise asyncio.CancelledError
            self._running = True
        try:
            return self._function(*self._arguments)
        finally:
            with self._lock:
                self._running = False
            if self._tell is not None:
                self._tell()

    def leave(self, tell: Callable[[], object]) -> bool:
        """Leave it; where it is running, answer False and have `tell` called, in its thread, when it ends."""
        with self._lock:
            self._left = True
            if self._running:
                self._tell = tell
            return not self._running


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work in a worker thread; a cancelled caller stays until the thread is through.

    aiohttp cancels its writer as a plain task, against which anyio's own shield does not help: a thread would go on
    reading from a handle that the next attempt moves, or writing to one that is being restored.
    """
    work = _Work(function, arguments)
    try:
        return await anyio.to_thread.run_sync(work.run)
    except asyncio.CancelledError:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        if not work.leave(lambda: loop.call_soon_threadsafe(ended.set)):
            await _stay(ended)
        raise


async def _stay(ended: asyncio.Event) -> None:
    """Wait, and be cancelled by nobody."""
    with anyio.CancelScope(shield=True):
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue  # cancelled again meanwhile, which changes nothing
