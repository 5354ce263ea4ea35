"""Standard streams that were closed before the command started, or that take nothing."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from command_line import HELD_UP, command, environment, variables, wait_for
from pictures import picture
from wxasset.simulator import Simulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sh that closes streams")


def ended(redirected: str, *arguments: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams redirected as a shell does it."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *command(*arguments)],
        env=environment(extra),
        input="",
        capture_output=True,
        encoding="utf-8",
        timeout=HELD_UP,
        check=False,
    )


@pytest.mark.parametrize(
    ("redirected", "arguments", "status", "words"),
    [
        ("<&-", ("get", "-"), 2, "No media_id was given."),
        (">&-", ("rm", "--dry-run", "x" * 20), 1, "wxasset: Bad file descriptor. "),
        (">&-", ("get", "--output", "-", "x" * 20), 5, "No credentials were found"),
        ("2>&-", ("nosuch",), 2, ""),
        ("<&- >&- 2>&-", ("nosuch",), 2, ""),
    ],
)
def test_a_closed_stream_is_no_defect(redirected: str, arguments: tuple[str, ...], status: int, words: str) -> None:
    """What is closed gives nothing and takes nothing; the status is as ever, and no traceback shows."""
    done = ended(redirected, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize(("redirected", "status"), [(">/dev/full", 1), (">pipe", 141)])
def test_the_id_of_an_upload_is_not_lost_with_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redirected: str, status: int
) -> None:
    """An upload is told on stderr if stdout takes nothing; without its id it would be made again."""
    file, pipe = tmp_path / "a.png", tmp_path / "pipe"
    file.write_bytes(picture(1))
    os.mkfifo(pipe)
    monkeypatch.chdir(tmp_path)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with Simulator() as service:
        service.fail("add_material", "delay-100ms")

        def close() -> None:
            wait_for(lambda: bool(service.journal))
            os.close(reader)

        closing = threading.Thread(target=close)
        closing.start()
        done = ended(redirected, "add", str(file), extra=variables(service))
        closing.join()
        (media_id,) = service.materials
    assert done.returncode == status
    assert media_id in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", [("completion", "bash"), ("rm", "--dry-run", "x" * 20), ("simulate",)])
def test_output_that_does_not_fit_is_one_line(arguments: tuple[str, ...]) -> None:
    """A disk that is full ends the command with one line on stderr and status 1."""
    done = ended(">/dev/full", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("wxasset: No space left on device. Check")
    assert done.stderr.count("\n") == 1
