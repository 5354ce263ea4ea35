"""A strict double of api.weixin.qq.com for tests: same wire, no network, no account.

The simulator follows the wire reference. It rejects requests known to be rejected by the service, and requests not
known to be accepted. It shares no code with the client: a mistake in one shows as a disagreement between the two.

```python
async with Simulator() as simulator:
    session = WxSession(simulator.appid, simulator.secret, base_url=simulator.url)
```
"""

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
