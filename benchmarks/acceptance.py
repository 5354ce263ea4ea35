"""Acceptance criteria and their measurements, without I/O."""

from collections.abc import Iterator
from statistics import median

from attrs import frozen

from figures import CURL, LIMIT, NAIVE, Comparison, Figure, Results, Spread
from jobs import GB, KB, MB

_PAIRS = 7  # fewer are not conclusive
_SHOWN = {LIMIT: "the limit", CURL: "curl"}


@frozen
class Row:
    """One acceptance criterion."""

    measure: str
    measured: str
    floor: str
    aim: str
    verdict: str


def rows(results: Results) -> list[Row]:
    """Evaluate every measured criterion."""
    return [*_transfers(results), *_calls(results), *_memory(results), *_waiters(results), *_connections(results)]


def _judge(measure: str, spread: Spread, floor: float, aim: float, unit: str = "", *, lower: bool = False) -> Row:
    if not spread.values:
        return Row(measure, "refused", f"{floor:g}{unit}", f"{aim:g}{unit}", "refused")
    sign = -1 if lower else 1
    reached = [name for name, bound in (("aim", aim), ("floor", floor)) if sign * spread.middle >= sign * bound]
    few = f" (of {len(spread.values)} only)" if len(spread.values) < _PAIRS else ""
    return Row(measure, spread.text(unit), f"{floor:g}{unit}", f"{aim:g}{unit}", [*reached, "missed"][0] + few)


@frozen
class _Against:
    """Evaluation of the ratios of a comparison."""

    work: str
    comparison: Comparison

    def __call__(
        self, reference: str, floor: float, aim: float, *, figure: Figure = "rate", client: str = "wxasset"
    ) -> Row:
        spread = self.comparison.ratios(figure, client, reference)
        name = _SHOWN.get(reference, reference)
        what = f"rate against {name}" if figure == "rate" else f"CPU against {name}'s"
        return _judge(f"{self.work}: {what}", spread, floor, aim, "x", lower=figure == "cpu")


def _transfers(results: Results) -> Iterator[Row]:
    """Uploads and downloads, over TLS."""
    large, small = 10 * MB, 64 * KB
    if found := results.find("upload", tls=True, size=large, concurrency=8):
        judge = _Against("TLS upload, 10 MB by path, 8 at a time", found)
        yield judge(LIMIT, 0.9, 0.97)
        yield judge(LIMIT, 1.15, 1.05, figure="cpu")
        yield judge(NAIVE, 1.5, 1.65)
        yield judge(CURL, 1.0, 1.15)
        yield judge(CURL, 1.0, 0.85, figure="cpu")
        yield judge("wechatpy", 1.5, 1.8)
        for client, what in (
            ("wxasset handle", "from a handle"),
            ("wxasset UploadFile", "from an UploadFile"),
            ("wxasset uvloop", "by path on uvloop"),
        ):
            judge = _Against(f"TLS upload, 10 MB {what}, 8 at a time", found)
            yield judge(LIMIT, 0.85, 0.95, client=client)
            yield judge(CURL, 0.75, 0.85, client=client)
    for concurrency, floor, aim in ((1, 1.0, 1.15), (64, 0.95, 1.05)):
        if found := results.find("upload", tls=True, size=large, concurrency=concurrency):
            judge = _Against(f"TLS upload, 10 MB by path, {concurrency} at a time", found)
            yield judge(LIMIT, 0.85, 0.95)
            yield judge(CURL, floor, aim)
    if found := results.find("download", tls=True, size=large, concurrency=8):
        judge = _Against("TLS download, 10 MB to disk, 8 at a time", found)
        yield judge(LIMIT, 1.0, 1.1)
        yield judge(LIMIT, 1.0, 0.85, figure="cpu")
        yield judge(CURL, 0.85, 0.95)
        yield judge(CURL, 1.3, 1.15, figure="cpu")
        yield judge("wechatpy", 6, 9)
    if found := results.find("upload", tls=True, size=small, concurrency=8):
        judge = _Against("TLS upload, 64 KB by path, 8 at a time", found)
        yield judge(NAIVE, 2.2, 3)
        yield judge(CURL, 0.5, 0.7)
        judge = _Against("TLS upload, 64 KB with add_materials, 8 at a time", found)
        yield judge(CURL, 0.6, 0.9, client="wxasset batch")


def _calls(results: Results) -> Iterator[Row]:
    """JSON calls, without TLS."""
    if found := results.find("json", tls=False, concurrency=64):
        judge = _Against("plain JSON calls, 64 at a time", found)
        yield judge(NAIVE, 0.9, 0.97)
        yield judge("wechatpy", 4, 4.5)
        judge = _Against("plain JSON calls on uvloop, 64 at a time", found)
        yield judge("naive aiohttp uvloop", 0.9, 0.97, client="wxasset uvloop")


def _memory(results: Results) -> Iterator[Row]:
    """Growth of the process."""
    for tls in (True, False):
        uploads, calls = (_grown(results, tls=tls, size=size) for size in (10 * MB, 0))
        if uploads and calls:
            what = f"memory growth, 200 uploads of 10 MB in flight, {'TLS' if tls else 'plain'}"
            yield _judge(what, Spread(uploads), 40, 25, " MB", lower=True)
            beyond = [mine - median(calls) for mine in uploads]
            yield _judge(f"{what}, beyond their connections", Spread(beyond), 40, 25, " MB", lower=True)
    for curve in results.curves:
        last = curve.points[-1]
        if curve.unit == "bytes" and last.x == GB:
            grown = Spread([run.growth / MB for run in last.samples])
            yield _judge(f"memory growth, one {curve.work} of 1 GB", grown, 8, 4, " MB", lower=True)


def _grown(results: Results, *, tls: bool, size: int) -> list[float]:
    found = results.find("inflight", tls=tls, size=size, concurrency=200)
    runs = found.of("wxasset") if found else None
    return [run.growth / MB for run in runs.good] if runs else []


def _waiters(results: Results) -> Iterator[Row]:
    """Tasks on a cold token."""
    if results.waiters:
        calls = Spread([float(each.calls) for each in results.waiters])
        extra = Spread([each.extra * 1000 for each in results.waiters])
        count = f"{results.waiters[0].waiters:,} cold token waiters"
        yield _judge(f"{count}: token calls", calls, 1, 1, lower=True)
        yield _judge(f"{count}: extra time", extra, 100, 60, " ms", lower=True)
        parked = Spread([each.parked / MB for each in results.waiters if each.parked])
        yield _judge(
            f"{results.waiters[0].waiters:,} calls waiting for a token: memory growth",
            parked,
            50,
            30,
            " MB",
            lower=True,
        )
    if results.imports:
        extra = Spread([each.usable * 1000 for each in results.imports])
        yield _judge("import of WxSession, beyond its four libraries", extra, 35, 20, " ms", lower=True)


def _connections(results: Results) -> Iterator[Row]:
    """Number of connections of a sequential run."""
    for each in results.connections:
        if each.client == "wxasset":
            one = each.connections == 1 and not each.refused
            measured = f"{each.connections} for {each.uploads:,}"
            yield Row(
                "one connection serves a sequential run of uploads", measured, "1", "1", "aim" if one else "missed"
            )
