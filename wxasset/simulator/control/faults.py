"""Control of faults."""

from attrs import frozen

from wxasset.simulator.control.routes import ControlRequest, Nothing, Reply
from wxasset.simulator.faults.schedule import FaultRule

__all__ = ["AddFault", "add_fault", "list_faults"]


@frozen(kw_only=True)
class AddFault:
    """A rule to add, as of `Simulator.fail`."""

    endpoint: str
    fault: str
    times: int | None = 1
    after: int = 0


def add_fault(control: ControlRequest, rule: AddFault) -> Reply:
    """Add a rule."""
    added = control.simulator.fail(rule.endpoint, rule.fault, times=rule.times, after=rule.after)
    return {"id": added.id}


def list_faults(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Return the rules with their remaining requests."""
    return [_rule(rule) for rule in control.shared.schedule.rules]


def _rule(rule: FaultRule) -> dict[str, object]:
    return {
        "id": rule.id,
        "endpoint": rule.endpoint,
        "fault": str(rule.fault),
        "times": rule.times,
        "after": rule.after,
        "used": rule.used,
        "remaining": rule.remaining,
    }
