"""Wait for what has no event."""

import asyncio
from collections.abc import Callable

__all__ = ["until"]


async def until(condition: Callable[[], object], *, within: float = 10) -> None:
    """Wait until a condition holds; raise `TimeoutError` after so many seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - as it says
            await asyncio.sleep(0.001)
