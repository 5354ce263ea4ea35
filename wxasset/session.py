"""`WxSession`: one short method for each thing that can be done with an account's media."""

import copy
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, overload

import anyio

from wxasset._version import __version__
from wxasset.calls.base import Call, Download, Upload
from wxasset.calls.cloud import BatchDeleteFile, DeletedFiles, DeleteReport, batches, report, stops_all
from wxasset.calls.links import FetchLink
from wxasset.calls.material import (
    AddedMaterial,
    AddMaterial,
    CountMaterials,
    DeleteMaterial,
    Description,
    GetMaterial,
    ListMaterials,
    MaterialCount,
    MaterialItem,
    MaterialPage,
    News,
    UploadImage,
    Video,
)
from wxasset.calls.media import GetMedia, TemporaryMedia, UploadMedia
from wxasset.engine import Engine
from wxasset.errors import UploadOutcomeUnknown, UsageError, WxAssetError
from wxasset.outcome import UploadPolicy
from wxasset.retry import RetryPolicy
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.sources import NoToken, StableToken
from wxasset.tokens.stores import TokenStore
from wxasset.tokens.token import TokenSource
from wxasset.transfer.download import MaterialStream, SavedMaterial
from wxasset.transfer.progress import Progress
from wxasset.transfer.sink import Destination, open_sink
from wxasset.transfer.source import Media, open_source
from wxasset.transfer.transport import ClientSession, Timeouts, Transport
from wxasset.transfer.writing import Sink
from wxasset.wire.limits import Limits
from wxasset.wire.links import DownloadPolicy

__all__ = ["ListedType", "MediaType", "WxSession"]

R = TypeVar("R")
ListedType = Literal["image", "voice", "video", "news"]
MediaType = Literal["image", "voice", "video", "thumb"]

_BASE_URL: Final = "https://api.weixin.qq.com"
_HOSTED_URL: Final = (
    "http://api.weixin.qq.com"  # calls without a token are answered over plain http (wire reference 1.6)
)

_OPTIONS: Final = {
    "retry": RetryPolicy,
    "timeouts": Timeouts,
    "limits": Limits,
    "downloads": DownloadPolicy,
    "uploads": UploadPolicy,
}


def _check_options(options: Mapping[str, object]) -> None:
    """Refuse an option of another kind now, and not in the middle of an upload."""
    for name, value in options.items():
        if not isinstance(value, _OPTIONS[name]):
            raise UsageError(f"{name}= is a {_OPTIONS[name].__name__}; not {type(value).__name__}.")


