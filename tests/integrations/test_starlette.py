"""Starlette and FastAPI: the session of an application, materials as responses, errors as statuses."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import content_disposition_filename, parse_content_disposition
from fastapi import FastAPI, Request, UploadFile, WebSocket
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from served import serving
from waiting import until
from web_apps import GET, Wx, put, shelf, talking_to, websocket
from wxasset import RetryPolicy, WxAssetError, WxSession
from wxasset import errors as e
from wxasset.integrations.starlette import MaterialCache, MaterialResponse, answer_error, lifespan, session
from wxasset.integrations.starlette.errors import retry_after, status_of
from wxasset.integrations.starlette.responses import _named
from wxasset.simulator import Simulator
from wxasset.wire.error_replies import api_error

ONCE = RetryPolicy(attempts=1)
LOST = e.UploadOutcomeUnknown(
    "It may have happened. (proxy.internal took no byte.)",
    "/x",
    filename="poster.png",
    type="image",
    size=1,
    started_at=0.0,
    ended_at=1.0,
    reason="proxy.internal took no byte.",
)


# The session of an application


async def count(request: Request) -> Response:
    """An endpoint of Starlette's."""
    wx = await session(request)
    return PlainTextResponse(str((await wx.count_materials()).image))


def counting(**options: Any) -> Starlette:
    """An application that counts images."""
    return Starlette(routes=[Route("/", count)], lifespan=lifespan(**options))


