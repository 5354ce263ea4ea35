"""Figures of a test run."""

from attrs import define, field

__all__ = ["Points"]


@define
class Points:
    """At how many points operations were cancelled, to be told at the end of the run."""

    by_operation: dict[str, int] = field(factory=dict)
    tried: int = 0
    late: int = 0

    def add(self, operation: str, points: int, late: int) -> None:
        """Count a run over the points of an operation, and those at which the cancellation came too late to stop it."""
        self.by_operation[operation] = max(points, self.by_operation.get(operation, 0))
        self.tried += points
        self.late += late
