"""Several hosts that share PostgreSQL, Redis, an account and its quota: each image is added once, whatever happens."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import postgres_server
from hosts import ADD_MATERIAL, KILLED, Hosts
from pictures import picture
from postgres_server import PostgresServer
from redis_server import RedisServer, redis_server
from workers import say
from wxasset import Ledger, LedgerCounts, PostgresStore
from wxasset.simulator import Simulator, SimulatorOptions

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the hosts watch their processes by pidfd, as Linux has"),
]

__all__ = ["postgres", "redis_server", "say"]

postgres = postgres_server.postgres_server

FILES: Final = int(os.environ.get("WXASSET_FILES", "100"))
SMALL: Final = FILES <= 100
HOSTS: Final = [2] if SMALL else [2, 6]
LEASE: Final = 1.0 if SMALL else 3.0  # seconds
SETTLE: Final = 1.0 if SMALL else 3.0  # seconds; the simulator carries nothing out later than this
OFF: Final = 1.0 if SMALL else 30.0  # seconds without Redis
QUOTA: Final = 7 * FILES // 10  # calls a day: the rest is added on the next one
DAY: Final = 86400.0  # seconds
BOUND: Final = 120.0 if SMALL else 900.0  # seconds; 100 files take about 5
SERVICE: Final = {
    "delay-20ms": 30,
    "stall-100ms-before-commit": 6,
    "stall-400ms-before-commit": 1,
    "reset-before-commit": 1,
    "reset-after-commit": 2,
    "close-before-reply": 1,
    "status-after-commit:502": 1,
    "hide-300ms,reset-after-commit": 1,
}
"""How the service answers: late commits are carried out also where nobody waits any more, and a lost reply has none."""


@pytest.mark.parametrize("count", HOSTS)
async def test_hosts_that_are_killed_add_each_image_once(
    sim: Simulator,
    postgres: PostgresServer,
    redis_server: RedisServer,
    tmp_path: Path,
    say: Callable[[str], None],
    count: int,
) -> None:
    """PostgreSQL is restarted, Redis loses everything and stays away; the quota is spent before all images are there.

    No image is there twice, and each process makes one call at most beyond the quota.
    """
    sim.options = SimulatorOptions(daily_limits={ADD_MATERIAL: QUOTA})
    dsn = postgres.database()
    redis_server.flush()
    hosts = Hosts.of(
        sim, tmp_path, hosts=count, files=FILES, dsn=dsn, redis=redis_server.url, lease=LEASE, settle=SETTLE
    )
    for fault in hosts.chance.choices(list(SERVICE), list(SERVICE.values()), k=3 * FILES):
        sim.fail("add_material", fault)
    begun = time.monotonic()
    async with asyncio.timeout(BOUND), hosts.working() as group:
        group.create_task(hosts.kill_at(10, 20, 30, 90) if SMALL else hosts.kill_each(1.0, FILES))
        await hosts.until(FILES // 5)
        await asyncio.to_thread(postgres.restart)
        await hosts.until(3 * FILES // 10)
        redis_server.kill()
        await asyncio.sleep(OFF)
        redis_server.start()
        await hosts.until_spent()
        beyond = hosts.refused
        sim.advance(DAY)
    took = time.monotonic() - begun

    copies = Counter(one.content for one in sim.materials.values())
    say(figures(sim, hosts, took, beyond))
    assert copies == Counter(picture(number) for number in range(FILES))
    async with Ledger(PostgresStore(dsn), index=tmp_path / "index.db") as ledger:
        assert await ledger.counts() == LedgerCounts(done=FILES)
        assert {row.media_id async for row in ledger.rows()} == set(sim.materials)
    assert all(host.sent + host.skipped == FILES for host in hosts.hosts)
    assert hosts.ends[KILLED] > 0
    assert beyond <= hosts.processes


def figures(sim: Simulator, hosts: Hosts, took: float, beyond: int) -> str:
    """What happened, in figures."""
    called = Counter(entry.path.rpartition("/")[2] for entry in sim.journal)
    uploads = hosts.uploads
    faults = Counter(entry.fault for entry in uploads if entry.fault is not None)
    late = sum(number for fault, number in faults.items() if "before-commit" in fault and "stall" in fault)
    lost = sum(number for fault, number in faults.items() if "stall" not in fault and "delay" not in fault)
    copies = Counter(one.content for one in sim.materials.values())
    ends = ", ".join(f"{number} with {status}" for status, number in sorted(hosts.ends.items()))
    return (
        f"{len(hosts.hosts)} hosts, {FILES} files, {took:.0f} s: {hosts.kills} kills (processes ended: {ends});"
        f" {len(uploads)} uploads, {late} of them carried out late, {lost} replies lost;"
        f" {copies.total()} materials, {copies.total() - len(copies)} of them twice;"
        f" {beyond} calls of {hosts.processes} processes beyond the day's quota of {QUOTA};"
        f" other calls {dict((called - Counter(add_material=len(uploads))).items())}"
    )
