"""A second event loop beside the running one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["in_a_thread"]


def in_a_thread(work: Callable[[], Coroutine[Any, Any, object]]) -> list[BaseException]:
    """Run a coroutine in a second loop while the first one runs; return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - it is examined
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised
