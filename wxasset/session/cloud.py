"""The verbs of cloud storage."""

import posixpath
from hashlib import sha256
from typing import TYPE_CHECKING

from wxasset.calls.fileids import MAX_AGE, check_fileid
from wxasset.engine.engine import Engine
from wxasset.errors import StorageError
from wxasset.session.base import Session
from wxasset.transfer.downloads.destination import Destination, Digest
from wxasset.transfer.downloads.download import SavedMaterial
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.progress import Progress, check_progress
from wxasset.transfer.uploads.media import Media
from wxasset.wire.limits import CLOUD_FILE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wxasset.calls.cloud import StartUpload
    from wxasset.calls.object_storage import FetchFile
    from wxasset.transfer.uploads.source import Source

__all__ = ["CloudFiles", "linking", "receive"]


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
        from wxasset.calls.cloud import ComponentStartUpload, StartUpload  # noqa: PLC0415 - most sessions have no cloud files
        from wxasset.transfer.uploads.source import open_source  # noqa: PLC0415 - many sessions upload nothing

        check_progress(progress)
        start = (ComponentStartUpload if as_component else StartUpload)(env=env, path=path)
        source = await open_source(media, filename=filename, size=size, limit=CLOUD_FILE, limits=self._engine.limits)
        try:
            return await self._put(start, source, progress)
        finally:
            await source.aclose()

    async def _put(self, start: "StartUpload", source: "Source", progress: Progress | None) -> str:
        """Upload with upload credentials; replace expired ones once."""
        from wxasset.calls.object_storage import PutFile  # noqa: PLC0415 - as above

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

    async def download_file(
        self,
        env: str,
        fileid: str,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
        as_component: bool = False,
    ) -> SavedMaterial:
        """Download a file from cloud storage; after a cut it goes on with what is missing.

        `RetryPolicy.attempts` counts from the last attempt that brought more of the file, so that any number of cuts
        is survived, for `RetryPolicy.timeout` seconds and what the bytes take at `Timeouts.min_rate`. To a path, the
        bytes that a killed process left beside it are kept too. What is there is kept only while its ETag is the same;
        else the download begins anew. The link is followed with care, see `DownloadPolicy`, and an expired one is
        replaced once.

        https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html

        Args:
            env: The cloud environment's id.
            fileid: The file's id, such as ``cloud://env.bucket/path``.
            to: As in `get_material`; in a directory the file takes the last part of its path for a name.
            progress: As in `get_material`; what was there before a cut counts.
            fsync: As in `get_material`.
            digest: As in `get_material`.
            as_component: As in `batch_delete_file`.

        Raises:
            MediaNotFoundError: The file does not exist.
            DestinationError: It cannot be written; nothing incomplete was left there.
            TruncatedDownload: It could not be had whole; nothing incomplete was left.
            StorageError: Object storage refused it.
            WxAssetError: Anything else that went wrong.
        """
        from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - many sessions save no file

        check_progress(progress)
        link = linking(self._engine, env, fileid, as_component=as_component)
        return await receive(self._engine, fileid, link, await open_sink(to, fsync=fsync, digest=digest), progress)


def linking(engine: Engine, env: str, fileid: str, *, as_component: bool) -> "Callable[[], Awaitable[FetchFile]]":
    """Return a function that asks for a link to a file."""
    from wxasset.calls.cloud import (  # noqa: PLC0415 - as above
        BatchDownloadFile,
        ComponentBatchDownloadFile,
        WantedFile,
    )
    from wxasset.calls.file_urls import links  # noqa: PLC0415 - as above
    from wxasset.calls.object_storage import FetchFile  # noqa: PLC0415 - as above

    kind = ComponentBatchDownloadFile if as_component else BatchDownloadFile
    call = kind(env=env, file_list=(WantedFile(fileid=check_fileid(fileid), max_age=MAX_AGE),))

    async def link() -> FetchFile:
        (found,) = links([fileid], await engine.call(call), MAX_AGE)
        return FetchFile(url=found.require(), fallback=posixpath.basename(fileid) or "file")

    return link


async def receive(
    engine: Engine, fileid: str, link: "Callable[[], Awaitable[FetchFile]]", sink: Sink, progress: Progress | None
) -> SavedMaterial:
    """Download a file into a sink."""
    from wxasset.engine.resume import resume  # noqa: PLC0415 - as above

    sink.mark = sha256(fileid.encode()).hexdigest()[:16]
    return await resume(engine, link, sink, progress)
