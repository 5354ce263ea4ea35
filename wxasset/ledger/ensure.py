"""The state machine that adds one material to the library exactly once."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, NoReturn

import anyio
from attrs import define, field

from wxasset.batch.slots import Turn
from wxasset.calls.materials import AddedMaterial, AddMaterial
from wxasset.engine.engine import Engine
from wxasset.errors import Hint, Later, LedgerError, MediaNotFoundError, SourceError, UploadOutcomeUnknown, WxAssetError
from wxasset.ledger.doubts import DoubtSearch
from wxasset.ledger.new_material import path_of
from wxasset.ledger.records import LedgerRow, UploadKey, described_as
from wxasset.ledger.refusals import refusal_code, remembered_refusal
from wxasset.ledger.transitions import Claim, ClaimLostError, Step
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.content import SMALL
from wxasset.transfer.uploads.files import ReadFile
from wxasset.transfer.uploads.media import Media
from wxasset.transfer.uploads.source import Source, open_source, sha256_of
from wxasset.wire.filenames import marked_name
from wxasset.wire.multipart import sent_name

if TYPE_CHECKING:
    from wxasset.ledger.ledger import Ledger

__all__ = ["EnsuredUpload", "key_of"]

_log: Final = logging.getLogger("wxasset.ledger")
_POLL: Final = 0.02  # seconds between the first looks at an upload that somebody else is at, doubled each time,
_OTHERS: Final = 1.0  # seconds until a queue looks again at an upload that somebody else is at (our choice),
_OTHERS_BATCH: Final = 0.25  # and until a batch does
_POLL_MOST: Final = 0.25  # and up to this: an upload takes some tenths of a second


def key_of(call: AddMaterial, appid: str, realm: str) -> UploadKey:
    """Return the key of an upload, without the hash."""
    return UploadKey(appid=appid, realm=realm, type=call.type, sha256="", described=described_as(call.description))


@define(eq=False)
class EnsuredUpload:
    """Upload one material unless the ledger has it.

    Attributes:
        engine: The engine that makes the calls.
        ledger: The ledger to use.
        open_material: Fetch a material by its id; used to verify that WeChat still has it.
        call: The upload.
        key: The key of the upload; its hash is filled in when the media has been read.
        media: The media.
        filename: As in `add_material`.
        size: The number of bytes that the media should have; None for any.
        progress: Called with the bytes sent and their total.
        retry_refused: True to send what WeChat refused before.
        waits: Whether to sleep until an upload in doubt has settled, or while another task or process has claimed it;
            else `Later` is raised.
        claimed_since: The times since when others were seen at the uploads of a batch; None for a single upload.
        read: The media, if it is a file that was read already.
        turn: The slot of a batch for the requests; None for a single upload.
    """

    engine: Engine
    ledger: "Ledger"
    open_material: Callable[[str], AbstractAsyncContextManager[object]]
    call: AddMaterial
    key: UploadKey
    media: Media
    filename: str | None = None
    size: int | None = None
    progress: Progress | None = None
    retry_refused: bool = False
    waits: bool = True
    claimed_since: dict[UploadKey, float] | None = None
    read: ReadFile | None = None
    turn: Turn | None = None
    _recorded: bool = field(default=False, init=False)
    _begun: bool = field(default=False, init=False)

    async def look_up(self, *, verify: bool) -> AddedMaterial | None:
        """Look up a file; None if it has to be sent, or is none."""
        if (path := path_of(self.media)) is None:
            return None
        (found,) = await self.ledger.look_up([self.key], [path], SMALL)
        if isinstance(found, LedgerRow):
            return found.material if not verify or await self._is_there(found) else None
        self.read = None if found is None else found.file
        return None

    async def ensure(self, *, verify: bool) -> tuple[AddedMaterial, bool]:
        """Send the media, after `look_up` found nothing; return True if it was not sent."""
        read = self.read
        source = await self._source(self.media if read is None else read)
        self.read = None  # or it would be kept until the end
        try:
            if read is not None and read.sha256 is not None:
                if self.key.sha256 != read.sha256:
                    self.key = self.key.of(read.sha256)
                return await self._settle(source, verify=verify)
            self.key = self.key.of(await sha256_of(source))
            if read is not None and read.settled is not None:
                self.ledger.remember(read.path, read.settled, self.key.sha256)
            row = await self.ledger.adopted(self.key)
            if row is not None and (not verify or await self._is_there(row)):
                return row.material, True
            return await self._settle(source, verify=verify)
        finally:
            await source.aclose()

    async def _source(self, media: Media | ReadFile) -> Source:
        """Open the media so that it can be read twice; spool it if necessary."""
        limits = self.engine.limits
        source = await open_source(media, filename=self.filename, size=None, limit=self.call.limit, limits=limits)
        if self.size is not None and source.size != self.size:
            await source.aclose()
            raise SourceError(
                f"{source.filename} has {source.size} bytes, not the {self.size} of size=.",
                Hint("Correct the size, or leave it out.", "请更正声明的大小，或不填。"),
            )
        return source

    async def _settle(self, source: Source, *, verify: bool) -> tuple[AddedMaterial, bool]:
        """Follow the ledger's steps until the library has the material."""
        filename, wait = marked_name(source.filename, self.key.mark), _POLL
        name = sent_name(filename)
        source = source.renamed(filename, marked=True, before=self._begin)
        started = time.monotonic()
        while True:
            claim = await self.ledger.claim(
                self.key, name, source.size, retry_refused=self.retry_refused, begun=self._now()
            )
            if claim.step is not Step.WAIT and self.claimed_since is not None:
                self.claimed_since.pop(self.key, None)
            try:
                if (done := await self._take(claim, source, name, verify=verify)) is not None:
                    return done
            except ClaimLostError as error:  # another process has taken over, and its result counts
                if time.monotonic() > started + self._patience(source):
                    raise
                _log.warning("%s: %s", name, error.message)
            if claim.step is Step.WAIT:
                self._wait_for_others(claim, source, name, started)
            await anyio.sleep(wait)
            wait = min(2 * wait, _POLL_MOST)

    def _wait_for_others(self, claim: Claim, source: Source, name: str, since: float) -> None:
        """Raise an error unless to sleep while another task or process has claimed the upload."""
        if self.claimed_since is not None:
            since = self.claimed_since.setdefault(self.key, time.monotonic())
        if time.monotonic() > since + self._patience(source):
            if self.claimed_since is not None:
                del self.claimed_since[self.key]
            raise self._held_up(name, source, claim.row)
        if not self.waits:
            wait = _OTHERS if self.claimed_since is None else _OTHERS_BATCH
            raise Later(f"{name} is being uploaded by another task or process.", at=time.time() + wait)

    async def _take(
        self, claim: Claim, source: Source, name: str, *, verify: bool
    ) -> tuple[AddedMaterial, bool] | None:
        """Take one step; None if another process has claimed it, or WeChat does not have it any more."""
        if claim.step is Step.REFUSED and claim.row is not None:
            raise remembered_refusal(claim.row, self.call.route.path)
        if claim.step is Step.SEND:
            return await self._send(source, recorded=claim.begun), False
        if claim.step is Step.LOOK and claim.row is not None:
            if found := await self._look(claim.row, name, claim.lost_for or 0.0):
                return found, True
            return await self._send(source, recorded=False), False
        if claim.step is Step.SKIP and claim.row is not None and (not verify or await self._is_there(claim.row)):
            return claim.row.material, True
        return None

    def _patience(self, source: Source) -> float:
        """Return the maximum duration of this upload in seconds, including the search."""
        engine = self.engine
        search = max(engine.uploads.visibility, engine.uploads.settle)
        return engine.retry.timeout + source.size / engine.timeouts.min_rate + search

    def _held_up(self, name: str, source: Source, row: LedgerRow | None) -> UploadOutcomeUnknown:
        now = time.time()
        return UploadOutcomeUnknown(
            f"The upload of {name} to {self.call.route.path} has been claimed by another task or process for too long;"
            " it was not sent again.",
            self.call.route.path,
            filename=name,
            type=self.call.type,
            size=source.size,
            started_at=now if row is None or row.begun is None else row.begun,
            ended_at=now,
            reason="Another task or process is still uploading it.",
            listing=self.call.listing,
            unique_name=True,
        )

    async def _is_there(self, row: LedgerRow) -> bool:
        """Return whether WeChat has the material; read only the head of the response."""
        try:
            async with self.open_material(row.material.media_id):
                return True
        except MediaNotFoundError:
            await self.ledger.forget(row.material.media_id)
            return False

    async def _look(self, row: LedgerRow, name: str, lost_for: float) -> AddedMaterial | None:
        """Search the library for an interrupted upload; None if it was certainly not added."""
        try:
            await self._take_turn()
            search = DoubtSearch(self.engine, self.ledger, self.key, self.call, waits=self.waits)
            found = await search.search(row, name, lost_for)
        except BaseException as error:
            said = error.message if isinstance(error, WxAssetError) and not isinstance(error, Later) else None
            await self.ledger.end(self.key, "unknown", error=said or row.error)
            raise
        if found is not None:
            return await self._noted(found)
        try:
            await self.ledger.plan(self.key, name)
        except BaseException:  # cancelled, or not writable: release the claim, so that others do not wait forever
            await self.ledger.end(self.key, "planned")
            raise
        return None

    async def _take_turn(self) -> None:
        """Wait for a slot of the batch, after the claim: the disk writes while others use the slots."""
        if self.turn is not None:
            await self.turn.take()

    def _now(self) -> float:
        """Return WeChat's unix time in seconds, as near as it is known."""
        return self.engine.register.clock.time()

    async def _send(self, source: Source, *, recorded: bool) -> AddedMaterial:
        """Upload it, and record the result in the ledger; and the start, unless the first one is `recorded`."""
        self._begun, self._recorded = False, recorded
        try:
            await self._take_turn()
            added = await self.engine.call(self.call, source=source, progress=self.progress)
        except BaseException as error:  # noqa: BLE001 - raised again by `_fail`
            await self._fail(error)
        return await self._noted(added)

    async def _begin(self) -> None:
        """Record the start of an attempt before its first byte is sent."""
        if self._begun or not self._recorded:
            await self.ledger.begin(self.key, self._now())
        self._begun = True

    async def _noted(self, added: AddedMaterial) -> AddedMaterial:
        """Record a material that is in the library; an error carries it, as nobody else knows its id."""
        if self.turn is not None:
            self.turn.release()
        try:
            await self.ledger.end(self.key, "done", material=added)
        except LedgerError as error:
            raise LedgerError(error.message, error.remedy, added) from error
        return added

    async def _fail(self, error: BaseException) -> NoReturn:
        """Record a failure: a refused upload was not added, a cancelled one may have been."""
        if isinstance(error, Later):
            await self.ledger.end(self.key, "planned")
        elif isinstance(error, WxAssetError) and not isinstance(error, UploadOutcomeUnknown):
            await self.ledger.end(self.key, "failed", error=error.message, errcode=refusal_code(error))
        else:
            said = error.message if isinstance(error, WxAssetError) else type(error).__name__
            await self.ledger.end(self.key, "unknown" if self._begun else "planned", now=self._now(), error=said)
        raise error
