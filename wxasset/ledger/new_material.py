"""One of many materials to add."""

import os
import reprlib

from attrs import field, frozen

from wxasset.transfer.uploads.media import Media
from wxasset.wire.values import Value

__all__ = ["NewMaterial", "media_of", "path_of"]


@frozen(kw_only=True, eq=False, repr=False)
class NewMaterial(Value):
    """One of many materials to add, with its own options.

    Attributes:
        media: As in `add_material`.
        filename: As in `add_material`.
        size: As in `add_material`.
        title: A video's title, instead of that of the batch.
        introduction: A video's introduction, instead of that of the batch.
    """

    media: Media = field(repr=reprlib.repr)
    filename: str | None = None
    size: int | None = None
    title: str | None = None
    introduction: str | None = None


def media_of(item: Media | NewMaterial) -> Media:
    """Return the media of an item."""
    return item.media if isinstance(item, NewMaterial) else item


def path_of(media: Media) -> str | None:
    """Return the path of the media; None for other media."""
    return os.fsdecode(media) if isinstance(media, str | os.PathLike) else None