async def test_the_session_comes_from_the_environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the credentials are those of the environment, looked up at each start."""
    app = counting()
    monkeypatch.setenv("WXASSET_APPID", sim.appid)
    monkeypatch.setenv("WXASSET_SECRET", sim.secret)
    monkeypatch.setenv("WXASSET_BASE_URL", sim.url)
    for _ in range(2):
        async with talking_to(app) as client:
            assert (await client.get("/")).text == "0"


async def test_without_credentials_the_application_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said at the start, not to the first visitor."""
    for name in ("WXASSET_APPID", "WXASSET_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(e.UsageError, match="appid"):
        await counting().router.lifespan_context(None).__aenter__()


async def test_the_session_is_closed_with_the_application(sim: Simulator) -> None:
    """A session that a function made is open while the application runs, and closed afterwards."""
    made: list[WxSession] = []

    def make() -> WxSession:
        made.append(WxSession(sim.appid, sim.secret, base_url=sim.url))
        return made[-1]

    async with talking_to(counting(session=make)) as client:
        assert (await client.get("/")).text == "0"
    with pytest.raises(e.UsageError, match="closed"):
        await made[0].count_materials()
    assert len(made) == 1


async def test_a_borrowed_session_is_left_open(wx: WxSession) -> None:
    """A session that was given is used, and is not closed."""
    async with talking_to(counting(session=wx)) as client:
        assert (await client.get("/")).text == "0"
    await wx.count_materials()


async def test_credentials_can_be_given() -> None:
    """The appid and the secret can be said in place."""
    async with lifespan("wx0123456789abcdef", "s3cret")(None) as state:
        assert isinstance(state["wx"], WxSession)
    with pytest.raises(e.UsageError, match="session="):
        lifespan("wx0123456789abcdef", "s3cret", session=WxSession.from_env)


async def test_an_application_keeps_its_own_lifespan(wx: WxSession) -> None:
    """The inner lifespan is entered with the session there, its state is kept, and it is left before the session."""
    steps: list[str] = []

    @asynccontextmanager
    async def own(_app: object) -> AsyncGenerator[dict[str, str], None]:
        steps.append("in")
        yield {"mine": "here"}
        await made.count_materials()
        steps.append("out")

    def make() -> WxSession:
        steps.append("opened")
        return made

    made = wx
    async with lifespan(session=make, inner=own)(None) as state:
        assert (state["mine"], state["wx"]) == ("here", wx)
    assert steps == ["opened", "in", "out"]
    with pytest.raises(e.UsageError, match="closed"):
        await wx.count_materials()


async def test_an_inner_lifespan_may_have_no_state(wx: WxSession) -> None:
    """What yields nothing adds nothing."""

    @asynccontextmanager
    async def own(_app: object) -> AsyncGenerator[None, None]:
        yield

    async with lifespan(session=wx, inner=own)(None) as state:
        assert state["wx"] is wx


async def test_a_dependency_serves_requests_and_websockets(wx: WxSession) -> None:
    """`Depends(session)` gives the session to both kinds; where there is none, the error says what to do."""
    app = FastAPI(lifespan=lifespan(session=wx))

    @app.get("/")
    async def images(wx: Wx) -> int:
        return (await wx.count_materials()).image

    @app.websocket("/ws")
    async def talk(socket: WebSocket, wx: Wx) -> None:
        await socket.accept()
        await socket.send_text(str((await wx.count_materials()).image))
        await socket.close()

    async with talking_to(app) as client:
        assert (await client.get("/")).json() == 0
    sent = await websocket(app, "/ws", state={"wx": wx})
    assert [one.get("text") for one in sent] == [None, "0", None]
    with pytest.raises(e.UsageError, match="lifespan="):
        await websocket(app, "/ws", state=None)


async def test_an_application_that_was_not_started_says_so(wx: WxSession) -> None:
    """Where no lifespan has run, which a TestClient that was not entered leaves out, the error names both."""
    transport = httpx.ASGITransport(counting(session=wx))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        with pytest.raises(e.UsageError, match=r"lifespan=wxasset\.starlette\.lifespan.*with TestClient\(app\)"):
            await client.get("/")


def test_without_starlette_one_sentence_says_what_to_install() -> None:
    """The module cannot be imported where Starlette is missing, and says how to get it."""
    code = "import sys; sys.modules['starlette'] = None; import wxasset.starlette"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last == "ImportError: wxasset.starlette needs Starlette; run: pip install 'wxasset[starlette]'."
    assert "During handling" not in done.stderr


# Uploads


@pytest.mark.parametrize("size", [100_000, 3_000_000], ids=["in memory", "on disk"])
async def test_an_upload_is_passed_on(sim: Simulator, wx: WxSession, photo: bytes, size: int) -> None:
    """What a form brings is added under its own name, whether Starlette kept it in memory or on disk."""
    app = FastAPI(lifespan=lifespan(session=wx))

    @app.post("/")
    async def add(wx: Wx, file: UploadFile) -> str:
        return (await wx.add_material("image", file)).media_id

    content = photo + bytes(size)
    async with talking_to(app) as client:
        reply = await client.post("/", files={"file": ("海报.jpg", content, "image/jpeg")})
    material = sim.materials[reply.json()]
    assert (material.filename, material.content) == ("海报.jpg", content)


# Materials as responses


async def test_a_material_is_the_response(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """The bytes come as they are, with a length, the type of the bytes, a name, and no guessing at the type."""
    media_id = await put(sim, wx, photo, filename="海报.jpg")
    async with talking_to(shelf(wx)) as client:
        got = await client.get(f"/{media_id}")
    assert (got.status_code, got.content) == (200, photo)
    headers = dict(got.headers)
    assert re.fullmatch(r'"[0-9a-f]{64}"', headers.pop("etag"))
    assert headers.pop("last-modified").endswith(" GMT")
    assert headers == {
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-type": "image/jpeg",
        "content-length": str(len(photo)),
        "content-disposition": "inline; filename=\"__.jpg\"; filename*=UTF-8''%E6%B5%B7%E6%8A%A5.jpg",
        "x-content-type-options": "nosniff",
    }


async def test_a_response_can_be_dressed(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """A name, the way of showing, headers and something to do afterwards can be given."""
    done: list[int] = []
    media_id = await put(sim, wx, photo)
    options = {
        "filename": "../cover",
        "disposition": "attachment",
        "headers": {"Cache-Control": "private", "X-Content-Type-Options": "other"},
        "background": BackgroundTask(done.append, 1),
    }
    async with talking_to(shelf(wx, **options)) as client:
        got = await client.get(f"/{media_id}")
    assert got.headers["Content-Disposition"] == 'attachment; filename="cover.jpg"'
    assert got.headers["Cache-Control"] == "private"
    assert got.headers.get_list("X-Content-Type-Options") == ["other"]
    assert done == [1]
    with pytest.raises(e.UsageError, match="inline or attachment"):
        MaterialResponse(wx, media_id, disposition="form-data")  # type: ignore[arg-type]  # the point of the test


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='/\\<>:"|?*'), min_size=1))
def test_a_name_survives_its_header(name: str) -> None:
    """Another library reads out of a Content-Disposition the name that went in, and the header is plain ASCII."""
    header = _named("inline", name)
    assert header.isascii()
    assert header.isprintable()
    kind, parameters = parse_content_disposition(header)
    assert (kind, content_disposition_filename(parameters)) == ("inline", name)


