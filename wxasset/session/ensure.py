"""The verb for materials that are to be in the library once, whatever happens."""

import os
import reprlib
import time
from typing import TYPE_CHECKING, Final, NoReturn

import anyio
from attrs import define, evolve, field, frozen

from wxasset.calls.base import MediaType
from wxasset.calls.materials import AddedMaterial, AddMaterial, Description, recovered
from wxasset.engine.uploads import UploadRegister, polls
from wxasset.errors import Hint, MediaNotFoundError, SourceError, UploadOutcomeUnknown, UsageError, WxAssetError
from wxasset.ledger.records import LedgerRow, Step, UploadKey, described_as
from wxasset.session.base import check_ledger
from wxasset.session.materials import Materials
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.source import Media, Source, announced, open_source, sha256_of

if TYPE_CHECKING:
    from wxasset.ledger.ledger import Ledger

__all__ = ["Ensuring", "NewMaterial"]

_POLL: Final = 0.02  # seconds between the first looks at an upload that somebody else is at, doubled each time,
_POLL_MOST: Final = 0.25  # and up to this: an upload takes some tenths of a second


@frozen(kw_only=True)
class NewMaterial:
    """One of many materials to add, with what belongs to it alone.

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


class Ensuring(Materials):
    """What can be done with materials of which a ledger keeps account."""

    async def ensure_material(
        self,
        type: MediaType,  # noqa: A002 - WeChat's own name for it
        media: Media,
        *,
        filename: str | None = None,
        title: str | None = None,
        introduction: str | None = None,
        verify: bool = False,
        ledger: "Ledger | None" = None,
        progress: Progress | None = None,
    ) -> AddedMaterial:
        """Add a permanent material unless the ledger has it; the library gets it once.

        ::

            async with Ledger("uploads.db") as ledger:
                added = await wx.ensure_material("image", "poster.png", ledger=ledger)

        The media is known by its bytes and not by its name: the same bytes under another name are not sent again, nor
        by another task or process with the same ledger, which waits for the first one. A file that has not changed
        since (its size, times and inode) is not even read. Media that can be read only once is kept first, in memory
        up to 1 MiB and then on disk.

        It is sent under a name with a mark that is made of its bytes ("poster-k7m2xq9dh3wa.png"). Where an answer was
        lost, or a process died while it sent, the library is searched for that name before anything is sent again;
        what is found was made of the same bytes, whoever sent them. What is not listed `UploadPolicy.settle` seconds
        after it began, and `UploadPolicy.visibility` seconds after it was given up (or after this call found that its
        process had died), counts as never added: a material that WeChat makes later than that is there twice in the
        end. Choose up to 600 seconds where that matters more than the wait.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_addmaterial.html

        Args:
            type: As in `add_material`; the same bytes as an image and as a thumb are two materials.
            media: As in `add_material`.
            filename: As in `add_material`.
            title: As in `add_material`; a video with another title, or introduction, is another material.
            introduction: As in `add_material`.
            verify: Whether WeChat is asked if it still has what the ledger says; one call of ``get_material``, which
                ends at the first bytes. What is gone is added again.
            ledger: The ledger; by default the one of the session.
            progress: As in `add_material`; not called where nothing is sent.

        Raises:
            UsageError: There is no ledger, or it cannot tell which account this is.
            LedgerError: The ledger cannot be read or written.
            UploadOutcomeUnknown: It was sent and the answer was lost, and the library does not show it for certain;
                the next call searches again before it sends. Or another task or process has been at it for longer than
                this call may take.
            WxAssetError: As in `add_material`.
        """
        new = NewMaterial(media=media, filename=filename, title=title, introduction=introduction)
        keeper = self._keeper(ledger)
        if keeper is None:
            raise UsageError("There is no ledger: pass ledger=, here or to the session.")
        ensured, _ = await self._ensure(type, new, ledger=keeper, verify=verify, progress=progress)
        return ensured

    def _keeper(self, ledger: "Ledger | None") -> "Ledger | None":
        """Return the ledger that keeps account, if any does, and see that it knows of whom."""
        check_ledger(ledger)
        keeper = ledger or self._ledger
        if keeper is not None and self._appid is None:
            raise UsageError("A ledger needs to know the account: pass its appid to the session, beside tokens=.")
        return keeper

    async def _ensure(
        self,
        kind: MediaType,
        new: NewMaterial,
        *,
        ledger: "Ledger",
        verify: bool = False,
        progress: Progress | None = None,
    ) -> tuple[AddedMaterial, bool]:
        """Give the material, and whether nothing had to be sent for it."""
        call = _call(kind, new)
        key = UploadKey(
            appid=self._appid or "",
            api=self._transport.api,
            type=kind,
            sha256="",
            described=described_as(call.description),
        )
        return await _Upload(self, ledger, kind, call, key, progress).ensure(new, verify=verify)


def _call(kind: MediaType, new: NewMaterial) -> AddMaterial:
    described = new.title is not None or new.introduction is not None
    description = Description(title=new.title or "", introduction=new.introduction or "") if described else None
    return AddMaterial(type=kind, description=description)


@define(eq=False)
class _Upload:
    """One material on its way into the library."""

    session: Ensuring
    ledger: "Ledger"
    kind: MediaType
    call: AddMaterial
    key: UploadKey
    progress: Progress | None

    async def ensure(self, new: NewMaterial, *, verify: bool) -> tuple[AddedMaterial, bool]:
        """Look for a file that has not changed, else read the media and see what its hash says."""
        path, identity = _path(new.media), None
        if path is not None:
            row, identity = await self.ledger.known(self.key, path)
            if row is not None and (not verify or await self._is_there(row)):
                return row.material, True
        source = await self._source(new)
        try:
            self.key = evolve(self.key, sha256=await sha256_of(source))
            if path is not None and identity is not None:
                await self.ledger.remember(path, identity, self.key.sha256)
            return await self._settle(source, verify=verify)
        finally:
            source.close()

    async def _source(self, new: NewMaterial) -> Source:
        """Open the media so that it can be read twice; what has to be kept for that is."""
        limits = self.session._limits  # noqa: SLF001 - a part of the session
        source = await open_source(new.media, filename=new.filename, size=None, limit=self.call.limit, limits=limits)
        if new.size is not None and source.size != new.size:
            source.close()
            raise SourceError(
                f"{source.filename} has {source.size} bytes, not the {new.size} of size=.",
                Hint("Correct size=, or leave it out.", "请更正 size=，或不传该参数。"),
            )
        return source

    async def _settle(self, source: Source, *, verify: bool) -> tuple[AddedMaterial, bool]:
        """Do what the ledger says until the library has it."""
        name, wait = self.key.sent_as(source.filename), _POLL
        until = time.monotonic() + self._patience(source)
        while True:
            claim = await self.ledger.claim(self.key, name, source.size)
            if claim.step is Step.SEND:
                return await self._send(source), False
            if claim.step is Step.LOOK and claim.row is not None:
                if found := await self._look(claim.row, name):
                    return found, True
                return await self._send(source), False
            if claim.step is Step.SKIP and claim.row is not None:
                if not verify or await self._is_there(claim.row):
                    return claim.row.material, True
            elif time.monotonic() > until:
                raise self._held_up(name, source, claim.row)
            else:
                await anyio.sleep(wait)
                wait = min(2 * wait, _POLL_MOST)

    def _patience(self, source: Source) -> float:
        """Return the seconds that an upload of this may take, its search included."""
        engine = self.session._engine  # noqa: SLF001 - a part of the session
        search = max(engine.uploads.visibility, engine.uploads.settle)
        return engine.retry.timeout + source.size / engine.timeouts.min_rate + search

    def _held_up(self, name: str, source: Source, row: LedgerRow | None) -> UploadOutcomeUnknown:
        now = time.time()
        return UploadOutcomeUnknown(
            f"The upload of {name} to {self.call.route.path} has been claimed by another task or process for too long;"
            " it was not sent again.",
            self.call.route.path,
            filename=name,
            type=self.kind,
            size=source.size,
            started_at=now if row is None or row.begun is None else row.begun,
            ended_at=now,
            reason="Another task or process is at it, and does not end.",
            listing=self.call.listing,
            unique_name=True,
        )

    async def _is_there(self, row: LedgerRow) -> bool:
        """Ask WeChat for the material, and for no more than the head of the answer."""
        try:
            async with self.session.open_material(row.material.media_id):
                return True
        except MediaNotFoundError:
            await self.ledger.forget(row.material.media_id)
            return False

    async def _look(self, row: LedgerRow, name: str) -> AddedMaterial | None:
        """Search the library for an upload whose end nobody saw; None where it is proven not to be there."""
        try:
            found = await self._search(row)
        except BaseException as error:
            said = error.message if isinstance(error, WxAssetError) else None
            await self.ledger.end(self.key, "unknown", error=said or row.error)
            raise
        if found is not None:
            await self.ledger.done(self.key, found)
            return found
        try:
            await self.ledger.plan(self.key, name)
        except BaseException:  # cancelled just then, or it cannot be written: others must not wait for this for ever
            await self.ledger.end(self.key, "planned")
            raise
        return None

    async def _search(self, row: LedgerRow) -> AddedMaterial | None:
        now = time.time()
        # Where it has no end its process died, which may have been just now.
        ended = now if row.ended is None else min(now, row.ended)
        doubt = UploadOutcomeUnknown(
            f"The upload of {row.filename} to {self.call.route.path} may or may not have happened.",
            self.call.route.path,
            filename=row.filename,
            type=row.type,
            size=row.size,
            started_at=ended if row.begun is None else row.begun,
            ended_at=ended,
            reason=row.error or "The process that sent it has ended.",
            listing=self.call.listing,
            unique_name=True,
        )
        policy = self.session._engine.uploads  # noqa: SLF001 - a part of the session
        until = max(ended + policy.visibility, doubt.started_at + policy.settle)
        for wait in polls(max(0.0, until - now)):
            await anyio.sleep(wait)
            if found := await self._find(doubt):
                return found
        return None

    async def _find(self, doubt: UploadOutcomeUnknown) -> AddedMaterial | None:
        # What has the name is right, also where a call of this session made it.
        session = self.session._adapted(register=UploadRegister())  # noqa: SLF001 - a part of the session
        try:
            return await session.resolve_upload(doubt)
        except UploadOutcomeUnknown as error:
            if not error.candidates:
                raise
            # All of them were made of the same bytes: the newest is as good as any.
            async for item in self.session.iter_materials("image" if self.kind == "thumb" else self.kind):
                if item.media_id in error.candidates:
                    return recovered(item)
            raise

    async def _send(self, source: Source) -> AddedMaterial:
        """Upload it, and note in the ledger when that begins and how it ends."""
        begun = False

        async def begin() -> None:
            nonlocal begun
            if not begun:
                await self.ledger.begin(self.key)
                begun = True

        session = self.session
        uploads = evolve(session._engine.uploads, unique_names=True)  # noqa: SLF001 - a part of the session
        engine = session._engine.with_options(uploads=uploads, mark=lambda: self.key.mark)  # noqa: SLF001 - the same
        try:
            added = await engine.call(self.call, source=announced(source, begin), progress=self.progress)
        except BaseException as error:  # noqa: BLE001 - raised again by `_fail`
            await self._fail(error, begun=begun)
        await self.ledger.done(self.key, added)
        return added

    async def _fail(self, error: BaseException, *, begun: bool) -> NoReturn:
        """Note how it ended: what was refused was not added, what was cancelled may have been."""
        if isinstance(error, WxAssetError) and not isinstance(error, UploadOutcomeUnknown):
            await self.ledger.end(self.key, "failed", error=error.message)
        else:
            said = error.message if isinstance(error, WxAssetError) else type(error).__name__
            await self.ledger.end(self.key, "unknown" if begun else "planned", error=said)
        raise error


def _path(media: Media) -> str | None:
    """Return the path of media that is one."""
    return os.fsdecode(media) if isinstance(media, str | os.PathLike) else None
