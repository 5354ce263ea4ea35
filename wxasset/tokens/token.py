"""Tokens, and the protocol of token sources. No I/O."""

import re
from typing import Final, Protocol, TypeVar

from attrs import field, frozen

from wxasset.calls.base import Call
from wxasset.errors import APIError, WxAssetError
from wxasset.wire.json_bodies import LARGEST
from wxasset.wire.values import Value

__all__ = [
    "LONGEST",
    "Exchange",
    "Token",
    "TokenSource",
    "is_placeholder",
    "is_token",
    "seconds",
    "usual_parameter",
]

R = TypeVar("R")

LONGEST: Final = 30 * 86_400.0
"""Longest lifetime accepted from WeChat in seconds: chosen; the documented one is 7200 (wire reference 1.1)."""
_VISIBLE: Final = r"[!$%*+./0-9:=@A-Z_a-z|~-]{1,2048}"
"""Pattern of tokens: WeChat's have up to 512 characters, of a smaller set (wire reference 1.1)."""
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
