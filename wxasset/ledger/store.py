"""The protocol of a ledger's stores."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import frozen

from wxasset.ledger.records import LedgerCounts, LedgerRow, LedgerState, UploadKey
from wxasset.ledger.transitions import Change

__all__ = ["LedgerStore", "Page"]


@frozen
class Page:
    """Some rows of a ledger, in the order of their first claims.

    Attributes:
        rows: The rows; none after the last page.
        after: The place of the next page.
    """

    rows: Sequence[LedgerRow]
    after: object


@runtime_checkable
class LedgerStore(Protocol):
    """Rows of uploads, with claims by processes.

    A store decides nothing: it applies the transitions of `wxasset.ledger.transitions`. It knows which processes are
    alive, and the time. Each method raises `LedgerError` if the store fails.
    """

    async def open(self) -> None:
        """Open the store, or create it; refuse one of a later version.

        Raises:
            LedgerError: It cannot be opened, or is of a later version.
            UsageError: It is open already.
        """
        ...

    async def close(self) -> None:
        """Release all claims of this process and close; uploads being sent become unknown."""
        ...

    async def change(self, key: UploadKey, change: Change, *, durable: bool = False) -> object:
        """Apply a transition to one row, atomically; return its result.

        It ends, in success or in failure, even if the caller is cancelled meanwhile. A write that holds the claim is
        made under a living lease alone; an expired one is renewed, and the transition applied again.

        Args:
            key: The key of the row.
            change: The transition; it may be applied several times.
            durable: True to return only when the change survives a power failure.
        """
        ...

    async def find(self, keys: Iterable[UploadKey]) -> Mapping[UploadKey, LedgerRow]:
        """Return the rows of many keys; missing ones are left out."""
        ...

    async def matching(self, digests: Sequence[str]) -> Sequence[LedgerRow]:
        """Return the rows with one of these values in the place of the hash, in the order of their first claims."""
        ...

    async def holds(self, appid: str, realm: str, types: Sequence[str]) -> bool:
        """Return True if there is a row of one of these types of an account."""
        ...

    async def add(self, rows: Sequence[LedgerRow]) -> int:
        """Add rows without a claim, all or none; those with a known key are left out. Return the number added."""
        ...

    async def page(self, state: LedgerState | None, after: object) -> Page:
        """Return some rows.

        Args:
            state: The state of the rows; None for all.
            after: None for the first page, then `Page.after` of the last one.
        """
        ...

    async def counts(self) -> LedgerCounts:
        """Count the uploads in each state."""
        ...

    async def forget(self, media_id: str) -> int:
        """Remove the rows of a deleted material; return their number."""
        ...

    async def move(self, old: str, new: str) -> None:
        """Move the rows of one realm to another; a row that is there already stays."""
        ...
