"""The only loop: acquire a token, send, decode, decide, wait, again."""

import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
from attrs import define, evolve, fields

from wxasset.calls.base import Call, Download, Upload
from wxasset.errors import (
    DecodeError,
    DestinationError,
    Hint,
    ReplyTooLarge,
    SourceError,
    TokenRejectedError,
    UploadOutcomeUnknown,
    WxAssetError,
)
from wxasset.retry import (
    AlreadyDone,
    Attempt,
    CannotResend,
    OutcomeUnknown,
    Resend,
    RetryPolicy,
    decide,
)
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.token import Token
from wxasset.transfer.download import FileReply, MaterialStream, SavedMaterial
from wxasset.transfer.progress import Progress
from wxasset.transfer.source import Source
from wxasset.transfer.transport import Reply, Request, Transport
from wxasset.transfer.upload import UploadBody
from wxasset.transfer.writing import Sink
from wxasset.wire.codec import decode, looks_like_json, reply_or_file
from wxasset.wire.limits import KIB, Limits
from wxasset.wire.multipart import frame
from wxasset.wire.names import is_attachment

__all__ = ["Engine"]

R = TypeVar("R")
T = TypeVar("T")

_FIRST: Final = Attempt()
_SECRET: Final = 8  # characters; real ones have 32 and more, and to blot out a shorter one would spoil the text
_ENVELOPE: Final = 4 * KIB  # bytes; an error in the clothes of a file is no longer than this


@define
class Engine:
    """Makes declared calls."""

    transport: Transport
    tokens: TokenCache
    policy: RetryPolicy
    limits: Limits
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    async def call(self, call: Call[R], *, source: Source | None = None, progress: Progress | None = None) -> R:
        """Make a call with a JSON reply; an upload brings its source."""

        async def once(request: Request, repeated: bool) -> R:  # noqa: FBT001 - called by `_run` alone
            async with self.transport.send(request) as reply:
                body = await reply.read(self._max_reply(call))
            decoded: R = call.settle(decode(body, call.reply, call.route.path), repeated=repeated)
            return decoded

        return await self._run(call, once, source, progress)

    async def download(self, call: Download[R], sink: Sink, progress: Progress | None) -> R | SavedMaterial:
        """Make a call that answers with JSON or a file; the file goes into the sink."""

        async def once(request: Request, _: bool) -> R | SavedMaterial:  # noqa: FBT001 - as above
            async with self.transport.send(request) as reply:
                answer = await self._tell_apart(call, reply)
                return await answer.save(sink, progress) if isinstance(answer, FileReply) else answer

        return await self._run(call, once, sink=sink)

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
        most = _ENVELOPE if attachment else self._max_reply(call)
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
        fallback = str(getattr(call, "media_id", "") or call.route.path.rsplit("/", 1)[-1])
        return FileReply(fallback, reply, bytes(head), self.limits.max_download)

    async def _run(
        self,
        call: Call[Any],
        once: Callable[[Request, bool], Awaitable[T]],
        source: Source | None = None,
        progress: Progress | None = None,
        *,
        sink: Sink | None = None,
    ) -> T:
        """Make attempts until one succeeds or `decide` says that it is enough."""
        attempt, begun = _FIRST, time.monotonic()
        while True:
            token = await self.tokens.acquire(self.call) if call.route.authorized else None
            started_at = time.time()
            try:
                return await once(_request(call, token, source, progress), attempt.in_doubt)
            except WxAssetError as error:
                failure = _without_secrets(error, call, token)
            attempt = evolve(
                attempt,
                elapsed=time.monotonic() - begun,
                resendable=(source is None or source.replayable) and (sink is None or sink.replayable),
                chance=random.random(),  # noqa: S311 - spreads waits; nothing is kept secret by it
            )
            if isinstance(failure, TokenRejectedError) and token is not None:
                self.tokens.reject(token, failure)
            match decide(call.route, failure, attempt, self.policy):
                case Resend(fresh_token=True):
                    attempt = evolve(attempt, token_refused=True)
                case Resend(wait=wait, in_doubt=in_doubt):
                    attempt = evolve(attempt, number=attempt.number + 1, in_doubt=in_doubt)
                    await self.sleep(wait)
                case AlreadyDone():
                    done: T = call.reply()
                    return done
                case OutcomeUnknown() if source is not None:
                    raise _outcome_unknown(call, source, started_at, failure) from failure
                case CannotResend():
                    raise _cannot_resend(failure) from failure
                case _:
                    raise failure

    def _max_reply(self, call: Call[Any]) -> int:
        return min(call.route.max_reply, self.limits.max_reply)


def _request(call: Call[Any], token: Token | None, source: Source | None, progress: Progress | None) -> Request:
    """Put one attempt together; the body of an upload is a new one each time."""
    query = call.query()
    if token is not None and token.parameter:
        query = {token.parameter: token.value, **query}
    body: bytes | UploadBody | None = call.body()
    if isinstance(call, Upload) and source is not None:
        around = frame(source.filename, source.content_type, call.form())
        body = UploadBody(frame=around, source=source, progress=progress)
    return Request(method=call.route.method, path=call.route.path, query=query, body=body)


def _without_secrets(error: WxAssetError, call: Call[Any], token: Token | None) -> WxAssetError:
    """Take out of an error what a server echoed, or what it issued."""
    hidden = [str(getattr(call, one.name)) for one in fields(type(call)) if one.repr is False]
    hidden += [token.value] if token is not None else []
    for one in fields(type(error)):
        text = getattr(error, one.name)
        if isinstance(text, str):
            if one.name == "excerpt" and not call.route.authorized:
                text = ""  # a broken answer of a token endpoint may hold the token
            for secret in hidden:
                text = text.replace(secret, "***") if len(secret) >= _SECRET else text
            setattr(error, one.name, text)
    error.args = ()  # attrs keeps a copy of the fields there
    if not isinstance(error, SourceError | DestinationError):
        # A crash reporter shows the variables of each frame: those below hold the request and the answer.
        error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _outcome_unknown(call: Call[Any], source: Source, started_at: float, failure: WxAssetError) -> UploadOutcomeUnknown:
    path = call.route.path
    return UploadOutcomeUnknown(
        f"The upload of {source.filename} to {path} may or may not have happened; it was not sent again."
        f" ({failure.message})",
        path,
        filename=source.filename,
        type=getattr(call, "media_type", ""),
        size=source.size,
        started_at=started_at,
        ended_at=time.time(),
        reason=failure.message,
    )


def _cannot_resend(failure: WxAssetError) -> SourceError:
    return SourceError(
        f"WeChat refused the access token after the stream had been read, so it could not be sent again."
        f" ({failure.message})",
        Hint(
            "Call again with a fresh stream: the next call fetches a new token. Without size= a stream is kept and sent"
            " again by itself.",
            "请用新的数据流重新调用，届时会获取新的 token；不传 size= 时数据会先缓存，可自动重发。",
        ),
    )
