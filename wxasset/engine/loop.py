"""The only loop: acquire a token, send, decode, decide, wait, again."""

import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
from attrs import define, evolve, field, frozen

from wxasset.calls.base import Call, Download, Upload
from wxasset.calls.materials import AddedMaterial, ListMaterials, MaterialPage, recovered
from wxasset.calls.object_storage import FetchFile, FetchLink, PutFile
from wxasset.engine.reconcile import MORE_PAGES, Found, Lost, Missing, Search, Unseen, cannot_resend, still_unknown
from wxasset.engine.recorder import Watch
from wxasset.engine.redaction import without_secrets
from wxasset.engine.retry import (
    AlreadyDone,
    Attempt,
    CannotResend,
    OutcomeUnknown,
    Resend,
    RetryPolicy,
    RetryQuota,
    decide,
)
from wxasset.engine.uploads import MARK_LENGTH, MARK_LETTERS, Pending, UploadPolicy, UploadRegister
from wxasset.errors import (
    DecodeError,
    HTTPStatusError,
    NotAFileError,
    ReplyTooLarge,
    TokenRejectedError,
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
)
from wxasset.instrumentation.hooks import NO_HOOKS, Hooks
from wxasset.instrumentation.logging import ENGINE
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.token import Exchange, Token
from wxasset.transfer.downloads.download import FileReply, MaterialStream, SavedMaterial
from wxasset.transfer.downloads.partial import Partial
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.http import Reply, Request, Timeouts, Transport
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.body import UploadBody
from wxasset.transfer.uploads.source import Source
from wxasset.wire.codec import decode, excerpt, looks_like_json, looks_like_page, reply_or_file
from wxasset.wire.filenames import is_attachment, marked_name
from wxasset.wire.limits import KIB, Limits
from wxasset.wire.multipart import sent_name
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["Engine"]

R = TypeVar("R")
T = TypeVar("T")

_FIRST: Final = Attempt()
_LATEST: Final = 600.0  # seconds after it was given up in which WeChat may still have carried an upload out
_RUN_OUT: Final = frozenset({403, 404, 410})  # what a CDN says of a signature that is too old
_ENVELOPE: Final = 4 * KIB  # bytes; an error in the clothes of a file is no longer than this


def _random_mark() -> str:
    return "".join(random.choices(MARK_LETTERS, k=MARK_LENGTH))  # noqa: S311 - tells apart, guards nothing


