"""The language of faults, the order of rules, and what each word does on the wire: seen by plain sockets."""

import asyncio
import json
import re
import time
import zlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from wxasset.simulator import Fault, FaultRule, Simulator, parse_fault
from wxasset.simulator.faults import language
from wxasset.simulator.faults.language import _GRAMMAR
from wxasset.simulator.faults.words import Stall, Status

WORDS = [word.replace("...", "a/b?c=1") for word in re.findall(r"`([^`]+)`", "\n".join(language._EXAMPLES))]
COUNT = "/cgi-bin/material/get_materialcount"
ADD = "/cgi-bin/material/add_material"
GET = "/cgi-bin/material/get_material"
NO_COUNT = b'{"voice_count":0,"video_count":0,"image_count":0,"news_count":0}'
ONE_IMAGE = NO_COUNT.replace(b'"image_count":0', b'"image_count":1')
SMALL = 1 << 16


@frozen
class Got:
    """Bytes received over a socket until its end.

    Attributes:
        data: The bytes.
        end: "FIN" or "RST".
        times: Arrival of each piece, in seconds after the request.
    """

    data: bytes
    end: str
    times: tuple[float, ...]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.data.split(b" ", 2)[1])

    @property
    def head(self) -> str:
        """The head."""
        return self.data.partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self) -> bytes:
        """All after the head."""
        return self.data.partition(b"\r\n\r\n")[2]

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def exchange(sim: Simulator, head: str, body: bytes = b"", *, wait: float = 10) -> Got:
    """Send a request over a connection of its own, and read to the end of that."""
    host, _, port = sim.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    started = time.monotonic()
    pieces, times, end = [], [], "FIN"
    head += f"\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        async with asyncio.timeout(wait):
            writer.write(head.encode() + body)
            while piece := await reader.read(1 << 20):
                pieces.append(piece)
                times.append(time.monotonic() - started)
    except ConnectionResetError:
        end = "RST"
    finally:
        writer.transport.abort()
    return Got(b"".join(pieces), end, tuple(times))


async def token(sim: Simulator) -> str:
    """A token."""
    query = f"grant_type=client_credential&appid={sim.appid}&secret={sim.secret}"
    return str((await exchange(sim, f"GET /cgi-bin/token?{query} HTTP/1.1")).json()["access_token"])


async def count(sim: Simulator, *, wait: float = 10) -> Got:
    """Ask for the numbers of materials, with a new token."""
    return await exchange(sim, f"GET {COUNT}?access_token={await token(sim)} HTTP/1.1", wait=wait)


def form(photo: bytes) -> tuple[str, bytes]:
    """The Content-Type and the body of an upload."""
    head = b'--b\r\nContent-Disposition: form-data; name="media"; filename="photo.jpg"\r\n\r\n'
    return "Content-Type: multipart/form-data; boundary=b", head + photo + b"\r\n--b--\r\n"


async def add(sim: Simulator, photo: bytes, *, wait: float = 10) -> Got:
    """Upload a picture, with a new token."""
    header, body = form(photo)
    head = f"POST {ADD}?access_token={await token(sim)}&type=image HTTP/1.1\r\n{header}"
    return await exchange(sim, head, body, wait=wait)


@pytest.fixture
async def still() -> AsyncIterator[Simulator]:
    """A simulator whose clock stands still."""
    async with Simulator(clock=lambda: 1_700_000_000.0) as running:
        yield running


# The language


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_table_is_read_and_printed(word: str) -> None:
    """The words of the documentation are the language, and come out as they went in."""
    assert str(parse_fault(word)) == word


def test_the_table_names_every_word() -> None:
    """There is no word that the documentation leaves out."""
    patterns = [re.compile(pattern) for pattern, _ in _GRAMMAR]
    assert [one.pattern for one in patterns if not any(one.fullmatch(word) for word in WORDS)] == []


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.integers(1, 10**7))
def test_what_is_printed_reads_back_as_the_same(words: list[str], number: int) -> None:
    """Printing and reading are inverse, for whatever combination and numbers the language takes."""
    text = ",".join(words).replace("30", str(number)).replace("64", str(number))
    try:
        fault = parse_fault(text)
    except ValueError:
        return
    assert parse_fault(str(fault)) == fault
    assert str(parse_fault(str(fault))) == str(fault)


