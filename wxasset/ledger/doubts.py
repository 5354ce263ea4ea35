"""Search the library for one upload of a ledger in doubt."""

import time
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define

from wxasset.calls.materials import AddedMaterial, AddMaterial, recovered
from wxasset.engine.engine import Engine
from wxasset.engine.reconcile import Ambiguous, Finding, Found, Missing, Unseen, still_unknown
from wxasset.engine.uploads import polls
from wxasset.errors import Later, UploadOutcomeUnknown
from wxasset.ledger.records import LedgerRow, UploadKey

if TYPE_CHECKING:
    from wxasset.ledger.ledger import Ledger

__all__ = ["DoubtSearch"]

_AHEAD: Final = 60.0  # seconds; a start that is later than its end by more comes from a clock that was wrong


@define(eq=False)
class DoubtSearch:
    """Search for an upload until it counts as settled.

    Attributes:
        engine: The engine that makes the calls.
        ledger: The ledger.
        key: The key of the upload.
        call: The upload.
        waits: Whether to sleep until it has settled; else `Later` is raised.
    """

    engine: Engine
    ledger: "Ledger"
    key: UploadKey
    call: AddMaterial
    waits: bool

    async def search(self, row: LedgerRow, name: str, lost_for: float) -> AddedMaterial | None:
        """Return the material, or None if it was certainly not added.

        Args:
            row: The record of the upload.
            name: The name used for sending.
            lost_for: Seconds since its process was lost.

        Raises:
            Later: It has not settled yet, and this search does not wait.
            UploadOutcomeUnknown: The list does not show it for certain.
        """
        claimed, doubt = time.monotonic(), self._doubt(row)
        # A look before the wait: it finds most, and tells WeChat's time.
        finding = await self._look_once(doubt, thorough=False)
        if row.ended is None and not isinstance(finding, Found):
            doubt.ended_at = self._now() - lost_for - (time.monotonic() - claimed)
            await self.ledger.doubt(self.key, doubt.ended_at)
        waits = self._waits(doubt)
        for number, wait in enumerate(waits, start=1):
            if isinstance(finding, Found):
                return recovered(finding.item)
            if wait and not self.waits:
                raise Later(f"The upload of {name} is in doubt, and not settled yet.", at=time.time() + sum(waits))
            await anyio.sleep(wait)
            finding = await self._look_once(doubt, thorough=number == len(waits))
        match finding:
            case Found(item):
                return recovered(item)
            case Missing():
                return None
            case _:
                raise self._unknown(doubt, finding)

    def _doubt(self, row: LedgerRow) -> UploadOutcomeUnknown:
        now = self._now()
        ended = now if row.ended is None else min(now, row.ended)
        return UploadOutcomeUnknown(
            f"The upload of {row.filename} to {self.call.route.path} may or may not have happened.",
            self.call.route.path,
            filename=row.filename,
            type=row.type,
            size=row.size,
            started_at=_started(row, ended),
            ended_at=ended,
            reason=row.error or "The process that sent it has ended.",
            listing=self.call.listing,
            unique_name=True,
            clock_ahead=0.0,  # the ledger has WeChat's time
        )

    def _waits(self, doubt: UploadOutcomeUnknown) -> list[float]:
        """Return the seconds to wait before each look, until the upload counts as settled."""
        settled = max(self.engine.uploads.visibility, self.engine.uploads.settle)
        left = min(doubt.ended_at + settled - self._now(), settled)  # clocks may differ
        return polls(left)[1:] if left > 0 else [0.0]

    def _now(self) -> float:
        """Return WeChat's unix time in seconds, as near as it is known."""
        return self.engine.register.clock.time()

    async def _look_once(self, doubt: UploadOutcomeUnknown, *, thorough: bool) -> Finding:
        """Search for the mark; of several materials, all made of the same bytes, take the newest."""
        now, settled = self._now(), max(self.engine.uploads.visibility, self.engine.uploads.settle)
        shared = self.ledger.pages(self.key, min(now, doubt.ended_at + (settled if thorough else 0.0)), now)
        finding = await self.engine.look(doubt, thorough=thorough, shared=shared)
        if isinstance(finding, Ambiguous):
            return Found(finding.items[0])
        if isinstance(finding, Unseen) and finding.error is not None:
            raise self._unknown(doubt, finding) from finding.error
        if isinstance(finding, Unseen) and finding.hidden:
            raise self._unknown(doubt, finding)
        return finding

    def _unknown(self, doubt: UploadOutcomeUnknown, finding: Finding) -> UploadOutcomeUnknown:
        """Return the error to raise; its times are by the clock of this machine, as those of others."""
        error, ahead = still_unknown(doubt, finding), self._now() - time.time()
        error.started_at, error.ended_at, error.clock_ahead = doubt.started_at - ahead, doubt.ended_at - ahead, ahead
        return error


def _started(row: LedgerRow, ended: float) -> float:
    """Return the start of an upload in unix seconds; the earliest time, to search everything, if unknown."""
    if row.begun is None:
        return ended
    return row.begun if row.begun <= ended + _AHEAD else 0.0
