"""The verbs of permanent materials and of images for articles."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from wxasset.calls.base import ListedType, MediaType
from wxasset.calls.materials import AddedMaterial, AddMaterial, Description
from wxasset.engine.pager import Pager
from wxasset.errors import UploadOutcomeUnknown, UsageError
from wxasset.session.declared import DeclaredCalls
from wxasset.session.paging import iterate
from wxasset.transfer.downloads.destination import Destination, Digest
from wxasset.transfer.downloads.download import MaterialStream, SavedMaterial
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.media import Media

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from wxasset.calls.library import MaterialCount, MaterialItem, MaterialPage, News, Video

__all__ = ["Materials", "adding"]


def adding(kind: str, title: str | None, introduction: str | None) -> AddMaterial:
    """Return the call that adds a material."""
    described = title is not None or introduction is not None
    description = Description(title=title or "", introduction=introduction or "") if described else None
    return AddMaterial(type=kind, description=description)


class Materials(DeclaredCalls):
    """Operations on the library of an account."""

    async def add_material(
        self,
        type: MediaType,  # noqa: A002 - WeChat's own name for it
        media: Media,
        *,
        filename: str | None = None,
        size: int | None = None,
        title: str | None = None,
        introduction: str | None = None,
        progress: Progress | None = None,
    ) -> AddedMaterial:
        """Add a permanent material to the library.

        The library holds 100,000 images and articles together, and 1,000 of each other type.
        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_addmaterial.html

        Args:
            type: ``image`` (bmp, png, jpeg, gif; 10 MiB), ``voice`` (mp3, wma, wav, amr; 2 MiB, 60 s), ``video``
                (mp4; 10 MiB) or ``thumb`` (jpeg; 64 KiB; it is listed among the images).
            media: A path, bytes, an open binary file (read from where it stands), an anyio file, an ``UploadFile``,
                or an async iterable of bytes.
            filename: The name in the library; the media's own by default. Its extension is made to fit the bytes.
            size: The number of bytes of an async iterable or a pipe; without it they are kept first, in memory up
                to 1 MiB and then on disk.
            title: A video's title; a video needs one.
            introduction: A video's introduction.
            progress: Called with the bytes sent and their total, at most ten times a second; starts again with each
                attempt.

        Raises:
            SourceError: The media cannot be read, changed, or is not what WeChat documents. Nothing was added.
            UploadOutcomeUnknown: The reply was lost, and the library does not show for certain what became of the
                material. Where it does, the result has `reconciled` set.
            APIError: WeChat refused it. Nothing was added.
            RequestError: The network failed before WeChat had all of it. Nothing was added.
        """
        call = adding(type, title, introduction)
        return await self.call(call, media=media, filename=filename, size=size, progress=progress)

    async def get_material(
        self,
        media_id: str,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
    ) -> "News | Video | SavedMaterial":
        """Fetch a permanent material; an image, a voice or a thumb is streamed into `to`.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html

        Args:
            media_id: Its id.
            to: A path (an existing file is replaced at once when all is there), a directory (the file takes the name
                that WeChat gave, made safe, and replaces nothing; a string that ends with ``/`` is created as one), an
                open binary file, an anyio file, or an object with ``async write(bytes)``. Articles and videos leave it
                untouched.
            progress: Called with the bytes received and their total, None where it is not known; at most ten times a
                second.
            fsync: Wait until the file, and its new name, are on the disk, so that it survives a loss of power. That
                takes as long as the disk does: a few tenths of a millisecond to tens of them for each file.
            digest: The hash in `SavedMaterial.sha256`; None saves its time, which is a quarter of a download. Whether
                the file is complete is told by `SavedMaterial.integrity` in any case.

        Returns:
            `News` for articles, `Video` for a video, else what was saved.

        Raises:
            DestinationError: It cannot be written; nothing incomplete was left there.
            MediaNotFoundError: There is no such material.
            TruncatedDownload: It ended early, on each attempt; nothing incomplete was left.
            WxAssetError: Anything else that went wrong.
        """
        from wxasset.calls.library import GetMaterial  # noqa: PLC0415 - the import of the session does not need it
        from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - many sessions save no file

        call, sink = GetMaterial(media_id=media_id), await open_sink(to, fsync=fsync, digest=digest)
        async with self._noting(media_id):
            return await self._engine.download(call, sink, progress)

    def open_material(self, media_id: str) -> "AbstractAsyncContextManager[News | Video | MaterialStream]":
        """Fetch a permanent material and keep its bytes in your hands, inside an ``async with``.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html

        Args:
            media_id: Its id.

        Yields:
            `News` for articles, `Video` for a video, else a `MaterialStream`.

        Raises:
            MediaNotFoundError: There is no such material.
            WxAssetError: Any other failure.
        """
        from wxasset.session.opening import OpenMaterial  # noqa: PLC0415 - as above

        return OpenMaterial(lambda: self._opened(media_id))

    @asynccontextmanager
    async def _opened(self, media_id: str) -> "AsyncGenerator[News | Video | MaterialStream, None]":
        from wxasset.calls.library import GetMaterial  # noqa: PLC0415 - as above

        async with AsyncExitStack() as stack:
            async with self._noting(media_id):
                material = await stack.enter_async_context(self._engine.open(GetMaterial(media_id=media_id)))
            yield material

    async def download_video(
        self,
        video: "Video",
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
    ) -> SavedMaterial:
        """Fetch the file of a video that `get_material` or `get_media` described.

        The address is WeChat's own choice, so it is followed with care: see `DownloadPolicy`. It does not live long.
        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html

        Args:
            video: The video.
            to: As in `get_material`; in a directory the file is called after its title.
            progress: As in `get_material`.
            fsync: As in `get_material`.
            digest: As in `get_material`.

        Raises:
            NotAFileError: The address is that of a page on which the video is played. Nothing was saved.
            UnsafeURLError: The address must not be followed. Nothing was asked for.
            HTTPStatusError: The link has expired (403, 404); fetch the material again to get a new one.
            WxAssetError: As in `get_material`.
        """
        from wxasset.calls.library import Video  # noqa: PLC0415 - as above

        if not isinstance(video, Video):
            raise UsageError(f"video= is a Video, as get_material gives it; not {type(video).__name__}.")
        from wxasset.calls.object_storage import FetchLink  # noqa: PLC0415 - few materials are videos
        from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - as above

        link = FetchLink(url=video.down_url, fallback=f"{video.title or 'video'}.mp4")
        return await self._engine.fetch(link, await open_sink(to, fsync=fsync, digest=digest), progress)

    async def del_material(self, media_id: str) -> None:
        """Delete a permanent material, also one that was made on the web console. Temporary media have no delete.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_delmaterial.html

        Args:
            media_id: Its id.

        Raises:
            MediaNotFoundError: There is no such material.
            WxAssetError: Any other failure.
        """
        from wxasset.calls.library import DeleteMaterial  # noqa: PLC0415 - as above

        async with self._noting(media_id, deletes=True):
            await self._engine.call(DeleteMaterial(media_id=media_id))

    async def count_materials(self) -> "MaterialCount":
        """Count the library's materials of each type.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterialcount.html
        """
        from wxasset.calls.library import CountMaterials  # noqa: PLC0415 - as above

        return await self._engine.call(CountMaterials())

    async def list_materials(
        self,
        type: ListedType,  # noqa: A002 - WeChat's own name for it
        *,
        offset: int = 0,
        count: int = 20,
    ) -> "MaterialPage":
        """List one page of the library, the newest first.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_batchgetmaterial.html

        Args:
            type: ``image`` (thumbs among them), ``voice``, ``video`` or ``news``.
            offset: How many to pass over.
            count: How many to list, 1 to 20.
        """
        from wxasset.calls.library import ListMaterials  # noqa: PLC0415 - as above

        return await self._engine.call(ListMaterials(type=type, offset=offset, count=count))

    def iter_materials(
        self,
        type: ListedType,  # noqa: A002 - WeChat's own name for it
        *,
        offset: int = 0,
    ) -> "AsyncGenerator[MaterialItem, None]":
        """Iterate over all materials of a type, the newest first, 20 to a request.

        Each material comes once, also while others are added or deleted; deleting what it gives is fine.

        Args:
            type: As in `list_materials`.
            offset: How many to pass over, such as the number in the error of an iteration that broke off.

        Raises:
            WxAssetError: A page could not be listed. The message says how many materials came before, and with which
                `offset` to continue.
        """
        pager: Pager[MaterialItem] = Pager(offset=offset)
        return iterate(pager, lambda at: self.list_materials(type, offset=at), "materials")

    async def upload_image(
        self,
        media: Media,
        *,
        filename: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Upload an image for article bodies (jpeg or png, less than 1 MiB); it does not count against the library.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_uploadimage.html

        Args:
            media: As in `add_material`.
            filename: As in `add_material`.
            size: As in `add_material`.
            progress: As in `add_material`.

        Returns:
            The image's URL. WeChat takes images from other hosts out of articles.

        Raises:
            WxAssetError: As in `add_material`.
        """
        from wxasset.calls.images import UploadImage  # noqa: PLC0415 - as above

        reply = await self.call(UploadImage(), media=media, filename=filename, size=size, progress=progress)
        return reply.url

    async def resolve_upload(self, error: UploadOutcomeUnknown) -> AddedMaterial | None:
        """Find out later whether an upload happened whose outcome was unknown; `error.resolve(wx)` is the same.

        The newest materials are searched for its mark, else for its name, time and bytes.

        Args:
            error: What was raised, also in another process: it pickles.

        Returns:
            The material, or None if the list proves that the library does not have it.

        Raises:
            UploadOutcomeUnknown: Still unknown: several materials may be it, too many have been added since, the list
                does not prove that it is absent, or `RetryPolicy.timeout` has passed.
            UsageError: WeChat has no list of such uploads.
            WxAssetError: The library could not be listed.
        """
        return await self._engine.resolve(error)
