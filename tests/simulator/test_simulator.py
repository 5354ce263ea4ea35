"""The simulator's lifetime, its transport rules, its order of validation, its tokens and its journal."""

import asyncio
import json
import re
import time
from typing import Any

import aiohttp
import pytest
from attrs import evolve

from simulated import START, Answer, still_simulator
from wxasset.simulator import Simulator, SimulatorOptions

simulator = still_simulator


RID = r"[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"
INVALID_CREDENTIAL = (
    "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, "
    "more details at https://mmbizurl.cn/s/JtxxFh33r"
)
HINT = r"hint: \[[A-Za-z0-9]+\]"


async def call(
    simulator: Simulator,
    method: str,
    path: str,
    *,
    query: dict[str, str] | None = None,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send one request, by default labelled as JSON, and read the reply."""
    labelled = {"Content-Type": "application/json", **(headers or {})}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, simulator.url + path, params=query, data=body, headers=labelled) as reply,
    ):
        return Answer(reply.status, dict(reply.headers), await reply.read())


async def raw_request(simulator: Simulator, data: bytes, *, wait: float = 5) -> bytes:
    """Send bytes as they are and read until the server closes, or for `wait` seconds."""
    host, _, port = simulator.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(wait):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def credentials(simulator: Simulator, **changes: str | None) -> dict[str, str]:
    """The query of a token request; a change to None leaves the parameter out."""
    right = {"grant_type": "client_credential", "appid": simulator.appid, "secret": simulator.secret}
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


async def plain_token(simulator: Simulator) -> str:
    """A new token of the plain pool."""
    return str((await call(simulator, "GET", "/cgi-bin/token", query=credentials(simulator))).document["access_token"])


async def stable_token(simulator: Simulator, **fields: object) -> Any:
    """The reply of the stable endpoint."""
    body = json.dumps({**credentials(simulator), **fields}).encode()
    return (await call(simulator, "POST", "/cgi-bin/stable_token", body=body)).document


async def errcode(simulator: Simulator, token: str) -> int:
    """Return the result of a call with the token: 0, or the error code."""
    reply = await call(simulator, "GET", "/cgi-bin/material/get_materialcount", query={"access_token": token})
    return int(reply.document.get("errcode", 0))


# Lifetime


async def test_listens_on_a_free_loopback_port(simulator: Simulator) -> None:
    """The simulator listens on the loopback interface, and two of them on different ports."""
    async with Simulator() as other:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", simulator.url)
        assert other.url != simulator.url


async def test_start_and_close_by_hand() -> None:
    """State survives a restart; a second start is an error and a second close is not."""
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.url
    await simulator.start()
    with pytest.raises(RuntimeError, match="running already"):
        await simulator.start()
    media_id = simulator.add_article(title="kept")
    await simulator.close()
    await simulator.close()
    await simulator.start()
    assert list(simulator.materials) == [media_id]
    await simulator.close()


async def test_a_taken_port_is_an_error_that_leaves_nothing_behind(simulator: Simulator) -> None:
    """A start that fails says why and can be tried again."""
    port = int(simulator.url.rpartition(":")[2])
    second = Simulator(port=port)
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await simulator.close()
    async with second:
        assert second.url == f"http://127.0.0.1:{port}"


async def test_ipv6_loopback_stands_in_brackets() -> None:
    """A host that is an IPv6 address makes a usable URL."""
    try:
        async with Simulator(host="::1") as simulator:
            assert simulator.url.startswith("http://[::1]:")
            assert await plain_token(simulator)
    except OSError:
        pytest.skip("no IPv6 here")


async def test_the_same_seed_gives_the_same_run() -> None:
    """Ids, tokens and credentials repeat with the seed and differ without it."""
    runs = []
    for seed in (7, 7, 8):
        async with Simulator(seed=seed) as simulator:
            runs.append(
                (simulator.appid, simulator.secret, simulator.add_article(title="a"), await plain_token(simulator))
            )
    assert runs[0] == runs[1]
    assert not set(runs[0]) & set(runs[2])


async def test_given_credentials_are_the_ones_it_knows() -> None:
    """The constructor's appid and secret win over drawn ones."""
    async with Simulator(appid="wx1", secret="s1") as simulator:
        assert (simulator.appid, simulator.secret) == ("wx1", "s1")
        assert await plain_token(simulator)


async def test_time_does_not_run_backwards(simulator: Simulator) -> None:
    """The clock can only be moved forward."""
    with pytest.raises(ValueError, match="cannot move backwards"):
        simulator.advance(-1)


async def test_uses_the_system_clock_unless_given_one() -> None:
    """Without a clock of its own it tells the real time."""
    async with Simulator() as simulator:
        before = int(time.time())
        media_id = simulator.add_article(title="now")
        assert before <= simulator.materials[media_id].update_time <= time.time()


# Transport


@pytest.mark.parametrize("path", ["/cgi-bin/material/add_material", "/cgi-bin/stable_token", "/nowhere"])
async def test_a_chunked_body_is_answered_with_412(simulator: Simulator, path: str) -> None:
    """A body without a length gets 412 and an empty body, before anything else is looked at."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = await raw_request(simulator, head.encode() + b"2\r\n{}\r\n0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 412 Precondition Failed\r\n")
    assert b"Content-Length: 0\r\n" in reply
    assert reply.endswith(b"\r\n\r\n")


async def test_a_body_cut_short_is_never_answered(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """A body shorter than its Content-Length leaves the connection waiting; the journal says so, the log nothing."""
    head = b"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    with pytest.raises(TimeoutError):
        await raw_request(simulator, head + b"{}", wait=0.3)
    await simulator.close()
    assert (simulator.journal[0].status, simulator.journal[0].errcode) == (None, None)
    assert not caplog.records


async def test_closing_drops_a_request_that_waits(simulator: Simulator) -> None:
    """A request whose body never comes does not hold up the end."""
    head = b"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    waiting = asyncio.create_task(raw_request(simulator, head, wait=30))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await simulator.close()
        assert await waiting == b""


async def test_a_body_over_the_cap_is_refused_unread(simulator: Simulator) -> None:
    """More than 32 MiB gets 413 from its announced length alone; exactly 32 MiB is still read."""
    path = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
    body = bytes(32 * 1024 * 1024)
    assert (await raw_request(simulator, path + b"33554432\r\n\r\n" + body)).startswith(b"HTTP/1.1 200 ")
    assert (await raw_request(simulator, path + b"33554433\r\n\r\n" + body + b"0")).startswith(b"HTTP/1.1 413 ")
    assert [entry.body_size for entry in simulator.journal] == [len(body), 0]


# The order of validation, and the form of replies


async def test_an_unknown_path_is_an_invalid_url(simulator: Simulator) -> None:
    """An unknown path gets HTTP 200 and 40066, whatever the method and the token."""
    reply = await call(simulator, "GET", "/cgi-bin/material/get_materialcounts")
    assert reply.status == 200
    assert re.fullmatch(f"invalid url rid: {RID}", reply.document["errmsg"])
    assert reply.document["errcode"] == 40066


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/cgi-bin/material/add_material", (43002, "require POST method")),
        ("GET", "/cgi-bin/stable_token", (43002, "require POST method")),
        ("PUT", "/tcb/batchdeletefile", (43002, "require POST method")),
        ("POST", "/cgi-bin/token", (43001, "require GET method")),
        ("POST", "/cgi-bin/media/get", (43001, "require GET method")),
        ("DELETE", "/cgi-bin/material/get_materialcount", (43001, "require GET method")),
    ],
)
async def test_a_wrong_method_comes_before_the_token(
    simulator: Simulator, method: str, path: str, expected: tuple[int, str]
) -> None:
    """The method is judged before the token, which all of these requests lack."""
    document = (await call(simulator, method, path)).document
    assert document["errcode"] == expected[0]
    assert re.fullmatch(f"{expected[1]} rid: {RID}", document["errmsg"])


async def test_the_count_can_be_asked_for_either_way(simulator: Simulator) -> None:
    """get_materialcount takes GET and POST."""
    query = {"access_token": await plain_token(simulator)}
    for method in ("GET", "POST"):
        reply = await call(simulator, method, "/cgi-bin/material/get_materialcount", query=query)
        assert reply.body == b'{"voice_count":0,"video_count":0,"image_count":0,"news_count":0}'


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (None, (41001, "access_token missing")),
        ("", (41001, "access_token missing")),
        ("short", (40014, "invalid access_token")),
        ("!" * 140, (40014, "invalid access_token")),
        ("x" * 140, (40001, INVALID_CREDENTIAL)),
    ],
)
async def test_the_token_comes_before_the_body(
    simulator: Simulator, token: str | None, expected: tuple[int, str]
) -> None:
    """A missing, malformed or unknown token is refused in WeChat's words although the body is empty too."""
    query = {} if token is None else {"access_token": token}
    reply = await call(simulator, "POST", "/cgi-bin/material/get_material", query=query)
    document = reply.document
    assert document["errcode"] == expected[0]
    assert re.fullmatch(f"{re.escape(expected[1])} rid: {RID}", document["errmsg"])
    assert b"https:\\/\\/" in reply.body or "https" not in expected[1]


async def test_the_content_type_of_replies_alternates(simulator: Simulator) -> None:
    """JSON goes out as application/json with `encoding=`, then as text/plain, and so on."""
    seen = [(await call(simulator, "GET", "/nowhere")).headers["Content-Type"] for _ in range(4)]
    assert seen == ["application/json; encoding=utf-8", "text/plain"] * 2


async def test_a_request_id_begins_with_the_time(simulator: Simulator) -> None:
    """The first group of a rid is the time in hex, and no two rids are the same."""
    texts = [(await call(simulator, "GET", "/nowhere")).document["errmsg"] for _ in range(2)]
    assert f"rid: {int(START):08x}-" in texts[0]
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "application/json", 44002),
        (b"", "application/x-www-form-urlencoded", 44002),
        (b"{", "application/json", 47001),
        (b"[]", "application/json", 47001),
        (b'"text"', "application/json", 47001),
        (b'{"media_id":"\xff"}', "application/json", 47001),
        (b'{"media_id":"a\nb"}', "application/json", 47001),
        (b"[" * 100_000, "application/json", 47001),
        (b'{"n":' + b"9" * 5000 + b"}", "application/json", 47001),
        (b'{"media_id":"x"}', "application/x-www-form-urlencoded", 40007),
        (b'{"media_id":"x"}', "application/octet-stream", 40007),
        (b'{"media_id":"x"}', "text/plain; charset=ISO-8859-1", 40007),
        (b"media_id=x", "application/x-www-form-urlencoded", 47001),
        (b'{"media_id":"x"}', "application/json; charset=utf-8", 40007),
        (b'{"media_id":"x"}', "text/plain", 40007),
        (b'{"media_id":5}', "application/json", 47001),
        (b'{"media_id":""}', "application/json", 41006),
        (b"{}", "application/json", 41006),
    ],
)
async def test_json_is_known_by_its_bytes(simulator: Simulator, body: bytes, content_type: str, expected: int) -> None:
    """A body has to be a JSON object in UTF-8, whatever its label: curl labels the official sample a form (8.1)."""
    query = {"access_token": await plain_token(simulator)}
    headers = {"Content-Type": content_type}
    reply = await call(simulator, "POST", "/cgi-bin/material/get_material", query=query, body=body, headers=headers)
    assert reply.document["errcode"] == expected
    assert re.search(f" {HINT} rid: {RID}$", reply.document["errmsg"])


