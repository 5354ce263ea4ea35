"""Speed of the simulator against what it holds: ``python benchmarks/simulator.py [--quick]``.

One client with one connection sends requests to a simulator in a thread of the same process, so each figure includes
the client. A full simulator and an almost empty one take turns, 500 requests each, so that other load on the machine
meets both. The cost is the processor time of the process, and the ratio is the median of those of the turns.
"""

import argparse
import http.client
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from wxasset.simulator import Material, Simulator, SimulatorOptions

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20 * 1024)
BOUNDARY = "simulator-benchmark"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="media"; filename="a.png"\r\n\r\n'.encode()
    + PNG
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)
MATERIAL = "/cgi-bin/material"


class Client:
    """One connection to a simulator, with a token."""

    def __init__(self, sim: Simulator) -> None:
        self._connection = http.client.HTTPConnection(sim.url.removeprefix("http://"))
        self._token = sim.push_cloudbase_token()  # it has no daily limit

    def call(self, name: str, body: bytes = b"{}", content_type: str = "application/json") -> bytes:
        """Send one request and return the body of the response."""
        path = f"{MATERIAL}/{name}?cloudbase_access_token={self._token}&type=image"
        self._connection.request("POST", path, body, {"Content-Type": content_type})
        return self._connection.getresponse().read()

    def upload(self) -> bytes:
        """Add an image of 20 KB."""
        return self.call("add_material", FORM, f"multipart/form-data; boundary={BOUNDARY}")


class Cost(NamedTuple):
    """Seconds on the clock, and of the processor, that one request takes."""

    clock: float
    processor: float


def cost(act: Callable[[], object], times: int) -> Cost:
    """Measure something that is done so many times."""
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(times):
        act()
    return Cost((time.perf_counter() - clock) / times, (time.process_time() - processor) / times)


def compare(what: str, few: Callable[[], object], many: Callable[[], object], *, turns: int) -> str:
    """Let two simulators take turns, and return the rates of both and the ratio of their costs."""
    pairs = [(cost(few, 500), cost(many, 500)) for _ in range(turns)]
    rates = " and ".join(f"{1 / min(one.clock for one in side):,.0f}" for side in zip(*pairs, strict=True))
    ratio = median(full.processor / empty.processor for empty, full in pairs)
    return f"{what}: {rates} a second; processor time {ratio:.2f} of the first"


def journal(size: int, turns: int) -> Iterator[str]:
    """Requests with 600 entries in the journal, and with many."""
    with Simulator(options=SimulatorOptions(journal_cap=600)) as small, Simulator() as large:
        few, many = Client(small), Client(large)
        for client, sim, count in ((few, small, 600), (many, large, size)):
            while len(sim.journal) < count:
                client.call("get_materialcount")
        yield compare(
            f"requests with {len(small.journal):,} and {len(large.journal):,} entries",
            *(lambda: few.call("get_materialcount"), lambda: many.call("get_materialcount")),
            turns=turns,
        )


def library(sizes: tuple[int, ...]) -> Iterator[str]:
    """Milliseconds of the processor for a count and for a page, at each size of the library."""
    with Simulator() as sim:
        client = Client(sim)
        for size in sizes:
            for number in range(len(sim.materials), size):
                name = f"{number:064}"
                sim.materials[name] = Material(media_id=name, type="image", update_time=number)
            for what, offset in (("get_materialcount", 0), ("batchget_material", 0), ("batchget_material", size - 20)):
                body = b'{"type":"image","offset":%d,"count":20}' % offset
                spent = 1000 * min(cost(lambda b=body, w=what: client.call(w, b), 20).processor for _ in range(5))  # type: ignore[misc]
                yield f"{size:>9,} materials  {what} at {offset:>6,}: {spent:6.2f} ms"


def uploads(size: int, turns: int) -> Iterator[str]:
    """Uploads of 20 KB to a library of at most 1,000 materials, and to a large one."""
    with Simulator() as small, Simulator() as large:
        few, many = Client(small), Client(large)
        while len(large.materials) < size:
            many.upload()

        def upload() -> None:
            if len(small.materials) >= 1_000:
                small.materials.clear()
            few.upload()

        yield compare(f"uploads with up to 1,000 and over {size:,} materials", upload, many.upload, turns=turns)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    tenth, turns = (10, 5) if parser.parse_args().quick else (1, 11)
    for lines in (
        journal(100_000 // tenth, turns),
        library((100, 99_000 // tenth)),
        uploads(10_000 // tenth, turns),
    ):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
