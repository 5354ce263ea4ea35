"""Bind objects to the event loop and the process that use them.

Sockets, locks and tasks of asyncio belong to one event loop, and after a fork to the parent process. The objects here
serve successive loops and forked children with new ones, and refuse a second loop while the first is running.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar, Final, Generic, TypeVar

from wxasset.errors import UsageError

__all__ = ["LoopGuard", "LoopResource", "is_cancellation"]

T = TypeVar("T")


def is_cancellation(error: BaseException) -> bool:
    """Return True for the cancellation of the running task, not for any other `CancelledError` that came through."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


class LoopGuard:
    """Detect a change of the event loop or of the process.

    Attributes:
        forks: Number of forks between the process that imported this module and this one. The process id would be a
            system call for each use.
    """

    forks: ClassVar[int] = 0

    def __init__(self, name: str) -> None:
        """Start without a loop.

        Args:
            name: The name of the guarded object, for errors.
        """
        self._name = name
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._fork = LoopGuard.forks
        self._lock = threading.Lock()

    def same(self) -> bool:
        """Return True if the running loop and this process are bound already."""
        bound = self._loop
        return bound is not None and bound() is asyncio.get_running_loop() and self._fork == LoopGuard.forks

    def changed(self) -> bool:
        """Bind to the running loop; return True on the first use in this loop and process.

        Raises:
            UsageError: Another loop is bound and running.
        """
        if self.same():
            return False
        loop, fork = asyncio.get_running_loop(), LoopGuard.forks
        if fork != self._fork:
            self._lock = threading.Lock()  # the other one may be locked by a thread that exists in the parent only
        with self._lock:
            bound = None if self._loop is None or self._fork != fork else self._loop()
            if bound is not None and bound is not loop and bound.is_running():
                raise UsageError(
                    f"This {self._name} is in use by another running event loop. Nothing was sent. Create one for each"
                    " loop, or pass calls to the first loop with asyncio.run_coroutine_threadsafe()."
                )
            self._loop, self._fork = weakref.ref(loop), fork
            return True

    def elsewhere(self) -> bool:
        """Return True while another loop of this process is bound and running."""
        bound = None if self._loop is None or self._fork != LoopGuard.forks else self._loop()
        return bound is not None and bound is not asyncio.get_running_loop() and bound.is_running()

    def orphaned(self) -> bool:
        """Return True if the bound loop is closed."""
        return self._loop is not None and ((bound := self._loop()) is None or bound.is_closed())

    def require_same(self) -> None:
        """Raise `UsageError` outside the first loop and process."""
        if self._loop is None:
            self.changed()
        elif self._loop() is not asyncio.get_running_loop() or self._fork != LoopGuard.forks:
            raise UsageError(
                f"This {self._name} belongs to another event loop or process. Use it where it was opened, or open a"
                " new one."
            )


class _Held(Generic[T]):
    """A value, and the generator that closes it."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.owner: AsyncGenerator[T, None] | None = None

    def clear(self) -> AsyncGenerator[T, None] | None:
        """Forget both; return the generator."""
        owner, self.value, self.owner = self.owner, None, None
        return owner


class LoopResource(Generic[T]):
    """A value with connections: one at a time, for the loop and process that use it.

    The end of the loop closes it (`asyncio.run` ends all async generators), and so does the garbage collector.
    """

    def __init__(self, name: str, make: Callable[[], T], close: Callable[[T], Awaitable[object]]) -> None:
        """Set the functions that make and close a value.

        Args:
            name: The name of the object that owns the value, for errors.
            make: Make a value in the running loop.
            close: Close a value.
        """
        self._guard = LoopGuard(name)
        self._make, self._close = make, close
        self._held: _Held[T] = _Held()
        _resources.add(self)
        # The registry of finalizers holds the value: the garbage collector ends it after this object, never before.
        weakref.finalize(self, _drop, self._guard, self._held)

    def get(self) -> T:
        """Return the value of the running loop; make it at first use.

        Raises:
            UsageError: Another loop uses it and is running.
        """
        self._bind()
        held = self._held
        if held.value is None:
            held.owner = _owned(self._make(), self._close)
            held.value = _first(held.owner)
        return held.value

    async def aclose(self) -> None:
        """Close the value; a later `get` makes another one."""
        self._bind()
        owner = self._held.clear()
        if owner is not None:
            await owner.aclose()

    def _bind(self) -> None:
        """Drop the value of another loop; a loop that is still open closes it by itself."""
        if self._guard.same():
            return
        orphaned = self._guard.orphaned()
        if self._guard.changed():
            owner = self._held.clear()
            if orphaned and owner is not None:
                _close_now(owner)

    def leave_to_parent(self) -> None:
        """Forget the value in a forked child, without closing it."""
        _keep_forever(self._held.value, self._held.owner)
        self._held.clear()


_resources: Final[weakref.WeakSet[LoopResource[Any]]] = weakref.WeakSet()
"""All resources of the process, for its forked children."""


def _after_fork() -> None:
    """Count the fork in the child, and leave all resources to the parent."""
    LoopGuard.forks += 1
    for resource in list(_resources):
        resource.leave_to_parent()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


async def _owned(value: T, close: Callable[[T], Awaitable[object]]) -> AsyncGenerator[T, None]:
    """Yield a value once; close it at the end."""
    try:
        yield value
    finally:
        await close(value)
        await asyncio.sleep(0)  # transports close their sockets in the next iteration of the loop


def _first(generator: AsyncGenerator[T, None]) -> T:
    """Return the first value of a generator that yields it without waiting; its loop closes it from now on."""
    try:
        generator.__anext__().__await__().__next__()
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise RuntimeError("The generator waited before its first value.")


def _drop(guard: LoopGuard, held: _Held[T]) -> None:
    """Close the value of a collected resource here if its loop is closed; else that loop closes it."""
    owner = held.clear()
    if owner is not None and guard.orphaned():
        _close_now(owner)


def _close_now(generator: AsyncGenerator[T, None]) -> None:
    """Close a generator of a closed loop as far as that goes without waiting."""
    with suppress(StopIteration, RuntimeError):
        next(generator.aclose().__await__())


def _keep_forever(*inherited: object) -> None:
    """Keep objects of the parent process from being destroyed.

    To close them, also in a destructor at exit, would unregister the parent's sockets: both processes share one epoll
    object, and the parent would wait for ever.
    """
    import ctypes  # noqa: PLC0415 - needed in forked children alone

    for one in inherited:
        if one is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))
