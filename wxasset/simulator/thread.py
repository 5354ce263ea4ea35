"""An event loop in a background thread, for code without an event loop or with a blocked one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["BackgroundLoop"]


class BackgroundLoop:
    """Event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wxasset-simulator", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine in the loop and wait for it."""
        asyncio.run_coroutine_threadsafe(work(), self._loop).result()

    def stop(self) -> None:
        """Stop the loop and wait for the thread."""
        self.run(self._loop.shutdown_asyncgens)
        self.run(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