@pytest.mark.parametrize(
    ("content", "claim", "shown"),
    [
        (b"\x01no format that is known", "image/svg+xml", "application/octet-stream"),
        (b"\x01no format that is known", "image/x-new; charset=x", "image/x-new"),
        (b"\x01no format that is known", "text/plain", "application/octet-stream"),
        (b"\x01<html><script>alert(1)</script>", "text/html", "application/octet-stream"),
        (b"GIF89a with another claim", "text/plain", "image/gif"),
    ],
)
async def test_only_pictures_sound_and_films_are_shown(
    sim: Simulator, wx: WxSession, photo: bytes, content: bytes, claim: str, shown: str
) -> None:
    """The type is that of the bytes; what a browser could run is a file to save, whatever WeChat claims."""
    media_id = await put(sim, wx, photo, content=content, content_type=claim, filename="x")
    async with talking_to(shelf(wx)) as client:
        got = await client.get(f"/{media_id}")
    assert (got.content, got.headers["Content-Type"]) == (content, shown)
    kind = "inline" if shown.startswith("image/") else "attachment"
    assert got.headers["Content-Disposition"].startswith(f'{kind}; filename="x')


@pytest.mark.parametrize("claim", ["text/html", "image/svg+xml", "image/png"])
@pytest.mark.parametrize("content", [b"<html><script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
async def test_a_page_in_the_place_of_a_material_is_not_passed_on(
    sim: Simulator, wx: WxSession, photo: bytes, content: bytes, claim: str
) -> None:
    """WeChat stores no markup: what a gateway sends instead, under any name, is an error."""
    media_id = await put(sim, wx, photo, content=content, content_type=claim, filename="x")
    async with talking_to(shelf(wx)) as client:
        got = await client.get(f"/{media_id}")
    assert (got.status_code, b"alert" in got.content) == (502, False)


async def test_a_head_has_the_headers_of_a_get(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """HEAD has no body; the GET after it needs no other call."""
    media_id = await put(sim, wx, photo)
    async with talking_to(shelf(wx)) as client:
        head, got = await client.head(f"/{media_id}"), await client.get(f"/{media_id}")
    assert (head.status_code, head.headers, head.content) == (200, got.headers, b"")
    assert [one.path for one in sim.journal].count(GET) == 1


async def test_articles_are_answered_as_json_and_videos_as_files(sim: Simulator, wx: WxSession, samples: Path) -> None:
    """Articles come whole; a video is its file, and its signed address is not shown."""
    news = sim.add_article(title="你好", author="作者", content="<p>hi</p>")
    video = (await wx.add_material("video", samples / "clip.mp4", title="Clip", introduction="Short")).media_id
    async with talking_to(shelf(wx, headers={"Cache-Control": "private"})) as client:
        article, film = await client.get(f"/{news}"), await client.get(f"/{video}")
    assert article.json()["type"] == "news"
    assert [one["title"] for one in article.json()["articles"]] == ["你好"]
    assert (film.content, film.headers["Content-Type"]) == ((samples / "clip.mp4").read_bytes(), "video/mp4")
    assert article.headers["Cache-Control"] == film.headers["Cache-Control"] == "private"


# Clients that leave


@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "under a middleware"])
async def test_a_client_that_leaves_stops_the_fetch(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path, *, wrapped: bool
) -> None:
    """When the only client goes away WeChat is not asked for the rest, as its own journal shows, and no part stays."""

    async def pass_on(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    size = 10_000_000
    media_id = await put(sim, wx, photo, content=photo + bytes(size - len(photo)))
    sim.fail("get_material", "trickle-64K-every-10ms")
    app = shelf(wx, cache=MaterialCache(tmp_path, size))
    if wrapped:
        app.user_middleware.append(Middleware(BaseHTTPMiddleware, dispatch=pass_on))
    async with serving(app) as url, httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.get(f"{url}/{media_id}"))
        await until(lambda: any(one.stat().st_size for one in tmp_path.glob("*.part")))
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: sim.journal[-1].sent)
        await until(lambda: not list(tmp_path.iterdir()))
    assert sim.journal[-1].path == GET
    assert sim.journal[-1].sent < size / 2


