"""The journal of the simulator: its limit, its bodies, its conditions, and waits from everywhere."""

import asyncio
import json
import threading
import time
from typing import Any
from urllib.request import Request, urlopen

import pytest
from attrs import evolve

from simulated import ADD, COUNT, call, least_time, token_of
from wxasset import WxSession
from wxasset.simulator import Simulator, SimulatorOptions


async def control(sim: Simulator, path: str, method: str = "GET") -> Any:
    """Send a request for control and return the document."""

    def ask() -> Any:
        with urlopen(Request(f"{sim.url}/_sim/{path}", method=method), timeout=20) as reply:  # noqa: S310 - http
            return json.loads(reply.read())

    return await asyncio.to_thread(ask)


async def test_the_journal_is_limited_and_counts_go_on(sim: Simulator) -> None:
    """The oldest entries are dropped above the option; numbers and the total stay those of all requests."""
    sim.options = SimulatorOptions(journal_cap=3)
    for number in range(5):
        await call(sim, f"/{number}")
    assert [(entry.number, entry.path) for entry in sim.journal] == [(2, "/2"), (3, "/3"), (4, "/4")]
    assert (len(sim.journal), sim.journal.total) == (3, 5)
    assert [entry["number"] for entry in await control(sim, "journal?since=3")] == [3, 4]
    sim.reset()
    await call(sim, "/again")
    assert ([entry.number for entry in sim.journal], sim.journal.total) == ([0], 1)


async def test_a_body_is_recorded_up_to_the_option(sim: Simulator, wx: WxSession, photo: bytes) -> None:
    """The first bytes are kept, in JSON as text and also in base64 where they are no text; the size is the whole."""
    sim.options = SimulatorOptions(journal_body_cap=300)
    await wx.add_material("image", photo, filename="海报.jpg")
    await call(sim, ADD, {"text": "素材"}, method="POST")
    upload, other = sim.journal[-2:]
    assert len(upload.body) == 300
    assert upload.body_size > len(photo)
    assert 'filename="海报.jpg"'.encode() in upload.body
    first, second = (await control(sim, "journal"))[-2:]
    assert 'filename="海报.jpg"' in first["body"]
    assert first["body_base64"] is not None
    assert (json.loads(second["body"]), second["body_base64"]) == ({"text": "素材"}, None)
    assert json.loads(other.body) == {"text": "素材"}


@pytest.mark.parametrize("cap", [4096, 100])
async def test_no_secret_stands_in_a_recorded_body(sim: Simulator, cap: int) -> None:
    """Secrets in JSON and in forms are replaced, also where the limit cuts them off; the rest stays."""
    sim.options = SimulatorOptions(journal_body_cap=cap)
    await token_of(sim)
    form = b'--b\r\nContent-Disposition: form-data; name="Signature"\r\n\r\ntop-secret-form-value\r\n--b--'
    await call(sim, "/x", body=form, method="POST")
    await call(sim, "/x", body=b"a=1&secret=top-secret-query&b=2", method="POST")
    nested = {"secret": 'quoted " top-secret-json', "b": [{"access_token": "top-secret-deep"}]}
    await call(sim, "/x", nested, method="POST")
    said = repr([entry.body for entry in sim.journal])
    assert sim.secret[:8] not in said
    assert "top-secret" not in said
    assert sim.journal[-2].body == b"a=1&secret=***&b=2"
    assert json.loads(sim.journal[-1].body) == {"secret": "***", "b": [{"access_token": "***"}]}


async def test_entries_are_selected_by_conditions(sim: Simulator) -> None:
    """Method, path or its last part, status, errcode, account and number select in Python and over HTTP alike."""
    other = sim.add_account()
    token = await token_of(sim)
    await call(sim, COUNT, query={"access_token": token})
    await call(sim, COUNT, query={"access_token": "x"})
    asked = {"grant_type": "client_credential", "appid": other.appid, "secret": other.secret}
    await call(sim, "/cgi-bin/stable_token", asked)
    await call(sim, "/tcb.qcloud.la/nothing")
    expected: dict[str, list[int]] = {
        "method=post": [0, 3],
        "path=get_materialcount": [1, 2],
        f"path={COUNT}&errcode=0": [1],
        "errcode=40014": [2],
        "status=403": [4],
        f"account={sim.appid}": [0, 1],
        f"account={other.appid}": [3],
        "since=3": [3, 4],
        "path=nothing_else": [],
    }
    for query, numbers in expected.items():
        conditions: Any = dict(pair.split("=") for pair in query.split("&"))
        conditions |= {name: int(conditions[name]) for name in ("status", "errcode", "since") if name in conditions}
        assert [entry.number for entry in sim.journal.select(**conditions)] == numbers
        assert [entry["number"] for entry in await control(sim, f"journal?{query}")] == numbers


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("journal?since=x", "since must be a whole number"),
        ("journal?errcode=1.5", "errcode must be a whole number"),
        ("journal?pth=x", "unknown fields: pth; did you mean path?"),
        ("journal?endpoint=x", "unknown fields: endpoint; known are since, method, path, status, errcode, account"),
        ("journal/wait?count=0", "count is 0; wait for 1 to 100000 entries"),
        ("journal/wait?timeout=-1", "'timeout' must be >= 0: -1.0"),
        ("journal/wait?timeout=601", "'timeout' must be <= 600: 601"),
    ],
)
async def test_a_wrong_condition_is_named(sim: Simulator, query: str, said: str) -> None:
    """An invalid parameter is a 400 with the value and the permitted ones."""
    answer = await call(sim, f"/_sim/{query.partition('?')[0]}", query=dict([query.partition("?")[2].split("=")]))
    assert answer.status == 400
    assert said in answer.document["error"]


