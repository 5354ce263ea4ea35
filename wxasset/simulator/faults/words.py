"""Classes of the fault words; `wxasset.simulator.faults` describes their effects."""

from typing import ClassVar, TypeAlias

from attrs import field, frozen
from attrs.validators import in_

from wxasset.simulator.faults.amounts import (
    MOST_MILLISECONDS,
    UNITS,
    Bounded,
    http_status,
    milliseconds,
    size_text,
    some_bytes,
    time_text,
)
from wxasset.simulator.faults.connection_words import (
    BREAKS,
    DELIVERY,
    NOT_CARRIED_OUT,
    RESPONSE,
    Break,
    BreakUpload,
    CutReply,
    ReturnEarly,
    SlowHead,
    Stall,
    StallBody,
    Trickle,
    WrongLength,
)

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

_MOST_DEEP = 10_000_000
_errcode = Bounded(-(10**12), 10**12)


@frozen
class ErrorCode:
    """Response with an error code of WeChat."""

    decides: ClassVar[frozenset[str]] = RESPONSE
    errcode: int = field(validator=_errcode)
    committed: bool = False

    def __str__(self) -> str:
        return f"errcode{'-after-commit' if self.committed else ''}:{self.errcode}"


@frozen
class Status:
    """Response with an HTTP status and a gateway's page."""

    decides: ClassVar[frozenset[str]] = RESPONSE
    status: int = field(validator=http_status)
    committed: bool = False

    def __str__(self) -> str:
        return f"status{'-after-commit' if self.committed else ''}:{self.status}"


@frozen
class RetryAfter:
    """Retry-After header in seconds."""

    decides: ClassVar[frozenset[str]] = frozenset({"the headers"})
    seconds: int = field(validator=Bounded(0, MOST_MILLISECONDS))

    def __str__(self) -> str:
        return f"retry-after:{self.seconds}"


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

    decides: ClassVar[frozenset[str]] = NOT_CARRIED_OUT
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
        return RESPONSE | DELIVERY if self.text == "not-http" else RESPONSE

    @property
    def committed(self) -> bool:
        """True if the request is carried out before."""
        return self.text not in ("html", "foreign-json")

    def __str__(self) -> str:
        return self.text


@frozen
class CorruptText:
    """Invalid bytes in the strings of the response."""

    decides: ClassVar[frozenset[str]] = RESPONSE
    text: str = field(validator=in_(("control-characters", "invalid-utf8")))

    def __str__(self) -> str:
        return self.text


@frozen
class Bomb:
    """Response of excessive depth, digits or bytes."""

    decides: ClassVar[frozenset[str]] = RESPONSE
    kind: str = field(validator=in_(("deep-json", "long-errcode", "gzip-bomb", "huge-reply")))
    amount: int = field(validator=some_bytes)

    def __attrs_post_init__(self) -> None:
        if self.kind in ("deep-json", "long-errcode") and self.amount > _MOST_DEEP:
            raise ValueError(f"{self.amount} is more than {_MOST_DEEP}")

    def __str__(self) -> str:
        counted = self.kind in ("deep-json", "long-errcode")
        return f"{self.kind}:{self.amount if counted else size_text(self.amount)}"


@frozen
class Hide:
    """Hide created items from lists and counts for a while."""

    decides: ClassVar[frozenset[str]] = frozenset({"the visibility"})
    milliseconds: int = field(validator=milliseconds)

    def __str__(self) -> str:
        return f"hide-{time_text(self.milliseconds)}"


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
