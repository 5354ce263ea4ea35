"""Offset and count of lists (wire reference 2.5, 8.3)."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.wire.replies import ApiError
from wxasset.simulator.wire.requests import whole_number

_LARGEST_PAGE = 20

T = TypeVar("T")


def page_of(document: Mapping[str, object], options: SimulatorOptions) -> slice:
    """Return the requested part of a list.

    Raises:
        ApiError: 40097 for another type, `page_size` for a number out of range.
    """
    offset = whole_number(document, "offset", default=0)
    size = whole_number(document, "count")
    mode = options.count_above_20
    if offset < 0 or size < 1 or (size > _LARGEST_PAGE and mode == "refuse"):
        raise ApiError(options.errcode("page_size"))
    if mode != "obey":
        size = min(size, _LARGEST_PAGE)
    return slice(offset, offset + size)


def in_order(newest_first: Sequence[T], options: SimulatorOptions) -> Sequence[T]:
    """Return the items of a list in the order of the options."""
    return newest_first if options.list_order == "newest" else newest_first[::-1]