async def test_a_wait_ends_with_the_request_it_waits_for(sim: Simulator) -> None:
    """Three kinds of waits, in the loop, in a thread and over HTTP, see the same two requests, and nothing before."""
    await call(sim, COUNT)
    since = sim.journal.total
    waits = [
        asyncio.create_task(sim.journal.wait(2, path=COUNT, since=since)),
        asyncio.create_task(asyncio.to_thread(sim.journal.wait_blocking, 2, path=COUNT, since=since)),
        asyncio.create_task(control(sim, f"journal/wait?count=2&path=get_materialcount&since={since}")),
    ]
    await asyncio.sleep(0.05)
    await call(sim, "/other")
    await call(sim, COUNT)
    assert not any(one.done() for one in waits)
    await call(sim, COUNT)
    in_loop, in_thread, over_http = await asyncio.gather(*waits)
    assert [entry.number for entry in in_loop] == [2, 3]
    assert [entry.number for entry in in_thread] == [2, 3]
    assert [entry["number"] for entry in over_http] == [2, 3]


async def test_a_wait_without_its_requests_tells_how_many_there_were(sim: Simulator) -> None:
    """Python raises with the count and the conditions; HTTP returns what there is."""
    await call(sim, COUNT)
    with pytest.raises(TimeoutError, match=r"1 of 2 requests within 0\.01 s met the conditions .*get_materialcount"):
        await sim.journal.wait(2, timeout=0.01, path=COUNT)
    with pytest.raises(TimeoutError, match="1 of 2 requests"):
        await asyncio.to_thread(sim.journal.wait_blocking, 2, timeout=0.01, path=COUNT)
    assert len(await control(sim, "journal/wait?count=2&timeout=0.01")) == 1


async def test_a_stalled_request_can_be_waited_for(sim: Simulator) -> None:
    """It is there before its response, and meets a condition on its errcode only after."""
    sim.fail(COUNT.rpartition("/")[2], "stall-5s")
    asked = asyncio.create_task(call(sim, COUNT))
    (entry,) = await sim.journal.wait(path=COUNT)
    assert entry.status is None or not asked.done()
    asked.cancel()


async def test_a_wait_ends_when_the_simulator_closes() -> None:
    """No task and no thread is left waiting for a request that cannot come."""
    async with Simulator() as sim:
        task = asyncio.create_task(sim.journal.wait(timeout=60))
        over_http = asyncio.create_task(control(sim, "journal/wait?timeout=60"))
        await asyncio.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    with pytest.raises(ConnectionAbortedError, match="the simulator was closed"):
        await task
    await asyncio.gather(over_http, return_exceptions=True)


async def test_entries_are_deleted_by_conditions(sim: Simulator) -> None:
    """Deleted entries are gone, the others keep their numbers, and later ones go on counting."""
    for path in ("/a", "/b", "/a"):
        await call(sim, path)
    assert await control(sim, "journal?path=a", "DELETE") == {"deleted": 2}
    assert [(entry.number, entry.path) for entry in sim.journal] == [(1, "/b")]
    await call(sim, "/c")
    assert [entry.number for entry in sim.journal] == [1, 3]
    assert await control(sim, "journal", "DELETE") == {"deleted": 2}
    assert (list(sim.journal), sim.journal.total) == ([], 4)


async def test_a_request_that_ends_after_a_deletion_does_not_come_back(sim: Simulator) -> None:
    """An entry of a stalled request, deleted in the meantime, is not entered again."""
    sim.fail("*", "stall-300ms")
    asked = asyncio.create_task(call(sim, "/slow"))
    await sim.journal.wait()
    sim.journal.clear()
    await asked
    await call(sim, "/next")
    assert [entry.path for entry in sim.journal] == ["/next"]


async def test_a_request_costs_the_same_with_a_full_journal(sim: Simulator) -> None:
    """Requests take the same processor time with 100,000 entries as with few; a search took eight times as much."""
    await call(sim, COUNT)
    (template,) = sim.journal
    few = await least_time(sim, COUNT)
    for _ in range(100_000):
        sim.journal.enter(evolve(template), None)
    assert len(sim.journal) == 100_000
    assert await least_time(sim, COUNT) < 3 * few


async def test_waits_are_given_up_without_a_trace(sim: Simulator) -> None:
    """A cancelled wait is forgotten, and a later request does not fail for it."""
    tasks = [asyncio.create_task(sim.journal.wait(timeout=60)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (await call(sim, COUNT)).status == 200
    assert threading.active_count() < 50
