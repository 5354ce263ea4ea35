"""The clock over HTTP."""

from attrs import field, frozen

from wxasset.simulator.control.routes import ControlRequest, Reply

__all__ = ["Advance", "advance"]

_MOST_SECONDS = 1e9  # 30 years; dates are limited to the year 9999


def _reachable(_instance: object, _attribute: object, seconds: float) -> None:
    if not 0 <= seconds <= _MOST_SECONDS:
        raise ValueError(f"seconds must be a number from 0 to {_MOST_SECONDS:g}, got {seconds}")


@frozen(kw_only=True)
class Advance:
    """The seconds to move the clock by."""

    seconds: float = field(validator=_reachable)


def advance(control: ControlRequest, arguments: Advance) -> Reply:
    """Move the clock."""
    control.simulator.advance(arguments.seconds)
    return {"now": control.shared.account.clock.now()}
