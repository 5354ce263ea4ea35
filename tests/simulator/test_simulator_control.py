"""Control of the simulator over HTTP, as a program in another language uses it."""

import asyncio
import http.client
import json
from typing import Any

import pytest

from simulated import call
from wxasset import WxSession
from wxasset.cli.runtime.simulation import introduction
from wxasset.errors import BusyError
from wxasset.simulator import Simulator

JSON = {"Content-Type": "application/json"}


async def ask(
    sim: Simulator, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Send a request with a client that knows nothing of wxasset, and give status and document."""
    address = sim.local_url.removeprefix("http://").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - not listened on here
    sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    labelled = headers if headers is not None else JSON if method == "POST" else {}

    def exchange() -> tuple[int, Any]:
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            connection.request(method, path, sent, labelled)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    return await asyncio.to_thread(exchange)


async def test_a_fault_is_set_and_met(sim: Simulator, wx: WxSession) -> None:
    """A rule that is posted works like one of `fail`, is listed with what is left of it, and can be taken back."""
    rule = {"endpoint": "get_materialcount", "fault": "errcode:-1", "times": None, "after": 1}
    assert await ask(sim, "POST", "/_sim/faults", rule) == (200, {"id": 1})
    await wx.count_materials()
    with pytest.raises(BusyError):
        await wx.count_materials()
    used = sim.faults[0].used
    assert await ask(sim, "GET", "/_sim/faults") == (200, [{"id": 1, **rule, "used": used, "remaining": None}])
    assert await ask(sim, "DELETE", "/_sim/faults") == (200, {})
    await wx.count_materials()


async def test_a_rule_lasts_for_one_request_by_default(sim: Simulator) -> None:
    """Without `times` and `after` it is the next request, once."""
    await ask(sim, "POST", "/_sim/faults", {"endpoint": "*", "fault": "html"})
    assert (sim.faults[0].times, sim.faults[0].after) == (1, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"endpoint": "nothing", "fault": "html"}, "unknown endpoint 'nothing'; known are add, add_material"),
        ({"endpoint": "*", "fault": "explode"}, "unknown word 'explode'; known are errcode:-1"),
        ({"endpoint": "*"}, "required strings"),
        ({"endpoint": "*", "fault": 5}, "required strings"),
        ({"endpoint": "*", "fault": "html", "times": 0}, "whole number"),
        ({"endpoint": "*", "fault": "html", "times": "2"}, "whole number"),
        ({"endpoint": "*", "fault": "html", "after": "2"}, "whole number"),
        ({"endpoint": "*", "fault": "html", "after": False}, "whole number"),
        ({"endpoint": "*", "fault": "html", "time": 2}, "unknown fields: time"),
        ([], "not a JSON object"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
async def test_a_mistake_is_a_400_that_says_what_it_was(sim: Simulator, body: object, said: str) -> None:
    """Errors of `fail` are returned as JSON, and so are errors of bodies in another format."""
    status, document = await ask(sim, "POST", "/_sim/faults", body)
    assert (status, sim.faults) == (400, ())
    assert said in document["error"]


async def test_the_journal_is_read_from_anywhere(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """Entries have the fields of `JournalEntry`; `since` skips those that are known. Control is not among them."""
    sim.fail("add_material", "delay-1ms")
    added = await wx.add_material("image", photo, filename="a.jpg")
    status, entries = await ask(sim, "GET", "/_sim/journal")
    assert (status, [entry["path"].rpartition("/")[2] for entry in entries]) == (200, ["stable_token", "add_material"])
    last = entries[-1]
    assert (last["fault"], last["committed"], last["created"]) == ("delay-1ms", True, added.media_id)
    assert await ask(sim, "GET", "/_sim/journal?since=1") == (200, entries[1:])
    assert await ask(sim, "GET", "/_sim/journal?since=9") == (200, [])
    for wrong in ("-1", "x", "", "9" * 16, "%C2%B2"):
        assert (await ask(sim, "GET", f"/_sim/journal?since={wrong}"))[0] == 400


async def test_the_state_is_what_the_library_holds(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """Materials, media and cloud files are listed with their sizes; a reset empties all of it."""
    added = await wx.add_material("image", photo, filename="图.jpg")
    medium = await wx.upload_media("image", photo, filename="b.jpg")
    url = await wx.upload_image(photo, filename="c.jpg")
    fileid = sim.add_cloud_file("env", "d.bin", b"1234")
    status, state = await ask(sim, "GET", "/_sim/state")
    assert (status, state["counts"]) == (200, {"voice": 0, "video": 0, "image": 1, "news": 0})
    (material,) = state["materials"]
    assert (material["media_id"], material["filename"], material["size"]) == (added.media_id, "图.jpg", len(photo))
    assert [one["media_id"] for one in state["temporary_media"]] == [medium.media_id]
    assert state["cloud_files"] == [{"fileid": fileid, "size": 4}]
    assert state["article_images"] == [{"url": url, "size": len(photo)}]
    assert state["token_calls"] == 1
    assert await ask(sim, "POST", "/_sim/reset", {}) == (200, {})
    state = (await ask(sim, "GET", "/_sim/state"))[1]
    assert not any(state[name] for name in ("materials", "temporary_media", "cloud_files", "article_images"))
    await wx.count_materials()
    assert sim.token_calls == 0, "the token still works"


async def test_the_clock_is_moved() -> None:
    """`advance` moves it by so many seconds and tells the time."""
    async with Simulator(clock=lambda: 1000.0) as sim:
        assert await ask(sim, "POST", "/_sim/advance", {"seconds": 1.5}) == (200, {"now": 1001.5})
        for wrong in (-1, "1", True, None, 1e10):
            assert (await ask(sim, "POST", "/_sim/advance", {"seconds": wrong}))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/_sim/nothing", 404), ("POST", "/_sim/", 405), ("PUT", "/_sim/faults", 405)]
)
async def test_other_requests_are_refused(sim: Simulator, method: str, path: str, status: int) -> None:
    """An unknown path and a wrong method are told apart, in JSON."""
    assert (await ask(sim, method, path))[0] == status


async def test_control_is_out_of_reach_of_faults(sim: Simulator) -> None:
    """A fault for everything is not one for control, and control does not stand in the journal."""
    sim.fail("*", "reset-before-commit", times=None)
    assert (await ask(sim, "GET", "/_sim/state"))[0] == 200
    assert (list(sim.journal), sim.faults[0].used) == ([], 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**JSON, "Origin": "http://evil.example"}, 403),
        ({**JSON, "Origin": "null"}, 403),
        ({**JSON, "Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({**JSON, "Host": "localhost:1"}, 200),
    ],
)
async def test_a_page_of_another_site_controls_nothing(sim: Simulator, headers: dict[str, str], status: int) -> None:
    """Cross-site browser requests are rejected: other origins, rebound host names, simple forms."""
    rule = {"endpoint": "*", "fault": "html"}
    assert (await ask(sim, "POST", "/_sim/faults", rule, headers=headers))[0] == status
    assert len(sim.faults) == (status == 200)


async def test_its_own_page_may_control_it(sim: Simulator) -> None:
    """An Origin that is the simulator's own is no other site."""
    headers = {**JSON, "Origin": sim.url}
    assert (await ask(sim, "POST", "/_sim/reset", {}, headers=headers))[0] == 200


@pytest.mark.parametrize(
    ("host", "control", "status"),
    [
        ("0.0.0.0", None, 403),  # noqa: S104 - the point of the test
        ("0.0.0.0", True, 200),  # noqa: S104 - the same
        ("127.0.0.1", False, 403),
        ("localhost", None, 200),
    ],
)
async def test_control_beyond_loopback_has_to_be_asked_for(host: str, control: bool | None, status: int) -> None:
    """A simulator that others can reach is not controlled by them unless it was told so; the introduction agrees."""
    async with Simulator(host=host, control=control) as sim:
        assert sim.controllable is (status == 200)
        headers = {"Host": "simulator:8080"} if control else {}
        assert (await ask(sim, "GET", "/_sim/state", headers=headers))[0] == status
        said = "\n".join(introduction(sim, None))
        assert (f"{sim.url}/_sim/faults" in said) is sim.controllable


TOKEN = "correct-horse"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:80"}, 200),
        ({"Host": "simulator:8080"}, 401),
        ({"Host": "simulator:8080", "Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Host": "simulator:8080", "Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Host": "simulator:8080", "Authorization": f"Basic {TOKEN}"}, 401),
        ({"X-Forwarded-For": "10.0.0.9"}, 401),
    ],
)
async def test_control_from_another_machine_needs_the_token(headers: dict[str, str], status: int) -> None:
    """A client of this machine under a loopback name needs none; health needs none from anywhere; WeChat's calls none.

    A client behind a proxy is of another machine, though the proxy is of this one.
    """
    async with Simulator(host="0.0.0.0", control_token=TOKEN) as sim:  # noqa: S104 - the point of the test
        assert sim.controllable
        found, document = await ask(sim, "GET", "/_sim/state", headers=headers)
        assert found == status
        assert TOKEN not in str(document)
        assert (await ask(sim, "GET", "/_sim/health", headers=headers))[0] == 200
        assert (await ask(sim, "GET", TOKEN_PATH.format(sim.appid, sim.secret), headers=headers))[0] == 200


