"""`wxasset web`: requests that its application lets through, and its answers; no browser is needed."""

import json
import re
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from attrs import evolve

from wxasset import WxSession
from wxasset.cli.runtime.credentials import Credentials
from wxasset.cli.web import door
from wxasset.cli.web.app import STATIC, make_app
from wxasset.cli.web.door import Keys
from wxasset.cli.web.guard import HEADER, MOST_BYTES
from wxasset.cli.web.site import Site
from wxasset.simulator import Simulator
from wxasset.starlette import MaterialCache

MARK: Final = {HEADER: "1"}
ORIGIN: Final = "http://localhost:8000"
PATHS: Final = (
    *("/", "/library.js", "/api/about", "/api/materials?type=image", "/materials/x", "/api/quota", "/api/doctor"),
    "/missing",
)


@pytest.fixture
def keys() -> Keys:
    """Tokens, of which nothing is printed."""
    one = Keys(lambda _: None)
    one.renew()
    return one


@pytest.fixture
def site(sim: Simulator, wx: WxSession, tmp_path: Path) -> Site:
    """The account of the simulator."""
    credentials = Credentials(appid=sim.appid, secret=sim.secret, base_url=sim.url, origin="a test")
    cache = MaterialCache(tmp_path / "cache", 1 << 20)
    return Site(wx=wx, cache=cache, credentials=credentials, environ={}, controls=f"{sim.url}/_sim/")


def client_of(site: Site, keys: Keys) -> httpx.AsyncClient:
    """A client that has entered no token."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(make_app(site, keys)), base_url=ORIGIN)


@pytest.fixture
async def stranger(site: Site, keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application that has entered no token."""
    async with client_of(site, keys) as one:
        yield one


@pytest.fixture
async def client(stranger: httpx.AsyncClient, keys: Keys) -> httpx.AsyncClient:
    """A client that has entered the token."""
    assert (await stranger.get("/", params={"token": keys.token})).status_code == 303
    return stranger


async def add(client: httpx.AsyncClient, name: str, content: bytes, kind: str = "image", **more: Any) -> httpx.Response:
    """Send a file as the page does."""
    files = {"file": (name, content, "application/octet-stream")}
    return await client.post("/api/materials", files=files, params={"type": kind}, **{"headers": MARK, **more})


def result(got: httpx.Response) -> dict[str, Any]:
    """The end of an upload: the last line of its response."""
    document: dict[str, Any] = json.loads(got.text.splitlines()[-1])
    return document


async def test_a_picture_goes_round(client: httpx.AsyncClient, sim: Simulator, photo: bytes) -> None:
    """A picture is added, listed as the newest, shown as it was, and deleted."""
    ids = [result(await add(client, name, photo))["media_id"] for name in ("one.jpg", "二.jpg")]
    listed = (await client.get("/api/materials", params={"type": "image"})).json()
    assert [one["media_id"] for one in listed["items"]] == ids[::-1]
    assert ([one["name"] for one in listed["items"]], listed["total"]) == (["二.jpg", "one.jpg"], 2)
    shown = await client.get(f"/materials/{ids[0]}")
    assert (shown.content, shown.headers["Content-Type"]) == (photo, "image/jpeg")
    assert (await client.delete(f"/api/materials/{ids[0]}", headers=MARK)).status_code == 204
    assert list(sim.materials) == [ids[1]]
    assert (await client.get(f"/materials/{ids[0]}")).status_code == 404


async def test_players_can_seek(client: httpx.AsyncClient, sim: Simulator, samples: Path) -> None:
    """A voice and the file of a video are served in ranges, with one download from WeChat for all of them."""
    for kind, name in (("voice", "voice.mp3"), ("video", "clip.mp4")):
        content = (samples / name).read_bytes()
        media_id = result(await add(client, name, content, kind, data={"title": "t"} if kind == "video" else {}))[
            "media_id"
        ]
        for start in (0, 1000, 5000):
            part = await client.get(f"/materials/{media_id}", headers={"Range": f"bytes={start}-{start + 9}"})
            assert (part.status_code, part.content) == (206, content[start : start + 10])
        assert (await client.head(f"/materials/{media_id}")).headers["Content-Length"] == str(len(content))
    assert sum(one.path.endswith("/get_material") for one in sim.journal) == 2


