"""The invariant of creates: result, refusal, or `UploadOutcomeUnknown`, whatever is raised and wherever.

Operations meet faults of the simulator and exceptions of the application: of hooks, progress callbacks, trace configs,
middlewares, token sources, media and log filters. The tests play some; `nox -s property` plays 2,000. The simulator is
the judge.
"""

import asyncio
import io
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from attrs import define, field, frozen
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from wxasset import (
    AddedMaterial,
    Failed,
    Hooks,
    NewMaterial,
    NotTried,
    RetryPolicy,
    StableToken,
    Timeouts,
    Token,
    Unknown,
    UploadOutcomeUnknown,
    UploadPolicy,
    WxSession,
)
from wxasset.errors import APIError, SourceError, TransferError, UsageError
from wxasset.simulator import Simulator

EXAMPLES = int(os.environ.get("WXASSET_EXAMPLES", "80"))
PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40

FAULTS = (
    None,
    "errcode:-1",
    "errcode-after-commit:-1",
    "errcode:45009",
    "status-after-commit:502",
    "status:404",
    "reset-before-commit",
    "reset-after-commit",
    "reset-after-1K",
    "cut-reply-after-5",
    "revoke-token",
    "html-after-commit",
    "not-http",
)

ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: ValueError("a bug of the application"),
    lambda: OSError("a disk of the application"),
    lambda: TimeoutError("a timer of the application"),
    lambda: StopIteration("an iterator of the application"),
    lambda: aiohttp.ClientError("a request of the application"),
    lambda: UsageError("another call of the application was wrong."),
    lambda: SourceError("another upload of the application failed."),
    lambda: TransferError("another call of the application broke.", "/other"),
    lambda: APIError(errcode=48001, errmsg="of another call", path="/other"),
    lambda: asyncio.CancelledError("of the application"),
)

SIGNALS = (
    "on_request_start",
    "on_request_end",
    "on_request_exception",
    "on_request_headers_sent",
    "on_request_chunk_sent",
    "on_connection_create_start",
    "on_connection_create_end",
    "on_connection_reuseconn",
)


@define(eq=False)
class Bomb:
    """Raises at one of the calls of a place, for one request in particular."""

    place: str
    error: Callable[[], BaseException]
    at: int
    calls: int = field(default=0, init=False)
    armed: bool = field(default=False, init=False)

    def __call__(self, place: str) -> None:
        """Raise, if this is the place and the call."""
        if self.armed and place == self.place:
            self.calls += 1
            if self.calls == self.at:
                raise self.error()

    @property
    def exploded(self) -> bool:
        """Whether it has raised."""
        return self.calls >= self.at


def _traced(bomb: Bomb) -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    for name in SIGNALS:

        async def told(*_: object, name: str = name) -> None:
            bomb(name)

        getattr(config, name).append(told)
    return config


def _middleware(bomb: Bomb) -> Callable[..., Awaitable[aiohttp.ClientResponse]]:
    async def middleware(request: Any, handler: Callable[..., Awaitable[aiohttp.ClientResponse]]) -> Any:
        bomb("middleware before")
        response = await handler(request)
        try:
            bomb("middleware after")
        except BaseException:
            response.close()
            raise
        if bomb.armed and bomb.place == "middleware twice":
            bomb.calls = bomb.at
            response.close()
            return await handler(request)
        return response

    return middleware


def _hooks(bomb: Bomb) -> Hooks:
    @contextmanager
    def around(_: object) -> Iterator[None]:
        bomb("around enter")
        yield
        bomb("around exit")

    return Hooks(on_event=lambda _: bomb("on_event"), around=around)


@frozen
class Source:
    """A token source that may raise."""

    bomb: Bomb
    inner: StableToken

    async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
        """Fetch, and raise before or after it."""
        self.bomb("token before")
        token = await self.inner.fetch(exchange, previous=previous, rejected=rejected)
        self.bomb("token after")
        return token


class Filter(logging.Filter):
    """A log filter that may raise."""

    def __init__(self, bomb: Bomb) -> None:
        super().__init__()
        self.bomb = bomb

    def filter(self, record: logging.LogRecord) -> bool:
        """Raise, or drop the record."""
        del record
        self.bomb("log filter")
        return False


async def _stream(bomb: Bomb) -> AsyncIterator[bytes]:
    try:
        bomb("stream begin")
        yield PHOTO[:5000]
        bomb("stream middle")
        yield PHOTO[5000:]
        bomb("stream end")
    finally:
        bomb("stream close")


class Handle(io.BytesIO):
    """A file that may raise."""

    def __init__(self, bomb: Bomb) -> None:
        super().__init__(PHOTO)
        self.bomb = bomb

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or raise."""
        self.bomb("handle read")
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek, or raise."""
        self.bomb("handle seek")
        return super().seek(offset, whence)


PLACES = (
    *SIGNALS,
    *("middleware before", "middleware after", "middleware twice"),
    *("on_event", "around enter", "around exit"),
    *("token before", "token after", "log filter", "progress"),
    *("stream begin", "stream middle", "stream end", "stream close", "handle read", "handle seek"),
)

