"""Uploads of visitors: a file is passed on, and a text never becomes a path of the server."""

import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Form, UploadFile
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from readme import blocks
from web_apps import Wx, talking_to
from wxasset import WxAssetError
from wxasset.integrations.starlette import answer_error, lifespan, session, upload, uploaded
from wxasset.simulator import Simulator

Part = tuple[str, tuple[str | None, bytes, str | None]]


def part(content: bytes, filename: str | None = None, field: str = "file") -> Part:
    """A part of a form: a file, or without a name a text."""
    return field, (filename, content, "image/png" if filename is not None else None)


def adding(*, checked: bool) -> Starlette:
    """An application that adds posters, with `upload` or as it was once documented."""

    async def add(request: Request) -> JSONResponse:
        wx = await session(request)
        async with request.form() as form:
            media: Any = upload(form, "file") if checked else form["file"]
            return JSONResponse((await wx.add_material("image", media)).media_id)

    routes = [Route("/posters", add, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan(), exception_handlers={WxAssetError: answer_error})


@pytest.fixture(autouse=True)
def environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that lead to the simulator."""
    for name, value in {"APPID": sim.appid, "SECRET": sim.secret, "BASE_URL": sim.url}.items():
        monkeypatch.setenv(f"WXASSET_{name}", value)


@pytest.fixture
def private(tmp_path: Path, photo: bytes) -> Path:
    """A picture of the server."""
    path = tmp_path / "passport.png"
    path.write_bytes(photo)
    return path


async def _post(app: Any, *parts: Part, urlencoded: bool = False) -> int:
    async with talking_to(app) as client:
        if urlencoded:
            return (await client.post("/posters", data={name: content for name, (_, content, _) in parts})).status_code
        return (await client.post("/posters", files=list(parts))).status_code


def bad_forms(private: Path, photo: bytes) -> dict[str, list[Part]]:
    """Forms without exactly one file in the field."""
    path, picture = part(str(private).encode()), part(photo, "a.png")
    return {
        "a text": [path],
        "a text with the path of nothing": [part(b"/none/such")],
        "a missing field": [part(photo, "a.png", field="other")],
        "two files": [picture, picture],
        "a file and a text": [picture, path],
        "a text and a file": [path, picture],
        "no file chosen": [part(b"", "")],
    }


@pytest.mark.parametrize("kind", bad_forms(Path(), b""))
async def test_what_is_not_one_file_is_answered_with_422(
    sim: Simulator, private: Path, photo: bytes, kind: str
) -> None:
    """A text, a missing field and two files are refused alike, whether the path exists or not; nothing is sent."""
    assert await _post(adding(checked=True), *bad_forms(private, photo)[kind]) == 422
    assert sim.materials == {}


async def test_a_form_without_files_is_answered_with_422(sim: Simulator, private: Path) -> None:
    """The same in a form that cannot have files."""
    assert await _post(adding(checked=True), part(str(private).encode()), urlencoded=True) == 422
    assert sim.materials == {}


async def test_the_old_recipe_uploads_files_of_the_server(sim: Simulator, private: Path, photo: bytes) -> None:
    """Without `upload` the same text puts a private picture into the library: the tests here would see it."""
    assert await _post(adding(checked=False), part(str(private).encode())) == 200
    assert [one.content for one in sim.materials.values()] == [photo]


async def test_a_file_is_passed_on(sim: Simulator, photo: bytes) -> None:
    """One file is uploaded under its name, also beside other fields."""
    assert await _post(adding(checked=True), part(b"note", field="text"), part(photo, "海报.jpg")) == 200
    assert [(one.filename, one.content) for one in sim.materials.values()] == [("海报.jpg", photo)]


@pytest.mark.parametrize("document", ["docs/web-apps.md", "docs/zh/web-apps.md"])
@pytest.mark.parametrize("number", [0, 1], ids=["FastAPI", "Starlette"])
async def test_the_recipes_of_the_pages_refuse_them_too(
    sim: Simulator, private: Path, photo: bytes, document: str, number: int
) -> None:
    """Both recipes, in both languages, answer 422."""
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(blocks(document, "python", "app")[number], namespace)  # noqa: S102 - our own page
    for kind, parts in bad_forms(private, photo).items():
        assert await _post(namespace["app"], *parts) == 422, kind
    assert sim.materials == {}


async def test_the_dependency_is_documented(sim: Simulator, photo: bytes) -> None:
    """FastAPI shows one file in its form, beside the other fields, and gets the same file as without the dependency."""
    app = FastAPI(lifespan=lifespan())

    @app.post("/posters")
    async def add(
        wx: Wx, poster: Annotated[UploadFile, Depends(uploaded("file"))], note: Annotated[str, Form()]
    ) -> str:
        await wx.add_material("image", poster)
        return note

    async with talking_to(app) as client:
        got = await client.post("/posters", data={"note": "n"}, files={"file": ("a.jpg", photo)})
    assert (got.json(), [one.content for one in sim.materials.values()]) == ("n", [photo])
    (schema,) = [one for name, one in app.openapi()["components"]["schemas"].items() if name.startswith("Body")]
    assert (set(schema["properties"]), set(schema["required"])) == ({"file", "note"}, {"file", "note"})


async def test_the_answer_names_the_field() -> None:
    """The visitor is told in which field one file belongs."""
    async with talking_to(adding(checked=True)) as client:
        got = await client.post("/posters", data={"file": "a.png"})
    assert (got.status_code, got.text) == (422, "Send a file in the form field 'file'.")


async def test_the_error_is_that_of_the_framework() -> None:
    """What is raised is an HTTPException, which Starlette and FastAPI answer by themselves."""
    scope = {"type": "http", "method": "POST", "headers": [], "path": "/"}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    form = await Request(scope, receive).form()
    with pytest.raises(HTTPException) as caught:
        upload(form, "file")
    assert caught.value.status_code == 422


async def test_uploaded_names_the_package_that_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FastAPI it says what to install, and what serves Starlette alone."""
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ImportError, match=r"pip install fastapi\. .*upload\(form, name\)"):
        uploaded("file")
