"""Cost of a ledger in a batch: ``python benchmarks/ledger.py [--files 2000] [--size 20480] [--rounds 5] [--dsn DSN]``.

Each round uploads new images to a small server in another process: without a ledger, with one, and again with the same
one, where every file is skipped. Rates depend on the machine and its load; the ratios of one round, and the processor
time of this process for each file, hold longer. The median of the rates and the least processor time are printed.
"""

import argparse
import asyncio
import multiprocessing
import os
import re
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from attrs import frozen

from wxasset import Ledger, PostgresStore, StaticToken, WxSession

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
CONCURRENCY = 8
_EMPTY = b'{"item":[],"total_count":0,"item_count":0}'


class Answers(asyncio.Protocol):
    """Read each upload to its end, and answer with a new media_id; the library is shown empty."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with an empty buffer."""
        self.transport, self.buffer, self.left, self.listed = transport, b"", 0, False

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a body, without keeping them."""
        if self.left:
            self.left -= len(data)
        else:
            self.buffer += data
            head, found, body = self.buffer.partition(b"\r\n\r\n")
            length = LENGTH.search(head)
            if not found or length is None:
                return
            self.left, self.buffer = int(length[1]) - len(body), b""
            self.listed = b"batchget_material" in head
        if self.left <= 0:
            answer = _EMPTY
            if not self.listed:
                Answers.count += 1
                answer = b'{"media_id":"M%020d","url":"https://mmbiz.qpic.cn/a"}' % Answers.count
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.write(head + answer)
            self.left = 0


def serve(ready: Connection) -> None:
    """Serve until the process is ended."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@frozen
class Spent:
    """Seconds of a run, those of the processor, and those of them that the thread of the loop took."""

    wall: float
    cpu: float
    loop: float


async def timed(wx: WxSession, paths: list[Path], ledger: Ledger | None) -> Spent:
    """Run one batch."""
    wall, cpu, loop = time.perf_counter(), time.process_time(), time.thread_time()
    report = await wx.add_materials("image", paths, ledger=ledger, concurrency=CONCURRENCY).report()
    spent = Spent(time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - loop)
    if not report.complete:
        raise SystemExit(f"{report}; {(*report.failed, *report.unknown, *report.left)[0]!r:.300}")
    return spent


def images(directory: Path, count: int, size: int) -> list[Path]:
    """Write images that differ, and have not been changed for long."""
    directory.mkdir()
    paths = [directory / f"{number:06}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(max(16, size - 8)))
        os.utime(path, (1e9, 1e9))
    return paths


async def one_round(url: str, directory: Path, make: Callable[[], Ledger], files: int, size: int) -> list[Spent]:
    """Return what three runs took: without a ledger, with a new one, and with the same one again."""
    paths = images(directory, files, size)
    async with WxSession("wx0000000000000001", tokens=StaticToken("T"), base_url=url) as wx:
        await timed(wx, paths[:50], None)
        spent = [await timed(wx, paths, None)]
        for _ in range(2):
            async with make() as ledger:
                spent.append(await timed(wx, paths, ledger))
    return spent


def measure(arguments: argparse.Namespace, url: str) -> None:
    """Print a line for each store."""
    files, names = arguments.files, ["sqlite", *(["postgres"] if arguments.dsn else [])]
    for name in names:
        rounds = []
        for number in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as base:
                at = Path(base)

                def make(at: Path = at, name: str = name) -> Ledger:
                    if name == "sqlite":
                        return Ledger(at / "uploads.db")
                    return Ledger(PostgresStore(arguments.dsn), index=at / "files.db")

                rounds.append(asyncio.run(one_round(url, at / "images", make, files, arguments.size)))
            print(".", end="" if number + 1 < arguments.rounds else "\n", flush=True)
        without, first, second = (
            Spent(
                statistics.median(one.wall for one in runs),
                min(one.cpu for one in runs),  # what else the machine does adds to it, and never takes away from it
                min(one.loop for one in runs),
            )
            for runs in zip(*rounds, strict=True)
        )
        ratio = statistics.median(one[0].wall / one[1].wall for one in rounds)
        print(
            f"{name}: {files:,} files of {arguments.size:,} bytes\n"
            f"  without   {files / without.wall:7,.0f} a second  {_cpu(without, files)}\n"
            f"  first run {files / first.wall:7,.0f} a second  {_cpu(first, files)}"
            f"  {ratio:.2f} of the rate without\n"
            f"  second    {second.wall:7.2f} s         {_cpu(second, files)}\n"
            f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"
        )


def _cpu(spent: Spent, files: int) -> str:
    return f"{1e6 * spent.cpu / files:6,.0f} us CPU a file, of which the loop {1e6 * spent.loop / files:5,.0f}"


def main() -> None:
    """Start the server, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--size", type=int, default=20_480)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dsn", help="measure PostgreSQL as well")
    arguments = parser.parse_args()
    ready, given = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(given,), daemon=True)
    server.start()
    try:
        measure(arguments, f"http://127.0.0.1:{ready.recv()}")
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