MEDIA: dict[str, Callable[[Bomb], tuple[Any, dict[str, Any]]]] = {
    "bytes": lambda _: (PHOTO, {}),
    "stream of known size": lambda bomb: (_stream(bomb), {"size": len(PHOTO)}),
    "stream": lambda bomb: (_stream(bomb), {}),
    "handle": lambda bomb: (Handle(bomb), {}),
}


async def _add(wx: WxSession, media: Any, options: dict[str, Any]) -> Any:
    return await wx.add_material("image", media, filename="mine.jpg", **options)


async def _add_batch(wx: WxSession, media: Any, options: dict[str, Any]) -> Any:
    del options["progress"]
    size = options.pop("size", None)
    async with wx.add_materials("image", [NewMaterial(media=media, filename="mine.jpg", size=size)]) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Failed | Unknown | NotTried):
                raise outcome.error
            return outcome.material
    return None


async def _upload_image(wx: WxSession, media: Any, options: dict[str, Any]) -> Any:
    return await wx.upload_image(media, filename="mine.jpg", **options)


async def _upload_media(wx: WxSession, media: Any, options: dict[str, Any]) -> Any:
    return await wx.upload_media("image", media, filename="mine.jpg", **options)


OPERATIONS = {
    "add_material": _add,
    "add_materials": _add_batch,
    "uploadimg": _upload_image,
    "upload": _upload_media,
}


def created(sim: Simulator) -> int:
    """Count what the simulator has made."""
    return len(sim.materials) + len(sim.article_images) + len(sim.temporary_media)


async def play(operation: str, media: str, fault: str | None, bomb: Bomb) -> tuple[object, int]:
    """Make one create; return its outcome, and how many objects it made."""
    filter_ = Filter(bomb)
    logging.getLogger("wxasset.hooks").disabled = True
    loggers = [logging.getLogger(f"wxasset.{name}") for name in ("engine", "tokens")]
    sim = Simulator()
    http = aiohttp.ClientSession(trace_configs=[_traced(bomb)], middlewares=(_middleware(bomb),))
    async with sim, http:
        wx = WxSession(
            tokens=Source(bomb, StableToken(sim.appid, sim.secret)),
            base_url=sim.url,
            http=http,
            retry=RetryPolicy(wait_initial=0),
            timeouts=Timeouts(stall=1),
            uploads=UploadPolicy(visibility=0),
            hooks=_hooks(bomb),
        )
        if not bomb.place.startswith(("token", "on_connection_create")):
            await wx.count_materials()
        for logger in loggers:
            logger.addFilter(filter_)
        bomb.armed = True
        if fault is not None:
            endpoint = {"add_materials": "add_material"}.get(operation, operation)
            sim.fail(endpoint, fault)
        given_media, options = MEDIA[media](bomb)
        try:
            outcome: object = await OPERATIONS[operation](
                wx, given_media, {"progress": lambda *_: bomb("progress"), **options}
            )
        except BaseException as error:  # noqa: BLE001 - it is judged
            outcome = error
        bomb.armed = False
        for logger in loggers:
            logger.removeFilter(filter_)
        await wx.aclose()
        if isinstance(outcome, AddedMaterial):
            assert outcome.media_id in sim.materials
        return outcome, created(sim)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    operation=st.sampled_from(sorted(OPERATIONS)),
    media=st.sampled_from(sorted(MEDIA)),
    fault=st.sampled_from(FAULTS),
    place=st.sampled_from(PLACES),
    error=st.integers(0, len(ERRORS) - 1),
    at=st.integers(1, 4),
)
@example("add_material", "bytes", None, "on_request_end", 0, 1)
@example("add_material", "bytes", None, "middleware after", 5, 1)
@example("add_material", "bytes", None, "middleware twice", 0, 1)
@example("uploadimg", "stream of known size", None, "stream end", 0, 1)
@example("upload", "stream", "revoke-token", "log filter", 0, 1)
def test_a_create_ends_with_its_result_a_refusal_or_unknown(
    operation: str, media: str, fault: str | None, place: str, error: int, at: int
) -> None:
    """A result is there once, an unknown outcome at most once, and after any other error nothing is there."""
    bomb = Bomb(place, ERRORS[error], at)
    outcome, made = asyncio.run(play(operation, media, fault, bomb))
    note(f"{outcome!r} made {made}, exploded: {bomb.exploded}")
    if isinstance(outcome, UploadOutcomeUnknown | asyncio.CancelledError):
        assert made <= 1
    elif isinstance(outcome, BaseException):
        assert made == 0
    else:
        assert made == 1


def test_the_exception_of_the_application_is_the_cause() -> None:
    """An exception raised after the request was sent is the cause of `UploadOutcomeUnknown`."""
    raised = ValueError("a bug of the application")
    outcome, made = asyncio.run(play("add_material", "bytes", None, Bomb("on_request_end", lambda: raised, 1)))
    assert isinstance(outcome, UploadOutcomeUnknown)
    assert outcome.__cause__ is raised
    assert "ValueError was raised after the request" in str(outcome)
    assert made == 1


def test_an_exception_before_the_request_is_raised_as_it_is() -> None:
    """An exception raised before anything was sent is the application's own, and nothing was made."""
    raised = ValueError("a bug of the application")
    outcome, made = asyncio.run(play("add_material", "bytes", None, Bomb("on_request_start", lambda: raised, 1)))
    assert outcome is raised
    assert made == 0
