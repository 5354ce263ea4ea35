"""The simulator as seen by the routes of the control API."""

from collections.abc import Mapping
from typing import Protocol

from wxasset.simulator.controls import AccountControls, SimulatedAccount
from wxasset.simulator.faults.language import Fault
from wxasset.simulator.faults.schedule import FaultRule
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.platform_controls import PlatformControls

__all__ = ["Controlled"]


class Controlled(Protocol):
    """Methods of the simulator used by the routes."""

    platform: PlatformControls

    @property
    def first(self) -> AccountControls:
        """The controls of the first account."""
        ...

    @property
    def accounts(self) -> Mapping[str, SimulatedAccount]:
        """All accounts by appid."""
        ...

    def add_account(
        self, *, appid: str | None = None, secret: str | None = None, options: SimulatorOptions | None = None
    ) -> SimulatedAccount:
        """Add an account."""
        ...

    def fail(self, endpoint: str, fault: str | Fault, *, times: int | None = 1, after: int = 0) -> FaultRule:
        """Inject a fault."""
        ...

    def clear_faults(self) -> None:
        """Remove all faults."""
        ...

    def reset(self) -> None:
        """Clear the library."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        ...
