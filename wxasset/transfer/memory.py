"""How much memory a transfer takes: the less, the more of them are under way in the event loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from anyio.lowlevel import RunVar

__all__ = ["KIB", "READING", "WRITING", "Share"]

KIB: Final = 1024


class Share:
    """A number of bytes that the transfers of one event loop share among them."""

    def __init__(self, name: str, *, together: int, least: int, most: int) -> None:
        """Say what they take.

        Args:
            name: Whose it is.
            together: Bytes for all of them.
            least: Bytes for one of them at least, however many there are.
            most: Bytes for one of them at most, however few there are.
        """
        self._together, self._least, self._most = together, least, most
        self._taken: RunVar[int] = RunVar(name)

    @contextmanager
    def take(self) -> Iterator[int]:
        """Count as one of them inside the block; gives the number of bytes to use."""
        count = self._taken.get(0) + 1
        self._taken.set(count)
        try:
            yield max(self._least, min(self._most, self._together // count))
        finally:
            self._taken.set(self._taken.get(0) - 1)


READING: Final = Share("wxasset reading", together=4096 * KIB, least=64 * KIB, most=256 * KIB)
"""The buffer of an upload from a file. With 256 KiB uploads over TLS are faster than with 64 KiB, but what a
connection has not sent yet is of the same size: with 200 of them it makes 87 MB instead of 25."""

WRITING: Final = Share("wxasset writing", together=32 * 1024 * KIB, least=256 * KIB, most=1024 * KIB)
"""What a download to a file collects for one write; as much again is on its way to the disk. Below 256 KiB the hops to
the thread cost more than the writes."""
