"""Unmodified peers go their material round against the simulator, which runs as a process of its own.

Prints a table of peers and steps; the exit status is 1 where a step went wrong. `nox -s interop` runs it.
"""

import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import anyio
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream
from attrs import field, frozen

from judging import FILES, STEPS, problem
from stand_in import standing_in

HERE: Final = Path(__file__).resolve().parent
PATIENCE: Final = 60  # seconds for a round, which takes two


@frozen(kw_only=True)
class Peer:
    """A library, and how the names that it sends differ from those of the files."""

    name: str
    command: Sequence[str]
    options: Sequence[str] = ()
    names: Mapping[str, str] = field(factory=dict)


AS_THEY_ARE: Final = {kind: name for kind, (name, _) in FILES.items()} | {"title": "标题", "introduction": "简介"}
PEERS: Final = (
    Peer(
        name="wechatpy",
        command=(sys.executable, str(HERE / "peer_wechatpy.py")),
        # It sends the description of a video in the query, with escapes, which stay what they are (2.1, 4.5).
        options=("--description-in-query",),
        names={"title": r"\u6807\u9898", "introduction": r"\u7b80\u4ecb"},
    ),
    Peer(
        name="WeRoBot",
        command=(sys.executable, str(HERE / "peer_werobot.py")),
        # It percent-encodes names of all but videos, and the material is named so (4.3).
        names={"image": quote(AS_THEY_ARE["image"])},
    ),
    Peer(name="co-wechat-api", command=("node", str(HERE / "peer_co_wechat_api.js"))),
)


@asynccontextmanager
async def simulating(options: Sequence[str]) -> AsyncIterator[dict[str, str]]:
    """Run `wxasset simulate` as a process; the variables that it prints."""
    command = [sys.executable, "-m", "wxasset", "simulate", *options]
    async with await anyio.open_process(command, stdin=None, stderr=None) as process:
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)
        variables: dict[str, str] = {}
        while "WXASSET_SECRET" not in variables:  # the last one
            name, _, value = (await lines.receive_until(b"\n", 4096)).decode().removeprefix("export ").partition("=")
            variables[name] = value
        yield variables
        process.terminate()


async def go_round(peer: Peer, directory: Path) -> dict[str, str | None]:
    """Run a peer's program; what is wrong with each step, by the names of the steps."""
    authority = directory / "authority.pem"
    async with simulating(peer.options) as simulator:
        url = simulator["WXASSET_BASE_URL"]
        async with standing_in(urlsplit(url).port or 80, authority) as proxy:
            program = await anyio.run_process(
                peer.command,
                check=False,
                stderr=None,
                cwd=directory,
                env={
                    **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
                    "HTTPS_PROXY": proxy,
                    "REQUESTS_CA_BUNDLE": str(authority),
                    "PEER_URL": url,
                    "PEER_APPID": simulator["WXASSET_APPID"],
                    "PEER_SECRET": simulator["WXASSET_SECRET"],
                },
            )
        told = [json.loads(line) for line in program.stdout.decode().splitlines()]
        answers = {one["step"]: one["answer"] for one in told}
        names = {**AS_THEY_ARE, **peer.names}
        # While the simulator runs, which serves the bytes of the video.
        return {step: await anyio.to_thread.run_sync(problem, step, answers, names) for step in STEPS}


async def main() -> int:
    """Let every peer go its round, and print what came of it."""
    outcomes: dict[str, dict[str, str | None]] = {}
    for peer in PEERS:
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch)
            for name, content in FILES.values():
                (directory / name).write_bytes(content)
            with anyio.fail_after(PATIENCE):
                outcomes[peer.name] = await go_round(peer, directory)
    return report(outcomes)


def report(outcomes: Mapping[str, Mapping[str, str | None]]) -> int:
    """Print the table, and below it what went wrong; the exit status."""
    print(f"{'':14}" + "".join(f"{name:>15}" for name in outcomes))
    for step in STEPS:
        print(f"{step:14}" + "".join(f"{'ok' if of[step] is None else 'WRONG':>15}" for of in outcomes.values()))
    wrong = [f"{name}, {step}: {text}" for name, of in outcomes.items() for step, text in of.items() if text]
    print("\n".join(wrong) if wrong else f"{len(outcomes)} peers, {len(STEPS)} steps each: all as they must be.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
