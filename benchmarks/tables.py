"""Results as readable Markdown tables, without I/O."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

import acceptance
from figures import REFERENCES, WIDE, Comparison, Curve, Figure, Line, Results, Runs, Spread
from jobs import GB, KB, MB

_STRAIGHT = 0.95  # minimum share of the variance of times explained by the line
_NEAR = 0.25  # maximum relative distance of a point of the larger half from the line
_BUSY = 0.9  # share of the server's core
_QUIET = 0.15  # maximum share of a core used by other programs during a measurement
_SHORT = dict(zip(REFERENCES, ("limit", "curl", "aiohttp"), strict=True))
_FLAT = 4 * MB  # maximum rise of memory in bytes, from the smallest to the largest


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table; all columns but the first hold numbers."""
    lines = [head, *rows]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]

    def lay(line: Sequence[str]) -> str:
        cells = [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        return "| " + " | ".join([line[0].ljust(widths[0]), *cells]) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([lay(head), rule, *map(lay, lines[1:])])


def acceptance_table(results: Results) -> str:
    """Return every acceptance criterion with its measurement."""
    rows = [(row.measure, row.measured, row.floor, row.aim, row.verdict) for row in acceptance.rows(results)]
    return table(("measure", "measured", "floor", "aim", "verdict"), rows)


def title(comparison: Comparison) -> str:
    """Name a comparison."""
    over = "TLS" if comparison.tls else "plain HTTP"
    if comparison.section == "json":
        return f"JSON calls over {over}, {comparison.concurrency} at a time"
    work = "Upload" if comparison.section != "download" else "Download"
    if comparison.section == "inflight" and not comparison.size:
        return f"{comparison.concurrency} JSON calls at once over {over}: what the connections alone take"
    if comparison.section == "inflight":
        return f"{comparison.concurrency} uploads of {size(comparison.size)} in flight over {over}"
    return f"{work} of {size(comparison.size)} over {over}, {comparison.concurrency} at a time"


def size(count: int) -> str:
    """Name a number of bytes."""
    for unit, bytes_ in (("GB", GB), ("MB", MB), ("KB", KB)):
        if count >= bytes_:
            return f"{count / bytes_:g} {unit}"
    return f"{count} bytes"


def comparison_table(comparison: Comparison) -> str:
    """Return the results of each client, and the ratios of the pairs."""
    names = [_SHORT[reference] for reference in REFERENCES]
    head = ["client", "a second", "MB/s", *(f"rate / {name}" for name in names), *(f"CPU / {name}" for name in names)]
    rows = [
        (
            runs.client,
            *_rates(comparison, runs),
            *_ratios(comparison, runs, "rate"),
            *_ratios(comparison, runs, "cpu"),
            _milliseconds(runs),
            f"{runs.growth / MB:.0f} MB",
            _busy(runs),
        )
        for runs in comparison.runs
    ]
    head += ["CPU ms each", "growth", "server busy"]
    return "\n".join([f"### {title(comparison)}", "", table(head, rows), *_notes(comparison)])


def _ratios(comparison: Comparison, runs: Runs, figure: Figure) -> Iterator[str]:
    """Yield the ratios to each reference; none where the reference was not measured."""
    for reference in REFERENCES:
        known = comparison.of(reference) is not None
        yield str(comparison.ratios(figure, runs.client, reference)) if known else ""


def _milliseconds(runs: Runs) -> str:
    return f"{median(run.effort for run in runs.good) * 1000:.2f}" if runs.good else "refused"


def _rates(comparison: Comparison, runs: Runs) -> tuple[str, str]:
    if not runs.good:
        return "refused", "refused"
    rate = median(run.rate for run in runs.good)
    return f"{rate:,.0f}", f"{rate * comparison.size / MB:,.0f}" if comparison.size else ""


def _busy(runs: Runs) -> str:
    return f"{median(run.server / run.seconds for run in runs.samples):.0%}"


def _notes(comparison: Comparison) -> Iterator[str]:
    """Yield notes on the numbers."""
    counts = {runs.samples[0].count for runs in comparison.runs}
    fewer = [
        f"{runs.client} {runs.samples[0].count}" for runs in comparison.runs if runs.samples[0].count < max(counts)
    ]
    yield ""
    yield f"{max(counts):,} a run{'; fewer for the slow, whose rates are compared: ' * bool(fewer)}{', '.join(fewer)}."
    if comparison.section == "inflight":
        most = ", ".join(f"{runs.client} {max(run.overlap for run in runs.samples)}" for runs in comparison.runs)
        yield f"Each run is a new process. The most requests that the server had under way at once: {most}."
    samples = [run for runs in comparison.runs for run in runs.samples]
    others = sum(run.others * run.seconds for run in samples) / sum(run.seconds for run in samples)
    if others > _QUIET:
        yield f"Other programs used {others:.0%} of a core meanwhile: these figures are not to be relied on."
    for runs in comparison.runs:
        faults = sorted({run.refused for run in runs.samples if run.refused})
        if faults:
            yield f"Refused: {len(runs.samples) - len(runs.good)} runs of {runs.client} ({'; '.join(faults)})."


def curve_table(curve: Curve) -> str:
    """Return the growth of time and memory, and an assessment of its linearity."""
    sized = curve.unit == "bytes"
    head = (
        "size" if sized else "files",
        "time",
        "MB/s" if sized else "a second",
        "CPU",
        "memory growth",
        "server busy",
    )
    rows = []
    for point in curve.points:
        seconds = curve.seconds(point)
        rate = point.x / (MB if sized else 1) / seconds
        name, cpu = size(point.x) if sized else f"{point.x:,}", curve.cpu(point)
        times = (f"{seconds * 1000:,.1f} ms", f"{rate:,.1f}", f"{cpu * 1000:,.1f} ms")
        rows.append((name, *times, f"{point.growth / MB:.1f} MB", f"{point.busy:.0%}"))
    what = "one file against its size" if sized else "files of 1 KB, 8 at a time, against their number"
    flat = "flat" if curve.rise <= _FLAT else "not flat"
    verdicts = [
        _straight("The time", curve.time_line, curve.unit),
        _straight("The client's processor time", curve.cpu_line, curve.unit),
        f"Memory is {flat}: {curve.rise / MB:+.1f} MB from the first to the last.",
    ]
    if curve.points[-1].busy > _BUSY:
        verdicts.insert(1, "The server had no more to give with the largest: there this is the server's time.")
    return "\n".join([f"### {curve.work.capitalize()} of {what}", "", table(head, rows), "", *verdicts])


def _straight(what: str, line: Line, unit: str) -> str:
    start, slope = line.fit
    straight = "straight" if line.explained >= _STRAIGHT and line.deviation <= _NEAR else "not straight"
    each = f"{slope * MB * 1000:.2f} ms for each MB" if unit == "bytes" else f"{slope * 1000:.2f} ms for each file"
    return (
        f"{what} is {straight}: {start * 1000:.1f} ms + {each}; R² {line.explained:.4f}, "
        f"the larger half at most {line.deviation:.0%} off the line."
    )


def small_tables(results: Results) -> Iterator[str]:
    """Show tokens, imports and connections."""
    if results.waiters:
        first = results.waiters[0]
        extra, limit, cancelled = (
            Spread([getattr(each, name) * 1000 for each in results.waiters]) for name in ("extra", "limit", "cancelled")
        )
        rows = [
            ("token calls", ", ".join(sorted({str(each.calls) for each in results.waiters}))),
            ("time beyond that of a single one", extra.text(" ms")),
            ("time of as many tasks that wait for an asyncio.Event", limit.text(" ms")),
            ("16,000 that are cancelled at once: time of all", cancelled.text(" ms")),
            (
                "memory of as many calls that wait for one",
                Spread([each.parked / MB for each in results.waiters]).text(" MB"),
            ),
        ]
        yield "\n".join([f"### {first.waiters:,} tasks on a cold token", "", table(("measure", "measured"), rows)])
    if results.imports:
        bare, libraries, named, usable = (
            Spread([getattr(each, name) * 1000 for each in results.imports])
            for name in ("bare", "libraries", "named", "usable")
        )
        rows = [
            ("a process without imports, from its start to its end", f"{bare}"),
            ("import aiohttp, anyio, attrs, cattrs", f"{libraries}"),
            ("import wxasset, after these", f"{named}"),
            ("from wxasset import WxSession, after these", f"{usable}"),
        ]
        yield "\n".join(["### Import", "", table(("in a fresh interpreter", "ms"), rows)])
    if results.connections:
        lines = [
            (each.client, str(each.connections), f"{each.uploads / each.seconds:,.0f}", each.refused)
            for each in results.connections
        ]
        heading = f"### {results.connections[0].uploads:,} sequential uploads of 64 KB over TLS"
        yield "\n".join([heading, "", table(("client", "connections", "a second", "refused"), lines)])
    yield from _instruction_tables(results)


def _instruction_tables(results: Results) -> Iterator[str]:
    if results.instructions:
        of = {(each.work, each.client): each.count for each in results.instructions}
        clients = dict.fromkeys(each.client for each in results.instructions)
        lines = [
            (work, *(f"{of[work, client]:,}" if (work, client) in of else "" for client in clients))
            for work in dict.fromkeys(each.work for each in results.instructions)
        ]
        yield "\n".join(["### Instructions of one item, counted by valgrind", "", table(("item", *clients), lines)])


def machine_table(results: Results) -> str:
    """Name the machine."""
    return "\n".join(f"- {name}: {text}" for name, text in results.machine.items())


def document(results: Results) -> str:
    """Put everything together."""
    parts = [
        "# Results",
        "Written by `nox -s bench`; `results.json` has every run. Ratios are medians of the pairs [least..most].",
        f"A ratio is wide where the most is over {WIDE} times the least. The limit is a hand-written asyncio client.",
        "## The machine",
        machine_table(results),
        "## What was promised",
        acceptance_table(results),
        "## In detail",
        *map(comparison_table, results.comparisons),
        *map(curve_table, results.curves),
        *small_tables(results),
    ]
    return "\n\n".join(parts) + "\n"