async def test_a_json_body_needs_no_label(simulator: Simulator) -> None:
    """A POST without a Content-Type is taken as JSON."""
    body = json.dumps(credentials(simulator)).encode()
    head = "POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    assert b'"access_token":' in await raw_request(simulator, head.encode() + body)


async def test_a_compressed_body_is_not_unpacked(simulator: Simulator) -> None:
    """Nobody has seen the service take a compressed request, so it is not JSON here."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    reply = await call(simulator, "POST", "/cgi-bin/stable_token", body=b"\x1f\x8b\x08\x00", headers=headers)
    assert reply.document["errcode"] == 47001


async def test_escapes_stay_as_they_were_written(simulator: Simulator) -> None:
    r"""An escape such as \u0061 is six characters and not the letter it stands for; an escaped backslash is one."""
    query = {"access_token": await plain_token(simulator)}
    media_id = simulator.add_article(title="a")
    path = "/cgi-bin/material/get_material"
    escaped = f'{{"media_id":"\\u{ord(media_id[0]):04x}{media_id[1:]}"}}'.encode()
    assert (await call(simulator, "POST", path, query=query, body=escaped)).document["errcode"] == 40007
    harmless = f'{{"media_id":"{media_id}","note":"\\\\u00e9 \\n"}}'.encode()
    assert "news_item" in (await call(simulator, "POST", path, query=query, body=harmless)).document


# Tokens


async def test_a_token_looks_like_one(simulator: Simulator) -> None:
    """A token has 136 to 157 characters of the URL-safe alphabet and lives for two hours."""
    reply = await call(simulator, "GET", "/cgi-bin/token", query=credentials(simulator))
    assert list(reply.document) == ["access_token", "expires_in"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{136,157}", reply.document["access_token"])
    assert reply.document["expires_in"] == 7200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grant_type": "authorization_code"}, (40002, "invalid grant_type rid: ")),
        ({"grant_type": None}, (40002, "invalid grant_type rid: ")),
        ({"appid": None, "secret": None}, (41002, "appid missing rid: ")),
        ({"secret": ""}, (41004, "appsecret missing rid: ")),
        ({"appid": "wx0", "secret": "bad"}, (40013, "invalid appid rid: ")),
        ({"secret": "bad"}, (40125, "invalid appsecret, rid: ")),
        ({}, (40164, "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid: ")),
    ],
)
async def test_credentials_are_judged_in_order(
    simulator: Simulator, changes: dict[str, str | None], expected: tuple[int, str]
) -> None:
    """Both endpoints judge the appid before the secret before the address, in WeChat's words."""
    simulator.options = evolve(simulator.options, allowed_addresses=frozenset({"203.0.113.7"}))
    given = credentials(simulator, **changes)
    body = json.dumps(given).encode()
    for reply in (
        await call(simulator, "GET", "/cgi-bin/token", query=given),
        await call(simulator, "POST", "/cgi-bin/stable_token", body=body),
    ):
        assert reply.document["errcode"] == expected[0]
        assert re.fullmatch(re.escape(expected[1]) + RID, reply.document["errmsg"])
    assert simulator.token_calls == 2


