"""The command line as a process: in a pipe and on a real terminal."""

import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

import wxasset
from wxasset.simulator import Simulator

ROOT: Final = Path(wxasset.__file__).parent.parent
HELD_UP: Final = 30.0  # seconds; no command here takes as long, unless something hangs


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a user who has set nothing but `extra`."""
    ours = ("WXASSET_", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "XDG_CONFIG_HOME")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | dict(extra or {})


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
        seen = b""
        try:
            while chunk := read(ours):
                seen += chunk
                if b"[y/N]" in chunk:
                    os.write(ours, f"{answer}\n".encode())
        finally:
            os.close(ours)
        return Screen(seen.decode("utf-8", "replace").replace("\r\n", "\n"), process.wait(HELD_UP))


def read(terminal: int) -> bytes:
    """Read from a pseudo-terminal; Linux reports its end as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
