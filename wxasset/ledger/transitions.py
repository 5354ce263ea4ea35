"""Transitions of a ledger: pure functions, which a store applies to one row at a time."""

import enum
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import evolve, frozen

from wxasset.calls.materials import AddedMaterial
from wxasset.errors import Hint, LedgerError
from wxasset.ledger.records import LedgerRow, LedgerState, UploadKey, storable

__all__ = [
    "Change",
    "Claim",
    "ClaimLostError",
    "Kept",
    "Step",
    "Write",
    "beginning",
    "claiming",
    "doubting",
    "ending",
    "next_step",
    "planning",
    "releasing",
    "resolving",
]


_HELD: Final = Hint("Wait until it has ended, then look again.", "请等它结束后再查看。")


class Step(enum.Enum):
    """Next step for a requested upload."""

    SKIP = "it is in the library"
    WAIT = "a running process has claimed it"
    LOOK = "it may be in the library: search for it"
    SEND = "it is not in the library: upload it"
    REFUSED = "WeChat refused this very file, under this name"


def next_step(row: LedgerRow | None, *, held: bool) -> Step:
    """Choose the next step.

    Args:
        row: The record of the upload, if there is one.
        held: True if a running process has claimed it.

    Raises:
        LedgerError: The row is damaged: its state is none.
    """
    if row is None:
        return Step.SEND
    row.check()
    if row.state == "done":
        return Step.SKIP
    if held:
        return Step.WAIT
    return Step.LOOK if row.state in {"in flight", "unknown"} else Step.SEND


@frozen(kw_only=True)
class Kept:
    """A row in a store, and its claim.

    Attributes:
        row: The record of the upload, if there is one.
        mine: True if this process holds the claim.
        held: True if another running process holds it.
        lost_at: The end of the holder's lease, or the time at which the process was found to have exited, in the
            store's time; None if the claim is alive, or there is none.
    """

    row: LedgerRow | None = None
    mine: bool = False
    held: bool = False
    lost_at: float | None = None


@frozen
class Write:
    """The next state of a row.

    Attributes:
        row: The row.
        hold: True to hold the claim, which takes a living lease; False to release it.
    """

    row: LedgerRow
    hold: bool


Change: TypeAlias = Callable[[Kept, float], tuple[object, Write | None]]
"""A transition: from what is kept, and the store's unix time in seconds, to a result and what to write.

It is pure, and may be applied again to its own result: a store repeats it after a lost response or a conflict.
"""


class ClaimLostError(LedgerError):
    """The lease of this process expired, and another process may have claimed the upload."""


@frozen
class Claim:
    """The next step for an upload, and its record.

    Attributes:
        step: The next step.
        row: The record before the claim, if there was one.
        lost_for: Seconds since the process that held it was lost; None if no process was.
        begun: True if the start of the first attempt is recorded already.
    """

    step: Step
    row: LedgerRow | None
    lost_for: float | None = None
    begun: bool = False


def claiming(
    key: UploadKey, filename: str, size: int, *, retry_refused: bool = False, begun: float | None = None
) -> Change:
    """Claim an upload and choose the next step; the result is a `Claim`.

    Args:
        key: The key of the upload.
        filename: The name used for sending.
        size: The number of bytes.
        retry_refused: True to send what WeChat refused before.
        begun: Unix time in seconds at which an upload that is not in the library begins; None to record that later.
    """
    name = storable(filename)

    def change(kept: Kept, now: float) -> tuple[Claim, Write | None]:
        row, step = kept.row, next_step(kept.row, held=kept.held)
        if step is Step.SEND and row is not None and _is_refused(row, name) and not retry_refused:
            step = Step.REFUSED
        lost_for = None if kept.lost_at is None else max(0.0, now - kept.lost_at)
        if step is Step.SEND:
            return Claim(step, row, begun=begun is not None), Write(_new_row(key, name, size, begun), hold=True)
        return Claim(step, row, lost_for), Write(row, hold=True) if step is Step.LOOK and row is not None else None

    return change


def _is_refused(row: LedgerRow, name: str) -> bool:
    """Return True if WeChat refused it; another name, which tells the format, is another try."""
    return row.state == "failed" and row.errcode is not None and row.filename == name


