"""Blocking file work in threads, which nobody leaves before it has ended.

One thread of an event loop does all of it, in the order in which it was asked for, and tells the loop of what has
ended in batches. To open, read and close a file of 64 KB in the page cache takes 7 us, and with a hop 20 to 40 us;
through anyio's workers it is 53 to 68. Where work waits behind a slow disk, more threads come to help.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar
from weakref import WeakKeyDictionary

import anyio

__all__ = ["Job", "PerLoop", "in_background", "run_in_thread"]

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One object for each event loop; anyio's `RunVar` does the same, and takes six times as long to look it up."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Say how to make it. It must not refer to the loop, or it would keep it."""
        self._make = make
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """Give the one of the running event loop."""
        loop = asyncio.get_running_loop()
        try:
            return self._made[loop]
        except KeyError:
            return self._made.setdefault(loop, self._make())


_PATIENCE: Final = 0.01  # seconds that work may wait for the thread before another one is started
_IDLE: Final = 10.0  # seconds after which a thread without work ends,
_IDLE_HELPER: Final = 1.0  # and where there are others
_MOST: Final = 32  # threads of one event loop


class Job(Generic[T]):
    """Blocking work that was handed to a thread."""

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...], lock: threading.Lock) -> None:
        """Prepare work; `in_background` makes these."""
        self._function = function
        self._arguments = arguments
        self._lock = lock
        self._begun = self._withdrawn = self._ended = False
        self._outcome: Callable[[], T]
        self._loop = asyncio.get_running_loop()
        self._told = self._loop.create_future()

    async def result(self) -> T:
        """Wait for what comes of it; a cancelled caller stays until the thread is through with it.

        aiohttp cancels its writer as a plain task, against which anyio's own shield does not help: a thread would go
        on reading from a handle that the next attempt moves, or writing to one that is being restored. What has not
        begun by then never will.
        """
        if not self._ended:
            try:
                await self._told
            except asyncio.CancelledError:
                if self._withdraw():
                    # It never begins: whoever cleans up after it has nothing to wait for.
                    self._outcome, self._ended = _raising(asyncio.CancelledError()), True
                else:
                    await self._stay()
                raise
        return self._outcome()

    async def join(self) -> None:
        """Wait until it is done, whoever cancels meanwhile; what comes of it is dropped."""
        if await self._stay():
            raise asyncio.CancelledError

    async def _stay(self) -> bool:
        """Wait, and tell whether somebody cancelled."""
        cancelled = False
        with anyio.CancelScope(shield=True):
            while not self._ended:
                if self._told.done():  # cancelled with the task that waited for it
                    self._told = self._loop.create_future()
                try:
                    await self._told
                except asyncio.CancelledError:
                    cancelled = True
        return cancelled

    def _withdraw(self) -> bool:
        with self._lock:
            self._withdrawn = True
            return not self._begun

    def begin(self) -> bool:
        """Claim it for a thread, which holds the lock; False where it was withdrawn."""
        self._begun = not self._withdrawn
        return self._begun

    def run(self) -> None:
        """Do it, in the thread that claimed it."""
        arguments, self._arguments = self._arguments, ()  # not kept longer than they are needed
        try:
            value = self._function(*arguments)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
            self._outcome = _raising(error)
        else:
            self._outcome = lambda: value

    def end(self) -> None:
        """Wake those who wait, in the thread of their event loop."""
        self._ended = True
        if not self._told.done():
            self._told.set_result(None)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have something called in the thread of the event loop."""
        with suppress(RuntimeError):  # the loop was closed; nobody waits any more
            self._loop.call_soon_threadsafe(callback)


def _raising(error: BaseException) -> Callable[[], Any]:
    def give_out() -> Any:
        raise error

    return give_out


class _Threads:
    """The threads of one event loop. It knows no loop, so that it does not keep one alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[Job[Any]] = SimpleQueue()
        self._ended: deque[Job[Any]] = deque()
        self._alive = 0
        self._given = 0
        self._taken = 0
        self._watching = False
        self._telling = False

    def give(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> Job[T]:
        """Have work done, in its turn."""
        job = Job(function, arguments, self._lock)
        self._given += 1
        self._waiting.put(job)
        if not self._alive:
            self._start()
        if not self._watching:
            self._watch()
        return job

    def _watch(self) -> None:
        self._watching = True
        asyncio.get_running_loop().call_later(_PATIENCE, self._look, self._given)

    def _look(self, given: int) -> None:
        """Start another thread where something given before the last look still waits."""
        if self._taken < given and self._alive < _MOST:
            self._start()
        self._watching = False
        if self._taken < self._given:
            self._watch()

    def _start(self) -> None:
        with self._lock:
            self._alive += 1
        threading.Thread(target=self._work, name="wxasset files", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                job = self._waiting.get(timeout=_IDLE if self._alive == 1 else _IDLE_HELPER)
            except Empty:
                # What is given at this very moment is seen by the next look.
                with self._lock:
                    self._alive -= 1
                return
            if self._claim(job):
                job.run()
                self._ended.append(job)
                if not self._telling:
                    self._telling = True
                    job.call_soon(self._tell)
            del job  # or a thread without work would keep its last one alive

    def _claim(self, job: Job[Any]) -> bool:
        with self._lock:
            self._taken += 1
            return job.begin()

    def _tell(self) -> None:
        # First this: what ends from now on is told of anew.
        self._telling = False
        while self._ended:
            self._ended.popleft().end()


_threads: Final = PerLoop(_Threads)


def in_background(function: Callable[..., T], *arguments: Any) -> Job[T]:
    """Hand blocking work to a thread and go on; whoever does owes the job a `result` or a `join`."""
    return _threads.get().give(function, arguments)


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work in a thread and wait for it; a cancelled caller stays until the thread is through."""
    return await in_background(function, *arguments).result()
