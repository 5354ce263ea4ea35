"""Sections of the suite: measurements, clients and repetitions."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter
from typing import Literal

from attrs import evolve, frozen

import instructions
from figures import CURL, LIMIT, NAIVE, Connections, Curve, Imports, Instructions, Point, Results, Sample, Waiters
from jobs import GB, KB, MB, Work
from rounds import Bench, Load
from server import Kind

SIZES = (10 * MB, 64 * KB)
IN_FLIGHT = 200
WAITERS = 10_000
CANCELLED = 16_000
SEQUENCE = 1000

_WXASSET = ("wxasset", "wxasset uvloop")
_BY_HANDLE = ("wxasset handle", "wxasset UploadFile")
_PEERS = (LIMIT, NAIVE, "httpx", "wechatpy")
_UPLOADERS = (*_WXASSET, *_BY_HANDLE, *_PEERS, CURL)
_SMALL_UPLOADERS = (*_WXASSET, "wxasset batch", *_PEERS, CURL)
_DOWNLOADERS = (*_WXASSET, *_PEERS, CURL)
_CALLERS = (*_WXASSET, *_PEERS, "naive aiohttp uvloop", CURL)

_COUNTS = {
    (10 * MB, 1): 16,
    (10 * MB, 8): 32,
    (10 * MB, 64): 128,
    (64 * KB, 1): 400,
    (64 * KB, 8): 800,
    (64 * KB, 64): 800,
}
_SENT = _COUNTS | {(10 * MB, 8): 128}
"""Files per run, and those of uploads: a connection begins with a TLS handshake and small buffers. With 4 files of
10 MB sent on each, the limit had 0.91 of the rate that it has with 12, and wxasset 0.96. As many downloads would fill
the page cache, and wait for the disk."""
_LEAST_LARGE, _LEAST_SMALL = 4, 50
"""Files on each connection in a quick run: with 10 small ones the limit had a third of its rate."""
_CHECKED = 16  # files hashed concurrently for each client, size and transport
_JSON_CALLS = 3000
_COUNTED = 40  # items under valgrind
_INTERPRETERS = 15
_LIBRARIES = "import aiohttp, anyio, attrs, cattrs"
_TIMED = "from time import perf_counter as now; a = now(); {}; b = now(); {}; print(b - a, now() - b)"
"""Both parts in one interpreter: the start and the end of a process vary by more than the second part takes."""

# Transfers of a file of each size per run: many for small ones, otherwise session setup would dominate the time.
_GROWING_SIZES = {KB: 50, 32 * KB: 50, MB: 20, 32 * MB: 4, 256 * MB: 1, GB: 1}
_GROWING_NUMBERS = (10, 100, 1000, 10_000)

Tell = Callable[[str], None]


@frozen
class Plan:
    """Scope of the suite selected by the command line."""

    quick: bool
    concurrencies: tuple[int, ...]

    @property
    def transports(self) -> tuple[bool, ...]:
        """With TLS and without."""
        return (True,) if self.quick else (True, False)

    def count(self, count: int, at_least: int) -> int:
        """Scale a number of items."""
        return max(at_least, count // 10) if self.quick else count


def transfers(work: Literal["upload", "download"], bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Compare uploads, or downloads, of large and of small files."""
    for tls in plan.transports:
        for size in SIZES:
            clients = _DOWNLOADERS if work == "download" else _UPLOADERS if size > MB else _SMALL_UPLOADERS
            most = min(_CHECKED, max(plan.concurrencies))
            tell(f"checking the hash of every byte: {work}, {size:,} bytes, {'TLS' if tls else 'plain'}")
            for client in clients:
                bench.verify(client, Load(work=work, tls=tls, size=size, concurrency=most, count=most))
            for concurrency in plan.concurrencies:
                least = concurrency * (_LEAST_LARGE if size > MB else _LEAST_SMALL)
                counts = _SENT if work == "upload" else _COUNTS
                count = plan.count(counts.get((size, concurrency), 8 * concurrency), least)
                tell(f"{work}: {size:,} bytes, {'TLS' if tls else 'plain'}, {concurrency} at a time")
                load = Load(work=work, tls=tls, size=size, concurrency=concurrency, count=count)
                results.comparisons.append(bench.compare(work, load, clients))


