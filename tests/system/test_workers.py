"""Workers of one account that upload media without a name, while responses get lost."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from pictures import picture
from wxasset.simulator import Simulator

pytestmark = pytest.mark.usefixtures("unmeasured")

UPLOADS: Final = int(os.environ.get("WXASSET_UPLOADS", "40"))
WORKERS: Final = 2
WORKER: Final = Path(__file__).parents[1] / "support" / "upload_worker.py"
BOUND: Final = 300.0  # seconds; 40 uploads take about 10
SERVICE: Final = {
    "delay-5ms": 6,
    "reset-before-commit": 2,
    "reset-after-commit": 2,
    "close-before-reply": 1,
    "hide-100ms,reset-after-commit": 1,
    "status:502": 1,
    "status-after-commit:502": 1,
    "stall-50ms-before-commit": 1,
}


async def work(sim: Simulator, number: int) -> dict[str, Any]:
    """Run a worker to its end."""
    arguments = (sim.url, sim.appid, sim.secret, str(number * UPLOADS), str(UPLOADS))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(WORKER.parent)},
    )
    async with asyncio.timeout(BOUND):
        said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    result: dict[str, Any] = json.loads(said)
    return result


async def test_two_processes_get_their_own_materials_and_add_each_once(sim: Simulator, figures: list[str]) -> None:
    """Under random resets no id is returned twice, none belongs to other bytes, and the library has no duplicate."""
    chance = random.Random(20261128)  # noqa: S311 - a seed, so that a run can be repeated
    for fault in chance.choices(list(SERVICE), list(SERVICE.values()), k=2 * WORKERS * UPLOADS):
        sim.fail("add_material", fault)
    told = await asyncio.gather(*(work(sim, number) for number in range(WORKERS)))
    ids = {int(number): media_id for one in told for number, media_id in one["ids"].items()}
    assert sorted(ids) == list(range(WORKERS * UPLOADS))
    assert set(ids.values()) == set(sim.materials)
    assert {number: sim.materials[media_id].content for number, media_id in ids.items()} == {
        number: picture(number) for number in ids
    }
    copies = Counter(one.content for one in sim.materials.values())
    assert max(copies.values()) == 1
    lost = [one["lost"] for one in told]
    assert min(lost) > UPLOADS // 5
    figures.append(f"workers: {WORKERS} with {UPLOADS} uploads each, {sum(lost)} lost responses, 0 duplicates")
