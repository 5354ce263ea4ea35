"""Records of a ledger. Pure."""

import hashlib
import json
from functools import lru_cache
from typing import Final, Literal, TypeAlias, get_args

from attrs import frozen

from wxasset.calls.library import MaterialItem
from wxasset.calls.materials import AddedMaterial, Description
from wxasset.engine.uploads import MARK_LETTERS
from wxasset.errors import Hint, LedgerError
from wxasset.wire.filenames import marked_name
from wxasset.wire.multipart import sent_name

__all__ = [
    "LedgerCounts",
    "LedgerRow",
    "LedgerState",
    "UploadKey",
    "adopted_row",
    "described_as",
    "digests_of",
    "storable",
]

_MARK_LENGTH: Final = 12
"""Characters of a mark: 100,000 images, as many as a library holds, have two with the same one at odds of 1 to 150
million; with the eight of random marks it would be 1 to 170, as a hash has no second draw."""
_MARKS: Final = len(MARK_LETTERS) ** _MARK_LENGTH
_PAIRS: Final = tuple(f"{first}{second}" for second in MARK_LETTERS for first in MARK_LETTERS)

_DAMAGED: Final = Hint(
    "The ledger is damaged. Put a backup in its place, or a new file: a new ledger adopts what the library shows.",
    "台账已损坏，请换成备份或新文件；新台账会采用素材库中已有的素材。",
)
_ADOPTED: Final = "mark:"  # in the place of a hash

LedgerState: TypeAlias = Literal["planned", "in flight", "done", "failed", "unknown"]
_STATES: Final = frozenset(get_args(LedgerState))
"""State of an upload: claimed and not sent; being sent; in the library; refused, with no material added; or sent with
the response lost."""


@frozen(kw_only=True)
class UploadKey:
    """Identity of an upload.

    Attributes:
        appid: The account's appid.
        realm: The service: one for all of WeChat's own hosts; see `wxasset.wire.realms`.
        type: WeChat's type; the same bytes as an image and as a thumb are two materials.
        sha256: The hash of the media, in hexadecimal.
        described: The hash of a video's title and introduction, as WeChat cannot change them later; empty for
            everything else. The file name does not count.
    """

    appid: str
    realm: str
    type: str
    sha256: str
    described: str = ""

    def __hash__(self) -> int:
        """Return the hash of the text that tells keys apart, which keeps it: many times in an upload."""
        return hash(self.sha256)

    def of(self, sha256: str) -> "UploadKey":
        """Return the key of the media with a hash."""
        return UploadKey(appid=self.appid, realm=self.realm, type=self.type, sha256=sha256, described=self.described)

    @property
    def adopted(self) -> "UploadKey":
        """The key of the same material where only its mark is known: an adopted one."""
        listed = "image" if self.type == "thumb" else self.type
        return UploadKey(appid=self.appid, realm=self.realm, type=listed, sha256=f"{_ADOPTED}{self.mark}")

    def sent_as(self, filename: str) -> str:
        """Return the marked name used for sending and listing; any process can find it in the library."""
        return sent_name(marked_name(filename, self.mark))

    @property
    def mark(self) -> str:
        """The mark in the name; equal media always get the same mark."""
        return _mark(self.type, self.sha256, self.described)


