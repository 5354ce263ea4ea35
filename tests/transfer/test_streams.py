"""Streams to upload: each is read by a single task from its first byte on, and closed there."""

import asyncio
import contextvars
import os
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from raw_server import RawServer, forever, reply, reset
from wxasset import Limits, RetryPolicy, WxSession
from wxasset.errors import APIError, SourceError, WxAssetError
from wxasset.transfer.uploads.streams import spool

ADDED = reply({"media_id": "M"})
PICTURE = b"\xff\xd8\xff\xe0" + os.urandom(100_000)
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


class Stream:
    """A stream that needs to be closed by the task that began it, as one with a cancel scope inside."""

    def __init__(self, data: bytes = PICTURE, *, then: BaseException | None = None, silent: bool = False) -> None:
        self.data = data
        self.then = then
        self.silent = silent
        self.closed = ""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in small chunks."""
        task = asyncio.current_task()
        try:
            with anyio.CancelScope():
                for start in range(0, len(self.data), 10_000):
                    yield self.data[start : start + 10_000]
                if self.then is not None:
                    raise self.then
                if self.silent:
                    await anyio.sleep_forever()
        finally:
            self.closed = "by its task" if asyncio.current_task() is task else "by another task"


async def in_a_scope() -> AsyncIterator[bytes]:
    """Read under a time limit of anyio."""
    with anyio.fail_after(30):
        yield PICTURE[:70]
        yield PICTURE[70:]


async def in_a_group() -> AsyncIterator[bytes]:
    """Read beside a task of a task group."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
        yield PICTURE[:70]
        yield PICTURE[70:]


async def under_a_timeout() -> AsyncIterator[bytes]:
    """Read under a time limit of asyncio."""
    async with asyncio.timeout(30):
        yield PICTURE[:70]
        yield PICTURE[70:]


async def with_a_variable() -> AsyncIterator[bytes]:
    """Set a context variable for the time of the stream."""
    assert VARIABLE.get() == "of the caller"
    token = VARIABLE.set("of the stream")
    yield PICTURE[:70]
    assert VARIABLE.get() == "of the stream"
    VARIABLE.reset(token)
    yield PICTURE[70:]


@pytest.mark.parametrize("size", [None, len(PICTURE)], ids=["spooled", "passed through"])
@pytest.mark.parametrize("stream", [in_a_scope, in_a_group, under_a_timeout, with_a_variable])
async def test_what_a_stream_holds_open_belongs_to_one_task(
    raw: WxSession, server: RawServer, stream: Callable[[], AsyncIterator[bytes]], size: int | None
) -> None:
    """Scopes, task groups and context variables inside a stream are entered and left by the same task."""
    server.script = [ADDED]
    VARIABLE.set("of the caller")
    await asyncio.wait_for(raw.add_material("image", stream(), size=size), 10)
    assert PICTURE in server.requests[0].body


REFUSED = reply({"errcode": 40007, "errmsg": "no"})
ENDS: dict[str, tuple[Any, Stream, dict[str, Any], type[WxAssetError]]] = {
    "a reset": (reset, Stream(), {"size": len(PICTURE)}, WxAssetError),
    "a refusal": (REFUSED, Stream(), {"size": len(PICTURE)}, APIError),
    "a size too small": (ADDED, Stream(), {"size": 20_000}, SourceError),
    "a size too large": (ADDED, Stream(), {"size": 2 * len(PICTURE)}, SourceError),
    "a format that is not taken": (ADDED, Stream(b"text " * 9_000), {"size": 45_000}, SourceError),
    "an error": (ADDED, Stream(then=KeyError("k")), {"size": 2 * len(PICTURE)}, SourceError),
    "an error while it is spooled": (ADDED, Stream(then=KeyError("k")), {}, SourceError),
    "too much to spool": (ADDED, Stream(), {"limits": Limits(max_spool=30_000)}, SourceError),
}


@pytest.mark.parametrize(("answer", "stream", "options", "kind"), ENDS.values(), ids=ENDS)
async def test_a_stream_is_closed_when_its_upload_has_failed(
    raw: WxSession, server: RawServer, answer: Any, stream: Stream, options: dict[str, Any], kind: type[WxAssetError]
) -> None:
    """When the call raises, the stream is closed, and by the task that began it."""
    server.script = [answer]
    wx = raw.with_options(retry=RetryPolicy(attempts=1), limits=options.get("limits"))
    with pytest.raises(kind):
        await wx.add_material("image", stream.chunks(), size=options.get("size"))
    assert stream.closed == "by its task"


