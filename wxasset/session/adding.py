"""Add the materials of a batch."""

import os
from collections.abc import Callable, Sequence
from typing import cast

from attrs import define, field

from wxasset.batch.work import Work
from wxasset.calls.materials import AddedMaterial, AddMaterial
from wxasset.engine.engine import Engine
from wxasset.errors import WxAssetError
from wxasset.ledger.new_material import NewMaterial, media_of, path_of
from wxasset.session.declared import upload
from wxasset.session.materials import adding
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.cached_files import is_known
from wxasset.transfer.uploads.files import ReadFile, read_ahead
from wxasset.transfer.uploads.media import Media

__all__ = ["Adding", "is_light", "is_repeatable", "read_media"]


@define(eq=False)
class Adding:
    """Add one material after the other; what is the same for all of them is made once.

    Attributes:
        type: The type of the materials.
        title: The title of those without one.
        introduction: The introduction of those without one.
        observing: Function that returns a new engine for the calls of an item.
    """

    type: str
    title: str | None
    introduction: str | None
    observing: Callable[[Work], Engine]
    _call: AddMaterial | None = None
    _idle: list[Engine] = field(factory=list)

    async def add(self, item: Media | NewMaterial, work: Work, *, minutes: bool) -> AddedMaterial:
        """Add one material; the calls of an item with `minutes` wait for the next minute by themselves."""
        call, media, filename, size = self.described(item)
        if isinstance(work.looked, ReadFile):
            media = cast("Media", work.looked)
        engine = self.engine(work, minutes=minutes)
        added = await upload(engine, call, media, filename=filename, size=size, progress=work.sent)
        self.take_back(engine)
        return added

    def engine(self, work: Work, *, minutes: bool) -> Engine:
        """Return the engine for the calls of an item: that of one which has ended, or a new one."""
        engine = self._idle.pop() if self._idle else self.observing(work)
        engine.work, engine.minutes = work, minutes
        return engine

    def take_back(self, engine: Engine) -> None:
        """Keep the engine of an item that has ended."""
        engine.work = None  # it may hold the bytes of a file
        self._idle.append(engine)

    def wanted(self, item: Media | NewMaterial) -> tuple[AddMaterial, Media] | None:
        """Return the call of an item, with its media; None if they do not fit, as its own try tells."""
        try:
            call, media, _, _ = self.described(item)
        except WxAssetError:
            return None
        return call, media

    def described(self, item: Media | NewMaterial) -> tuple[AddMaterial, Media, str | None, int | None]:
        """Return the call of an item, with its media, its filename and its size."""
        if not isinstance(item, NewMaterial):
            if self._call is None:
                self._call = adding(self.type, self.title, self.introduction)
            return self._call, item, None, None
        title = self.title if item.title is None else item.title
        introduction = self.introduction if item.introduction is None else item.introduction
        return adding(self.type, title, introduction), item.media, item.filename, item.size


async def read_media(items: Sequence[Media | NewMaterial], most: int) -> Sequence[ReadFile | None]:
    """Read up to `most` bytes of files in one hop to a thread, unless each is opened without one."""
    named = ((at, path_of(media_of(item))) for at, item in enumerate(items))
    paths = {at: path for at, path in named if path is not None and not is_known(path)}
    if not paths:
        return [None] * len(items)
    read = await run_in_thread(lambda: read_ahead(list(paths.values()), most=most))
    files = dict(zip(paths, read, strict=True))
    return [files.get(at) for at in range(len(items))]


def is_repeatable(item: Media | NewMaterial) -> bool:
    """Return True for a path or bytes. What is read only once waits in its slot, where others are tried again later."""
    return isinstance(media_of(item), str | os.PathLike | bytes | bytearray | memoryview)


def is_light(item: Media | NewMaterial) -> bool:
    """Return True for a path, which takes next to no memory."""
    return isinstance(media_of(item), str | os.PathLike)
