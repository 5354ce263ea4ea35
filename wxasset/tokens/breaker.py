"""Leave a failing service alone for a while. Pure but for the clock it is given."""

from collections.abc import Callable

from attrs import define

from wxasset.errors import TokenStoreError

__all__ = ["Breaker"]


@define
class Breaker:
    """Leave Redis alone after a failure: for 1 s, then twice as long each time, at most 60 s."""

    place: str
    now: Callable[[], float]
    _pause: float = 0.0
    _patience: float = 0.0
    _until: float = 0.0
    _failures: int = 0
    _trying: bool = False

    def enter(self) -> int:
        """Begin an attempt; pass the returned number to `leave`."""
        left = self._until - self.now()
        if self._pause and (left > 0 or self._trying):
            meanwhile = "while it is tried again" if self._trying else f"for {left:.1f} s"
            message = f"Redis at {self.place} has failed and is left alone {meanwhile}."
            raise TokenStoreError(message, patience=self._patience)
        self._trying = self._pause > 0
        return self._failures

    def leave(self, entered: int, *, worked: bool | None, patience: float = 0.0) -> None:
        """End an attempt; `patience` is that of its error. One begun before the last failure proves no recovery."""
        if entered != self._failures:
            return
        self._trying = False
        if worked:
            self._pause = 0.0
        elif worked is not None:
            self._failures += 1
            self._patience = patience
            self._pause = min(max(2 * self._pause, 1.0), 60.0)
            self._until = self.now() + self._pause
