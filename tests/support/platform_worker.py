"""A program of its own, as one worker of a third-party platform: a call for each of its accounts, all at once.

Arguments: the API's address, and the store (a path or a Redis address). Prints ``ready``, reads a line of JSON with
the platform's appid, secret and ticket as ``component`` and with the refresh tokens of its ``accounts``, makes the
calls, and prints as JSON what came of them: the failures, the seconds, the seconds of
CPU, the descriptors, the looks at records and the looks that may take a lease.
"""

import asyncio
import json
import os
import resource
import sys
import time
from contextlib import AbstractAsyncContextManager

from attrs import define

from wxasset import ComponentToken, FileTokenStore, Platform, RedisTokenStore, RetryPolicy
from wxasset.errors import WxAssetError
from wxasset.tokens.claims import Claim, Pauses
from wxasset.tokens.records import TokenRecord


def say(line: str) -> None:
    """Tell the parent process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@define
class Counting:
    """A store that counts what it is asked for."""

    store: FileTokenStore | RedisTokenStore
    loads: int = 0
    attempts: int = 0

    async def load(self, key: str) -> TokenRecord | None:
        """Count a look at a record."""
        self.loads += 1
        return await self.store.load(key)

    def attempt(self, key: str, known: Claim | None) -> AbstractAsyncContextManager[Claim]:
        """Count a look that may take the lease."""
        self.attempts += 1
        return self.store.attempt(key, known)

    def pauses(self, key: str) -> Pauses:
        """Return the pauses of the store."""
        return self.store.pauses(key)

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Save without a lease."""
        return await self.store.save(key, record)

    def lease(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold a lease."""
        return self.store.lease(key)

    async def aclose(self) -> None:
        """Close the store."""
        await self.store.aclose()


def cpu() -> float:
    """The seconds of CPU so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(url: str, where: str) -> None:
    """Make the calls."""
    # A busy machine may take its time; whether an answer comes in time is tested elsewhere.
    store = Counting(RedisTokenStore(where, timeout=10) if where.startswith("redis:") else FileTokenStore(where))
    failed: list[str] = []
    most = 0
    say("ready")
    work = json.loads(await asyncio.to_thread(sys.stdin.readline))
    component, once = ComponentToken(*work["component"]), RetryPolicy(attempts=1)
    async with Platform(component, store=store, base_url=url, retry=once) as platform:

        async def call(appid: str, refresh_token: str) -> None:
            nonlocal most
            try:
                await platform.session(appid, refresh_token=refresh_token).count_materials()
            except WxAssetError as error:
                failed.append(str(error))
            if appid.endswith("7"):  # not at each call: with the descriptors grows the time that it takes
                most = max(most, len(os.listdir("/proc/self/fd")))

        begun, before = time.perf_counter(), cpu()
        await asyncio.gather(*[call(*one) for one in work["accounts"].items()])
        figures = {"seconds": time.perf_counter() - begun, "cpu": cpu() - before, "open": most}
    await store.aclose()
    say(json.dumps({"failed": failed[:3], **figures, "loads": store.loads, "attempts": store.attempts}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
