"""Parser of fault specifications, without I/O; `wxasset.simulator.faults` lists the words."""

import re
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from attrs import frozen

from wxasset.simulator import faults
from wxasset.simulator.faults.words import (
    BREAKS,
    INSTEAD,
    UNITS,
    Bomb,
    Break,
    BreakUpload,
    CorruptText,
    CutReply,
    ErrorCode,
    Hide,
    Instead,
    Redirect,
    RetryAfter,
    ReturnEarly,
    SlowHead,
    Stall,
    StallBody,
    Status,
    Tokens,
    Trickle,
    Word,
    WrongLength,
)
from wxasset.simulator.structuring import near_and_known

__all__ = ["NO_FAULT", "Fault", "parse_fault"]

W = TypeVar("W")


@frozen
class Fault:
    """A combination of fault words.

    Raises:
        ValueError: Two words set the same aspect.
    """

    words: tuple[Word, ...] = ()

    def __attrs_post_init__(self) -> None:
        decided: dict[str, Word] = {}
        for word in self.words:
            for matter in sorted(word.decides):
                if matter in decided:
                    raise ValueError(f"{decided[matter]} and {word} cannot be combined: both set {matter}")
                decided[matter] = word

    def __str__(self) -> str:
        return ",".join(map(str, self.words))

    def find(self, kind: type[W]) -> W | None:
        """Return the word of this kind, or None."""
        return next((word for word in self.words if isinstance(word, kind)), None)


NO_FAULT: Fault = Fault()


def _size(text: str) -> int:
    number = text.rstrip("BKM")
    return int(number) * UNITS[text[len(number) :]]


def _time(text: str) -> int:
    return int(text.removesuffix("ms")) if text.endswith("ms") else int(text.removesuffix("s")) * 1000


# Twelve digits exceed every bound, and are few enough for int().
_NUMBER, _SIGNED = r"([0-9]{1,12})", r"(-?[0-9]{1,12})"
_SIZE, _TIME = r"([0-9]{1,12}[BKM]?)", r"([0-9]{1,12}m?s)"
_LOCATION = r"([!-+\--~]+)"  # printable ASCII without blanks and commas, which would end a header or a word
_Maker: TypeAlias = Callable[..., Word]
_GRAMMAR: tuple[tuple[str, _Maker], ...] = (
    (f"errcode:{_SIGNED}", lambda number: ErrorCode(int(number))),
    (f"errcode-after-commit:{_SIGNED}", lambda number: ErrorCode(int(number), committed=True)),
    (f"status:{_NUMBER}", lambda number: Status(int(number))),
    (f"status-after-commit:{_NUMBER}", lambda number: Status(int(number), committed=True)),
    (f"retry-after:{_NUMBER}", lambda number: RetryAfter(int(number))),
    (f"({'|'.join(BREAKS)})", Break),
    (f"(reset|close)-after-{_SIZE}", lambda how, size: BreakUpload(how, _size(size))),
    (f"return-{_NUMBER}-after-{_SIZE}", lambda status, size: ReturnEarly(int(status), _size(size))),
    (f"(stall|delay)-{_TIME}", lambda word, time: Stall(_time(time), word=word)),
    (f"stall-{_TIME}-before-commit", lambda time: Stall(_time(time), before_commit=True)),
    (f"stall-{_TIME}-after-{_SIZE}", lambda time, size: StallBody(_time(time), _size(size))),
    (f"trickle-{_SIZE}-every-{_TIME}", lambda size, time: Trickle(_size(size), _time(time))),
    (f"slow-head-{_TIME}", lambda time: SlowHead(_time(time))),
    (f"(cut-reply|reset-reply|chunked-cut)-after-{_SIZE}", lambda how, size: CutReply(how, _size(size))),
    (f"wrong-length:{_SIGNED}", lambda number: WrongLength(int(number))),
    ("(revoke|expire|malformed)-token", Tokens),
    (f"redirect:{_NUMBER}", lambda status: Redirect(int(status))),
    (f"redirect:{_NUMBER}:{_LOCATION}", lambda status, location: Redirect(int(status), location)),
    (f"({'|'.join(INSTEAD)})", Instead),
    ("(control-characters|invalid-utf8)", CorruptText),
    (f"(deep-json|long-errcode):{_NUMBER}", lambda kind, number: Bomb(kind, int(number))),
    (f"(gzip-bomb|huge-reply):{_SIZE}", lambda kind, size: Bomb(kind, _size(size))),
    (f"hide-{_TIME}", lambda time: Hide(_time(time))),
)
_PATTERNS = tuple((re.compile(pattern), make) for pattern, make in _GRAMMAR)
_EXAMPLES = re.findall(r"^\| (`[^|]*`) \|", faults.__doc__ or "", re.MULTILINE)  # `python -OO` has none
EXAMPLES: tuple[str, ...] = tuple(re.findall("`([^`]+)`", " ".join(_EXAMPLES)))
"""The words of the table, for a choice."""


def parse_fault(text: str) -> Fault:
    """Parse a fault specification.

    Raises:
        ValueError: The specification is invalid; the message gives the reason and lists the known words.
    """
    try:
        return Fault(tuple(_word(part.strip()) for part in text.split(",")))
    except ValueError as error:
        raise ValueError(f"{text[:80]!r} is not a fault: {error}") from None


def _word(text: str) -> Word:
    for pattern, make in _PATTERNS:
        if match := pattern.fullmatch(text):
            return make(*match.groups())
    known = ", ".join(_EXAMPLES).replace("`", "").split(", ")
    raise ValueError(f"unknown word {text[:80]!r}{near_and_known(text, known)}")
