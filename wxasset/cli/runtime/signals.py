"""Run a command until completion or a signal, on uvloop if installed.

The first Ctrl-C or SIGTERM cancels the work in progress and releases its resources. The second one interrupts the
parts that are completed after the first one, too.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import FrameType
from typing import Final, TypeAlias, TypeVar

import anyio

__all__ = ["run_in_event_loop", "run_until_signal"]

T = TypeVar("T")

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
_SECOND: Final = 2


Asked: TypeAlias = Callable[[signal.Signals], bool]
"""Function called at the first signal; it returns whether the work ends by itself, and is not cancelled."""


def run_in_event_loop(work: Callable[[], Awaitable[T]], asked: Asked | None = None) -> T | signal.Signals:
    """Run `run_until_signal` in a new event loop, of uvloop if installed."""
    return anyio.run(run_until_signal, work, asked, backend_options={"use_uvloop": find_spec("uvloop") is not None})


async def run_until_signal(work: Callable[[], Awaitable[T]], asked: Asked | None = None) -> T | signal.Signals:
    """Run `work`, and cancel it at the first SIGINT or SIGTERM.

    A second signal cancels shielded work as well. A third one is not caught.

    Args:
        work: The work.
        asked: Function to call at the first signal.

    Returns:
        The result of `work`, or the last signal.
    """
    received: list[signal.Signals] = []
    ending = False
    task = asyncio.current_task()
    scope = anyio.CancelScope()

    def stop(number: int) -> None:
        nonlocal ending
        received.append(signal.Signals(number))
        if len(received) > 1 and task is not None:
            task.cancel()  # unlike a cancel scope, it reaches into shielded scopes
        elif asked is not None and asked(received[0]):
            ending = True
        else:
            scope.cancel()

    try:
        with scope, _caught(stop):
            result = await work()
            return received[-1] if ending else result
    except asyncio.CancelledError:
        if len(received) < _SECOND or task is None:
            raise
        task.uncancel()
    return received[-1]


@contextmanager
def _caught(stop: Callable[[int], None]) -> Iterator[None]:
    """Call `stop` on the loop at two signals; also on Windows, where loops have no `add_signal_handler`."""
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in _STOPPING}
    seen: list[int] = []

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) == _SECOND:
            restore()
        loop.call_soon_threadsafe(stop, number)

    for number in _STOPPING:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
