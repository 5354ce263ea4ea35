"""Run blocking work in threads; a job that has started is awaited to its end.

A thread hop takes 25 us for one task, and 40 to 70 us where many tasks share the executor; anyio's workers take 130.
An upload of a small file takes a millisecond.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Job", "NoThreadError", "abandonable", "in_background", "run_in_thread", "uncancelled"]

T = TypeVar("T")

_MAX_THREADS: Final = 32  # a slow disk holds a few of them
_NAME: Final = "wxasset files"
_NO_THREAD: Final = "can't start new thread"  # the message of `threading`, on all versions of Python


class NoThreadError(OSError, RuntimeError):
    """The system refused to start a thread, as in a container that has reached its number of processes."""


@cache
def _executor(pid: int) -> "ThreadPoolExecutor":
    """Return the executor of a process: the threads of its parent do not exist in a forked child."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a session loads it; the import of its class need not

    del pid
    return ThreadPoolExecutor(_MAX_THREADS, _NAME)


class Job(Generic[T]):
    """Blocking work submitted to a thread."""

    def __init__(self, future: "Future[T]", *, abandonable: bool = False) -> None:
        """Create a job; use `in_background` or `abandonable`."""
        self._future = future
        self._abandonable = abandonable

    async def result(self) -> T:
        """Return the result; a cancelled caller still waits for the thread to finish, except of an abandonable job.

        aiohttp cancels its writer as a plain task, and anyio's shield does not protect against that. Otherwise the
        thread would continue to read from a handle while the next attempt moves it, or to write to one during its
        restoration. A job that has not started when its caller is cancelled never starts.
        """
        if not self._future.done():
            try:
                await _ended(self._future)
            except asyncio.CancelledError:
                if not self._future.cancel():
                    await self._finish()
                raise
        if self._future.cancelled():
            raise asyncio.CancelledError
        try:
            return self._future.result()
        finally:
            del self  # or an error and its job would refer to each other

    async def join(self) -> None:
        """Wait until the job has finished, even if cancelled meanwhile; the result is discarded."""
        if await self._finish():
            raise asyncio.CancelledError

    async def _finish(self) -> bool:
        """Wait for the thread, and return whether the caller was cancelled meanwhile."""
        if self._abandonable or self._future.done():
            return False
        return await uncancelled(_ended(self._future))


def _ended(future: "Future[Any]") -> "asyncio.Future[None]":
    """Return a future of the running loop for the end of a job."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def wake() -> None:
        if not ended.done():
            ended.set_result(None)

    def tell(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, so no task is waiting
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    return ended


async def uncancelled(future: "asyncio.Future[Any]") -> bool:
    """Wait for a future or task, even if cancelled meanwhile; return whether the caller was cancelled."""
    cancelled = False
    with anyio.CancelScope(shield=True):
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                cancelled = True
    return cancelled


def in_background(function: Callable[..., T], *arguments: Any) -> Job[T]:
    """Submit blocking work to a thread without waiting; the caller must await `result` or `join` of the job.

    Raises:
        NoThreadError: No thread is running, and the system cannot start one.
    """
    future: Future[T] = Future()
    try:
        _executor(os.getpid()).submit(_run, future, function, arguments)
    except RuntimeError as error:
        # The executor keeps the job in its queue. A thread that is running takes it later.
        if str(error) != _NO_THREAD or not any(one.name.startswith(_NAME) for one in threading.enumerate()):
            future.cancel()
            raise NoThreadError(f"the system refused a thread: {error}") from error
    return Job(future)


def abandonable(function: Callable[..., T], *arguments: Any) -> Job[T]:
    """Submit work that may block forever, such as a read from a silent pipe; a cancelled caller does not wait for it.

    The thread is its own and a daemon, so that it does not keep the process alive. Starting one takes 60 us.

    Raises:
        NoThreadError: The system cannot start a thread.
    """
    future: Future[T] = Future()
    try:
        threading.Thread(target=_run, args=(future, function, arguments), name="wxasset pipe", daemon=True).start()
    except RuntimeError as error:
        raise NoThreadError(f"the system refused a thread: {error}") from error
    return Job(future, abandonable=True)


def _run(future: "Future[T]", function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
    """Run a job in its thread, unless it was withdrawn."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = function(*arguments)
    except BaseException as error:  # noqa: BLE001 - any exception is re-raised in the waiting task
        future.set_exception(error)
    else:
        future.set_result(value)
    finally:
        del future, function, arguments  # or an error and its job would refer to each other


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work in a thread and return its result; a cancelled caller still waits for the thread."""
    return await in_background(function, *arguments).result()
