"""State of a third-party platform: tickets, and the account's authorization (wire reference 1.3)."""

from attrs import define, field

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.wire.replies import ApiError

_TICKET_LIFE = 12 * 3_600  # documented


@define
class Platform:
    """The platform authorized by the account.

    Attributes:
        appid: The platform's appid.
        secret: The platform's secret.
    """

    _clock: Clock
    _identifiers: Identifiers
    appid: str = ""
    secret: str = field(default="", repr=False)
    _tickets: dict[str, float] = field(factory=dict, repr=False)
    _refresh_tokens: list[str] = field(factory=list, repr=False)

    def __attrs_post_init__(self) -> None:
        self.appid = self.appid or self._identifiers.component_appid
        self.secret = self.secret or self._identifiers.component_appsecret
        self.authorize()

    @property
    def refresh_token(self) -> str:
        """The newest refresh token."""
        return self._refresh_tokens[-1]

    def push_ticket(self) -> str:
        """Create a ticket; earlier ones keep their lifetime of 12 hours."""
        ticket = self._identifiers.ticket()
        self._tickets[ticket] = self._clock.now() + _TICKET_LIFE
        return ticket

    def check_ticket(self, ticket: object) -> None:
        """Check a ticket.

        Raises:
            ApiError: 61006 for an unknown ticket, 61005 for a ticket of 12 hours or more.
        """
        if not isinstance(ticket, str) or ticket not in self._tickets:
            raise ApiError(61006)
        if self._clock.now() >= self._tickets[ticket]:
            raise ApiError(61005)

    def authorize(self) -> str:
        """Authorize the platform again; revokes earlier refresh tokens."""
        self._refresh_tokens[:] = [self._identifiers.refresh_token()]
        return self.refresh_token

    def refresh(self, given: object, *, rotate: bool) -> str:
        """Use a refresh token and return the next one.

        A token is valid until a later one has been used: a client may lose a response and retry.

        Raises:
            ApiError: 61023, the token is not valid.
        """
        if given not in self._refresh_tokens:
            raise ApiError(61023)
        del self._refresh_tokens[: self._refresh_tokens.index(str(given))]
        if rotate:
            self._refresh_tokens.append(self._identifiers.refresh_token())
        return self.refresh_token