class WxSession:
    """The media of one account, and the one access token that all its calls share.

    ::

        async with WxSession(appid, secret) as wx:
            added = await wx.add_material("image", "poster.png")

    It opens by itself on first use; end it with ``async with`` or `aclose`. It belongs to one event loop and may be
    used by any number of its tasks at once.
    """

    _transport_class: type[Transport] = Transport

    def __init__(
        self,
        appid: str | None = None,
        secret: str | None = None,
        *,
        tokens: TokenCache | TokenSource | None = None,
        store: TokenStore | None = None,
        http: ClientSession | None = None,
        base_url: str = _BASE_URL,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        downloads: DownloadPolicy = DownloadPolicy(),  # noqa: B008 - frozen
        uploads: UploadPolicy = UploadPolicy(),  # noqa: B008 - frozen
    ) -> None:
        """Prepare a session; nothing is opened or fetched before the first call.

        Args:
            appid: The account's appid; with `secret`, the stable token is used.
            secret: The account's AppSecret.
            tokens: A source of tokens instead, or a `TokenCache` to share with other sessions of the account.
            store: Where tokens are shared with other processes or hosts; it is borrowed, and not closed here.
            http: An `aiohttp.ClientSession` to borrow; it is never closed here.
            base_url: The API host. Plain http is for loopback, private addresses and bare host names, and with
                `NoToken` for WeChat's own host.
            retry: How often, and how patiently, calls are tried.
            timeouts: How long to wait.
            limits: What may be sent and read.
            downloads: Which URLs that the server gives may be followed.
            uploads: What is done about an upload whose reply was lost.

        Raises:
            UsageError: The credentials are missing, or `base_url` is not usable.
        """
        _check_options(
            {"retry": retry, "timeouts": timeouts, "limits": limits, "downloads": downloads, "uploads": uploads}
        )
        if tokens is None:
            tokens = StableToken(appid or "", secret or "")
        self._limits = limits
        if isinstance(tokens, TokenCache) and store is not None:
            raise UsageError("store= belongs to the TokenCache: TokenCache(source, store=...).")
        cache = tokens if isinstance(tokens, TokenCache) else TokenCache(tokens, store=store)
        bare = isinstance(cache.source, NoToken)
        if bare and base_url == _BASE_URL:
            base_url = _HOSTED_URL
        self._transport = self._transport_class(base_url, http, f"wxasset/{__version__}", bare=bare)
        self._engine = Engine(self._transport, cache, retry, limits, timeouts, downloads, uploads)
        self._owner = True

    @classmethod
    def from_env(
        cls,
        *,
        store: TokenStore | None = None,
        http: ClientSession | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        downloads: DownloadPolicy = DownloadPolicy(),  # noqa: B008 - frozen
        uploads: UploadPolicy = UploadPolicy(),  # noqa: B008 - frozen
    ) -> Self:
        """Make a session from ``WXASSET_APPID``, ``WXASSET_SECRET`` and, if set, ``WXASSET_BASE_URL``.

        Raises:
            UsageError: A variable is missing.
        """
        return cls(
            os.environ.get("WXASSET_APPID"),
            os.environ.get("WXASSET_SECRET"),
            store=store,
            base_url=os.environ.get("WXASSET_BASE_URL") or _BASE_URL,
            http=http,
            retry=retry,
            timeouts=timeouts,
            limits=limits,
            downloads=downloads,
            uploads=uploads,
        )

    def with_options(
        self,
        *,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        downloads: DownloadPolicy | None = None,
        uploads: UploadPolicy | None = None,
    ) -> Self:
        """Return this session with other options, for a call or for many.

        It shares everything else: token, connections, what is known of uploads. It ends with the session that it was
        made from; closing it does nothing.

        ::

            await wx.with_options(retry=RetryPolicy(attempts=1)).count_materials()

        Args:
            retry: How often, and how patiently, calls are tried; None leaves it as it is, here and below.
            timeouts: How long to wait.
            limits: What may be sent and read.
            downloads: Which URLs that the server gives may be followed.
            uploads: What is done about an upload whose reply was lost.
        """
        given = {"retry": retry, "timeouts": timeouts, "limits": limits, "downloads": downloads, "uploads": uploads}
        options = {name: value for name, value in given.items() if value is not None}
        _check_options(options)
        other = copy.copy(self)
        other._adapt(options)  # noqa: SLF001 - its own class
        return other

    def _adapt(self, options: dict[str, Any]) -> None:
        self._owner = False
        self._engine = self._engine.with_options(**options)
        self._limits = self._engine.limits

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were opened here. Later calls raise `UsageError`."""
        if not self._owner:
            return
        await self._engine.tokens.release(self._engine.exchange)
        await self._transport.aclose()

    # Permanent materials

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
        described = title is not None or introduction is not None
        description = Description(title=title or "", introduction=introduction or "") if described else None
        call = AddMaterial(type=type, description=description)
        return await self.call(call, media=media, filename=filename, size=size, progress=progress)

    async def get_material(
        self,
        media_id: str,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
    ) -> News | Video | SavedMaterial:
        """Fetch a permanent material; an image, a voice or a thumb is streamed into `to`.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html

        Args:
            media_id: Its id.
            to: A path (an existing file is replaced at once when all is there), a directory (the file takes the name
                that WeChat gave, made safe, and replaces nothing), an open binary file, an anyio file, or an object
                with ``async write(bytes)``. Articles and videos leave it untouched.
            progress: Called with the bytes received and their total, None where it is not known; at most ten times a
                second.
            fsync: Wait until the file, and its new name, are on the disk, so that it survives a loss of power. That
                takes as long as the disk does: a few tenths of a millisecond to tens of them for each file.

        Returns:
            `News` for articles, `Video` for a video, else what was saved.

        Raises:
            DestinationError: It cannot be written; nothing incomplete was left there.
            MediaNotFoundError: There is no such material.
            TruncatedDownload: It ended early, on each attempt; nothing incomplete was left.
            WxAssetError: Anything else that went wrong.
        """
        return await self._engine.download(GetMaterial(media_id=media_id), await open_sink(to, fsync=fsync), progress)

    @asynccontextmanager
    async def open_material(self, media_id: str) -> AsyncGenerator[News | Video | MaterialStream, None]:
        """Fetch a permanent material and keep its bytes in your hands, inside an ``async with``.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html

        Args:
            media_id: Its id.

        Yields:
            `News` for articles, `Video` for a video, else a `MaterialStream`.

        Raises:
            MediaNotFoundError: There is no such material.
            WxAssetError: Anything else that went wrong.
        """
        async with self._engine.open(GetMaterial(media_id=media_id)) as material:
            yield material

    async def download_video(
        self,
        video: Video,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
    ) -> SavedMaterial:
        """Fetch the film of a video that `get_material` or `get_media` described.

        The address is WeChat's own choice, so it is followed with care: see `DownloadPolicy`. It does not live long.
        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html

        Args:
            video: The video.
            to: As in `get_material`; in a directory the file is called after its title.
            progress: As in `get_material`.
            fsync: As in `get_material`.

        Raises:
            NotAFileError: The address is that of a page on which the video is played. Nothing was saved.
            UnsafeURLError: The address must not be followed. Nothing was asked for.
            HTTPStatusError: The address has run out (403, 404): get the material again for a new one.
            WxAssetError: As in `get_material`.
        """
        if not isinstance(video, Video):
            raise UsageError(f"video= is a Video, as get_material gives it; not {type(video).__name__}.")
        link = FetchLink(url=video.down_url, fallback=f"{video.title or 'video'}.mp4")
        return await self._engine.fetch(link, await open_sink(to, fsync=fsync), progress)

    async def del_material(self, media_id: str) -> None:
        """Delete a permanent material, also one that was made on the web console. Temporary media have no delete.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_delmaterial.html

        Args:
            media_id: Its id.

        Raises:
            MediaNotFoundError: There is no such material.
            WxAssetError: Anything else that went wrong.
        """
        await self._engine.call(DeleteMaterial(media_id=media_id))

    async def count_materials(self) -> MaterialCount:
        """Count the library's materials of each type.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterialcount.html
        """
        return await self._engine.call(CountMaterials())

    async def list_materials(
        self,
        type: ListedType,  # noqa: A002 - WeChat's own name for it
        *,
        offset: int = 0,
        count: int = 20,
    ) -> MaterialPage:
        """List one page of the library, the newest first.

        https://developers.weixin.qq.com/doc/service/api/material/permanent/api_batchgetmaterial.html

        Args:
            type: ``image`` (thumbs among them), ``voice``, ``video`` or ``news``.
            offset: How many to pass over.
            count: How many to list, 1 to 20.
        """
        return await self._engine.call(ListMaterials(type=type, offset=offset, count=count))

    async def iter_materials(
        self,
        type: ListedType,  # noqa: A002 - WeChat's own name for it
    ) -> AsyncGenerator[MaterialItem, None]:
        """Iterate over all materials of a type, the newest first, 20 to a request.

        Each material comes once, also while others are added or deleted; deleting what it gives is fine.

        Args:
            type: As in `list_materials`.
        """
        seen: set[str] = set()
        offset, total = 0, None
        while True:
            page = await self.list_materials(type, offset=offset)
            if total is not None and page.total < total and offset:
                # What was deleted meanwhile moved the rest forward: look again from further in front.
                offset, total = max(0, offset - (total - page.total)), page.total
                continue
            total = page.total
            for item in page.items:
                if item.media_id not in seen:
                    seen.add(item.media_id)
                    yield item
            offset += len(page.items)
            if not page.items or offset >= total:
                return

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
        reply = await self.call(UploadImage(), media=media, filename=filename, size=size, progress=progress)
        return reply.url

    async def resolve_upload(self, error: UploadOutcomeUnknown) -> AddedMaterial | None:
        """Find out later whether an upload happened whose outcome was unknown; `error.resolve(wx)` is the same.

        The newest materials are searched for its name in the time of the attempt, back to when it was made.

        Args:
            error: What was raised, also in another process: it pickles.

        Returns:
            The material, or None where the library does not have it.

        Raises:
            UploadOutcomeUnknown: It cannot be told: several materials may be it, or too many have been added since.
            UsageError: WeChat has no list of such uploads.
            WxAssetError: The library could not be listed.
        """
        return await self._engine.resolve(error)

    # Temporary media

    async def upload_media(
        self,
        type: MediaType,  # noqa: A002 - WeChat's own name for it
        media: Media,
        *,
        filename: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> TemporaryMedia:
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
        call = UploadMedia(type=type)
        return await self.call(call, media=media, filename=filename, size=size, progress=progress)

    async def get_media(
        self,
        media_id: str,
        to: Destination,
        *,
        progress: Progress | None = None,
        fsync: bool = False,
    ) -> Video | SavedMaterial:
        """Fetch a temporary medium; a file is streamed into `to`, a video comes as a `Video`.

        https://developers.weixin.qq.com/doc/service/api/material/temporary/api_gettempmedia.html

        Args:
            media_id: Its id, at most three days old.
            to: As in `get_material`.
            progress: As in `get_material`.
            fsync: As in `get_material`.

        Raises:
            WxAssetError: As in `get_material`.
        """
        return await self._engine.download(GetMedia(media_id=media_id), await open_sink(to, fsync=fsync), progress)

    # Cloud storage

    async def batch_delete_file(self, env: str, fileids: Iterable[str], *, concurrency: int = 4) -> DeleteReport:
        """Delete cloud files of a Mini Program, any number of them, 50 to a request.

        https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html

        Args:
            env: The cloud environment's id.
            fileids: Ids such as ``cloud://env.bucket/path``; a repeated one is sent once.
            concurrency: The most requests under way at once.

        Returns:
            An outcome for each id; `DeleteReport.raise_for_failed` makes an error of failures.

        Raises:
            WxAssetError: Not one request was answered; the error is that of the first.
        """
        if concurrency < 1:
            raise UsageError(f"concurrency= is at least 1; not {concurrency!r}.")
        calls = [BatchDeleteFile(env=env, fileid_list=batch) for batch in batches(fileids)]
        answers: dict[int, DeletedFiles | WxAssetError] = {}
        todo = iter(enumerate(calls))

        async def work() -> None:
            for number, call in todo:
                stop = next(filter(stops_all, answers.values()), None)
                answers[number] = stop if stop is not None else await self._answer(call)

        async with anyio.create_task_group() as group:
            for _ in range(min(concurrency, len(calls))):
                group.start_soon(work)
        return report([(call.fileid_list, answers[number]) for number, call in enumerate(calls)])

    async def _answer(self, call: Call[R]) -> R | WxAssetError:
        try:
            return await self._engine.call(call)
        except WxAssetError as error:
            return error

    # Any declared call

    @overload
    async def call(
        self,
        call: Upload[R],
        /,
        *,
        media: Media,
        filename: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> R: ...

    @overload
    async def call(
        self,
        call: Download[R],
        /,
        *,
        to: Destination,
        progress: Progress | None = None,
        fsync: bool = False,
    ) -> R | SavedMaterial: ...

    @overload
    async def call(self, call: Call[R], /) -> R: ...

    async def call(
        self,
        call: Call[Any],
        /,
        *,
        media: Media | None = None,
        filename: str | None = None,
        size: int | None = None,
        to: Destination | None = None,
        progress: Progress | None = None,
        fsync: bool = False,
    ) -> Any:
        """Make any declared call, an endpoint of your own included.

        Args:
            call: An instance of a `Call`, `Upload` or `Download` class.
            media: What an `Upload` sends; as in `add_material`, with `filename` and `size`.
            filename: As in `add_material`.
            size: As in `add_material`.
            to: Where a `Download` goes; as in `get_material`.
            progress: As in `add_material` and `get_material`.
            fsync: As in `get_material`.

        Returns:
            The call's reply; for a `Download`, what was saved where the answer is a file.

        Raises:
            UsageError: The arguments do not fit the kind of call.
            WxAssetError: Anything that went wrong.
        """
        if isinstance(call, Upload) is (media is None) or (to is not None and not isinstance(call, Download)):
            raise UsageError(f"{type(call).__name__}: an Upload takes media=, a Download takes to=.")
        if media is not None and isinstance(call, Upload):
            source = await open_source(media, filename=filename, size=size, limit=call.limit, limits=self._limits)
            try:
                return await self._engine.call(call, source=source, progress=progress)
            finally:
                source.close()
        if isinstance(call, Download):
            return await self._download(call, None if to is None else await open_sink(to, fsync=fsync), progress)
        return await self._engine.call(call)

    async def _download(self, call: Download[R], sink: Sink | None, progress: Progress | None) -> Any:
        if sink is not None:
            return await self._engine.download(call, sink, progress)
        async with self._engine.open(call) as answer:
            if isinstance(answer, MaterialStream):
                raise UsageError(f"{type(call).__name__} was answered with a file: pass to= to say where it goes.")
            return answer
