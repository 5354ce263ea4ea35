"""Common base of the asyncio clients: a job's items run in one task per concurrent item."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager

from jobs import Item, Job


class TaskClient(ABC):
    """A client for one job; preparation before `run` is not timed."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[Item]:
        """Open a session for the job; yield the function for one item, called with its number."""

    async def run(self) -> list[str]:
        """Do the job and return the errors, one string per failed item."""
        errors: list[str] = []
        numbers = iter(range(self.job.count))
        async with self.opened() as item, asyncio.TaskGroup() as group:

            async def some() -> None:
                for number in numbers:
                    try:
                        await item(number)
                    except Exception as error:  # noqa: BLE001 - every failed item is counted
                        errors.append(f"{type(error).__name__}: {error}")

            for _ in range(min(self.job.concurrency, self.job.count)):
                group.create_task(some())
        return errors