async def test_a_listed_address_gets_a_token() -> None:
    """The whitelist lets in those it names."""
    options = SimulatorOptions(allowed_addresses=frozenset({"127.0.0.1"}))
    async with Simulator(options=options) as simulator:
        assert simulator.options is options
        assert await plain_token(simulator)


async def test_an_old_token_outlives_its_successor_by_five_minutes(simulator: Simulator) -> None:
    """A new plain token leaves the old one valid for 300 s; after that it is not the latest."""
    old = await plain_token(simulator)
    new = await plain_token(simulator)
    assert new != old
    simulator.advance(299)
    assert await errcode(simulator, old) == 0
    simulator.advance(1)
    assert await errcode(simulator, old) == 40001
    assert await errcode(simulator, new) == 0


async def test_a_token_times_out(simulator: Simulator) -> None:
    """The current token answers 42001 once its life is over, in WeChat's words."""
    token = await plain_token(simulator)
    simulator.advance(7199)
    assert await errcode(simulator, token) == 0
    simulator.advance(1)
    query = {"access_token": token}
    document = (await call(simulator, "GET", "/cgi-bin/material/get_materialcount", query=query)).document
    assert document["errcode"] == 42001
    assert re.fullmatch(f"access_token expired rid: {RID}", document["errmsg"])


