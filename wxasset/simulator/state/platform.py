"""State of a third-party platform: tickets, codes, and the authorizations of accounts (wire reference 1.3, 8.4)."""

from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.options import SimulatorOptions, Switches
from wxasset.simulator.state.pushes import Event, Outbox, Push
from wxasset.simulator.state.quotas import QuotaCounts
from wxasset.simulator.state.tokens import IssuedToken, TokenPool, TokenRegistry
from wxasset.simulator.wire.replies import ApiError

_TICKET_LIFE = 12 * 3_600  # documented
_PRE_AUTH_CODE_LIFE = 1_800  # documented; the official sample has 600
_OLD_REFRESH_TOKEN_LIFE = 300  # one answer of WeChat's staff (8.4)
_SHORTEST_LIVED = 10_000  # codes and tickets kept; the oldest are dropped


@define
class Authorization:
    """Authorization of the platform by one account.

    Attributes:
        appid: The account's appid.
        permission_sets: Numbers of the permission sets granted at this time; None for all.
        authorized_at: Time of the authorization, in unix seconds.
        refresh_token: The newest refresh token.
    """

    appid: str
    permission_sets: frozenset[int] | None
    authorized_at: int
    refresh_token: str = field(repr=False)
    tokens: TokenPool = field(repr=False)
    earlier: dict[str, float] = field(factory=dict, repr=False)

    def refresh(self, given: object, now: float, options: SimulatorOptions, new: str) -> None:
        """Use a refresh token; depending on the option, `new` replaces it.

        Raises:
            ApiError: 61023, the token is not valid.
        """
        if given != self.refresh_token and now >= self.earlier.get(str(given), now):
            raise ApiError(61023)
        if options.refresh_tokens == "stay":
            return
        self.earlier = {token: end for token, end in self.earlier.items() if now < end}
        if options.refresh_tokens == "rotate":
            self.earlier[self.refresh_token] = now + _OLD_REFRESH_TOKEN_LIFE
        self.refresh_token = new


@frozen
class _Code:
    expires_at: float
    appid: str = ""


