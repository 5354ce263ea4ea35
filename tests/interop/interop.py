"""Unmodified peers go their round against the simulator, each in an environment of its own.

``python tests/interop/interop.py DIRECTORY [TABLE] [NAME...]`` installs the peers below a directory, runs them, and
writes the table to a file. The exit status is 1 if a step went wrong without a fault of the client.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from judging import FILES, STEPS, problem
from peers import AS_THEY_ARE, PEERS, Peer
from report import Outcome, as_markdown

HERE: Final = Path(__file__).resolve().parent
PATIENCE: Final = 120  # seconds for a round, which takes a few


def install(peer: Peer, directory: Path) -> list[str]:
    """Install a peer, if that has not been done, and return the start of its command."""
    home = directory / peer.name.replace("/", "-").replace(" ", "-")
    home.mkdir(parents=True, exist_ok=True)
    for one in HERE.glob("*"):
        if one.suffix in {".cjs", ".mjs", ".py"}:
            shutil.copy(one, home)
    done = home / "installed.txt"
    wanted = " ".join(peer.packages)
    installer: list[str | Path]
    if not done.exists() or done.read_text("utf-8") != wanted:
        if peer.runtime == "python":
            subprocess.run([sys.executable, "-m", "venv", "--clear", home / "venv"], check=True)
            installer = [home / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet"]
        else:
            installer = ["npm", "install", "--silent", "--no-save", "--no-audit", "--prefix", home]
        if peer.packages:
            subprocess.run([*installer, *peer.packages], check=True)
        done.write_text(wanted, "utf-8")
    program, *arguments = peer.program
    run = "node" if peer.runtime == "node" else str(home / "venv" / "bin" / "python")
    return [run, str(home / program), *arguments]


@asynccontextmanager
async def simulating(options: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
    """Run an intercepting `wxasset simulate` as a process; what it prints."""
    command = [sys.executable, "-m", "wxasset", "simulate", "--intercept", "--json", *options]
    async with await anyio.open_process(command, stdin=None, stderr=None) as process:
        assert process.stdout is not None
        yield json.loads(await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 65536))
        process.terminate()


def fetch(url: str, *, variables: Mapping[str, str]) -> bytes:
    """Fetch a URL from the simulator, through its proxy."""
    proxies = urllib.request.ProxyHandler({"http": variables["HTTP_PROXY"], "https": variables["HTTPS_PROXY"]})
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    opener = urllib.request.build_opener(proxies, urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=10) as reply:
        content: bytes = reply.read()
        return content


async def go_round(peer: Peer, command: Sequence[str], directory: Path) -> dict[str, Outcome]:
    """Run a peer's program; the outcome of each step."""
    async with simulating(peer.options) as simulator:
        program = await anyio.run_process(
            command,
            check=False,
            stderr=None,
            cwd=directory,
            env={
                **os.environ,
                **simulator["variables"],
                "PYTHONUTF8": "1",
                "XDG_CONFIG_HOME": str(directory / "config"),
                "PEER_APPID": simulator["appid"],
                "PEER_SECRET": simulator["secret"],
            },
        )
        told = [json.loads(line) for line in program.stdout.decode().splitlines() if line.startswith("{")]
        answers = {one["step"]: one["answer"] for one in told}
        # While the simulator runs, which serves the bytes of the video.
        judge = partial(
            problem,
            answers=answers,
            names={**AS_THEY_ARE, **peer.names},
            fetch=partial(fetch, variables=simulator["variables"]),
        )
        problems = {step: await anyio.to_thread.run_sync(judge, step) for step in STEPS if step in answers}
    if program.returncode:
        problems["token"] = f"the program ended with status {program.returncode}"
    return {
        step: Outcome(offered=step in problems, problem=problems.get(step), fault=peer.faults.get(step))
        for step in STEPS
    }


async def main(directory: Path, table: Path | None, names: Sequence[str]) -> int:
    """Let every peer go its round, write the table, and print what went wrong."""
    outcomes: dict[str, dict[str, Outcome]] = {}
    for peer in PEERS:
        if names and peer.name.split()[0] not in names:
            continue
        command = install(peer, directory)
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in FILES.values():
                Path(scratch, name).write_bytes(content)
            with anyio.fail_after(PATIENCE):
                outcomes[peer.name] = await go_round(peer, command, Path(scratch))
        wrong = {step: one for step, one in outcomes[peer.name].items() if one.is_wrong}
        offered = sum(one.offered for one in outcomes[peer.name].values())
        print(f"{peer.name}: {offered - len(wrong)} of {offered} as they must be", flush=True)
        for step, one in wrong.items():
            print(f"  {step}: {one.problem or 'succeeded, though known as a fault of the client'}", flush=True)
    if table is not None:
        table.parent.mkdir(exist_ok=True)
        table.write_text(as_markdown(outcomes), "utf-8")
    return int(any(one.is_wrong for of in outcomes.values() for one in of.values()))


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] != "-" else None
    sys.exit(anyio.run(main, Path(sys.argv[1]).resolve(), target, sys.argv[3:]))
