"""Look up uploads of unknown outcome in the library."""

import hashlib
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from wxasset.calls.materials import AddedMaterial, recovered
from wxasset.engine.loop import Loop
from wxasset.engine.operation import Operation
from wxasset.engine.recorder import OperationRecorder
from wxasset.engine.register import Pending
from wxasset.engine.replies import max_reply
from wxasset.errors import (
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
)
from wxasset.transfer.downloads.download import MaterialStream
from wxasset.transfer.http import Request
from wxasset.wire.codec import decode
from wxasset.wire.multipart import sent_name

if TYPE_CHECKING:
    from wxasset.calls.library import MaterialPage
    from wxasset.engine.library import LibraryIndex, SharedPages
    from wxasset.engine.reconcile import Finding, Lost

__all__ = ["Lookup"]


class Lookup(Loop):
    """Runs operations, and searches for uploads whose response was lost."""

    __slots__ = ()

    async def resolve(self, error: UploadOutcomeUnknown) -> AddedMaterial | None:
        """Find out whether an upload of unknown outcome happened."""
        from wxasset.engine.reconcile import Found, Missing, Unseen, still_unknown  # noqa: PLC0415 - few uploads are lost

        match await self.look(error, thorough=True):
            case Found(item):
                return recovered(item)
            case Missing():
                return None
            case Unseen(error=WxAssetError() as failure):
                raise failure
            case finding:
                raise still_unknown(error, finding)

    async def index(self, kind: str, pages: int | None = None) -> "LibraryIndex":
        """Read the list of a type to its end, or at most so many pages of it."""
        from wxasset.engine.library import LibraryIndex  # noqa: PLC0415 - few sessions compare a library with a ledger

        index = LibraryIndex.of(kind, self.register)
        left = pages
        while not index.ended and left != 0:
            page, now = await self._page(kind, index.offset)
            index.take(page, time.time() if now is None else now)
            left = None if left is None else left - 1
        return index

    async def look(
        self, error: UploadOutcomeUnknown, *, thorough: bool, shared: "SharedPages | None" = None
    ) -> "Finding":
        """Search for an upload of unknown outcome; only a `thorough` search proves absence.

        Args:
            error: The upload.
            thorough: Whether absence is to be proven.
            shared: Pages that were read for others already; this search reads the list once.
        """
        from wxasset.engine.reconcile import MORE_PAGES, Found, Search  # noqa: PLC0415 - as above
        from wxasset.engine.windows import recent, recorded  # noqa: PLC0415 - as above

        if error.listing is None:
            raise UsageError(f"WeChat has no list in which the upload to {error.path} could be looked up.")
        name, started = sent_name(error.filename), error.started_at
        known = self.register.given_up((error.listing, name, started))
        upload = known or Pending(listing=error.listing, name=name, marked=error.unique_name, started_at=started)
        search = Search(
            listing=self._page if shared is None else shared.over(self._page),
            hashing=self._sha256,
            register=self.register,
            upload=upload,
            window=partial(recent, known) if known else partial(recorded, started, error.ended_at, error.clock_ahead),
            sha256=error.sha256,
            owned=frozenset(error.owned),
            pages=MORE_PAGES,
            thorough=thorough,
        )
        # Asked at once, a list may not show it yet: absence takes as long as while the call waits.
        unseen = 0.0
        if thorough and shared is None:
            unseen = max(0.0, self.uploads.visibility - max(0.0, time.time() - error.ended_at))
        finding = await search.find(unseen, self.sleep, self.retry.timeout)
        if isinstance(finding, Found):
            self.register.end(upload)
        return finding

    async def _page(self, kind: str, offset: int) -> "tuple[MaterialPage, float | None]":
        """List a page for a search, with WeChat's time."""
        from wxasset.calls.library import ListMaterials  # noqa: PLC0415 - as above

        call, clock = ListMaterials(type=kind, offset=offset), self.register.clock

        async def once(request: Request, _: bool) -> "MaterialPage":  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                body = await reply.read(max_reply(call, self.limits))
                clock.tell(reply.date)
            page: MaterialPage = decode(body, call.reply, call.route.path)
            return page

        return await self._run(Operation(call), once), clock.now()

    async def _sha256(self, media_id: str) -> str | None:
        """Return the hash of a material; None if it has no bytes to compare, or cannot be read."""
        from wxasset.calls.library import GetMaterial  # noqa: PLC0415 - as above

        digest = hashlib.sha256()
        with suppress(WxAssetError):
            async with self.open(GetMaterial(media_id=media_id)) as answer:
                if isinstance(answer, MaterialStream):
                    async for chunk in answer:
                        digest.update(chunk)
                    return digest.hexdigest()
        return None

    async def _find(
        self, lost: "Lost", recorder: OperationRecorder, upload: Pending | None, cost: int | None, patience: float
    ) -> Any:
        """Search for an upload whose response was lost; return its result, or raise `UploadOutcomeUnknown`."""
        from wxasset.engine.reconcile import Found, Search, Unseen  # noqa: PLC0415 - as above
        from wxasset.engine.windows import recent  # noqa: PLC0415 - as above

        unique, search = upload is not None and upload.marked, self.uploads.reconcile == "search" and cost is not None
        if upload is not None and search:
            self.quota.spend(cost or 0)  # at once: others decide by what is left
        lost = await self._with_facts(lost, upload)
        if upload is None or self.uploads.reconcile == "raise":
            raise lost.unknown(unique=unique) from lost.failure
        if cost is None:
            raise lost.unknown(Unseen("too much is failing to search the library"), unique=unique) from lost.failure
        window = partial(recent, upload)
        finding = await Search(self._page, self._sha256, self.register, upload, window, lost.sha256).find(
            self.uploads.visibility, self.sleep, patience
        )
        self._events(recorder).searched(finding)
        if not isinstance(finding, Unseen) or finding.error is None:
            self.quota.refill(cost)
        if isinstance(finding, Found):
            return lost.call.recover(finding.item)
        lost = await self._with_facts(lost, upload)
        raise lost.unknown(finding, unique=unique) from lost.failure

    async def _with_facts(self, lost: "Lost", upload: Pending | None) -> "Lost":
        """Add the facts for a search in another process; an upload that is not listed has none."""
        if upload is None or lost.source is None:
            return lost
        from wxasset.transfer.uploads.source import sha256_of  # noqa: PLC0415 - as above

        sha256 = lost.sha256
        if sha256 is None and not upload.marked and lost.source.replayable:
            with suppress(Exception):  # changed or gone: then no match is certain
                sha256 = await sha256_of(lost.source)
        owned, ahead = self.register.owned_since(upload.begun), self.register.clock.ahead()
        return evolve(lost, sha256=sha256, owned=owned, ahead=ahead)
