"""Tokens as stores keep them. No I/O."""

import json
import math
import re
from typing import Any, Final

from attrs import field, frozen

from wxasset.tokens.token import LONGEST, is_placeholder, is_token, usual_parameter
from wxasset.wire.json_bodies import LARGEST
from wxasset.wire.values import Value

__all__ = ["TokenRecord", "parse_document"]

_SLACK: Final = 86_400.0  # seconds by which the clocks of hosts may differ
_LAST: Final = 253_402_300_799  # the end of the year 9999, up to which `datetime` goes
_NAMES: Final = frozenset({"token", "issued", "expires", "version", "mode"})
_FIELDS: Final = ("token", "issued", "expires", "version", "mode", "refresh_token")
_PARAMETER: Final = r"[A-Za-z_]{0,64}"


@frozen(kw_only=True, eq=False, repr=False)
class TokenRecord(Value):
    """A token as a store keeps it.

    Attributes:
        token: The token itself.
        issued: Unix time in seconds of issue.
        expires: Unix time in seconds of expiry.
        version: Counts the tokens of the account; a higher one is newer.
        mode: The kind of token, such as ``stable`` or ``classic``.
        refresh_token: The refresh token for the next fetch, on a third-party platform; None elsewhere.
        parameter: The query parameter of the token; None for the usual one of its kind, which earlier versions read.
    """

    token: str = field(repr=False)
    issued: float
    expires: float
    version: int
    mode: str
    refresh_token: str | None = field(default=None, repr=False)
    parameter: str | None = None

    @property
    def sent_as(self) -> str:
        """The query parameter of the token."""
        return usual_parameter(self.mode) if self.parameter is None else self.parameter

    def values(self) -> dict[str, Any]:
        """Return the values by name, for JSON; without the usual parameter, as earlier versions wrote it."""
        names = _FIELDS if self.parameter is None else (*_FIELDS, "parameter")
        return {name: getattr(self, name) for name in names}

    def dump(self) -> bytes:
        """Encode as JSON."""
        return json.dumps(self.values(), separators=(",", ":")).encode()

    @classmethod
    def parse(cls, data: bytes) -> "TokenRecord":
        """Decode the result of `dump`.

        Raises:
            ValueError: It is something else.
        """
        try:
            record = cls(**parse_document(data))
        except (TypeError, ValueError, RecursionError):
            record = None
        if record is None or not record.is_sound():
            # Without the cause: it would show the data, and with it the token.
            raise ValueError("not a token record")
        return record

    @staticmethod
    def is_named(entry: object) -> bool:
        """Return True for a JSON object with the names of a record, of this or of a later version."""
        return isinstance(entry, dict) and entry.keys() >= _NAMES

    def is_sound(self) -> bool:
        """Return whether every value is of its kind and in its range; the token is checked like one from WeChat."""
        texts: tuple[Any, ...] = self.token, self.mode
        numbers = all(type(time) in (int, float) and abs(time) <= _LAST for time in (self.issued, self.expires))
        counted = type(self.version) is int and abs(self.version) <= LARGEST
        named = all(isinstance(text, str) and text for text in texts)
        if not (named and numbers and counted and isinstance(self.refresh_token, str | None)):
            return False
        parameter: object = self.parameter
        if parameter is not None and not (isinstance(parameter, str) and re.fullmatch(_PARAMETER, parameter)):
            return False
        return is_token(self.token) and not is_placeholder(self.token)

    def left(self, now: float) -> float:
        """Return the remaining lifetime in seconds; 0 where it exceeds 30 days, as no token lives for so long.

        A clock that was set back does not lengthen it.
        """
        left = min(self.expires - now, self.expires - self.issued)
        return left if left <= LONGEST + _SLACK else 0.0


def parse_document(data: bytes | str) -> Any:
    """Parse the JSON of a store; an integer beyond 18 digits, of which Python refuses some, becomes infinite.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deep.
    """
    return json.loads(data, parse_int=lambda digits: int(digits) if len(digits) <= 18 else math.inf)  # noqa: PLR2004 - as above
