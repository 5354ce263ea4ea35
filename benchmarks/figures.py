"""What was measured, and the ratios and lines that are made of it. Pure."""

from operator import mul
from statistics import linear_regression, median
from typing import Literal

from attrs import define, field, frozen

Figure = Literal["rate", "cpu"]
Section = Literal["upload", "download", "json", "inflight"]


@frozen(kw_only=True)
class Sample:
    """One measured run of one client.

    Attributes:
        count: How many items were done.
        seconds: The time that they took.
        cpu: The client's processor time.
        growth: By how many bytes its process grew at most.
        server: The server's processor time.
        others: How many cores everything else on the machine used, or its host took from it.
        overlap: The most requests that were under way at once.
        connections: How many connections they took.
        tokens: How many requests asked for a token.
        refused: Why this run may not be compared; empty where it may.
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
        """Items a second."""
        return self.count / self.seconds

    @property
    def effort(self) -> float:
        """Processor time of an item."""
        return self.cpu / self.count


@frozen
class Runs:
    """The runs of one client: the first one warmed it up, and the others are paired with those of the other clients."""

    client: str
    warm: Sample
    samples: list[Sample]

    @property
    def good(self) -> list[Sample]:
        """The runs that may be compared."""
        return [sample for sample in self.samples if not sample.refused]

    @property
    def growth(self) -> int:
        """The most that the process grew by in any run, in bytes."""
        return max(sample.growth for sample in [self.warm, *self.samples])


@frozen
class Spread:
    """A median and what it is the median of."""

    values: list[float]

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    def __str__(self) -> str:
        if not self.values:
            return "refused"
        return f"{self.middle:.2f} [{min(self.values):.2f}..{max(self.values):.2f}]"


@frozen(kw_only=True)
class Comparison:
    """Clients that did the same work in interleaved rounds.

    Attributes:
        section: What the work was.
        tls: Whether it went over TLS.
        size: The number of bytes of a file; 0 where there is none.
        concurrency: How much was under way at once.
        reference: The client that the others are compared with.
        runs: What each client did.
    """

    section: Section
    tls: bool
    size: int
    concurrency: int
    reference: str
    runs: list[Runs]

    def of(self, client: str) -> Runs | None:
        """Find a client's runs."""
        return next((runs for runs in self.runs if runs.client == client), None)

    def ratios(self, figure: Figure, client: str, reference: str) -> Spread:
        """Divide one client's figure by another's, round by round; runs that were refused have no ratio."""
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
    """The straight line through some points.

    Its distances from the points are weighed relative to their heights; the largest one alone would decide otherwise.
    """

    xs: list[int]
    ys: list[float]

    @property
    def fit(self) -> tuple[float, float]:
        """The height at nothing, and what each step adds."""
        ones, xs = [1 / y for y in self.ys], [x / y for x, y in zip(self.xs, self.ys, strict=True)]
        one_one, one_x, x_x = (sum(map(mul, *pair)) for pair in ((ones, ones), (ones, xs), (xs, xs)))
        scale = one_one * x_x - one_x * one_x
        return (sum(ones) * x_x - sum(xs) * one_x) / scale, (sum(xs) * one_one - sum(ones) * one_x) / scale

    @property
    def deviation(self) -> float:
        """The largest distance from the line, relative to it, in the larger half of the points."""
        start, slope = self.fit
        half = len(self.xs) // 2
        return max(abs(y / (start + slope * x) - 1) for x, y in zip(self.xs[half:], self.ys[half:], strict=True))

    @property
    def explained(self) -> float:
        """How much of the difference between the heights the line explains (R squared), up to 1."""
        start, slope = self.fit
        mean = sum(self.ys) / len(self.ys)
        left = sum((y - start - slope * x) ** 2 for x, y in zip(self.xs, self.ys, strict=True))
        return 1 - left / sum((y - mean) ** 2 for y in self.ys)


@frozen
class Point:
    """One size, or number, of files and the runs with it."""

    x: int
    samples: list[Sample]

    @property
    def growth(self) -> float:
        """The median growth of the process, in bytes."""
        return median(sample.growth for sample in self.samples)

    @property
    def busy(self) -> float:
        """The median share of a core that the server used; near 1 the time is the server's own."""
        return median(sample.server / sample.seconds for sample in self.samples)


@frozen
class Curve:
    """How time and memory grow with the size, or the number, of files."""

    work: str
    unit: Literal["bytes", "files"]
    points: list[Point]

    def seconds(self, point: Point) -> float:
        """Give the median time of one file, or of all of them where their number is what grows."""
        return median(run.seconds / (run.count if self.unit == "bytes" else 1) for run in point.samples)

    def cpu(self, point: Point) -> float:
        """Give the same of the client's processor time."""
        return median(run.cpu / (run.count if self.unit == "bytes" else 1) for run in point.samples)

    @property
    def time_line(self) -> Line:
        """The line through the times."""
        return Line([point.x for point in self.points], [self.seconds(point) for point in self.points])

    @property
    def cpu_line(self) -> Line:
        """The line through the processor times, which the server has no part in."""
        return Line([point.x for point in self.points], [self.cpu(point) for point in self.points])

    @property
    def rise(self) -> float:
        """The memory, in bytes, that the line through it rises from the first point to the last."""
        fit = linear_regression([point.x for point in self.points], [point.growth for point in self.points])
        return fit.slope * (self.points[-1].x - self.points[0].x)


@frozen
class Waiters:
    """A round of many tasks that waited for one token."""

    waiters: int
    calls: int
    extra: float
    cancelled: float


@frozen
class Imports:
    """A round of fresh interpreters, in seconds.

    Attributes:
        bare: With nothing.
        libraries: With the four libraries that wxasset is built on.
        named: With them and ``import wxasset``, which loads next to nothing of it.
        usable: With them and ``from wxasset import WxSession``, without which nothing can be done.
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


@define
class Results:
    """All that one run of the suite measured."""

    machine: dict[str, str]
    comparisons: list[Comparison] = field(factory=list)
    curves: list[Curve] = field(factory=list)
    waiters: list[Waiters] = field(factory=list)
    imports: list[Imports] = field(factory=list)
    connections: list[Connections] = field(factory=list)

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
