"""A program of its own that adds images to a library, with a budget in Redis.

Arguments: the API's address, the appid, the secret, the address of Redis, the first number, the number of images.
Prints how many images were added, left and failed.
"""

import json
import sys

import anyio

from pictures import picture
from wxasset import CallBudget, WxSession


async def main(*arguments: str) -> None:
    """Add the images."""
    url, appid, secret, redis, first, count = arguments
    async with (
        CallBudget(redis, timeout=0.2) as budget,
        WxSession(appid, secret, base_url=url, budget=budget) as wx,
    ):
        await wx.count_materials()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        numbers = range(int(first), int(first) + int(count))
        report = await wx.add_materials("image", [picture(number) for number in numbers]).report()
    told = {"done": report.done, "left": len(report.left), "failed": [str(one.error) for one in report.failed]}
    sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:7])
