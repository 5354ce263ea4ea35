"""Every code block of the pages in docs/ runs as printed, in a directory with what the page says it needs."""

import ast
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from packaging.requirements import Requirement

import readme_apps
import wxasset
import wxasset.otel
import wxasset.starlette
import wxasset.wire.push_crypto
from command_line import environment, variables
from pages import DOCS, SAMPLES, Part, names, parts
from readme import ROOT, Block, blocks
from scenes import CHECKS, PREPARATIONS, Scene, run
from wxasset import DownloadPolicy, RetryPolicy, WxSession
from wxasset.cli.runtime.credentials import read_accounts
from wxasset.simulator import Simulator

# An import reads files; in a program it comes before the event loop, and here before the watch on it.
for _name in vars(wxasset)["__all__"]:
    getattr(wxasset, _name)

PAGES: Final = [f"docs/{name}" for name in names()]
CHINESE: Final = [f"docs/zh/{name}" for name in names(DOCS / "zh")]
PARTS: Final = [part for page in (*PAGES, *CHINESE) for part in parts(page)]
SHELL: Final = ("install", "demo", "start", "web", "commands", "serve", "control", "variables", "ledger", "queue")
"""What shell blocks are known by; each kind is run in its own way."""
PYTEST: Final = ("test", "apptest")
QUEUES: Final = ("taskiq", "procrastinate")
"""Programs that `nox -s queues` runs from their files, as they need packages and servers."""
VARIABLES: Final = {
    "WXASSET_APPID",
    "WXASSET_SECRET",
    "WXASSET_BASE_URL",
    "WECHAT_TOKEN",
    "PLATFORM_APPID",
    "PLATFORM_SECRET",
    "PLATFORM_TOKEN",
    "PLATFORM_AES_KEY",
}
needs_processes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither bash nor process groups")


def snippets(part: Part) -> list[Block]:
    """The blocks of a section that run inside this process."""
    return [one for one in part.blocks if one.language == "python" and one.kind not in {"program", *PYTEST, *QUEUES}]


def of_kind(language: str, kind: str, pages: list[str] = PAGES) -> list[tuple[Part, Block]]:
    """All blocks of a kind, each with its section."""
    every = [(part, block) for page in pages for part in parts(page) for block in part.blocks]
    return [(part, block) for part, block in every if (block.language, block.kind) == (language, kind)]


def test_every_block_is_run(figures: list[str]) -> None:
    """There is no block of another kind, which the tests would pass over; what a page needs is known here."""
    printed = [(part.page, block.language, block.kind) for part in PARTS for block in part.blocks]
    known = {("sh", kind) for kind in SHELL} | {("python", kind) for kind in ("", "program", *PYTEST, *QUEUES, *CHECKS)}
    known |= {("toml", "team.toml"), ("toml", "credentials.toml"), ("text", "")}
    assert [block for block in printed if block[1:] not in known] == []
    things = {"wx", "fastapi", "app.py", "unused.txt", "posters/", "downloads/", *SAMPLES, *VARIABLES}
    assert {(part.page, need) for part in PARTS for need in part.needs - things} == set()
    run_ones = [block for block in printed if block[1] != "text"]
    figures.append(f"docs: {len(run_ones)} blocks of {len({one[0] for one in run_ones})} pages run")


# Python inside this process


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def wx(sim: Simulator) -> AsyncIterator[WxSession]:
    """The session of the snippets, which follows the links of the simulator."""
    downloads = DownloadPolicy(allow_private_hosts=True)
    retry = RetryPolicy(wait_initial=0)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=retry, downloads=downloads) as session:
        yield session


