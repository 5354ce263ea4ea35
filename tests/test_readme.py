"""Every code block of the README is run as it is printed."""

import ast
import asyncio
import inspect
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen

import wxasset
from wxasset import WxSession
from wxasset.simulator import Simulator

ROOT = Path(__file__).parent.parent


@frozen
class Block:
    """A fenced block: where it stands, its language, and its text."""

    heading: str
    language: str
    text: str


def blocks() -> list[Block]:
    """The fenced blocks of the README, in order."""
    readme = (ROOT / "README.md").read_text("utf-8")
    found = []
    for section in re.split(r"^###? ", readme, flags=re.MULTILINE):
        for language, text in re.findall(r"^```(.*?)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL):
            found.append(Block(section.partition("\n")[0], language, text))
    return found


# An import reads files; in a program it comes before the event loop, and here before the watch on it.
for _name in wxasset.__all__:
    getattr(wxasset, _name)

BLOCKS = blocks()
TESTS = [one for one in BLOCKS if one.language == "python" and "def test_" in one.text]
SNIPPETS = [one for one in BLOCKS if one.language == "python" and "asyncio.run(" not in one.text and one not in TESTS]
SCRIPTS = [one for one in BLOCKS if one.language == "python" and "asyncio.run(" in one.text]
SHELL = {one.language: one.text for one in BLOCKS if one.language.startswith("sh ")}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files that the README speaks of."""
    for name, sample in {
        "poster.png": "drawing.png",
        "greeting.mp3": "voice.mp3",
        "clip.mp4": "clip.mp4",
        "cover.jpg": "thumb.jpg",
    }.items():
        shutil.copy(samples / sample, tmp_path / name)
    (tmp_path / "downloads").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_is_run() -> None:
    """There is no block of another kind, which the tests would pass over."""
    assert len(SNIPPETS) + len(SCRIPTS) + len(TESTS) + len(SHELL) == len(BLOCKS)
    assert (len(SCRIPTS), len(TESTS), sorted(SHELL)) == (1, 1, ["sh demo", "sh test"])
    assert len(TESTS[0].text.splitlines()) <= 10, "so has the test"
    assert len(SCRIPTS[0].text.splitlines()) <= 10, "the quick start has ten lines or fewer"


async def run(namespace: dict[str, Any], block: Block) -> None:
    """Run a block in which `await` may stand anywhere."""
    code = compile(block.text, f"README, {block.heading}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)  # noqa: S307 - our own README
    if inspect.isawaitable(result):
        await result


async def test_the_snippets_run_in_their_order(wx: WxSession, sim: Simulator, here: Path) -> None:
    """Each snippet runs as printed, with what those before it in its section have defined."""
    heading, namespace = "", dict[str, Any]()
    for block in SNIPPETS:
        if block.heading != heading:
            heading, namespace = block.heading, {"__name__": "readme", "wx": wx}
        await run(namespace, block)
        if "app" in namespace:
            await _post(namespace.pop("app"), sim, here)
    names = {re.sub("-[2-9a-z]{8}", "-MARK", one.filename) for one in sim.materials.values()}
    plain = {"海报.png", "greeting.mp3", "clip.mp4", "cover.jpg", "poster.png", "form.png"}
    assert names == plain | {"poster-MARK.png"}
    assert len(list((here / "downloads").iterdir())) == 1


async def _post(app: Any, sim: Simulator, here: Path) -> None:
    """Send a form to the FastAPI application of the README."""
    poster = (here / "poster.png").read_bytes()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        reply = await client.post("/posters", files={"file": ("form.png", poster, "image/png")})
    material = sim.materials[reply.json()]
    assert (material.filename, material.content) == ("form.png", poster)


async def _program(*arguments: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def test_the_quick_start_runs(sim: Simulator, here: Path) -> None:
    """The quick start is a whole program: with the three variables set it runs as printed."""
    output = await _program(
        *(sys.executable, "-W", "error", "-c", SCRIPTS[0].text),
        WXASSET_APPID=sim.appid,
        WXASSET_SECRET=sim.secret,
        WXASSET_BASE_URL=sim.url,
    )
    assert output.startswith("SavedMaterial(path=")
    assert (here / "copy.png").read_bytes() == (here / "poster.png").read_bytes()
    assert sim.materials == {}


async def test_the_test_runs(here: Path) -> None:
    """The test that users copy passes under pytest, with the plugins that wxasset brings and no others."""
    (here / "test_app.py").write_text(TESTS[0].text)
    output = await _program(
        *(sys.executable, "-W", "error", "-m", "pytest", "--disable-plugin-autoload"),
        *("-p", "anyio", "-p", "wxasset.pytest_plugin", "test_app.py"),
    )
    assert "1 passed" in output


async def test_the_demo_command_runs_in_a_fresh_checkout(tmp_path: Path) -> None:
    """The command that a stranger copies installs the package and runs the demo to six identical rows."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    shutil.copytree(ROOT / "wxasset", checkout / "wxasset", ignore=shutil.ignore_patterns("__pycache__"))
    output = await _program("bash", "-c", f"cd {checkout} && {SHELL['sh demo']}")
    assert output.count(" identical") == 6 + 1, "six rows and the summary"
    assert "DIFFERENT" not in output


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """The block is named as `.ci/run` looks for it; it is not run here, where it would run itself."""
    assert "sh test$" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert SHELL["sh test"].rstrip().endswith(".venv/bin/nox")
