"""Speed of the simulator against what it holds: ``python benchmarks/simulator.py [--quick]``.

One client with one connection sends requests to a simulator in a thread of the same process, so each rate includes the
client. The figures to compare are those of one run: the first and the last line of each table.
"""

import argparse
import http.client
import time
from collections.abc import Callable, Iterator

from wxasset.simulator import Material, Simulator

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


def rate(act: Callable[[], object], times: int) -> float:
    """Return how many times a second something can be done."""
    began = time.perf_counter()
    for _ in range(times):
        act()
    return times / (time.perf_counter() - began)


def journal(steps: tuple[int, ...]) -> Iterator[str]:
    """Requests a second at each size of the journal."""
    with Simulator() as sim:
        client = Client(sim)
        for step in steps:
            while len(sim.journal) < step:
                client.call("get_materialcount")
            best = max(rate(lambda: client.call("get_materialcount"), 500) for _ in range(5))
            yield f"{len(sim.journal):>9,} entries  {best:>7,.0f} requests a second"


def library(sizes: tuple[int, ...]) -> Iterator[str]:
    """Milliseconds of a count and of a page, at each size of the library."""
    with Simulator() as sim:
        client = Client(sim)
        for size in sizes:
            for number in range(len(sim.materials), size):
                name = f"{number:064}"
                sim.materials[name] = Material(media_id=name, type="image", update_time=number)
            for what, offset in (("get_materialcount", 0), ("batchget_material", 0), ("batchget_material", size - 20)):
                body = b'{"type":"image","offset":%d,"count":20}' % offset
                spent = 1000 / max(rate(lambda b=body, w=what: client.call(w, b), 20) for _ in range(5))  # type: ignore[misc]
                yield f"{size:>9,} materials  {what} at {offset:>6,}: {spent:6.2f} ms"


def uploads(steps: tuple[int, ...]) -> Iterator[str]:
    """Uploads a second on the way."""
    with Simulator() as sim:
        client = Client(sim)
        for step in steps:
            while len(sim.materials) < step - 500:
                client.upload()
            yield f"{step:>9,} materials  {rate(client.upload, 500):>7,.0f} uploads of 20 KB a second"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    tenth = 10 if parser.parse_args().quick else 1
    for lines in (
        journal((600, 50_000 // tenth, 100_000 // tenth)),
        library((100, 99_000 // tenth)),
        uploads((1_000, 2_000) if tenth > 1 else (1_000, 5_000, 10_000)),
    ):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
