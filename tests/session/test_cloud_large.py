"""A large file goes to cloud storage and back, and its reader's memory stays flat.

256 MiB by default; ``nox -s large`` makes it 1 GiB by the environment variable WXASSET_LARGE.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

import wxasset
from wxasset.simulator import Simulator

pytestmark = pytest.mark.usefixtures("unmeasured")

MIB: Final = 1024 * 1024
SIZE: Final = int(os.environ.get("WXASSET_LARGE", "256"))  # MiB
MOST: Final = 16  # MiB that the client's peak may grow by; measured are 2 for 256 MiB and for 1 GiB

CLIENT: Final = """
import asyncio, resource, sys, time
from pathlib import Path
from wxasset import DownloadPolicy, WxSession

async def main(url, appid, secret, media, to):
    near = DownloadPolicy(allow_private_hosts=True)
    async with WxSession(appid, secret, base_url=url, downloads=near) as wx:
        await wx.download_file("env", await wx.upload_file("env", "small.bin", b"x" * 2_000_000), to)
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        fileid = await wx.upload_file("env", "large.bin", Path(media))
        there = time.monotonic()
        saved = await wx.download_file("env", fileid, to)
        back = time.monotonic()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(grown // 1024, f"{there - begun:.1f}", f"{back - there:.1f}", saved.size, saved.sha256)

asyncio.run(main(*sys.argv[1:]))
"""


@frozen
class Large:
    """A large file: where it is, where it shall go, and its hash."""

    media: Path
    to: Path
    sha256: str


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Large]:
    """A file whose blocks are all different, and gone afterwards."""
    made, block, seen = tmp_path / "large.bin", os.urandom(MIB), hashlib.sha256()
    with made.open("wb") as file:
        for number in range(SIZE):
            data = number.to_bytes(8, "big") + block[8:]
            file.write(data)
            seen.update(data)
    yield Large(made, tmp_path / "back.bin", seen.hexdigest())
    for one in tmp_path.iterdir():
        one.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss has other units")
async def test_a_large_file_goes_there_and_back_in_flat_memory(
    sim: Simulator, large: Large, figures: list[str]
) -> None:
    """In a process of its own the client's peak grows by less than 16 MiB, and every byte comes back."""
    sim.fail("link", f"cut-reply-after-{SIZE // 2}M", after=3)  # the download of the large one, in the middle
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, sim.url, sim.appid, sim.secret, str(large.media), str(large.to)),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(wxasset.__file__).parents[1])},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    grown, there, back, size, sha256 = output.decode().split()
    figures.append(f"large: {SIZE} MiB there in {there} s, back in {back} s, peak grown by {grown} MiB")
    assert (int(size), sha256) == (SIZE * MIB, large.sha256)
    assert int(grown) < MOST
    assert sim.unused_faults == ()
    assert large.to.stat().st_size == SIZE * MIB
