"""The applications of the documentation under bodies that are made to keep a parser of forms busy."""

import asyncio
import time
from typing import Any, Final

import httpx
import pytest
from starlette.types import ASGIApp

from readme import blocks
from served import serving
from wxasset.simulator import Simulator

_MEGABYTE: Final = 1_000_000
_MOST: Final = 6.0
"""Seconds for all four at once. They take 0.6; with Starlette 0.48 and python-multipart 0.0.20, 22 to 26."""
_PART: Final = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
_FIELDS: Final = "application/x-www-form-urlencoded"
_FORM: Final = "multipart/form-data; boundary=x"

BODIES: Final[dict[str, tuple[str, bytes]]] = {
    "semicolons": (_FIELDS, b"a;" * (_MEGABYTE // 2)),
    "fields": (_FIELDS, b"a&" * (_MEGABYTE // 2)),
    "line ends before the first part": (_FORM, b"\r\n" * (_MEGABYTE // 2) + _PART),
    "headers": (_FORM, _PART + b"a: b\r\n" * (_MEGABYTE // 6)),
}
"""CVE-2026-53539, CVE-2026-54283, CVE-2026-40347, CVE-2026-42561."""


@pytest.fixture(params=[0, 1], ids=["FastAPI", "Starlette"])
def app(request: pytest.FixtureRequest) -> ASGIApp:
    """An application of the documentation; its imports come before the event loop, as in a program."""
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(blocks("docs/web-apps.md", "python", "app")[request.param], namespace)  # noqa: S102 - our own page
    made: ASGIApp = namespace["app"]
    return made


async def test_four_hostile_bodies_hold_nobody_up(
    app: ASGIApp, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four bodies of 1 MB at once are refused within seconds, and the next visitor is served."""
    for name, value in {"APPID": sim.appid, "SECRET": sim.secret, "BASE_URL": sim.url}.items():
        monkeypatch.setenv(f"WXASSET_{name}", value)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        start = time.monotonic()
        answers = await asyncio.gather(
            *(client.post("/posters", content=body, headers={"Content-Type": kind}) for kind, body in BODIES.values())
        )
        taken = time.monotonic() - start
        # Starlette 1.3 answers 500 where the parser's own limit of headers is met, later versions 400.
        assert all(answer.status_code >= 400 for answer in answers)
        assert (await client.get("/posters/none")).status_code == 404
    assert taken < _MOST
    assert sim.materials == {}
