"""State of one simulator: its accounts, its third-party platform, and everything common to them."""

from collections.abc import Mapping

from attrs import define

from wxasset.simulator.identifiers import Identifiers
from wxasset.simulator.options import SimulatorOptions, Switches
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.clock import Clock
from wxasset.simulator.state.links import LinkTable
from wxasset.simulator.state.platform import Platform
from wxasset.simulator.state.request_ids import RequestIdRecords
from wxasset.simulator.state.tokens import TokenIssuer, TokenRegistry
from wxasset.simulator.state.upload_permits import UploadPermits
from wxasset.simulator.wire.recorded_body import appid_in
from wxasset.simulator.wire.requests import TOKEN_PARAMETERS


@define
class _Common:
    """State common to all accounts and cleared by a reset."""

    links: LinkTable
    request_ids: RequestIdRecords
    upload_permits: UploadPermits


class Service:
    """Accounts by appid, and one platform.

    Attributes:
        clock: The clock.
        registry: The tokens of all accounts and of the platform.
        platform: The platform.
        accounts: The accounts, the first one first; each account has the same directory.
    """

    def __init__(self, seed: int, clock: Clock, options: SimulatorOptions, expires_in: int, *, start: int = 0) -> None:
        self._seed = seed
        self._start = start
        self._identifiers = Identifiers(seed, start)
        self._switches = Switches(options)
        self.clock = clock
        self.registry: TokenRegistry = TokenRegistry(clock, self._identifiers.access_token, expires_in)
        self.platform: Platform = Platform(self._identifiers, self.registry, self._switches)
        self.accounts: dict[str, Account] = {}
        self._first = ""  # by name: another thread may add an account to the dict at any time
        self._common = self._new_common()

    @property
    def first(self) -> Account:
        """The account of the simulator itself."""
        return self.accounts[self._first]

    @property
    def links(self) -> LinkTable:
        """The links of all accounts."""
        return self._common.links

    def add(self, appid: str | None, secret: str | None, options: SimulatorOptions | None = None) -> Account:
        """Add an account; without `options` it shares those of the first account.

        Raises:
            ValueError: The appid is taken.
        """
        identifiers = self._identifiers_of(len(self.accounts))
        appid = appid or identifiers.appid
        if appid in self.accounts or appid == self.platform.appid:
            raise ValueError(f"appid {appid!r} is taken; give each account of a simulator its own")
        account = Account(
            appid=appid,
            secret=secret or identifiers.secret,
            switches=self._switches if options is None else Switches(options),
            clock=self.clock,
            identifiers=identifiers,
            tokens=TokenIssuer(self.registry, appid),
            links=self._common.links,
            request_ids=self._common.request_ids,
            upload_permits=self._common.upload_permits,
            platform=self.platform,
            directory=self.accounts,
        )
        self._first = self._first or appid
        self.accounts[appid] = account
        return account

    def account_of(self, query: Mapping[str, str]) -> Account:
        """Return the account of the token in a query; the first account without one or for the platform's token.

        Calls from cloud hosting name it by `from_appid` (wire reference 8.5).
        """
        value = next((query[name] for name in TOKEN_PARAMETERS if query.get(name)), None)
        token = self.registry.find(value)
        name = token.owner if token else ""
        hosted = token.kind == "cloudbase" if token else not value and self.first.options.cloud_hosting is not None
        return self.accounts.get((hosted and query.get("from_appid")) or name) or self.first

    def appid_of(self, query: Mapping[str, str], body: bytes) -> str | None:
        """Return the appid of the account or platform named by the token or the appid of a request, or None."""
        value = next((query[name] for name in TOKEN_PARAMETERS if query.get(name)), None)
        token = self.registry.find(value)
        named = query.get("from_appid") or (token.owner if token else query.get("appid") or appid_in(body))
        return named if named in self.accounts or named == self.platform.appid else None

    def reset(self) -> None:
        """Clear the libraries of all accounts and restart ids from the seed."""
        self._identifiers = Identifiers(self._seed, self._start)
        base_url, public_url = self._common.links.base_url, self._common.links.public_url
        self._common = self._new_common()
        self._common.links.base_url, self._common.links.public_url = base_url, public_url
        for number, old in enumerate(list(self.accounts.values())):
            self.accounts[old.appid] = Account(
                appid=old.appid,
                secret=old.secret,
                switches=old.switches,
                clock=old.clock,
                identifiers=self._identifiers_of(number),
                tokens=old.tokens,
                links=self._common.links,
                request_ids=self._common.request_ids,
                upload_permits=self._common.upload_permits,
                platform=self.platform,
                directory=self.accounts,
            )

    def _identifiers_of(self, number: int) -> Identifiers:
        return self._identifiers if number == 0 else Identifiers(f"{self._seed} account {number}", self._start)

    def _new_common(self) -> _Common:
        return _Common(
            links=LinkTable(self.clock, self._identifiers),
            request_ids=RequestIdRecords(self.clock),
            upload_permits=UploadPermits(self.clock, self._identifiers),
        )
