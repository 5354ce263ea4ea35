"""Coroutines that are interrupted at a chosen suspension, and what may not be left of them."""

import asyncio
import contextvars
import gc
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from os import listdir, readlink  # as they are; the watch on blocking calls, which replaces them, walks the whole stack
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar

from attrs import define, field, frozen

__all__ = ["BOUND", "Residue", "Steps", "Strike", "complaints", "descriptors"]

T = TypeVar("T")

BOUND: Final = 5.0
"""Seconds within which what is cancelled has ended, and what was closed is gone; all of it takes milliseconds."""
_DESCRIPTORS: Final = "/proc/self/fd"
_LISTED: Final = Path(_DESCRIPTORS).is_dir()


Strike: TypeAlias = Callable[[asyncio.Task[Any], Any], object]


@define(eq=False)
class Steps:
    """Counts how often the tasks of an operation give way to the event loop, and strikes at one of these points.

    Attributes:
        at: The point at which it strikes, counted from 1.
        strike: Called there with the operation's own task, and with what is waited for: a future, or None for a turn
            of the loop.
        points: How many have been reached, by the task itself or by those that it has started.
    """

    at: int
    strike: Strike
    points: int = 0
    _task: asyncio.Task[Any] | None = None

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run the operation in a task."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(_make_task)
        context = contextvars.copy_context()
        context.run(_STEPS.set, self)
        task: asyncio.Task[T] = asyncio.Task(_Counted(coroutine, self), loop=loop, context=context)
        self._task = task
        return task

    def give_way(self, waited: object) -> None:
        """Count a point."""
        self.points += 1
        if self.points == self.at and self._task is not None:
            self.strike(self._task, waited)


_STEPS: Final = contextvars.ContextVar[Steps]("_STEPS")  # inherited by the tasks that a task starts, and by no others


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    steps = _STEPS.get(None)
    return asyncio.Task(coroutine if steps is None else _Counted(coroutine, steps), loop=loop, **options)


class _Counted(Coroutine[Any, Any, T]):
    """Stands for a coroutine, and tells of each time that it gives way."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], steps: Steps) -> None:
        self._coroutine = coroutine
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)

    def __await__(self) -> Generator[Any, Any, T]:
        return (yield from self._coroutine.__await__())

    def send(self, value: Any) -> Any:
        waited = self._coroutine.send(value)
        self._steps.give_way(waited)
        return waited

    def throw(self, *error: Any) -> Any:
        waited = self._coroutine.throw(*error)
        self._steps.give_way(waited)
        return waited

    def close(self) -> None:
        self._coroutine.close()


def descriptors() -> Counter[str]:
    """What the process holds open, by what each descriptor stands for; nothing where the system does not say."""
    found: Counter[str] = Counter()
    for entry in listdir(_DESCRIPTORS) if _LISTED else ():
        with suppress(OSError):  # the listing's own is closed again
            found[readlink(f"{_DESCRIPTORS}/{entry}")] += 1  # noqa: PTH115 - a text such as socket:[1], and no path
    return found


@frozen
class Residue:
    """What there was before something ran: nothing else may be left of it."""

    tasks: frozenset[asyncio.Task[Any]]
    opened: Counter[str] = field(factory=descriptors)
    threads: int = field(factory=threading.active_count)

    @classmethod
    def now(cls) -> Self:
        """Look."""
        return cls(frozenset(asyncio.all_tasks()))

    def left(self) -> list[str]:
        """What there is now that was not there before."""
        tasks = [repr(task.get_coro()) for task in asyncio.all_tasks() - self.tasks]
        return tasks + list((descriptors() - self.opened).elements())

    async def gone(self, context: str) -> None:
        """Wait until nothing else is there: the other side of a connection takes a few turns to notice its end."""
        loop = asyncio.get_running_loop()
        deadline, turns = loop.time() + BOUND, 0
        while left := self.left():
            assert loop.time() < deadline, f"{context} left {left}"
            turns += 1
            await asyncio.sleep(0 if turns < 10 else 0.001)


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what the event loop has to say, such as of an exception that nobody retrieved."""
    loop, found = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: found.append(repr(context)))
    try:
        yield found
        gc.collect()
    finally:
        loop.set_exception_handler(None)
        loop.set_task_factory(None)
