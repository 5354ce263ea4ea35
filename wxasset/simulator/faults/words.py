"""The words that faults are made of; `wxasset.simulator.faults` says what each does."""

from typing import ClassVar, TypeAlias

from attrs import field, frozen
from attrs.validators import in_

__all__ = [
    "BREAKS",
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

_MOST_BYTES = 1 << 30  # a reply is made in memory
_MOST_MILLISECONDS = 86_400_000  # a day
_MOST_DEEP = 10_000_000
UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20}

# What a word decides; no two words of one fault decide the same.
_ANSWER = frozenset({"the answer"})
_SENDING = frozenset({"how it is sent"})
_NOTHING_MADE = _ANSWER | {"what is seen"}
_NO_ANSWER = _ANSWER | _SENDING | {"the headers"}


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
    """A code of WeChat's is answered."""

    decides: ClassVar[frozenset[str]] = _ANSWER
    errcode: int = field(validator=_errcode)
    committed: bool = False

    def __str__(self) -> str:
        return f"errcode{'-after-commit' if self.committed else ''}:{self.errcode}"


@frozen
class Status:
    """An HTTP status is answered, with a page as gateways send it."""

    decides: ClassVar[frozenset[str]] = _ANSWER
    status: int = field(validator=_http_status)
    committed: bool = False

    def __str__(self) -> str:
        return f"status{'-after-commit' if self.committed else ''}:{self.status}"


@frozen
class RetryAfter:
    """A Retry-After header in seconds."""

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
    """The connection ends instead of an answer."""

    decides: ClassVar[frozenset[str]] = _NO_ANSWER
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
    """The connection ends in the middle of the request body."""

    decides: ClassVar[frozenset[str]] = _NO_ANSWER | _NOTHING_MADE
    how: str = field(validator=in_(("reset", "close")))
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"{self.how}-after-{_size_text(self.after)}"


@frozen
class ReturnEarly:
    """A status is answered in the middle of the request body."""

    decides: ClassVar[frozenset[str]] = _SENDING | _NOTHING_MADE
    status: int = field(validator=_http_status)
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"return-{self.status}-after-{_size_text(self.after)}"


@frozen
class Stall:
    """A wait in real time before the answer, or before the request is carried out."""

    decides: ClassVar[frozenset[str]] = frozenset({"when"})
    milliseconds: int = field(validator=_milliseconds)
    before_commit: bool = False
    word: str = field(default="stall", validator=in_(("stall", "delay")))

    def __str__(self) -> str:
        return f"{self.word}-{_time_text(self.milliseconds)}{'-before-commit' if self.before_commit else ''}"


@frozen
class StallBody:
    """A wait in the middle of the answer's body."""

    decides: ClassVar[frozenset[str]] = _SENDING
    milliseconds: int = field(validator=_milliseconds)
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"stall-{_time_text(self.milliseconds)}-after-{_size_text(self.after)}"


@frozen
class Trickle:
    """The body of the answer comes in small pieces."""

    decides: ClassVar[frozenset[str]] = _SENDING
    size: int = field(validator=_some_bytes)
    milliseconds: int = field(validator=_milliseconds)

    def __str__(self) -> str:
        size = _size_text(self.size)
        return f"trickle-{size}{'' if size[-1] in 'KM' else 'B'}-every-{_time_text(self.milliseconds)}"


@frozen
class SlowHead:
    """The head of the answer comes byte by byte."""

    decides: ClassVar[frozenset[str]] = _SENDING
    milliseconds: int = field(validator=_milliseconds)

    def __str__(self) -> str:
        return f"slow-head-{_time_text(self.milliseconds)}"


@frozen
class CutReply:
    """The answer ends early."""

    decides: ClassVar[frozenset[str]] = _SENDING
    how: str = field(validator=in_(("cut-reply", "reset-reply", "chunked-cut")))
    after: int = field(validator=_bytes)

    def __str__(self) -> str:
        return f"{self.how}-after-{_size_text(self.after)}"


@frozen
class WrongLength:
    """The announced length is not that of the body."""

    decides: ClassVar[frozenset[str]] = _SENDING
    by: int = field(validator=_Bounded(-_MOST_BYTES, _MOST_BYTES))

    def __attrs_post_init__(self) -> None:
        if self.by == 0:
            raise ValueError("a length that is wrong by 0 is right")

    def __str__(self) -> str:
        return f"wrong-length:{self.by}"


@frozen
class Tokens:
    """Tokens are refused: all of them for good, or for a malformed one this request."""

    decides: ClassVar[frozenset[str]] = frozenset({"the token"})
    verdict: str = field(validator=in_(("revoke", "expire", "malformed")))

    @property
    def errcode(self) -> int:
        """The code they are refused with."""
        return {"revoke": 40001, "expire": 42001, "malformed": 40014}[self.verdict]

    def __str__(self) -> str:
        return f"{self.verdict}-token"


@frozen
class Redirect:
    """Another address is answered, the simulator's own where none is given."""

    decides: ClassVar[frozenset[str]] = _NOTHING_MADE
    status: int = field(validator=in_((301, 302, 303, 307, 308)))
    location: str | None = None

    def __str__(self) -> str:
        return f"redirect:{self.status}" + ("" if self.location is None else f":{self.location}")


@frozen
class Instead:
    """Something else than an answer of the API comes back."""

    text: str = field(
        validator=in_(("html", "html-after-commit", "empty-after-commit", "garbage-after-commit", "not-http"))
    )

    @property
    def decides(self) -> frozenset[str]:
        """Aspect of a response set by one word of a fault only."""
        return _ANSWER | _SENDING if self.text == "not-http" else _ANSWER

    @property
    def committed(self) -> bool:
        """True if the request is carried out before."""
        return self.text != "html"

    def __str__(self) -> str:
        return self.text


@frozen
class CorruptText:
    """The texts of the answer hold bytes that break readers."""

    decides: ClassVar[frozenset[str]] = _ANSWER
    text: str = field(validator=in_(("control-characters", "invalid-utf8")))

    def __str__(self) -> str:
        return self.text


@frozen
class Bomb:
    """An answer that is too much: depth, digits or bytes."""

    decides: ClassVar[frozenset[str]] = _ANSWER
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

    decides: ClassVar[frozenset[str]] = frozenset({"what is seen"})
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
