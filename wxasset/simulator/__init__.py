"""A strict double of api.weixin.qq.com for tests: same wire, no network, no account.

The simulator follows the wire reference. It accepts requests known to be accepted by the service and rejects those
known to be rejected; where nothing is known, the behaviour is chosen and has a switch in `SimulatorOptions`. It shares
no code with the client: a mistake in one shows as a disagreement between the two.

```python
async with Simulator() as simulator:
    session = WxSession(simulator.appid, simulator.secret, base_url=simulator.url)
```
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wxasset.simulator.controls import SimulatedAccount
    from wxasset.simulator.faults.language import Fault, parse_fault
    from wxasset.simulator.faults.schedule import FaultRule
    from wxasset.simulator.options import SimulatorOptions
    from wxasset.simulator.server import Simulator
    from wxasset.simulator.state.account import Article, Material, TemporaryMedia
    from wxasset.simulator.state.drafts import Draft, Publication
    from wxasset.simulator.state.journal import Journal
    from wxasset.simulator.state.journal_entry import JournalEntry
    from wxasset.simulator.state.platform import Authorization
    from wxasset.simulator.state.pushes import Push, PushResponse

__all__ = [
    "Article",
    "Authorization",
    "Draft",
    "Fault",
    "FaultRule",
    "Journal",
    "JournalEntry",
    "Material",
    "Publication",
    "Push",
    "PushResponse",
    "SimulatedAccount",
    "Simulator",
    "SimulatorOptions",
    "TemporaryMedia",
    "parse_fault",
]

# Each name is imported at its first use: the command line reads the options without loading a server.
_HOMES: Final = {
    "Article": "state.account",
    "Authorization": "state.platform",
    "Draft": "state.drafts",
    "Fault": "faults.language",
    "FaultRule": "faults.schedule",
    "Journal": "state.journal",
    "JournalEntry": "state.journal_entry",
    "Material": "state.account",
    "Publication": "state.drafts",
    "Push": "state.pushes",
    "PushResponse": "state.pushes",
    "SimulatedAccount": "controls",
    "Simulator": "server",
    "SimulatorOptions": "options",
    "TemporaryMedia": "state.account",
    "parse_fault": "faults.language",
}


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
