"""Measurements, and the ratios and lines calculated from them, without I/O."""

from operator import mul
from statistics import linear_regression, median
from typing import Literal

from attrs import define, field, frozen

Figure = Literal["rate", "cpu"]
Section = Literal["upload", "download", "json", "inflight"]

LIMIT, CURL, NAIVE = "asyncio streams", "curl --parallel", "naive aiohttp"
REFERENCES = (LIMIT, CURL, NAIVE)
"""The clients to compare all others with."""
WIDE = 1.5  # a spread whose greatest value is so many times its least is no result


@frozen(kw_only=True)
class Sample:
    """One measured run of one client.

    Attributes:
        count: Number of items.
        seconds: Elapsed time for all items.
        cpu: Processor time of the client.
        growth: Maximum growth of the client's process in bytes.
        server: Processor time of the server.
        others: Cores used by other programs on the machine, or taken by its host.
        overlap: Maximum number of concurrent requests.
        connections: Number of connections.
        tokens: Number of token requests.
        refused: Reason for excluding this run from comparisons; empty if it is valid.
    """

    count: int
    seconds: float
    cpu: float
    growth: int
    server: float
    others: float = 0.0
    overlap: int = 0
    connections: int = 0
    tokens: int = 0
    refused: str = ""

    @property
    def rate(self) -> float:
        """Items per second."""
        return self.count / self.seconds

    @property
    def effort(self) -> float:
        """Processor time per item."""
        return self.cpu / self.count


@frozen
class Runs:
    """Runs of one client: a warm-up, and runs paired with those of the other clients."""

    client: str
    warm: Sample
    samples: list[Sample]

    @property
    def good(self) -> list[Sample]:
        """The valid runs."""
        return [sample for sample in self.samples if not sample.refused]

    @property
    def growth(self) -> int:
        """The maximum growth of the process in any run, in bytes."""
        return max(sample.growth for sample in [self.warm, *self.samples])


@frozen
class Spread:
    """A median and its values."""

    values: list[float]

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    def __str__(self) -> str:
        return self.text()

    def text(self, unit: str = "") -> str:
        """Return the median, the least and the most, and a note if they differ too much."""
        if not self.values:
            return "refused"
        text = f"{self.middle:.2f} [{min(self.values):.2f}..{max(self.values):.2f}]{unit}"
        return f"{text} wide" if self.wide else text

    @property
    def wide(self) -> bool:
        """True if the values differ too much to be relied on."""
        return max(self.values) > WIDE * min(self.values) > 0


@frozen(kw_only=True)
class Comparison:
    """Comparison of clients with the same work in interleaved rounds.

    Attributes:
        section: The section of the suite.
        tls: The connections used TLS.
        size: Bytes per file; 0 without files.
        concurrency: Number of concurrent items.
        runs: The runs of each client.
    """

    section: Section
    tls: bool
    size: int
    concurrency: int
    runs: list[Runs]

    def of(self, client: str) -> Runs | None:
        """Find a client's runs."""
        return next((runs for runs in self.runs if runs.client == client), None)

    def ratios(self, figure: Figure, client: str, reference: str) -> Spread:
        """Divide one client's figure by another's, round by round; excluded runs have no ratio."""
        one, other = self.of(client), self.of(reference)
        if one is None or other is None:
            return Spread([])
        pairs = [
            pair for pair in zip(one.samples, other.samples, strict=True) if not (pair[0].refused or pair[1].refused)
        ]
        if figure == "cpu":
            return Spread([mine.effort / its.effort for mine, its in pairs])
        return Spread([mine.rate / its.rate for mine, its in pairs])