@pytest.mark.parametrize("size", [None, 2 * len(PICTURE)], ids=["spooled", "passed through"])
async def test_a_cancelled_upload_closes_its_stream(raw: WxSession, server: RawServer, size: int | None) -> None:
    """A stream that gives no more is closed by its own task when the upload is cancelled."""
    server.script = [forever]
    stream = Stream(silent=True)
    with anyio.move_on_after(0.2) as scope:
        await raw.add_material("image", stream.chunks(), size=size)
    assert scope.cancelled_caught
    assert stream.closed == "by its task"


async def test_a_stream_is_closed_before_its_spooled_bytes_are_sent_again(raw: WxSession, server: RawServer) -> None:
    """After a refused token the spooled bytes are sent again; the stream itself is read once."""
    stream = Stream()
    server.script = [reply({"errcode": 40001, "errmsg": "no"}), ADDED]
    await raw.add_material("image", stream.chunks())
    assert stream.closed == "by its task"
    assert all(PICTURE in request.body for request in server.requests)
    assert len(server.requests) == 2


async def test_a_stream_that_ends_itself_is_an_error_of_the_source(raw: WxSession, server: RawServer) -> None:
    """A time limit inside a stream that is over while its bytes are sent is not a cancellation of the caller."""
    server.script = [ADDED]

    async def late() -> AsyncIterator[bytes]:
        async with asyncio.timeout(0.05):
            yield PICTURE
            await asyncio.sleep(10)

    async def failing_group() -> AsyncIterator[bytes]:
        async def fail() -> None:
            raise KeyError("k")

        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            yield PICTURE
            await anyio.sleep(10)

    for stream, reason in ((late, "TimeoutError"), (failing_group, "KeyError")):
        for size in (None, 2 * len(PICTURE)):
            with pytest.raises(SourceError, match=reason):
                await asyncio.wait_for(raw.add_material("image", stream(), size=size), 10)


async def test_a_stream_that_closes_itself_is_not_sent_in_part(raw: WxSession, server: RawServer) -> None:
    """A GeneratorExit from inside is not the end of the bytes."""

    async def stream() -> AsyncIterator[bytes]:
        yield b"\xff\xd8\xff\xe0"
        raise GeneratorExit

    with pytest.raises(SourceError, match="closed from inside"):
        await raw.add_material("image", stream())
    assert not server.requests


async def test_a_buffer_that_a_stream_uses_again_is_copied(raw: WxSession, server: RawServer) -> None:
    """A stream that fills the same buffer for each chunk sends what each chunk was."""
    server.script = [ADDED]

    async def refilled() -> AsyncIterator[Any]:
        buffer = bytearray(10_000)
        for start in range(0, 100_000, 10_000):
            buffer[:] = PICTURE[start : start + 10_000]
            yield memoryview(buffer)

    await raw.add_material("image", refilled(), size=100_000)
    assert PICTURE[:100_000] in server.requests[0].body


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are other objects there")
@pytest.mark.parametrize("call", ["wx.add_material('image', pipe)", "wx.add_material('image', pipe, size=999)"])
def test_a_silent_pipe_keeps_no_process_alive(call: str) -> None:
    """A process whose upload from a pipe was cancelled ends, although the pipe gives nothing and stays open."""
    program = f"""
        import asyncio, os
        from wxasset import WxSession
        async def main():
            read, write = os.pipe()
            pipe = os.fdopen(read, "rb")
            async with WxSession("wx1", "s", base_url="http://127.0.0.1:9") as wx:
                try:
                    await asyncio.wait_for({call}, 0.1)
                except TimeoutError:
                    print("cancelled")
        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, timeout=20, check=True, text=True
    )
    assert ended.stdout == "cancelled\n"


async def test_many_streams_share_the_memory_in_which_they_are_kept() -> None:
    """32 streams of 2 MB at once take no more than 24 MB before they are on disk, where each may take 1 MB alone."""

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield bytes(65_536)

    tracemalloc.start()
    try:
        spooled = await asyncio.gather(*(spool(stream(), 2**30) for _ in range(32)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for content in spooled:
        await content.aclose()
    assert {content.size for content in spooled} == {2**21}
    assert peak < 24 * 2**20
