"""Options, accounts and content that are staged over HTTP, as a program in another language does it."""

import base64
import io
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from wxasset import WxSession
from wxasset.errors import QuotaExceededError
from wxasset.simulator import Simulator, SimulatorOptions


async def ask(sim: Simulator, method: str, path: str, body: object = None) -> Any:
    """Send a request to the control API and return the document of its successful response."""
    async with httpx.AsyncClient(base_url=f"{sim.url}/_sim/", trust_env=False) as client:
        response = await client.request(method, path, json=body)
    assert response.status_code == 200, response.text
    return response.json() if response.headers["Content-Type"].startswith("application/json") else response.content


async def refusal(sim: Simulator, method: str, path: str, body: object = None) -> str:
    """Send a request to the control API and return the sentence of its refusal."""
    async with httpx.AsyncClient(base_url=f"{sim.url}/_sim/", trust_env=False) as client:
        response = await client.request(method, path, json=body)
    assert response.status_code in {400, 404}, response.text
    return str(response.json()["error"])


async def test_health_is_told_to_everybody(sim: Simulator) -> None:
    """A probe may use HEAD, and learns no more than the number of accounts."""
    assert await ask(sim, "GET", "health") == {"status": "ok", "accounts": 1}
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
        probed = await client.head("/_sim/health")
    assert (probed.status_code, probed.content) == (200, b"")


async def test_every_option_is_read_and_changed(sim: Simulator) -> None:
    """What is read can be sent back as it is; a change shows in Python and holds for the next call."""
    before = await ask(sim, "GET", "options")
    assert set(before) == {one.name for one in attrs.fields(SimulatorOptions)}
    assert await ask(sim, "PATCH", "options", before) == before
    assert sim.options == SimulatorOptions()
    change = {"daily_limits": {"/cgi-bin/token": 1}, "allowed_addresses": ["10.0.0.0/8"], "longest_voice": 2}
    assert (await ask(sim, "PATCH", "options", change)) == {**before, **change}
    assert sim.options.allowed_addresses == frozenset({"10.0.0.0/8"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"voice_cpa": 1}, "unknown option 'voice_cpa'; did you mean voice_cap"),
        ({"xyz": 1}, "unknown option 'xyz'; known are headers"),
        ({"port": 1}, "port cannot change while the server runs"),
        ({"state": "x"}, "state cannot change while the server runs"),
        ({"voice_cap": "1"}, "voice_cap must be a whole number, got '1'"),
        ({"voice_cap": True}, "voice_cap must be a whole number, got True"),
        ({"voice_cap": -1}, "voice_cap must be >= 0"),
        ({"verified": "yes"}, "verified must be true or false, got 'yes'"),
        ({"video_link": "x"}, "video_link must be file or page, got 'x'"),
        ({"permission_sets": [1, "2"]}, "permission_sets must be a list of whole numbers or null, got [1, '2']"),
        ({"cloud_hosting": "/a"}, "cloud_hosting must be a list of strings or null, got '/a'"),
        ({"daily_limits": {"/a": "1"}}, "daily_limits must be a table of whole numbers by name"),
        ({"daily_limits": {"a": 1}}, "daily_limits"),
        (
            {"daily_limits": {"/cgi-bin/tokens": 1}},
            "daily_limits: unknown path '/cgi-bin/tokens'; did you mean /cgi-bin/token",
        ),
        ({"minute_limits": {"/x": 1}}, "minute_limits: unknown path '/x'"),
        ({"unauthorized_paths": ["/x"]}, "unauthorized_paths: unknown path '/x'"),
        ({"allowed_addresses": ["nowhere"]}, "allowed_addresses: 'nowhere' does not appear to be"),
        ({"token_refusal": 1}, "token_refusal must be in"),
        ({"withdrawn_token_errcode": 5}, "withdrawn_token_errcode must be 61003 or 40001, got 5"),
    ],
)
async def test_a_wrong_option_changes_nothing(sim: Simulator, change: dict[str, object], said: str) -> None:
    """It is refused by its name, together with the right ones beside it."""
    assert said in await refusal(sim, "PATCH", "options", {"voice_cap": 5, **change})
    assert sim.options == SimulatorOptions()


async def test_an_account_has_options_of_its_own(sim: Simulator) -> None:
    """A test account has 200 tokens a day; its options change without those of the first account."""
    added = await ask(sim, "POST", "accounts", {"appid": "wx-sandbox", "preset": "sandbox"})
    assert await ask(sim, "GET", "accounts") == [{"appid": sim.appid, "secret": sim.secret}, added]
    assert sim.accounts["wx-sandbox"].options.daily_limits["/cgi-bin/token"] == 200
    await ask(sim, "PATCH", "options?appid=wx-sandbox", {"daily_limits": {"/cgi-bin/material/get_materialcount": 0}})
    async with WxSession("wx-sandbox", added["secret"], base_url=sim.url) as wx:
        with pytest.raises(QuotaExceededError):
            await wx.count_materials()
    assert sim.options == SimulatorOptions()
    sim.accounts["wx-sandbox"].add_article(title="t")
    counts = [(await ask(sim, "GET", path))["counts"]["news"] for path in ("state", "state?appid=wx-sandbox")]
    assert counts == [0, 1]
    await ask(sim, "POST", "accounts", {"options": {"account_kind": "mini_program"}})
    assert "appid 'wx-sandbox' is taken" in await refusal(sim, "POST", "accounts", {"appid": "wx-sandbox"})
    assert "unknown preset 'sandbx'; known are sandbox" in await refusal(sim, "POST", "accounts", {"preset": "sandbx"})
    assert "no account 'wx-sandbx'; did you mean wx-sandbox?" in await refusal(sim, "GET", "options?appid=wx-sandbx")
    assert len(sim.accounts) == 3