@frozen
class Line:
    """Straight line fitted to points.

    Distances are weighted relative to the values; otherwise the largest point would dominate the fit.
    """

    xs: list[int]
    ys: list[float]

    @property
    def fit(self) -> tuple[float, float]:
        """The intercept and the slope."""
        ones, xs = [1 / y for y in self.ys], [x / y for x, y in zip(self.xs, self.ys, strict=True)]
        one_one, one_x, x_x = (sum(map(mul, *pair)) for pair in ((ones, ones), (ones, xs), (xs, xs)))
        scale = one_one * x_x - one_x * one_x
        return (sum(ones) * x_x - sum(xs) * one_x) / scale, (sum(xs) * one_one - sum(ones) * one_x) / scale

    @property
    def deviation(self) -> float:
        """The maximum relative distance from the line in the larger half of the points."""
        start, slope = self.fit
        half = len(self.xs) // 2
        return max(abs(y / (start + slope * x) - 1) for x, y in zip(self.xs[half:], self.ys[half:], strict=True))

    @property
    def explained(self) -> float:
        """The share of the variance explained by the line (R squared), up to 1."""
        start, slope = self.fit
        mean = sum(self.ys) / len(self.ys)
        left = sum((y - start - slope * x) ** 2 for x, y in zip(self.xs, self.ys, strict=True))
        return 1 - left / sum((y - mean) ** 2 for y in self.ys)


@frozen
class Point:
    """One size or number of files, with its runs."""

    x: int
    samples: list[Sample]

    @property
    def growth(self) -> float:
        """The median growth of the process, in bytes."""
        return median(sample.growth for sample in self.samples)

    @property
    def busy(self) -> float:
        """The median share of a core used by the server; near 1 the server limits the time."""
        return median(sample.server / sample.seconds for sample in self.samples)


@frozen
class Curve:
    """Growth of time and memory with the size or number of files."""

    work: str
    unit: Literal["bytes", "files"]
    points: list[Point]

    def seconds(self, point: Point) -> float:
        """Return the median time of one file, or of all files if their number grows."""
        return median(run.seconds / (run.count if self.unit == "bytes" else 1) for run in point.samples)

    def cpu(self, point: Point) -> float:
        """Return the same for the client's processor time."""
        return median(run.cpu / (run.count if self.unit == "bytes" else 1) for run in point.samples)

    @property
    def time_line(self) -> Line:
        """The line through the times."""
        return Line([point.x for point in self.points], [self.seconds(point) for point in self.points])

    @property
    def cpu_line(self) -> Line:
        """The line through the client's processor times, independent of the server."""
        return Line([point.x for point in self.points], [self.cpu(point) for point in self.points])

    @property
    def rise(self) -> float:
        """The rise of the line through the memory, from the first point to the last, in bytes."""
        fit = linear_regression([point.x for point in self.points], [point.growth for point in self.points])
        return fit.slope * (self.points[-1].x - self.points[0].x)


@frozen
class Waiters:
    """A round of many tasks waiting for one token.

    Attributes:
        waiters: Number of tasks.
        calls: Number of token requests.
        extra: Seconds beyond those of a single task.
        cancelled: Seconds to cancel all tasks.
        parked: Growth of the process with as many calls waiting for a token, in bytes.
        limit: Seconds of as many tasks that wait for an `asyncio.Event`.
    """

    waiters: int
    calls: int
    extra: float
    cancelled: float
    parked: int = 0
    limit: float = 0.0


@frozen
class Imports:
    """A round of fresh interpreters, in seconds.

    Attributes:
        bare: A whole process without imports.
        libraries: The import of the four libraries required by wxasset.
        named: ``import wxasset`` after them, without most of its modules.
        usable: ``from wxasset import WxSession`` after them, the minimum for real use.
    """

    bare: float
    libraries: float
    named: float
    usable: float


@frozen
class Connections:
    """A sequential run of uploads."""

    client: str
    uploads: int
    connections: int
    seconds: float
    refused: str = ""


@frozen
class Instructions:
    """Instructions of one item, counted by valgrind; they do not depend on the load of the machine."""

    client: str
    work: str
    count: int


@define
class Results:
    """All measurements of one run of the suite."""

    machine: dict[str, str]
    comparisons: list[Comparison] = field(factory=list)
    curves: list[Curve] = field(factory=list)
    waiters: list[Waiters] = field(factory=list)
    imports: list[Imports] = field(factory=list)
    connections: list[Connections] = field(factory=list)
    instructions: list[Instructions] = field(factory=list)

    def find(self, section: Section, *, tls: bool, size: int = 0, concurrency: int) -> Comparison | None:
        """Find a comparison."""
        return next(
            (
                each
                for each in self.comparisons
                if (each.section, each.tls, each.size, each.concurrency) == (section, tls, size, concurrency)
            ),
            None,
        )