class Platform:
    """The third-party platform of a simulator.

    Attributes:
        appid: The platform's appid.
        secret: The platform's secret.
        registry: All tokens of the simulator.
        quotas: Counts of the calls with its own token.
        outbox: Its events for the receiver.
        tokens: Its own tokens.
    """

    def __init__(self, identifiers: Identifiers, registry: TokenRegistry, switches: Switches) -> None:
        self.appid: str = identifiers.component_appid
        self.secret: str = identifiers.component_appsecret
        self.registry = registry
        self.quotas: QuotaCounts = QuotaCounts(registry.clock)
        self.outbox: Outbox = Outbox()
        self._switches = switches
        self._identifiers = identifiers
        self._clock = registry.clock
        self.tokens: TokenPool = TokenPool(registry, "component", self.appid)
        self._tickets: dict[str, _Code] = {}
        self._authorization_codes: dict[str, _Code] = {}
        self._pre_auth_codes: dict[str, _Code] = {}
        self._authorizations: dict[str, Authorization] = {}

    @property
    def options(self) -> SimulatorOptions:
        """The switches in force."""
        return self._switches.options

    def push_ticket(self) -> str:
        """Create a ticket; earlier ones keep their lifetime of 12 hours."""
        ticket = self._keep(self._tickets, self._identifiers.ticket(), _TICKET_LIFE)
        self._emit("component_verify_ticket", ComponentVerifyTicket=ticket)
        return ticket

    def check_ticket(self, ticket: object) -> None:
        """Check a ticket.

        Raises:
            ApiError: 61006 for an unknown ticket, 61005 for a ticket of 12 hours or more.
        """
        known = self._tickets.get(ticket) if isinstance(ticket, str) else None
        if known is None:
            raise ApiError(61006)
        if self._clock.now() >= known.expires_at:
            raise ApiError(61005)

    def component_token(self) -> IssuedToken:
        """Issue a token of the platform."""
        return self.tokens.renew(self.options.component_token_overlap)

    def create_pre_auth_code(self) -> tuple[str, int]:
        """Create a pre-authorization code and return it with its lifetime in seconds."""
        code = self._keep(self._pre_auth_codes, self._identifiers.pre_auth_code(), _PRE_AUTH_CODE_LIFE)
        return code, _PRE_AUTH_CODE_LIFE

    @property
    def tickets(self) -> dict[str, float]:
        """The tickets with their times of expiry; set to restore those of an earlier run."""
        return {ticket: code.expires_at for ticket, code in self._tickets.items()}

    @tickets.setter
    def tickets(self, tickets: Mapping[str, float]) -> None:
        self._tickets = {ticket: _Code(expires_at) for ticket, expires_at in tickets.items()}

    def restore(self, authorization: Authorization) -> None:
        """Restore an authorization of an earlier run."""
        self._authorizations[authorization.appid] = authorization

    @property
    def authorizations(self) -> Mapping[str, Authorization]:
        """The authorizations by appid, oldest first."""
        return self._authorizations

    def authorization(self, appid: object) -> Authorization:
        """Return the authorization by an account.

        Raises:
            ApiError: 61003, the account has not authorized the platform, or has withdrawn.
        """
        found = self._authorizations.get(appid) if isinstance(appid, str) else None
        if found is None:
            raise ApiError(61003)
        return found

    def authorize(
        self, appid: str, permission_sets: Iterable[int] | None = None, pre_auth_code: str | None = None
    ) -> str:
        """Authorize the platform, also again: this ends the earlier refresh token and the earlier access tokens.

        Return a one-time authorization code. Chosen: without a pre-authorization code one is drawn.

        Raises:
            ValueError: The pre-authorization code is unknown or has expired.
        """
        pre_auth_code = pre_auth_code or self.create_pre_auth_code()[0]
        known = self._pre_auth_codes.get(pre_auth_code)
        if known is None or self._clock.now() >= known.expires_at:
            raise ValueError("pre_auth_code is unknown or expired; get one with api_create_preauthcode")
        earlier = self._authorizations.get(appid)
        if earlier is not None:
            earlier.tokens.reject(40001)
        self._authorizations[appid] = Authorization(
            appid=appid,
            permission_sets=self.options.permission_sets if permission_sets is None else frozenset(permission_sets),
            authorized_at=int(self._clock.now()),
            refresh_token=self._identifiers.refresh_token(),
            tokens=TokenPool(self.registry, "authorizer", appid),
        )
        code = self._identifiers.authorization_code()
        self._keep(self._authorization_codes, code, self.options.authorization_code_seconds, appid)
        self._emit(
            "authorized" if earlier is None else "updateauthorized",
            AuthorizerAppid=appid,
            AuthorizationCode=code,
            AuthorizationCodeExpiredTime=int(self._authorization_codes[code].expires_at),
            PreAuthCode=pre_auth_code,
        )
        return code

    def unauthorize(self, appid: str) -> None:
        """End an authorization: its access tokens and refresh tokens are rejected.

        Raises:
            ApiError: 61003, there is no authorization.
        """
        self.authorization(appid).tokens.reject(self.options.withdrawn_token_errcode)
        del self._authorizations[appid]
        self._emit("unauthorized", AuthorizerAppid=appid)

    def take_pushes(self) -> list[Push]:
        """Return and remove the events for the receiver, encrypted."""
        receiver = self.outbox.receiver
        if receiver is None:
            return []
        now = self._clock.now()
        return [receiver.push(event, self.appid, now, self._identifiers) for event in self.outbox.take()]

    def use_authorization_code(self, code: object) -> Authorization:
        """Use a one-time code and return its authorization.

        Raises:
            ApiError: 61009 for an unknown or used code, 61010 for an expired code, 61003 after the authorization ended.
        """
        known = self._authorization_codes.get(code) if isinstance(code, str) else None
        if known is None:
            raise ApiError(61009)
        if self._clock.now() >= known.expires_at:
            raise ApiError(61010)
        del self._authorization_codes[str(code)]
        return self.authorization(known.appid)

    def refresh(self, appid: object, given: object) -> tuple[IssuedToken, str]:
        """Use a refresh token; return a new access token of the account, and the refresh token for the next time.

        Raises:
            ApiError: 61003 without an authorization, 61023 for an invalid refresh token.
        """
        authorization = self.authorization(appid)
        authorization.refresh(given, self._clock.now(), self.options, self._identifiers.refresh_token())
        return self.access_token(authorization), authorization.refresh_token

    def access_token(self, authorization: Authorization) -> IssuedToken:
        """Issue an access token of an account for the platform."""
        return authorization.tokens.renew(self.options.authorizer_token_overlap)

    def granted(self, appid: str) -> frozenset[int] | None:
        """Return the permission sets granted by an account and still held by the platform; None for all.

        Documented: a set added to the platform later does not reach accounts that authorized before (8.4).
        """
        own, held = self.authorization(appid).permission_sets, self.options.permission_sets
        return own if held is None else held if own is None else own & held

    def _emit(self, info_type: str, **fields: str | int) -> None:
        self.outbox.add(Event(info_type, int(self._clock.now()), fields))

    def _keep(self, codes: dict[str, _Code], code: str, seconds: float, appid: str = "") -> str:
        codes[code] = _Code(self._clock.now() + seconds, appid)
        if len(codes) > _SHORTEST_LIVED:
            del codes[next(iter(codes))]
        return code