async def test_content_is_staged_and_read_back(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """Everything that Python can add is added over HTTP; the bytes come back by id."""
    sent = base64.b64encode(photo).decode()
    news = await ask(sim, "POST", "articles", {"articles": [{"title": "一"}, {"title": "二", "content": "<p>"}]})
    assert [one.title for one in sim.materials[news["media_id"]].articles] == ["一", "二"]
    material = await ask(sim, "POST", "materials", {"type": "image", "filename": "a.jpg", "content": sent})
    saved = io.BytesIO()
    await wx.get_material(material["media_id"], saved)
    assert saved.getvalue() == photo
    medium = await ask(sim, "POST", "media", {"type": "image", "filename": "b.jpg", "content": sent})
    voice = await ask(sim, "POST", "voices", {"content": base64.b64encode(b"speex").decode()})
    file = await ask(sim, "POST", "cloud_files", {"env": "env", "path": "图/a.bin", "content": sent})
    names = [material["media_id"], medium["media_id"], file["fileid"], sim.materials[material["media_id"]].url]
    for name in names:
        assert await ask(sim, "GET", f"bytes?id={httpx.QueryParams({'id': name})['id']}") == photo
    assert await ask(sim, "GET", f"bytes?id={voice['media_id']}") == b"speex"
    assert await ask(sim, "POST", "materials/in_use", material | {"errcode": 45060}) == {}
    assert sim.materials_in_use == {material["media_id"]: 45060}
    assert await ask(sim, "DELETE", f"bytes?id={file['fileid']}") == {}
    assert dict(sim.cloud_files) == {}


async def test_tokens_and_tickets_are_staged(sim: Simulator, wx: WxSession) -> None:
    """A token of cloud hosting and a ticket of the platform work; rejected tokens do not."""
    token = (await ask(sim, "POST", "tokens/cloudbase", {}))["token"]
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
        path = f"/cgi-bin/material/get_materialcount?cloudbase_access_token={token}"
        assert (await client.get(path)).json()["image_count"] == 0
        ticket = await ask(sim, "POST", "tickets", {})
        granted = (await client.post("/cgi-bin/component/api_component_token", json=ticket)).json()
        assert "component_access_token" in granted
    issued = await ask(sim, "POST", "authorizations", {"permission_sets": [11]})
    (listed,) = await ask(sim, "GET", "authorizations")
    assert (listed["refresh_token"], listed["permission_sets"]) == (issued["refresh_token"], [11])
    await ask(sim, "DELETE", "authorizations")
    assert await ask(sim, "GET", "authorizations") == []
    await wx.count_materials()
    await ask(sim, "POST", "tokens/expire", {})
    await wx.count_materials()
    assert sim.token_calls == 3


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("articles", {"articles": []}, "articles"),
        ("articles", {"articles": [{"titel": "x"}]}, "unknown fields: titel; did you mean title?"),
        ("articles", {"articles": [{"title": 5}]}, "title must be a string, got 5"),
        ("articles", {"articles": {"title": "x"}}, "articles must be a list"),
        ("articles", {}, "articles is missing"),
        ("materials", {"type": "news", "filename": "a", "content": ""}, "type must be image, voice, video or thumb"),
        ("voices", {"content": "*"}, "base64"),
        ("materials/in_use", {"media_id": "x"}, "no material 'x'"),
        ("articels", {}, "did you mean articles"),
    ],
)
async def test_wrong_content_is_refused(sim: Simulator, path: str, body: dict[str, object], said: str) -> None:
    """One sentence has the field, the value and the right form."""
    assert said in await refusal(sim, "POST", path, body)
    assert (dict(sim.materials), dict(sim.temporary_media)) == ({}, {})


async def test_no_page_is_served_from_the_stored_bytes(sim: Simulator) -> None:
    """A stored HTML page would be run by a browser as one of the simulator's own."""
    fileid = sim.add_cloud_file("env", "a.html", b"<script>1</script>")
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as client:
        response = await client.get("/_sim/bytes", params={"id": fileid})
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert len(response.content) == 18


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_an_application_in_javascript_controls_it(tmp_path: Path) -> None:
    """It sets options, stages an article and a token, injects a fault and reads the journal, over HTTP alone."""
    script = Path(__file__).with_name("control.mjs")
    with Simulator() as sim:
        variables = {**os.environ, "WXASSET_BASE_URL": sim.url}
        ended = subprocess.run(
            ["node", script], env=variables, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ok\n", "")
