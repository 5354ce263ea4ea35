"""A program of its own, as one worker of a third-party platform: a call for each of its accounts, all at once.

Arguments: the API's address, the store (a path or a Redis address), the first account and the number of accounts.
Prints ``ready``, waits for a line on its input, makes the calls, and prints as JSON what came of them.
"""

import asyncio
import json
import os
import resource
import sys
import time

from platform_server import COMPONENT
from wxasset import FileTokenStore, Platform, RedisTokenStore, RetryPolicy
from wxasset.errors import WxAssetError


def say(line: str) -> None:
    """Tell the parent process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(url: str, where: str, first: int, count: int) -> None:
    """Make the calls."""
    # A busy machine may take its time; whether an answer comes in time is tested elsewhere.
    store = RedisTokenStore(where, timeout=10) if where.startswith("redis:") else FileTokenStore(where, wait=60)
    failed: list[str] = []
    most = 0
    async with Platform(COMPONENT, store=store, base_url=url, retry=RetryPolicy(attempts=1)) as platform:

        async def call(appid: str) -> None:
            nonlocal most
            try:
                await platform.session(appid, refresh_token=f"refreshtoken@@@{appid}-0").count_materials()
            except WxAssetError as error:
                failed.append(str(error))
            most = max(most, len(os.listdir("/proc/self/fd")))

        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        begun = time.perf_counter()
        await asyncio.gather(*[call(f"wx{number}") for number in range(first, first + count)])
        seconds = time.perf_counter() - begun
    await store.aclose()
    used = resource.getrusage(resource.RUSAGE_SELF)
    say(json.dumps({"failed": failed[:3], "seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "open": most}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