@pytest.mark.parametrize("name", ['<img src=x onerror="alert(1)">.jpg', "../../etc/passwd.jpg", "a'\";--.jpg"])
async def test_names_of_others_are_data(client: httpx.AsyncClient, photo: bytes, name: str) -> None:
    """A name comes back as JSON, which the page shows as text, and never in a header as it is."""
    media_id = result(await add(client, name, photo))["media_id"]
    listed = await client.get("/api/materials", params={"type": "image"})
    assert listed.headers["Content-Type"] == "application/json"
    assert listed.json()["items"][0]["name"].endswith(".jpg")
    shown = await client.get(f"/materials/{media_id}")
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
        (MARK | {"Origin": ORIGIN}, 201),
    ],
)
async def test_changes_for_other_sites_are_refused(
    client: httpx.AsyncClient, sim: Simulator, photo: bytes, headers: dict[str, str], status: int
) -> None:
    """A change is made for the page itself alone, and no body is read that is too large or of unknown size."""
    got = await add(client, "a.jpg", photo, headers=headers)
    assert (result(got)["status"] if got.status_code == 200 else got.status_code) == status
    assert len(sim.materials) == (status == 201)


@pytest.mark.parametrize("site_of_page", ["cross-site", "same-site", "of a browser to come"])
@pytest.mark.parametrize("path", ["/", "/library.js", "/api/about", "/api/materials?type=image", "/materials/{}"])
async def test_a_page_of_another_site_spends_no_quota(
    client: httpx.AsyncClient, sim: Simulator, photo: bytes, path: str, site_of_page: str
) -> None:
    """Embedding and fetching by another site is refused before WeChat is asked; the page and its user are served."""
    path = path.format(result(await add(client, "a.jpg", photo))["media_id"])
    before = len(sim.journal)
    for method in ("GET", "HEAD"):
        assert (await client.request(method, path, headers={"Sec-Fetch-Site": site_of_page})).status_code == 403
    assert len(sim.journal) == before
    for own in ("same-origin", "none"):
        assert (await client.get(path, headers={"Sec-Fetch-Site": own})).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_token_nothing_is_shown(
    stranger: httpx.AsyncClient, keys: Keys, sim: Simulator, path: str
) -> None:
    """A browser that has entered no token, or a wrong or a used one, is asked for it, and WeChat is not."""
    used = keys.token
    keys.renew()
    for token in ("", "guessed", "\u00e9", used):
        got = await stranger.get(path, params={"type": "image", "token": token})
        assert (got.status_code, got.headers.get("Set-Cookie")) == (401, None)
    assert (await stranger.delete("/api/materials/x", headers=MARK)).status_code == 401
    assert (await add(stranger, "a.jpg", b"")).status_code == 401
    assert 'name="token"' in (asked := await stranger.get("/")).text
    assert 'role="alert" hidden>' in asked.text
    assert 'role="alert">' in (await stranger.post("/enter", data={"token": used})).text
    assert (await stranger.get("/style.css")).status_code == 200
    assert sim.journal == []


