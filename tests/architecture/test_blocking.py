"""Every test fails in which wxasset blocks its event loop; here it is seen that this watch is on, and where."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError

import wxasset
from wxasset import WxSession
from wxasset.transfer.threads import run_in_thread

INSIDE = str(Path(wxasset.__file__).parent / "transfer" / "invented.py")


def inside(function: Callable[..., Any], *arguments: Any, filename: str = INSIDE) -> Callable[[], Any]:
    """Make a function that calls another one from a file of the package."""
    scope: dict[str, Any] = {"function": function, "arguments": arguments}
    exec(compile("def call():\n    return function(*arguments)\n", filename, "exec"), scope)  # noqa: S102 - our own text
    call: Callable[[], Any] = scope["call"]
    return call


HERE = Path(__file__)


def connect() -> None:
    """Connect to a port where nobody listens."""
    with socket.socket() as client:
        client.connect(("127.0.0.1", 1))


BLOCKING: dict[str, Callable[[], object]] = {
    "time.sleep": lambda: time.sleep(0),
    "open": lambda: open(__file__, "rb"),
    "Path.open": lambda: HERE.open("rb"),
    "Path.read_bytes": HERE.read_bytes,
    "Path.stat": HERE.stat,
    "Path.replace": lambda: Path("no such file").replace("nor this"),
    "Path.unlink": lambda: Path("no such file").unlink(),
    "os.open": lambda: os.open(__file__, os.O_RDONLY),
    "os.listdir": lambda: os.listdir(HERE.parent),
    "socket.connect": connect,
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
}


@pytest.mark.parametrize("name", BLOCKING)
async def test_the_watch_is_on(name: str) -> None:
    """What blocks in the event loop, called from the package, is an error in every asynchronous test."""
    with pytest.raises(BlockingError):
        inside(BLOCKING[name])()


async def test_the_watch_looks_at_the_package_alone(tmp_path: Path) -> None:
    """Tests may block, and so may a thread of the package."""
    inside(time.sleep, 0, filename=__file__)()
    (tmp_path / "file").write_bytes(b"x")
    assert await run_in_thread(inside((tmp_path / "file").read_bytes)) == b"x"


def test_the_watch_is_on_in_loops_that_tests_start_themselves() -> None:
    """A test that runs an event loop of its own is watched as well, and one without a loop may block."""
    inside(time.sleep, 0)()

    async def work() -> None:
        with pytest.raises(BlockingError):
            inside(time.sleep, 0)()

    asyncio.run(work())


async def test_a_callback_that_blocks_is_noticed(wx: WxSession, photo: bytes) -> None:
    """The watch holds in the tasks that are started on the way: a `progress` that blocks fails its upload."""
    with pytest.raises(BlockingError):
        await wx.add_material("image", photo, progress=lambda *_: time.sleep(0))


PROGRAM = str(HERE.parents[1] / "support" / "blocking.py")
# Unbuffered: an interpreter that flushes a watched stream at its very end crashes.
ENVIRONMENT = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(wxasset.__file__).parent.parent)}


def test_the_demo_does_not_block_either() -> None:
    """`wxasset demo`, which other tests run as a program of its own, blocks nothing under the same watch."""
    done = run(PROGRAM, "demo")
    assert "6 identical" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


async def test_the_simulator_does_not_block_either(photo: bytes) -> None:
    """`wxasset simulate` blocks nothing under the same watch while it serves a session."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM, "simulate"),
        stdout=-1,
        stderr=-1,
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": ""},  # or the watch misses what is printed in the loop
    )
    assert process.stdout is not None
    told: dict[str, str] = {}
    try:
        while "WXASSET_SECRET" not in told and (line := await asyncio.wait_for(process.stdout.readline(), 30)):
            name, _, value = line.decode().strip().removeprefix("export ").partition("=")
            told[name] = value
        if "WXASSET_SECRET" in told:
            appid, secret, url = (told[f"WXASSET_{name}"] for name in ("APPID", "SECRET", "BASE_URL"))
            async with WxSession(appid, secret, base_url=url) as wx:
                await wx.add_material("image", photo)
    finally:
        if process.returncode is None:
            process.terminate()
        _, complaints = await asyncio.wait_for(process.communicate(), 30)
    assert b"BlockingError" not in complaints
    assert "WXASSET_SECRET" in told, complaints.decode()


def test_the_watch_sees_a_command_that_blocks() -> None:
    """The program that runs the commands raises where they block."""
    code = (
        "import asyncio, runpy, sys, time\n"
        "import wxasset.cli.demo, wxasset.__main__ as main\n"
        "scope = {'time': time}\n"
        f"exec(compile('async def work():\\n    time.sleep(0)', {INSIDE!r}, 'exec'), scope)\n"
        "main.main = lambda: asyncio.run(scope['work']())\n"
        f"runpy.run_path({PROGRAM!r}, run_name='__main__')\n"
    )
    done = run("-c", code)
    assert done.returncode != 0
    assert "Blocking call to time.sleep" in done.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=ENVIRONMENT, timeout=30, check=False
    )
