"""The recipes for queues: every job is delivered twice, replies get lost, and each image is added once."""

import asyncio
import importlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from taskiq.api import run_scheduler_task

import postgres_server
from pictures import picture
from postgres_server import PostgresServer
from redis_server import RedisServer, redis_server
from workers import say
from wxasset.simulator import Simulator

__all__ = ["postgres", "redis_server", "say"]

postgres = postgres_server.postgres_server

IMAGES: Final = 40
HOSTS: Final = 2
HERE: Final = Path(__file__).parent
WORK: Final = "import asyncio, procrastinate_uploads as app; asyncio.run(app.work())"
BOUND: Final = 240.0  # seconds; what is in doubt is settled after 30
SERVICE: Final = ("delay-20ms", "stall-100ms-before-commit", "delay-20ms", "reset-after-commit", "reset-before-commit")


@pytest.fixture
def dsn(sim: Simulator, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database, and the environment of the recipes, which they read when they are imported."""
    dsn = postgres.database()
    told = {"DATABASE_URL": dsn, "WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret, "WXASSET_BASE_URL": sim.url}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(HERE)
    for fault in SERVICE * (IMAGES // len(SERVICE)):
        sim.fail("add_material", fault)
    return dsn


@asynccontextmanager
async def workers(directory: Path, *command: str) -> AsyncIterator[None]:
    """Run a worker on each host."""
    async with AsyncExitStack() as stack:
        for number in range(HOSTS):
            home = directory / f"host{number}"
            home.mkdir()
            with (directory / f"log{number}").open("wb") as log:
                environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(HERE)}
                process = await asyncio.create_subprocess_exec(
                    sys.executable, *command, cwd=HERE, env=environment, stdout=log, stderr=log
                )
            stack.push_async_callback(process.wait)
            stack.callback(process.terminate)
        try:
            async with asyncio.timeout(BOUND):
                yield
        except BaseException:
            sys.stderr.writelines((directory / f"log{number}").read_text()[-8000:] for number in range(HOSTS))
            raise


def twice(broker: Any) -> None:
    """Let a broker deliver every message twice."""
    once = broker.kick

    async def kick(message: Any) -> None:
        await once(message)
        await once(message)

    broker.kick = kick


def check(sim: Simulator, results: dict[int, str], what: str, say: Callable[[str], None]) -> None:
    """Compare the library with the results."""
    asked = Counter(entry.path.rpartition("/")[2] for entry in sim.journal)
    copies = Counter(one.content for one in sim.materials.values())
    calls = dict(asked)
    say(f"{what}, {HOSTS} hosts, {IMAGES} images, 2 deliveries of each job: {copies.total()} materials; calls {calls}")
    assert copies == Counter(picture(number) for number in range(IMAGES))
    assert {number: sim.materials[media_id].content for number, media_id in results.items()} == {
        number: picture(number) for number in range(IMAGES)
    }


async def test_taskiq_adds_each_image_once(
    sim: Simulator,
    dsn: str,
    redis_server: RedisServer,
    tmp_path: Path,
    say: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The web app waits for the result of each image; a job whose upload is in doubt comes again by itself."""
    assert dsn
    redis_server.flush()
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    recipe: Any = importlib.import_module("taskiq_uploads")
    twice(recipe.broker)
    async with AsyncExitStack() as stack:
        await recipe.broker.startup()
        stack.push_async_callback(recipe.uploads.aclose)
        stack.push_async_callback(recipe.broker.shutdown)
        stack.push_async_callback(recipe.timetable.shutdown)
        command = ("-m", "taskiq", "worker", "--workers", "1", "taskiq_uploads:broker")
        await stack.enter_async_context(workers(tmp_path, *command))
        second = timedelta(seconds=1)
        timing = asyncio.create_task(run_scheduler_task(recipe.scheduler, interval=second))
        stack.callback(timing.cancel)
        tasks = [await recipe.submit(picture(number), f"{number}.png") for number in range(IMAGES)]
        done = await asyncio.gather(*(task.wait_result() for task in tasks))
        for one in done:
            one.raise_for_error()
        check(sim, {number: one.return_value for number, one in enumerate(done)}, "taskiq", say)


async def test_procrastinate_adds_each_image_once(
    sim: Simulator, dsn: str, postgres: PostgresServer, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """The ids are in the table of the uploads; no job has failed."""
    recipe: Any = importlib.import_module("procrastinate_uploads")
    database = dsn.rpartition("/")[2]
    async with recipe.app.open_async():
        await recipe.app.schema_manager.apply_schema_async()
        await recipe.connector.execute_query_async(recipe.TABLE)
        numbers = {await recipe.submit(picture(number), f"{number}.png"): number for number in range(IMAGES)}
        for upload in numbers:
            await recipe.add_image.defer_async(upload=upload)
        async with workers(tmp_path, "-c", WORK):
            left = "SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE '%add_image' AND status <> 'succeeded'"
            while await asyncio.to_thread(postgres.query, database, left) != "0":
                failed = left.replace("<> 'succeeded'", "= 'failed'")
                assert await asyncio.to_thread(postgres.query, database, failed) == "0"
                await asyncio.sleep(0.2)
        rows = await recipe.connector.execute_query_all_async("SELECT id, media_id FROM uploads")
    check(sim, {numbers[row["id"]]: row["media_id"] for row in rows}, "Procrastinate", say)
