"""Policy, marks and times of uploads whose response may get lost. Pure.

WeChat has no key for repeating a create without harm, so its list is searched instead. An upload is identified there by
the mark in its name; without a mark by its name, its time and its bytes, if no other call owns the material.
"""

import re
from typing import Final, Literal

from attrs import field, frozen

from wxasset.wire.checks import choice, flag, number
from wxasset.wire.values import Value

__all__ = ["MARK_LETTERS", "UploadPolicy", "mark_in", "polls"]

_LOOKS: Final = 4
MARK_LETTERS: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""None that are taken for one another; eight of them tell a million uploads apart (half a chance of one pair)."""
_LETTERS: Final = f"[{MARK_LETTERS}]"
_MARK: Final = rf"(?<!-[0-9a-f]{{4}})-({_LETTERS}{{12}}|{_LETTERS}{{8}})(?=\.[^.]*\Z|\Z)"
"""A mark at the end of a name; the last group of a UUID is none."""


def mark_in(name: str) -> str | None:
    """Return the mark in a name; None if there is none."""
    found = re.search(_MARK, name)
    return None if found is None else found[1]


@frozen(kw_only=True, eq=False, repr=False)
class UploadPolicy(Value):
    """Handling of an upload whose response was lost.

    Attributes:
        reconcile: "search" looks for it among the newest materials: by the mark in its name, else by its name, the
            time of the attempt and its bytes; "raise" leaves that to you: `UploadOutcomeUnknown` at once, and its
            `resolve` later.
        visibility: Seconds of the search, as a material may be listed a little after its creation.
        settle: Seconds after the end of its last attempt before an upload in a `Ledger` counts as never added if it is
            not found: WeChat may still be at work on what a killed process has sent. Where the end is not known, it is
            the end of the process's lease, or the time at which the process was found to have exited.
        unique_names: Whether each name gets a mark, "poster.jpg" becoming "poster-k7m2xq9d.jpg", by which the search
            is exact also where many files have the same name. For batch jobs; the mark is seen in the library. Media
            without a name always gets one.
        unlisted: What is done where WeChat has no list (article images, temporary media): "raise", or "resend" where a
            second copy does no harm.
    """

    reconcile: Literal["search", "raise"] = field(default="search", validator=choice("search", "raise"))
    visibility: float = field(default=3.0, validator=number(at_least=0, at_most=600))
    settle: float = field(default=30.0, validator=number(at_least=0, at_most=600))
    unique_names: bool = field(default=False, validator=flag)
    unlisted: Literal["raise", "resend"] = field(default="raise", validator=choice("raise", "resend"))


def polls(visibility: float) -> list[float]:
    """Return the seconds to wait before each look: at once, and then ever less often until all are waited."""
    waits, left, step = [0.0], visibility, visibility / 7
    while left > 0 and len(waits) < _LOOKS:
        wait = left if len(waits) == _LOOKS - 1 else min(left, step)
        waits.append(wait)
        left, step = left - wait, step * 2
    return waits
