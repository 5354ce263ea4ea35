"""A clock that a test moves."""

import asyncio

__all__ = ["Clock"]


class Clock:
    """Time that passes where a test says so, or where the code under test sleeps.

    Attributes:
        time: The time in seconds.
        slept: The sleeps so far, in seconds.
    """

    def __init__(self, time: float = 1000.0) -> None:
        self.time = time
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
