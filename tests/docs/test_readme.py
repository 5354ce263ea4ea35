"""The README is short and true, and every block of code in it runs as printed."""

import asyncio
import os
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

import wxasset
import wxasset.starlette
from command_line import environment
from command_line import variables as variables_of
from pictures import make_pictures
from readme import ROOT, blocks, sections
from scenes import CHECKS, Scene, run
from wheelhouse import pack
from wxasset import DownloadPolicy, RetryPolicy, WxSession
from wxasset.simulator import Simulator

# An import reads files; in a program it comes before the event loop, and here before the watch on it.
for _name in vars(wxasset)["__all__"]:
    getattr(wxasset, _name)

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LONGEST: Final = 250
BLOCKS: Final = [
    *(("sh", kind) for kind in ("install", "demo", "start", "account", "test")),
    *(("python", kind) for kind in ("program", "app", "batch", "test")),
    ("text", "start"),
]
_ONCE: Final = {"PIP_NO_COMPILE": "1"}
"""Lets pip leave out what it would compile of packages that run once; the most of them is not even imported."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the one image that the README speaks of."""
    shutil.copy(samples / "drawing.png", tmp_path / "poster.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
async def wx(sim: Simulator) -> AsyncIterator[WxSession]:
    """A session that follows the links of the simulator."""
    downloads = DownloadPolicy(allow_private_hosts=True)
    retry = RetryPolicy(wait_initial=0)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=retry, downloads=downloads) as session:
        yield session


def _block(language: str, kind: str) -> str:
    """The one block of a kind."""
    (text,) = blocks("README.md", language, kind)
    return text


async def _program(*arguments: str, **more: str) -> str:
    """Run a program to its end, and give what it prints."""
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environment(more), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


def test_it_is_short_and_every_block_is_run(figures: list[str]) -> None:
    """It has 250 lines at most, and no block of another kind, which the tests would pass over."""
    found = [(one.language, one.kind) for section in sections("README.md") for one in section.blocks]
    assert sorted(found) == sorted(BLOCKS)
    for kind in ("program", "test"):
        assert len(_block("python", kind).splitlines()) <= 10, "the quick start and the test have ten lines or fewer"
    lines = len((ROOT / "README.md").read_text("utf-8").splitlines())
    assert lines <= LONGEST
    figures.append(f"README.md: {lines} lines, {len(found)} blocks run")