@define(eq=False)
class Engine:
    """Makes declared calls.

    Attributes:
        transport: The network.
        tokens: Where tokens come from.
        retry: How often, and how patiently, calls are tried.
        limits: What may be sent and read.
        timeouts: How long to wait.
        downloads: Which URLs that the server gives may be followed.
        uploads: What is done about an upload whose reply was lost.
        quota: What all calls together may spend on retries.
        register: The uploads under way, and what they own.
        hooks: Who is told what happens.
        exchange: How tokens are fetched: as the session was made, whatever options a call has.
        mark: Makes the marks of unique names.
        sleep: How to wait.
    """

    transport: Transport
    tokens: TokenCache
    retry: RetryPolicy
    limits: Limits
    timeouts: Timeouts
    downloads: DownloadPolicy
    uploads: UploadPolicy
    quota: RetryQuota = field(factory=RetryQuota)
    register: UploadRegister = field(factory=UploadRegister)
    hooks: Hooks = NO_HOOKS
    exchange: Exchange = field(init=False)
    mark: Callable[[], str] = field(default=_random_mark)
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    def __attrs_post_init__(self) -> None:
        """Fetch tokens by itself."""
        self.exchange = _Lent(self)

    def with_options(self, **options: Any) -> "Engine":
        """Return an engine with other options that shares everything else."""
        other = evolve(self, **options)
        other.exchange = self.exchange
        return other

    async def call(self, call: Call[R], *, source: Source | None = None, progress: Progress | None = None) -> R:
        """Make a call with a JSON reply; an upload brings its source."""

        async def once(request: Request, repeated: bool) -> R:  # noqa: FBT001 - called by `_run` alone
            async with self.transport.send(request) as reply:
                body = await reply.read(self._max_reply(call))
            decoded: R = call.settle(decode(body, call.reply, call.route.path), repeated=repeated)
            return decoded

        if isinstance(call, Upload) and source is not None and call.listing is not None:
            return await self._add(call, once, source, progress)
        return await self._run(call, once, source, progress)

    async def _add(
        self,
        call: Upload[R],
        once: Callable[[Request, bool], Awaitable[R]],
        source: Source,
        progress: Progress | None,
    ) -> R:
        """Make an upload that the library will list, and keep account of it."""
        if self.uploads.unique_names:
            source = evolve(source, filename=marked_name(source.filename, self.mark()))
        upload = self.register.begin(str(call.listing), sent_name(source.filename), time.time())
        try:
            result = await self._run(call, once, source, progress, upload=upload)
        except UploadOutcomeUnknown:
            self.register.give_up(upload, time.time())
            raise
        except Exception:
            self.register.end(upload)
            raise
        except BaseException:  # cancelled, wherever it was
            self.register.give_up(upload, time.time())
            raise
        self.register.own(str(getattr(result, "media_id", "")))
        self.register.end(upload)
        return result

    async def resolve(self, error: UploadOutcomeUnknown) -> AddedMaterial | None:
        """Find out whether an upload happened whose outcome was left unknown."""
        if error.listing is None:
            raise UsageError(f"WeChat has no list in which the upload to {error.path} could be looked up.")
        known = self.register.given_up(error.listing, sent_name(error.filename), error.started_at)
        upload = known or Pending(
            listing=error.listing, name=sent_name(error.filename), begun=error.started_at, given_up=error.ended_at
        )
        end = min(time.time(), error.ended_at + _LATEST)
        search = Search(self._page, self.register, upload, lambda: end, error.unique_name, MORE_PAGES)
        match await search.find(0.0, self.sleep, 0.0):
            case Found(item):
                self.register.end(upload)
                return recovered(item)
            case Missing():
                return None
            case Unseen(error=WxAssetError() as failure):
                raise failure
            case finding:
                raise still_unknown(error, finding)

    async def _page(self, kind: str, offset: int) -> tuple[MaterialPage, float | None]:
        """List a page for a search, and see what WeChat's clock says."""
        call = ListMaterials(type=kind, offset=offset)

        async def once(request: Request, _: bool) -> tuple[MaterialPage, float | None]:  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                body, date = await reply.read(self._max_reply(call)), reply.date
            ahead = None if date is None else date - time.time()
            return decode(body, MaterialPage, call.route.path), ahead

        return await self._run(call, once)

    async def download(self, call: Download[R], sink: Sink, progress: Progress | None) -> R | SavedMaterial:
        """Make a call that answers with JSON or a file; the file goes into the sink."""

        async def once(request: Request, _: bool) -> R | SavedMaterial:  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                answer = await self._tell_apart(call, reply)
                return await answer.save(sink, request.progress) if isinstance(answer, FileReply) else answer

        return await self._run(call, once, progress=progress, sink=sink)

    async def fetch(self, link: FetchLink, sink: Sink, progress: Progress | None) -> SavedMaterial:
        """Get the file behind a URL that the server gave into the sink."""

        async def once(request: Request, _: bool) -> SavedMaterial:  # noqa: FBT001 - as above
            async with self.transport.follow(link.url, self.downloads, request) as reply:
                answer = await self._tell_apart(link, reply)
                if not isinstance(answer, FileReply):
                    raise _not_a_file(reply.path)
                return await answer.save(sink, request.progress)

        try:
            return await self._run(link, once, progress=progress, sink=sink)
        except HTTPStatusError as error:
            if error.status in _RUN_OUT:
                error.message += " It has run out: get the material again for a new one."
            raise

    async def put(self, file: PutFile, source: Source, progress: Progress | None) -> None:
        """Post a file to object storage."""

        async def once(request: Request, _: bool) -> None:  # noqa: FBT001 - as above
            async with self.transport.post(file.url, self.downloads, request) as reply:
                start = await reply.next_chunk()
            if start.strip():
                page = excerpt(start)
                raise DecodeError(f"{reply.path} answered with more than its status.", reply.path, excerpt=page)

        await self._run(file, once, source, progress)

    async def go_on(self, file: FetchFile, partial: Partial) -> None:
        """Get what is missing of a file in object storage."""

        async def once(request: Request, _: bool) -> None:  # noqa: FBT001 - as above
            async with self.transport.follow(file.url, self.downloads, request, partial.headers()) as reply:
                # Object storage marks what it sends; other answers may be a gateway's.
                marked = reply.etag is not None or partial.done > 0
                answer = self._file(file, reply, done=partial.done) if marked else await self._tell_apart(file, reply)
                if not isinstance(answer, FileReply):
                    raise DecodeError(f"{reply.path} answered with JSON instead of the file.", reply.path)
                await partial.take(reply, answer, request.progress)

        await self._run(file, once, partial=partial)

    @asynccontextmanager
    async def open(self, call: Download[R]) -> AsyncGenerator[R | MaterialStream, None]:
        """Make a call that answers with JSON or a file; the file stays open inside the block."""
        async with AsyncExitStack() as stack:

            async def once(request: Request, _: bool) -> R | MaterialStream:  # noqa: FBT001 - as above
                async with AsyncExitStack() as attempt:
                    reply = await attempt.enter_async_context(self.transport.send(request))
                    answer = await self._tell_apart(call, reply)
                    if not isinstance(answer, FileReply):
                        return answer
                    stream = MaterialStream(answer)
                    attempt.callback(stream.end)
                    stack.push_async_exit(attempt.pop_all())
                    return stream

            yield await self._run(call, once)

    async def _tell_apart(self, call: Download[R], reply: Reply) -> R | FileReply:
        """Read as much of a reply as it takes to know whether it is JSON or a file."""
        attachment = is_attachment(reply.disposition)
        most = _ENVELOPE if attachment else reply.most(self._max_reply(call))
        head = bytearray()
        while len(head) <= _ENVELOPE and not head.strip() and (chunk := await reply.next_chunk()):
            head += chunk
        if len(head) <= _ENVELOPE and not head.strip():
            raise DecodeError(f"{reply.path} answered with an empty body.", reply.path)
        if looks_like_json(head):
            while len(head) <= most and (chunk := await reply.next_chunk()):
                head += chunk
            if len(head) <= most:
                answer: R | None = reply_or_file(bytes(head), call.reply, call.route.path, attachment=attachment)
                if answer is not None:
                    return answer
            elif not attachment:
                # Not to be told from an error any more, and an error must not reach a destination.
                raise ReplyTooLarge(f"{reply.path} answered with more than {most} bytes.", reply.path, limit=most)
        if not attachment and looks_like_page(head):
            if isinstance(call, FetchLink):
                raise _not_a_file(reply.path)
            start = excerpt(bytes(head))
            raise DecodeError(f"{reply.path} answered with a page of HTML or XML.", reply.path, excerpt=start)
        return self._file(call, reply, bytes(head))

    def _file(self, call: Download[Any], reply: Reply, head: bytes = b"", *, done: int = 0) -> FileReply:
        """Take a reply for a file, of which this was read, after so many bytes that are there already."""
        fallback = str(getattr(call, "fallback", "") or getattr(call, "media_id", ""))
        fallback = fallback or call.route.path.rsplit("/", 1)[-1]
        return FileReply(fallback, reply, head, self.limits.max_download - done)

    async def _run(
        self,
        call: Call[Any],
        once: Callable[[Request, bool], Awaitable[T]],
        source: Source | None = None,
        progress: Progress | None = None,
        *,
        sink: Sink | None = None,
        upload: Pending | None = None,
        partial: Partial | None = None,
    ) -> T:
        """Make one operation of a call."""
        watch = Watch(self.hooks, call, source, self.transport.origin)
        if not self.hooks.listening and not ENGINE.isEnabledFor(logging.DEBUG):
            return await self._attempts(call, once, watch, source, progress, sink=sink, upload=upload, partial=partial)
        with watch:
            once, told = watch.around(once), watch.progress(progress)
            result = await self._attempts(call, once, watch, source, told, sink=sink, upload=upload, partial=partial)
            watch.result = result
            return result

    async def _attempts(
        self,
        call: Call[Any],
        once: Callable[[Request, bool], Awaitable[T]],
        watch: Watch,
        source: Source | None,
        progress: Progress | None,
        *,
        sink: Sink | None,
        upload: Pending | None,
        partial: Partial | None,
    ) -> T:
        """Make attempts until one succeeds or `decide` says that it is enough."""
        attempt, begun = _FIRST, time.monotonic() + self._sending_time(source)
        deadline = begun + self.retry.timeout
        while True:
            token = await self._token(call, deadline - time.monotonic())
            watch.attempts += 1
            watch.token = token
            started_at = time.time()
            try:
                # The request is in no variable: an error that is kept holds this frame, and it a piece of the media.
                result = await once(
                    _request(call, token, source, progress, timeouts=self.timeouts, deadline=deadline),
                    attempt.in_doubt,
                )
            except WxAssetError as error:
                failure = without_secrets(error, call, token)
            else:
                self.quota.refill(attempt.cost)
                return result
            if partial is not None and partial.moved():
                # As long as more comes there is no reason to lose patience.
                self.quota.refill(attempt.cost)
                attempt, begun = _FIRST, time.monotonic()
                deadline = begun + self.retry.timeout
            attempt = evolve(
                attempt,
                elapsed=max(0.0, time.monotonic() - begun),
                resendable=(source is None or source.replayable) and (sink is None or sink.replayable),
                harmless=source is not None and upload is None and self.uploads.unlisted == "resend",
                next_minute=60 - started_at % 60,
                quota=self.quota.left,
                chance=random.random(),  # noqa: S311 - spreads waits; nothing is kept secret by it
            )
            if isinstance(failure, TokenRejectedError) and token is not None:
                self.tokens.reject(token, failure)
                watch.refused(failure)
            match decide(call.route, failure, attempt, self.retry):
                case Resend() as resend:
                    self.quota.spend(resend.cost)
                    attempt = attempt.after(resend)
                    watch.retrying(resend, failure)
                    await self.sleep(resend.wait)
                case AlreadyDone():
                    self.quota.refill(attempt.cost)
                    done: T = call.reply()
                    return done
                case OutcomeUnknown(cost) if source is not None:
                    watch.lost(failure)
                    lost = Lost(call, source, started_at, failure)
                    found: T = await self._find(lost, watch, upload, cost, deadline - time.monotonic())
                    return found
                case CannotResend():
                    raise cannot_resend(failure) from failure
                case _:
                    try:
                        raise failure
                    finally:
                        del failure  # or error and frame would hold each other

    async def _token(self, call: Call[Any], patience: float) -> Token | None:
        return await self.tokens.acquire(self.exchange, patience=patience) if call.route.authorized else None

    async def _find(self, lost: Lost, watch: Watch, upload: Pending | None, cost: int | None, patience: float) -> Any:
        """Look for an upload whose reply was lost, and give that reply; else say that its outcome is unknown."""
        unique = upload is not None and self.uploads.unique_names
        if upload is not None:
            upload.begun = lost.started_at
        if upload is None or self.uploads.reconcile == "raise":
            raise lost.unknown(unique=unique) from lost.failure
        if cost is None:
            raise lost.unknown(Unseen("too much is failing to search the library"), unique=unique) from lost.failure
        self.quota.spend(cost)
        search = Search(self._page, self.register, upload, time.time, unique)
        finding = await search.find(self.uploads.visibility, self.sleep, patience)
        watch.searched(finding)
        if not isinstance(finding, Unseen):
            self.quota.refill(cost)
        if isinstance(finding, Found):
            return lost.call.recover(finding.item)
        raise lost.unknown(finding, unique=unique) from lost.failure

    def _sending_time(self, source: Source | None) -> float:
        """Return the seconds that the bytes of an upload may take, which are not held against its call."""
        return 0.0 if source is None else source.size / self.timeouts.min_rate

    def _max_reply(self, call: Call[Any]) -> int:
        return min(call.route.max_reply, self.limits.max_reply)


def _request(
    call: Call[Any],
    token: Token | None,
    source: Source | None,
    progress: Progress | None,
    *,
    timeouts: Timeouts,
    deadline: float,
) -> Request:
    """Put one attempt together; the body of an upload is a new one each time."""
    query = call.query()
    if token is not None and token.parameter:
        query = {token.parameter: token.value, **query}
    body: bytes | UploadBody | None = call.body()
    if isinstance(call, Upload) and source is not None:
        around = call.frame(source.filename, source.content_type)
        body = UploadBody(frame=around, source=source, progress=progress)
    return Request(
        method=call.route.method,
        path=call.route.path,
        query=query,
        body=body,
        timeouts=timeouts,
        deadline=deadline,
        progress=progress,
    )


@frozen(eq=False)
class _Lent:
    """The engine's way to make calls, as it is lent to sources of tokens."""

    _engine: Engine

    @property
    def hooks(self) -> Hooks:
        """Who is told what comes of it."""
        return self._engine.hooks

    async def __call__(self, call: Call[R], /) -> R:
        """Make a call."""
        return await self._engine.call(call)


def _not_a_file(path: str) -> NotAFileError:
    return NotAFileError(f"{path} leads to a page, not to a file.", path)
