"""The pytest plugin: its fixtures in the runs of other people's tests, each in a process of its own."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STRICT = ("-o", "asyncio_default_fixture_loop_scope=function", "-o", "asyncio_mode=strict")
AUTO = (*STRICT[:-1], "asyncio_mode=auto")
INI = """
[pytest]
filterwarnings =
    error
    ignore:Using `httpx` with `starlette.testclient` is deprecated
"""
ASYNCHRONOUS = """
import pytest
from wxasset import UploadOutcomeUnknown

{mark}
async def test_lost(wx_simulator, wx_session):
    wx_simulator.fail("add_material", "reset-before-commit")
    with pytest.raises(UploadOutcomeUnknown):
        await wx_session.add_material("image", {photo!r})
    assert not wx_simulator.materials
"""
SYNCHRONOUS = """
import asyncio
import json
from urllib.error import HTTPError
from urllib.request import build_opener, urlopen

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

def test_plain_code(wx_simulator):
    wx_simulator.fail("get_materialcount", "status:503")
    path = "/cgi-bin/material/get_materialcount"
    with pytest.raises(HTTPError, match="503"):
        urlopen(wx_simulator.url + path)
    assert json.load(urlopen(wx_simulator.url + path))["errcode"] == 41001
    assert [entry.status for entry in wx_simulator.journal] == [503, 200]

def test_asyncio_run(wx_simulator, wx_session):
    wx_simulator.add_article(title="a")
    assert asyncio.run(wx_session.count_materials()).news == 1

def test_an_application(wx_simulator, wx_session):
    app = FastAPI()

    @app.get("/")
    async def count() -> int:
        return (await wx_session.count_materials()).news

    wx_simulator.fail("get_materialcount", "reset-after-commit")
    with TestClient(app) as client:
        assert client.get("/").json() == 0

def test_that_does_not_use_its_session(wx_session):
    pass

def test_a_client_with_a_built_in_address(wx_intercepted):
    who = f"grant_type=client_credential&appid={wx_intercepted.appid}&secret={wx_intercepted.secret}"
    assert json.load(build_opener().open("https://api.weixin.qq.com/cgi-bin/token?" + who))["expires_in"] == 7200
"""
CLOCK = """
import asyncio
from wxasset import AuthorizerToken, CallableToken, ClassicToken, ComponentToken, StableToken, TokenCache, WxSession

def test_days(wx_simulator, wx_session):
    sim = wx_simulator
    async def ticket():
        return sim.push_verify_ticket()
    async def central():
        return sim.push_cloudbase_token()
    def session(source, clock):
        clocks = {"now": sim.now, "clock": sim.now} if clock else {}
        return WxSession(tokens=TokenCache(source, **clocks), base_url=sim.url)
    async def work():
        component = ComponentToken(sim.component_appid, sim.component_appsecret, ticket)
        sessions = [wx_session] + [
            session(source, clock)
            for clock in (True, False)
            for source in (
                StableToken(sim.appid, sim.secret),
                ClassicToken(sim.appid, sim.secret),
                AuthorizerToken(component, sim.appid),
                CallableToken(central, parameter="cloudbase_access_token"),
            )
        ]
        for _ in range(30):
            for wx in sessions:
                await wx.count_materials()
            sim.advance(86_400)
        for wx in sessions:
            await wx.aclose()
    asyncio.run(work())

def test_no_call_is_refused(wx_simulator, wx_session):
    for _ in range(3):
        asyncio.run(wx_session.count_materials())
        wx_simulator.advance(7200)
    assert {one.errcode for one in wx_simulator.journal} == {0}
"""
UNUSED = """
def test_forgotten(wx_simulator):
    wx_simulator.fail("add_material", "html", times=3)

def test_failing(wx_simulator):
    wx_simulator.fail("add_material", "html")
    assert False, "on purpose"

def test_cleared(wx_simulator):
    wx_simulator.fail("add_material", "html")
    wx_simulator.clear_faults()
"""


def run(directory: Path, text: str, *options: str, plugins: tuple[str, ...] = ()) -> str:
    """Run pytest on a file, with warnings as errors and no other plugins than these, and give what it says."""
    (directory / "test_it.py").write_text(text)
    (directory / "pytest.ini").write_text(INI)
    names = ("wxasset.integrations.pytest_plugin", *plugins)
    command = (sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "no:cacheprovider")
    loaded = [part for name in names for part in ("-p", name)]
    done = subprocess.run(
        [*command, *loaded, *options, "test_it.py"], cwd=directory, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("plugin", "mark", "options"),
    [
        ("anyio", "@pytest.mark.anyio", ()),
        ("anyio", "", ("-o", "anyio_mode=auto")),
        ("pytest_asyncio", "@pytest.mark.asyncio", STRICT),
        ("pytest_asyncio", "", AUTO),
        ("pytest_asyncio", '@pytest.mark.asyncio(loop_scope="session")', STRICT),
    ],
)
def test_asynchronous_tests(tmp_path: Path, samples: Path, plugin: str, mark: str, options: tuple[str, ...]) -> None:
    """Both fixtures serve tests under anyio's plugin and under pytest-asyncio in both modes, and leave nothing open."""
    pytest.importorskip(plugin)
    text = ASYNCHRONOUS.format(mark=mark, photo=str(samples / "photo.jpg"))
    said = run(tmp_path, text, *options, plugins=(plugin if plugin == "anyio" else "pytest_asyncio.plugin",))
    assert "1 passed" in said.splitlines()[-1], said


def test_synchronous_tests(tmp_path: Path) -> None:
    """The fixtures serve plain code, `asyncio.run`, and an application under a TestClient."""
    said = run(tmp_path, SYNCHRONOUS)
    assert "5 passed" in said.splitlines()[-1], said


def test_no_token_source_gives_up_while_the_clock_moves_by_days(tmp_path: Path) -> None:
    """`advance` moves the clock of the fixture's session; sources of the application follow, with this clock or not."""
    said = run(tmp_path, CLOCK)
    assert "2 passed" in said.splitlines()[-1], said


def test_a_fault_that_no_request_met_fails_the_test(tmp_path: Path) -> None:
    """The message names it; a test that failed by itself is not reported twice, and the option switches it off."""
    said = run(tmp_path, UNUSED)
    assert "1 failed, 2 passed, 1 error in" in said.splitlines()[-1], said
    assert "faults that no request met:\n  add_material: html (met 0 of 3 times)" in said
    assert "ERROR at teardown of test_forgotten" in said
    said = run(tmp_path, UNUSED, "-o", "wxasset_unused_faults=ignore")
    assert "1 failed, 2 passed in" in said.splitlines()[-1], said
    said = run(tmp_path, UNUSED, "-o", "wxasset_unused_faults=perhaps")
    assert "wxasset_unused_faults is fail or ignore, not 'perhaps'" in said


def test_runs_that_do_not_use_it_pay_next_to_nothing() -> None:
    """Loading the plugin imports nothing but the root of the package, of which nothing else imports pytest."""
    module = "wxasset.integrations.pytest_plugin"
    code = f"import sys, pytest; old = set(sys.modules); import {module}; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"wxasset", "wxasset._version", "wxasset.integrations", module}
    package = ROOT / "wxasset"
    assert [path.name for path in package.rglob("*.py") if "import pytest" in path.read_text("utf-8")] == [
        "pytest_plugin.py"
    ]


def test_pytest_finds_it_by_itself() -> None:
    """The project announces the plugin under its own name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"wxasset": "wxasset.integrations.pytest_plugin"}
