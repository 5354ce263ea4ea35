"""The verbs of cloud storage."""

import posixpath
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Generic, TypeVar

from attrs import frozen

from wxasset.batch.iteration import pulled
from wxasset.batch.outcomes import Failed, NotTried, Unknown
from wxasset.batch.pool import Batch
from wxasset.batch.work import Work
from wxasset.calls.base import Call
from wxasset.calls.cloud import (
    MAX_AGE,
    BatchDeleteFile,
    BatchDownloadFile,
    ComponentBatchDeleteFile,
    ComponentBatchDownloadFile,
    ComponentStartUpload,
    DeleteReport,
    StartUpload,
    WantedFile,
    check_fileid,
    outcomes,
    report,
)
from wxasset.calls.cloud_batches import Asking, Collected, FileIds, checked
from wxasset.calls.object_storage import FetchFile, FileURL, PutFile, links
from wxasset.engine.resume import resume
from wxasset.errors import StorageError, UsageError
from wxasset.session.base import Session
from wxasset.transfer.downloads.download import SavedMaterial
from wxasset.transfer.downloads.sink import Destination, open_sink
from wxasset.transfer.progress import Progress, check_progress
from wxasset.transfer.uploads.source import Media, Source, open_source
from wxasset.wire.limits import CLOUD_FILE

__all__ = ["CloudFiles"]

R = TypeVar("R")
S = TypeVar("S")


