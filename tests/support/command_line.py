"""The command line as a process: in a pipe and on a real terminal."""

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

import wxasset
from wxasset.cli import run
from wxasset.simulator import Simulator

ROOT: Final = Path(wxasset.__file__).parent.parent
CTRL_C: Final = "\x03"
HELD_UP: Final = 30.0  # seconds; no command here takes as long, unless something hangs


needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to one process")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of an English-speaking user who has set nothing but `extra`."""
    ours = ("WXASSET_", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "XDG_CONFIG_HOME")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"} | dict(extra or {})


def variables(service: Simulator) -> dict[str, str]:
    """The environment variables that lead to a simulator."""
    return {"WXASSET_APPID": service.appid, "WXASSET_SECRET": service.secret, "WXASSET_BASE_URL": service.url}


def command(*arguments: str | Path) -> list[str]:
    """The command line, with every warning an error."""
    return [sys.executable, "-W", "error", "-m", "wxasset", *map(str, arguments)]


def piped(
    *arguments: str | Path, env: Mapping[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal."""
    return subprocess.run(
        command(*arguments),
        env=environment(env),
        input=given,
        capture_output=True,
        encoding="utf-8",
        timeout=HELD_UP,
        check=False,
    )


@frozen
class Screen:
    """What was to be seen on a terminal, and how the command ended."""

    text: str
    status: int


def on_terminal(
    *arguments: str | Path, env: Mapping[str, str] | None = None, answer: str = "y", term: str = "xterm"
) -> Screen:
    """Run a command on a pseudo-terminal of 120 columns, and answer what it asks."""
    import fcntl  # noqa: PLC0415 - there is none on Windows
    import termios  # noqa: PLC0415 - the same

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    with subprocess.Popen(
        command(*arguments),
        env=environment({"TERM": term, **(env or {})}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen, answered = b"", 0
        try:
            while chunk := read(ours):
                seen += chunk
                if seen.count(b"[y/N]") == answered:  # a question may come in two pieces
                    continue
                answered += 1
                if answer == CTRL_C:
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, f"{answer}\n".encode())
        finally:
            os.close(ours)
        return Screen(seen.decode("utf-8", "replace").replace("\r\n", "\n"), process.wait(HELD_UP))


def read(terminal: int) -> bytes:
    """Read from a pseudo-terminal; Linux reports its end as an error, and one that says nothing for long has hung."""
    if not select.select([terminal], [], [], HELD_UP)[0]:
        return b""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Run a simulator in a thread, and lead the environment of this process to it."""
    with Simulator() as simulator:
        for name in list(os.environ):
            if name.startswith("WXASSET_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("LC_ALL", "C.UTF-8")  # the command line speaks the language of the locale
        for name, value in variables(simulator).items():
            monkeypatch.setenv(name, value)
        yield simulator


def sent(service: Simulator, endpoint: str) -> int:
    """How often an endpoint was called."""
    return sum(entry.path.endswith(endpoint) for entry in service.journal)


class Command:
    """Runs a command in this process and keeps what it wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> "Ended":
        """Run it to its end."""
        status = run([*map(str, arguments)])
        out, err = self._capsys.readouterr()
        return Ended(status=status, out=out, err=err)


@frozen(kw_only=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its results, as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def told(self) -> list[dict[str, Any]]:
        """Its errors and notes, as JSON."""
        return [json.loads(line) for line in self.err.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """Its results, as columns."""
        return [line.split("\t") for line in self.out.splitlines()]


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until something has happened, for a bounded time."""
    deadline = time.monotonic() + HELD_UP
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
