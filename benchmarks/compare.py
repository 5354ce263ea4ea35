"""Compare wxasset with what users would pick instead: side by side in one run, as medians of pair ratios.

Run with `nox -s bench`. Every client does the same work against one server in a process of its own; the rounds
are interleaved, so that what disturbs one disturbs all. A ratio above 1 means that wxasset is faster.
"""

import argparse
import asyncio
import hashlib
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import aiohttp
import anyio
from attrs import frozen
from wechatpy import WeChatClient

import server
from wxasset import Call, SavedMaterial, Token, TokenCache, WxSession
from wxasset.tokens.token import Exchange

CONCURRENCY = 8


@frozen
class Work:
    """A benchmark: what each client does `count` times, `CONCURRENCY` at a time."""

    name: str
    count: int
    clients: dict[str, Callable[[int], Awaitable[None]]]


async def in_tasks(count: int, call: Callable[[], Awaitable[None]]) -> None:
    """Make calls in `CONCURRENCY` tasks."""
    todo = iter(range(count))

    async def worker() -> None:
        for _ in todo:
            await call()

    async with anyio.create_task_group() as group:
        for _ in range(CONCURRENCY):
            group.start_soon(worker)


async def in_threads(pool: ThreadPoolExecutor, count: int, call: Callable[[], Any]) -> None:
    """Make calls in as many threads."""

    def everything() -> None:
        for done in [pool.submit(call) for _ in range(count)]:
            done.result()

    await anyio.to_thread.run_sync(everything)


class Clients:
    """The clients that are compared, and the work that each of them can do."""

    def __init__(self, url: str, directory: Path, wx: WxSession, http: aiohttp.ClientSession) -> None:
        self.url, self.directory, self.wx, self.http = url, directory, wx, http
        self.pool = ThreadPoolExecutor(CONCURRENCY)
        self.peer = type("Peer", (WeChatClient,), {"API_BASE_URL": f"{url}/cgi-bin/"})("wx1", "s", access_token="token")
        self.peer.session.set(f"{self.peer.appid}_access_token", "token")
        self.peer.expires_at = 2**40

    def upload(self, size: int, count: int) -> Work:
        """Add a file of so many bytes as an image."""
        path = self.directory / f"{size}.jpg"
        path.write_bytes(server.MEDIA[:size])
        target = f"{self.url}/cgi-bin/material/add_material"

        async def ours() -> None:
            assert (await self.wx.add_material("image", path)).media_id == "M"

        async def naive() -> None:
            with path.open("rb") as file:
                form = aiohttp.FormData()
                form.add_field("media", file, filename=path.name)
                async with self.http.post(
                    target, params={"access_token": "token", "type": "image"}, data=form
                ) as reply:
                    assert (await reply.json())["media_id"] == "M"

        def theirs() -> None:
            with path.open("rb") as file:
                assert self.peer.material.add("image", file)["media_id"] == "M"

        return self._work(f"upload {size:,} bytes by path", count, ours, naive, theirs)

    def download(self, count: int) -> Work:
        """Save a file of 10 MiB to disk."""
        path = self.directory / "out.jpg"
        expected = hashlib.sha256(server.MEDIA).hexdigest()
        target = f"{self.url}/cgi-bin/material/get_material"

        async def ours() -> None:
            saved = await self.wx.get_material("M", to=path)
            assert isinstance(saved, SavedMaterial)
            assert saved.sha256 == expected

        async def naive() -> None:
            async with self.http.post(target, params={"access_token": "token"}, json={"media_id": "M"}) as reply:
                (self.directory / "naive.jpg").write_bytes(await reply.read())

        def theirs() -> None:
            (self.directory / "theirs.jpg").write_bytes(self.peer.material.get("M").content)

        return self._work(f"download {len(server.MEDIA):,} bytes to disk", count, ours, naive, theirs)

    def count(self, count: int) -> Work:
        """Make a small JSON call."""
        target = f"{self.url}/cgi-bin/material/get_materialcount"

        async def ours() -> None:
            assert (await self.wx.count_materials()).image == 3

        async def naive() -> None:
            async with self.http.get(target, params={"access_token": "token"}) as reply:
                assert (await reply.json())["image_count"] == 3

        def theirs() -> None:
            assert self.peer.material.get_count()["image_count"] == 3

        return self._work("count the library", count, ours, naive, theirs)

    def _work(
        self,
        name: str,
        count: int,
        ours: Callable[[], Awaitable[None]],
        naive: Callable[[], Awaitable[None]],
        theirs: Callable[[], None],
    ) -> Work:
        return Work(
            name,
            count,
            {
                "wxasset": lambda times: in_tasks(times, ours),
                "naive aiohttp": lambda times: in_tasks(times, naive),
                "wechatpy, 8 threads": lambda times: in_threads(self.pool, times, theirs),
            },
        )


async def measure(work: Work, rounds: int) -> None:
    """Run the rounds, and print what they show."""
    seconds: dict[str, list[float]] = {name: [] for name in work.clients}
    for number in range(rounds + 1):
        for name, run in work.clients.items():
            started = perf_counter()
            await run(work.count)
            if number:  # the first round warms up
                seconds[name].append(perf_counter() - started)
    print(f"\n{work.name}, {work.count} times, {CONCURRENCY} at a time, {rounds} rounds")
    for name, taken in seconds.items():
        ratios = sorted(other / own for other, own in zip(taken, seconds["wxasset"], strict=True))
        spread = f"{median(ratios):5.2f} [{ratios[0]:.2f}..{ratios[-1]:.2f}]" if name != "wxasset" else "    1"
        print(f"  {name:22} {work.count / median(taken):9.1f} a second   wxasset is faster by {spread}")


class _Never:
    """A source of tokens that never answers."""

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        del exchange, previous, rejected
        await anyio.sleep_forever()
        raise AssertionError


async def cancel_waiters(count: int) -> None:
    """Cancel calls that wait for one token, all at once, and print how long that takes the loop."""
    cache = TokenCache(_Never())

    async def exchange(call: Call[Any], /) -> Any:
        raise AssertionError(call)

    waiters = [asyncio.create_task(cache.acquire(exchange)) for _ in range(count)]
    await asyncio.sleep(0)
    started = perf_counter()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.wait(waiters)
    print(f"\n{count:,} waiters for a token, cancelled at once: {(perf_counter() - started) * 1000:.0f} ms in all")
    await cache.release(exchange)


async def main(rounds: int) -> None:
    """Run every benchmark."""
    print(
        f"Python {sys.version.split()[0]}, aiohttp {aiohttp.__version__}, {os.cpu_count()} cores, plain HTTP, loopback"
    )
    with server.running() as url, tempfile.TemporaryDirectory() as directory:
        async with WxSession("wx1", "s", base_url=url) as wx, aiohttp.ClientSession() as http:
            clients = Clients(url, Path(directory), wx, http)
            for work in (
                clients.upload(10 * 1024 * 1024, 40),
                clients.upload(64 * 1024, 400),
                clients.download(24),
                clients.count(1000),
            ):
                await measure(work, rounds)
        await cancel_waiters(16_000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    anyio.run(main, parser.parse_args().rounds)
