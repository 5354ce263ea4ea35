"""How much memory a transfer takes: the less, the more of them are under way in the event loop."""

from typing import Final, Self

from wxasset.transfer.threads import PerLoop

__all__ = ["READING", "WRITING", "Portion", "Share"]

KIB: Final = 1024
_RECORD: Final = 16 * KIB  # the most that TLS sends in one piece


class _Count:
    def __init__(self) -> None:
        self.number = 0


class Portion:
    """What one transfer may take."""

    def __init__(self, share: "Share", count: _Count) -> None:
        """Stand for one transfer; `Share.take` makes these."""
        self._share, self._count = share, count
        self._smallest = share.most

    def __enter__(self) -> Self:
        """Begin to count as one of those that share."""
        self._count.number += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._count.number -= 1

    @property
    def least(self) -> int:
        """What it may take in any case. Begin with this: others may be about to begin as well."""
        return self._share.least

    @property
    def now(self) -> int:
        """What it may take at this moment, and not more than it might before: a connection keeps as much for good."""
        self._smallest = min(self._smallest, self._share.for_each_of(self._count.number))
        return self._smallest


class Share:
    """A number of bytes that the transfers of one event loop share among them."""

    def __init__(self, *, together: int, least: int, most: int) -> None:
        """Say what they take.

        Args:
            together: Bytes for all of them.
            least: Bytes for one of them at least, however many there are.
            most: Bytes for one of them at most, however few there are.
        """
        self._together = together
        self.least: int = least
        self.most: int = most
        self._counts = PerLoop(_Count)

    def for_each_of(self, number: int) -> int:
        """Return the bytes for each of so many, in whole records of TLS."""
        return max(self.least, min(self.most, self._together // max(number, 1) // _RECORD * _RECORD))

    def take(self) -> Portion:
        """Give the portion of one more transfer, which counts while it is entered."""
        return Portion(self, self._counts.get())


READING: Final = Share(together=4096 * KIB, least=32 * KIB, most=256 * KIB)
"""The pieces that an upload is sent in. With 256 KiB eight uploads over TLS are a fifth faster than with 64 KiB; but a
connection under TLS keeps four thirds of its largest piece, which made 42 MB for 200 of them instead of 2."""

WRITING: Final = Share(together=32 * 1024 * KIB, least=256 * KIB, most=1024 * KIB)
"""What a download to a file collects for one write; as much again is on its way to the disk. Below 256 KiB the hops to
the thread cost more than the writes."""
