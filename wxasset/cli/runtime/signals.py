"""Run a command until completion or a signal, on uvloop if installed.

Ctrl-C and SIGTERM cancel the work in progress and release its resources.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import FrameType
from typing import Final, TypeVar

import anyio

__all__ = ["run_in_event_loop", "run_until_signal"]

T = TypeVar("T")

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


def run_in_event_loop(work: Callable[[], Awaitable[T]], asked: Callable[[], bool] | None = None) -> T | signal.Signals:
    """Run `run_until_signal` in a new event loop, of uvloop if installed."""
    return anyio.run(run_until_signal, work, asked, backend_options={"use_uvloop": find_spec("uvloop") is not None})


async def run_until_signal(
    work: Callable[[], Awaitable[T]], asked: Callable[[], bool] | None = None
) -> T | signal.Signals:
    """Run `work`, and cancel it at the first SIGINT or SIGTERM.

    A second signal is not caught; it ends a hanging clean-up.

    Args:
        work: The work.
        asked: Function to ask the work to end early; it returns whether the work will. It is not cancelled then.

    Returns:
        The result of `work`, or the signal.
    """
    received: list[signal.Signals] = []
    ending: list[signal.Signals] = []
    with anyio.CancelScope() as scope:

        def stop(number: int) -> None:
            if asked is not None and asked():
                ending.append(signal.Signals(number))
            else:
                received.append(signal.Signals(number))
                scope.cancel()

        with _caught(stop):
            result = await work()
            return ending[0] if ending else result
    return received[0]


@contextmanager
def _caught(stop: Callable[[int], None]) -> Iterator[None]:
    """Call `stop` on the loop at a signal; also on Windows, where loops have no `add_signal_handler`."""
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in _STOPPING}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        restore()
        loop.call_soon_threadsafe(stop, number)

    for number in _STOPPING:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
