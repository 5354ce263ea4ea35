"""Uploads on taskiq: a web app takes images in, and workers on any number of hosts add them to the library."""

import hashlib
import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from redis.asyncio import Redis
from taskiq import AsyncTaskiqTask, Context, TaskiqDepends, TaskiqEvents, TaskiqScheduler, TaskiqState
from taskiq.exceptions import NoResultError
from taskiq_redis import ListRedisScheduleSource, RedisAsyncResultBackend, RedisStreamBroker

from wxasset import Later, Ledger, PostgresStore, RedisTokenStore, WxSession

REDIS = os.environ["REDIS_URL"]
KEPT = 24 * 3600  # seconds for which the bytes of an upload, and its result, stay in Redis

results: RedisAsyncResultBackend[str] = RedisAsyncResultBackend(REDIS, result_ex_time=KEPT)
broker = RedisStreamBroker(REDIS, unacknowledged_lock_timeout=10).with_result_backend(results)
timetable = ListRedisScheduleSource(REDIS)
scheduler = TaskiqScheduler(broker, [timetable])
uploads: Redis = Redis.from_url(REDIS)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def enter(state: TaskiqState) -> None:
    """Open the ledger and the session of a worker."""
    state.stack = stack = AsyncExitStack()
    ledger = await stack.enter_async_context(Ledger(PostgresStore(os.environ["DATABASE_URL"])))
    store = RedisTokenStore(REDIS)
    stack.push_async_callback(store.aclose)
    state.wx = await stack.enter_async_context(WxSession.from_env(store=store, ledger=ledger))


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def leave(state: TaskiqState) -> None:
    """Close them."""
    await state.stack.aclose()


@broker.task
async def add_image(key: str, filename: str, context: Context = TaskiqDepends()) -> str:
    """Add an image once, however often this task is delivered; return its media_id."""
    wx: WxSession = context.state.wx
    content = await uploads.get(key)
    if content is None:
        raise LookupError(f"The bytes of {filename} are not in Redis any more.")
    try:
        added = await wx.ensure_material("image", content, filename=filename, wait=False)
    except Later as later:
        again, at = add_image.kicker().with_task_id(context.message.task_id), datetime.fromtimestamp(later.at, UTC)
        await again.schedule_by_time(timetable, at, key, filename)
        raise NoResultError from later  # the caller goes on waiting
    return added.media_id


async def submit(content: bytes, filename: str) -> AsyncTaskiqTask[str]:
    """Hand an image to the workers; called by the web app."""
    key = f"upload:{hashlib.sha256(content).hexdigest()}"
    await uploads.set(key, content, ex=KEPT)
    return await add_image.kiq(key, filename)