@given(st.one_of(st.text(), st.from_regex("|".join(pattern for pattern, _ in _GRAMMAR), fullmatch=True)))
def test_nothing_but_a_value_error_comes_of_any_text(text: str) -> None:
    """Text that is not a fault is a ValueError and nothing else."""
    try:
        words = parse_fault(text).words
    except ValueError:
        words = ()
    assert len(words) <= text.count(",") + 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unknown word"),
        ("explode", "known are errcode:-1"),
        ("stall", "unknown word"),
        ("status:99", "99 is not between 200 and 599"),
        ("stall-0s", "not between"),
        ("wrong-length:0", "must not be 0"),
        ("gzip-bomb:2000M", "not between"),
        ("deep-json:99999999", "is more than"),
        ("status:503,html", "both set the response"),
        ("cut-reply-after-1,slow-head-1s", "both set the delivery"),
        ("reset-after-commit,trickle-1B-every-1ms", "both set the delivery"),
        ("reset-after-64K,hide-2s", "both set the visibility"),
        ("redirect:302:http://x/\r\nEvil: 1", "unknown word"),
        ("redirect:305", "305"),
        ("errcode:" + "9" * 5000, "unknown word"),
    ],
)
def test_what_is_no_fault_is_refused_with_its_reason(text: str, reason: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(ValueError, match="is not a fault") as caught:
        parse_fault(text)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_words_are_values() -> None:
    """Equal words make equal faults, blanks around commas do not count, and 64K is 65536."""
    assert parse_fault(" status:429 , stall-2000ms ") == Fault((Status(429), Stall(2000)))
    assert str(parse_fault("reset-after-65536")) == "reset-after-64K"


# The rules


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("add_materials", "did you mean add_material .*Known are add"),
        ("/cgi-bin/nothing", "unknown endpoint"),
        ("", "unknown endpoint"),
    ],
)
def test_an_unknown_endpoint_is_an_error_at_once(endpoint: str, reason: str) -> None:
    """A rule that could never be used is refused, with the endpoints there are."""
    with pytest.raises(ValueError, match=reason):
        Simulator().fail(endpoint, "html")


@pytest.mark.parametrize("numbers", [{"times": 0}, {"times": True}, {"after": -1}, {"after": False}])
def test_numbers_of_a_rule_are_checked(numbers: dict[str, int]) -> None:
    """Times begin at 1 and after at 0."""
    with pytest.raises(ValueError, match="whole number"):
        Simulator().fail("*", "html", **numbers)


async def codes(sim: Simulator, number: int) -> list[int]:
    """The codes of so many counts, with one token."""
    head = f"GET {COUNT}?access_token={await token(sim)} HTTP/1.1"
    return [(await exchange(sim, head)).json().get("errcode", 0) for _ in range(number)]


async def test_rules_are_used_in_their_order(sim: Simulator) -> None:
    """The first rule that is not used up is the one that counts; `after` lets requests pass before it."""
    sim.fail("get_materialcount", "errcode:-1", times=2, after=1)
    sim.fail(COUNT, "errcode:45009")
    assert await codes(sim, 5) == [0, -1, -1, 45009, 0]
    assert sim.unused_faults == ()


async def test_a_rule_without_end_lasts_until_the_reset(sim: Simulator) -> None:
    """`times=None` counts its uses, and is unused only while nothing met it."""
    rule = sim.fail("get_materialcount", "errcode:-1", times=None)
    assert sim.unused_faults == (rule,)
    assert await codes(sim, 3) == [-1] * 3
    assert (rule.used, rule.remaining) == (3, None)
    assert not sim.unused_faults
    sim.reset()
    assert sim.faults == ()
    assert await codes(sim, 1) == [0]


async def test_what_is_left_of_a_rule_is_told(sim: Simulator) -> None:
    """A rule that was met fewer times than asked for is among the unused ones."""
    rules: list[FaultRule] = [sim.fail("get_materialcount", "errcode:-1", times=2), sim.fail("add_material", "html")]
    await codes(sim, 1)
    assert sim.unused_faults == tuple(rules)
    assert [one.remaining for one in rules] == [1, 1]
    sim.clear_faults()
    assert sim.unused_faults == ()


