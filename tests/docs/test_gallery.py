"""The gallery of examples/gallery: what its server lets through, and what it answers."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from door import Keys
from gallery import KEYS, app
from guard import MOST_BYTES
from wxasset.simulator import Simulator

PAGE = Path(__file__).parents[2] / "examples" / "gallery" / "static"
MARK = {"X-Gallery": "1"}
UPLOAD = {"upload": "0123456789abcdef" * 2}


@pytest.fixture
async def stranger(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the started gallery, which works on the simulator of the test; it has entered no token."""
    monkeypatch.setenv("WXASSET_APPID", sim.appid)
    monkeypatch.setenv("WXASSET_SECRET", sim.secret)
    monkeypatch.setenv("WXASSET_BASE_URL", sim.url)
    async with app.router.lifespan_context(app) as state:

        async def started(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(started)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as one:
            yield one


@pytest.fixture
async def client(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client that has entered the printed token."""
    assert (await stranger.get("/", params={"token": KEYS.token})).status_code == 303
    return stranger


async def add(client: httpx.AsyncClient, name: str, content: bytes, **more: Any) -> httpx.Response:
    """Send a picture as the page does."""
    files = {"file": (name, content, "image/jpeg")}
    return await client.post("/api/images", files=files, params=UPLOAD, **{"headers": MARK, **more})


async def test_a_picture_goes_round(client: httpx.AsyncClient, sim: Simulator, photo: bytes) -> None:
    """A picture is added, listed as the newest, shown as it was, and deleted."""
    ids = [(await add(client, name, photo)).json()["media_id"] for name in ("one.jpg", "二.jpg")]
    listed = (await client.get("/api/images")).json()
    assert [one["media_id"] for one in listed["items"]] == ids[::-1]
    assert ([one["name"] for one in listed["items"]], listed["total"]) == (["二.jpg", "one.jpg"], 2)
    shown = await client.get(f"/images/{ids[0]}")
    assert (shown.content, shown.headers["Content-Type"]) == (photo, "image/jpeg")
    assert "immutable" in shown.headers["Cache-Control"]
    assert (await client.delete(f"/api/images/{ids[0]}", headers=MARK)).status_code == 204
    assert list(sim.materials) == [ids[1]]
    assert (await client.get("/api/about")).json() == {"simulated": False, "total": 1}
    assert (await client.get(f"/images/{ids[0]}")).status_code == 404


async def test_without_credentials_it_has_a_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who tries it out needs no account."""
    monkeypatch.delenv("WXASSET_APPID", raising=False)
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        assert state["simulated"] is True
        assert (await state["wx"].count_materials()).image == 0


@pytest.mark.parametrize("name", ['<img src=x onerror="alert(1)">.jpg', "../../etc/passwd.jpg", "a'\";--.jpg"])
async def test_names_of_others_are_data(client: httpx.AsyncClient, photo: bytes, name: str) -> None:
    """A name comes back as JSON, which the page shows as text, and never in a header as it is."""
    media_id = (await add(client, name, photo)).json()["media_id"]
    listed = await client.get("/api/images")
    assert listed.headers["Content-Type"] == "application/json"
    assert listed.json()["items"][0]["name"].endswith(".jpg")
    shown = await client.get(f"/images/{media_id}")
    assert re.fullmatch(
        r"inline; filename=\"[\w .()+-]+\"(; filename\*=UTF-8''[\w%.~-]+)?", shown.headers["Content-Disposition"]
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        (MARK | {"Origin": "https://evil.example"}, 403),
        (MARK | {"Origin": "null"}, 403),
        (MARK | {"Sec-Fetch-Site": "cross-site"}, 403),
        (MARK | {"Host": "evil.example"}, 400),
        (MARK | {"Content-Length": str(MOST_BYTES + 1)}, 413),
        (MARK | {"Content-Length": "-1"}, 413),
        (MARK | {"Transfer-Encoding": "chunked"}, 411),
        (MARK | {"Origin": "http://localhost:8000"}, 201),
    ],
)
async def test_what_other_sites_ask_for_is_refused(
    client: httpx.AsyncClient, sim: Simulator, photo: bytes, headers: dict[str, str], status: int
) -> None:
    """A change is made for the page itself alone, and no body is read that is too large or of unknown size."""
    assert (await add(client, "a.jpg", photo, headers=headers)).status_code == status
    assert len(sim.materials) == (status == 201)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "of a browser to come"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/gallery.js", "/api/about", "/api/images", "/images/{}"])
async def test_a_page_of_another_site_spends_no_quota(
    client: httpx.AsyncClient, sim: Simulator, photo: bytes, path: str, method: str, site: str
) -> None:
    """What another site embeds or fetches is refused before WeChat is asked; the page and its user are served."""
    path = path.format((await add(client, "a.jpg", photo)).json()["media_id"])
    before = len(sim.journal)
    assert (await client.request(method, path, headers={"Sec-Fetch-Site": site})).status_code == 403
    assert len(sim.journal) == before
    for own in ("same-origin", "none"):
        assert (await client.get(path, headers={"Sec-Fetch-Site": own})).status_code == 200


@pytest.mark.parametrize("path", ["/", "/gallery.js", "/api/about", "/api/images", "/images/x", "/api/passage", "/x"])
async def test_without_the_token_nothing_is_shown(stranger: httpx.AsyncClient, sim: Simulator, path: str) -> None:
    """A browser that has entered no token, or a wrong or a used one, is asked for it, and WeChat is not."""
    used = KEYS.token
    KEYS.renew()
    for token in ("", "guessed", "\u00e9", used):
        got = await stranger.get(path, params={**UPLOAD, "token": token})
        assert (got.status_code, got.headers.get("Set-Cookie")) == (401, None)
    assert (await stranger.delete("/api/images/x", headers=MARK)).status_code == 401
    assert 'name="token"' in (await stranger.get("/")).text
    assert (await stranger.get("/style.css")).status_code == 200
    assert sim.journal == []


async def test_a_token_opens_one_browser(stranger: httpx.AsyncClient) -> None:
    """It is exchanged for a cookie that scripts and other sites do not get, and the next one is printed."""
    token = KEYS.token
    got = await stranger.get("/", params={"token": token})
    cookie = got.headers["Set-Cookie"]
    assert (got.status_code, got.headers["Location"]) == (303, "/")
    assert re.match(r"gallery-8000=[\w-]{43}; HttpOnly; Path=/; SameSite=strict$", cookie)
    assert token not in cookie
    assert KEYS.token != token
    assert (await stranger.get("/api/about")).status_code == 200
    assert (await stranger.get("/", params={"token": token})).headers["Location"] == "/"
    stranger.cookies.clear()
    assert (await stranger.get("/", params={"token": token})).status_code == 401
    assert (await stranger.get("/", params={"token": KEYS.token})).status_code == 303


def test_each_token_is_printed_with_the_address() -> None:
    """The line can be opened as it is; without a start there is no token that could be guessed."""
    lines: list[str] = []
    keys = Keys(address="http://127.0.0.1:1", tell=lines.append)
    assert keys.enter("") is None
    keys.renew()
    assert keys.enter(keys.token) is not None
    assert [line.rpartition("=")[0] for line in lines] == [
        "Open the gallery in one browser: http://127.0.0.1:1/?token"
    ] * 2
    assert lines[1].endswith(f"={keys.token}")
    assert lines[0] != lines[1]


@pytest.mark.parametrize("path", ["/", "/gallery.js", "/api/images", "/images/missing", "/missing"])
async def test_every_answer_is_guarded(client: httpx.AsyncClient, path: str) -> None:
    """The policy allows the page its own files and nothing else, on whatever is answered."""
    got = await client.get(path)
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert (await client.post(path)).headers["Content-Security-Policy"] == policy


async def test_a_wrong_file_is_told_so(client: httpx.AsyncClient, sim: Simulator) -> None:
    """What is no picture is refused before WeChat is asked, in two languages."""
    got = await add(client, "a.jpg", b"no picture at all")
    assert got.status_code == 422
    assert set(got.json()) == {"error", "hint", "hint_zh"}
    assert not [one for one in sim.journal if one.path.endswith("/add_material")]


async def test_an_upload_that_is_not_under_way_has_no_passage(client: httpx.AsyncClient, photo: bytes) -> None:
    """Nothing is kept of an upload that is over, nor of one that never was."""
    await add(client, "a.jpg", photo)
    assert (await client.get("/api/passage", params=UPLOAD)).json() == {"done": 0, "total": None}
    assert (await client.get("/api/passage", params={"upload": "x"})).status_code == 422


def test_the_page_says_the_same_in_both_languages() -> None:
    """Every text of one language is there in the other, and every text that the page shows is in both."""
    script = (PAGE / "words.js").read_text("utf-8")
    english, chinese = re.findall(r"^  (?:en|zh): \{\n(.*?)^  \},", script, flags=re.MULTILINE | re.DOTALL)
    keys = [re.findall(r"(?:^|[,{] |, )\s*(\w+):(?= )", part, flags=re.MULTILINE) for part in (english, chinese)]
    assert sorted(keys[0]) == sorted(keys[1])
    assert len(keys[0]) > 25
    page = (PAGE / "index.html").read_text("utf-8")
    assert set(re.findall(r'data-text="(\w+)"', page)) <= set(keys[0])


def test_the_page_holds_nothing_that_its_policy_forbids() -> None:
    """No styles or scripts in place, no handlers, no other host; and no text is ever made into markup."""
    page = (PAGE / "index.html").read_text("utf-8")
    page += (PAGE.parent / "enter.html").read_text("utf-8")
    assert not re.findall(r"\son\w+=|\sstyle=|<style|<script(?! type=\"module\" src=)|https?://", page)
    for script in PAGE.glob("*.js"):
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|https?://", script.read_text("utf-8"))
