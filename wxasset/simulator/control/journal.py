"""The journal over HTTP: read, wait and delete."""

import base64

from attrs import asdict, field, frozen
from attrs.validators import and_, ge, le

from wxasset.simulator.control.routes import ControlRequest, Reply
from wxasset.simulator.state.journal_entry import JournalConditions, JournalEntry

__all__ = ["Conditions", "Wait", "delete_entries", "read_journal", "wait_for_entries"]

_MOST_SECONDS = 600


@frozen(kw_only=True)
class Conditions:
    """Conditions for entries, as `JournalFilter` describes them; by default all entries."""

    since: int = field(default=0, validator=ge(0))
    method: str | None = None
    path: str | None = None
    status: int | None = None
    errcode: int | None = None
    account: str | None = None

    def chosen(self) -> JournalConditions:
        """Return the conditions as arguments of the journal."""
        return {
            "since": self.since,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "errcode": self.errcode,
            "account": self.account,
        }


@frozen(kw_only=True)
class Wait(Conditions):
    """The number of entries to wait for, and the seconds to wait; the default of 10 is chosen."""

    count: int = 1
    timeout: float = field(default=10, validator=and_(ge(0), le(_MOST_SECONDS)))


def read_journal(control: ControlRequest, wanted: Conditions) -> Reply:
    """Return entries of the journal."""
    return _documents(control.shared.journal.select(**wanted.chosen()))


async def wait_for_entries(control: ControlRequest, wanted: Wait) -> Reply:
    """Wait for entries, and return those there are then."""
    journal, conditions = control.shared.journal, wanted.chosen()
    try:
        return _documents(await journal.wait(wanted.count, timeout=wanted.timeout, **conditions))
    except (TimeoutError, ConnectionAbortedError):
        return _documents(journal.select(**conditions))


def delete_entries(control: ControlRequest, wanted: Conditions) -> Reply:
    """Delete entries of the journal."""
    return {"deleted": control.shared.journal.delete(**wanted.chosen())}


def _documents(entries: list[JournalEntry]) -> list[dict[str, object]]:
    return [_document(entry) for entry in entries]


def _document(entry: JournalEntry) -> dict[str, object]:
    """Return an entry for JSON: its body as text, and in base64 as well if it is not UTF-8."""
    text = entry.body.decode("utf-8", "replace")
    encoded = None if text.encode() == entry.body else base64.b64encode(entry.body).decode()
    return {**asdict(entry), "body": text, "body_base64": encoded}
