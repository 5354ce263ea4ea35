"""A worker process that adds images without a name and resolves lost responses.

Arguments: the API's address, the appid, the secret, the number of the first image, and their count. Prints the id of
each image as JSON, and the number of lost responses.
"""

import json
import sys

import anyio

from pictures import picture
from wxasset import UploadOutcomeUnknown, UploadPolicy, WxSession

WIDTH = 8  # uploads at a time


async def add(wx: WxSession, number: int) -> tuple[str, int]:
    """Add an image, again only if the library is known not to have it; return its id and the lost responses."""
    lost = 0
    while True:
        try:
            added = await wx.add_material("image", picture(number))
        except UploadOutcomeUnknown as error:
            found = await error.resolve(wx)
            lost += 1
            if found is not None:
                return found.media_id, lost
        else:
            return added.media_id, lost + added.reconciled


async def main(url: str, appid: str, secret: str, first: int, count: int) -> None:
    """Add all images."""
    width = anyio.CapacityLimiter(WIDTH)
    results: dict[int, tuple[str, int]] = {}

    async def one(number: int) -> None:
        async with width:
            results[number] = await add(wx, number)

    async with (
        WxSession(appid, secret, base_url=url, uploads=UploadPolicy(visibility=0.5)) as wx,
        anyio.create_task_group() as group,
    ):
        for number in range(first, first + count):
            group.start_soon(one, number)
    ids = {number: media_id for number, (media_id, _) in results.items()}
    sys.stdout.write(json.dumps({"ids": ids, "lost": sum(lost for _, lost in results.values())}))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
