"""Access tokens: pools that know nothing of each other (wire reference 1.1 to 1.3, 1.6, 0.6)."""

import math
import re
from collections.abc import Callable
from typing import Literal

from attrs import define, field

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state.clock import Clock, day_of
from wxasset.simulator.wire.replies import ApiError

_OVERLAP = 300  # seconds for which an old token outlives its successor, and before its end a stable one is renewed
_CLOUDBASE_LIFE = 1_800  # documented (1.6)
# What cannot be a token at all is malformed (40014); what could be one but was not issued here is unknown (40001).
# The service's own line between the two is not known. Its tokens have 130 to 160 characters, 512 are reserved.
_SHAPE = re.compile(r"[A-Za-z0-9_-]{100,512}")

# Whose token it is: the account's own, one the platform holds for the account, the platform's, or cloud hosting's.
TokenKind = Literal["account", "authorizer", "component", "cloudbase"]


@define
class IssuedToken:
    """One token and its fate.

    Attributes:
        number: Its place in the order of issue, counted over all pools from 1: safe to show.
        kind: Whose token it is.
        value: The token.
        expires_at: When it times out, in unix seconds (42001).
        ends_at: When its successor takes over for good, in unix seconds (40001).
        verdict: The code a test has put on it, or None.
    """

    number: int
    kind: TokenKind
    value: str = field(repr=False)
    expires_at: float
    ends_at: float = math.inf
    verdict: int | None = None

    def errcode(self, now: float) -> int:
        """The code a request with this token is refused with, or 0."""
        if self.verdict is not None:
            return self.verdict
        if now >= self.ends_at:
            return 40001
        return 42001 if now >= self.expires_at else 0


class TokenPool:
    """The tokens of one endpoint, of which the last is current."""

    def __init__(self, issue: Callable[[TokenKind], IssuedToken], clock: Clock, kind: TokenKind = "account") -> None:
        self._issue = issue
        self._clock = clock
        self._kind = kind
        self.current: IssuedToken | None = None

    def renew(self, overlap: float) -> IssuedToken:
        """Issue a token; its predecessor works for another `overlap` seconds at most."""
        if self.current is not None:
            self.current.ends_at = self._clock.now() + overlap
        self.current = self._issue(self._kind)
        return self.current


class TokenIssuer:
    """Issues and judges the tokens of all pools."""

    def __init__(self, clock: Clock, make_value: Callable[[], str], expires_in: int) -> None:
        self._clock = clock
        self._make_value = make_value
        self._expires_in = expires_in
        self._issued: dict[str, IssuedToken] = {}
        self._plain = TokenPool(self._issue, clock)
        self._stable = TokenPool(self._issue, clock)
        self._component = TokenPool(self._issue, clock, "component")
        self._authorizer = TokenPool(self._issue, clock, "authorizer")
        self._last_force = -math.inf
        self._forces: dict[int, int] = {}

    def plain(self) -> IssuedToken:
        """A new token of /cgi-bin/token; the one before it stays valid for 5 minutes."""
        return self._plain.renew(_OVERLAP)

    def stable(self, *, force_refresh: bool, options: SimulatorOptions) -> IssuedToken:
        """The token of /cgi-bin/stable_token, renewed in its last 5 minutes or when a forced refresh is allowed."""
        if force_refresh and self._may_force(options):
            return self._stable.renew(0)
        current = self._stable.current
        if current is None or current.expires_at - self._clock.now() < _OVERLAP:
            return self._stable.renew(_OVERLAP)
        return current

    def component(self) -> IssuedToken:
        """A new token of the third-party platform; that the one before lives on for 5 minutes is chosen (1.3)."""
        return self._component.renew(_OVERLAP)

    def authorizer(self) -> IssuedToken:
        """A new token of the account for the platform; the one before lives on for 5 minutes: documented (1.1)."""
        return self._authorizer.renew(_OVERLAP)

    def cloudbase(self) -> IssuedToken:
        """A token of cloud hosting for 30 minutes; those before it live to their own end: documented (1.6)."""
        return self._issue("cloudbase")

    def seconds_left(self, token: IssuedToken) -> int:
        """Return the `expires_in` of a token."""
        return round(token.expires_at - self._clock.now())

    def number(self, value: str | None) -> int | None:
        """The number of a token that was issued here, dead or alive, or None."""
        issued = self._issued.get(value or "")
        return None if issued is None else issued.number

    def check(self, value: str | None) -> IssuedToken:
        """Judge the token of a request and return what is known of it.

        Raises:
            ApiError: 41001 for none, 40014 for what cannot be one, 40001 for an unknown or superseded one, 42001 for
                one that has timed out.
        """
        if not value:
            raise ApiError(41001)
        if not _SHAPE.fullmatch(value):
            raise ApiError(40014)
        issued = self._issued.get(value)
        errcode = 40001 if issued is None else issued.errcode(self._clock.now())
        if issued is None or errcode:
            raise ApiError(errcode)
        return issued

    def reject_all(self, errcode: int) -> None:
        """Let every token issued so far be refused with `errcode`, and the next request for one get a new one."""
        for token in self._issued.values():
            token.verdict = errcode
        for pool in (self._plain, self._stable, self._component, self._authorizer):
            pool.current = None

    def _issue(self, kind: TokenKind) -> IssuedToken:
        token = IssuedToken(
            number=len(self._issued) + 1,
            kind=kind,
            value=self._make_value(),
            expires_at=self._clock.now() + (_CLOUDBASE_LIFE if kind == "cloudbase" else self._expires_in),
        )
        self._issued[token.value] = token
        return token

    def _may_force(self, options: SimulatorOptions) -> bool:
        now = self._clock.now()
        day = day_of(now)
        used = self._forces.get(day, 0)
        if now - self._last_force < options.force_refresh_interval or used >= options.force_refreshes_per_day:
            return False
        self._last_force = now
        self._forces[day] = used + 1
        return True
