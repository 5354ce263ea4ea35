"""Blocking work in threads: nobody leaves it while it runs, and what has not begun never does."""

import asyncio
import threading

import anyio
import pytest

from wxasset.transfer.threads import in_background, run_in_thread


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


async def test_work_that_has_not_begun_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while every thread is taken, the caller leaves at once and the work is not done later."""
    monkeypatch.setattr("wxasset.transfer.threads._MAX_THREADS", 1)
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


async def test_nobody_waits_for_the_end_of_work_that_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cleans up after cancelled work that no thread had begun is not kept waiting."""
    monkeypatch.setattr("wxasset.transfer.threads._MAX_THREADS", 1)
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


async def test_threads_without_work_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that has had nothing to do for some time is gone, and the next work finds another."""
    monkeypatch.setattr("wxasset.transfer.threads._IDLE", 0.0)
    first = await run_in_thread(threading.current_thread)
    await asyncio.to_thread(first.join, 10)
    assert not first.is_alive()
    assert await run_in_thread(threading.current_thread) is not first


def test_a_thread_outlives_its_event_loop_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that ends after its event loop was closed disturbs nobody: an error in its thread would fail this test."""
    monkeypatch.setattr("wxasset.transfer.threads._IDLE", 0.0)
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
    thread.join(5)
    assert not thread.is_alive()
