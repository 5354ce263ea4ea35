"""Identify the material of an upload whose response was lost. Pure.

WeChat gives no key by which a create could be repeated without harm, so its list is asked instead. What tells an
upload apart there is its name and its time, and that no other call owns it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Literal

from attrs import define, field, frozen, validators

from wxasset.calls.materials import MaterialItem

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
        visibility: Seconds for which the search goes on, as a material may be listed a little after it was added.
        settle: Seconds after it began before an upload in a `Ledger` that nobody finds counts as never added: WeChat
            may still be at work on what a killed process has sent.
        unique_names: Whether each name gets a mark, "poster.jpg" becoming "poster-k7m2xq9d.jpg", by which the search
            is exact also where many files have the same name. For batch jobs; the mark is seen in the library.
        unlisted: What is done where WeChat has no list (article images, temporary media): "raise", or "resend" where a
            second copy does no harm.
    """

    reconcile: Literal["search", "raise"] = field(default="search", validator=validators.in_(("search", "raise")))
    visibility: float = field(default=3.0, validator=[validators.ge(0), validators.le(600)])
    settle: float = field(default=30.0, validator=[validators.ge(0), validators.le(600)])
    unique_names: bool = False
    unlisted: Literal["raise", "resend"] = field(default="raise", validator=validators.in_(("raise", "resend")))


@frozen(kw_only=True)
class Window:
    """The time in which an upload may have happened, in unix seconds of this machine.

    Attributes:
        begin: When it was sent.
        end: When it is looked for.
    """

    begin: float
    end: float

    def on_their_clock(self, offset: float | None) -> "Window":
        """Return it on WeChat's clock, made as much longer as is not known of that.

        Args:
            offset: Seconds by which WeChat's clock is ahead, or None where it did not say.
        """
        ahead, slack = (0.0, _SKEW) if offset is None else (offset, _ROUNDING)
        return Window(begin=self.begin + ahead - slack, end=self.end + ahead + slack)


@define(eq=False, kw_only=True)
class Pending:
    """One upload that is under way, or was given up.

    Attributes:
        listing: The type under which the library would list it.
        name: Its name there.
        begun: Unix time in seconds at which its first attempt was sent.
        given_up: Unix time in seconds at which its outcome was left unknown; None before.
    """

    listing: str
    name: str
    begun: float
    given_up: float | None = None


class UploadRegister:
    """The uploads of a session: what they own, and which might be taken for one another."""

    def __init__(self) -> None:
        """Begin without any."""
        self._pending: dict[tuple[str, str], list[Pending]] = {}
        self._owned: OrderedDict[str, None] = OrderedDict()

    def begin(self, listing: str, name: str, now: float) -> Pending:
        """Enter an upload that is about to be sent."""
        upload = Pending(listing=listing, name=name, begun=now)
        self._pending.setdefault((listing, name), []).append(upload)
        return upload

    def own(self, media_id: str) -> None:
        """Note that a call has this material, so that no other call takes it for its own."""
        self._owned[media_id] = None
        if len(self._owned) > _MOST_OWNED:
            self._owned.popitem(last=False)

    def end(self, upload: Pending) -> None:
        """Take an upload out whose outcome is known."""
        key = upload.listing, upload.name
        others = [one for one in self._pending.get(key, ()) if one is not upload]
        if others:
            self._pending[key] = others
        else:
            self._pending.pop(key, None)

    def give_up(self, upload: Pending, now: float) -> None:
        """Leave an outcome unknown: what is found under its name in the next minutes may be this one's."""
        upload.given_up = now
        for key, uploads in list(self._pending.items()):
            kept = [one for one in uploads if one.given_up is None or now - one.given_up < _DOUBT]
            self._pending[key] = kept
            if not kept:
                del self._pending[key]

    def given_up(self, listing: str, name: str, begun: float) -> Pending | None:
        """Return the upload of this name and time that was given up, or None where it is not remembered."""
        uploads = self._pending.get((listing, name), ())
        return next((one for one in uploads if one.given_up is not None and one.begun == begun), None)

    def is_owned(self, media_id: str) -> bool:
        """Tell whether a call of the session has this material."""
        return media_id in self._owned

    def has_rival(self, upload: Pending) -> bool:
        """Tell whether another upload of the same name may have made what is found."""
        return any(
            one is not upload and (one.given_up is None or upload.begun - one.given_up < _DOUBT)
            for one in self._pending.get((upload.listing, upload.name), ())
        )


def candidates(
    items: Iterable[MaterialItem], name: str, window: Window | None, register: UploadRegister
) -> list[MaterialItem]:
    """Return the materials that an upload may have made.

    Args:
        items: What the library lists.
        name: The name that it was sent under.
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
