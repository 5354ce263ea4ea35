"""Process of a client: it reads jobs from stdin, one per line, and writes their outcomes to stdout."""

import asyncio
import gc
import importlib
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Protocol

from jobs import Job, Outcome, from_line, to_line

# One module per client: a process loads only its own client.
_MODULES = {
    "wxasset": "client_wxasset",
    "wxasset handle": "client_wxasset",
    "wxasset UploadFile": "client_uploadfile",
    "wxasset uvloop": "client_wxasset",
    "asyncio streams": "client_streams",
    "wxasset batch": "client_batch",
    "naive aiohttp": "client_aiohttp",
    "naive aiohttp uvloop": "client_aiohttp",
    "httpx": "client_httpx",
    "wechatpy": "client_wechatpy",
    "tokens": "client_tokens",
}


class _Client(Protocol):
    async def run(self) -> list[str]: ...


def _memory(name: str) -> int:
    """Read a number of bytes from the kernel's status of this process."""
    found = re.search(rf"{name}:\s*([0-9]+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def _perform(runner: asyncio.Runner, make: Callable[[], _Client]) -> Outcome:
    received = process_time()
    client = make()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the current size
    before = _memory("VmRSS")
    cpu, started = process_time(), perf_counter()
    errors = runner.run(client.run())
    seconds, cpu = perf_counter() - getattr(client, "started", started), process_time() - cpu
    growth = max(0, _memory("VmHWM") - before)
    return Outcome(
        seconds=seconds,
        cpu=cpu,
        spent=process_time() - received,
        growth=growth,
        failed=len(errors),
        error=errors[0] if errors else "",
    )


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name.endswith("uvloop"):
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
        return factory
    return None


def main(name: str) -> None:
    """Do jobs until the end of stdin."""
    make = importlib.import_module(_MODULES[name]).make
    with asyncio.Runner(loop_factory=_loop_factory(name)) as runner:
        for line in sys.stdin:
            outcome = _perform(runner, partial(make, name, from_line(Job, line)))
            sys.stdout.write(to_line(outcome))
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
