"""A strict double of api.weixin.qq.com for tests: same wire, no network, no account.

The simulator follows the wire reference and refuses what the service is known to refuse, or not known to accept. It
shares no code with the client, so that a mistake in one of them shows as a disagreement between the two.

```python
async with Simulator() as simulator:
    session = WxSession(simulator.appid, simulator.secret, base_url=simulator.url)
```
"""

from wxasset.simulator.faults.language import Fault, parse_fault
from wxasset.simulator.faults.schedule import FaultRule
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.server import Simulator
from wxasset.simulator.state.account import Article, JournalEntry, Material, TemporaryMedia

__all__ = [
    "Article",
    "Fault",
    "FaultRule",
    "JournalEntry",
    "Material",
    "Simulator",
    "SimulatorOptions",
    "TemporaryMedia",
    "parse_fault",
]
