"""Interleaved rounds with the same work for every client; each run is checked by the server's log."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, process_time

from attrs import define, evolve, field, frozen

import server
from figures import CURL, Comparison, Runs, Sample, Section
from jobs import KB, MB, Job, Work
from processes import Curl, Runner, environment, worker
from server import Kind, Request, Server

SLOW = 3.0  # seconds; after a slower run a client does fewer items in later rounds


@frozen(kw_only=True)
class Load:
    """Work of all clients of a comparison.

    Attributes:
        work: The kind of work.
        tls: Use TLS.
        size: Bytes per file.
        concurrency: Number of concurrent items.
        count: Number of items per run.
        kind: The server's handling of bodies.
        threads: Maximum number of threads, for clients with one thread per item.
    """

    work: Work
    tls: bool = True
    size: int = 0
    concurrency: int = 8
    count: int
    kind: Kind = Kind.FAST
    threads: int = 32


@define
class Bench:
    """The server, the files, and the processes of the clients."""

    server: Server
    rounds: int
    quick: bool
    _files: Path
    _outputs: Path
    _stack: ExitStack
    _runners: dict[str, Runner] = field(factory=dict, init=False)

    def runner(self, client: str) -> Runner:
        """Return the process of a client; it is reused."""
        if client not in self._runners:
            self._runners[client] = self._stack.enter_context(self.fresh(client))
        return self._runners[client]

    @contextmanager
    def fresh(self, client: str) -> Iterator[Runner]:
        """Start a new process of a client."""
        if client == CURL:
            curl = Curl(self.server.certificate)
            curl.run(self.job(Load(work="count", count=1, concurrency=1)))  # the baseline for the memory of later jobs
            yield curl
        else:
            with worker(client, environment(self.server.certificate)) as started:
                yield started

    def job(self, load: Load) -> Job:
        """Return the job for a client."""
        path = self._outputs if load.work == "download" else self.file(load.size)
        if load.work == "download":
            self.file(load.size)
        return Job(
            work=load.work,
            url=self.server.url(load.kind, tls=load.tls, size=load.size),
            count=load.count,
            concurrency=load.concurrency,
            threads=load.threads,
            path=str(path),
            size=load.size,
        )

    def file(self, size: int) -> Path:
        """Return the file of this size; it begins with a JPEG signature."""
        path = self._files / f"{size}.jpg"
        if not path.exists():
            with path.open("wb") as file:
                file.write(b"\xff\xd8\xff\xe0"[:size])
                while (left := size - file.tell()) > 0:
                    file.write(os.urandom(min(left, MB)))
        return path

    def measure(self, runner: Runner, load: Load, *, hashes: bool = False) -> Sample:
        """Run a job; the sample contains the reason if it is excluded from comparisons."""
        job = self.job(load)
        self.server.mark()
        started, others, busy = perf_counter(), _machine_busy() - process_time(), self.server.busy()
        outcome = runner.run(job)
        seconds = perf_counter() - started  # includes the client's preparation, excluded by its own clock
        others, busy = _machine_busy() - process_time() - others, self.server.busy() - busy
        waiting = load.work == "acquire"
        requests = self.server.requests(items=0 if waiting else load.count, tokens=waiting)
        refused = f"{outcome.failed} failed: {outcome.error}" if outcome.failed else _fault(load, requests)
        refused = refused or self._unlike(load, requests, hashes=hashes)
        for path in [*self._outputs.iterdir(), *(request.body for request in requests)]:
            path.unlink(missing_ok=True)
        return Sample(
            count=load.count,
            seconds=round(outcome.seconds, 6),
            cpu=round(outcome.cpu, 6),
            growth=outcome.growth,
            server=round(busy, 6),
            others=round(max(0.0, others - busy - outcome.spent) / seconds, 3),
            overlap=_overlap(requests),
            connections=len({request.connection for request in requests}),
            tokens=sum(request.for_token for request in requests),
            refused=refused.replace(str(self._files), "files"),
        )

    def _unlike(self, load: Load, requests: list[Request], *, hashes: bool) -> str:
        """Return the error of the received bytes: their number, or their hash."""
        source = self.file(load.size)
        if load.work == "download":
            saved = list(self._outputs.iterdir())
            if len(saved) != load.count or any(path.stat().st_size != load.size for path in saved):
                return "files are missing, or have another size"
            arrived = [path.read_bytes() for path in saved] if hashes else []
        elif hashes:
            arrived = [_media(request.body) for request in requests if not request.for_token]
        else:
            return ""
        wanted = hashlib.sha256(source.read_bytes()).digest() if hashes else b""
        same = all(hashlib.sha256(each).digest() == wanted for each in arrived)
        return "" if same else "other bytes arrived than were sent"

    def verify(self, client: str, load: Load) -> None:
        """Check the hash of all transferred bytes of a client before measuring it."""
        sample = self.measure(self.runner(client), evolve(load, kind=Kind.VERIFY), hashes=True)
        if sample.refused:
            raise SystemExit(f"{client}: {load.work} of {load.size:,} bytes: {sample.refused}")

    def compare(self, section: Section, load: Load, clients: Sequence[str], *, afresh: bool = False) -> Comparison:
        """Run a warm-up round, then the measured rounds.

        With `afresh` each run has a new process with one small job as its only warm-up.
        """
        loads = dict.fromkeys(clients, load)
        samples: dict[str, list[Sample]] = {client: [] for client in clients}
        for number in range(1 if afresh else 0, self.rounds + 1):
            turn = number % len(clients)
            for client in [*clients[turn:], *clients[:turn]]:
                samples[client].append(self._sample(client, loads[client], afresh=afresh))
                seconds = samples[client][-1].seconds
                if not number and seconds > SLOW and not afresh:
                    fewer = max(load.concurrency, int(load.count * SLOW / seconds))
                    loads[client] = evolve(load, count=min(load.count, fewer))
        return Comparison(
            section=section,
            tls=load.tls,
            size=load.size,
            concurrency=load.concurrency,
            runs=[Runs(client, taken[0], taken if afresh else taken[1:]) for client, taken in samples.items()],
        )

    def _sample(self, client: str, load: Load, *, afresh: bool) -> Sample:
        if not afresh:
            return self.measure(self.runner(client), load)
        with self.fresh(client) as runner:
            return self.after_warming(runner, load)

    def after_warming(self, runner: Runner, load: Load) -> Sample:
        """Measure a new process after one small item, to exclude lazy imports for all clients."""
        self._warm(runner, evolve(load, count=1, concurrency=1, size=min(load.size, KB)))
        return self.measure(runner, load)

    def _warm(self, runner: Runner, load: Load) -> None:
        """Run a job without measuring it."""
        self.server.mark()
        runner.run(self.job(load))
        self.server.requests(items=load.count)  # otherwise they would count for the next job
        for path in self._outputs.iterdir():
            path.unlink()


def _machine_busy() -> float:
    """Return the processor time of the machine in seconds, including kernel time and time taken by its host."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, fields)
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _fault(load: Load, requests: list[Request]) -> str:
    """Return the errors of a run shown by the log."""
    items = [request for request in requests if not request.for_token]
    tokens = len(requests) - len(items)
    count = 0 if load.work == "acquire" else load.count
    connections = len({request.connection for request in requests})
    short = any(load.size > (each.received if load.work == "upload" else each.sent) for each in items)
    faults = {
        "not every answer was 200": any(request.status != 200 for request in requests),
        f"{len(items)} requests for {count} items": len(items) != count,
        "files arrived short": short,
        f"{connections} connections for {load.concurrency} at a time": connections > load.concurrency + tokens,
    }
    return next((fault for fault, found in faults.items() if found), "")


def _overlap(requests: list[Request]) -> int:
    """Return the maximum number of concurrent requests."""
    events = sorted([(request.started, 1) for request in requests] + [(request.ended, -1) for request in requests])
    most = now = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


def _media(path: Path) -> bytes:
    """Extract the media from a form; its first line is the boundary."""
    body = path.read_bytes()
    boundary, _, rest = body.partition(b"\r\n")
    _, _, media = rest.partition(b"\r\n\r\n")
    return media[: media.rfind(b"\r\n" + boundary)]


@contextmanager
def prepared(*, rounds: int, quick: bool) -> Iterator[Bench]:
    """Start the server in a temporary directory; stop all processes and delete all files afterwards."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wxasset-bench-")))
        for name in ("server", "files", "outputs"):
            (root / name).mkdir()
        running = stack.enter_context(server.running(root / "server", root / "files"))
        running.check_patience()
        yield Bench(running, rounds, quick, root / "files", root / "outputs", stack)
