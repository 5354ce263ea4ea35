"""A worker process that downloads a cloud file.

Arguments: the API's address, the appid, the secret, the file's id, and the path.
"""

import sys

import anyio

from wxasset import DownloadPolicy, WxSession


async def main() -> None:
    """Download the file."""
    url, appid, secret, fileid, to = sys.argv[1:]
    near = DownloadPolicy(allow_private_hosts=True)
    async with WxSession(appid, secret, base_url=url, downloads=near) as wx:
        await wx.download_file("env", fileid, to)


if __name__ == "__main__":
    anyio.run(main)
