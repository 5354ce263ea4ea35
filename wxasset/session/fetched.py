"""The record of materials that were fetched into a directory."""

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from wxasset.calls.library import News, Video
from wxasset.errors import LedgerError
from wxasset.ledger.records import FetchKey
from wxasset.transfer.downloads.download import SavedMaterial
from wxasset.transfer.integrity import Integrity
from wxasset.transfer.threads import run_in_thread

if TYPE_CHECKING:
    from wxasset.ledger.ledger import Ledger

__all__ = ["FetchRecord", "Fetched"]


@frozen
class Fetched:
    """A material that was fetched.

    Attributes:
        item: The media_id that was given.
        material: The saved file, or the `News` or the `Video`; the `down_url` of a skipped video is empty.
        file: The saved file, also that of a video. None for articles, and for a video of which WeChat has only a page.
        skipped: Whether the file was there before, so that nothing was fetched.
        unrecorded: The error of the ledger, if it could not record the file; the batch ends with it.
    """

    item: str
    material: News | Video | SavedMaterial
    file: SavedMaterial | None = None
    skipped: bool = False
    unrecorded: LedgerError | None = None


@define
class FetchRecord:
    """The materials of one account that were fetched into one directory of this host."""

    _ledger: "Ledger"
    _directory: str
    _api: str
    _appid: str
    _real: str | None = None

    async def find(self, media_id: str) -> Fetched | None:
        """Return a material whose file is still there; None if it has to be fetched."""
        key = await self._key(media_id)
        document = await self._ledger.fetched(key)
        if document is None:
            return None
        known: dict[str, Any] = json.loads(document)
        video = known.pop("video", None)
        path, integrity = Path(key.directory, known.pop("name")), Integrity(known.pop("integrity"))
        if not await run_in_thread(_is_there, path, known["size"]):
            return None
        file = SavedMaterial(path=path, integrity=integrity, **known)
        material = file if video is None else Video(down_url="", **video)
        return Fetched(media_id, material, file, skipped=True)

    async def note(self, media_id: str, material: News | Video | SavedMaterial, file: SavedMaterial) -> None:
        """Record a saved file. The link to a video is a secret, and expires: it is left out."""
        document: dict[str, object] = {
            "name": "" if file.path is None else file.path.name,
            "filename": file.filename,
            "content_type": file.content_type,
            "size": file.size,
            "sha256": file.sha256,
            "integrity": file.integrity.value,
        }
        if isinstance(material, Video):
            document["video"] = {"title": material.title, "description": material.description}
        await self._ledger.note_fetched(await self._key(media_id), json.dumps(document))

    async def _key(self, media_id: str) -> FetchKey:
        realm = await self._ledger.realm_of(self._api)
        if self._real is None:
            self._real = await run_in_thread(os.path.realpath, self._directory)
        return FetchKey(self._real or "", realm, self._appid, media_id)


def _is_there(path: Path, size: int) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size