@lru_cache(maxsize=1024)  # it is asked for several times in an upload
def _mark(kind: str, sha256: str, described: str) -> str:
    digest = hashlib.sha256(f"{kind}\n{sha256}\n{described}".encode()).digest()
    number, letters = int.from_bytes(digest, "big") % _MARKS, ""
    for _ in range(_MARK_LENGTH // 2):
        number, place = divmod(number, len(_PAIRS))
        letters += _PAIRS[place]
    return letters


def adopted_row(appid: str, realm: str, listed: str, mark: str, item: MaterialItem) -> "LedgerRow":
    """Return the row of a listed material, known by its mark."""
    return LedgerRow(
        appid=appid,
        realm=realm,
        type=listed,
        sha256=f"{_ADOPTED}{mark}",
        state="done",
        filename=storable(item.name),
        size=0,
        media_id=item.media_id,
        url=item.url,
        reconciled=True,
        ended=float(item.update_time),
    )


def described_as(description: Description | None) -> str:
    """Return the hash of a video's title and introduction."""
    if description is None:
        return ""
    return hashlib.sha256(json.dumps([description.title, description.introduction]).encode()).hexdigest()


def digests_of(sha256: str, title: str, introduction: str | None) -> list[str]:
    """Return what stands in the place of the hash in rows of these bytes: the hash, and the marks of each type.

    Args:
        sha256: The hash of the media.
        title: The title of a video.
        introduction: The introduction of a video.
    """
    video = described_as(Description(title=title, introduction=introduction or ""))
    described = {"image": "", "thumb": "", "voice": "", "video": video}
    keys = (UploadKey(appid="", realm="", type=kind, sha256=sha256, described=one) for kind, one in described.items())
    return [sha256, *(key.adopted.sha256 for key in keys)]


@frozen(kw_only=True)
class LedgerRow:
    """One upload in a ledger.

    Attributes:
        appid: The account's appid.
        realm: The service: "weixin" for all of WeChat's own hosts.
        type: WeChat's type of the media.
        sha256: The hash of the media, in hexadecimal; of an adopted material ``mark:`` and the mark in its name.
        described: The hash of a video's title and introduction; else empty.
        state: The state of the upload.
        filename: The name used for sending and listing.
        size: The number of bytes of the media.
        media_id: Its id in the library, once it is done.
        url: Its address there, where WeChat gave one.
        reconciled: True if it was found in the library after its response was lost.
        begun: Unix time in seconds just before the first byte was sent; None before.
        ended: Unix time in seconds of the last known state; of an upload in doubt, the end of its last attempt.
        error: The error message, in English.
        errcode: WeChat's code, if it refused this very file; it is not sent again unless asked.
    """

    appid: str
    realm: str
    type: str
    sha256: str
    described: str = ""
    state: LedgerState
    filename: str
    size: int
    media_id: str | None = None
    url: str | None = None
    reconciled: bool = False
    begun: float | None = None
    ended: float | None = None
    error: str | None = None
    errcode: int | None = None

    @property
    def key(self) -> UploadKey:
        """The key of the upload."""
        return UploadKey(
            appid=self.appid, realm=self.realm, type=self.type, sha256=self.sha256, described=self.described
        )

    def check(self) -> None:
        """Check that the state is one: an upload with another could be sent again.

        Raises:
            LedgerError: The row is damaged.
        """
        if self.state not in _STATES:
            raise LedgerError(f"The row of {self.filename} in the ledger has the state {self.state!r:.40}.", _DAMAGED)

    @property
    def material(self) -> AddedMaterial:
        """The result of `add_material`, once the upload is done.

        Raises:
            LedgerError: The row is damaged: it is marked as done, and has no id.
        """
        if not self.media_id:
            raise LedgerError(f"The row of {self.filename} in the ledger has no media_id.", _DAMAGED)
        return AddedMaterial(media_id=self.media_id, url=self.url, reconciled=self.reconciled)


@frozen(kw_only=True)
class LedgerCounts:
    """Number of uploads in each state.

    Attributes:
        planned: Claimed, and nothing sent.
        in_flight: Being sent, or abandoned by a process that exited during the upload.
        done: In the library.
        failed: Refused; nothing was added.
        unknown: Sent, and the response was lost.
    """

    planned: int = 0
    in_flight: int = 0
    done: int = 0
    failed: int = 0
    unknown: int = 0


@frozen
class FetchKey:
    """The key of a material that was fetched into a directory of this host.

    Attributes:
        directory: The directory.
        realm: The service.
        appid: The account.
        media_id: The material.
    """

    directory: str
    realm: str
    appid: str
    media_id: str


def storable(text: str) -> str:
    """Escape what databases do not store: surrogates, as in paths that are not UTF-8, and null characters."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
