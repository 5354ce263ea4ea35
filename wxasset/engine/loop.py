"""The only loop: acquire a token, send, decode, decide, wait, again."""

import hashlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

import anyio
from attrs import define, evolve, field, frozen

from wxasset.calls.base import Ack, Call, Download, Upload
from wxasset.calls.materials import AddedMaterial, GetMaterial, ListMaterials, MaterialPage, recovered
from wxasset.calls.object_storage import FetchFile, FetchLink, PutFile
from wxasset.engine.operation import Once, Operation
from wxasset.engine.reconcile import (
    MORE_PAGES,
    Finding,
    Found,
    Lost,
    Missing,
    Search,
    Unseen,
    cannot_resend,
    still_unknown,
)
from wxasset.engine.recorder import OperationRecorder
from wxasset.engine.redaction import without_secrets
from wxasset.engine.register import Pending, UploadRegister, random_mark, recent, recorded
from wxasset.engine.replies import file_reply, json_or_file, max_reply, not_a_file
from wxasset.engine.retry import (
    Action,
    AlreadyDone,
    Attempt,
    CannotResend,
    OutcomeUnknown,
    Resend,
    RetryPolicy,
    RetryQuota,
    decide,
)
from wxasset.engine.uploads import UploadPolicy
from wxasset.errors import (
    DecodeError,
    HTTPStatusError,
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
from wxasset.transfer.http import Request, Timeouts, Transport
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.source import Source, sha256_of
from wxasset.wire.codec import decode, excerpt
from wxasset.wire.filenames import marked_name
from wxasset.wire.limits import Limits
from wxasset.wire.multipart import sent_name
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["Engine"]

R = TypeVar("R")
T = TypeVar("T")

_FIRST: Final = Attempt()
_RUN_OUT: Final = frozenset({403, 404, 410})  # what a CDN says of a signature that is too old


@define(eq=False)
class Engine:
    """Makes declared calls.

    Attributes:
        transport: The network.
        tokens: Where tokens come from.
        retry: How often, and how patiently, calls are tried.
        limits: Limits of uploads and responses.
        timeouts: How long to wait.
        downloads: Policy for URLs given by the server.
        uploads: Policy for uploads whose response was lost.
        quota: Retry budget of all calls together.
        register: The uploads in progress, and their materials.
        hooks: Receivers of events.
        exchange: Fetches tokens with the options of the session, regardless of the options of a call.
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
    mark: Callable[[], str] = field(default=random_mark)
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    def __attrs_post_init__(self) -> None:
        """Fetch tokens by itself."""
        self.exchange = _Lent(self)

    def with_options(self, **options: Any) -> "Engine":
        """Return an engine with other options; all else is shared."""
        other = evolve(self, **options)
        other.exchange = self.exchange
        return other

    async def call(self, call: Call[R], *, source: Source | None = None, progress: Progress | None = None) -> R:
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

    async def _add(
        self,
        call: Upload[R],
        once: Callable[[Request, bool], Awaitable[R]],
        source: Source,
        progress: Progress | None,
    ) -> R:
        """Make an upload listed by the library, and record it in the register."""
        marked = self.uploads.unique_names or not source.named
        if marked:
            source = evolve(source, filename=marked_name(source.filename, self.mark()))
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

    async def resolve(self, error: UploadOutcomeUnknown) -> AddedMaterial | None:
        """Find out whether an upload of unknown outcome happened."""
        match await self.look(error, thorough=True):
            case Found(item):
                return recovered(item)
            case Missing():
                return None
            case Unseen(error=WxAssetError() as failure):
                raise failure
            case finding:
                raise still_unknown(error, finding)

    async def look(self, error: UploadOutcomeUnknown, *, thorough: bool) -> Finding:
        """Search for an upload of unknown outcome; only a `thorough` search proves absence."""
        if error.listing is None:
            raise UsageError(f"WeChat has no list in which the upload to {error.path} could be looked up.")
        name, started = sent_name(error.filename), error.started_at
        known = self.register.given_up((error.listing, name, started))
        upload = known or Pending(listing=error.listing, name=name, marked=error.unique_name, started_at=started)
        search = Search(
            listing=self._page,
            hashing=self._sha256,
            register=self.register,
            upload=upload,
            window=partial(recent, known) if known else partial(recorded, started, error.ended_at, error.clock_ahead),
            sha256=error.sha256,
            owned=frozenset(error.owned),
            pages=MORE_PAGES,
            thorough=thorough,
        )
        finding = await search.find(0.0, self.sleep, self.retry.timeout)
        if isinstance(finding, Found):
            self.register.end(upload)
        return finding

    async def _page(self, kind: str, offset: int) -> tuple[MaterialPage, float | None]:
        """List a page for a search, with WeChat's time."""
        call, clock = ListMaterials(type=kind, offset=offset), self.register.clock

        async def once(request: Request, _: bool) -> MaterialPage:  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                body = await reply.read(max_reply(call, self.limits))
                clock.tell(reply.date)
            return decode(body, MaterialPage, call.route.path)

        return await self._run(Operation(call), once), clock.now()

    async def _sha256(self, media_id: str) -> str | None:
        """Return the hash of a material; None if it has no bytes to compare, or cannot be read."""
        digest = hashlib.sha256()
        with suppress(WxAssetError):
            async with self.open(GetMaterial(media_id=media_id)) as answer:
                if isinstance(answer, MaterialStream):
                    async for chunk in answer:
                        digest.update(chunk)
                    return digest.hexdigest()
        return None

    async def download(self, call: Download[R], sink: Sink, progress: Progress | None) -> R | SavedMaterial:
        """Make a call whose response is JSON or a file; write the file to the sink."""

        async def once(request: Request, _: bool) -> R | SavedMaterial:  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                answer = await json_or_file(call, reply, self.limits)
                return await answer.save(sink, request.progress) if isinstance(answer, FileReply) else answer

        return await self._run(Operation(call, progress=progress, sink=sink), once)

    async def fetch(self, link: FetchLink, sink: Sink, progress: Progress | None) -> SavedMaterial:
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
            if error.status in _RUN_OUT:
                error.message += " The link has expired; get the material again for a new one."
            raise

    async def put(self, file: PutFile, source: Source, progress: Progress | None) -> None:
        """Post a file to object storage."""

        async def once(request: Request, _: bool) -> None:  # noqa: FBT001 - as above
            async with self.transport.post(file.url, self.downloads, request) as reply:
                start = await reply.next_chunk()
            if start.strip():
                page = excerpt(start)
                raise DecodeError(f"{reply.path} returned an unexpected response body.", reply.path, excerpt=page)

        await self._run(Operation(file, source, progress), once)

    async def go_on(self, file: FetchFile, partial: Partial) -> None:
        """Download the missing part of a file in object storage."""

        async def once(request: Request, _: bool) -> None:  # noqa: FBT001 - as above
            async with self.transport.follow(file.url, self.downloads, request, partial.headers()) as reply:
                # Object storage marks what it sends; other answers may be a gateway's.
                marked = reply.etag is not None or partial.done > 0
                if marked:
                    answer: Ack | FileReply = file_reply(file, reply, self.limits, done=partial.done)
                else:
                    answer = await json_or_file(file, reply, self.limits)
                if not isinstance(answer, FileReply):
                    raise DecodeError(f"{reply.path} answered with JSON instead of the file.", reply.path)
                await partial.take(reply, answer, request.progress)

        await self._run(Operation(file, partial=partial), once)

    @asynccontextmanager
    async def open(self, call: Download[R]) -> AsyncGenerator[R | MaterialStream, None]:
        """Make a call whose response is JSON or a file; the file stays open inside the block."""
        async with AsyncExitStack() as stack:

            async def once(request: Request, _: bool) -> R | MaterialStream:  # noqa: FBT001 - as above
                async with AsyncExitStack() as attempt:
                    reply = await attempt.enter_async_context(self.transport.send(request))
                    answer = await json_or_file(call, reply, self.limits)
                    if not isinstance(answer, FileReply):
                        return answer
                    stream = MaterialStream(answer)
                    attempt.callback(stream.end)
                    stack.push_async_exit(attempt.pop_all())
                    return stream

            yield await self._run(Operation(call), once)

    async def _run(self, operation: Operation, once: Once[T]) -> T:
        """Run one operation; record it if a hook or the debug log listens."""
        recorder = OperationRecorder(self.hooks, operation.call, operation.source, self.transport.origin)
        if not self.hooks.listening and not ENGINE.isEnabledFor(logging.DEBUG):
            return await self._attempts(operation, once, recorder)
        with recorder:
            recorded = operation.reporting(recorder.progress(operation.progress))
            result = await self._attempts(recorded, recorder.around(once), recorder)
            recorder.result = result
            return result

    async def _attempts(self, operation: Operation, once: Once[T], recorder: OperationRecorder) -> T:
        """Make attempts until one succeeds or `decide` returns another action than to resend."""
        call, attempt = operation.call, _FIRST
        begun = time.monotonic() + operation.sending_time(self.timeouts)
        while True:
            deadline = begun + self.retry.timeout
            recorder.token = token = await self._token(call, deadline - time.monotonic())
            recorder.attempts += 1
            started_at = time.time()
            if operation.pending is not None:
                operation.pending.start(started_at)
            try:
                # The request is in no variable: an error that is kept holds this frame, and it a piece of the media.
                result = await once(operation.request(token, self.timeouts, deadline), attempt.in_doubt)
            except WxAssetError as error:
                failure = without_secrets(error, call, token)
            else:
                self.quota.refill(attempt.cost)
                return result
            if operation.moved():  # a resumed download that receives bytes is not out of patience
                self.quota.refill(attempt.cost)
                attempt, begun = _FIRST, time.monotonic()
            attempt = self._failed(attempt, operation, begun, started_at)
            if isinstance(failure, TokenRejectedError) and token is not None:
                self.tokens.reject(token, failure)
                recorder.refused(failure)
            action = decide(call.route, failure, attempt, self.retry)
            if isinstance(action, Resend):
                self.quota.spend(action.cost)
                attempt = attempt.after(action)
                recorder.retrying(action, failure)
                await self.sleep(action.wait)
                continue
            try:
                end = _End(operation, action, failure, started_at, begun + self.retry.timeout, attempt.cost)
                done: T = await self._conclude(end, recorder)
                return done
            finally:
                del failure, end  # or error and frame would hold each other

    def _failed(self, attempt: Attempt, operation: Operation, begun: float, started_at: float) -> Attempt:
        """Return a failed attempt with the facts for `decide`."""
        return evolve(
            attempt,
            elapsed=max(0.0, time.monotonic() - begun),
            resendable=operation.resendable(),
            harmless=operation.source is not None and operation.pending is None and self.uploads.unlisted == "resend",
            next_minute=60 - started_at % 60,
            quota=self.quota.left,
            chance=random.random(),  # noqa: S311 - spreads waits; nothing is kept secret by it
        )

    async def _conclude(self, end: "_End", recorder: OperationRecorder) -> Any:
        """Return the result of an operation without a further attempt, or raise its error."""
        match end.action:
            case AlreadyDone():
                self.quota.refill(end.cost)
                return end.operation.call.reply()
            case OutcomeUnknown(cost) if end.operation.source is not None:
                recorder.lost(end.failure)
                lost = Lost(end.operation.call, end.operation.source, end.started_at, end.failure)
                patience = end.deadline - time.monotonic()
                return await self._find(lost, recorder, end.operation.pending, cost, patience)
            case CannotResend():
                raise cannot_resend(end.failure) from end.failure
            case _:
                try:
                    raise end.failure
                finally:
                    del end  # or error and frame would hold each other

    async def _token(self, call: Call[Any], patience: float) -> Token | None:
        return await self.tokens.acquire(self.exchange, patience=patience) if call.route.authorized else None

    async def _find(
        self, lost: Lost, recorder: OperationRecorder, upload: Pending | None, cost: int | None, patience: float
    ) -> Any:
        """Search for an upload whose response was lost; return its result, or raise `UploadOutcomeUnknown`."""
        unique = upload is not None and upload.marked
        search = self.uploads.reconcile == "search" and cost is not None
        if upload is not None and search:
            self.quota.spend(cost or 0)  # at once: others decide by what is left
        if upload is not None:
            lost = await self._with_facts(lost, upload)
        if upload is None or self.uploads.reconcile == "raise":
            raise lost.unknown(unique=unique) from lost.failure
        if cost is None:
            raise lost.unknown(Unseen("too much is failing to search the library"), unique=unique) from lost.failure
        window = partial(recent, upload)
        finding = await Search(self._page, self._sha256, self.register, upload, window, lost.sha256).find(
            self.uploads.visibility, self.sleep, patience
        )
        recorder.searched(finding)
        if not isinstance(finding, Unseen) or finding.error is None:
            self.quota.refill(cost)
        if isinstance(finding, Found):
            return lost.call.recover(finding.item)
        lost = await self._with_facts(lost, upload)
        raise lost.unknown(finding, unique=unique) from lost.failure

    async def _with_facts(self, lost: Lost, upload: Pending) -> Lost:
        """Add the facts for a search in another process."""
        sha256 = lost.sha256
        if sha256 is None and not upload.marked and lost.source.replayable:
            with suppress(Exception):  # it has changed or is gone: then no match is certain
                sha256 = await sha256_of(lost.source)
        owned, ahead = self.register.owned_since(upload.begun), self.register.clock.ahead()
        return evolve(lost, sha256=sha256, owned=owned, ahead=ahead)


@frozen(eq=False)
class _End:
    """The last attempt of an operation, and the action after it."""

    operation: Operation
    action: Action
    failure: WxAssetError
    started_at: float
    deadline: float
    cost: int


@frozen(eq=False)
class _Lent:
    """The engine's way to make calls, as it is lent to sources of tokens."""

    _engine: Engine

    @property
    def hooks(self) -> Hooks:
        """Hooks of the session."""
        return self._engine.hooks

    async def __call__(self, call: Call[R], /) -> R:
        """Make a call."""
        return await self._engine.call(call)
