"""Outcomes of the items of a batch."""

import reprlib
from typing import Generic, TypeVar

from attrs import field, frozen

from wxasset.calls.materials import AddedMaterial
from wxasset.errors import LedgerError
from wxasset.ledger.new_material import NewMaterial
from wxasset.transfer.downloads.download import SavedMaterial
from wxasset.transfer.uploads.media import Media
from wxasset.wire.values import Value

__all__ = ["Added", "Deleted", "Downloaded", "Uploaded"]

T = TypeVar("T", bound=Media | NewMaterial)


@frozen(eq=False, repr=False)
class Added(Value, Generic[T]):
    """A material that is in the library.

    Attributes:
        item: What was given.
        material: What was added.
        skipped: Whether it was there before, so that nothing was sent.
        unrecorded: The error of the ledger, if it could not record the material; the batch ends with it.
    """

    item: T = field(repr=reprlib.repr)
    material: AddedMaterial
    skipped: bool = False
    unrecorded: LedgerError | None = None

    @property
    def media_id(self) -> str:
        """Its id."""
        return self.material.media_id


@frozen(eq=False, repr=False)
class Deleted(Value):
    """A material that was deleted.

    Attributes:
        item: The media_id that was given.
    """

    item: str


@frozen(eq=False, repr=False)
class Uploaded(Value):
    """A file that is in cloud storage.

    Attributes:
        item: Its path in the storage.
        fileid: Its id.
    """

    item: str
    fileid: str


@frozen(eq=False, repr=False)
class Downloaded(Value):
    """A cloud file that was downloaded.

    Attributes:
        item: The id that was given.
        file: The saved file.
    """

    item: str
    file: SavedMaterial
