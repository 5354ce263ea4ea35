"""Measured processes: a worker for each Python client, and curl."""

import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Protocol

from attrs import define, field

from jobs import TOKEN, Job, Outcome, from_line, to_line

_PATIENCE = 300.0  # timeout of a job in seconds
_LOOK = 0.005  # interval between samples of curl's memory in seconds


class Runner(Protocol):
    """Client process for jobs."""

    def run(self, job: Job) -> Outcome:
        """Do a job and return its outcome."""
        ...


def environment(certificate: Path) -> dict[str, str]:
    """Return environment variables to trust the server's certificate and bypass proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    here = str(Path(__file__).parent)
    trusted = {"SSL_CERT_FILE": str(certificate), "REQUESTS_CA_BUNDLE": str(certificate)}
    return kept | trusted | {"PYTHONPATH": os.pathsep.join(filter(None, (here, kept.get("PYTHONPATH"))))}


@define
class Worker:
    """A client in its own Python process, reused for further jobs."""

    _process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def run(self, job: Job) -> Outcome:
        """Do a job; on a timeout, or if the process exits, all its items count as failed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        with suppress(BrokenPipeError):
            stdin.write(to_line(job))
            stdin.flush()
        ready, _, _ = select.select([stdout], [], [], _PATIENCE)
        line = stdout.readline() if ready else ""
        if line:
            return from_line(Outcome, line)
        self._process.kill()
        return Outcome(seconds=_PATIENCE, cpu=0.0, failed=job.count, error="the process ended, or took too long")


@contextmanager
def worker(name: str, variables: dict[str, str], under: Sequence[str] = ()) -> Iterator[Worker]:
    """Start the worker of a client, `under` another program if that is given, and stop it afterwards."""
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [*under, sys.executable, Path(__file__).with_name("worker.py"), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=variables,
        text=True,
        start_new_session=True,  # Ctrl-C interrupts this program only, then it stops its workers
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.communicate()


@define
class Curl:
    """One `curl --parallel` process for each job.

    Startup time is subtracted, because workers are running already when their clock starts.
    """

    _certificate: Path
    _started: Outcome = field(init=False)
    _least: int = field(default=2**63, init=False)

    def __attrs_post_init__(self) -> None:
        """Measure the startup time of curl."""
        starts = [_curl("--version")[0] for _ in range(9)]
        self._started = Outcome(
            seconds=median(start.seconds for start in starts), cpu=median(start.cpu for start in starts)
        )

    def run(self, job: Job) -> Outcome:
        """Do a job. Memory is counted from the smallest job so far."""
        with tempfile.NamedTemporaryFile("w", prefix="wxasset-", suffix=".curl") as config:
            config.write("next\n".join(map(self._options(job).__add__, self._outputs(job))))
            config.flush()
            outcome, codes = _curl(
                *("--parallel", "--parallel-immediate", "--parallel-max", str(job.concurrency)),
                *("--no-progress-meter", "--config", config.name),
            )
        self._least = min(self._least, outcome.growth)
        failed = job.count - codes.count("200")
        return Outcome(
            seconds=outcome.seconds - self._started.seconds,
            cpu=outcome.cpu - self._started.cpu,
            spent=outcome.cpu,
            growth=outcome.growth - self._least,
            failed=failed,
            error=outcome.error or ("not every answer was 200" if failed else ""),
        )

    def _options(self, job: Job) -> str:
        library = f"{job.url}/cgi-bin/material"
        url, more = {
            "upload": (f"{library}/add_material?access_token={TOKEN}&type=image", f'form = "media=@{job.path}"'),
            "download": (f"{library}/get_material?access_token={TOKEN}", r'json = "{\"media_id\":\"M\"}"'),
            "count": (f"{library}/get_materialcount?access_token={TOKEN}", ""),
        }[job.work]
        # Without "Expect:" curl would wait for a 100 response before each large body.
        return (
            f'url = "{url}"\n{more}\nheader = "Expect:"\ncacert = "{self._certificate}"\n'
            'http1.1\nfail\nwrite-out = "%{http_code}\\n"\n'
        )

    def _outputs(self, job: Job) -> list[str]:
        if job.work == "download":
            return [f'output = "{job.target(number)}"\n' for number in range(job.count)]
        return ['output = "/dev/null"\n'] * job.count


def _curl(*arguments: str) -> tuple[Outcome, list[str]]:
    """Run curl; return its peak memory as the growth, and the words of its output."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = perf_counter()
        program = shutil.which("curl") or "curl"
        process = subprocess.Popen([program, *arguments], stdout=out, stderr=err)  # noqa: S603 - checked by `bench`
        peak = _Peak(process.pid)
        try:
            _, status, used = os.wait4(process.pid, 0)
            seconds = perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            peak.end()
            if process.returncode is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        error = err.readline().strip() if process.returncode else ""
        outcome = Outcome(seconds=seconds, cpu=used.ru_utime + used.ru_stime, growth=peak.bytes, error=error)
        return outcome, out.read().split()


class _Peak:
    """Sampler of the peak memory of a process; `wait4` would include the peak of its parent."""

    def __init__(self, process: int) -> None:
        self.bytes = 0
        self._status = Path(f"/proc/{process}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            with suppress(OSError):
                found = re.search(r"VmHWM:\s*([0-9]+) kB", self._status.read_text())
                self.bytes = int(found[1]) * 1024 if found else self.bytes

    def end(self) -> None:
        """Stop sampling."""
        self._over.set()
        self._thread.join()
