"""One host of many: it adds the images of a directory of its own to the library that all of them share.

Arguments: a JSON object with the API's address, the appid, the secret, the directory, the DSN of the ledger, the
address of Redis, and the seconds of the lease and of `UploadPolicy.settle`.

The host forks a process for the job, and another one if it was killed or left anything undone, as an init system does.
A line on its input has that process killed. It prints a JSON object for each process that ended.
"""

import json
import logging
import os
import random
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

import anyio
import asyncpg  # noqa: F401 - imported before the fork, as everything else is
import redis.asyncio  # noqa: F401 - the same

from wxasset import CallBudget, Ledger, PostgresStore, RedisTokenStore, UploadPolicy, WxSession

INCOMPLETE: Final = 75  # EX_TEMPFAIL of sysexits.h


async def job(told: dict[str, Any]) -> int:
    """Add what is not there yet; return the exit status."""
    begun = time.monotonic()
    uploads = UploadPolicy(visibility=told["settle"], settle=told["settle"])
    store = RedisTokenStore(told["redis"])
    paths = list(Path(told["directory"]).iterdir())
    random.shuffle(
        paths
    )  # in one order all hosts would be at the same images, and a killed one would begin with old ones
    async with (
        CallBudget(told["redis"]) as budget,
        Ledger(PostgresStore(told["dsn"], lease=told["lease"])) as ledger,
        WxSession(
            told["appid"],
            told["secret"],
            base_url=told["url"],
            store=store,
            uploads=uploads,
            ledger=ledger,
            budget=budget,
        ) as wx,
    ):
        report = await wx.add_materials("image", paths).report()
    await store.aclose()
    for undone in (*report.failed, *report.unknown, *report.left)[:5]:
        sys.stderr.write(f"{undone}\n")
    seconds = time.monotonic() - begun
    say(sent=report.done - report.skipped, skipped=report.skipped, seconds=seconds)
    return 0 if report.complete else INCOMPLETE


def say(**words: float) -> None:
    """Print one object."""
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


def fork(told: dict[str, Any]) -> int:
    """Start a process for the job; return its id."""
    if (child := os.fork()) == 0:
        os.close(0)
        status = 1
        try:
            status = anyio.run(job, told)
        except Exception:  # noqa: BLE001 - a child ends here, whatever is raised
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def watch(told: dict[str, Any]) -> int | None:
    """Run one process to its end; return its status, negative for a signal, or None if nobody listens any more."""
    child = fork(told)
    ended = os.pidfd_open(child)
    listening = True
    while listening and ended not in (ready := select.select([ended, 0], [], [])[0]):
        listening = bool(ready and os.read(0, 1))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(ended)
    return os.waitstatus_to_exitcode(status) if listening else None


def main(document: str) -> None:
    """Run the job until it has ended well."""
    told = json.loads(document)
    while (status := watch(told)) != 0:
        if status is None:
            return
        say(status=status)
        if status > 0:
            time.sleep(1.0)  # as `RestartSec=1` of systemd


if __name__ == "__main__":
    logging.getLogger("wxasset.ledger").addHandler(logging.StreamHandler())
    main(sys.argv[1])
