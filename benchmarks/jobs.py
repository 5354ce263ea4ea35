"""What a client is told to do, and what it tells of it; both travel as lines of JSON."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from attrs import asdict, frozen

T = TypeVar("T")
Work = Literal["upload", "download", "count", "acquire", "cancel"]
Item = Callable[[int], Awaitable[None]]

KB, MB, GB = 2**10, 2**20, 2**30
TOKEN = "7" * 512  # as long as WeChat's may become; all clients send the same


@frozen(kw_only=True)
class Job:
    """Work of one kind, done `count` times, `concurrency` at a time.

    Attributes:
        work: Upload a file, save one to disk, count the library, or wait for a token.
        url: The server's base URL.
        count: How often.
        concurrency: How much of it at once.
        threads: The most threads of a client that needs one for each item.
        path: The file to upload, or the directory for what is downloaded.
        size: The number of bytes of a file.
    """

    work: Work
    url: str
    count: int
    concurrency: int
    threads: int = 32
    path: str = ""
    size: int = 0

    @property
    def source(self) -> Path:
        """The file to upload."""
        return Path(self.path)

    def target(self, number: int) -> Path:
        """Name the file that a download becomes; a new one each, as replacing one would wait for the disk."""
        return Path(self.path, f"{number}.jpg")


@frozen(kw_only=True)
class Outcome:
    """What became of a job.

    Attributes:
        seconds: The time that it took.
        cpu: The processor time that it took, of all threads.
        spent: The same and what went into preparing it, before its clock started.
        growth: By how many bytes the process grew at most.
        failed: How many items failed.
        error: What the first of them said.
    """

    seconds: float
    cpu: float
    spent: float = 0.0
    growth: int = 0
    failed: int = 0
    error: str = ""


def to_line(thing: Any) -> str:
    """Write a job or an outcome."""
    return json.dumps(asdict(thing)) + "\n"


def from_line(kind: Callable[..., T], line: str) -> T:
    """Read a job or an outcome."""
    return kind(**json.loads(line))


def check(found: object, wanted: object) -> None:
    """Fail an item whose answer is not the expected one."""
    if found != wanted:
        raise ValueError(f"answered {found!r:.80} instead of {wanted!r:.80}")