class CloudFiles(Session):
    """Operations on the files of a Mini Program's cloud environments."""

    async def upload_file(
        self,
        env: str,
        path: str,
        media: Media,
        *,
        filename: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
        as_component: bool = False,
    ) -> str:
        """Upload a file to cloud storage; what is at the path already is replaced.

        The same bytes at the same path do no harm, so that what broke is sent again, as far as the media can be read
        again. WeChat chooses the address that the bytes go to, which is judged like a download's: see `DownloadPolicy`.
        https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getUploadTcbFileLink.html

        Args:
            env: The cloud environment's id.
            path: Where in its storage, such as ``reports/2026/may.pdf``.
            media: As in `add_material`, of any format and up to 5 GB.
            filename: The name in the form; the file is called what `path` says.
            size: As in `add_material`.
            progress: As in `add_material`.
            as_component: As in `batch_delete_file`.

        Returns:
            The id of the file, such as ``cloud://env.bucket/reports/2026/may.pdf``.

        Raises:
            SourceError: The media cannot be read, is empty, changed, or cannot be read again. Nothing was stored.
            StorageError: Object storage refused it. Nothing was stored.
            UnsafeURLError: The address must not be followed. Nothing was sent there.
            APIError: WeChat refused it. Nothing was stored.
            RequestError: The network failed, on each attempt. The file may be there nevertheless: uploading it again
                is harmless.
        """
        check_progress(progress)
        start = (ComponentStartUpload if as_component else StartUpload)(env=env, path=path)
        source = await open_source(media, filename=filename, size=size, limit=CLOUD_FILE, limits=self._engine.limits)
        try:
            return await self._put(start, source, progress)
        finally:
            await source.aclose()

    async def _put(self, start: StartUpload, source: Source, progress: Progress | None) -> str:
        """Upload with upload credentials; replace expired ones once."""
        grant = await self._engine.call(start)
        try:
            await self._engine.put(PutFile.under(grant, start.path), source, progress)
        except StorageError as error:
            if not error.expired or not source.replayable:
                raise
        else:
            return grant.file_id
        grant = await self._engine.call(start)
        await self._engine.put(PutFile.under(grant, start.path), source, progress)
        return grant.file_id

    async def file_urls(
        self, env: str, fileids: FileIds, *, max_age: int = MAX_AGE, concurrency: int = 4, as_component: bool = False
    ) -> tuple[FileURL, ...]:
        """Ask for links to cloud files, any number of them, 50 to a request.

        https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html

        Args:
            env: The cloud environment's id.
            fileids: As in `batch_delete_file`.
            max_age: Seconds that the links shall live.
            concurrency: The most requests under way at once.
            as_component: As in `batch_delete_file`.

        Returns:
            An outcome for each id, in the order in which they were asked for; one that has no link says why.

        Raises:
            WxAssetError: Not one request was answered; the error is that of the first.
        """
        if type(max_age) is not int or max_age < 1:
            raise UsageError(f"max_age= is a number of seconds from 1; not {max_age!r}.")
        kind = ComponentBatchDownloadFile if as_component else BatchDownloadFile
        asking = Asking(
            lambda batch: kind(env=env, file_list=tuple(WantedFile(fileid=one, max_age=max_age) for one in batch)),
            lambda batch, answer: links(batch, answer, max_age),
        )
        return tuple(one for part in await self._ask(kind.route.path, asking, fileids, concurrency) for one in part)

    async def download_file(
        self,
        env: str,
        fileid: str,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
        as_component: bool = False,
    ) -> SavedMaterial:
        """Download a file from cloud storage; after a cut it goes on with what is missing.

        `RetryPolicy.attempts` counts from the last attempt that brought more of the file, so that any number of cuts
        is survived, for `RetryPolicy.timeout` seconds and what the bytes take at `Timeouts.min_rate`. What is there is
        kept only while its ETag is the same; else the download begins anew. The link is followed with care, see
        `DownloadPolicy`, and an expired one is replaced once.

        https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html

        Args:
            env: The cloud environment's id.
            fileid: The file's id, such as ``cloud://env.bucket/path``.
            to: As in `get_material`; in a directory the file takes the last part of its path for a name.
            progress: As in `get_material`; what was there before a cut counts.
            fsync: As in `get_material`.
            as_component: As in `batch_delete_file`.

        Raises:
            MediaNotFoundError: The file does not exist.
            DestinationError: It cannot be written; nothing incomplete was left there.
            TruncatedDownload: It could not be had whole; nothing incomplete was left.
            StorageError: Object storage refused it.
            WxAssetError: Anything else that went wrong.
        """
        check_progress(progress)
        kind = ComponentBatchDownloadFile if as_component else BatchDownloadFile
        call = kind(env=env, file_list=(WantedFile(fileid=check_fileid(fileid), max_age=MAX_AGE),))

        async def link() -> FetchFile:
            (found,) = links([fileid], await self._engine.call(call), MAX_AGE)
            return FetchFile(url=found.require(), fallback=posixpath.basename(fileid) or "file")

        return await resume(self._engine, link, await open_sink(to, fsync=fsync), progress)

    async def batch_delete_file(
        self, env: str, fileids: FileIds, *, concurrency: int = 4, as_component: bool = False
    ) -> DeleteReport:
        """Delete cloud files of a Mini Program, any number of them, 50 to a request.

        https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html

        Args:
            env: The cloud environment's id.
            fileids: Ids such as ``cloud://env.bucket/path``, from any iterable or async iterable, which is read no
                faster than the requests go; a repeated one is sent once. A plain iterator is pulled in a thread, and a
                generator is closed in the end. What it raises, or a token source of your own does, comes through when
                the requests under way have ended.
            concurrency: The most requests under way at once.
            as_component: Call ``/componenttcb`` with the token of a third-party platform, for the environments that it
                shares with its accounts; the session's ``tokens=`` is then the platform's source.

        Returns:
            An outcome for each id; `DeleteReport.raise_for_failed` makes an error of failures.

        Raises:
            WxAssetError: Not one request was answered; the error is that of the first.
        """
        kind = ComponentBatchDeleteFile if as_component else BatchDeleteFile
        asking = Asking(lambda batch: kind(env=env, fileid_list=batch), outcomes)
        return report(await self._ask(kind.route.path, asking, fileids, concurrency))

    async def _ask(self, path: str, asking: Asking[R, S], fileids: FileIds, concurrency: int) -> list[S]:
        """Send batches of ids as they are read and return their outcomes in order.

        At most `concurrency` requests are under way; the number is reduced while WeChat throttles requests.
        """

        async def send(request: _Request[R], work: Work) -> tuple[_Request[R], R]:
            return request, await self._observing(work).call(request.call)

        batch = Batch(_requests(asking, fileids), send, concurrency=concurrency, terms=self._terms(path, tries=1))
        async with batch as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, Failed | Unknown | NotTried):
                    asking.take(outcome.item.number, outcome.item.ids, outcome.error)
                else:
                    request, reply = outcome
                    asking.take(request.number, request.ids, reply)
        return asking.outcomes()


@frozen
class _Request(Generic[R]):
    """One request about at most 50 ids."""

    number: int
    ids: tuple[str, ...]
    call: Call[R]


async def _requests(asking: Asking[R, S], fileids: FileIds) -> AsyncGenerator[_Request[R], None]:
    """Make the requests, each when it can be sent."""
    number = 0
    async with pulled(checked(fileids)) as ids, aclosing(_batches(ids)) as batches:
        async for batch in batches:
            yield _Request(number, batch, asking.make(batch))
            number += 1


async def _batches(ids: AsyncIterator[str]) -> AsyncGenerator[tuple[str, ...], None]:
    """Give ids 50 at a time, in order and each of them once, reading no further than it takes."""
    collected = Collected()
    async for one in ids:
        if full := collected.add(one):
            yield full
    if rest := collected.rest():
        yield rest
