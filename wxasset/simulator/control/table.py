"""Table of the routes below `/_sim/`; docs/simulator.md describes them."""

from wxasset.simulator.control import clock, faults, journal, library
from wxasset.simulator.control.routes import Route, done

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    Route("POST", "faults", faults.add_fault, faults.AddFault),
    Route("GET", "faults", faults.list_faults),
    Route("DELETE", "faults", done(lambda simulator: simulator.clear_faults())),
    Route("GET", "journal", journal.read_journal, journal.ReadJournal),
    Route("POST", "reset", done(lambda simulator: simulator.reset())),
    Route("POST", "advance", clock.advance, clock.Advance),
    Route("GET", "state", library.show_state),
)
