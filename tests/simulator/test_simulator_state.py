"""The state directory of a simulator: libraries, cloud files and tokens across restarts, and what is refused."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from command_line import Command, command, environment
from wxasset import WxSession
from wxasset.simulator import Article, Simulator, SimulatorOptions
from wxasset.simulator.persistence.directory import DirectoryInUseError, StateDirectoryError

COUNT = "/cgi-bin/material/get_materialcount"
CLEAR = "/cgi-bin/clear_quota"
VIDEO = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00" + bytes(5_000_000)


@asynccontextmanager
async def opened(path: Path, **more: Any) -> AsyncIterator[Simulator]:
    """Run a simulator with a state directory, which it reads when it is made."""
    async with await asyncio.to_thread(partial(Simulator, state=path, **more)) as sim:
        yield sim


def held(sim: Simulator) -> dict[str, Any]:
    """Everything of an account that a restart keeps, in its order."""
    return {
        "materials": list(sim.materials.items()),
        "media": list(sim.temporary_media.items()),
        "files": list(sim.cloud_files.items()),
        "images": list(sim.article_images.items()),
        "in use": dict(sim.materials_in_use),
    }


async def token_of(sim: Simulator) -> str:
    """Fetch a stable token."""
    body = {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret}
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
        return str((await client.post("/cgi-bin/stable_token", json=body)).json()["access_token"])


async def test_a_restart_keeps_everything_byte_for_byte(tmp_path: Path, photo: bytes) -> None:
    """Materials, media, files and tokens are there in their order, under the same credentials; new ids are new."""
    async with opened(tmp_path / "s", seed=5) as sim, WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        await wx.add_material("image", photo, filename="图.jpg")
        gone = await wx.add_material("image", photo, filename="b.jpg")
        await wx.add_material("video", VIDEO, filename="v.mp4", title="题", introduction="i")
        sim.add_material("image", photo, filename="a\udcff.jpg")
        await wx.del_material(gone.media_id)
        await wx.upload_media("image", photo, filename="c.jpg")
        await wx.upload_image(photo, filename="d.jpg")
        sim.add_news(Article(title="一", content="<p>"))
        sim.add_cloud_file("env", "空.bin", b"")
        sim.add_cloud_file("env", "large.bin", VIDEO)
        sim.materials_in_use[next(iter(sim.materials))] = 48005
        sim.advance(100)
        first, token, credentials = held(sim), await token_of(sim), (sim.appid, sim.secret)
    async with opened(tmp_path / "s", seed=6) as sim:
        assert (sim.appid, sim.secret) == credentials
        assert held(sim) == first
        assert await token_of(sim) == token
        added = sim.add_article(title="x")
        assert added not in dict(first["materials"])
    async with opened(tmp_path / "s") as sim:
        assert list(sim.materials) == [*dict(first["materials"]), added]
        assert sim.add_article(title="y") != added


async def ask(sim: Simulator, path: str) -> int:
    """Send a request with a token; return its error code."""
    query = {"access_token": await token_of(sim)}
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
        return int((await client.post(path, params=query, json={"appid": sim.appid})).json().get("errcode", 0))


async def test_the_calls_of_the_day_and_the_resets_of_the_month_are_kept(tmp_path: Path) -> None:
    """Reading calls count too; a limit is met across restarts, and the counts of another day are forgotten."""
    options = SimulatorOptions(daily_limits={COUNT: 2})
    again = partial(opened, tmp_path / "s", options=options, clock=lambda: 1_790_000_000.0)
    async with again() as sim:
        assert await ask(sim, CLEAR) == 0
        assert [await ask(sim, COUNT) for _ in range(2)] == [0, 0]
    async with again() as sim:
        assert await ask(sim, COUNT) == 45009
        assert [await ask(sim, CLEAR) for _ in range(10)] == [0] * 9 + [48006]
        assert [await ask(sim, COUNT) for _ in range(2)] == [0, 0]
        sim.advance(86_400)
    async with again() as sim:
        assert await ask(sim, COUNT) == 0


async def test_accounts_and_authorizations_are_kept(tmp_path: Path, photo: bytes) -> None:
    """Further accounts have their own options and libraries after a restart; a reset lasts, too."""
    async with opened(tmp_path) as sim:
        other = sim.add_account(appid="wx-b", options=SimulatorOptions(voice_cap=3))
        plain = sim.add_account(appid="wx-c")
        media_id = other.add_material("image", photo, filename="a.jpg")
        sim.platform.authorize("wx-b", permission_sets=[11])
        kept = (other.secret, plain.secret, sim.platform.refresh_token("wx-b"), sim.platform.appid)
        ticket = sim.platform.push_ticket()
    async with opened(tmp_path, options=SimulatorOptions(video_cap=9)) as sim:
        other, plain = sim.accounts["wx-b"], sim.accounts["wx-c"]
        assert (other.secret, plain.secret, sim.platform.refresh_token("wx-b"), sim.platform.appid) == kept
        assert (other.options.voice_cap, plain.options.video_cap) == (3, 9)
        assert other.materials[media_id].content == photo
        body = {"component_appid": sim.platform.appid, "component_appsecret": sim.platform.secret}
        async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
            path = "/cgi-bin/component/api_component_token"
            granted = await client.post(path, json={**body, "component_verify_ticket": ticket})
            assert "component_access_token" in granted.json()
        assert sim.platform.push_ticket() != ticket
        sim.reset()
    async with opened(tmp_path) as sim:
        assert (list(sim.accounts)[1:], dict(sim.accounts["wx-b"].materials)) == (["wx-b", "wx-c"], {})


async def test_drafts_and_publications_are_kept(tmp_path: Path) -> None:
    """A changed draft and a publication have the same responses after a restart."""

    async def ask(sim: Simulator, path: str, body: object) -> dict[str, Any]:
        query = {"access_token": token}
        async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
            found: dict[str, Any] = (await client.post(f"/cgi-bin/{path}", params=query, json=body)).json()
        assert found.get("errcode", 0) == 0, found
        return found

    async def shown(sim: Simulator) -> list[dict[str, Any]]:
        listed = await ask(sim, "draft/batchget", {"offset": 0, "count": 20})
        return [listed, await ask(sim, "freepublish/get", {"publish_id": publish_id})]

    async with opened(tmp_path, clock=lambda: 1e9) as sim:
        token = await token_of(sim)
        thumb = sim.add_material("thumb", b"\xff\xd8\xff", filename="a.jpg")
        article = {"title": "一", "content": "<p>1</p>", "thumb_media_id": thumb}
        draft, kept = [(await ask(sim, "draft/add", {"articles": [article]}))["media_id"] for _ in range(2)]
        change = {"media_id": kept, "index": 0, "articles": {**article, "title": "二"}}
        await ask(sim, "draft/update", change)
        publish_id = (await ask(sim, "freepublish/submit", {"media_id": draft}))["publish_id"]
        before = await shown(sim)
    async with opened(tmp_path, clock=lambda: 1e9) as sim:
        assert await shown(sim) == before
        sim.advance(3600)
        assert (await shown(sim))[1]["publish_status"] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_server_has_every_upload_that_it_acknowledged(tmp_path: Path, photo: bytes, wxasset: Command) -> None:
    """After SIGKILL the directory is free again, and has the upload and what was staged over HTTP."""
    whole = command("simulate", "--json", "--state", tmp_path / "s", "--appid", "wx-a")
    with subprocess.Popen(whole, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        with httpx.Client(base_url=where["base_url"], trust_env=False) as client:
            query = {"grant_type": "client_credential", "appid": where["appid"], "secret": where["secret"]}
            token = client.get("/cgi-bin/token", params=query).json()["access_token"]
            path = f"/cgi-bin/material/add_material?type=image&access_token={token}"
            staged = client.post("/_sim/articles", json={"articles": [{"title": "t"}]}).json()
            in_use = wxasset("simulate", "--state", tmp_path / "s")
            added = client.post(path, files={"media": ("a.jpg", photo)}).json()
        os.kill(process.pid, signal.SIGKILL)
    assert (in_use.status, in_use.out, len(in_use.err.splitlines())) == (1, "", 1)
    assert "is used by another simulator; stop it first" in in_use.err
    with Simulator(state=tmp_path / "s") as sim:
        assert sim.secret == where["secret"]
        assert list(sim.materials) == [staged["media_id"], added["media_id"]]
        assert sim.materials[added["media_id"]].content == photo
        assert (
            httpx.get(f"{sim.url}/cgi-bin/material/get_materialcount?access_token={token}").json()["image_count"] == 1
        )


def _other_version(path: Path) -> None:
    (path / "version").write_text("7\n")


def _other_files(path: Path) -> None:
    (path / "version").unlink()
    (path / "thesis.tex").write_text("x")


def _no_database(path: Path) -> None:
    (path / "state.db").write_bytes(b"not a database" * 100)


def _no_rows(path: Path) -> None:
    with sqlite3.connect(path / "state.db") as database:
        database.execute(
            'UPDATE items SET value = \'{"class": "os:system", "fields": {}}\' WHERE store = \'materials\''
        )
    database.close()


def _missing_bytes(path: Path) -> None:
    next(path.glob("bytes/*/*")).unlink()


def _other_bytes(path: Path) -> None:
    next(path.glob("bytes/*/*")).write_bytes(b"x")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_other_version, "has version '7', this simulator reads version '1'; use another directory"),
        (_other_files, "has other files than a state, such as 'thesis.tex'; use an empty directory"),
        (_no_database, "is damaged: file is not a database"),
        (_no_rows, "is damaged: unknown class 'os:system'"),
        (_missing_bytes, "No such file"),
        (_other_bytes, "has other bytes than stored"),
    ],
)
def test_a_directory_that_cannot_be_used_is_refused(
    tmp_path: Path, harm: Callable[[Path], None], words: str, wxasset: Command
) -> None:
    """One sentence has the reason; the command line has status 2, and nothing in the directory changes."""
    with Simulator(state=tmp_path, appid="wx-a") as sim:
        sim.add_material("image", b"\xff\xd8\xff", filename="a.jpg")
    harm(tmp_path)
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    for _ in range(2):
        with pytest.raises(StateDirectoryError, match=words):
            Simulator(state=tmp_path)
    told = wxasset("simulate", "--state", tmp_path)
    assert (told.status, told.out, len(told.err.splitlines())) == (2, "", 1)
    assert words in told.err
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before


def test_a_directory_has_one_user_and_one_first_account(tmp_path: Path) -> None:
    """A second simulator is refused until the first one is closed, and so is another appid for the first account."""
    sim = Simulator(state=tmp_path, appid="wx-a")
    with sim, pytest.raises(DirectoryInUseError, match="is used by another simulator; stop it first"):
        Simulator(state=tmp_path)
    with pytest.raises(StateDirectoryError, match="belongs to wx-a, not to wx-b"):
        Simulator(state=tmp_path, appid="wx-b")
    with pytest.raises(RuntimeError, match="starts once"), sim:
        pass
    with Simulator(state=tmp_path, secret="other") as sim:
        assert (sim.appid, sim.secret) == ("wx-a", "other")
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(StateDirectoryError, match=r"the state needs a directory, and .* is a file"):
        Simulator(state=file)


def test_a_failed_write_is_told_and_made_up_for(tmp_path: Path) -> None:
    """Without room for the bytes a request gets 500, and nothing of it is acknowledged; the next one writes all."""
    with Simulator(state=tmp_path) as sim:
        (tmp_path / "bytes").write_text("in the way")
        staged = {"content": "AAAA"}
        refused = httpx.post(f"{sim.url}/_sim/voices", json=staged, trust_env=False)
        assert (refused.status_code, list(refused.json())) == (500, ["error"])
        path = f"{sim.url}/cgi-bin/token?grant_type=client_credential&appid={sim.appid}&secret={sim.secret}"
        assert httpx.get(path, trust_env=False).status_code == 500
        (tmp_path / "bytes").unlink()
        assert "access_token" in httpx.get(path, trust_env=False).json()
        held_before = held(sim)
    with Simulator(state=tmp_path) as sim:
        assert held(sim) == held_before
        assert len(sim.temporary_media) == 1
