"""Run blocking file work in threads; a job that has started is always awaited.

One thread per event loop runs all jobs in order and reports finished jobs to the loop in batches. Opening, reading and
closing a 64 KB file in the page cache takes 7 us, and 20 to 40 us with a thread hop; anyio's workers take 53 to 68 us.
More threads are started when jobs wait behind a slow disk.
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
    """One object per event loop, as with anyio's `RunVar`; a lookup takes a sixth of the time."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Set the factory. Its objects must not refer to the loop, or the loop would never be freed."""
        self._make = make
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """Return the object of the running event loop."""
        loop = asyncio.get_running_loop()
        try:
            return self._made[loop]
        except KeyError:
            return self._made.setdefault(loop, self._make())


_MAX_WAIT: Final = 0.01  # seconds a job may wait before another thread is started
_IDLE: Final = 10.0  # seconds after which an idle thread exits,
_IDLE_HELPER: Final = 1.0  # and if there are other threads
_MAX_THREADS: Final = 32  # maximum number of threads per event loop


class Job(Generic[T]):
    """Blocking work submitted to a thread."""

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...], lock: threading.Lock) -> None:
        """Create a job; use `in_background`."""
        self._function = function
        self._arguments = arguments
        self._lock = lock
        self._begun = self._withdrawn = self._ended = False
        self._outcome: Callable[[], T]
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()

    async def result(self) -> T:
        """Return the result; a cancelled caller still waits for the thread to finish.

        aiohttp cancels its writer as a plain task, and anyio's shield does not protect against that. Otherwise the
        thread would continue to read from a handle while the next attempt moves it, or to write to one during its
        restoration. A job that has not started when its caller is cancelled never starts.
        """
        if not self._ended:
            try:
                await self._finished
            except asyncio.CancelledError:
                if self._withdraw():
                    # The job never starts, so clean-up does not have to wait for it.
                    self._outcome, self._ended = _raising(asyncio.CancelledError()), True
                else:
                    await self._wait_shielded()
                raise
        return self._outcome()

    async def join(self) -> None:
        """Wait until the job has finished, even if cancelled meanwhile; the result is discarded."""
        if await self._wait_shielded():
            raise asyncio.CancelledError

    async def _wait_shielded(self) -> bool:
        """Wait, and return whether the caller was cancelled meanwhile."""
        cancelled = False
        with anyio.CancelScope(shield=True):
            while not self._ended:
                if self._finished.done():  # cancelled with the waiting task
                    self._finished = self._loop.create_future()
                try:
                    await self._finished
                except asyncio.CancelledError:
                    cancelled = True
        return cancelled

    def _withdraw(self) -> bool:
        with self._lock:
            self._withdrawn = True
            return not self._begun

    def begin(self) -> bool:
        """Claim the job for a thread holding the lock; return False if it was withdrawn."""
        self._begun = not self._withdrawn
        return self._begun

    def run(self) -> None:
        """Run the function in the claiming thread."""
        arguments, self._arguments = self._arguments, ()  # released as early as possible
        try:
            value = self._function(*arguments)
        except BaseException as error:  # noqa: BLE001 - any exception is re-raised in the waiting task
            self._outcome = _raising(error)
        else:
            self._outcome = lambda: value

    def end(self) -> None:
        """Wake the waiting tasks; called in the thread of the event loop."""
        self._ended = True
        if not self._finished.done():
            self._finished.set_result(None)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Schedule a callback in the thread of the event loop."""
        with suppress(RuntimeError):  # the loop is closed, so no task is waiting
            self._loop.call_soon_threadsafe(callback)


def _raising(error: BaseException) -> Callable[[], Any]:
    def reraise() -> Any:
        raise error

    return reraise


class _Threads:
    """Threads of one event loop. No reference to the loop is held, so it can be freed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[Job[Any]] = SimpleQueue()
        self._ended: deque[Job[Any]] = deque()
        self._alive = 0
        self._submitted = 0
        self._claimed = 0
        self._watching = False
        self._notifying = False

    def submit(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> Job[T]:
        """Submit a job to the queue."""
        job = Job(function, arguments, self._lock)
        self._submitted += 1
        self._waiting.put(job)
        if not self._alive:
            self._start()
        if not self._watching:
            self._watch()
        return job

    def _watch(self) -> None:
        self._watching = True
        asyncio.get_running_loop().call_later(_MAX_WAIT, self._check, self._submitted)

    def _check(self, submitted: int) -> None:
        """Start another thread if a job submitted before the last check is still waiting."""
        if self._claimed < submitted and self._alive < _MAX_THREADS:
            self._start()
        self._watching = False
        if self._claimed < self._submitted:
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
                # A job submitted at this moment is found by the next check.
                with self._lock:
                    self._alive -= 1
                return
            if self._claim(job):
                job.run()
                self._ended.append(job)
                if not self._notifying:
                    self._notifying = True
                    job.call_soon(self._notify)
            del job  # or an idle thread would keep its last job alive

    def _claim(self, job: Job[Any]) -> bool:
        with self._lock:
            self._claimed += 1
            return job.begin()

    def _notify(self) -> None:
        # Reset the flag first: jobs finishing from now on schedule another call.
        self._notifying = False
        while self._ended:
            self._ended.popleft().end()


_threads: Final = PerLoop(_Threads)


def in_background(function: Callable[..., T], *arguments: Any) -> Job[T]:
    """Submit blocking work to a thread without waiting; the caller must await `result` or `join` of the job."""
    return _threads.get().submit(function, arguments)


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work in a thread and return its result; a cancelled caller still waits for the thread."""
    return await in_background(function, *arguments).result()
