"""The command `wxasset web`: how it starts, what it refuses, and how it ends."""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from command_line import HELD_UP, Command, command, environment, needs_signals, variables
from wxasset.cli.commands import web
from wxasset.simulator import Simulator

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - refused, or with a password
ACCOUNT: Final = {"WXASSET_APPID": "wx0123456789abcdef", "WXASSET_SECRET": "s" * 32}


@needs_signals
@pytest.mark.parametrize("simulate", [True, False])
def test_it_serves_until_ctrl_c(service: Simulator, simulate: bool) -> None:
    """The printed address opens the page, on a simulator of its own or with the account of the environment."""
    options = ["--simulate"] if simulate else []
    with subprocess.Popen(
        command("web", "--port", "0", "--json", *options),
        env=environment({} if simulate else variables(service)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        with httpx.Client(follow_redirects=True) as browser:
            assert "<title>Library</title>" in browser.get(told["url"]).text
            about = browser.get(httpx.URL(told["url"]).join("/api/about")).json()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HELD_UP)
    assert (process.returncode, err) == (0, "")
    assert (told["simulated"], told["appid"] == service.appid) == (True, not simulate)
    assert about["appid"] == told["appid"]


@needs_signals
def test_a_token_is_printed_for_each_browser(service: Simulator) -> None:
    """On stderr stand the account and the address; after a browser has entered, the next token."""
    with subprocess.Popen(
        command("web", "--port", "0"), env=environment(variables(service)), stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        assert f"Library of {service.appid} at 127.0.0.1:" in first
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+/\?token=\S{22}$", second)
        assert httpx.get(url).status_code == 303
        assert re.search(r"token=\S{22}$", third := process.stderr.readline())
        assert third != second
        process.terminate()
        assert process.wait(HELD_UP) == 0


def refused(wxasset: Command, monkeypatch: pytest.MonkeyPatch, *options: Any, **variables: str) -> dict[str, Any]:
    """Run the command with an environment of its own to its refusal."""
    for name in ("WXASSET_APPID", "WXASSET_SECRET", "WXASSET_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = wxasset("web", "--json", *options)
    assert ended.status != 0
    (told,) = ended.told
    return {**told, "status": ended.status}


def test_a_port_in_use_is_one_sentence(wxasset: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the address, and the hint the option."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(wxasset, monkeypatch, "--port", port, **ACCOUNT)
    assert (told["status"], told["kind"]) == (1, "CannotListenError")
    assert told["message"] == f"127.0.0.1:{port} is already in use."
    assert "--port" in told["hint"]


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.0.2.1", "example.com"])
def test_other_machines_need_a_password(wxasset: Command, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A host beyond loopback is refused without a password file, before anything listens."""
    told = refused(wxasset, monkeypatch, "--host", host, **ACCOUNT)
    assert (told["status"], told["kind"]) == (2, "UsageError")
    assert "--password-file" in told["message"]


def test_a_short_password_is_refused(wxasset: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It could be guessed; the error does not repeat it."""
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    told = refused(wxasset, monkeypatch, "--host", EVERYWHERE, "--password-file", path, **ACCOUNT)
    assert (told["status"], "12 or more" in told["message"]) == (2, True)
    assert "hunter2" not in json.dumps(told)


@needs_signals
def test_a_password_opens_it_beyond_loopback(tmp_path: Path) -> None:
    """With a password there is no token in the address, and the form takes the password."""
    path = tmp_path / "password"
    path.write_text("correct horse battery\n")
    options = ("--simulate", "--port", "0", "--host", EVERYWHERE, "--password-file", path)
    with subprocess.Popen(
        command("web", *options, "--json"), env=environment(), stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        url = httpx.URL(json.loads(process.stdout.readline())["url"])
        assert (url.host, url.query) == (EVERYWHERE, b"")
        here = url.copy_with(host="127.0.0.1")
        assert httpx.get(here).status_code == 401
        assert httpx.post(here.join("/enter"), data={"token": "correct horse battery"}).status_code == 303
        process.terminate()
        assert process.wait(HELD_UP) == 0


def test_without_credentials_it_names_the_simulator(
    wxasset: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hint says how to give credentials, and that the page can be tried without, in both languages."""
    told = refused(wxasset, monkeypatch, WXASSET_CREDENTIALS=str(tmp_path / "none.toml"))
    assert (told["status"], told["kind"]) == (5, "TokenUnavailableError")
    for hint in (told["hint"], told["hint_zh"]):
        assert "WXASSET_APPID" in hint
        assert "wxasset web --simulate" in hint


def test_a_missing_package_is_named(wxasset: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the command says what to install."""
    monkeypatch.setattr(web, "find_spec", lambda name: None if name == "uvicorn" else object())
    told = refused(wxasset, monkeypatch, **ACCOUNT)
    assert "needs uvicorn" in told["message"]
    assert "'wxasset[web]'" in told["message"]
