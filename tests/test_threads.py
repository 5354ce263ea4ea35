"""Blocking work in threads: nobody leaves it while it runs, and what has not begun never does."""

import asyncio
import threading

import anyio.to_thread
import pytest

from wxasset.transfer.threads import run_in_thread


async def test_the_result_and_the_error_come_back() -> None:
    """What the function returns is returned, what it raises is raised."""
    assert await run_in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 7, 0)


async def test_a_cancelled_caller_stays_until_the_thread_is_through() -> None:
    """Cancelled once or three times, the caller goes on only when the work has ended."""
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    ended = False

    def work() -> None:
        nonlocal ended
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)
        ended = True

    task = asyncio.create_task(run_in_thread(work))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_a_cancelled_scope_waits_as_well() -> None:
    """The same holds where an anyio scope is cancelled around it."""
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    ended = []

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)
        ended.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(run_in_thread, work)
        await begun.wait()
        group.cancel_scope.cancel()
        go_on.set()
    assert ended == [True]


async def test_work_that_has_not_begun_never_does() -> None:
    """Cancelled while every thread is taken, the caller leaves at once and the work is not done later."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    done: list[bool] = []
    before, limiter.total_tokens = limiter.total_tokens, 1
    go_on = threading.Event()
    try:
        busy = asyncio.create_task(run_in_thread(go_on.wait, 10))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(run_in_thread(done.append, True))  # noqa: FBT003 - what is appended
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go_on.set()
        assert await busy
    finally:
        limiter.total_tokens = before
    assert done == []
