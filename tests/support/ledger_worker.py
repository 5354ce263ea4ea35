"""A program of its own that adds a directory of images to a library, and may be killed at any time.

Arguments: the API's address, the appid, the secret, the directory, the ledger (a path, or a DSN). Prints how many
images it sent, how many it found done, how many failed, and the seconds that it took from the first to the last.
"""

import json
import logging
import sys
import time
from pathlib import Path

import anyio

from wxasset import Added, Ledger, PostgresStore, UploadPolicy, WxSession

LEASE = 0.5  # seconds; a host that was killed is soon taken over
VISIBILITY = 1.0  # seconds; the simulator carries nothing out later than this


async def main(url: str, appid: str, secret: str, directory: str, path: str) -> None:
    """Add what is not there yet."""
    sent = skipped = failed = 0
    begun = time.monotonic()
    async with (
        # Without adoption: the tests count requests, and stop a process in the moment of its claim.
        Ledger(PostgresStore(path, lease=LEASE) if "://" in path else path, adopt=False) as ledger,
        WxSession(
            appid, secret, base_url=url, uploads=UploadPolicy(visibility=VISIBILITY, settle=VISIBILITY), ledger=ledger
        ) as wx,
        wx.add_materials("image", sorted(Path(directory).iterdir())) as outcomes,
    ):
        async for outcome in outcomes:
            if isinstance(outcome, Added):
                skipped += outcome.skipped
                sent += not outcome.skipped
            else:
                failed += 1
                sys.stderr.write(f"{outcome.error}\n")
    told = {"sent": sent, "skipped": skipped, "failed": failed, "seconds": time.monotonic() - begun}
    sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    logging.getLogger("wxasset.ledger").addHandler(logging.StreamHandler())
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5])
