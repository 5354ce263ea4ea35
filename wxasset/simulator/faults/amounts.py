"""Bounds of numbers in fault words, and the spelling of sizes and times."""

from typing import Final

from attrs import frozen

__all__ = [
    "MOST_BYTES",
    "MOST_MILLISECONDS",
    "UNITS",
    "Bounded",
    "any_bytes",
    "http_status",
    "milliseconds",
    "size_text",
    "some_bytes",
    "time_text",
]

MOST_BYTES = 1 << 30  # responses are built in memory
MOST_MILLISECONDS = 86_400_000  # a day
UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20}


@frozen
class Bounded:
    """Bounds of a number, as an attrs validator with one message."""

    least: int
    most: int

    def __call__(self, _instance: object, _attribute: object, value: int) -> None:
        """Raise ValueError for a number outside the bounds."""
        if not self.least <= value <= self.most:
            raise ValueError(f"{value} is not between {self.least} and {self.most}")


any_bytes: Final = Bounded(0, MOST_BYTES)
some_bytes: Final = Bounded(1, MOST_BYTES)
milliseconds: Final = Bounded(1, MOST_MILLISECONDS)
http_status: Final = Bounded(200, 599)


def size_text(size: int) -> str:
    """Return a size in bytes as a fault word spells it."""
    for unit in ("M", "K"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)


def time_text(milliseconds: int) -> str:
    """Return a duration as a fault word spells it."""
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