def test_what_it_says_of_the_package_is_so() -> None:
    """The table of extras is complete, the badges are those of the metadata, and what is installed exists."""
    text = (ROOT / "README.md").read_text("utf-8")
    (extras,) = re.findall(r"^\| extra \|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    listed = [name for row in extras.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(listed) == sorted(PROJECT["optional-dependencies"])
    named = {one for found in re.findall(r"wxasset\[([\w,]+)\]", text) for one in found.split(",")}
    assert named <= set(listed)
    assert f"badge/python-{PROJECT['requires-python'].removeprefix('>=')}%2B-" in text
    assert f"badge/licence-{PROJECT['license']}-" in text
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    assert ("badge/typed-mypy_strict-" in text) is mypy["strict"]
    assert _block("sh", "install").split() == ["pip", "install", PROJECT["name"]]


async def _output_is_as_printed(output: str, here: Path) -> None:
    """The line is the printed one but for what it leaves out, and the copy has the bytes of the picture."""
    printed = _block("text", "start").strip().split("...")
    assert re.fullmatch(".*".join(map(re.escape, printed)), output.strip().splitlines()[-1])
    assert (here / "copy.png").read_bytes() == (here / "poster.png").read_bytes()


async def test_the_quick_start_runs_with_an_account(here: Path) -> None:
    """With the variables of an account the program runs as printed; the account is one of a simulator here."""
    text = _block("sh", "account")
    (appid,), (secret,) = (
        re.findall(rf"^export WXASSET_{name}=(\S+)$", text, re.MULTILINE) for name in ("APPID", "SECRET")
    )
    (here / "start.py").write_text(_block("python", "program"), "utf-8")
    async with Simulator(appid=appid, secret=secret) as sim:
        program = text.replace("python start.py", f"{sys.executable} -W error start.py")
        output = await _program("bash", "-ec", program, WXASSET_BASE_URL=sim.url)
        await _output_is_as_printed(output, here)
        assert sim.materials == {}


async def test_the_first_minute_in_a_fresh_checkout(here: Path) -> None:
    """What a stranger copies installs the package, runs the demo, and the quick start against the simulator."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, here)
    shutil.copytree(ROOT / "wxasset", here / "wxasset", ignore=shutil.ignore_patterns("__pycache__"))
    # Pip finds the same packages as on the index, in the versions of this environment.
    system = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    pack(here / "wheels", *system, *PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cli"])
    offline = _ONCE | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(here / "wheels")}
    output = await _program("bash", "-ec", _block("sh", "demo"), PYTHONPATH="", **offline)
    assert output.count(" identical") == 6 + 1, "six rows and the summary"
    assert "DIFFERENT" not in output
    (here / "start.py").write_text(_block("python", "program"), "utf-8")
    activated = f"{here / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # The package is there: pip has nothing to fetch.
    output = await _program("bash", "-ec", _block("sh", "start"), PATH=activated, PYTHONPATH="", PIP_NO_INDEX="1")
    await _output_is_as_printed(output, here)


async def test_the_application_runs(wx: WxSession, sim: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that is sent to the application ends in the library, and comes back from there."""
    for name, value in variables_of(sim).items():
        monkeypatch.setenv(name, value)
    text = _block("python", "app")
    namespace: dict[str, Any] = {"__name__": "readme"}
    await run(namespace, text, "README.md, FastAPI")
    await CHECKS["app"](Scene(wx, sim, here, namespace, text))


async def test_the_batch_runs(sim: Simulator, here: Path) -> None:
    """Every poster is added once, and a file that is none is told; run again, nothing is sent."""
    make_pictures(here / "posters", 3)
    (here / "posters" / "notes.png").write_bytes(b"no image")
    python = (sys.executable, "-W", "error", "-c", _block("python", "batch"))
    output = await _program(*python, **variables_of(sim))
    assert output.count("is new") == len(sim.materials) == 3
    assert output.count("notes.png") >= 1
    before = len(sim.journal)
    assert (await _program(*python, **variables_of(sim))).count("was there") == 3
    assert {entry.path for entry in sim.journal[before:]} <= {"/cgi-bin/stable_token"}


def test_the_table_of_calls_is_complete() -> None:
    """The table has what a session can do, all of it."""
    (table,) = [one for one in sections("README.md") if one.heading == "Calls"]
    told = {name for row in table.table_rows for name in re.findall(r"`(\w+)`", row)}
    elsewhere = {"account", "account_library", "aclose", "from_env", "with_options", "resolve_upload"}
    assert told == {name for name in dir(WxSession) if not name.startswith("_")} - elsewhere


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """The block is named as `.ci/run` looks for it; it is not run here, where it would run itself."""
    assert "sh test$" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert _block("sh", "test").rstrip().endswith(".venv/bin/nox")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_the_picture_shows_what_the_demo_prints() -> None:
    """Redrawn, the picture would be the same but for the times it took; if not: `nox -s screenshots`."""
    import screenshots  # noqa: PLC0415 - Unix only

    kept = (screenshots.IMAGES / "demo.svg").read_text("utf-8")
    drawn = screenshots.draw(screenshots.shown("demo"), "wxasset demo")
    words = [
        [re.sub(r"\d+\.\d", "0.0", one) for one in re.findall(r">([^<>\n]+)</text>", svg)] for svg in (kept, drawn)
    ]
    assert words[0] == words[1]
