"""The verbs of temporary media."""

from typing import TYPE_CHECKING

from wxasset.calls.base import MediaType
from wxasset.session.declared import DeclaredCalls
from wxasset.transfer.downloads.destination import Destination, Digest
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.media import Media

if TYPE_CHECKING:
    from wxasset.calls.library import Video
    from wxasset.calls.media import TemporaryMedia
    from wxasset.transfer.downloads.download import SavedMaterial

__all__ = ["TemporaryFiles"]


class TemporaryFiles(DeclaredCalls):
    """Operations on temporary media, valid for three days."""

    async def upload_media(
        self,
        type: MediaType,  # noqa: A002 - WeChat's own name for it
        media: Media,
        *,
        filename: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> "TemporaryMedia":
        """Upload a temporary medium, which lives for three days.

        https://developers.weixin.qq.com/doc/service/api/material/temporary/api_uploadtempmedia.html

        Args:
            type: ``image`` (png, jpeg, gif; 10 MiB), ``voice`` (amr, mp3; 2 MiB, 60 s), ``video`` (mp4; 10 MiB) or
                ``thumb`` (jpeg; 64 KiB).
            media: As in `add_material`.
            filename: As in `add_material`.
            size: As in `add_material`.
            progress: As in `add_material`.

        Raises:
            WxAssetError: As in `add_material`.
        """
        from wxasset.calls.media import UploadMedia  # noqa: PLC0415 - many sessions have permanent materials alone

        call = UploadMedia(type=type)
        return await self.call(call, media=media, filename=filename, size=size, progress=progress)

    async def get_media(
        self,
        media_id: str,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
        digest: Digest = "sha256",
    ) -> "Video | SavedMaterial":
        """Fetch a temporary medium; a file is streamed into `to`, a video comes as a `Video`.

        https://developers.weixin.qq.com/doc/service/api/material/temporary/api_gettempmedia.html

        Args:
            media_id: Its id, at most three days old.
            to: As in `get_material`.
            progress: As in `get_material`.
            fsync: As in `get_material`.
            digest: As in `get_material`.

        Raises:
            WxAssetError: As in `get_material`.
        """
        from wxasset.calls.media import GetMedia  # noqa: PLC0415 - as above
        from wxasset.transfer.downloads.sink import open_sink  # noqa: PLC0415 - many sessions save no file

        return await self._engine.download(
            GetMedia(media_id=media_id), await open_sink(to, fsync=fsync, digest=digest), progress
        )