async def test_a_star_is_every_call_and_link_every_link(sim: Simulator) -> None:
    """`*` includes tokens and links; `link` is what serves the bytes of videos and cloud files, and nothing else."""
    sim.fail("link", "status:503")
    sim.fail("*", "status:502", times=2, after=2)
    assert (await exchange(sim, "GET /nowhere HTTP/1.1")).json()["errcode"] == 40066, "a link is something else"
    link = "GET /tcb.qcloud.la/x?sign=y HTTP/1.1"
    assert (await exchange(sim, link)).status == 503
    assert [(await exchange(sim, link)).status for _ in range(2)] == [403, 502]
    assert (await exchange(sim, "GET /cgi-bin/token HTTP/1.1")).status == 502


# What each word does


async def journal(sim: Simulator) -> tuple[object, ...]:
    """The last entry in short: fault, status, errcode, committed."""
    entry = sim.journal[-1]
    return entry.fault, entry.status, entry.errcode, entry.committed


@pytest.mark.parametrize(
    ("fault", "status", "errcode", "committed"),
    [
        ("errcode:-1", 200, -1, False),
        ("errcode:40164", 200, 40164, False),
        ("errcode:123456", 200, 123456, False),
        ("errcode-after-commit:-1", 200, -1, True),
        ("status:503", 503, None, False),
        ("status:204", 204, None, False),
        ("status:599", 599, None, False),
        ("status-after-commit:502", 502, None, True),
        ("retry-after:30", 503, None, False),
        ("status:429,retry-after:30", 429, None, False),
        ("html", 200, None, False),
        ("html-after-commit", 200, None, True),
        ("foreign-json", 200, None, False),
        ("foreign-json-after-commit", 200, None, True),
        ("empty-after-commit", 200, None, True),
        ("garbage-after-commit", 200, None, True),
        ("redirect:307", 307, None, False),
        ("malformed-token", 200, 40014, False),
        ("revoke-token", 200, 40001, False),
        ("expire-token", 200, 42001, False),
        ("delay-1ms", 200, 0, True),
        ("control-characters", 200, None, True),
        ("deep-json:3", 200, None, True),
    ],
)
async def test_whether_a_request_is_carried_out(
    sim: Simulator, photo: bytes, fault: str, status: int, errcode: int | None, *, committed: bool
) -> None:
    """An answer is what the word says, the library holds the upload only after a commit, and the journal says so."""
    sim.fail("add_material", fault)
    got = await add(sim, photo)
    assert (got.status, got.end) == (status, "FIN")
    assert f"\r\nContent-Length: {len(got.body)}" in got.head or status == 204
    if errcode:
        assert got.json()["errcode"] == errcode
    assert await journal(sim) == (fault, status, errcode, committed)
    assert sim.journal[-1].created == next(iter(sim.materials), None)
    assert len(sim.materials) == committed
    if "retry-after" in fault:
        assert "\r\nRetry-After: 30\r\n" in got.head


@pytest.mark.parametrize(
    ("fault", "end", "committed"),
    [
        ("reset-before-commit", "RST", False),
        ("reset-after-commit", "RST", True),
        ("close-before-commit", "FIN", False),
        ("close-before-reply", "FIN", True),
        ("hide-9s,reset-after-commit", "RST", True),
    ],
)
async def test_a_connection_ends_without_an_answer(
    sim: Simulator, photo: bytes, fault: str, end: str, *, committed: bool
) -> None:
    """Not a byte comes; RST and FIN differ, and so does what stands."""
    sim.fail("add_material", fault)
    got = await add(sim, photo)
    assert (got.data, got.end) == (b"", end)
    assert await journal(sim) == (fault, None, None, committed)
    assert sim.journal[-1].created == next(iter(sim.materials), None)


@pytest.mark.parametrize(
    ("fault", "end", "status"),
    [
        ("reset-after-64K", "RST", None),
        ("close-after-64K", "FIN", None),
        ("return-503-after-64K", "FIN", 503),
        ("return-413-after-0", "FIN", 413),
    ],
)
async def test_an_upload_ends_half_way(sim: Simulator, fault: str, end: str, status: int | None) -> None:
    """So much of the body is read, the rest stays with the client, and nothing is made."""
    sim.fail("add_material", fault)
    head = f"POST {ADD}?access_token=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n"
    host, _, port = sim.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + bytes(30_000_000))
    ended = "FIN"
    data = b""
    async with asyncio.timeout(10):
        try:
            data = await reader.read()
        except ConnectionResetError:
            ended = "RST"
    unsent = writer.transport.get_write_buffer_size()
    writer.transport.abort()
    assert ended == end
    assert data.startswith(f"HTTP/1.1 {status} ".encode() if status else b"")
    assert bool(data) is (status is not None)
    assert unsent > 1_000_000 or end == "RST"
    entry = sim.journal[-1]
    assert (entry.body_size, entry.status, entry.committed) == (0 if fault.endswith("-0") else SMALL, status, False)


