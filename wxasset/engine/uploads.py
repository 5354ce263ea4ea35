"""Identify the material of an upload whose response was lost. Pure.

WeChat gives no key by which a create could be repeated without harm, so its list is asked instead. What tells an
upload apart there is its name and its time, and that no other call owns it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Literal

from attrs import define, field, frozen

from wxasset.calls.materials import MaterialItem
from wxasset.wire.checks import choice, flag, number

__all__ = ["MARK_LENGTH", "MARK_LETTERS", "Pending", "UploadPolicy", "UploadRegister", "Window", "candidates", "polls"]

_ROUNDING: Final = 2.0
"""Seconds by which a time of WeChat's may differ from ours when its clock is known: both its list and its Date header
give whole seconds."""
_SKEW: Final = 60.0
"""Seconds by which it may differ when a proxy took the Date header away: the clocks of both sides are kept by NTP,
and a mistake here costs no more than an unknown outcome."""
_DOUBT: Final = 600.0
"""Seconds for which an upload that was given up may still turn up under its name."""
_MOST_OWNED: Final = 10_000
"""Ids that are remembered as other calls' own: they matter for as long as one upload takes."""
_LOOKS: Final = 4
MARK_LENGTH: Final = 8
MARK_LETTERS: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""None that are taken for one another; eight of them tell a million uploads apart (half a chance of one pair)."""


@frozen(kw_only=True)
class UploadPolicy:
    """Handling of an upload whose response was lost.

    Attributes:
        reconcile: "search" looks for it among the newest materials, under its name and in the time of the attempt;
            "raise" leaves that to you: `UploadOutcomeUnknown` at once, and its `resolve` later.
        visibility: Seconds of the search, as a material may be listed a little after its creation.
        settle: Seconds after it began before an upload in a `Ledger` that nobody finds counts as never added: WeChat
            may still be at work on what a killed process has sent.
        unique_names: Whether each name gets a mark, "poster.jpg" becoming "poster-k7m2xq9d.jpg", by which the search
            is exact also where many files have the same name. For batch jobs; the mark is seen in the library.
        unlisted: What is done where WeChat has no list (article images, temporary media): "raise", or "resend" where a
            second copy does no harm.
    """

    reconcile: Literal["search", "raise"] = field(default="search", validator=choice("search", "raise"))
    visibility: float = field(default=3.0, validator=number(at_least=0, at_most=600))
    settle: float = field(default=30.0, validator=number(at_least=0, at_most=600))
    unique_names: bool = field(default=False, validator=flag)
    unlisted: Literal["raise", "resend"] = field(default="raise", validator=choice("raise", "resend"))


@frozen(kw_only=True)
class Window:
    """The possible time of an upload, in unix seconds of this machine.

    Attributes:
        begin: When it was sent.
        end: When it is looked for.
    """

    begin: float
    end: float

    def on_their_clock(self, offset: float | None) -> "Window":
        """Return the window on WeChat's clock, widened by its uncertainty.

        Args:
            offset: Seconds by which WeChat's clock is ahead; None if unknown.
        """
        ahead, slack = (0.0, _SKEW) if offset is None else (offset, _ROUNDING)
        return Window(begin=self.begin + ahead - slack, end=self.end + ahead + slack)


@define(eq=False, kw_only=True)
class Pending:
    """One upload in progress or given up.

    Attributes:
        listing: The type of the library's list.
        name: Its name there.
        begun: Unix time in seconds of its first attempt.
        given_up: Unix time in seconds of giving up; None before.
    """

    listing: str
    name: str
    begun: float
    given_up: float | None = None


class UploadRegister:
    """Register of the uploads of a session and their materials."""

    def __init__(self) -> None:
        """Begin without any."""
        self._pending: dict[tuple[str, str], list[Pending]] = {}
        self._owned: OrderedDict[str, None] = OrderedDict()

    def begin(self, listing: str, name: str, now: float) -> Pending:
        """Enter an upload before it is sent."""
        upload = Pending(listing=listing, name=name, begun=now)
        self._pending.setdefault((listing, name), []).append(upload)
        return upload

    def own(self, media_id: str) -> None:
        """Mark a material as the result of a call; no other call may claim it."""
        self._owned[media_id] = None
        if len(self._owned) > _MOST_OWNED:
            self._owned.popitem(last=False)

    def end(self, upload: Pending) -> None:
        """Remove an upload of known outcome."""
        key = upload.listing, upload.name
        others = [one for one in self._pending.get(key, ()) if one is not upload]
        if others:
            self._pending[key] = others
        else:
            self._pending.pop(key, None)

    def give_up(self, upload: Pending, now: float) -> None:
        """Mark an outcome as unknown: for some minutes a match by name may belong to it."""
        upload.given_up = now
        for key, uploads in list(self._pending.items()):
            kept = [one for one in uploads if one.given_up is None or now - one.given_up < _DOUBT]
            self._pending[key] = kept
            if not kept:
                del self._pending[key]

    def given_up(self, listing: str, name: str, begun: float) -> Pending | None:
        """Return the given-up upload of this name and time; None if not remembered."""
        uploads = self._pending.get((listing, name), ())
        return next((one for one in uploads if one.given_up is not None and one.begun == begun), None)

    def is_owned(self, media_id: str) -> bool:
        """Tell whether a call of the session has this material."""
        return media_id in self._owned

    def has_rival(self, upload: Pending) -> bool:
        """Return True if another upload of the same name may have made the match."""
        return any(
            one is not upload and (one.given_up is None or upload.begun - one.given_up < _DOUBT)
            for one in self._pending.get((upload.listing, upload.name), ())
        )


def candidates(
    items: Iterable[MaterialItem], name: str, window: Window | None, register: UploadRegister
) -> list[MaterialItem]:
    """Return the materials possibly made by an upload.

    Args:
        items: Items of the library.
        name: The uploaded name.
        window: When, on WeChat's clock; None where the name alone tells.
        register: The session's uploads.
    """
    return [
        item
        for item in items
        if item.name == name
        and not register.is_owned(item.media_id)
        and (window is None or window.begin <= item.update_time <= window.end)
    ]


def polls(visibility: float) -> list[float]:
    """Return the seconds to wait before each look: at once, and then ever less often until all are waited."""
    waits, left, step = [0.0], visibility, visibility / 7
    while left > 0 and len(waits) < _LOOKS:
        wait = left if len(waits) == _LOOKS - 1 else min(left, step)
        waits.append(wait)
        left, step = left - wait, step * 2
    return waits
