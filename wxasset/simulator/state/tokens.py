"""Access tokens: one registry for all accounts, and independent pools (wire reference 1.1 to 1.3, 1.6, 0.6)."""

import math
import re
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Literal

from attrs import define, field

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state.clock import Clock, day_of
from wxasset.simulator.wire.replies import ApiError

# Seconds of validity of an old token after its renewal. A stable token is renewed this long before it expires.
_OVERLAP = 300
_CLOUDBASE_LIFE = 1_800  # documented (1.6)
# A string of another shape is malformed (40014); a token of this shape not issued here is unknown (40001). How the
# service distinguishes them is not known. Its tokens have 130 to 160 characters, 512 are reserved.
_SHAPE = re.compile(r"[A-Za-z0-9_-]{100,512}")

# Owner of a token: the account, the platform on behalf of the account, the platform itself, or cloud hosting.
TokenKind = Literal["account", "authorizer", "component", "cloudbase"]


@define
class IssuedToken:
    """One token and its validity.

    Attributes:
        number: Position in the order of issue, counted over all pools from 1; safe to show.
        kind: Kind of the owner.
        owner: The appid of the account, also for a token of the platform on its behalf; else the platform's appid.
        value: The token.
        expires_at: Time of expiry, in unix seconds (42001).
        ends_at: End of validity after its renewal, in unix seconds (40001).
        verdict: The error code set by a test, or None.
    """

    number: int
    kind: TokenKind
    owner: str
    value: str = field(repr=False)
    expires_at: float
    ends_at: float = math.inf
    verdict: int | None = None

    def errcode(self, now: float) -> int:
        """Return the error code for a request with this token, or 0."""
        if self.verdict is not None:
            return self.verdict
        if now >= self.ends_at:
            return 40001
        return 42001 if now >= self.expires_at else 0


class TokenRegistry:
    """All tokens issued to the accounts and the platform of one simulator."""

    def __init__(self, clock: Clock, make_value: Callable[[], str], expires_in: int) -> None:
        self.clock = clock
        self._make_value = make_value
        self._expires_in = expires_in
        self._issued: dict[str, IssuedToken] = {}

    @property
    def issued(self) -> list[IssuedToken]:
        """All tokens in the order of issue; set to restore those of an earlier run."""
        return list(self._issued.values())

    @issued.setter
    def issued(self, tokens: Iterable[IssuedToken]) -> None:
        self._issued = {token.value: token for token in tokens}

    def issue(self, kind: TokenKind, owner: str) -> IssuedToken:
        """Issue a token."""
        token = IssuedToken(
            number=len(self._issued) + 1,
            kind=kind,
            owner=owner,
            value=self._make_value(),
            expires_at=self.clock.now() + (_CLOUDBASE_LIFE if kind == "cloudbase" else self._expires_in),
        )
        self._issued[token.value] = token
        return token

    def latest(self, most: int) -> list[IssuedToken]:
        """Return the tokens issued last, the newest first."""
        return list(islice(reversed(self._issued.values()), most))

    def seconds_left(self, token: IssuedToken) -> int:
        """Return the `expires_in` of a token."""
        return round(token.expires_at - self.clock.now())

    def find(self, value: str | None) -> IssuedToken | None:
        """Return the record of a token issued here, valid or not, or None."""
        return self._issued.get(value or "")

    def check(self, value: str | None) -> IssuedToken:
        """Check the token of a request and return its record.

        Raises:
            ApiError: 41001 for a missing token, 40014 for a malformed one, 40001 for an unknown or superseded one,
                42001 for an expired one, 61003 after the end of an authorization.
        """
        if not value:
            raise ApiError(41001)
        if not _SHAPE.fullmatch(value):
            raise ApiError(40014)
        issued = self._issued.get(value)
        errcode = 40001 if issued is None else issued.errcode(self.clock.now())
        if issued is None or errcode:
            raise ApiError(errcode)
        return issued

    def reject_all(self, errcode: int, owner: str | None = None) -> None:
        """Reject every token issued so far, to all or to one owner; the next token request gets a new one."""
        for token in list(self._issued.values()):
            if owner in (None, token.owner):
                token.verdict = errcode


class TokenPool:
    """Tokens of one endpoint for one owner; the last one is current."""

    def __init__(self, registry: TokenRegistry, kind: TokenKind, owner: str) -> None:
        self._registry = registry
        self._kind = kind
        self._owner = owner
        self._issued: list[IssuedToken] = []

    @property
    def numbers(self) -> list[int]:
        """Numbers of the tokens of the pool; set to restore those of an earlier run."""
        return [token.number for token in self._issued]

    @numbers.setter
    def numbers(self, numbers: Collection[int]) -> None:
        self._issued = [token for token in self._registry.issued if token.number in numbers]

    @property
    def current(self) -> IssuedToken | None:
        """The last token, or None without one or after its rejection."""
        return self._issued[-1] if self._issued and self._issued[-1].verdict is None else None

    def renew(self, overlap: float) -> IssuedToken:
        """Issue a token; its predecessor stays valid for at most `overlap` seconds."""
        now = self._registry.clock.now()
        if self._issued:
            self._issued[-1].ends_at = now + overlap
        token = self._registry.issue(self._kind, self._owner)
        self._issued[:] = [*(one for one in self._issued if one.errcode(now) == 0), token]
        return token

    def reject(self, errcode: int) -> None:
        """Reject all tokens of the pool with `errcode`."""
        for token in self._issued:
            token.verdict = errcode


class TokenIssuer:
    """Issue the tokens of one account.

    Attributes:
        registry: All tokens of the simulator.
        plain_pool: Tokens of /cgi-bin/token.
        stable_pool: Tokens of /cgi-bin/stable_token.
    """

    def __init__(self, registry: TokenRegistry, owner: str) -> None:
        self.registry = registry
        self._clock = registry.clock
        self._owner = owner
        self.plain_pool: TokenPool = TokenPool(registry, "account", owner)
        self.stable_pool: TokenPool = TokenPool(registry, "account", owner)
        self._last_force = -math.inf
        self._forces: dict[int, int] = {}

    def plain(self) -> IssuedToken:
        """Issue a token of /cgi-bin/token; the previous one stays valid for 5 minutes."""
        return self.plain_pool.renew(_OVERLAP)

    def stable(self, *, force_refresh: bool, options: SimulatorOptions) -> IssuedToken:
        """Return the token of /cgi-bin/stable_token, renewed in its last 5 minutes or by an allowed forced refresh."""
        if force_refresh and self._may_force(options):
            return self.stable_pool.renew(0)
        if force_refresh and options.throttled_refresh_errcode is not None:
            raise ApiError(options.throttled_refresh_errcode)
        current = self.stable_pool.current
        if current is None or current.expires_at - self._clock.now() < _OVERLAP:
            return self.stable_pool.renew(_OVERLAP)
        return current

    def cloudbase(self) -> IssuedToken:
        """Issue a token of cloud hosting for 30 minutes; documented: earlier ones are valid until expiry (1.6)."""
        return self.registry.issue("cloudbase", self._owner)

    def _may_force(self, options: SimulatorOptions) -> bool:
        now = self._clock.now()
        day = day_of(now)
        used = self._forces.get(day, 0)
        if now - self._last_force < options.force_refresh_interval or used >= options.force_refreshes_per_day:
            return False
        self._last_force = now
        self._forces[day] = used + 1
        return True
