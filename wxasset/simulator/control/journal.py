"""The journal over HTTP."""

from attrs import asdict, field, frozen
from attrs.validators import ge

from wxasset.simulator.control.routes import ControlRequest, Reply

__all__ = ["ReadJournal", "read_journal"]


@frozen(kw_only=True)
class ReadJournal:
    """The entries to return: those from the number `since` on, counted from 0."""

    since: int = field(default=0, validator=ge(0))


def read_journal(control: ControlRequest, wanted: ReadJournal) -> Reply:
    """Return entries of the journal."""
    return [asdict(entry) for entry in control.shared.journal[wanted.since :]]
