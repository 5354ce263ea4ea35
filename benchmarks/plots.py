"""The results as plots."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from figures import CURL, Comparison, Curve, Results
from jobs import MB
from tables import size

_OURS, _THEIRS, _INK, _PALE = "#1f6feb", "#b3bac5", "#24292f", "#d8dee4"
_WORK = {"upload": "#1f6feb", "download": "#d9822b"}
_ROOM = 0.13  # share of an axis needed by a number
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "wxasset",  # the same results make the same file
    "svg.fonttype": "none",  # text is not converted to paths: smaller, and sharp at any size
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _PALE,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def draw(results: Results, directory: Path, suffix: str = ".svg") -> list[Path]:
    """Draw plots of all available results; return the files."""
    plots: dict[str, Callable[[Results], Figure | None]] = {
        "upload": lambda each: _transfers(each, "upload"),
        "download": lambda each: _transfers(each, "download"),
        "json": _calls,
        "memory": _memory,
        "growth": _growth,
    }
    files = []
    with mpl.rc_context(_SETTINGS):
        for name, plot in plots.items():
            figure = plot(results)
            if figure is not None:
                files.append(directory / f"{name}{suffix}")
                metadata = {"Date": None, "Creator": None} if suffix == ".svg" else None
                figure.savefig(files[-1], facecolor="white", metadata=metadata, dpi=110)
    return files


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], texts: Sequence[str]) -> Sequence[int]:
    """Draw a bar for each client, the first at the top; return their positions."""
    places = range(len(names), 0, -1)
    axes.barh(places, values, height=0.72, color=[_OURS if name.startswith("wxasset") else _THEIRS for name in names])
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, value, text in zip(places, values, texts, strict=True):
        axes.annotate(text, (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    return places


def _ratios(axes: Axes, comparison: Comparison) -> None:
    """Draw rates relative to the reference, with their spread."""
    names = [runs.client for runs in comparison.runs]
    spreads = [comparison.ratios("rate", name, CURL) for name in names]
    middles = [spread.middle if spread.values else 0.0 for spread in spreads]
    places = _bars(axes, names, middles, [""] * len(names))
    most = max(max(spread.values, default=0.0) for spread in spreads)
    for place, spread in zip(places, spreads, strict=True):
        least, end = min(spread.values, default=0.0), max(spread.values, default=0.0)
        axes.plot([least, end], [place, place], color=_INK, linewidth=1)
        text = f"{spread.middle:.2f}" if spread.values else "refused"
        axes.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.axvline(1, color=_INK, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.set_xlim(0, 1.2 * max(1, most))


def _transfers(results: Results, section: str) -> Figure | None:
    """Draw rates by size and concurrency, over TLS."""
    found = [each for each in results.comparisons if each.section == section and each.tls]
    if not found:
        return None
    sizes = list(dict.fromkeys(each.size for each in found))
    concurrencies = list(dict.fromkeys(each.concurrency for each in found))
    figure = Figure(figsize=(2.1 + 2.7 * len(concurrencies), 0.6 + 2.3 * len(sizes)), layout="constrained")
    grid = figure.subplots(len(sizes), len(concurrencies), squeeze=False)
    for each in found:
        axes = grid[sizes.index(each.size)][concurrencies.index(each.concurrency)]
        _ratios(axes, each)
        axes.set_title(f"{size(each.size)}, {each.concurrency} at a time")
        if each.concurrency != concurrencies[0]:
            axes.set_yticklabels([])
    figure.supxlabel(f"{section} rate over TLS; curl --parallel = 1", fontsize=9)
    return figure


def _calls(results: Results) -> Figure | None:
    """Draw the rates of JSON calls."""
    found = [each for each in results.comparisons if each.section == "json"]
    if not found:
        return None
    figure = Figure(figsize=(2.1 + 3.4 * len(found), 2.5), layout="constrained")
    grid = figure.subplots(1, len(found), squeeze=False)
    for axes, each in zip(grid[0], found, strict=True):
        rates = [median(run.rate for run in runs.good) if runs.good else 0.0 for runs in each.runs]
        texts = [f"{rate:,.0f}" if rate else "refused" for rate in rates]
        _bars(axes, [runs.client for runs in each.runs], rates, texts)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
        axes.set_title(f"{'TLS' if each.tls else 'plain HTTP'}, {each.concurrency} at a time")
        axes.set_xlim(0, 1.18 * max(rates))
    figure.supxlabel("JSON calls a second", fontsize=9)
    return figure


def _memory(results: Results) -> Figure | None:
    """Draw the memory use of many uploads."""
    found = next((each for each in results.comparisons if each.section == "inflight"), None)
    if found is None:
        return None
    figure = Figure(figsize=(7, 2.9), layout="constrained")
    axes = figure.subplots()
    grown = [median(run.growth / MB for run in runs.samples) for runs in found.runs]
    _bars(
        axes, [runs.client for runs in found.runs], [max(each, 1) for each in grown], [f"{each:,.0f}" for each in grown]
    )
    axes.set_xscale("log")
    axes.set_xlim(1, 2 * max(grown))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_title(f"{found.concurrency} uploads of {size(found.size)} in flight, over TLS")
    axes.set_xlabel("growth of the process, MB (logarithmic)")
    return figure


def _growth(results: Results) -> Figure | None:
    """Draw the growth of time and memory with the size and the number of files."""
    if not results.curves:
        return None
    figure = Figure(figsize=(8.4, 5.6), layout="constrained")
    grid = figure.subplots(2, 2)
    most = max(point.growth / MB for curve in results.curves for point in curve.points)
    for column, (what, unit) in enumerate((("size of a file", "bytes"), ("number of files of 1 KB", "files"))):
        times, memory = grid[0][column], grid[1][column]
        curves = [curve for curve in results.curves if curve.unit == unit]
        for curve in curves:
            _times(times, curve)
            grown = [point.growth / MB for point in curve.points]
            memory.plot([point.x for point in curve.points], grown, **_style(curve), linewidth=1)
        times.set_yscale("log")
        times.yaxis.set_major_formatter(
            lambda seconds, _: f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
        )
        times.yaxis.set_minor_formatter(NullFormatter())
        times.legend(frameon=False, loc="upper left", fontsize=8)
        times.set_title(f"time against the {what}")
        memory.set_title(f"memory against the {what}")
        memory.set_ylim(0, max(10, 1.3 * most))
        for axes in (times, memory):
            _number(axes, curves[0])
    grid[1][0].set_ylabel("growth of the process, MB")
    figure.supxlabel("on logarithmic axes a straight line that does not start at 0 is bent", fontsize=8)
    return figure


def _style(curve: Curve) -> dict[str, Any]:
    return {"color": _WORK[curve.work], "marker": "o", "markersize": 4}


def _number(axes: Axes, curve: Curve) -> None:
    """Label the x axis with the numbers of the points."""
    axes.set_xscale("log")
    xs = [point.x for point in curve.points]
    room = (xs[-1] / xs[0]) ** _ROOM
    shown = [x for x, after in zip(xs, [*xs[1:], float("inf")], strict=True) if after >= x * room]
    axes.set_xticks(shown, [size(x) if curve.unit == "bytes" else f"{x:,}" for x in shown], minor=False)
    axes.xaxis.minorticks_off()
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def _times(axes: Axes, curve: Curve) -> None:
    """Draw the times and the fitted line."""
    start, slope = curve.time_line.fit
    xs = [point.x for point in curve.points]
    smooth = [xs[0] * (xs[-1] / xs[0]) ** (step / 60) for step in range(61)]
    line = [(x, start + slope * x) for x in smooth if start + slope * x > 0]
    axes.plot([x for x, _ in line], [y for _, y in line], color=_WORK[curve.work], linewidth=0.8)
    per, each = (slope * MB, "MB") if curve.unit == "bytes" else (slope, "file")
    label = f"{curve.work}: {start * 1000:.1f} ms + {per * 1000:.2f} ms for each {each}"
    axes.plot(xs, [curve.seconds(point) for point in curve.points], **_style(curve), linestyle="none", label=label)
