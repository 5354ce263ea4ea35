"""Compare wxasset with its alternatives, side by side in one run.

Run with `nox -s bench`; arguments after `--` are passed on. Only a complete run writes to `benchmarks/results/`.
"""

import argparse
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from time import monotonic

import cattrs

import machine
import plots
import tables
from figures import Results
from rounds import prepared
from sections import SECTIONS, Plan

_RESULTS = Path(__file__).parent / "results"
_CONCURRENCIES = (1, 8, 64)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    numbers = lambda text: tuple(map(int, text.split(",")))  # noqa: E731 - a type of argparse
    names = lambda text: tuple(text.split(","))  # noqa: E731 - the same
    parser.add_argument("--only", type=names, default=tuple(SECTIONS), metavar="NAME,NAME", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, help="measured rounds, 7 by default, plus one warm-up round")
    parser.add_argument(
        "--concurrency", type=numbers, metavar="N,N", help="concurrency of uploads and downloads, 1,8,64 by default"
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds, less of the work, TLS only, 8 at a time")
    parser.add_argument("--results", type=Path, help="write the results of an incomplete run too, to this directory")
    parser.add_argument(
        "--draw", action="store_true", help="write tables and plots from results.json without measuring"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section: {', '.join(sorted(unknown))}; choose from {', '.join(SECTIONS)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {options.rounds}")
    return options


@contextmanager
def _alone() -> Iterator[None]:
    """Prevent concurrent runs, because they would distort each other's measurements."""
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind("\0wxasset-bench")  # an abstract name, released when this process exits
        except OSError:
            raise SystemExit("Another run of the benchmarks is in progress; wait for its end.") from None
        yield


def _write(results: Results, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(cattrs.unstructure(results), separators=(",", ":")) + "\n")
    (directory / "tables.md").write_text(tables.document(results))
    plots.draw(results, directory)


def _measure(options: argparse.Namespace) -> Results:
    results = Results(machine.describe())
    print(tables.machine_table(results))
    started = monotonic()
    rounds = options.rounds or (2 if options.quick else 7)
    plan = Plan(options.quick, options.concurrency or ((8,) if options.quick else _CONCURRENCIES))
    with prepared(rounds=rounds, quick=options.quick) as bench:
        for name in options.only:
            before = len(results.comparisons), len(results.curves)
            SECTIONS[name](bench, plan, results, lambda text: print(f"[{monotonic() - started:5.0f} s] {text}"))
            for comparison in results.comparisons[before[0] :]:
                print(f"\n{tables.comparison_table(comparison)}")
            for curve in results.curves[before[1] :]:
                print(f"\n{tables.curve_table(curve)}")
            print(flush=True)
    for table in tables.small_tables(results):
        print(f"\n{table}")
    print(f"\n## What was promised\n\n{tables.acceptance_table(results)}\n\n{monotonic() - started:.0f} seconds in all")
    return results


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = _options(arguments)
    if options.draw:
        directory = options.results or _RESULTS
        _write(cattrs.structure(json.loads((directory / "results.json").read_text()), Results), directory)
        return
    missing = [program for program in ("nginx", "curl") if which(program) is None]
    if missing:
        raise SystemExit(f"The benchmarks need {' and '.join(missing)}: apt-get install {' '.join(missing)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # to run all cleanups
    with _alone():
        results = _measure(options)
    complete = not options.quick and set(options.only) == set(SECTIONS) and options.concurrency is None
    if options.results or complete:
        _write(results, options.results or _RESULTS)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("interrupted")