def _new_row(key: UploadKey, name: str, size: int, begun: float | None) -> LedgerRow:
    return LedgerRow(
        appid=key.appid,
        realm=key.realm,
        type=key.type,
        sha256=key.sha256,
        described=key.described,
        state="planned" if begun is None else "in flight",
        filename=name,
        size=size,
        begun=begun,
    )


def releasing(begun: float | None) -> Change:
    """Release a claim that nobody has used; what began with it has not been sent.

    Args:
        begun: The start that was recorded with the claim; one with another start is in doubt.
    """

    def change(kept: Kept, _: float) -> tuple[None, Write | None]:
        row = kept.row
        if row is None or not kept.mine:
            return None, None
        unsent = begun is not None and row.state == "in flight" and row.begun == begun
        return None, Write(evolve(row, state="planned", begun=None) if unsent else row, hold=False)

    return change


def beginning(begun: float) -> Change:
    """Record the start of an attempt; the result is False if the claim was lost.

    Args:
        begun: Unix time in seconds; the start of the first attempt is kept.
    """

    def change(kept: Kept, _: float) -> tuple[bool, Write | None]:
        row = kept.row
        if row is None or not kept.mine or kept.lost_at is not None:
            return False, None
        first = row.begun if row.state == "in flight" else None
        begin = begun if first is None else first
        return True, Write(evolve(row, state="in flight", begun=begin, ended=None), hold=True)

    return change


def doubting(ended: float) -> Change:
    """Record the end of an attempt whose process was lost; a known end is kept.

    Args:
        ended: Unix time in seconds.
    """

    def change(kept: Kept, _: float) -> tuple[None, Write | None]:
        if kept.row is None or not kept.mine or kept.row.ended is not None:
            return None, None
        return None, Write(evolve(kept.row, ended=ended), hold=True)

    return change


def planning(filename: str) -> Change:
    """Record that the library does not have it; the result is False if the claim was lost.

    Args:
        filename: The name used for sending.
    """

    def change(kept: Kept, _: float) -> tuple[bool, Write | None]:
        if kept.row is None or not kept.mine:
            return False, None
        row = evolve(kept.row, state="planned", filename=storable(filename), begun=None, ended=None)
        return True, Write(row, hold=True)

    return change


def ending(
    state: LedgerState,
    *,
    ended: float | None = None,
    material: AddedMaterial | None = None,
    error: str | None = None,
    errcode: int | None = None,
) -> Change:
    """Record the final state and release the claim; the result is False, and nothing is written, if it was lost.

    Args:
        state: The final state.
        ended: Unix time in seconds; by default the store's, and for an upload in doubt the known end.
        material: The material, once it is in the library.
        error: The error message.
        errcode: WeChat's code, if it refused this very file.
    """

    def change(kept: Kept, now: float) -> tuple[bool, Write | None]:
        row = kept.row
        if row is None or not kept.mine:
            return False, None
        known = row.ended if state == "unknown" else None
        when = next(time for time in (ended, known, now) if time is not None)
        ended_row = LedgerRow(  # not `evolve`, which takes four times as long: it is made for each upload
            appid=row.appid,
            realm=row.realm,
            type=row.type,
            sha256=row.sha256,
            described=row.described,
            filename=row.filename,
            size=row.size,
            state=state,
            begun=None if state == "planned" else row.begun,
            ended=when,
            media_id=None if material is None else material.media_id,
            url=None if material is None else material.url,
            reconciled=material is not None and material.reconciled,
            error=None if error is None else storable(error),
            errcode=errcode,
        )
        return True, Write(ended_row, hold=False)

    return change


def resolving(media_id: str | None) -> Change:
    """Decide about an upload in doubt; the result is False, and nothing is written, if it is not in doubt.

    Args:
        media_id: Its id in the library; None if it is not there.
    """

    def change(kept: Kept, now: float) -> tuple[bool, Write | None]:
        row = kept.row
        if row is None or row.state not in {"in flight", "unknown"}:
            return False, None
        if kept.held or kept.mine:
            raise LedgerError(f"{row.filename} is being uploaded by another task or process.", _HELD)
        if media_id is None:
            absent = evolve(row, state="planned", begun=None, ended=None, error=None)
            return True, Write(absent, hold=False)
        done = evolve(row, state="done", media_id=media_id, reconciled=True, ended=now, error=None)
        return True, Write(done, hold=False)

    return change