async def test_a_client_that_leaves_early_stops_the_call(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """A client that goes before WeChat has answered ends the call too; its background task runs."""
    ended = asyncio.Event()

    async def end() -> None:
        ended.set()

    media_id = await put(sim, wx, photo)
    sim.fail("get_material", "stall-30s")
    app = shelf(wx, background=BackgroundTask(end))
    async with serving(app) as url:
        async with httpx.AsyncClient() as client:
            asking = asyncio.create_task(client.get(f"{url}/{media_id}"))
            await until(lambda: sim.journal[-1].path == GET)  # what stalls stands there already
            asking.cancel()
            await asyncio.wait([asking])
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_server_that_says_so_by_an_error_is_understood(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """From ASGI 2.4 on `send` raises OSError when the client has left: that is no failure."""
    media_id = await put(sim, wx, photo)
    forever = asyncio.Event()

    async def receive() -> Any:
        await forever.wait()

    async def send(_message: Any) -> None:
        raise BrokenPipeError

    async with asyncio.timeout(5):
        await MaterialResponse(wx, media_id)({"type": "http", "method": "GET", "headers": []}, receive, send)


# Failures


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (None, 404),
        ("errcode:45011", 429),
        ("errcode:45009", 429),
        ("errcode:-1", 503),
        ("errcode:40164", 502),
        ("errcode:48001", 502),
        ("status:502", 502),
        ("status:503,retry-after:7", 503),
        ("html", 502),
        ("reset-before-commit", 502),
        ("empty-after-commit", 502),
    ],
)
async def test_a_failure_before_the_first_byte_is_answered(
    sim: Simulator, wx: WxSession, photo: bytes, fault: str | None, status: int
) -> None:
    """The status says whose fault it was, the body what to do in two languages, and neither holds a secret."""
    media_id = await put(sim, wx, photo)
    if fault is not None:
        sim.fail("get_material", fault, times=None)
    options = {"headers": {"Cache-Control": "public"}}
    async with talking_to(shelf(wx.with_options(retry=ONCE), **options)) as client:
        got = await client.get(f"/{media_id if fault else 'missing'}")
    assert got.status_code == status
    assert got.headers["Cache-Control"] == "no-store", "a failure is not kept"
    body = got.json()
    assert set(body) == {"error", "hint", "hint_zh"}
    assert all(body.values())
    assert body["hint_zh"] != body["hint"]
    assert ("Retry-After" in got.headers) is (status == 429 or "retry-after" in str(fault))
    for secret in (sim.secret, sim.appid, "access_token=", "127.0.0.1", "rid"):
        assert secret not in got.text


@pytest.mark.parametrize("fault", ["cut-reply-after-100K", "chunked-cut-after-100K", "reset-reply-after-100K"])
async def test_a_file_that_breaks_off_is_not_begun(sim: Simulator, wx: WxSession, photo: bytes, fault: str) -> None:
    """A body that was cut on its way from WeChat is a failure; the next visitor gets the whole."""
    content = photo + bytes(1_000_000)
    media_id = await put(sim, wx, photo, content=content)
    sim.fail("get_material", fault)
    async with talking_to(shelf(wx.with_options(retry=ONCE))) as client:
        assert (await client.get(f"/{media_id}")).status_code == 502
        assert (await client.get(f"/{media_id}")).content == content


