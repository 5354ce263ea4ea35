"""A strict double of api.weixin.qq.com for tests: same wire, no network, no account.

The simulator follows the wire reference. It rejects requests known to be rejected by the service, and requests not
known to be accepted. It shares no code with the client: a mistake in one shows as a disagreement between the two.

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
    from wxasset.simulator.state.account import Article, JournalEntry, Material, TemporaryMedia
    from wxasset.simulator.state.platform import Authorization
    from wxasset.simulator.state.pushes import Push, PushResponse

__all__ = [
    "Article",
    "Authorization",
    "Fault",
    "FaultRule",
    "JournalEntry",
    "Material",
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
    "Fault": "faults.language",
    "FaultRule": "faults.schedule",
    "JournalEntry": "state.account",
    "Material": "state.account",
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