def _set(part: Part, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that a page speaks of; one of its account leads to the simulator."""
    values = {
        **variables(sim),
        "WECHAT_TOKEN": readme_apps.TOKEN,
        "PLATFORM_APPID": sim.platform.appid,
        "PLATFORM_SECRET": sim.platform.secret,
        "PLATFORM_TOKEN": readme_apps.TOKEN,
        "PLATFORM_AES_KEY": readme_apps.AES_KEY,
    }
    for name in part.needs & VARIABLES:
        monkeypatch.setenv(name, values[name])
        monkeypatch.setenv("WXASSET_BASE_URL", sim.url)


@pytest.mark.parametrize(
    "part",
    [part for part in PARTS if snippets(part)],
    ids=lambda part: f"{part.page.removeprefix('docs/')}-{part.section.heading}",
)
async def test_the_snippets_of_a_section_run(
    part: Part, wx: WxSession, sim: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each snippet runs with what its page names, and what those before it in its section have defined."""
    part.furnish(here)
    _set(part, sim, monkeypatch)
    namespace: dict[str, Any] = {"__name__": "page"} | ({"wx": wx} if "wx" in part.needs else {})
    for block in snippets(part):
        scene = Scene(wx, sim, here, namespace, block.text)
        if block.kind in PREPARATIONS:
            PREPARATIONS[block.kind](scene)
        await run(namespace, block.text, f"{part.page}, {part.section.heading}")
        if block.kind:
            if not (here / "poster.png").exists():  # a picture for those who use an application
                shutil.copy(ROOT / "wxasset" / "cli" / "samples" / "drawing.png", here / "poster.png")
            await CHECKS[block.kind](scene)
    assert sim.unused_faults == ()


# Programs


def _programs(directory: Path) -> str:
    """Put the commands `wxasset` and `python` of this environment into a directory; gives the search path for it."""
    for name, arguments in (("wxasset", "-W error -m wxasset"), ("python", "-W error")):
        program = directory / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        program.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


@asynccontextmanager
async def _started(text: str, here: Path, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a block in a shell of its own, whose processes end with the block."""
    programs = here / ".bin"
    programs.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", text),
        env=environment(more) | {"PATH": _programs(programs), "XDG_STATE_HOME": str(here / ".state")},
        cwd=here,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.communicate()


async def _shell(text: str, here: Path, **more: str) -> str:
    """Run a block to its end, and give what it prints."""
    async with _started(text, here, **more) as process:
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize("page", PAGES)
def test_what_is_installed_exists(page: str) -> None:
    """A command that installs names this package, and extras that it has."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    for part, block in of_kind("sh", "install", [page]):
        (name,) = re.findall(r"^(?:pip install|uvx --from) '?([^'\s]+)'?", block.text, re.MULTILINE)
        wanted = Requirement(name)
        assert wanted.name == "wxasset"
        assert wanted.extras <= extras, part.page
    text = (ROOT / page).read_text("utf-8")
    named = {one for found in re.findall(r"`wxasset\[([\w,]+)\]`", text) for one in found.split(",")}
    assert named <= extras


@needs_processes
async def test_the_tutorial_runs(here: Path) -> None:
    """The program of the tutorial runs on the simulator, from its page alone."""
    ((part, program),) = of_kind("python", "program")
    part.furnish(here)
    (here / "start.py").write_text(program.text, "utf-8")
    ((_, start),) = of_kind("sh", "start")
    ((_, settings),) = of_kind("sh", "variables")
    output = await _shell(f"{settings.text}\n{start.text}", here)
    ((_, printed),) = of_kind("text", "")
    assert re.match(".*".join(map(re.escape, printed.text.strip().split("..."))), output)
    assert (here / "copy.png").read_bytes() == (here / "poster.png").read_bytes()
    ((_, demo),) = of_kind("sh", "demo")
    assert demo.text == "wxasset demo\n", "tests of the README run that, and compare it with the picture"


@needs_processes
async def test_the_commands_run(sim: Simulator, here: Path) -> None:
    """The commands do what they say: what was added comes back and goes again, the batch and the cloud file stay."""
    ((part, block),) = of_kind("sh", "commands")
    part.furnish(here)
    await _shell(block.text, here, **variables(sim))
    assert (here / "downloads" / "poster.png").read_bytes() == (here / "poster.png").read_bytes()
    kept = [one.content for one in sim.materials.values()]
    assert kept[0] == (here / "greeting.mp3").read_bytes()
    assert sorted(kept[1:]) == sorted(path.read_bytes() for path in (here / "posters").iterdir())
    assert [one.rpartition("/reports/")[2] for one in sim.cloud_files] == ["poster.png"]


@pytest.mark.parametrize("kind", QUEUES)
def test_the_recipes_of_queues_are_those_that_are_run(kind: str) -> None:
    """Their code is that of the file, and the commands beside it name the file."""
    file = ROOT / "tests" / "queues" / f"{kind}_uploads.py"
    for pages in (PAGES, CHINESE):
        ((part, block),) = of_kind("python", kind, pages)
        assert block.text == file.read_text("utf-8")
        (commands,) = [one.text for one in part.blocks if one.kind == "queue"]
        assert file.stem in commands


@needs_processes
async def test_the_ledger_is_shown(sim: Simulator, here: Path) -> None:
    """A batch is recorded and listed, its materials are verified, and another run of it sends nothing."""
    ((part, block),) = of_kind("sh", "ledger")
    part.furnish(here)
    output = await _shell(block.text, here, **variables(sim))
    assert len(re.findall(r"^done\t", output, re.MULTILINE)) == len(sim.materials) == 3
    assert sum(entry.path.endswith("add_material") for entry in sim.journal) == 3


@needs_processes
@pytest.mark.parametrize("block", [block for kind in ("web", "serve") for _, block in of_kind("sh", kind)])
async def test_the_servers_serve(block: Block, here: Path) -> None:
    """A command that serves does so; its port and its directory are others here."""
    port = _free_port()
    for part in (part for page in PAGES for part in parts(page) if block in part.blocks):
        for file in part.blocks:
            if file.language == "toml":
                (here / file.kind).write_text(file.text, "utf-8")
    text = block.text.replace("--port 8080", f"--port {port}").replace("/srv/wechat", str(here / "state"))
    text = text if "--port" in text else f"{text.rstrip()} --port {port}"
    async with _started(text, here) as process:
        assert process.stdout is not None
        said = b""
        while str(port).encode() not in said and b"https://wechat.example" not in said:
            line = await process.stdout.readline()
            assert line, said.decode()
            said += line
        path = "/_sim/health" if block.kind == "serve" else "/"
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert (await client.get(path)).status_code == (200 if block.kind == "serve" else 401)


@needs_processes
async def test_the_control_api_takes_the_commands(sim: Simulator, here: Path) -> None:
    """The requests with curl have their effect; the server is another one here."""
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    ((_, block),) = of_kind("sh", "control")
    output = await _shell(block.text.replace("http://127.0.0.1:8080", sim.url), here)
    decoder = json.JSONDecoder()
    options, end = decoder.raw_decode(output[output.index("{") :])
    assert options["voice_cap"] == sim.options.voice_cap == 5
    assert "media_id" in output[end:]


@needs_processes
async def test_the_printed_tests_pass(here: Path) -> None:
    """Those of the README and of both languages pass under pytest, with the plugins that wxasset brings alone."""
    kinds = {kind: [of_kind("python", kind, pages) for pages in (PAGES, CHINESE)] for kind in PYTEST}
    for kind, found in kinds.items():
        for number, printed in enumerate(found):
            for part, block in printed:
                part.furnish(here)
                (here / f"test_{kind}_{number}.py").write_text(block.text, "utf-8")
    (readme,) = blocks("README.md", "python", "test")
    (here / "test_readme.py").write_text(readme, "utf-8")
    (here / "app.py").write_text(of_kind("python", "app")[0][1].text, "utf-8")
    (here / "pytest.ini").touch()  # an application's tests have settings of their own, wherever this directory is
    # Starlette would have its TestClient use the next httpx, which is not what it is about.
    strict = "-m pytest -q -W error -W 'ignore:Using `httpx` with:UserWarning' --disable-plugin-autoload"
    output = await _shell(f"python {strict} -p anyio -p wxasset.integrations.pytest_plugin", here)
    assert f"{1 + sum(len(printed) for found in kinds.values() for printed in found)} passed" in output


def test_the_file_of_credentials_is_read(here: Path) -> None:
    """The accounts of the printed file are there, and one of them is the default."""
    ((_, block),) = of_kind("toml", "credentials.toml")
    (here / block.kind).write_text(block.text, "utf-8")
    (here / block.kind).chmod(0o600)
    found = read_accounts(here / block.kind)
    assert set(found.by_name) == {"shop", "staging"}
    assert found.choose(None).name == "shop"


@pytest.mark.parametrize("name", [page.removeprefix("docs/zh/") for page in CHINESE])
def test_the_programs_of_the_chinese_pages_are_the_same(name: str) -> None:
    """A program that is started once for both languages differs in comments and strings alone."""
    programs = [
        [
            block
            for part in parts(page)
            for block in part.blocks
            if block.language in {"sh", "toml"} or block.kind == "program"
        ]
        for page in (f"docs/{name}", f"docs/zh/{name}")
    ]
    assert [(one.language, one.kind) for one in programs[0]] == [(one.language, one.kind) for one in programs[1]]
    for one, other in zip(*programs, strict=True):
        assert _bare(one) == _bare(other)


def _bare(block: Block) -> str:
    """A program without its comments; of Python the tree, which has none."""
    if block.language == "python":
        return ast.dump(ast.parse(block.text))
    return re.sub(r"\s+# .*", "", block.text)