@pytest.mark.parametrize("token", ["", "two words", "密码", "x" * 201])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    """It is told when the simulator is made, without the token."""
    with pytest.raises(ValueError, match=r"^the control token must have 1 to 200 printable"):
        Simulator(control_token=token)


@pytest.mark.parametrize(
    ("public", "host", "link"),
    [
        (None, "simulator:8080", "http://simulator:8080/tcb.qcloud.la/"),
        (None, "[::1]:99", "http://[::1]:99/tcb.qcloud.la/"),
        ("https://wechat.example/", "simulator:8080", "https://wechat.example/tcb.qcloud.la/"),
    ],
)
async def test_links_begin_with_the_address_that_the_client_used(public: str | None, host: str, link: str) -> None:
    """All links have the public URL if there is one, and else the Host of the request."""
    async with Simulator(host="0.0.0.0", public_url=public) as sim:  # noqa: S104 - the point of the test
        sim.add_cloud_file("env", "a.txt", b"1")
        token = (await ask(sim, "GET", TOKEN_PATH.format(sim.appid, sim.secret)))[1]["access_token"]
        (fileid,) = sim.cloud_files
        body = {"env": "env", "file_list": [{"fileid": fileid, "max_age": 60}]}
        headers = {**JSON, "Host": host}
        path = f"/tcb/batchdownloadfile?access_token={token}"
        (file,) = (await ask(sim, "POST", path, body, headers=headers))[1]["file_list"]
        assert file["download_url"].startswith(link)
        assert public is None or sim.url == public.rstrip("/")


