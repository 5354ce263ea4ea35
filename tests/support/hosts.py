"""Hosts that share PostgreSQL, Redis and an account, and nothing else; and what happens to them."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from pictures import make_pictures
from wxasset.simulator import JournalEntry, Simulator

__all__ = ["ADD_MATERIAL", "KILLED", "Host", "Hosts"]

WORKER: Final = Path(__file__).with_name("host_worker.py")
KILLED: Final = -9
SPENT: Final = 45009
ADD_MATERIAL: Final = "/cgi-bin/material/add_material"
QUIET: Final = 1.0  # seconds
NEAR_END: Final = 0.95  # of the images: then nobody is killed any more, so that the run has an end


@define(eq=False)
class Host:
    """A process with a directory of its own, which starts the job again until it has ended well.

    Attributes:
        name: Its name.
        ends: The exit statuses of its processes; negative for a signal.
        sent: How many images its last process sent.
        skipped: How many it found done.
        complaints: The last lines of its error output.
    """

    name: str
    arguments: dict[str, Any]
    environment: dict[str, str]
    ends: Counter[int] = field(factory=Counter)
    sent: int = 0
    skipped: int = 0
    complaints: str = ""
    _process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """True while it has not ended well."""
        return self._process is not None and self._process.returncode is None

    async def run(self) -> None:
        """Run it to its end."""
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER), json.dumps(self.arguments)),
            env=self.environment,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        complaining = asyncio.create_task(process.stderr.read())
        try:
            async for line in process.stdout:
                self._hear(json.loads(line))
            await process.wait()
        finally:
            assert process.stdin is not None
            process.stdin.close()  # it ends the job, and itself
            self.complaints = (await complaining).decode()[-4000:]
        assert process.returncode == 0, self.complaints

    def _hear(self, told: dict[str, Any]) -> None:
        if "status" in told:
            self.ends[told["status"]] += 1
        else:
            self.sent, self.skipped = told["sent"], told["skipped"]

    def kill(self) -> None:
        """Kill the process that does the job."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")


@define(eq=False)
class Hosts:
    """Hosts that work on one account.

    Attributes:
        sim: The service.
        hosts: The hosts.
        kills: How many processes were killed.
    """

    sim: Simulator
    hosts: list[Host]
    chance: random.Random = field(factory=lambda: random.Random(20261128))  # noqa: S311 - a seed, to repeat a run
    kills: int = 0

    @classmethod
    def of(cls, sim: Simulator, directory: Path, *, hosts: int, files: int, **arguments: Any) -> "Hosts":
        """Give each host a directory, with a copy of all images and a home."""
        made = []
        for number in range(hosts):
            home = directory / f"host{number}"
            home.mkdir()
            make_pictures(home / "images", files)
            told = {"url": sim.url, "appid": sim.appid, "secret": sim.secret, "directory": str(home / "images")}
            own = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_STATE_HOME": str(home), "TMPDIR": str(home)}
            made.append(Host(home.name, told | arguments, {**os.environ, **own}))
        return cls(sim, made)

    @property
    def added(self) -> int:
        """How many materials there are."""
        return len(self.sim.materials)

    async def kill_each(self, seconds: float, files: int) -> None:
        """Kill the job on one of the hosts, again and again, until nearly all is done."""
        while self.added < NEAR_END * files:
            await asyncio.sleep(seconds)
            self.kill()

    async def kill_at(self, *marks: int) -> None:
        """Kill the job on one of the hosts when there are so many materials."""
        for mark in marks:
            await self.until(mark)
            self.kill()

    def kill(self) -> None:
        """Kill the job on a host that is drawn."""
        running = [host for host in self.hosts if host.running]
        if running:
            self.chance.choice(running).kill()
            self.kills += 1

    async def until(self, mark: int) -> None:
        """Wait until there are so many materials."""
        while self.added < mark:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)

    async def until_spent(self) -> None:
        """Wait until the day's quota of uploads is spent, and nothing has been sent for a while."""
        before = -1
        while not self.refused and len(self.uploads) != before:
            before = len(self.uploads) if self.spent else -1
            await asyncio.sleep(QUIET)
        await asyncio.sleep(QUIET)

    @property
    def uploads(self) -> list[JournalEntry]:
        """The calls that add materials."""
        return [entry for entry in self.sim.journal if entry.path == ADD_MATERIAL]

    @property
    def refused(self) -> int:
        """How many of them were beyond the quota."""
        return sum(entry.errcode == SPENT for entry in self.uploads)

    @property
    def spent(self) -> bool:
        """True if the day's quota is spent."""
        return len(self.uploads) - self.refused >= self.sim.options.daily_limits[ADD_MATERIAL]

    @property
    def processes(self) -> int:
        """How many processes there were."""
        return self.ends.total() + len(self.hosts)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.TaskGroup]:
        """Run all hosts to their end."""
        async with asyncio.TaskGroup() as group:
            for host in self.hosts:
                group.create_task(host.run())
            yield group

    @property
    def ends(self) -> Counter[int]:
        """The exit statuses of all processes that did not end well."""
        return sum((host.ends for host in self.hosts), Counter())