async def test_a_token_opens_one_browser(stranger: httpx.AsyncClient, keys: Keys) -> None:
    """It is exchanged for a cookie that scripts and other sites do not get, and the next one is printed."""
    token = keys.token
    got = await stranger.get("/", params={"token": token})
    cookie = got.headers["Set-Cookie"]
    assert (got.status_code, got.headers["Location"]) == (303, "/")
    assert re.match(r"wxasset-8000=[\w-]{43}; HttpOnly; Path=/; SameSite=strict$", cookie)
    assert token not in cookie
    assert keys.token != token
    assert (await stranger.get("/api/about")).status_code == 200
    assert (await stranger.get("/", params={"token": token})).headers["Location"] == "/"
    stranger.cookies.clear()
    assert (await stranger.get("/", params={"token": token})).status_code == 401
    assert (await stranger.post("/enter", data={"token": keys.token})).status_code == 303


async def test_each_token_is_announced(site: Site) -> None:
    """Every token is told once, outside the event loop; before the start there is none that could be guessed."""
    told: list[tuple[str, bool]] = []
    keys = Keys(lambda token: told.append((token, threading.current_thread() is threading.main_thread())))
    assert keys.enter("") is None
    keys.renew()
    first = keys.token
    async with client_of(site, keys) as one:
        assert (await one.get("/", params={"token": first})).status_code == 303
    assert told == [(keys.token, False)]
    assert keys.token != first


async def test_a_password_opens_any_number_of_browsers(site: Site) -> None:
    """With a password no token is drawn, the address of the machine may have any name, and only the form takes it."""
    told: list[str] = []
    keys = Keys(told.append, "correct horse battery")
    keys.renew()
    for _ in range(2):
        async with client_of(site, keys) as one:
            named = {"Host": "library.example"}
            assert (await one.get("/", params={"token": "correct horse battery"}, headers=named)).status_code == 401
            assert (await one.post("/enter", data={"token": "x" * 5000}, headers=named)).status_code == 401
            evil = named | {"Origin": "https://evil.example"}
            assert (await one.post("/enter", data={"token": keys.password}, headers=evil)).status_code == 403
            assert (await one.post("/enter", data={"token": keys.password}, headers=named)).status_code == 303
            assert (await one.get("/api/about", headers=named)).json()["simulated"] is True
    assert told == []
    assert "correct" not in repr(keys)


