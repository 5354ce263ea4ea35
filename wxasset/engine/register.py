"""Register of the uploads of an account in this process, their materials and WeChat's clock."""

import math
import random
import threading
import time
import weakref
from collections import OrderedDict
from typing import Final, TypeAlias

from attrs import define, field

from wxasset.engine.uploads import MARK_LETTERS

__all__ = ["ROUNDING", "Pending", "ServerClock", "UploadRegister", "random_mark"]

ROUNDING: Final = 2.0
"""Seconds by which a time of WeChat's may differ from ours when its clock is known: both its list and its Date header
give whole seconds."""
_DOUBT: Final = 600.0
"""Seconds for which an upload that was given up may still turn up under its name."""
_MOST_OWNED: Final = 10_000
"""Ids that are remembered as other calls' own: they matter for as long as one upload takes."""
_MARGIN: Final = 300.0
"""Seconds before an upload in which ids owned by other calls are kept in its error (our choice)."""
_FRESH: Final = 600.0
"""Seconds for which a Date header is used; a clock drifts by less than 0.1 s in that time."""
_SECOND: Final = 1.0  # a Date header has whole seconds
_MARK_LENGTH: Final = 8
_SYSTEM: Final = random.SystemRandom()
_MARKS: Final = len(MARK_LETTERS) ** _MARK_LENGTH
_MINUTE: Final = 60.0
_SPREAD: Final = 2.0  # seconds, as for single calls

Owner: TypeAlias = tuple[str, str, float]
"""Identity of an upload: the type of the list, the name, and the unix time of the attempt."""


def random_mark() -> str:
    """Return a mark for one upload; it differs also between processes that seed `random` equally."""
    letters, number = "", _SYSTEM.randrange(_MARKS)  # one system call; a choice for each letter takes eight
    for _ in range(_MARK_LENGTH):
        number, letter = divmod(number, len(MARK_LETTERS))
        letters += MARK_LETTERS[letter]
    return letters


class ServerClock:
    """WeChat's clock, as told by Date headers and kept by the monotonic clock of this machine."""

    def __init__(self) -> None:
        """Begin without a Date header."""
        self._told: tuple[float, float] | None = None
        self._asked = -math.inf

    @property
    def stale(self) -> bool:
        """True if another Date header is needed."""
        return time.monotonic() - self._asked > _FRESH

    def tell(self, date: float | None) -> None:
        """Take in a Date header; one that agrees to a second changes nothing, so that ages stay exact."""
        if date is None:
            return
        self._asked, now = time.monotonic(), self.now()
        if now is None or abs(date - now) > _SECOND:
            self._told = date, time.monotonic()

    def now(self) -> float | None:
        """Return WeChat's unix time in seconds; None if unknown."""
        told = self._told
        return None if told is None else told[0] + time.monotonic() - told[1]

    def time(self) -> float:
        """Return WeChat's unix time in seconds; this machine's if it is unknown, or agrees but for the rounding."""
        now, own = self.now(), time.time()
        return own if now is None or abs(now - own) <= ROUNDING else now

    def next_minute(self) -> float:
        """Return the seconds to wait for WeChat's next minute, a little more so that waiting calls are spread."""
        return _MINUTE - self.time() % _MINUTE + random.uniform(0.0, _SPREAD)  # noqa: S311 - no secret depends on it

    def ahead(self) -> float | None:
        """Return the seconds by which WeChat's clock is ahead of this machine's; None if unknown."""
        now = self.now()
        return None if now is None else now - time.time()


@define(eq=False, repr=False, kw_only=True)
class Pending:
    """One upload in progress or given up.

    Attributes:
        listing: The type of the library's list.
        name: Its name there.
        marked: Whether the name has a mark of its own.
        begun: Start of the last attempt by the monotonic clock, in seconds.
        started_at: Unix time in seconds of the same moment.
        given_up: Time of giving up by the monotonic clock; None before.
    """

    listing: str
    name: str
    marked: bool = False
    begun: float = field(factory=time.monotonic)
    started_at: float = field(factory=time.time)
    given_up: float | None = None

    @property
    def owner(self) -> Owner:
        """Its identity, also in another process."""
        return self.listing, self.name, self.started_at

    def start(self, started_at: float) -> None:
        """Note the start of an attempt."""
        self.started_at, self.begun = started_at, time.monotonic()


class UploadRegister:
    """Register of the uploads of an account in this process, and of their materials.

    All sessions of the account share it, also those of other threads: each step is one operation of a dict.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.clock: ServerClock = ServerClock()
        self._pending: dict[Pending, None] = {}
        self._owned: OrderedDict[str, tuple[Owner | None, float]] = OrderedDict()

    def begin(self, upload: Pending) -> None:
        """Enter an upload before it is sent."""
        self._pending[upload] = None

    def own(self, media_id: str, owner: Owner | None = None) -> None:
        """Mark a material as the result of a call; no other call may claim it."""
        self._owned[media_id] = owner, time.monotonic()
        if len(self._owned) > _MOST_OWNED:
            self._owned.popitem(last=False)

    def owned_since(self, begun: float) -> tuple[str, ...]:
        """Return the ids of other calls that may lie in the time of an upload."""
        return tuple(one for one, (_, when) in list(self._owned.items()) if when >= begun - _MARGIN)

    def end(self, upload: Pending) -> None:
        """Remove an upload of known outcome."""
        self._pending.pop(upload, None)

    def give_up(self, upload: Pending) -> None:
        """Mark an outcome as unknown: for some minutes a match by name may belong to it."""
        upload.given_up = now = time.monotonic()
        for one in list(self._pending):
            if one.given_up is not None and now - one.given_up >= _DOUBT:
                self._pending.pop(one, None)

    def given_up(self, owner: Owner) -> Pending | None:
        """Return a given-up upload; None if not remembered."""
        return next((one for one in list(self._pending) if one.given_up is not None and one.owner == owner), None)

    def is_anothers(self, media_id: str, owner: Owner) -> bool:
        """Tell whether another call has this material."""
        found = self._owned.get(media_id)
        return found is not None and found[0] != owner

    def has_rival(self, upload: Pending) -> bool:
        """Return True if another upload of the same name may have made the match."""
        return any(
            one is not upload
            and (one.listing, one.name) == (upload.listing, upload.name)
            and (one.given_up is None or upload.begun - one.given_up < _DOUBT)
            for one in list(self._pending)
        )

    @staticmethod
    def of_account(realm: str, appid: str | None) -> "UploadRegister":
        """Return the register shared by the sessions of an account; it lives as long as one of them does.

        Args:
            realm: The service; see `wxasset.wire.realms`.
            appid: The account's appid; sessions that do not know theirs share one register.
        """
        with _LOCK:
            register = _REGISTERS.get((realm, appid))
            if register is None:
                register = _REGISTERS[realm, appid] = UploadRegister()
            return register


_REGISTERS: Final[weakref.WeakValueDictionary[tuple[str, str | None], UploadRegister]] = weakref.WeakValueDictionary()
_LOCK: Final = threading.Lock()
