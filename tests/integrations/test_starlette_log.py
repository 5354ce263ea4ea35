"""Failures have two audiences: visitors get a public sentence, the operator's log has the rest."""

import logging

import httpx
import pytest
from fastapi import FastAPI, UploadFile

from web_apps import GET, Wx, put, shelf, talking_to
from wxasset import RetryPolicy, WxAssetError, WxSession
from wxasset import errors as e
from wxasset.errors.hints import HINTS
from wxasset.integrations.starlette import MaterialResponse, answer_error, lifespan
from wxasset.simulator import Simulator

ONCE = RetryPolicy(attempts=1)
LOG = "wxasset.starlette"


def adding(wx: WxSession) -> FastAPI:
    """An application that adds pictures."""
    app = FastAPI(lifespan=lifespan(session=wx), exception_handlers={WxAssetError: answer_error})

    @app.post("/")
    async def add(wx: Wx, file: UploadFile) -> str:
        return (await wx.add_material("image", file)).media_id

    return app


def told(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The one line of the log of the applications."""
    (record,) = [one for one in caplog.records if one.name == LOG]
    return record


async def failed(sim: Simulator, wx: WxSession, photo: bytes, code: int, endpoint: str) -> httpx.Response:
    """A request that WeChat refuses with a code."""
    if endpoint == "answer_error":
        sim.fail("add_material", f"errcode:{code}", times=None)
        async with talking_to(adding(wx.with_options(retry=ONCE))) as client:
            return await client.post("/", files={"file": ("a.jpg", photo)})
    media_id = await put(sim, wx, photo)
    sim.fail("get_material", f"errcode:{code}", times=None)
    async with talking_to(shelf(wx.with_options(retry=ONCE))) as client:
        return await client.get(f"/{media_id}")


@pytest.mark.parametrize("endpoint", ["answer_error", "MaterialResponse"])
@pytest.mark.parametrize(
    ("code", "status", "level"),
    [
        (40164, 502, logging.WARNING),
        (48001, 502, logging.WARNING),
        (40013, 502, logging.WARNING),
        (50002, 502, logging.WARNING),
        (45009, 429, logging.WARNING),
        (45011, 429, logging.WARNING),
        (40007, 404, logging.INFO),
        (40113, 422, logging.INFO),
    ],
)
async def test_a_refusal_is_logged_whole_and_shown_in_part(
    sim: Simulator,
    wx: WxSession,
    photo: bytes,
    caplog: pytest.LogCaptureFixture,
    *,
    endpoint: str,
    code: int,
    status: int,
    level: int,
) -> None:
    """The log has errcode, rid and hint, in words and attributes; visitors see neither, unless it was their fault."""
    caplog.set_level(logging.INFO, LOG)
    got = await failed(sim, wx, photo, code, endpoint)
    record = told(caplog)
    hint = HINTS[code]
    assert (got.status_code, record.levelno) == (status, level)
    assert (vars(record)["wx_errcode"], vars(record)["wx_status"]) == (code, status)
    for part in (str(code), vars(record)["wx_rid"], hint.english, hint.chinese):
        assert part in record.getMessage()
    assert vars(record)["wx_hint"] == hint.english
    theirs = status in (404, 422)
    assert (got.json()["hint"] == hint.english) is theirs
    assert (got.json()["hint_zh"] == hint.chinese) is theirs
    assert vars(record)["wx_rid"] not in got.text
    assert str(code) not in got.text


async def test_a_refused_secret_is_a_warning(sim: Simulator, photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Visitors are told to come back later; the log, as it is without any setting, says what is wrong."""
    async with WxSession(sim.appid, "f" * 32, base_url=sim.url) as wx, talking_to(adding(wx)) as client:
        got = await client.post("/", files={"file": ("a.jpg", photo)})
    record = told(caplog)
    assert (got.status_code, record.levelno) == (502, logging.WARNING)
    assert "AppSecret" in record.getMessage()
    assert vars(record)["wx_errcode"] in (40001, 40125)
    assert got.json() == {
        "error": "WeChat refused the request of this server.",
        "hint": "Try again later. If it happens again, tell the operator of this site.",
        "hint_zh": "请稍后再试；若仍失败，请联系网站管理员。",
    }
    assert "f" * 32 not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        e.ConnectError("No connection to proxy.internal.", "/x"),
        e.TokenUnavailableError("/etc/secret is missing."),
        e.TransferTimeout("Stalled at proxy.internal.", "/x"),
        e.SourceError("poster.txt is not a picture."),
    ],
)
async def test_every_failure_is_logged(error: WxAssetError, caplog: pytest.LogCaptureFixture) -> None:
    """Failures without a code are in the log too, with the request's method and path."""
    caplog.set_level(logging.INFO, LOG)
    app = FastAPI(exception_handlers={WxAssetError: answer_error})

    @app.get("/{name}")
    async def fail(name: str) -> str:
        raise error if name else AssertionError

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        got = await client.get("/a%0Aforged?token=s3cret")
    line = told(caplog).getMessage()
    assert line.startswith(
        f"GET /a forged was answered with {got.status_code}: {type(error).__name__}: {error.message}"
    )
    assert str(error.hint) in line
    assert "s3cret" not in line
    assert vars(told(caplog))["wx_errcode"] is None


async def test_a_success_is_not_logged(
    sim: Simulator, wx: WxSession, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has failures only."""
    caplog.set_level(logging.DEBUG, LOG)
    media_id = await put(sim, wx, photo)
    async with talking_to(shelf(wx)) as client:
        await client.get(f"/{media_id}")
    assert [one for one in caplog.records if one.name == LOG] == []
    assert sim.journal[-1].path == GET


def test_openapi_names_the_media_types() -> None:
    """The description of a route for materials has files, articles and failures under their media types."""
    app = FastAPI()

    @app.head("/{media_id}", include_in_schema=False)
    @app.get("/{media_id}", responses=MaterialResponse.openapi)
    async def show(wx: Wx, media_id: str) -> MaterialResponse:
        return MaterialResponse(wx, media_id)

    (described,) = app.openapi()["paths"]["/{media_id}"].values()
    contents = {status: set(one.get("content", {})) for status, one in described["responses"].items()}
    files = {"image/*", "audio/*", "video/*", "application/octet-stream"}
    assert contents["200"] == {*files, "application/json"}
    assert contents["206"] == files
    assert contents["304"] == contents["416"] == set()
    assert contents["404"] == contents["502"] == {"application/json"}
    schema = described["responses"]["200"]["content"]["image/*"]["schema"]
    assert schema == {"type": "string", "format": "binary"}
    described["responses"]["200"]["content"].clear()
    assert MaterialResponse.openapi[200]["content"], "it is not shared with the application"


def test_openapi_takes_the_class_of_the_response() -> None:
    """A route with ``response_class=MaterialResponse`` documents no JSON of FastAPI's own."""
    app = FastAPI()

    @app.get("/{media_id}", response_class=MaterialResponse)
    async def show(wx: Wx, media_id: str) -> MaterialResponse:
        return MaterialResponse(wx, media_id)

    assert app.openapi()["paths"]["/{media_id}"]["get"]["responses"]["200"].get("content") is None
