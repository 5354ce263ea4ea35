"""`wxasset quota`: the library against its caps, and the day's calls that are left, for people and for programs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from anyio import to_thread
from hypothesis import given
from hypothesis import strategies as st

import wxasset
from wxasset import CallQuota, MaterialCount, Quota, WxSession
from wxasset.cli.runtime.usage import CAPS, ENDPOINTS, Usage, bar, call_usage, library_usage
from wxasset.simulator import Simulator, SimulatorOptions
from wxasset.simulator.endpoints.table import ENDPOINTS as SIMULATED

ROOT: Final = Path(wxasset.__file__).parent.parent
HELD_UP: Final = 60.0  # seconds; the command does not take as long, unless something hangs
COUNT: Final = "/cgi-bin/material/get_materialcount"
COUNTS: Final = st.integers(0, 200_000)


def environment(service: Simulator, **more: str) -> dict[str, str]:
    """The environment of a user of this service, who has set nothing else."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WXASSET_")}
    account = {"WXASSET_APPID": service.appid, "WXASSET_SECRET": service.secret, "WXASSET_BASE_URL": service.url}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | account | more


async def run(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a pipe, with every warning an error."""
    return await to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-W", "error", "-m", "wxasset", "quota", *arguments],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=HELD_UP,
            check=False,
        )
    )


async def run_in_terminal(environ: Mapping[str, str], columns: int) -> str:
    """Run the command on a terminal; give what it wrote."""
    pty = pytest.importorskip("pty")

    def work() -> bytes:
        ours, theirs = pty.openpty()
        seen = b""
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "wxasset", "quota"],
            env={**environ, "TERM": "xterm", "COLUMNS": str(columns)},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            try:
                while data := os.read(ours, 65_536):
                    seen += data
            except OSError:  # Linux says so where the other side is closed
                pass
            os.close(ours)
            assert process.wait(HELD_UP) == 0
        return seen

    return (await to_thread.run_sync(work)).decode()


async def test_every_endpoint_has_a_line(sim: Simulator, wx: WxSession) -> None:
    """In a pipe the library has three lines and each endpoint has one, with what WeChat counts."""
    sim.options = SimulatorOptions(daily_limits={COUNT: 10})
    await wx.count_materials()
    done = await run(environment(sim))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[1] for line in lines] == [*CAPS, *ENDPOINTS]
    assert {line[0] for line in lines} == {"library", "calls"}
    assert ["library", "image + news", "0", "100000", "100000"] in lines
    assert ["calls", COUNT, "2", "10", "8"] in lines
    assert ["calls", "/cgi-bin/material/add_material", "0", "", ""] in lines


async def test_json(sim: Simulator) -> None:
    """With --json each line is an object with the same keys; where there is no limit, limit and left are null."""
    done = await run(environment(sim), "--json")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert {tuple(one) for one in documents} == {("kind", "name", "used", "limit", "left")}
    by_name = {one["name"]: one for one in documents}
    assert by_name["/cgi-bin/token"] | {"used": 0} == {
        "kind": "calls",
        "name": "/cgi-bin/token",
        "used": 0,
        "limit": 2_000,
        "left": 2_000,
    }
    assert by_name[COUNT]["limit"] is by_name[COUNT]["left"] is None


async def test_a_terminal_of_80_columns(sim: Simulator) -> None:
    """On a terminal there is a table with bars, in which no path is broken, and what is spent is red."""
    sim.options = SimulatorOptions(daily_limits={COUNT: 1})
    seen = await run_in_terminal(environment(sim), 80)
    assert re.search(r"\x1b\[1;31m████████ 100%", seen)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    for path in ENDPOINTS:
        assert re.search(rf"^ ?{re.escape(path)} ", plain, re.MULTILINE), path
    assert "░░░░░░░░   0%" in plain
    assert "left" in plain


async def test_a_mini_program(sim: Simulator) -> None:
    """An account without a library has its quotas shown, and the refusal is told with its item, as partly done."""
    sim.options = SimulatorOptions(account_kind="mini_program")
    done = await run(environment(sim), "--json")
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == len(ENDPOINTS)
    (error,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (error["errcode"], error["item"]) == (48001, "library")


@pytest.mark.parametrize(("code", "status"), [(76021, 0), (76022, 0), (-1, 3), (48001, 3)])
async def test_an_endpoint_of_which_nothing_is_told(sim: Simulator, code: int, status: int) -> None:
    """An endpoint that WeChat tells no quota of is left out; any other refusal is told with the endpoint's path."""
    sim.fail("/cgi-bin/openapi/quota/get", f"errcode:{code}", times=None)
    done = await run(environment(sim), "--json")
    assert done.returncode == status
    assert len(done.stdout.splitlines()) == len(CAPS)
    told = [json.loads(line)["item"] for line in done.stderr.splitlines()]
    assert sorted(told) == (sorted(ENDPOINTS) if status else [])


async def test_wrong_credentials(sim: Simulator) -> None:
    """Without a token nothing is shown, and the status says that credentials are at fault."""
    done = await run(environment(sim, WXASSET_SECRET="0" * 32))
    assert (done.returncode, done.stdout) == (5, "")
    assert "40125" in done.stderr


def test_the_endpoints_are_those_that_there_are() -> None:
    """Each endpoint that is asked about is one that the simulator knows; none stands twice."""
    assert len(set(ENDPOINTS)) == len(ENDPOINTS)
    assert set(ENDPOINTS) <= set(SIMULATED)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_the_library_against_its_caps(image: int, news: int, voice: int, video: int) -> None:
    """Images and news share a cap; nothing that is left is below zero."""
    usages = library_usage(MaterialCount(image=image, news=news, voice=voice, video=video))
    assert [usage.used for usage in usages] == [image + news, voice, video]
    assert all(usage.left == max(0, usage.limit - usage.used) for usage in usages)
    assert all(usage.share is not None and 0 <= usage.share <= 1 for usage in usages)


@given(COUNTS, COUNTS, COUNTS)
def test_wechats_own_numbers(limit: int, used: int, remain: int) -> None:
    """What WeChat says is left is shown, even where it is not the difference; a limit of 0 is none."""
    usage = call_usage("/a", CallQuota(quota=Quota(daily_limit=limit, used=used, remain=remain)))
    assert (usage.used, usage.limit, usage.left) == (used, limit, remain)
    assert (usage.share is None) == (limit == 0)


@given(st.floats(0, 1), st.booleans())
def test_a_bar(share: float, plain: bool) -> None:
    """A bar is always as long; it is empty where nothing is used, and full where nothing is left, and else neither."""
    drawn = bar(share, plain=plain)
    full = "#" if plain else "█"
    assert len(drawn) == len(bar(0))
    assert (full in drawn) == (share > 0)
    assert (set(drawn) == {full}) == (share == 1)
    assert drawn.isascii() == plain


def test_a_usage_without_a_limit_has_no_share() -> None:
    """Where there is no limit there is no part of it."""
    assert Usage(name="a", used=5, limit=0).share is None
