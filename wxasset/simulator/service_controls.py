"""Controls of the whole service, for all accounts: journal, tokens, clock and faults."""

from wxasset.simulator.faults.language import Fault
from wxasset.simulator.faults.schedule import FaultRule
from wxasset.simulator.shared_state import SharedState
from wxasset.simulator.state.journal import Journal


class ServiceControls:
    """Journal, tokens, clock and faults of a simulator."""

    _shared: SharedState

    @property
    def journal(self) -> Journal:
        """The latest requests in the order of the responses, with `select`, `wait`, `wait_blocking` and `delete`."""
        return self._shared.journal

    @property
    def token_calls(self) -> int:
        """Requests to the token endpoints so far."""
        return self._shared.token_calls

    def revoke_tokens(self) -> None:
        """Reject every token issued so far with 40001 from now on, without any overlap."""
        with self._shared.lock:
            self._shared.service.registry.reject_all(40001)

    def expire_tokens(self) -> None:
        """Reject every token issued so far with 42001 from now on."""
        with self._shared.lock:
            self._shared.service.registry.reject_all(42001)

    def advance(self, seconds: float) -> None:
        """Move the simulator's clock forward.

        The clock is used for the lifetimes of tokens, media and links, for request ids, and for times of materials.

        Raises:
            ValueError: `seconds` is negative.
        """
        self._shared.service.clock.advance(seconds)

    def now(self) -> float:
        """Return the simulator's unix time in seconds, as moved by `advance`; a clock for a `TokenCache`."""
        return self._shared.service.clock.now()

    def fail(self, endpoint: str, fault: str | Fault, *, times: int | None = 1, after: int = 0) -> FaultRule:
        """Inject a fault into requests; `wxasset.simulator.faults` lists the words.

        Rules apply in order: a request gets the fault of the first matching rule with requests left.

        Args:
            endpoint: The last part of a path ("add_material"), a whole path, "link" for the URLs of videos and cloud
                files, or "*" for all requests.
            fault: The words, for example "reset-after-commit".
            times: Number of requests to fail; None for all until `reset` or `clear_faults`.
            after: Number of matching requests to let pass first.

        Raises:
            ValueError: The endpoint or the fault is unknown; the message lists the known ones.
        """
        return self._shared.schedule.add(endpoint, fault, times=times, after=after)

    @property
    def faults(self) -> tuple[FaultRule, ...]:
        """All rules in order, including used ones."""
        return self._shared.schedule.rules

    @property
    def unused_faults(self) -> tuple[FaultRule, ...]:
        """The rules used less often than requested; of the unlimited ones, those never used."""
        return tuple(rule for rule in self.faults if rule.unused)

    def clear_faults(self) -> None:
        """Remove all rules."""
        self._shared.schedule.clear()

    def reset(self) -> None:
        """Clear library, media, cloud files, links, journal and faults, and restart ids from the seed.

        Accounts, authorizations, tokens, options and the clock are kept, so an active client continues to work.
        Tokens issued later differ from earlier ones.
        """
        shared = self._shared
        with shared.lock:
            shared.service.reset()
            shared.schedule.clear()
            shared.journal.restart()
            shared.token_calls = 0
