"""What the asyncio clients share: they do a job's items in as many tasks as may run at once."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager

from jobs import Item, Job


class TaskClient(ABC):
    """A client for one job; what is made before `run` is not timed."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[Item]:
        """Open a session for the job; gives what does one item, told its number."""

    async def run(self) -> list[str]:
        """Do the job; returns what went wrong, a text for each item."""
        errors: list[str] = []
        numbers = iter(range(self.job.count))
        async with self.opened() as item, asyncio.TaskGroup() as group:

            async def some() -> None:
                for number in numbers:
                    try:
                        await item(number)
                    except Exception as error:  # noqa: BLE001 - a failed item is counted, whatever failed it
                        errors.append(f"{type(error).__name__}: {error}")

            for _ in range(min(self.job.concurrency, self.job.count)):
                group.create_task(some())
        return errors
