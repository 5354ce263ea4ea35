"""Every code block of the READMEs is run as it is printed."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

import readme_apps
import wxasset
import wxasset.otel
import wxasset.starlette
import wxasset.wire.push_crypto
from pictures import make_pictures
from readme import DOCUMENTS, ROOT, Section, blocks, sections
from scenes import CHECKS, PREPARATIONS, Scene, run
from wxasset import DownloadPolicy, RetryPolicy, WxSession
from wxasset.simulator import Simulator

# An import reads files; in a program it comes before the event loop, and here before the watch on it.
for _name in vars(wxasset)["__all__"]:
    getattr(wxasset, _name)

_INSTALLED: Final = 300  # seconds; an environment and its packages take some 20
_ONCE: Final = {"PIP_NO_COMPILE": "1"}
"""Lets pip leave out what it would compile of packages that run once; the most of them is not even imported."""


RUN_ELSEWHERE = {
    *(("python", kind) for kind in ("program", "test", "apptest")),
    *(("sh", kind) for kind in ("demo", "start", "web", "test", "commands")),
}
WITH_SNIPPETS = [
    section
    for document in DOCUMENTS
    for section in sections(document)
    if any((one.language, one.kind) not in RUN_ELSEWHERE for one in section.blocks)
]


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
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
async def wx(sim: Simulator) -> AsyncIterator[WxSession]:
    """The session of the snippets, which follows the links of the simulator."""
    async with WxSession(
        sim.appid,
        sim.secret,
        base_url=sim.url,
        retry=RetryPolicy(wait_initial=0),
        downloads=DownloadPolicy(allow_private_hosts=True),
    ) as session:
        yield session


@pytest.fixture
def variables(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the programs of the README read."""
    for name, value in {
        "WXASSET_APPID": sim.appid,
        "WXASSET_SECRET": sim.secret,
        "WXASSET_BASE_URL": sim.url,
        "WECHAT_TOKEN": readme_apps.TOKEN,
        "PLATFORM_APPID": sim.platform.appid,
        "PLATFORM_SECRET": sim.platform.secret,
        "PLATFORM_TOKEN": readme_apps.TOKEN,
        "PLATFORM_AES_KEY": readme_apps.AES_KEY,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_is_run(document: str) -> None:
    """There is no block of another kind, which the tests would pass over."""
    found = {(one.language, one.kind) for section in sections(document) for one in section.blocks}
    assert found == RUN_ELSEWHERE | {("python", ""), *(("python", kind) for kind in CHECKS)}
    for kind in ("program", "test"):
        (text,) = blocks(document, "python", kind)
        assert len(text.splitlines()) <= 10, "the quick start and the test have ten lines or fewer"


@pytest.mark.parametrize("section", WITH_SNIPPETS, ids=lambda one: f"{one.document}-{one.heading}")
@pytest.mark.usefixtures("variables")
async def test_the_snippets_of_a_section_run(section: Section, wx: WxSession, sim: Simulator, here: Path) -> None:
    """Each snippet runs as printed, with what those before it in its section have defined, and does what it is for."""
    namespace: dict[str, Any] = {"__name__": "readme", "wx": wx}
    for block in section.blocks:
        if (block.language, block.kind) not in RUN_ELSEWHERE:
            scene = Scene(wx, sim, here, namespace, block.text)
            if block.kind in PREPARATIONS:
                PREPARATIONS[block.kind](scene)
            await run(namespace, block.text, f"{section.document}, {section.heading}")
            if block.kind:
                await CHECKS[block.kind](scene)
    assert sim.unused_faults == ()


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


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.usefixtures("variables")
async def test_the_quick_start_runs(document: str, sim: Simulator, here: Path) -> None:
    """The quick start is a whole program: with the three variables set it runs as printed."""
    (text,) = blocks(document, "python", "program")
    output = await _program(sys.executable, "-W", "error", "-c", text)
    assert output.startswith("SavedMaterial(path=")
    assert (here / "copy.png").read_bytes() == (here / "poster.png").read_bytes()
    assert sim.materials == {}


async def _pytest(file: str, *plugins: str) -> str:
    """Run a test file with the plugins that are named and no others."""
    Path("pytest.ini").touch()  # an application's tests have settings of their own, wherever this directory is
    named = [option for plugin in plugins for option in ("-p", plugin)]
    # Starlette would have its TestClient use the next httpx, which is not what it is about.
    strict = ("-W", "error", "-m", "pytest", "-W", "ignore:Using `httpx` with:UserWarning")
    return await _program(sys.executable, *strict, "--disable-plugin-autoload", *named, file)


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_the_test_runs(document: str, here: Path) -> None:
    """The test that users copy passes under pytest, with the plugins that wxasset brings and no others."""
    (text,) = blocks(document, "python", "test")
    (here / "test_app.py").write_text(text)
    assert "1 passed" in await _pytest("test_app.py", "anyio", "wxasset.integrations.pytest_plugin")


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_the_test_of_the_application_runs(document: str, here: Path) -> None:
    """The application of the first recipe passes the test that is shown for it; the plugin alone is enough."""
    (here / "app.py").write_text(blocks(document, "python", "app")[0])
    (text,) = blocks(document, "python", "apptest")
    (here / "test_app.py").write_text(text)
    assert "1 passed" in await _pytest("test_app.py", "wxasset.integrations.pytest_plugin")


def _path_with_command(directory: Path) -> str:
    """Put the command `wxasset` of this checkout into a directory, and give the search path for it."""
    program = directory / "wxasset"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m wxasset "$@"\n')
    program.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.usefixtures("variables")
async def test_the_commands_delete_nothing_that_was_not_fetched(sim: Simulator, here: Path) -> None:
    """If a download fails, the commands that follow it leave the library as it is, also in a shell without -e."""
    sim.fail("get_material", "errcode:40007")
    (text,) = blocks("README.md", "sh", "commands")
    text, _, _ = text.partition("wxasset batch")
    await _program("bash", "-c", f"{text}\ntrue", PATH=_path_with_command(here))
    assert len(sim.materials) == 2


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.usefixtures("variables")
async def test_the_commands_run(document: str, sim: Simulator, here: Path) -> None:
    """The commands do what they say: what was added comes back and goes again, the batch and the cloud file stay."""
    posters = make_pictures(here / "posters", 3)
    (here / "downloads").rmdir()  # the commands create it
    (text,) = blocks(document, "sh", "commands")
    await _program("bash", "-euo", "pipefail", "-c", text, PATH=_path_with_command(here))
    assert (here / "downloads" / "poster.png").read_bytes() == (here / "poster.png").read_bytes()
    assert sum(entry.path.endswith("del_material") for entry in sim.journal) == 1
    kept = [one.content for one in sim.materials.values()]
    assert kept[0] == (here / "greeting.mp3").read_bytes()
    assert sorted(kept[1:]) == sorted(path.read_bytes() for path in posters)
    assert [one.rpartition("/reports/")[2] for one in sim.cloud_files] == ["poster.png"]


def _checkout(directory: Path) -> Path:
    """Copy what the commands of a checkout need of it."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, directory)
    shutil.copytree(ROOT / "wxasset", directory / "wxasset", ignore=shutil.ignore_patterns("__pycache__"))
    return directory


async def test_the_first_minute_in_a_fresh_checkout(tmp_path: Path) -> None:
    """What a stranger copies installs the package, runs the demo, and the quick start against the simulator."""
    (command,) = blocks("README.md", "sh", "demo")
    output = await _program("bash", "-c", f"cd {_checkout(tmp_path)} && {command}", **_ONCE)
    assert output.count(" identical") == 6 + 1, "six rows and the summary"
    assert "DIFFERENT" not in output
    (program,) = blocks("README.md", "python", "program")
    (tmp_path / "start.py").write_text(program, "utf-8")
    (start,) = blocks("README.md", "sh", "start")
    output = await _program("bash", "-ec", f"cd {tmp_path} && {start}")
    assert output.startswith("SavedMaterial(path=")
    assert (tmp_path / "copy.png").read_bytes() == (tmp_path / "poster.png").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
async def test_the_web_command_serves_its_page_in_a_fresh_checkout(tmp_path: Path) -> None:
    """The command that a stranger copies installs the page with its packages, and serves it on the simulator."""
    (text,) = blocks("README.md", "sh", "web")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WXASSET_", "PYTHON"))}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"cd {_checkout(tmp_path)} && {text.strip()} --port {port}"),
        env=kept | _ONCE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(_INSTALLED):
            said = b""
            while b"?token=" not in said:
                line = await process.stderr.readline()
                assert line, said.decode()
                said += line
        entry = re.search(rf"http://127\.0\.0\.1:{port}/\?token=\S+", said.decode())
        assert entry is not None, "it prints the address with its token"
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as client:
            assert (await client.get("/")).status_code == 401
            assert "<title>" in (await client.get(entry[0])).text
            assert (await client.get("/api/about")).json()["simulated"] is True
            assert (await client.get("/api/materials?type=image")).json() == {"items": [], "total": 0}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.communicate()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """The block is named as `.ci/run` looks for it; it is not run here, where it would run itself."""
    (command,) = blocks("README.md", "sh", "test")
    assert "sh test$" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert command.rstrip().endswith(".venv/bin/nox")


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
