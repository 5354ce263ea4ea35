"""Count the outcomes of a batch and report its progress."""

from collections.abc import Callable
from typing import TypeAlias

from attrs import define, field, frozen

from wxasset.transfer.progress import Throttle
from wxasset.wire.values import Value

__all__ = ["BatchProgress", "Progress", "Tally"]


@frozen(kw_only=True, eq=False, repr=False)
class BatchProgress(Value):
    """Progress of a batch.

    Attributes:
        done: Items with an outcome, failed ones included.
        failed: Items failed, unknown or not tried.
        skipped: Items of `done` for which nothing had to be sent.
        total: All items; None where the iterable has no length.
        bytes_sent: Bytes of media sent, also in failed attempts.
        bytes_received: Bytes of media received, also in failed attempts.
    """

    done: int = 0
    failed: int = 0
    skipped: int = 0
    total: int | None = None
    bytes_sent: int = 0
    bytes_received: int = 0


Progress: TypeAlias = Callable[[BatchProgress], object]
"""Called with how far a batch has come, at most ten times a second and in the end."""


@define(eq=False, repr=False)
class Tally:
    """Counts outcomes and reports progress."""

    total: int | None
    progress: Progress | None
    _done: int = 0
    _failed: int = 0
    _skipped: int = 0
    _sent: int = 0
    _received: int = 0
    _steps: int = 0
    _throttle: Throttle = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Tell ten times a second."""
        self._throttle = Throttle(self._tell)

    def _tell(self, step: int, total: int | None) -> None:
        del step, total
        if self.progress is not None:
            so_far = BatchProgress(
                done=self._done,
                failed=self._failed,
                skipped=self._skipped,
                total=self.total,
                bytes_sent=self._sent,
                bytes_received=self._received,
            )
            self.progress(so_far)

    def step(self, *, done: int = 0, failed: int = 0, skipped: int = 0, sent: int = 0, received: int = 0) -> None:
        """Count, and tell of it where it is time."""
        self._done += done
        self._failed += failed
        self._skipped += skipped
        self._sent += sent
        self._received += received
        self._steps += 1
        self._throttle(self._steps, None)

    def end(self) -> None:
        """Tell of the last step."""
        self._throttle.end(self._steps, None)
