"""Instructions of one item of a client, counted by valgrind: a figure that a busy machine does not change."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, evolve

from jobs import Job, Outcome
from processes import Worker, environment, worker

_WARM = 3  # items before the count
_TOTALS = re.compile(r"^totals: ([0-9]+)", re.MULTILINE)


@define
class Counter:
    """A worker under valgrind."""

    _worker: Worker
    _directory: Path

    def per_item(self, job: Job) -> int:
        """Count two runs of different length; their difference has no start and no end."""
        self._run(evolve(job, count=_WARM))
        self._order("instrumentation", "on")
        few, many = (self._counted(evolve(job, count=count)) for count in (job.count // 4, job.count))
        self._order("instrumentation", "off")
        return round((many - few) / (job.count - job.count // 4))

    def _counted(self, job: Job) -> int:
        self._order("zero")
        self._run(job)
        for old in self._directory.iterdir():
            old.unlink()
        self._order("dump")
        return sum(int(found[1]) for path in self._directory.iterdir() if (found := _TOTALS.search(path.read_text())))

    def _run(self, job: Job) -> Outcome:
        outcome = self._worker.run(job)
        if outcome.failed:
            raise SystemExit(f"instructions: {job.work}: {outcome.failed} failed: {outcome.error}")
        return outcome

    def _order(self, *words: str) -> None:
        """Send a command to valgrind."""
        vgdb = shutil.which("vgdb") or "vgdb"
        subprocess.run([vgdb, f"--pid={self._worker.pid}", *words], check=True, capture_output=True)  # noqa: S603 - as above


@contextmanager
def counter(client: str, certificate: Path) -> Iterator[Counter]:
    """Start a client under valgrind; its hashes are the same in each run."""
    with tempfile.TemporaryDirectory(prefix="wxasset-callgrind-") as directory:
        valgrind = (
            *(shutil.which("valgrind") or "valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no"),
            *("--log-file=/dev/null", f"--callgrind-out-file={directory}/out"),
        )
        variables = environment(certificate) | {"PYTHONHASHSEED": "0"}
        with worker(client, variables, valgrind) as started:
            yield Counter(started, Path(directory))


def of_import(code: str, after: str) -> int:
    """Count what a statement takes in a fresh interpreter that has imported its libraries; bytecode is at hand."""
    with tempfile.TemporaryDirectory(prefix="wxasset-callgrind-") as directory:
        few, many = (_counted(each, Path(directory)) for each in (after, f"{after}\n{code}"))
    return many - few


def _counted(code: str, directory: Path) -> int:
    written, counts = (os.environ | {"PYTHONPYCACHEPREFIX": f"{directory}/bytecode"}), directory / "out"
    written.pop("PYTHONDONTWRITEBYTECODE", None)
    python = (sys.executable, "-c", code)
    subprocess.run(python, check=True, env=written)  # noqa: S603 - as above
    valgrind = (shutil.which("valgrind") or "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={counts}")
    subprocess.run([*valgrind, *python], check=True, env=written | {"PYTHONHASHSEED": "0"}, capture_output=True)  # noqa: S603 - as above
    found = _TOTALS.search(counts.read_text())
    return int(found[1]) if found else 0


def is_available() -> bool:
    """Return True if valgrind and vgdb are installed, on a system that they can trace."""
    return os.name == "posix" and all(shutil.which(program) for program in ("valgrind", "vgdb"))
