"""`wxasset simulate` as a server to share: its options, faults, accounts, and the mistakes in them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from command_line import Command, command, environment, piped
from wxasset.cli.runtime.simulation import introduction
from wxasset.simulator import Simulator, SimulatorOptions

ASK = (
    "import json, os, urllib.request as u; a = os.environ['WXASSET_BASE_URL'] + '/_sim/'; "
    "print(json.dumps({p: json.load(u.urlopen(a + p)) for p in ('options', 'faults', 'accounts')}))"
)


def started(*arguments: str | Path) -> dict[str, Any]:
    """Run a simulator and return its options, faults and accounts, as a program in it sees them."""
    whole = command("simulate", *arguments, "--", sys.executable, "-c", ASK)
    ended = subprocess.run(whole, env=environment(), capture_output=True, encoding="utf-8", check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    shown: dict[str, Any] = json.loads(ended.stdout)
    return shown


def test_options_come_from_a_file_and_from_flags(tmp_path: Path) -> None:
    """Flags take precedence over the file; faults and accounts of both are there."""
    file = tmp_path / "options.toml"
    file.write_text(
        'voice_cap = 5\nvideo_cap = 6\n[daily_limits]\n"/cgi-bin/token" = 3\n'
        '[[faults]]\nendpoint = "add_material"\nfault = "errcode:-1"\n'
        '[[accounts]]\nappid = "wx-b"\nsecret = "known"\npreset = "sandbox"\noptions = { voice_cap = 2 }\n',
        "utf-8",
    )
    shown = started(
        *("--options", file, "--voice-cap", "7", "--no-verified", "--allowed-addresses", "127.0.0.1,10.0.0.0/8"),
        *("--fault", "add_material=redirect:302:http://a/?b=c;times=all;after=2", "--add-account", "wx-c:mini_program"),
    )
    options = shown["options"]
    assert (options["voice_cap"], options["video_cap"], options["verified"]) == (7, 6, False)
    assert (options["daily_limits"], options["allowed_addresses"]) == (
        {"/cgi-bin/token": 3},
        ["10.0.0.0/8", "127.0.0.1"],
    )
    rules = [(one["fault"], one["times"], one["after"]) for one in shown["faults"]]
    assert rules == [("errcode:-1", 1, 0), ("redirect:302:http://a/?b=c", None, 2)]
    assert [one["appid"] for one in shown["accounts"]][1:] == ["wx-b", "wx-c"]
    assert shown["accounts"][1]["secret"] == "known"


def test_every_option_has_a_flag(wxasset: Command) -> None:
    """The flags are those of `SimulatorOptions`, each with its description."""
    shown = wxasset("simulate", "--help").out
    names = {one.name for one in attrs.fields(SimulatorOptions)}
    assert [name for name in names if f"--{name.replace('_', '-')}" not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--voice-cpa", "4"], "--voice-cpa. Did you mean --voice-cap?"),
        (["--voice-cap", "x"], "--voice-cap must be a whole number, got 'x'."),
        (["--voice-cap", "-1"], "--voice-cap must be >= 0"),
        (["--video-link", "fil"], "--video-link must be file or page, got 'fil'."),
        (["--daily-limits", "/a:5"], "--daily-limits must be a table of whole numbers by name, got ['/a:5']."),
        (["--token-refusal", "x"], "--token-refusal must be a whole number or none, got 'x'."),
        (["--fault", "add_materia=html"], "Unknown endpoint 'add_materia'; did you mean add_material"),
        (["--fault", "add_material=htm"], "unknown word 'htm'; did you mean html"),
        (["--fault", "add_material"], "--fault must be like"),
        (["--fault", "*=html;times=x"], "times must be a whole number or null, got 'x'."),
        (["--fault", "*=html;times=0"], "imes must be a whole number of at least 1"),
        (["--add-account", "wx-a", "--add-account", "wx-a"], "Appid 'wx-a' is taken"),
        (["--add-account", "wx-a", "--appid", "wx-a"], "Appid 'wx-a' is taken"),
        (["--add-account", "wx-a:sandbx"], "did you mean sandbox?"),
        (["--public-url", "wechat.example"], "must be like https://wechat.example:8443, got 'wechat.example'."),
        (["--control", "two words"], "The control token must have 1 to 200 printable ASCII characters"),
        (["--control", "a", "--control-file", "b"], "exclude each other"),
        (["--options", "nowhere.toml"], "cannot be read: No such file or directory."),
    ],
)
def test_a_mistake_is_one_sentence(wxasset: Command, arguments: list[str], words: str) -> None:
    """It names the flag, the value and the right ones beside it, and the status is 2."""
    ended = wxasset("simulate", *arguments, "--", sys.executable, "-c", "raise SystemExit(9)")
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("voice_cap = 5\n\n[x\n", "is not TOML: Expected ']' at the end of a table declaration (at line 3"),
        ("voice_cap = 5\nvocie_cap = 4\n", "line 2: unknown option 'vocie_cap'; did you mean voice_cap"),
        ("# 1\n[zzz]\n", "line 2: unknown option 'zzz'; wxasset simulate --help lists them."),
        ('voice_cap = 5\n\nvideo_cap = "4"\n', "line 3: video_cap must be a whole number, got '4'."),
        ('\n[daily_limits]\n"/a" = "1"\n', "line 2: daily_limits must be a table of whole numbers by name"),
        ("accounts = 5\n", "accounts must be tables, each headed by [[accounts]]."),
        ("[[accounts]]\n[[accounts]]\nappid = 5\n", "[[accounts]] number 2: appid must be a string"),
        ('[[accounts]]\npreset = "x"\n', "Unknown preset 'x'; known are sandbox"),
        ('[[faults]]\nendpoint = "x"\n', "[[faults]] number 1: fault is missing; endpoint and fault are required"),
        ('[[faults]]\nendpoint = "x"\nfualt = "y"\n', "unknown fields: fualt; did you mean fault?"),
    ],
)
def test_a_mistake_in_the_file_has_its_place(wxasset: Command, tmp_path: Path, text: str, words: str) -> None:
    """The sentence has the file, and the line or the number of the table."""
    file = tmp_path / "options.toml"
    file.write_text(text, "utf-8")
    ended = wxasset("simulate", "--options", file, "--", sys.executable, "-c", "raise SystemExit(9)")
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_example_of_control_works_beside_a_public_url() -> None:
    """It has the address of the server itself, where this machine needs no token and no reverse proxy."""
    with Simulator(public_url="https://wechat.example", control_token="token-of-control") as sim:
        example = introduction(sim, None)[-1].split()
        assert example == ["#", "curl", f"{sim.local_url}/_sim/journal"]
        assert httpx.get(example[-1], trust_env=False).json() == []


def test_a_program_that_is_not_there_is_named() -> None:
    """The sentence says that it was to be started, and is not about a file to upload."""
    ended = piped("simulate", "no-such-program", "--version")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "The program 'no-such-program' cannot be started: No such file or directory." in ended.stderr


@pytest.mark.parametrize("delimiter", [[], ["--"]])
def test_options_after_the_name_of_a_program_are_its_own(delimiter: list[str]) -> None:
    """They are those of the simulator before the name alone, also without `--` between them."""
    show = "import os, sys; print(os.environ['WXASSET_APPID'], *sys.argv[1:])"
    own = ["--port", "70000", "--fault=x", "--json", "--", "--help"]
    before = ("--appid", "wx-mine", "--seed", "-5", "--tls=false", "--json=false")
    whole = command("simulate", *before, *delimiter, sys.executable, "-c", show, *own)
    ended = subprocess.run(whole, env=environment(), capture_output=True, encoding="utf-8", check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["wx-mine", *own]