async def test_a_mistake_in_the_program_is_no_problem_of_wechats(wx: WxSession) -> None:
    """A closed session is a fault of the program: it is raised, so that the server logs it and answers 500."""
    await wx.aclose()
    async with talking_to(shelf(wx)) as client:
        with pytest.raises(e.UsageError, match="closed"):
            await client.get("/any")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (e.SourceError("poster.txt is no picture."), 422),
        (api_error(40113, "unsupported file type", "/x"), 422),
        (api_error(40007, "invalid media_id", "/x"), 404),
        (api_error(45011, "too fast", "/x"), 429),
        (api_error(40001, "invalid credential", "/x"), 502),
        (e.ConnectError("No connection to proxy.internal.", "/x"), 502),
        (e.NotAFileError("cdn.internal leads to a page.", "/x"), 502),
        (LOST, 504),
        (e.TransferError("Broken.", "/x"), 502),
        (e.TransferTimeout("Stalled.", "/x"), 504),
        (e.HTTPStatusError("502.", "/x", status=502), 502),
        (e.HTTPStatusError("429.", "/x", status=429), 503),
        (e.TokenUnavailableError("/etc/secret is missing."), 503),
        (e.TokenStoreError("redis://:password@host is down."), 503),
    ],
)
async def test_an_error_of_an_endpoint_is_answered(error: WxAssetError, status: int) -> None:
    """With the handler an endpoint need not catch anything."""
    app = FastAPI(exception_handlers={WxAssetError: answer_error})

    @app.get("/")
    async def fail() -> None:
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        got = await client.get("/")
    assert got.status_code == status
    theirs = status in (404, 422)
    assert (got.json()["hint"] == error.hint.english) is theirs
    assert (got.json()["hint_zh"] == error.hint.chinese) is theirs
    assert ("poster" in got.json()["error"]) is isinstance(error, e.SourceError | e.UploadOutcomeUnknown)
    for private in ("/etc/", "@host", "invalid credential", ".internal"):
        assert private not in got.text


@pytest.mark.parametrize("error", [e.UsageError("Wrong."), e.StreamConsumedError("Read.")])
async def test_a_mistake_of_an_endpoint_is_raised(error: WxAssetError) -> None:
    """What only the program can cure is for its log, not for its visitors."""
    assert status_of(error) == 500
    with pytest.raises(type(error)):
        await answer_error(Request({"type": "http"}), error)


async def test_a_websocket_has_no_status(wx: WxSession) -> None:
    """An error in a websocket is raised: there is no request to answer."""
    app = FastAPI(exception_handlers={WxAssetError: answer_error})

    @app.websocket("/")
    async def talk(socket: WebSocket, wx: Wx) -> None:
        await socket.accept()
        await wx.del_material("missing")

    with pytest.raises(e.MediaNotFoundError):
        await websocket(app, "/", state={"wx": wx})


@pytest.mark.parametrize(
    ("error", "now", "seconds"),
    [
        (api_error(45011, "", "/x"), 1_700_000_000.0, 40),  # 22:13:20 UTC
        (api_error(45011, "", "/x"), 1_700_000_039.5, 1),
        (api_error(45009, "", "/x"), 1_700_000_000.0, 64_000),  # 06:13:20 in China
        (e.HTTPStatusError("", "/x", status=503, retry_after=1.2), 0.0, 2),
        (e.HTTPStatusError("", "/x", status=503), 0.0, None),
        (e.HTTPStatusError("", "/x", status=502, retry_after=1.0), 0.0, None),
        (api_error(-1, "", "/x"), 0.0, None),
    ],
)
def test_when_to_ask_again(error: WxAssetError, now: float, seconds: int | None) -> None:
    """A minute's quota is new with the next minute, a day's at midnight in China; WeChat's own word is passed on."""
    assert retry_after(error, now) == seconds
