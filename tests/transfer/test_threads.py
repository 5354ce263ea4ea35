"""Blocking work in threads: nobody leaves it while it runs, and what has not begun never does."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from wxasset.transfer.threads import abandonable, in_background, run_in_thread


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    """An executor of a single thread, in the place of the process's own."""
    with ThreadPoolExecutor(1, "alone") as executor:
        monkeypatch.setattr("wxasset.transfer.threads._executor", lambda _: executor)
        monkeypatch.setattr("wxasset.transfer.threads._NAME", "alone")
        yield executor


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch, one_thread: ThreadPoolExecutor) -> list[bool]:
    """A system that starts no thread of an executor until the list is empty."""
    del one_thread
    full, start = [True], threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if full:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return full


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


@pytest.mark.usefixtures("one_thread")
async def test_work_that_has_not_begun_never_does() -> None:
    """Cancelled while every thread is taken, the caller leaves at once and the work is not done later."""
    done: list[bool] = []
    go_on = threading.Event()
    busy = asyncio.create_task(run_in_thread(go_on.wait, 10))
    waiting = asyncio.create_task(run_in_thread(done.append, True))  # noqa: FBT003 - what is appended
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    assert await busy
    await run_in_thread(int)
    assert done == []


@pytest.mark.usefixtures("one_thread")
async def test_nobody_waits_for_the_end_of_work_that_never_begins() -> None:
    """Whoever cleans up after cancelled work that no thread had begun is not kept waiting."""
    go_on = threading.Event()
    busy = in_background(go_on.wait, 10)
    job = in_background(pytest.fail)
    waiting = asyncio.create_task(job.result())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await job.result()
    await asyncio.wait([cleaning := asyncio.create_task(job.join())], timeout=5)
    go_on.set()
    assert cleaning.done()
    assert await busy.result()


async def test_a_thread_that_is_stuck_keeps_nobody_waiting() -> None:
    """While a disk answers nobody, the work for others goes on in more threads."""
    stuck = [threading.Event() for _ in range(5)]
    jobs = [in_background(event.wait, 10) for event in stuck]
    assert await run_in_thread(divmod, 7, 2) == (3, 1)
    for event in stuck:
        event.set()
    assert [await job.result() for job in jobs] == [True] * 5


async def test_work_goes_on_in_the_background_until_it_is_asked_for() -> None:
    """Work that was handed over runs by itself; its result and its error wait for whoever asks, more than once."""
    job, failing = in_background(divmod, 7, 2), in_background(divmod, 7, 0)
    for _ in range(2):
        assert await job.result() == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await failing.result()
    await failing.join()


async def test_whoever_waits_for_the_end_of_work_can_be_cancelled_afterwards() -> None:
    """Waiting until a thread is through is not cut short, and the cancellation is not lost either."""
    go_on = threading.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)

    job = in_background(work)
    await begun.wait()
    waiter = asyncio.create_task(job.join())
    await asyncio.sleep(0)
    waiter.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiter.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_work_goes_on_after_a_moment_without_room_for_threads(no_room: list[bool]) -> None:
    """Work that finds no thread fails at once and is never done; when there is room again, work is done."""
    done: list[int] = []
    for _ in range(2):
        with pytest.raises(OSError, match="refused a thread"):
            await run_in_thread(done.append, 1)
    no_room.clear()
    for _ in range(3):
        await asyncio.wait_for(run_in_thread(done.append, 2), 5)
    assert done == [2, 2, 2]


async def test_work_waits_for_a_thread_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system starts no further thread, work waits for the one that is busy."""
    go_on, start = threading.Event(), threading.Thread.start
    with ThreadPoolExecutor(8, "wxasset files") as executor:
        monkeypatch.setattr("wxasset.transfer.threads._executor", lambda _: executor)
        busy = in_background(go_on.wait, 10)

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        waiting = in_background(divmod, 7, 2)
        monkeypatch.setattr(threading.Thread, "start", start)
        go_on.set()
        assert await asyncio.wait_for(waiting.result(), 5) == (3, 1)
        assert await busy.result()


async def test_a_caller_leaves_work_that_may_block_forever() -> None:
    """Cancelled during such work, a caller goes on at once, and so does its clean-up."""
    go_on, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    job = abandonable(work)
    waiting = asyncio.create_task(job.result())
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(job.join(), 5)
    go_on.set()


def test_successive_event_loops_share_the_threads() -> None:
    """Each of several event loops finds its work done."""
    for _ in range(3):
        assert asyncio.run(run_in_thread(divmod, 7, 2)) == (3, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_starts_threads_of_its_own() -> None:
    """A process that has used threads forks, and its child, where they do not exist, does not wait for them."""
    program = """
        import asyncio, os, sys
        from wxasset.transfer.threads import run_in_thread
        asyncio.run(run_in_thread(os.getpid))
        if (child := os.fork()) == 0:
            os._exit(asyncio.run(run_in_thread(os.getpid)) != os.getpid())
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], check=True, timeout=20)


def test_a_thread_outlives_its_event_loop_in_peace(one_thread: ThreadPoolExecutor) -> None:
    """Work that ends after its event loop was closed disturbs nobody: an error in its thread would fail this test."""
    go_on = threading.Event()

    async def leave() -> threading.Thread:
        loop, thread = asyncio.get_running_loop(), asyncio.Queue[threading.Thread]()

        def work() -> None:
            loop.call_soon_threadsafe(thread.put_nowait, threading.current_thread())
            go_on.wait(10)

        in_background(work)
        return await thread.get()

    thread = asyncio.run(leave())
    go_on.set()
    one_thread.shutdown()
    assert not thread.is_alive()
