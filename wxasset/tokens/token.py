"""Tokens, their records in stores, and the protocol of token sources. No I/O."""

import json
from typing import Final, Protocol, TypeVar

from attrs import asdict, field, frozen

from wxasset.calls.base import Call

__all__ = ["Exchange", "Token", "TokenRecord", "TokenSource"]

R = TypeVar("R")

_NAMES: Final = frozenset({"token", "issued", "expires", "version", "mode"})


class Exchange(Protocol):
    """Makes a declared call; the engine's own way to do so, lent to a source.

    Where it has an attribute ``hooks``, as the engine's has, a `TokenCache` tells these of its fetches.
    """

    async def __call__(self, call: Call[R], /) -> R:
        """Make the call and return its reply."""
        ...


@frozen(kw_only=True)
class Token:
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


@frozen(kw_only=True)
class TokenRecord:
    """A token as a store keeps it.

    Attributes:
        token: The token itself.
        issued: Unix time in seconds of issue.
        expires: Unix time in seconds of expiry.
        version: Counts the tokens of the account; a higher one is newer.
        mode: The kind of token, such as ``stable`` or ``classic``.
        refresh_token: The refresh token for the next fetch, on a third-party platform; None elsewhere.
    """

    token: str = field(repr=False)
    issued: float
    expires: float
    version: int
    mode: str
    refresh_token: str | None = field(default=None, repr=False)

    def dump(self) -> bytes:
        """Encode as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def parse(cls, data: bytes) -> "TokenRecord":
        """Decode the result of `dump`.

        Raises:
            ValueError: It is something else.
        """
        try:
            record = cls(**json.loads(data))
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
        """Tell whether every value is of its kind."""
        values: dict[str, object] = asdict(self)
        texts = all(isinstance(values[name], str) and values[name] for name in ("token", "mode"))
        numbers = all(type(values[name]) in (int, float) for name in ("issued", "expires"))
        return texts and numbers and type(values["version"]) is int and isinstance(self.refresh_token, str | None)