def upload(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Compare uploads."""
    transfers("upload", bench, plan, results, tell)


def download(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Compare downloads."""
    transfers("download", bench, plan, results, tell)


def json(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Compare small calls."""
    for tls in (False,) if plan.quick else (False, True):
        tell(f"JSON calls, {'TLS' if tls else 'plain'}, 64 at a time")
        load = Load(work="count", tls=tls, concurrency=64, count=plan.count(_JSON_CALLS, 1500))
        results.comparisons.append(bench.compare("json", load, _CALLERS))


def inflight(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Compare the memory use of many concurrent uploads, always in new processes.

    Each TLS connection needs memory for any use; the same number of concurrent small calls shows the amount.
    """
    count = plan.count(IN_FLIGHT, 0)
    for tls in plan.transports:
        tell(f"{count} uploads in flight, {'TLS' if tls else 'plain'}")
        load = Load(work="upload", tls=tls, size=10 * MB, concurrency=count, count=count, threads=count)
        results.comparisons.append(bench.compare("inflight", load, _UPLOADERS, afresh=True))
        idle = evolve(load, work="count", size=0)
        results.comparisons.append(bench.compare("inflight", idle, (*_WXASSET, *_PEERS), afresh=True))


def tokens(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Measure many tasks waiting for one token, and the cancellation of waiting tasks."""
    del plan
    tell(f"{WAITERS:,} tasks that wait for a token, and {CANCELLED:,} that are cancelled")
    runner = bench.runner("tokens")
    one = Load(work="acquire", tls=False, count=1, concurrency=1)
    many = evolve(one, count=WAITERS, concurrency=WAITERS)
    never = bench.job(evolve(one, work="cancel", count=CANCELLED))
    parking, event = bench.job(evolve(many, work="park")), bench.job(evolve(many, work="event"))
    for number in range(bench.rounds + 1):
        alone, together = bench.measure(runner, one), bench.measure(runner, many)
        cancelled, limit = runner.run(never), runner.run(event)
        with bench.fresh("tokens") as started:
            parked = started.run(parking)
        for fault in (alone.refused, together.refused, cancelled.error, limit.error, parked.error):
            if fault:
                raise SystemExit(f"tokens: {fault}")
        if number:
            extra = together.seconds - alone.seconds
            waiters = Waiters(WAITERS, together.tokens, extra, cancelled.seconds, parked.growth, limit.seconds)
            results.waiters.append(waiters)


def import_(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Time the import in fresh interpreters."""
    del bench
    tell("import")
    # Names of wxasset are loaded on first use; the time of the module alone is not representative.
    programs = [_TIMED.format(_LIBRARIES, part) for part in ("import wxasset", "from wxasset import WxSession")]
    with tempfile.TemporaryDirectory(prefix="wxasset-compiled-") as compiled:
        variables = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        variables["PYTHONPYCACHEPREFIX"] = compiled
        for program in programs:
            _interpret(program, variables)  # compiles to bytecode, as an installation does
        for _ in range(plan.count(_INTERPRETERS, 5)):
            started = perf_counter()
            _interpret("pass", variables)
            bare = perf_counter() - started
            (_, named), (libraries, usable) = (_interpret(program, variables) for program in programs)
            results.imports.append(Imports(bare, libraries, named, usable))


def _interpret(program: str, variables: dict[str, str]) -> list[float]:
    """Run a program in a fresh interpreter, and return the numbers that it prints."""
    python = [sys.executable, "-c", program]
    done = subprocess.run(python, env=variables, check=True, capture_output=True, text=True)  # noqa: S603 - this interpreter
    return [float(number) for number in done.stdout.split()]


def growth(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Measure the growth of time and memory with the size and number of files, always in a new process."""
    sizes = [size for size in _GROWING_SIZES if size <= 10 * MB] + [10 * MB] if plan.quick else list(_GROWING_SIZES)
    numbers = _GROWING_NUMBERS[:3] if plan.quick else _GROWING_NUMBERS
    for work in ("upload", "download"):
        tell(f"growth: {work}")
        sized = [
            Load(work=work, size=size, concurrency=1, count=_GROWING_SIZES.get(size, 4), kind=Kind.GROWTH)
            for size in sizes
        ]
        results.curves.append(_curve(bench, work, "bytes", sized))
        numbered = [Load(work=work, size=KB, count=number, kind=Kind.GROWTH) for number in numbers]
        results.curves.append(_curve(bench, work, "files", numbered))


def _curve(bench: Bench, work: Work, unit: Literal["bytes", "files"], loads: list[Load]) -> Curve:
    samples: dict[Load, list[Sample]] = {load: [] for load in loads}
    for _ in range(bench.rounds):
        for load in loads:
            with bench.fresh("wxasset") as runner:
                sample = bench.after_warming(runner, load)
            if sample.refused:
                raise SystemExit(f"growth: {load.work} of {load.count} files of {load.size:,} bytes: {sample.refused}")
            samples[load].append(sample)
    return Curve(work, unit, [Point(load.size if unit == "bytes" else load.count, samples[load]) for load in loads])


def connections(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Count the connections of a long sequential run."""
    count = plan.count(SEQUENCE, 0)
    tell(f"connections of {count} sequential uploads")
    for client in (*_WXASSET, *_BY_HANDLE, *_PEERS, CURL):
        load = Load(work="upload", size=64 * KB, concurrency=1, count=count)
        sample = bench.measure(bench.runner(client), load)
        results.connections.append(Connections(client, count, sample.connections, sample.seconds, sample.refused))


def counted(bench: Bench, plan: Plan, results: Results, tell: Tell) -> None:
    """Count the instructions of small items, one at a time: these do not depend on the load of the machine."""
    del plan
    if not instructions.is_available():
        tell("instructions are not counted: that takes valgrind")
        return
    calls, files = (
        Load(work="count", tls=False, concurrency=1, count=_COUNTED),
        Load(work="upload", size=64 * KB, concurrency=1, count=_COUNTED),
    )
    for client in ("wxasset", LIMIT, NAIVE):
        tell(f"instructions of {client}")
        with instructions.counter(client, bench.server.certificate) as counter:
            for name, load in (("JSON call", calls), ("upload of 64 KB over TLS", files)):
                results.instructions.append(Instructions(client, name, counter.per_item(bench.job(load))))
    with instructions.counter("tokens", bench.server.certificate) as counter:
        hit = bench.job(Load(work="hit", tls=False, concurrency=1, count=10 * _COUNTED))
        results.instructions.append(Instructions("wxasset", "cached token", counter.per_item(hit)))
    start = instructions.of_import("from wxasset import WxSession", "import aiohttp, anyio, attrs, cattrs")
    results.instructions.append(Instructions("wxasset", "import of WxSession, beyond its four libraries", start))


SECTIONS: dict[str, Callable[[Bench, Plan, Results, Tell], None]] = {
    "upload": upload,
    "download": download,
    "json": json,
    "inflight": inflight,
    "tokens": tokens,
    "import": import_,
    "growth": growth,
    "connections": connections,
    "instructions": counted,
}
