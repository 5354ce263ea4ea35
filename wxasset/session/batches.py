"""The verbs for many materials at once."""

import os
from collections.abc import AsyncIterable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

from attrs import evolve

from wxasset.calls.base import MediaType
from wxasset.calls.materials import AddedMaterial, AddMaterial
from wxasset.errors import DestinationError, LedgerError, NotAFileError, UsageError, WxAssetError
from wxasset.session.ensure import Ensuring
from wxasset.transfer.downloads.download import SavedMaterial
from wxasset.transfer.downloads.writer import in_thread
from wxasset.wire.limits import ADD_MATERIAL

if TYPE_CHECKING:
    from wxasset.batch.ahead import Ready
    from wxasset.batch.pool import Batch
    from wxasset.batch.tally import Progress
    from wxasset.batch.work import Work
    from wxasset.ledger.ahead import Unsent
    from wxasset.ledger.ledger import Ledger
    from wxasset.ledger.new_material import NewMaterial
    from wxasset.ledger.records import UploadKey
    from wxasset.session.adding import Adding
    from wxasset.session.fetched import Fetched
    from wxasset.session.outcomes import Added, Deleted
    from wxasset.transfer.uploads.media import Media

__all__ = ["Bulk"]


T = TypeVar("T", bound="Media | NewMaterial")
_FULL: Final = 16
"""Files of the size `SMALL` that are read ahead, 4 MiB together; two groups are kept."""


