"""A program of its own, as one worker of many: 50 calls at once with a token from a shared store.

Arguments: the API's address, the store (a path or a Redis address), the kind of token. Prints ``ready``, waits for a
line on its input, makes the calls, and prints how many were answered.
"""

import sys

import anyio

from wxasset import ClassicToken, FileTokenStore, RedisTokenStore, RetryPolicy, StableToken, WxSession

CALLS = 50


def say(line: str) -> None:
    """Tell the parent process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(url: str, where: str, kind: str) -> None:
    """Make the calls."""
    # How long an answer of Redis may take is tested elsewhere: here many processes share a busy machine.
    redis = where.startswith("redis:")
    store = RedisTokenStore(where, timeout=10, wait=60) if redis else FileTokenStore(where, wait=60)
    source = (ClassicToken if kind == "classic" else StableToken)("wx0123456789abcdef", "CANARYSECRET0123456789")
    answered = 0
    async with WxSession(tokens=source, store=store, base_url=url, retry=RetryPolicy(attempts=1)) as wx:

        async def call() -> None:
            nonlocal answered
            await wx.count_materials()
            answered += 1

        say("ready")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        async with anyio.create_task_group() as group:
            for _ in range(CALLS):
                group.start_soon(call)
    await store.aclose()
    say(f"answered {answered}")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
