"""A job that is killed at random moments adds each image once, and the ledger knows it."""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import define, field

from pictures import make_pictures, picture
from wxasset import Ledger, LedgerCounts
from wxasset.simulator import Simulator

pytestmark = pytest.mark.usefixtures("unmeasured")

IMAGES: Final = int(os.environ.get("WXASSET_IMAGES", "120"))
KILLS: Final = int(os.environ.get("WXASSET_KILLS", "4"))
WORKER: Final = Path(__file__).parents[1] / "support" / "ledger_worker.py"
BOUND: Final = 120.0  # seconds for one run of the worker, which takes a few
SERVICE: Final = {
    "delay-5ms": 4,
    "delay-20ms": 4,
    "stall-20ms-before-commit": 4,
    "stall-60ms-before-commit": 4,
    "reset-before-commit": 1,
    "reset-after-commit": 1,
}
"""How the service answers while the job is killed, and how often so: what it does is done before the answer, or after
it, also where nobody waits any more; or there is no answer."""


@define
class Job:
    """The job, as its operator sees it."""

    sim: Simulator
    directory: Path
    ledger: Path
    killed_with: Counter[int] = field(factory=Counter)

    @property
    def requests(self) -> int:
        """How many uploads have arrived."""
        return sum(entry.path.endswith("add_material") for entry in self.sim.journal)

    async def start(self) -> asyncio.subprocess.Process:
        """Start the worker."""
        arguments = (self.sim.url, self.sim.appid, self.sim.secret, str(self.directory), str(self.ledger))
        return await asyncio.create_subprocess_exec(
            sys.executable, str(WORKER), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    async def run(self) -> dict[str, Any]:
        """Let the worker come to its end."""
        process = await self.start()
        async with asyncio.timeout(BOUND):
            said, complained = await process.communicate()
        assert process.returncode == 0, complained.decode()
        assert complained == b"", complained.decode()
        told: dict[str, Any] = json.loads(said)
        return told

    async def kill_after(self, more: int) -> None:
        """Start the worker, and kill it as soon as so many more uploads have arrived."""
        process, goal = await self.start(), self.requests + more
        async with asyncio.timeout(BOUND):
            while self.requests < goal:
                assert process.returncode is None, "it ended before it was killed"
                await asyncio.sleep(0.001)
            process.kill()
            await process.communicate()
        async with Ledger(self.ledger) as ledger:
            self.killed_with[(await ledger.counts()).in_flight] += 1


async def test_a_job_that_is_killed_again_and_again_adds_each_image_once(sim: Simulator, tmp_path: Path) -> None:
    """After the last run the library holds as many materials as there are images; a further run sends nothing.

    The moments are drawn from a seed and counted in requests; some uploads are carried out after the process is dead.
    """
    chance = random.Random(20260731)  # noqa: S311 - a seed, so that a run can be repeated
    paths = make_pictures(tmp_path / "images", IMAGES)
    for fault in chance.choices(list(SERVICE), list(SERVICE.values()), k=2 * IMAGES):
        sim.fail("add_material", fault)
    job = Job(sim, tmp_path / "images", tmp_path / "ledger.db")
    for number in range(KILLS):
        # As many images for each kill, and for the end; 8 more are under way when it comes.
        share = (IMAGES - len(sim.materials)) // (KILLS - number + 1) - 8
        await job.kill_after(chance.randint(1, share))
    assert sum(count * number for count, number in job.killed_with.items()) > KILLS, "it was killed while it sent"

    sim.clear_faults()
    last = await job.run()
    assert last["failed"] == 0
    assert last["sent"] + last["skipped"] == IMAGES
    assert sorted(one.content for one in sim.materials.values()) == sorted(picture(one) for one in range(IMAGES))
    async with Ledger(job.ledger) as ledger:
        assert await ledger.counts() == LedgerCounts(done=IMAGES)
        assert {row.media_id async for row in ledger.rows()} == set(sim.materials)

    before, begun = job.requests, time.monotonic()
    again = await job.run()
    took = time.monotonic() - begun
    assert job.requests == before
    assert again["skipped"] == IMAGES == len(paths)
    assert again["seconds"] < 2
    figures = f"in flight at each kill: {sorted(job.killed_with.elements())}; {before} uploads for {IMAGES} images"
    sys.stdout.write(f"{figures}; the last run {last}; a further run {again}, {took:.2f} s with its start\n")


async def test_processes_that_work_at_once_share_the_work(sim: Simulator, tmp_path: Path) -> None:
    """Three of them over the same directory and ledger send each image once between them, and all of them end well."""
    make_pictures(tmp_path / "images", 60)
    sim.fail("add_material", "delay-20ms", times=None)
    job = Job(sim, tmp_path / "images", tmp_path / "ledger.db")
    told = await asyncio.gather(*(job.run() for _ in range(3)))
    assert [one["failed"] for one in told] == [0, 0, 0]
    assert [one["sent"] + one["skipped"] for one in told] == [60, 60, 60]
    assert sum(one["sent"] for one in told) == 60 == job.requests
    assert sorted(one.content for one in sim.materials.values()) == sorted(picture(one) for one in range(60))
    assert [path.name for path in tmp_path.iterdir() if "holder" in path.name] == []
