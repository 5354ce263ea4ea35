"""Jobs of clients and their outcomes, exchanged as lines of JSON."""

import json
from collections.abc import Callable, Coroutine
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from attrs import asdict, frozen

T = TypeVar("T")
Work = Literal["upload", "download", "count", "acquire", "cancel", "park", "event", "hit"]
Item = Callable[[int], Coroutine[Any, Any, None]]

KB, MB, GB = 2**10, 2**20, 2**30
TOKEN = "W7" * 256  # maximum length of WeChat's tokens; all clients send the same


@frozen(kw_only=True)
class Job:
    """Work of one kind, done `count` times, `concurrency` at a time.

    Attributes:
        work: Upload a file, save one to disk, count the library, wait for a token, or take a cached one.
        url: The server's base URL.
        count: Number of items.
        concurrency: Number of concurrent items.
        threads: Maximum number of threads, for clients with one thread per item.
        path: The file to upload, or the directory for downloads.
        size: Bytes per file.
    """

    work: Work
    url: str
    count: int
    concurrency: int
    threads: int = 32
    path: str = ""
    size: int = 0

    @cached_property
    def source(self) -> Path:
        """The file to upload; made for each item it took 2 us, a hundredth of a small upload."""
        return Path(self.path)

    def target(self, number: int) -> Path:
        """Return the path of a download; always a new file, because replacing one would wait for the disk."""
        return Path(self.path, f"{number}.jpg")


@frozen(kw_only=True)
class Outcome:
    """Result of a job.

    Attributes:
        seconds: Elapsed time.
        cpu: Processor time of all threads.
        spent: Processor time including the preparation before the clock started.
        growth: Maximum growth of the process in bytes.
        failed: Number of failed items.
        error: Message of the first failure.
    """

    seconds: float
    cpu: float
    spent: float = 0.0
    growth: int = 0
    failed: int = 0
    error: str = ""


def to_line(thing: Any) -> str:
    """Encode a job or an outcome."""
    return json.dumps(asdict(thing)) + "\n"


def from_line(kind: Callable[..., T], line: str) -> T:
    """Decode a job or an outcome."""
    return kind(**json.loads(line))


def check(found: object, wanted: object) -> None:
    """Raise an error for an unexpected response."""
    if found != wanted:
        raise ValueError(f"expected the response {wanted!r:.80}, got {found!r:.80}")
