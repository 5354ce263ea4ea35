"""The verb for adding a material exactly once."""

import time
from typing import TYPE_CHECKING

from wxasset.calls.base import MediaType
from wxasset.calls.materials import AddedMaterial, AddMaterial
from wxasset.engine.engine import Engine
from wxasset.errors import Later, RateLimitedError, UploadOutcomeUnknown, UsageError
from wxasset.session.base import check_ledger
from wxasset.session.materials import Materials, adding
from wxasset.transfer.progress import Progress, check_progress
from wxasset.transfer.uploads.media import Media
from wxasset.wire.realms import realm_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wxasset.batch.slots import Turn
    from wxasset.ledger.ahead import Unsent
    from wxasset.ledger.ledger import Ledger
    from wxasset.ledger.library import AccountLibrary
    from wxasset.ledger.records import LedgerRow, UploadKey

__all__ = ["Ensuring"]


class Ensuring(Materials):
    """Operations on materials recorded in a ledger."""

    async def ensure_material(
        self,
        type: MediaType,  # noqa: A002 - WeChat's own name for it
        media: Media,
        *,
        filename: str | None = None,
        title: str | None = None,
        introduction: str | None = None,
        verify: bool = False,
        retry_refused: bool = False,
        wait: bool = True,
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
        what is found was made of the same bytes, whoever sent them. What a list proves to be absent
        `UploadPolicy.settle` seconds after its last attempt ended (or the lease of its process, or after this call
        found that its process had exited) counts as never added: a material that WeChat makes later than that is there
        twice in the end. Choose up to 600 seconds where that matters more than the wait. A list
        proves absence if it is sorted and complete, and has no other material of unknown origin of that time.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_addmaterial.html

        Args:
            type: As in `add_material`; the same bytes as an image and as a thumb are two materials.
            media: As in `add_material`.
            filename: As in `add_material`.
            title: As in `add_material`; a video with another title, or introduction, is another material.
            introduction: As in `add_material`.
            verify: Check that WeChat still has the material, with one call of ``get_material`` ended at the first
                bytes. A missing material is added again.
            retry_refused: Send a file that WeChat refused before. By default a refusal of the file itself (its format,
                size or length) is remembered, and raised again without a request; another file name, or another title
                of a video, is another try.
            wait: Whether to sleep until an upload in doubt has settled, another task or process is done with it, or
                WeChat's next minute begins; False to raise `Later` instead, for a worker of a queue.
            ledger: The ledger; by default the one of the session.
            progress: As in `add_material`; not called if the upload is skipped.

        Raises:
            UsageError: There is no ledger, or it cannot tell which account this is.
            LedgerError: The ledger cannot be read or written; its `material` is what was added nevertheless.
            Later: Only with ``wait=False``: another try makes sense at its `at`. It is raised for a lost response too.
            UploadOutcomeUnknown: It was sent and the answer was lost, and the library does not show it for certain;
                the next call searches again before it sends. Or another task or process has been at it for longer than
                this call may take.
            WxAssetError: As in `add_material`.
        """
        keeper = self._keeper(ledger)
        if keeper is None:
            raise UsageError("There is no ledger: pass ledger=, here or to the session.")
        ensuring = self._ensure(
            adding(type, title, introduction),
            media,
            filename=filename,
            ledger=keeper,
            engine=self._engine if wait else self._engine.with_options(minutes=False),
            verify=verify,
            retry_refused=retry_refused,
            waits=wait,
            progress=progress,
        )
        try:
            ensured, _ = await ensuring
        except (RateLimitedError, UploadOutcomeUnknown) as error:
            at = None if wait else self._next_try(error)
            if at is None:
                raise
            raise Later(f"Not decided yet: {error.message}", at=at) from error
        return ensured

    def _next_try(self, error: RateLimitedError | UploadOutcomeUnknown) -> float | None:
        """Return the unix time of a further try; None for an upload in doubt that could not be settled in its time."""
        now = time.time()
        if isinstance(error, RateLimitedError):
            return now + self._engine.register.clock.next_minute()
        at = min(error.ended_at, now) + self._settle()  # a clock may have been set
        return at if at > now else None

    def _settle(self) -> float:
        """Return the seconds after which a ledger can settle a lost upload; 0 if that is left to the caller."""
        policy = self._engine.uploads
        return max(policy.visibility, policy.settle) if policy.reconcile == "search" else 0.0

    def account_library(self, ledger: "Ledger") -> "AccountLibrary":
        """Return the library of the account, for `Ledger.adopt` and `Ledger.verify`.

        Raises:
            UsageError: The session does not know its appid.
        """
        from wxasset.ledger.library import AccountLibrary  # noqa: PLC0415 - few sessions compare a library with a ledger

        self._keeper(ledger)
        realm = ledger.realm or realm_of(self._transport.api)
        return AccountLibrary(self._engine, ledger, self._appid or "", realm, self.open_material)

    def _keeper(self, ledger: "Ledger | None") -> "Ledger | None":
        """Return the ledger to use; require an appid."""
        check_ledger(ledger)
        keeper = ledger or self._ledger
        if keeper is not None and self._appid is None:
            raise UsageError("A ledger needs to know the account: pass its appid to the session, beside tokens=.")
        return keeper

    async def _ensure(
        self,
        call: AddMaterial,
        media: Media,
        *,
        filename: str | None = None,
        size: int | None = None,
        ledger: "Ledger",
        engine: Engine,
        verify: bool = False,
        retry_refused: bool = False,
        waits: bool = True,
        claimed_since: "dict[UploadKey, float] | None" = None,
        progress: Progress | None = None,
        looked: "Unsent | None" = None,
        turn: "Turn | None" = None,
    ) -> tuple[AddedMaterial, bool]:
        """Return the material, and True if it was not sent; `engine` sends it.

        Without `waits`, `Later` is raised for an upload in doubt, or claimed by others; `claimed_since` belongs to a
        batch. `looked` is the media, if it was looked up and read already. `turn` is the slot in a batch.
        """
        from wxasset.ledger.ensure import EnsuredUpload, key_of  # noqa: PLC0415 - few sessions have a ledger

        check_progress(progress)
        if looked is None:
            await ledger.adopt_first(self.account_library(ledger), call.type)
            key, read = key_of(call, self._appid or "", await ledger.realm_of(self._transport.api)), None
        else:
            key, read = looked.key, looked.file
        upload = EnsuredUpload(
            engine,
            ledger,
            self.open_material,
            call,
            key,
            media,
            filename,
            size,
            progress,
            retry_refused,
            waits,
            claimed_since,
            read,
            turn,
        )
        if read is None and (known := await upload.look_up(verify=verify)) is not None:
            return known, True
        return await upload.ensure(verify=verify)

    async def _look_up(
        self, kind: str, wanted: "Sequence[tuple[AddMaterial, Media] | None]", ledger: "Ledger", most: int
    ) -> "list[LedgerRow | Unsent | None]":
        """Look up many materials at once, and read files to be sent; None for what has to be looked up by itself."""
        from wxasset.ledger.ensure import key_of  # noqa: PLC0415 - as above
        from wxasset.ledger.new_material import path_of  # noqa: PLC0415 - as above

        await ledger.adopt_first(self.account_library(ledger), kind)
        realm = await ledger.realm_of(self._transport.api)
        appid = self._appid or ""
        last, key = None, None  # most items of a batch have the same call
        places, paths, keys = [], [], []
        for at, one in enumerate(wanted):
            if one is None or (path := path_of(one[1])) is None:
                continue
            if one[0] is not last or key is None:
                last, key = one[0], key_of(one[0], appid, realm)
            places.append(at)
            paths.append(path)
            keys.append(key)
        found: list[LedgerRow | Unsent | None] = [None] * len(wanted)
        for at, looked in zip(places, await ledger.look_up(keys, paths, most), strict=True):
            found[at] = looked
        return found
