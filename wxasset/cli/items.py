"""Ids and files on the command line, or on stdin where "-" stands for them."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cyclopts import Parameter

from wxasset.errors import UsageError

__all__ = ["DASHED", "IDS", "STDIO", "ids_of", "stdin_lines"]

STDIO: Final = "-"
DASHED: Final = Parameter(allow_leading_hyphen=True)
"""For what may be "-"."""
IDS: Final = Parameter(negative="", show_default=False, allow_leading_hyphen=True)
"""For ids: in WeChat's alphabet is a dash."""
_OPTION: Final = 20  # characters; ids of WeChat have 43 and more, options fewer


def ids_of(items: Sequence[str]) -> Iterator[str]:
    """Give the ids; in the place of "-", the first column of each line of stdin.

    Raises:
        UsageError: One is rather an option that is mistyped.
    """
    for item in items:
        if item == STDIO:
            yield from (line.partition("\t")[0].strip() for line in stdin_lines())
        elif item.startswith("-") and len(item) < _OPTION:
            raise UsageError(f"Unknown option: {item}.")
        else:
            yield item


def stdin_lines() -> Iterable[str]:
    """Give the lines of stdin that are not blank, without their ends."""
    return (line for line in (line.rstrip("\r\n") for line in sys.stdin) if line.strip())