async def test_a_wrong_password_is_slowed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wrong password its address waits, also with the right one, and other addresses enter."""
    time = 0.0
    monkeypatch.setattr(door, "Mistakes", partial(door.Mistakes, lambda: time))
    app = make_app(site, Keys(lambda _: None, "correct horse battery"))

    async def entering(password: str, address: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as one:
            return await one.post("/enter", data={"token": password})

    for number in range(3):
        assert (await entering("wrong", "2001:db8::1")).status_code == 401
        early = [await entering(password, "2001:db8::2") for password in ("wrong", "correct horse battery")]
        assert [one.status_code for one in early] == [429, 429]
        assert early[0].headers["Retry-After"] == "2"
        assert re.search('id="early" role="alert">', early[0].text)
        assert (await entering("correct horse battery", f"192.0.2.{number}")).status_code == 303
        time += 2
        assert (await entering("correct horse battery", "2001:db8::2")).status_code == 303


def test_wrong_passwords_from_everywhere_are_bounded() -> None:
    """A thousand addresses with a wrong password hold up all others, and are forgotten after the pause."""
    time = 0.0
    mistakes = door.Mistakes(lambda: time)
    for number in range(1000):
        assert not mistakes.holds_up(str(number))
        mistakes.add(str(number))
    assert mistakes.holds_up("another")
    time = 2.0
    assert not mistakes.holds_up("another")


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_guarded(client: httpx.AsyncClient, path: str) -> None:
    """The policy allows the page its own files and nothing else, on whatever is answered."""
    got = await client.get(path)
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert (await client.post(path)).headers["Content-Security-Policy"] == policy


async def test_a_wrong_file_is_refused(client: httpx.AsyncClient, sim: Simulator) -> None:
    """A file that is no image is refused before WeChat is asked, in two languages."""
    got = await add(client, "a.jpg", b"no picture at all")
    assert (got.status_code, got.json()["kind"]) == (422, "SourceError")
    assert got.json()["hint"]
    assert got.json()["hint_zh"]
    assert not [one for one in sim.journal if one.path.endswith("/add_material")]


@pytest.mark.parametrize(
    "form",
    [
        {"data": {"file": "/etc/passwd"}},
        {"data": {"other": "x"}},
        {"files": [("file", ("a.jpg", b"a")), ("file", ("b.jpg", b"b"))]},
        {"files": {"file": ("a.jpg", b"a"), "title": ("t", b"t")}},
    ],
)
async def test_a_text_is_never_a_path(
    client: httpx.AsyncClient, sim: Simulator, form: dict[str, Any], tmp_path: Path, photo: bytes
) -> None:
    """A text in the place of the file, no file and two files get 422 or 400, and no file of the server is sent."""
    private = tmp_path / "private.jpg"
    private.write_bytes(photo)
    if form.get("data", {}).get("file"):
        form = {"data": {"file": str(private)}, "files": {"other": ("x.jpg", b"x")}}
    got = await client.post("/api/materials", params={"type": "image"}, headers=MARK, **form)
    assert got.status_code in (400, 422)
    assert got.json()["message"]
    assert sim.materials == {}
    assert not [one for one in sim.journal if one.path.endswith("/add_material")]


async def test_a_refusal_of_wechat_is_the_end_of_the_upload(
    client: httpx.AsyncClient, sim: Simulator, photo: bytes
) -> None:
    """The last line of the response has the error as the command line writes it, with errcode, rid and hints."""
    sim.fail("add_material", "errcode:45009")
    told = result(await add(client, "a.jpg", photo))
    assert (told["status"], told["errcode"], told["kind"]) == (429, 45009, "QuotaExceededError")
    assert told["rid"]
    assert told["hint_zh"]


async def test_progress_is_part_of_the_answer(client: httpx.AsyncClient, sim: Simulator, photo: bytes) -> None:
    """The bytes that WeChat has are told in the response to the upload itself."""
    sim.fail("add_material", "delay-1s")
    got = await add(client, "a.jpg", photo)
    lines = [json.loads(line) for line in got.text.splitlines()]
    assert got.headers["Content-Type"] == "application/x-ndjson"
    assert lines[-1]["status"] == 201
    assert lines[0]["done"] == lines[0]["total"] == len(photo)


async def test_a_video_needs_a_title(client: httpx.AsyncClient, sim: Simulator, samples: Path) -> None:
    """Title and introduction are fields of the form."""
    clip = (samples / "clip.mp4").read_bytes()
    assert (await add(client, "clip.mp4", clip, "video")).status_code == 422
    texts = {"title": "标题", "introduction": "一段视频"}
    assert result(await add(client, "clip.mp4", clip, "video", data=texts))["status"] == 201
    (video,) = sim.materials.values()
    assert (video.title, video.introduction) == ("标题", "一段视频")


async def test_a_read_only_page_changes_nothing(
    site: Site, keys: Keys, sim: Simulator, wx: WxSession, photo: bytes
) -> None:
    """Uploads and deletions get 403 and never reach WeChat; lists and links work."""
    kept = (await wx.add_material("image", photo, filename="a.jpg")).media_id
    async with client_of(evolve(site, read_only=True), keys) as client:
        await client.get("/", params={"token": keys.token})
        asked = {"env": "env-1", "fileids": ["cloud://env-1.b/x"]}
        before = len(sim.journal)
        refused = [
            await add(client, "b.jpg", photo),
            await client.delete(f"/api/materials/{kept}", headers=MARK),
            await client.post("/api/cloud/delete", json=asked, headers=MARK),
        ]
        assert [one.status_code for one in refused] == [403] * 3
        assert len(sim.journal) == before
        assert (await client.post("/api/cloud/links", json=asked, headers=MARK)).status_code == 200
        assert (await client.get("/api/about")).json()["read_only"] is True
    assert list(sim.materials) == [kept]


async def test_cloud_files_by_their_ids(client: httpx.AsyncClient, wx: WxSession) -> None:
    """Each id gets a link or a reason; deleted files are gone, and the others are named."""
    fileid = await wx.upload_file("env-1", "a/b.txt", b"text")
    asked = {"env": "env-1", "fileids": [fileid, fileid + "x", fileid]}
    items = (await client.post("/api/cloud/links", json=asked, headers=MARK)).json()["items"]
    assert [(one["fileid"], bool(one["url"])) for one in items] == [(fileid, True), (fileid + "x", False)]
    told = (await client.post("/api/cloud/delete", json=asked, headers=MARK)).json()
    assert told["deleted"] == [fileid]
    assert [one["fileid"] for one in told["failed"]] == [fileid + "x"]
    invalid: list[Any] = [
        {},
        [],
        {"env": 1, "fileids": ["x"]},
        {"env": "e", "fileids": []},
        {"env": "e", "fileids": [1]},
    ]
    for wrong in invalid:
        assert (await client.post("/api/cloud/links", json=wrong, headers=MARK)).status_code == 422


@pytest.mark.parametrize("query", ["", "type=thumb", *(f"type=image&offset={one}" for one in ("-1", "٣", "9" * 99))])
async def test_an_invalid_list_is_refused(client: httpx.AsyncClient, sim: Simulator, query: str) -> None:
    """Types and offsets are checked before WeChat is asked."""
    assert (await client.get(f"/api/materials?{query}")).status_code == 422
    assert sim.journal == []


async def test_the_account_is_described(client: httpx.AsyncClient, sim: Simulator) -> None:
    """The page knows the account, the kind of service and the limits without a call; its secret is nowhere."""
    told = await client.get("/api/about")
    assert (told.json()["appid"], told.json()["controls"]) == (sim.appid, f"{sim.url}/_sim/")
    assert told.json()["limits"]["voice"] == {"max_bytes": 2 << 20, "formats": ["amr", "mp3", "wav", "wma"]}
    assert sim.journal == []
    usages = (await client.get("/api/quota")).json()["usages"]
    assert [one["name"] for one in usages[:3]] == ["image + news", "voice", "video"]
    assert [one for one in usages if one["name"].endswith("/add_material")]
    findings = await client.get("/api/doctor")
    by_check = {one["check"]: one for one in findings.json()["findings"]}
    assert (by_check["library"]["status"], by_check["library"]["label_zh"]) == ("ok", "素材库")
    assert not [text for text in (told.text, findings.text) if sim.secret in text]


def test_the_page_says_the_same_in_both_languages() -> None:
    """Every text of one language is there in the other, and every text that the page shows is in both."""
    script = (STATIC / "words.js").read_text("utf-8")
    english, chinese = re.findall(r"^  (?:en|zh): \{\n(.*?)^  \},", script, flags=re.MULTILINE | re.DOTALL)
    keys = [re.findall(r"(?:^|[,{] |, )\s*(\w+):(?= )", part, flags=re.MULTILINE) for part in (english, chinese)]
    assert sorted(keys[0]) == sorted(keys[1])
    assert len(keys[0]) > 25
    page = (STATIC / "index.html").read_text("utf-8")
    assert set(re.findall(r'data-(?:text|label|hint)="(\w+)"', page)) <= set(keys[0])


def test_the_page_holds_nothing_that_its_policy_forbids() -> None:
    """No styles or scripts in place, no handlers, no other host; and no text is ever made into markup."""
    page = (STATIC / "index.html").read_text("utf-8")
    page += (STATIC / "enter.html").read_text("utf-8")
    assert not re.findall(r"\son\w+=|\sstyle=|<style|<script(?! type=\"module\" src=)|https?://", page)
    for script in STATIC.glob("*.js"):
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|https?://", script.read_text("utf-8"))