async def test_the_stable_token_stays_the_same(simulator: Simulator) -> None:
    """Repeated calls return one token and what is left of its life, until the last five minutes."""
    first = await stable_token(simulator)
    simulator.advance(6900)
    assert await stable_token(simulator) == {"access_token": first["access_token"], "expires_in": 300}
    simulator.advance(1)
    renewed = await stable_token(simulator)
    assert renewed["access_token"] != first["access_token"]
    assert renewed["expires_in"] == 7200
    assert await errcode(simulator, first["access_token"]) == 0
    simulator.advance(299)
    assert await errcode(simulator, first["access_token"]) == 42001


async def test_the_pools_know_nothing_of_each_other(simulator: Simulator) -> None:
    """A new token of one endpoint leaves that of the other alone."""
    stable = (await stable_token(simulator))["access_token"]
    plain = await plain_token(simulator)
    await stable_token(simulator, force_refresh=True)
    simulator.advance(301)
    assert await errcode(simulator, plain) == 0
    assert await errcode(simulator, stable) == 40001


async def test_a_forced_refresh_ends_the_old_token_at_once(simulator: Simulator) -> None:
    """force_refresh replaces the token without overlap, not more often than every 30 s."""
    first = (await stable_token(simulator))["access_token"]
    second = (await stable_token(simulator, force_refresh=True))["access_token"]
    assert await errcode(simulator, first) == 40001
    simulator.advance(29)
    throttled = await stable_token(simulator, force_refresh=True)
    assert throttled == {"access_token": second, "expires_in": 7171}
    simulator.advance(1)
    assert (await stable_token(simulator, force_refresh=True))["access_token"] != second