async def test_an_upload_that_is_smaller_ends_at_its_end(sim: Simulator, photo: bytes) -> None:
    """A body with fewer bytes than the word names meets the fault all the same."""
    sim.fail("add_material", "return-503-after-10M")
    assert (await add(sim, photo)).status == 503
    assert sim.journal[-1].body_size == len(form(photo)[1])


@pytest.mark.parametrize(
    ("fault", "sent", "end"),
    [
        ("cut-reply-after-10", 10, "FIN"),
        ("cut-reply-after-0", 0, "FIN"),
        ("cut-reply-after-1M", len(NO_COUNT) - 1, "FIN"),
        ("reset-reply-after-10", 10, "RST"),
        ("wrong-length:10", len(NO_COUNT), "FIN"),
    ],
)
async def test_an_answer_is_cut(sim: Simulator, fault: str, sent: int, end: str) -> None:
    """More is announced than comes, whatever the size of the answer."""
    sim.fail("get_materialcount", fault)
    got = await count(sim)
    assert (got.body, got.end) == (NO_COUNT[:sent], end)
    announced = len(NO_COUNT) + (10 if "wrong" in fault else 0)
    assert f"Content-Length: {announced}" in got.head
    assert await journal(sim) == (fault, 200, 0, True)
    assert sim.journal[-1].sent == sent


async def test_an_answer_in_chunks_is_cut(sim: Simulator) -> None:
    """The chunk is whole, and the last one, which ends the body, is missing."""
    sim.fail("get_materialcount", "chunked-cut-after-10")
    got = await count(sim)
    assert "Transfer-Encoding: chunked" in got.head
    assert "Content-Length" not in got.head
    assert got.body == b"a\r\n" + NO_COUNT[:10] + b"\r\n"
    assert sim.journal[-1].sent == 10


@pytest.mark.parametrize("fault", [None, "slow-head-1ms", "trickle-20B-every-1ms", "stall-1ms-after-3", "delay-1ms"])
async def test_the_journal_counts_the_body_that_was_sent(sim: Simulator, fault: str | None) -> None:
    """The journal counts bytes of the body without the head, for every kind of delivery."""
    if fault is not None:
        sim.fail("get_materialcount", fault)
    assert (await count(sim)).body == NO_COUNT
    assert sim.journal[-1].sent == len(NO_COUNT)


