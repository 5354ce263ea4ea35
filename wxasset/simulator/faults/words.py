"""Classes of the fault words; `wxasset.simulator.faults` describes their effects."""

from typing import ClassVar, TypeAlias

from attrs import field, frozen
from attrs.validators import in_

__all__ = [
    "BREAKS",
    "INSTEAD",
    "UNITS",
    "Bomb",
    "Break",
    "BreakUpload",
    "CorruptText",
    "CutReply",
    "ErrorCode",
    "Hide",
    "Instead",
    "Redirect",
    "RetryAfter",
    "ReturnEarly",
    "SlowHead",
    "Stall",
    "StallBody",
    "Status",
    "Tokens",
    "Trickle",
    "Word",
    "WrongLength",
]

_MOST_BYTES = 1 << 30  # responses are built in memory
_MOST_MILLISECONDS = 86_400_000  # a day
_MOST_DEEP = 10_000_000
UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20}

# Aspects set by a word; two words of one fault cannot set the same one.
_RESPONSE = frozenset({"the response"})
_DELIVERY = frozenset({"the delivery"})
_NOT_CARRIED_OUT = _RESPONSE | {"the visibility"}
_NO_RESPONSE = _RESPONSE | _DELIVERY | {"the headers"}


@frozen
class _Bounded:
    """Bounds of a number, as an attrs validator with one message."""

    least: int
    most: int

    def __call__(self, _instance: object, _attribute: object, value: int) -> None:
        if not self.least <= value <= self.most:
            raise ValueError(f"{value} is not between {self.least} and {self.most}")


_bytes = _Bounded(0, _MOST_BYTES)
_some_bytes = _Bounded(1, _MOST_BYTES)
_milliseconds = _Bounded(1, _MOST_MILLISECONDS)
_http_status = _Bounded(200, 599)
_errcode = _Bounded(-(10**12), 10**12)


@frozen
class ErrorCode:
    """Response with an error code of WeChat."""

    decides: ClassVar[frozenset[str]] = _RESPONSE
    errcode: int = field(validator=_errcode)
    committed: bool = False

    def __str__(self) -> str:
        return f"errcode{'-after-commit' if self.committed else ''}:{self.errcode}"


@frozen
class Status:
    """Response with an HTTP status and a gateway's page."""

    decides: ClassVar[frozenset[str]] = _RESPONSE
    status: int = field(validator=_http_status)
    committed: bool = False

    def __str__(self) -> str:
        return f"status{'-after-commit' if self.committed else ''}:{self.status}"


@frozen
class RetryAfter:
    """Retry-After header in seconds."""

    decides: ClassVar[frozenset[str]] = frozenset({"the headers"})
    seconds: int = field(validator=_Bounded(0, _MOST_MILLISECONDS))

    def __str__(self) -> str:
        return f"retry-after:{self.seconds}"


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

    decides: ClassVar[frozenset[str]] = _NO_RESPONSE | _NOT_CARRIED_OUT
    how: str = field(validator=in_(("reset", "close")))
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"{self.how}-after-{_size_text(self.after)}"


@frozen
class ReturnEarly:
    """Response with a status in the middle of the request body."""

    decides: ClassVar[frozenset[str]] = _DELIVERY | _NOT_CARRIED_OUT
    status: int = field(validator=_http_status)
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"return-{self.status}-after-{_size_text(self.after)}"


@frozen
class Stall:
    """Wait in real time before the response, or before the request is carried out."""

    decides: ClassVar[frozenset[str]] = frozenset({"the timing"})
    milliseconds: int = field(validator=_milliseconds)
    before_commit: bool = False
    word: str = field(default="stall", validator=in_(("stall", "delay")))

    def __str__(self) -> str:
        return f"{self.word}-{_time_text(self.milliseconds)}{'-before-commit' if self.before_commit else ''}"


@frozen
class StallBody:
    """Wait in the middle of the response body."""

    decides: ClassVar[frozenset[str]] = _DELIVERY
    milliseconds: int = field(validator=_milliseconds)
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"stall-{_time_text(self.milliseconds)}-after-{_size_text(self.after)}"


@frozen
class Trickle:
    """Response body sent in small pieces."""

    decides: ClassVar[frozenset[str]] = _DELIVERY
    size: int = field(validator=_some_bytes)
    milliseconds: int = field(validator=_milliseconds)

    def __str__(self) -> str:
        size = _size_text(self.size)
        return f"trickle-{size}{'' if size[-1] in 'KM' else 'B'}-every-{_time_text(self.milliseconds)}"