async def test_forced_refreshes_are_counted_by_the_day(simulator: Simulator) -> None:
    """The twenty-first forced refresh of a day changes nothing; the next day it does."""
    tokens = []
    for _ in range(21):
        tokens.append((await stable_token(simulator, force_refresh=True))["access_token"])
        simulator.advance(30)
    assert len(set(tokens)) == 20
    assert tokens[-1] == tokens[-2]
    simulator.advance(86_400)
    assert (await stable_token(simulator, force_refresh=True))["access_token"] not in tokens


async def test_force_refresh_has_to_be_a_boolean(simulator: Simulator) -> None:
    """A force_refresh of another kind is a format error."""
    assert (await stable_token(simulator, force_refresh="true"))["errcode"] == 47001


@pytest.mark.parametrize(("action", "code"), [("revoke_tokens", 40001), ("expire_tokens", 42001)])
async def test_tests_can_end_every_token(simulator: Simulator, action: str, code: int) -> None:
    """Tokens issued so far are refused at once, and both endpoints hand out new ones."""
    old = [await plain_token(simulator), (await stable_token(simulator))["access_token"]]
    getattr(simulator, action)()
    new = [await plain_token(simulator), (await stable_token(simulator))["access_token"]]
    assert [await errcode(simulator, token) for token in old] == [code, code]
    assert [await errcode(simulator, token) for token in new] == [0, 0]


# The journal


async def test_the_journal_tells_what_happened_and_keeps_secrets(simulator: Simulator) -> None:
    """Every request is entered with its outcome and the number of its token, but no token and no secret."""
    first = await plain_token(simulator)
    second = await plain_token(simulator)
    simulator.advance(5)
    for token in (first, second, "x" * 140):
        query = {"access_token": token, "type": "image"}
        headers = {"Authorization": "secret-1", "X-Mark": "seen"}
        await call(simulator, "POST", "/cgi-bin/material/get_material", query=query, body=b"{}", headers=headers)
    await call(simulator, "GET", "/vweixinp.tc.qq.com/x.mp4", query={"vkey": "secret-2"})
    entries = simulator.journal
    assert [entry.token for entry in entries] == [None, None, 1, 2, None, None]
    assert [entry.errcode for entry in entries] == [0, 0, 41006, 41006, 40001, None]
    assert [entry.status for entry in entries] == [200] * 5 + [403]
    assert [entry.at for entry in entries] == [START] * 2 + [START + 5] * 4
    assert (entries[2].method, entries[2].path) == ("POST", "/cgi-bin/material/get_material")
    assert entries[2].query == {"access_token": "***", "type": "image"}
    assert entries[2].headers["X-Mark"] == "seen"
    assert entries[2].body_size == 2
    assert entries[0].query["secret"] == "***"
    for secret in (first, second, simulator.secret, "secret-1", "secret-2"):
        assert secret not in repr(entries)
    assert simulator.token_calls == 2
