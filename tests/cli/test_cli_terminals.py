"""Each command on terminals of 40 and 80 columns, in a pipe and as JSON, in several environments.

One process runs all commands of a case, so that the interpreter starts once.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen
from rich.cells import cell_len

from command_line import HELD_UP, environment, needs_signals, needs_terminals, on_terminal, read, serving, variables
from wxasset import WxSession
from wxasset.cli.demo.plan import SAMPLES
from wxasset.simulator import Simulator

SAMPLE: Final = {piece.path.name: piece.path for piece in SAMPLES}
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
END: Final = "=== "
DRIVER: Final = f"""
import json, signal, sys
import wxasset.__main__
from wxasset.cli import run
for line in json.loads(sys.argv[1]):
    sys.argv = ["wxasset", *line]
    try:
        wxasset.__main__.main()
    except SystemExit as exit:
        status = exit.code
    print({END!r} + str(status), flush=True)
"""
COMMANDS: Final = (
    "add photo.jpg voice.mp3",
    "ls image",
    "get {image} -o downloads/",
    "count",
    "image drawing.png",
    "media add voice.mp3",
    "media get {media} -o media/",
    "batch posters --type image",
    "cloud put env photo.jpg reports/",
    "cloud url env {file}",
    "cloud get env {file} -o cloud/",
    "cloud rm env {file} --yes",
    "quota",
    "token",
    "doctor",
    "rm {image} --yes",
    "demo",
)
"""Every command; in braces are ids."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator in a thread."""
    with serving(monkeypatch) as simulator:
        yield simulator


@frozen(kw_only=True)
class Case:
    """Where commands are run: columns of a terminal (0: a pipe), further variables and options."""

    columns: int = 0
    more: Mapping[str, str] = {}
    options: tuple[str, ...] = ()
    ignored: bool = False


CASES: Final = {
    "40-zh": Case(columns=40, more={"LC_ALL": "", "LANG": "zh_CN.UTF-8", "PYTHONUTF8": "1"}),
    "80-C": Case(columns=80, more={"LC_ALL": "C"}),
    "80-no-color": Case(columns=80, more={"NO_COLOR": "1"}, ignored=True),
    "pipe-zh": Case(more={"LC_ALL": "", "LANG": "zh_CN.UTF-8", "PYTHONUTF8": "1"}),
    "json-C": Case(more={"LC_ALL": "C"}, options=("--json",)),
}


def prepared(service: Simulator, here: Path) -> list[list[str]]:
    """Make the files and things in the library that the commands are about; gives the commands."""
    for name, path in SAMPLE.items():
        shutil.copy(path, here / name)
    (here / "posters").mkdir()
    shutil.copy(SAMPLE["photo.jpg"], here / "posters" / "one.jpg")
    photo = SAMPLE["photo.jpg"].read_bytes()

    async def added() -> tuple[str, str]:
        async with WxSession(service.appid, service.secret, base_url=service.url) as wx:
            image = await wx.add_material("image", photo, filename="海报 photo.jpg")
            return image.media_id, (await wx.upload_media("image", photo)).media_id

    image, media = asyncio.run(added())
    ids = {"image": image, "media": media, "file": service.add_cloud_file("env", "old/one.jpg", photo)}
    return [line.format_map(ids).split() for line in COMMANDS]


def outputs(lines: Sequence[Sequence[str]], case: Case, env: Mapping[str, str], here: Path) -> list[tuple[str, int]]:
    """Run commands in one process; gives the output and the status of each."""
    ours, theirs = os.openpty() if case.columns else os.pipe()
    if case.columns:
        import fcntl  # noqa: PLC0415 - there is none on Windows
        import termios  # noqa: PLC0415 - the same

        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, case.columns, 0, 0))
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN if case.ignored else signal.default_int_handler)
    try:  # a child inherits what is ignored
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", DRIVER, json.dumps([[*line, *case.options] for line in lines])],
            env=environment({"TERM": "xterm", **env, **case.more}),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            cwd=here,
        )
    finally:
        signal.signal(signal.SIGINT, handler)
    os.close(theirs)
    seen = b""
    while chunk := read(ours):
        seen += chunk
    os.close(ours)
    assert process.wait(HELD_UP) == 0
    parts = re.split(rf"^{END}(\d+)\n", seen.decode().replace("\r\n", "\n"), flags=re.MULTILINE)
    return [(parts[number], int(parts[number + 1])) for number in range(0, len(parts) - 1, 2)]


@needs_terminals
@pytest.mark.parametrize("name", CASES)
def test_every_command_everywhere(service: Simulator, tmp_path: Path, name: str) -> None:
    """Output fits the terminal, a pipe gets no control characters, JSON is JSON, and a locale is followed."""
    case, lines = CASES[name], prepared(service, tmp_path)
    found = outputs(lines, case, variables(service), tmp_path)
    assert len(found) == len(lines)
    for line, (text, status) in zip(lines, found, strict=True):
        assert status == 0, (line, text)
        assert text, line
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
        if case.columns and "rm" not in line:  # an id on a line of its own is wrapped by the terminal
            assert max(map(cell_len, plain.splitlines())) <= case.columns, (line, plain)
        colours = re.search(r"\x1b\[[0-9;]*3[0-9]m", text)
        assert colours is None or (case.columns and "NO_COLOR" not in case.more), line
        if not case.columns:
            assert "\x1b" not in text, line
        if case.options:
            assert all(json.loads(one) for one in text.splitlines()), line
        if line[0] in {"doctor", "quota"} and case.columns:
            assert bool(CHINESE.search(text)) is ("zh" in name), line


@needs_terminals
def test_a_slow_call_has_a_spinner(service: Simulator) -> None:
    """After a second without an answer a terminal says so; the words are gone when the result is there."""
    service.fail("get_materialcount", "stall-1300ms")
    seen = on_terminal("count", env=variables(service))
    assert "waiting for WeChat" in seen.text
    assert seen.text.index("waiting for WeChat") < seen.text.index("image")
    service.fail("get_materialcount", "stall-1300ms")
    assert "waiting" not in on_terminal("count", "-q", env=variables(service)).text


@needs_signals
@needs_terminals
def test_results_go_to_a_file_while_a_bar_is_shown(service: Simulator, tmp_path: Path) -> None:
    """The progress of a batch is drawn on the terminal alone, and its results are all in the file."""
    shutil.copy(SAMPLE["photo.jpg"], tmp_path / "one.jpg")
    shutil.copy(SAMPLE["drawing.png"], tmp_path / "two.png")
    ours, theirs = os.openpty()
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "wxasset", "batch", ".", "--type", "image"],
            env=environment({"TERM": "xterm", **variables(service)}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=theirs,
            cwd=tmp_path,
        )
    os.close(theirs)
    seen = b""
    while chunk := read(ours):
        seen += chunk
    os.close(ours)
    assert process.wait(HELD_UP) == 0
    assert [line.split("\t")[0] for line in (tmp_path / "out").read_text().splitlines()] == ["added"] * 2
    assert b"2/2" in seen
    assert b"B/s" in seen or b"bytes/s" in seen