async def test_a_large_answer_goes_no_faster_than_it_is_taken(sim: Simulator, photo: bytes) -> None:
    """Of an answer that nobody reads only as much is sent as the system takes, and it ends when the client leaves."""
    await add(sim, photo)
    media_id, material = next(iter(sim.materials.items()))
    size = 64 << 20
    sim.materials[media_id] = evolve(material, content=bytes(size))
    body = json.dumps({"media_id": media_id}).encode()
    head = (
        f"POST {GET}?access_token={await token(sim)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, _, port = sim.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + body)
    got = await reader.readuntil(b"\r\n\r\n")
    assert f"Content-Length: {size}\r\n".encode() in got
    writer.transport.abort()
    async with asyncio.timeout(10):
        while not sim.journal[-1].sent:  # noqa: ASYNC110 - the journal is no event
            await asyncio.sleep(0.01)
    assert sim.journal[-1].sent < size


async def test_a_length_can_be_too_small(sim: Simulator) -> None:
    """All of the body comes, which is more than was announced."""
    sim.fail("get_materialcount", "wrong-length:-3")
    got = await count(sim)
    assert f"Content-Length: {len(NO_COUNT) - 3}" in got.head
    assert got.body == NO_COUNT


@pytest.mark.parametrize("fault", ["stall-150ms", "delay-150ms", "stall-150ms-before-commit"])
async def test_an_answer_comes_late(sim: Simulator, fault: str) -> None:
    """Not a byte comes before its time, and then all is as ever."""
    sim.fail("get_materialcount", fault)
    got = await count(sim)
    assert got.body == NO_COUNT
    assert got.times[0] >= 0.15


async def test_a_stalled_request_stands_in_the_journal(sim: Simulator, photo: bytes) -> None:
    """While it stalls one sees whether it was carried out; a stall before that ends in a commit without the client."""
    sim.fail("add_material", "stall-30s")
    sim.fail("add_material", "stall-300ms-before-commit")
    for committed in (True, False):
        with pytest.raises(TimeoutError):
            await add(sim, photo, wait=0.1)
        assert sim.journal[-1].committed is committed
    async with asyncio.timeout(5):
        while len(sim.materials) < 2:  # noqa: ASYNC110 - the simulator tells no event of it
            await asyncio.sleep(0.01)
    assert [one.committed for one in sim.journal if one.path == ADD] == [True, True]
    assert [one.created for one in sim.journal if one.path == ADD] == list(sim.materials)


async def test_a_body_stalls_in_its_middle(sim: Simulator) -> None:
    """The first bytes come at once, the rest after the stall."""
    sim.fail("get_materialcount", "stall-150ms-after-8")
    got = await count(sim)
    assert got.body == NO_COUNT
    assert got.times[0] < 0.15 <= got.times[-1]


async def test_a_body_trickles(sim: Simulator) -> None:
    """A piece comes in each such time."""
    sim.fail("get_materialcount", "trickle-8B-every-20ms")
    got = await count(sim)
    assert got.body == NO_COUNT
    assert got.times[-1] >= 0.02 * (len(NO_COUNT) // 8 - 1)


async def test_a_head_trickles(sim: Simulator) -> None:
    """The head comes byte by byte, and is a head like any other in the end."""
    sim.fail("get_materialcount", "slow-head-1ms")
    got = await count(sim)
    assert (got.status, got.body) == (200, NO_COUNT)
    assert got.times[-1] >= 0.001 * (len(got.head) + 3)


@pytest.mark.parametrize("fault", ["stall-1000s", "stall-1000s-before-commit", "trickle-1B-every-1000s"])
async def test_closing_during_a_stall_is_immediate(sim: Simulator, fault: str) -> None:
    """A request that stalls does not hold up the end, whether its client still waits or has gone."""
    sim.fail("get_materialcount", fault, times=2)
    waiting = asyncio.create_task(count(sim))
    with pytest.raises(TimeoutError):
        await count(sim, wait=0.2)
    started = time.monotonic()
    await sim.close()
    assert time.monotonic() - started < 1
    assert (await waiting).end in {"RST", "FIN"}
    assert [one.fault for one in sim.journal if one.path == COUNT] == [fault, fault]


async def test_a_revoked_token_is_refused_until_there_is_a_new_one(sim: Simulator) -> None:
    """All tokens so far are dead with this request, and stay so."""
    value = await token(sim)
    sim.fail("get_materialcount", "revoke-token")
    head = f"GET {COUNT}?access_token={value} HTTP/1.1"
    assert [(await exchange(sim, head)).json()["errcode"] for _ in range(2)] == [40001, 40001]
    assert (await count(sim)).body == NO_COUNT


async def test_a_malformed_token_is_so_for_one_request(sim: Simulator) -> None:
    """The next request with the same token is served."""
    sim.fail("get_materialcount", "malformed-token")
    assert await codes(sim, 2) == [40014, 0]


async def test_a_redirect_leads_to_where_the_journal_sees_it(sim: Simulator) -> None:
    """Without an address it leads back here, where whoever follows is recorded; with one, there."""
    sim.fail("get_materialcount", "redirect:307")
    sim.fail("get_materialcount", "redirect:302:http://169.254.169.254/")
    first, second = await count(sim), await count(sim)
    assert f"\r\nLocation: {sim.url}/redirected\r\n" in first.head
    assert (second.status, "\r\nLocation: http://169.254.169.254/\r\n" in second.head) == (302, True)
    await exchange(sim, "GET /redirected HTTP/1.1")
    assert sim.journal[-1].path == "/redirected"


async def test_another_protocol_answers(sim: Simulator) -> None:
    """The received bytes are not HTTP."""
    sim.fail("get_materialcount", "not-http")
    got = await count(sim)
    assert (got.data, got.end) == (b"SSH-2.0-OpenSSH_9.6\r\n", "FIN")


@pytest.mark.parametrize(("fault", "dirt"), [("control-characters", b"\x01\x08"), ("invalid-utf8", b"\xff\xc3")])
async def test_texts_hold_what_breaks_readers(sim: Simulator, photo: bytes, fault: str, dirt: bytes) -> None:
    """Texts are spoilt wherever they stand, ids and addresses never."""
    sim.fail("add_material", fault)
    sim.fail("batchget_material", fault)
    added = await add(sim, photo)
    media_id = next(iter(sim.materials)).encode()
    assert dirt in added.body
    assert b'"media_id":"' + media_id + b'"' in added.body
    body = b'{"type":"image","offset":0,"count":20}'
    head = f"POST /cgi-bin/material/batchget_material?access_token={await token(sim)} HTTP/1.1"
    listed = await exchange(sim, head, body)
    assert b'"name":"photo.jpg' + dirt in listed.body
    assert b'"media_id":"' + media_id + b'"' in listed.body


async def test_answers_that_are_too_much(sim: Simulator) -> None:
    """Depth, digits and bytes are as many as the word says; a bomb is small on the wire."""
    for fault in ("deep-json:100000", "long-errcode:5000", "gzip-bomb:20M", "huge-reply:8M"):
        sim.fail("get_materialcount", fault)
    deep, long, bomb, huge = [(await count(sim)) for _ in range(4)]
    assert deep.body.count(b"[") == deep.body.count(b"]") == 100_000
    assert b'"errcode":' + b"9" * 5000 + b"," in long.body
    assert "Content-Encoding: gzip" in bomb.head
    assert len(bomb.body) < 100_000
    unpacked = zlib.decompress(bomb.body, wbits=31)
    assert (len(unpacked), len(huge.body)) == (20 << 20, 8 << 20)
    assert json.loads(unpacked)["errcode"] == huge.json()["errcode"] == 0


async def test_what_is_hidden_shows_later(still: Simulator, photo: bytes) -> None:
    """It is there, but lists and counts do not show it before its time on the simulator's clock."""
    still.fail("add_material", "hide-2s")
    media_id = (await add(still, photo)).json()["media_id"]
    assert list(still.materials) == [media_id]
    assert (await count(still)).body == NO_COUNT
    still.advance(1.9)
    assert (await count(still)).body == NO_COUNT
    still.advance(0.1)
    assert (await count(still)).body == ONE_IMAGE


async def test_faults_meet_the_refusals_of_the_service_too(sim: Simulator) -> None:
    """A request rejected without a fault is rejected with it; the journal does not show it as carried out."""
    sim.fail("get_materialcount", "cut-reply-after-3")
    got = await exchange(sim, f"GET {COUNT} HTTP/1.1")
    assert got.body == b'{"e'
    assert await journal(sim) == ("cut-reply-after-3", 200, 41001, False)
    assert (await exchange(sim, "GET /tcb.qcloud.la/x?sign=y HTTP/1.1")).status == 403
    assert await journal(sim) == (None, 403, None, False)


# What else the simulator tells


async def test_the_date_is_that_of_the_simulators_clock(still: Simulator) -> None:
    """`advance` moves the Date header, of ordinary answers and of those that a fault sends."""
    for fault in (None, "slow-head-1ms", "status:503"):
        if fault:
            still.fail("get_materialcount", fault)
        still.advance(3600)
        head = (await count(still)).head
        (date,) = [line.removeprefix("Date: ") for line in head.split("\r\n") if line.startswith("Date: ")]
        assert parsedate_to_datetime(date).timestamp() == still._account.clock.now()


async def test_a_reset_starts_anew(sim: Simulator, photo: bytes) -> None:
    """Library, journal and rules are empty, ids repeat, and tokens go on working."""
    value = await token(sim)
    sim.fail("*", "html", after=99)
    first = (await add(sim, photo)).json()
    sim.reset()
    assert (dict(sim.materials), list(sim.journal), sim.faults, sim.token_calls) == ({}, [], (), 0)
    got = await exchange(sim, f"GET {COUNT}?access_token={value} HTTP/1.1")
    assert got.body == NO_COUNT
    assert (await add(sim, photo)).json() == first
    assert await token(sim) != value


def test_a_simulator_runs_in_a_thread_of_its_own() -> None:
    """As a plain `with` it serves code that has no event loop."""
    simulator = Simulator()
    with simulator as sim:
        sim.fail("get_materialcount", "errcode:-1")
        assert asyncio.run(codes(sim, 2)) == [-1, 0]
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.url
