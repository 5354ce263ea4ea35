"""Tokens, their records in stores, and the protocol of token sources. No I/O."""

import json
import math
import re
from typing import Any, Final, Protocol, TypeVar

from attrs import field, frozen

from wxasset.calls.base import Call
from wxasset.errors import APIError, WxAssetError
from wxasset.wire.json_bodies import LARGEST
from wxasset.wire.values import Value

__all__ = [
    "LONGEST",
    "Exchange",
    "Token",
    "TokenRecord",
    "TokenSource",
    "is_placeholder",
    "is_token",
    "parse_document",
    "seconds",
    "usual_parameter",
]

R = TypeVar("R")

LONGEST: Final = 30 * 86_400.0
"""Longest lifetime accepted from WeChat in seconds: chosen; the documented one is 7200 (wire reference 1.1)."""
_SLACK: Final = 86_400.0  # seconds by which the clocks of hosts may differ
_LAST: Final = 253_402_300_799  # the end of the year 9999, up to which `datetime` goes
_NAMES: Final = frozenset({"token", "issued", "expires", "version", "mode"})
_FIELDS: Final = ("token", "issued", "expires", "version", "mode", "refresh_token")
_VISIBLE: Final = r"[!$%*+./0-9:=@A-Z_a-z|~-]{1,2048}"
"""Pattern of tokens: WeChat's have up to 512 characters, of a smaller set (wire reference 1.1)."""
_PARAMETER: Final = r"[A-Za-z_]{0,64}"
_NOT_AUTHORIZED: Final = 61003
_PLATFORM: Final = "component_access_token"
_COMPONENT_PATHS: Final = "/componenttcb/"
"""These APIs take the token of a third-party platform as ``access_token`` (wire reference 8.4)."""
_PLACEHOLDER: Final = r"(?i:null|none|nil|undefined|true|false|nan|-?[0-9.]+)"


def is_token(text: str) -> bool:
    """Tell whether this can be a token: a text of visible characters, and no page or document."""
    return re.fullmatch(_VISIBLE, text) is not None


def is_placeholder(text: str) -> bool:
    """Return True for the text of a number, a flag or a missing value."""
    return re.fullmatch(_PLACEHOLDER, text) is not None


def seconds(value: float) -> float:
    """Return a number of seconds as a float; a larger integer counts as 2**53."""
    return float(max(-LARGEST, min(value, LARGEST))) if isinstance(value, int) else value


def parse_document(data: bytes | str) -> Any:
    """Parse the JSON of a store; an integer beyond 18 digits, of which Python refuses some, becomes infinite.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deep.
    """
    return json.loads(data, parse_int=lambda digits: int(digits) if len(digits) <= 18 else math.inf)  # noqa: PLR2004 - as above


def usual_parameter(mode: str) -> str:
    """Return the query parameter of the tokens of a kind, the first word of an account."""
    return _PLATFORM if mode == "component" else "access_token"


class Exchange(Protocol):
    """Makes a declared call; the engine's own way to do so, lent to a source.

    Where it has an attribute ``hooks``, as the engine's has, a `TokenCache` tells these of its fetches.
    """

    async def __call__(self, call: Call[R], /) -> R:
        """Make the call and return its reply."""
        ...


@frozen(kw_only=True, eq=False, repr=False)
class Token(Value):
    """An access token in hand.

    Attributes:
        value: The token itself. It is kept out of `repr`; keep it out of logs.
        expires_in: Lifetime in seconds at the time of issue.
        parameter: The query parameter of the token; empty if calls carry none.
        refresh_token: The refresh token for the next fetch, on a third-party platform; None elsewhere.
    """

    value: str = field(repr=False)
    expires_in: float
    parameter: str = "access_token"
    refresh_token: str | None = field(default=None, repr=False)

    def parameter_at(self, path: str) -> str:
        """Return the query parameter of the token at a path of the API; empty if calls carry none."""
        platform = self.parameter == _PLATFORM and path.startswith(_COMPONENT_PATHS)
        return "access_token" if platform else self.parameter

    def is_withdrawn(self, error: WxAssetError) -> bool:
        """Return True if the account ended the authorization that this token belongs to; it may have given another."""
        of_account = self.refresh_token is not None
        return of_account and isinstance(error, APIError) and error.errcode == _NOT_AUTHORIZED


class TokenSource(Protocol):
    """Source of tokens for a `TokenCache`.

    A source whose tokens may be shared through a `TokenStore` also has two attributes: ``account``, a text that
    names the account and the kind of token, and ``supersedes``, which is true where a fetch ends the token before.
    """

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Get a token.

        Args:
            exchange: Makes the calls of a fetch.
            previous: The last known token, also an expired one; None without one.
            rejected: True if WeChat rejected it before its expiry.

        Raises:
            WxAssetError: None can be had; the error says why.
        """
        ...


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
