"""Make declared calls: JSON, uploads, downloads and links."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from wxasset.calls.base import Call, Download, Upload
from wxasset.engine.lookup import Lookup
from wxasset.engine.operation import Operation
from wxasset.engine.register import Pending, random_mark
from wxasset.engine.replies import file_reply, json_or_file, max_reply, not_a_file
from wxasset.errors import (
    DecodeError,
    HTTPStatusError,
    UploadOutcomeUnknown,
    WxAssetError,
)
from wxasset.instrumentation.hooks import Hooks
from wxasset.transfer.downloads.download import FileReply, SavedMaterial
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.http import Request
from wxasset.transfer.progress import Progress
from wxasset.wire.codec import decode
from wxasset.wire.filenames import marked_name
from wxasset.wire.json_bodies import excerpt
from wxasset.wire.multipart import sent_name

if TYPE_CHECKING:
    from wxasset.calls.account import Quota
    from wxasset.calls.object_storage import FetchFile, FetchLink, PutFile
    from wxasset.tokens.token import Exchange
    from wxasset.transfer.downloads.partial import Partial
    from wxasset.transfer.uploads.source import Source

__all__ = ["Engine"]

R = TypeVar("R")


class Engine(Lookup):
    """Makes declared calls."""

    __slots__ = ()

    def _own_exchange(self) -> "Exchange":
        return _Lent(self)

    def with_options(self, **options: Any) -> "Engine":
        """Return an engine with other options; all else is shared."""
        other = evolve(self, **options)
        other.exchange = self.exchange
        return other

    async def call(self, call: Call[R], *, source: "Source | None" = None, progress: Progress | None = None) -> R:
        """Make a call with a JSON reply; an upload brings its source."""

        async def once(request: Request, repeated: bool) -> R:  # noqa: FBT001 - called by `_run` alone
            async with self.transport.send(request) as reply:
                body = await reply.read(max_reply(call, self.limits))
                if self.register.clock.stale:
                    self.register.clock.tell(reply.date)
            decoded: R = call.settle(decode(body, call.reply, call.route.path), repeated=repeated)
            return decoded

        if isinstance(call, Upload) and source is not None and call.listing is not None:
            return await self._add(call, once, source, progress)
        return await self._run(Operation(call, source, progress), once)

    async def ask_quota(self, path: str) -> "Quota | None":
        """Ask WeChat for the quota of a path, once; None if it does not tell."""
        from wxasset.calls.account import GetQuota  # noqa: PLC0415 - few sessions ask

        engine = self.with_options(retry=evolve(self.retry, attempts=1), work=None)
        with suppress(WxAssetError):  # the call itself meets what is wrong
            return (await engine.call(GetQuota(cgi_path=path))).quota
        return None

    async def _add(
        self,
        call: Upload[R],
        once: Callable[[Request, bool], Awaitable[R]],
        source: "Source",
        progress: Progress | None,
    ) -> R:
        """Make an upload listed by the library, and record it in the register."""
        marked = source.marked or self.uploads.unique_names or not source.named
        if marked and not source.marked:
            source = source.renamed(marked_name(source.filename, random_mark()))
        upload = Pending(listing=str(call.listing), name=sent_name(source.filename), marked=marked)
        self.register.begin(upload)
        try:
            result = await self._run(Operation(call, source, progress, pending=upload), once)
        except UploadOutcomeUnknown:
            self.register.give_up(upload)
            raise
        except Exception:
            self.register.end(upload)
            raise
        except BaseException:  # cancelled, wherever it was
            self.register.give_up(upload)
            raise
        self.register.own(str(getattr(result, "media_id", "")), upload.owner)
        self.register.end(upload)
        return result

    async def download(self, call: Download[R], sink: Sink, progress: Progress | None) -> R | SavedMaterial:
        """Make a call whose response is JSON or a file; write the file to the sink."""

        async def once(request: Request, _: bool) -> R | SavedMaterial:  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                answer = await json_or_file(call, reply, self.limits)
                return await answer.save(sink, request.progress) if isinstance(answer, FileReply) else answer

        return await self._run(Operation(call, progress=progress, sink=sink), once)

    async def fetch(self, link: "FetchLink", sink: Sink, progress: Progress | None) -> SavedMaterial:
        """Download the file behind a URL given by the server into the sink."""

        async def once(request: Request, _: bool) -> SavedMaterial:  # noqa: FBT001 - as above
            async with self.transport.follow(link.url, self.downloads, request) as reply:
                answer = await json_or_file(link, reply, self.limits)
                if not isinstance(answer, FileReply):
                    raise not_a_file(reply.path)
                return await answer.save(sink, request.progress)

        try:
            return await self._run(Operation(link, progress=progress, sink=sink), once)
        except HTTPStatusError as error:
            if error.status in link.expired:
                error.message += " The link has expired; get the material again for a new one."
            raise

    async def put(self, file: "PutFile", source: "Source", progress: Progress | None) -> None:
        """Post a file to object storage."""

        async def once(request: Request, _: bool) -> None:  # noqa: FBT001 - as above
            async with self.transport.post(file.url, self.downloads, request) as reply:
                start = await reply.next_chunk()
            if start.strip():
                page = excerpt(start)
                raise DecodeError(f"{reply.path} returned an unexpected response body.", reply.path, excerpt=page)

        await self._run(Operation(file, source, progress), once)

    async def go_on(self, file: "FetchFile", partial: "Partial") -> None:
        """Download the missing part of a file in object storage."""

        async def once(request: Request, _: bool) -> None:  # noqa: FBT001 - as above
            async with self.transport.follow(file.url, self.downloads, request, partial.headers()) as reply:
                # Cloud files may have any content, so the status decides.
                answer = file_reply(file, reply, self.limits, done=partial.done)
                await partial.take(reply, answer, request.progress)

        await self._run(Operation(file, partial=partial), once)


class _Lent:
    """The engine's way to make calls, as it is lent to sources of tokens."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def hooks(self) -> Hooks:
        """Hooks of the session."""
        return self._engine.hooks

    @property
    def api(self) -> str:
        """The API host of the session."""
        return self._engine.transport.api

    async def __call__(self, call: Call[R], /) -> R:
        """Make a call."""
        return await self._engine.call(call)
