"""Journal of the requests: limited in size, filtered, and awaited from any thread."""

import asyncio
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import ClassVar, Unpack, overload

from attrs import Factory, define, evolve

from wxasset.simulator.state.journal_entry import JournalConditions, JournalEntry, JournalFilter

__all__ = ["Journal"]


@define(eq=False)
class _Watcher:
    """One wait: it looks at entries once when they arrive or change, never at the whole journal again."""

    wanted: int
    conditions: JournalFilter
    found: set[int] = Factory(set)
    done: "Future[None]" = Factory(Future)

    def see(self, entries: Iterable[JournalEntry]) -> None:
        """Consider entries that are new or have changed."""
        for entry in entries:
            keep = self.found.add if self.conditions.matches(entry) else self.found.discard
            keep(entry.number)
        if len(self.found) >= self.wanted and not self.done.done():
            self.done.set_result(None)


class Journal(Sequence[JournalEntry]):
    """The latest requests in the order of the responses, as many as `journal_cap` of the options.

    A stalled request is included and may still change. All methods may be used from any thread; an iteration shows
    the entries of its beginning.
    """

    def __init__(self, cap: Callable[[], int]) -> None:
        """Create a journal; `cap` returns the maximum number of entries."""
        self._cap = cap
        self._entries: deque[JournalEntry] = deque()
        self._total = 0
        self._watchers: list[_Watcher] = []
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...

    @overload
    def __getitem__(self, index: slice) -> list[JournalEntry]: ...

    def __getitem__(self, index: int | slice) -> JournalEntry | list[JournalEntry]:
        with self._lock:
            return list(self._entries)[index] if isinstance(index, slice) else self._entries[index]

    def __iter__(self) -> Iterator[JournalEntry]:
        with self._lock:
            return iter(list(self._entries))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # the entries change

    def __repr__(self) -> str:
        return repr(list(self))

    @property
    def total(self) -> int:
        """Number of all requests since the start or the last reset, also of those no longer kept."""
        return self._total

    def select(self, **conditions: Unpack[JournalConditions]) -> list[JournalEntry]:
        """Return the entries that meet all conditions, oldest first; see `JournalFilter`."""
        with self._lock:
            return self._select(JournalFilter(**conditions))

    async def wait(
        self,
        count: int = 1,
        *,
        timeout: float = 10,  # noqa: ASYNC109  # the error tells what was missing
        **conditions: Unpack[JournalConditions],
    ) -> list[JournalEntry]:
        """Wait for a number of entries that meet all conditions, and return them; existing entries count.

        Args:
            count: The number of entries.
            timeout: Seconds to wait, in real time.
            conditions: See `JournalFilter`; `since=journal.total` waits for later requests.

        Raises:
            TimeoutError: There are fewer; the message tells how many.
            ConnectionAbortedError: The simulator was closed.
            ValueError: The number is less than 1, or above the maximum size of the journal.
        """
        watcher = self._watch(count, conditions)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wrap_future(watcher.done)
        except TimeoutError:
            raise self._missing(watcher, timeout) from None
        finally:
            self._unwatch(watcher)
        return self.select(**conditions)

    def wait_blocking(
        self, count: int = 1, *, timeout: float = 10, **conditions: Unpack[JournalConditions]
    ) -> list[JournalEntry]:
        """Do the same as `wait` without an event loop; in the loop of the simulator it would block the requests.

        Raises:
            TimeoutError: There are fewer; the message tells how many.
            ConnectionAbortedError: The simulator was closed.
            ValueError: The number is less than 1, or above the maximum size of the journal.
        """
        watcher = self._watch(count, conditions)
        try:
            watcher.done.result(timeout)
        except TimeoutError:
            raise self._missing(watcher, timeout) from None
        finally:
            self._unwatch(watcher)
        return self.select(**conditions)

    def delete(self, **conditions: Unpack[JournalConditions]) -> int:
        """Delete the entries that meet all conditions and return their number; other entries keep theirs."""
        chosen = JournalFilter(**conditions)
        with self._lock:
            kept = [entry for entry in self._entries if not chosen.matches(entry)]
            deleted = len(self._entries) - len(kept)
            self._entries = deque(kept)
            return deleted

    def clear(self) -> None:
        """Delete all entries; later ones continue the numbers."""
        with self._lock:
            self._entries.clear()

    def restart(self) -> None:
        """Delete all entries and number later ones from 0."""
        with self._lock:
            self._entries.clear()
            self._total = 0

    def interrupt(self) -> None:
        """End all waits with an error, because no request will follow."""
        with self._lock:
            for watcher in self._watchers:
                if not watcher.done.done():
                    watcher.done.set_exception(ConnectionAbortedError("the simulator was closed while waiting"))

    def enter(self, entry: JournalEntry, earlier: JournalEntry | None) -> JournalEntry:
        """Add an entry and return it with its number, or replace an earlier one unless that was deleted."""
        with self._lock:
            if earlier is not None:
                self._replace(earlier, entry)
                return entry
            entry = evolve(entry, number=self._total)
            self._total += 1
            self._entries.append(entry)
            while len(self._entries) > self._cap():
                self._entries.popleft()
            self._tell(entry)
            return entry

    def _replace(self, earlier: JournalEntry, entry: JournalEntry) -> None:
        entries = self._entries
        index = len(entries) - 1
        if entries and entries[index] is not earlier:
            index = bisect_left(entries, earlier.number, key=lambda one: one.number)
        if 0 <= index < len(entries) and entries[index] is earlier:
            entries[index] = entry
            self._tell(entry)

    def _tell(self, entry: JournalEntry) -> None:
        for watcher in self._watchers:
            watcher.see((entry,))

    def _select(self, chosen: JournalFilter) -> list[JournalEntry]:
        """Return matching entries; those before `since` are not looked at."""
        found = []
        for entry in reversed(self._entries):
            if entry.number < chosen.since:
                break
            if chosen.matches(entry):
                found.append(entry)
        return found[::-1]

    def _watch(self, count: int, conditions: JournalConditions) -> _Watcher:
        most = self._cap()
        if not 1 <= count <= most:
            raise ValueError(f"count is {count}; wait for 1 to {most} entries, the maximum size of the journal")
        watcher = _Watcher(count, JournalFilter(**conditions))
        with self._lock:
            watcher.see(self._select(watcher.conditions))
            self._watchers.append(watcher)
        return watcher

    def _unwatch(self, watcher: _Watcher) -> None:
        with self._lock:
            self._watchers.remove(watcher)

    @staticmethod
    def _missing(watcher: _Watcher, timeout: float) -> TimeoutError:
        found = len(watcher.found)
        return TimeoutError(
            f"{found} of {watcher.wanted} requests within {timeout:g} s met the conditions {watcher.conditions}; "
            "see simulator.journal for the requests received"
        )
