"""Classes of the fault words about connections and times; `wxasset.simulator.faults` describes their effects."""

from typing import ClassVar

from attrs import field, frozen
from attrs.validators import in_

from wxasset.simulator.faults.amounts import (
    MOST_BYTES,
    Bounded,
    any_bytes,
    http_status,
    milliseconds,
    size_text,
    some_bytes,
    time_text,
)

__all__ = [
    "BREAKS",
    "DELIVERY",
    "NOT_CARRIED_OUT",
    "RESPONSE",
    "Break",
    "BreakUpload",
    "CutReply",
    "ReturnEarly",
    "SlowHead",
    "Stall",
    "StallBody",
    "Trickle",
    "WrongLength",
]

# Aspects set by a word; two words of one fault cannot set the same one.
RESPONSE = frozenset({"the response"})
DELIVERY = frozenset({"the delivery"})
NOT_CARRIED_OUT = RESPONSE | {"the visibility"}
_NO_RESPONSE = RESPONSE | DELIVERY | {"the headers"}

BREAKS = {
    "reset-before-commit": ("reset", False),
    "reset-after-commit": ("reset", True),
    "close-before-commit": ("close", False),
    "close-before-reply": ("close", True),
}


@frozen
class Break:
    """End of the connection instead of a response."""

    decides: ClassVar[frozenset[str]] = _NO_RESPONSE
    text: str = field(validator=in_(tuple(BREAKS)))

    @property
    def reset(self) -> bool:
        """True to end with RST rather than FIN."""
        return BREAKS[self.text][0] == "reset"

    @property
    def committed(self) -> bool:
        """True if the request is carried out before."""
        return BREAKS[self.text][1]

    def __str__(self) -> str:
        return self.text


@frozen
class BreakUpload:
    """End of the connection in the middle of the request body."""

    decides: ClassVar[frozenset[str]] = _NO_RESPONSE | NOT_CARRIED_OUT
    how: str = field(validator=in_(("reset", "close")))
    after: int = field(validator=any_bytes)

    def __str__(self) -> str:
        return f"{self.how}-after-{size_text(self.after)}"


@frozen
class ReturnEarly:
    """Response with a status in the middle of the request body."""

    decides: ClassVar[frozenset[str]] = DELIVERY | NOT_CARRIED_OUT
    status: int = field(validator=http_status)
    after: int = field(validator=any_bytes)

    def __str__(self) -> str:
        return f"return-{self.status}-after-{size_text(self.after)}"


@frozen
class Stall:
    """Wait in real time before the response, or before the request is carried out."""

    decides: ClassVar[frozenset[str]] = frozenset({"the timing"})
    milliseconds: int = field(validator=milliseconds)
    before_commit: bool = False
    word: str = field(default="stall", validator=in_(("stall", "delay")))

    def __str__(self) -> str:
        return f"{self.word}-{time_text(self.milliseconds)}{'-before-commit' if self.before_commit else ''}"


@frozen
class StallBody:
    """Wait in the middle of the response body."""

    decides: ClassVar[frozenset[str]] = DELIVERY
    milliseconds: int = field(validator=milliseconds)
    after: int = field(validator=any_bytes)

    def __str__(self) -> str:
        return f"stall-{time_text(self.milliseconds)}-after-{size_text(self.after)}"


@frozen
class Trickle:
    """Response body sent in small pieces."""

    decides: ClassVar[frozenset[str]] = DELIVERY
    size: int = field(validator=some_bytes)
    milliseconds: int = field(validator=milliseconds)

    def __str__(self) -> str:
        size = size_text(self.size)
        return f"trickle-{size}{'' if size[-1] in 'KM' else 'B'}-every-{time_text(self.milliseconds)}"


@frozen
class SlowHead:
    """Response head sent byte by byte."""

    decides: ClassVar[frozenset[str]] = DELIVERY
    milliseconds: int = field(validator=milliseconds)

    def __str__(self) -> str:
        return f"slow-head-{time_text(self.milliseconds)}"


@frozen
class CutReply:
    """Response ended early."""

    decides: ClassVar[frozenset[str]] = DELIVERY
    how: str = field(validator=in_(("cut-reply", "reset-reply", "chunked-cut")))
    after: int = field(validator=any_bytes)

    def __str__(self) -> str:
        return f"{self.how}-after-{size_text(self.after)}"


@frozen
class WrongLength:
    """Content-Length different from the length of the body."""

    decides: ClassVar[frozenset[str]] = DELIVERY
    by: int = field(validator=Bounded(-MOST_BYTES, MOST_BYTES))

    def __attrs_post_init__(self) -> None:
        if self.by == 0:
            raise ValueError("wrong-length must not be 0")

    def __str__(self) -> str:
        return f"wrong-length:{self.by}"