@pytest.mark.parametrize("url", ["wechat.example", "ftp://a", "http://", "http://u:p@a", "http://a?b=c", "http://["])
def test_a_public_url_of_another_form_is_refused(url: str) -> None:
    """The message shows a right one."""
    with pytest.raises(ValueError, match=r"must be like https://wechat\.example:8443, got"):
        Simulator(public_url=url)


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
TOKEN_PATH = "/cgi-bin/token?grant_type=client_credential&appid={}&secret={}"


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", [TOKEN_PATH, "/cgi-bin/material/get_materialcount", "/_sim/state", "/nowhere"])
async def test_a_page_of_another_site_asks_nothing(sim: Simulator, headers: dict[str, str], path: str) -> None:
    """Cross-site browser requests to the API are rejected like those to control: no token, no fault, no record."""
    sim.fail("*", "html", times=None)
    status, document = await ask(sim, "GET", path.format(sim.appid, sim.secret), headers=headers)
    assert (status, set(document)) == (403, {"error"})
    assert (sim.token_calls, list(sim.journal), sim.faults[0].used) == (0, [], 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "[::1]:80"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
async def test_a_client_of_this_machine_asks_what_it_likes(sim: Simulator, headers: dict[str, str]) -> None:
    """A client that is no browser, and an address that a user types, get their token."""
    status, document = await ask(sim, "GET", TOKEN_PATH.format(sim.appid, sim.secret), headers=headers)
    assert (status, set(document)) == (200, {"access_token", "expires_in"})


@pytest.mark.parametrize(
    ("host", "control", "headers", "status"),
    [
        ("0.0.0.0", None, {"Host": "simulator:8080"}, 200),  # noqa: S104 - the point of the test
        ("0.0.0.0", None, {"Sec-Fetch-Site": "cross-site"}, 403),  # noqa: S104 - the same
        ("127.0.0.1", True, {"Host": "simulator:8080"}, 200),
        ("127.0.0.1", False, {"Host": "simulator:8080"}, 403),
    ],
)
async def test_beyond_loopback_any_host_name_may_lead_to_the_api(
    host: str, control: bool | None, headers: dict[str, str], status: int
) -> None:
    """Containers call a simulator by names of their own, where it listens for them; pages of other sites stay out."""
    async with Simulator(host=host, control=control) as sim:
        assert (await ask(sim, "GET", TOKEN_PATH.format(sim.appid, sim.secret), headers=headers))[0] == status


async def test_a_link_of_another_site_leads_to_the_page_alone(sim: Simulator) -> None:
    """A navigation reaches the page, which holds no data and cannot be framed; the same headers read nothing else."""
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    def head(path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(sim.url.removeprefix("http://"), timeout=10)
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        connection.close()
        return reply.status, reply.headers.get("Content-Security-Policy", "")

    status, policy = await asyncio.to_thread(head, "/_sim/", visit)
    assert status == 200
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "frame-ancestors 'none'" in policy
    for path in ("/_sim/overview", "/_sim/journal", "/_sim/page.js"):
        assert (await asyncio.to_thread(head, path, visit))[0] == 403
    for headers in ({**visit, "Sec-Fetch-Dest": "iframe"}, {**visit, "Host": "evil.example"}):
        assert (await asyncio.to_thread(head, "/_sim/", headers))[0] == 403


async def test_the_page_needs_no_token_but_its_data_do() -> None:
    """Its files are served to other machines without the token, which the page then sends with each request."""
    async with Simulator(control_token="secret-1") as sim:
        other = {"X-Forwarded-For": "192.0.2.1"}  # so that it does not count as a client of this machine
        for name in ("", "page.js", "server.js", "words.js", "style.css", "icon.svg"):
            assert (await call(sim, f"/_sim/{name}", headers=other)).status == 200
        for name in ("overview", "items", "choices", "journal/wait?timeout=0"):
            assert (await call(sim, f"/_sim/{name}", headers=other)).status == 401
            assert (
                await call(sim, f"/_sim/{name}", headers={**other, "Authorization": "Bearer secret-1"})
            ).status == 200