@frozen
class SlowHead:
    """Response head sent byte by byte."""

    decides: ClassVar[frozenset[str]] = _DELIVERY
    milliseconds: int = field(validator=_milliseconds)

    def __str__(self) -> str:
        return f"slow-head-{_time_text(self.milliseconds)}"


@frozen
class CutReply:
    """Response ended early."""

    decides: ClassVar[frozenset[str]] = _DELIVERY
    how: str = field(validator=in_(("cut-reply", "reset-reply", "chunked-cut")))
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"{self.how}-after-{_size_text(self.after)}"


@frozen
class WrongLength:
    """Content-Length different from the length of the body."""

    decides: ClassVar[frozenset[str]] = _DELIVERY
    by: int = field(validator=_Bounded(-_MOST_BYTES, _MOST_BYTES))

    def __attrs_post_init__(self) -> None:
        if self.by == 0:
            raise ValueError("wrong-length must not be 0")

    def __str__(self) -> str:
        return f"wrong-length:{self.by}"


@frozen
class Tokens:
    """Rejection of tokens: all of them permanently, or as malformed for this request only."""

    decides: ClassVar[frozenset[str]] = frozenset({"the token"})
    verdict: str = field(validator=in_(("revoke", "expire", "malformed")))

    @property
    def errcode(self) -> int:
        """The error code of the rejection."""
        return {"revoke": 40001, "expire": 42001, "malformed": 40014}[self.verdict]

    def __str__(self) -> str:
        return f"{self.verdict}-token"


@frozen
class Redirect:
    """Redirect to another address, by default to one of the simulator."""

    decides: ClassVar[frozenset[str]] = _NOT_CARRIED_OUT
    status: int = field(validator=in_((301, 302, 303, 307, 308)))
    location: str | None = None

    def __str__(self) -> str:
        return f"redirect:{self.status}" + ("" if self.location is None else f":{self.location}")


INSTEAD = (
    "html",
    "html-after-commit",
    "foreign-json",
    "foreign-json-after-commit",
    "empty-after-commit",
    "garbage-after-commit",
    "not-http",
)


@frozen
class Instead:
    """Response of another kind than the API's."""

    text: str = field(validator=in_(INSTEAD))

    @property
    def decides(self) -> frozenset[str]:
        """Aspect of a response set by one word of a fault only."""
        return _RESPONSE | _DELIVERY if self.text == "not-http" else _RESPONSE

    @property
    def committed(self) -> bool:
        """True if the request is carried out before."""
        return self.text not in ("html", "foreign-json")

    def __str__(self) -> str:
        return self.text


@frozen
class CorruptText:
    """Invalid bytes in the strings of the response."""

    decides: ClassVar[frozenset[str]] = _RESPONSE
    text: str = field(validator=in_(("control-characters", "invalid-utf8")))

    def __str__(self) -> str:
        return self.text


@frozen
class Bomb:
    """Response of excessive depth, digits or bytes."""

    decides: ClassVar[frozenset[str]] = _RESPONSE
    kind: str = field(validator=in_(("deep-json", "long-errcode", "gzip-bomb", "huge-reply")))
    amount: int = field(validator=_some_bytes)

    def __attrs_post_init__(self) -> None:
        if self.kind in ("deep-json", "long-errcode") and self.amount > _MOST_DEEP:
            raise ValueError(f"{self.amount} is more than {_MOST_DEEP}")

    def __str__(self) -> str:
        counted = self.kind in ("deep-json", "long-errcode")
        return f"{self.kind}:{self.amount if counted else _size_text(self.amount)}"


@frozen
class Hide:
    """Hide created items from lists and counts for a while."""

    decides: ClassVar[frozenset[str]] = frozenset({"the visibility"})
    milliseconds: int = field(validator=_milliseconds)

    def __str__(self) -> str:
        return f"hide-{_time_text(self.milliseconds)}"


Word: TypeAlias = (
    ErrorCode
    | Status
    | RetryAfter
    | Break
    | BreakUpload
    | ReturnEarly
    | Stall
    | StallBody
    | Trickle
    | SlowHead
    | CutReply
    | WrongLength
    | Tokens
    | Redirect
    | Instead
    | CorruptText
    | Bomb
    | Hide
)


def _size_text(size: int) -> str:
    for unit in ("M", "K"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)


def _time_text(milliseconds: int) -> str:
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
