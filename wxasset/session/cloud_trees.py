"""The verbs for directories of cloud files."""

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from wxasset.calls.fileids import FileIds, check_fileid, checked
from wxasset.errors import SourceError, UsageError
from wxasset.session.cloud import linking, receive
from wxasset.session.cloud_batches import CloudFileBatches
from wxasset.transfer.downloads.writer import in_thread
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.media import Media
from wxasset.transfer.uploads.tree import tree_files
from wxasset.wire.file_paths import local_paths, stored_path

if TYPE_CHECKING:
    from wxasset.batch.pool import Batch
    from wxasset.batch.tally import Progress
    from wxasset.batch.work import Work
    from wxasset.calls.object_storage import FetchFile
    from wxasset.session.outcomes import Downloaded, Uploaded

__all__ = ["CloudTrees", "FileTree"]

T = TypeVar("T")
Pairs: TypeAlias = Iterable[tuple[str, Media]] | AsyncIterable[tuple[str, Media]]
FileTree: TypeAlias = str | os.PathLike[str] | Mapping[str, Media] | Pairs
"""A directory; or media by their relative paths, as a mapping or as pairs."""


class CloudTrees(CloudFileBatches):
    """Operations on directories of cloud files."""

    def upload_files(
        self,
        env: str,
        files: FileTree,
        *,
        prefix: str = "",
        concurrency: int = 8,
        progress: "Progress | None" = None,
        max_rate: float | None = None,
        as_component: bool = False,
    ) -> "Batch[str, Uploaded]":
        """Upload a directory, or many media, to cloud storage; relative paths are kept.

        ::

            report = await wx.upload_files(env, "public", prefix="site/").report()

        All names are known before the first file is sent, and are kept in memory. The rest is as in `add_materials`.

        Args:
            env: The cloud environment's id.
            files: A directory; or a mapping or pairs of a relative path and media, each as in `upload_file`. A symbolic
                link in the directory comes as `Failed`.
            prefix: The directory in the storage.
            concurrency: As in `add_materials`.
            progress: As in `add_materials`.
            max_rate: As in `add_materials`.
            as_component: As in `batch_delete_file`.

        Yields:
            `Uploaded`, `Failed` or `NotTried` for each; their `item` is the path in the storage.

        Raises:
            SourceError: A directory cannot be read; raised where the block is entered, and nothing was sent.
            UsageError: Two files have the same path, or a path is not relative; likewise.
        """
        from wxasset.batch.iteration import check_items  # noqa: PLC0415 - most sessions have no cloud files
        from wxasset.batch.pool import Batch  # noqa: PLC0415 - as above
        from wxasset.calls.cloud import ComponentStartUpload, StartUpload  # noqa: PLC0415 - as above
        from wxasset.session.outcomes import Uploaded  # noqa: PLC0415 - as above

        if not isinstance(files, str | os.PathLike):
            check_items(files)
        stored_path("", prefix.rstrip("/") or "-")
        plan: dict[str, Media | SourceError] = {}

        async def prepare() -> None:
            plan.update(await _stored(files, prefix))

        async def put(path: str, work: "Work") -> Uploaded:
            media = plan[path]
            if isinstance(media, SourceError):
                raise media
            session = self._with_engine(self._observing(work), self._ledger, self._appid)
            fileid = await session.upload_file(env, path, media, progress=work.sent, as_component=as_component)
            return Uploaded(path, fileid)

        terms = self._terms((ComponentStartUpload if as_component else StartUpload).route.path, max_rate)
        return Batch(_keys(plan), put, concurrency=concurrency, progress=progress, before=prepare, terms=terms)

    def download_files(
        self,
        env: str,
        fileids: FileIds,
        to: str | os.PathLike[str],
        *,
        concurrency: int = 8,
        progress: "Progress | None" = None,
        fsync: bool = False,
        max_rate: float | None = None,
        as_component: bool = False,
    ) -> "Batch[str, Downloaded]":
        """Download many cloud files into a directory; their paths in the storage are kept below it.

        All ids are read before the first file is asked for. The rest is as in `get_materials` and `download_file`.

        Args:
            env: The cloud environment's id.
            fileids: Ids such as ``cloud://env.bucket/path``; a repeated one is downloaded once.
            to: The directory; it is created for the first file. Each part of a path is made safe; a file that is there
                is replaced.
            concurrency: As in `add_materials`.
            progress: As in `add_materials`.
            fsync: As in `get_material`.
            max_rate: As in `add_materials`.
            as_component: As in `batch_delete_file`.

        Yields:
            `Downloaded`, `Failed` or `NotTried` for each.

        Raises:
            UsageError: An id has no relative path, or two files would be one on some system, such as ``a.png`` and
                ``A.png``; raised where the block is entered, and nothing was asked for.
        """
        from wxasset.batch.iteration import pulled  # noqa: PLC0415 - as above
        from wxasset.batch.pool import Batch  # noqa: PLC0415 - as above
        from wxasset.calls.cloud import BatchDownloadFile, ComponentBatchDownloadFile  # noqa: PLC0415 - as above
        from wxasset.session.outcomes import Downloaded  # noqa: PLC0415 - as above
        from wxasset.transfer.downloads.paths import place_below  # noqa: PLC0415 - many sessions save no file
        from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - as above

        if not isinstance(to, str | os.PathLike):
            raise UsageError(f"to= must be a directory for many files, not {type(to).__name__}.")
        ids, directory = checked(fileids), os.fsdecode(to)
        plan: dict[str, str] = {}

        async def prepare() -> None:
            async with pulled(ids) as source:
                plan.update(local_paths([check_fileid(one) async for one in source]))

        async def get(fileid: str, work: "Work") -> Downloaded:
            engine = self._observing(work)
            link = linking(engine, env, fileid, as_component=as_component)
            found = [await link()]  # before a directory is made for it

            async def again() -> "FetchFile":
                return found.pop() if found else await link()

            path = await in_thread(place_below, directory, plan[fileid], name=directory)
            sink = await open_sink(path, fsync=fsync)
            return Downloaded(fileid, await receive(engine, fileid, again, sink, work.received))

        terms = self._terms((ComponentBatchDownloadFile if as_component else BatchDownloadFile).route.path, max_rate)
        return Batch(_keys(plan), get, concurrency=concurrency, progress=progress, before=prepare, terms=terms)


async def _keys(plan: Mapping[str, object]) -> AsyncGenerator[str, None]:
    """Give the names of a plan, which is made when the batch begins."""
    for name in list(plan):
        yield name


async def _stored(files: FileTree, prefix: str) -> dict[str, Media | SourceError]:
    """Return media, or their errors, by their paths in the storage; refuse two of one path."""
    from wxasset.batch.iteration import pulled  # noqa: PLC0415 - as above

    plan: dict[str, Media | SourceError] = {}
    pairs: Iterable[tuple[str, Media | SourceError]] | AsyncIterable[tuple[str, Media]]
    if isinstance(files, str | os.PathLike):
        pairs = (await run_in_thread(tree_files, os.fsdecode(files))).items()
    else:
        pairs = list(files.items()) if isinstance(files, Mapping) else files
    async with pulled(pairs) as source:
        async for name, media in source:
            path = stored_path(prefix, name)
            if path in plan:
                raise UsageError(f"Two files have the path {path!r}; nothing was sent.")
            plan[path] = media
    return plan