class Bulk(Ensuring):
    """Operations on many materials at once."""

    def add_materials(
        self,
        type: MediaType,  # noqa: A002 - WeChat's own name for it
        media: Iterable[T] | AsyncIterable[T],
        *,
        title: str | None = None,
        introduction: str | None = None,
        concurrency: int = 8,
        ledger: "Ledger | None" = None,
        retry_refused: bool = False,
        progress: "Progress | None" = None,
        max_rate: float | None = None,
    ) -> "Batch[T, Added[T]]":
        """Add many permanent materials, some at a time; every one has exactly one outcome, in any order.

        ::

            async with wx.add_materials("image", Path("posters").glob("*.png")) as outcomes:
                async for outcome in outcomes:
                    match outcome:
                        case Added(path, material): ...
                        case Failed(path, error) | NotTried(path, error): ...
                        case Unknown(path, error): ...  # it may have been added

            report = await wx.add_materials("image", Path("posters").glob("*.png")).report()

        What is kept in memory depends on `concurrency` alone. Concurrency is reduced while WeChat throttles requests
        (-1, 45011, also the statuses 429 and 503), and comes back by itself. After 45011 the batch waits for the next
        minute, any number of times. While the network, WeChat or the token endpoint is down, single items probe for
        it; after `RetryPolicy.timeout` seconds without a sign of life the rest comes as `NotTried`. So it does after a
        spent daily quota, a full library, a refused credential or address, a missing permission, or a ledger that
        cannot be written. Leaving the block early cancels what is under way.

        Args:
            type: As in `add_material`.
            media: What to add, each as in `add_material`, or a `NewMaterial` with a name or a title of its own. A plain
                iterator is pulled in a thread, as it may block on a directory; what has to stay in its thread (a cursor
                of SQLite) comes as a list or an async generator. One that blocks for ever (``iter(queue.get, None)``)
                holds up the end of the batch: use an async generator. A generator is closed in the end.
            title: The title of videos; a video needs one, here or as a `NewMaterial`.
            introduction: The introduction of videos.
            concurrency: The most materials under way at once.
            ledger: With one, or where the session has one, each material is ensured as by `ensure_material`: what the
                library has is skipped, and a job that was killed goes on where it was. A file that WeChat refused is
                `Failed` again without a request. A file whose response was lost waits without a slot for
                `UploadPolicy.settle` seconds, and is sent again if the library proves that it is not there.
            retry_refused: Send the files that WeChat refused before, as in `ensure_material`.
            progress: Called with a `BatchProgress`, at most ten times a second and in the end.
            max_rate: Most calls a minute, retries included; None without a limit.

        Yields:
            `Added`, `Failed`, `Unknown` or `NotTried` for each. What `media` itself or `progress` raises is raised
            where they are taken, after the outcomes of what was under way.

        Raises:
            UsageError: `media` is no iterable, or a single text; the type is unknown; the ledger cannot tell which
                account this is; or the block was left before an outcome was taken.
        """
        from wxasset.batch.ahead import Ahead  # noqa: PLC0415 - many sessions have no batches
        from wxasset.batch.pool import Batch  # noqa: PLC0415 - as above
        from wxasset.session.adding import Adding, is_light, is_repeatable, read_media  # noqa: PLC0415 - as above
        from wxasset.session.outcomes import Added  # noqa: PLC0415 - as above
        from wxasset.transfer.uploads.content import SMALL  # noqa: PLC0415 - as above

        if type not in tuple(ADD_MATERIAL):
            raise UsageError(f"There is no media type {type!r}. Use one of: {', '.join(ADD_MATERIAL)}.")
        keeper = self._keeper(ledger)
        claimed_since: dict[UploadKey, float] = {}
        plain = Adding(type, title, introduction, self._observing)

        async def look(items: Sequence[T]) -> Sequence[object]:
            most = min(concurrency, _FULL) * SMALL
            if keeper is None:
                return await read_media(items, most)
            return await self._look_ahead(plain, items, ledger=keeper, most=most)

        async def add(item: T, work: "Work") -> Added[T]:
            repeatable = is_repeatable(item)
            if keeper is not None:
                call, source, filename, size = plain.described(item)
                engine = plain.engine(work, minutes=not repeatable)
                try:
                    ensured, skipped = await self._ensure(
                        call,
                        source,
                        filename=filename,
                        size=size,
                        ledger=keeper,
                        engine=engine,
                        retry_refused=retry_refused,
                        waits=not repeatable,
                        claimed_since=claimed_since,
                        progress=work.sent,
                        looked=cast("Unsent | None", work.looked),
                        turn=work.turn,
                    )
                except LedgerError as error:
                    if not isinstance(error.material, AddedMaterial):
                        raise
                    return Added(item, error.material, unrecorded=error.with_traceback(None))
                plain.take_back(engine)
                return Added(item, ensured, skipped)
            return Added(item, await plain.add(item, work, minutes=not repeatable))

        terms = evolve(
            self._terms(AddMaterial.route.path, max_rate),
            repeatable=is_repeatable,
            settle=0.0 if keeper is None else self._settle(),
            early=keeper is not None,
        )
        ahead = Ahead(look, is_light)
        return Batch(media, add, concurrency=concurrency, progress=progress, ahead=ahead, terms=terms)

    async def _look_ahead(
        self, adding: "Adding", items: Sequence[T], *, ledger: "Ledger", most: int
    ) -> "Sequence[Ready | Unsent | None]":
        """Look up many items at once, and read up to `most` bytes of those to be sent; a failure is told by each."""
        from wxasset.batch.ahead import Ready  # noqa: PLC0415 - as above
        from wxasset.ledger.records import LedgerRow  # noqa: PLC0415 - as above
        from wxasset.session.outcomes import Added  # noqa: PLC0415 - as above

        try:
            found = await self._look_up(adding.type, [adding.wanted(item) for item in items], ledger, most)
        except WxAssetError:
            return [None] * len(items)
        return [
            Ready(Added(item, one.material, skipped=True)) if isinstance(one, LedgerRow) else one
            for item, one in zip(items, found, strict=True)
        ]

    def get_materials(
        self,
        media_ids: Iterable[str] | AsyncIterable[str],
        to: str | os.PathLike[str],
        *,
        concurrency: int = 8,
        ledger: "Ledger | None" = None,
        progress: "Progress | None" = None,
        fsync: bool = False,
        max_rate: float | None = None,
    ) -> "Batch[str, Fetched]":
        """Fetch many permanent materials into a directory, some at a time; every id has exactly one outcome.

        The rest is as in `add_materials`.

        Args:
            media_ids: Their ids; one that comes twice is fetched twice.
            to: A directory; one that ends with ``/`` is created. Each file takes the name that WeChat gave, made safe,
                and replaces nothing: of two with the same name the second gets a number. A video leaves the video file,
                articles leave no file.
            concurrency: As in `add_materials`.
            ledger: With one, or where the session has one, a material whose file was fetched into this directory of
                this host before, and is still there, is skipped.
            progress: As in `add_materials`.
            fsync: As in `get_material`.
            max_rate: As in `add_materials`.

        Yields:
            `Fetched`, `Failed` or `NotTried` for each.

        Raises:
            DestinationError: There is no such directory, or it cannot be created; raised where the block is entered.
            UsageError: `media_ids` is no iterable, or a single text; or the ledger cannot tell which account this is.
        """
        from wxasset.batch.pool import Batch  # noqa: PLC0415 - as above
        from wxasset.calls.library import GetMaterial, Video  # noqa: PLC0415 - as above
        from wxasset.session.fetched import Fetched, FetchRecord  # noqa: PLC0415 - as above

        async def get(media_id: str, work: "Work") -> Fetched:
            if record is not None and (known := await record.find(media_id)) is not None:
                return known
            session = self._observed(work)
            material = await session.get_material(media_id, to, progress=work.received, fsync=fsync)
            file = material if isinstance(material, SavedMaterial) else None
            if isinstance(material, Video):
                with suppress(NotAFileError):  # WeChat has only a page for it
                    file = await session.download_video(material, to, progress=work.received, fsync=fsync)
            try:
                if record is not None and file is not None:
                    await record.note(media_id, material, file)
            except LedgerError as error:
                return Fetched(media_id, material, file, unrecorded=error.with_traceback(None))
            return Fetched(media_id, material, file)

        if not isinstance(to, str | os.PathLike):
            raise UsageError(f"to= must be a directory for many materials, not {type(to).__name__}.")
        keeper = self._keeper(ledger)
        api, appid = self._engine.transport.api, self._appid or ""
        record = None if keeper is None else FetchRecord(keeper, os.fsdecode(to), api, appid)
        check = partial(_check_directory, to)
        terms = self._terms(GetMaterial.route.path, max_rate)
        return Batch(media_ids, get, concurrency=concurrency, progress=progress, before=check, terms=terms)

    def del_materials(
        self,
        media_ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 8,
        progress: "Progress | None" = None,
        max_rate: float | None = None,
    ) -> "Batch[str, Deleted]":
        """Delete many permanent materials, some at a time; every id has exactly one outcome.

        The rest is as in `add_materials`.

        Args:
            media_ids: Their ids, for example of ``iter_materials``. One that comes twice is sent once, and has one
                outcome; some 100 bytes are kept for each id.
            concurrency: As in `add_materials`.
            progress: As in `add_materials`.
            max_rate: As in `add_materials`.

        Yields:
            `Deleted`, `Failed` or `NotTried` for each.

        Raises:
            UsageError: `media_ids` is no iterable, or a single text.
        """
        from wxasset.batch.iteration import distinct  # noqa: PLC0415 - as above
        from wxasset.batch.pool import Batch  # noqa: PLC0415 - as above
        from wxasset.calls.library import DeleteMaterial  # noqa: PLC0415 - as above
        from wxasset.session.outcomes import Deleted  # noqa: PLC0415 - as above

        async def delete(media_id: str, work: "Work") -> Deleted:
            await self._observed(work).del_material(media_id)
            return Deleted(media_id)

        terms = self._terms(DeleteMaterial.route.path, max_rate)
        return Batch(distinct(media_ids), delete, concurrency=concurrency, progress=progress, terms=terms)

    def _observed(self, work: "Work") -> Self:
        """Return this session with calls that report their failed attempts."""
        return self._with_engine(self._observing(work), self._ledger, self._appid)


async def _check_directory(directory: str | os.PathLike[str]) -> None:
    """Look for the directory first: to a path, one material after the other would replace its predecessor."""
    from wxasset.transfer.downloads.paths import is_directory  # noqa: PLC0415 - as above

    path = os.fsdecode(directory)
    if not await in_thread(is_directory, path, name=path):
        raise DestinationError(f"{path} is no directory; a path that ends with / is created as one.")
