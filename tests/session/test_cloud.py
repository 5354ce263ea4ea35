"""Cloud files are deleted in any number, each with an outcome of its own."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final

import aiohttp
import anyio
import pytest

from raw_server import Connection, Handler, RawRequest, RawServer, reply, reset
from wxasset import Deleted, DeleteReport, Failed, FailedDelete, FileURL, NotTried, WxSession
from wxasset.calls.fileids import FileIds
from wxasset.errors import (
    APIError,
    CredentialError,
    DecodeError,
    MediaNotFoundError,
    PartialDeleteError,
    PermissionDeniedError,
    TransferError,
    UsageError,
)
from wxasset.simulator import Simulator


def asked(request: RawRequest) -> list[str]:
    """The ids of a request."""
    ids: list[str] = json.loads(request.body)["fileid_list"]
    return ids


def answer(request: RawRequest, **statuses: int) -> bytes:
    """Say of each id that it is deleted, or what `statuses` says of it."""
    files = [{"fileid": one, "status": statuses.get(one, 0), "errmsg": "ok"} for one in asked(request)]
    return reply({"errcode": 0, "errmsg": "ok", "delete_list": files})


async def obey(request: RawRequest, connection: Connection) -> None:
    """Delete everything."""
    await connection.send(answer(request))


async def test_any_number_of_ids_is_sent_50_at_a_time(wx: WxSession, sim: Simulator) -> None:
    """1,007 ids, some repeated and some unknown: 21 requests, and each id has one outcome."""
    ids = [sim.add_cloud_file("env", f"{number}.png", b"x") for number in range(1000)]
    unknown = [f"{ids[0]}-{number}" for number in range(7)]
    report = await wx.batch_delete_file("env", iter([*ids, *unknown, *ids[:30]]))

    assert sim.cloud_files == {}
    assert list(report.deleted) == ids
    assert [one.fileid for one in report.failed] == unknown
    assert {(one.status, one.errmsg, one.error) for one in report.failed} == {(-503003, "STORAGE_FILE_NONEXIST", None)}
    assert len([one for one in sim.journal if one.path == "/tcb/batchdeletefile"]) == 21


async def test_no_ids_make_no_request(wx: WxSession, sim: Simulator) -> None:
    """Nothing to delete is a report of nothing."""
    assert await wx.batch_delete_file("env", []) == DeleteReport()
    assert sim.journal == []


async def test_a_report_can_be_made_an_error(wx: WxSession, sim: Simulator) -> None:
    """`raise_for_failed` raises where anything was not deleted, and carries the report."""
    fileid = sim.add_cloud_file("env", "a.png", b"x")
    (await wx.batch_delete_file("env", [fileid])).raise_for_failed()
    report = await wx.batch_delete_file("env", [fileid])
    with pytest.raises(PartialDeleteError, match=r"1 of 1 cloud files were not deleted.*-503003") as caught:
        report.raise_for_failed()
    assert caught.value.report is report


async def test_at_most_so_many_requests_at_a_time(raw: WxSession, server: RawServer) -> None:
    """`concurrency` bounds the requests under way."""
    under_way = most = 0

    async def slowly(request: RawRequest, connection: Connection) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        under_way -= 1
        await obey(request, connection)

    server.script = [slowly]
    report = await raw.batch_delete_file("env", [f"cloud://{n}" for n in range(1000)], concurrency=3)
    assert (len(report.deleted), most) == (1000, 3)


async def test_a_request_that_fails_loses_no_other(raw: WxSession, server: RawServer) -> None:
    """One batch that cannot be sent is the outcome of its ids; the others are deleted."""

    async def fail_one(request: RawRequest, connection: Connection) -> None:
        await (reset if "cloud://60" in asked(request) else obey)(request, connection)

    server.script = [fail_one]
    ids = [f"cloud://{number}" for number in range(150)]
    report = await raw.batch_delete_file("env", ids)
    assert list(report.deleted) == ids[:50] + ids[100:]
    assert [one.fileid for one in report.failed] == ids[50:100]
    assert {(one.status, type(one.error)) for one in report.failed} == {(None, TransferError)}


async def test_an_id_that_the_answer_leaves_out_is_a_failure(raw: WxSession, server: RawServer) -> None:
    """Ids asked are ids answered: what WeChat does not mention is not taken for deleted."""
    server.script = [
        reply({"errcode": 0, "errmsg": "ok", "delete_list": [{"fileid": "cloud://a", "status": 0}, {"fileid": "?"}]})
    ]
    report = await raw.batch_delete_file("env", ["cloud://a", "cloud://b"])
    assert report == DeleteReport(
        deleted=("cloud://a",),
        failed=(
            FailedDelete(
                fileid="cloud://b", status=None, errmsg="WeChat's response does not mention this file", error=None
            ),
        ),
    )


async def test_a_file_missing_on_a_repetition_was_deleted_by_the_first_attempt(
    raw: WxSession, server: RawServer
) -> None:
    """After a lost reply, "no such file" is what was asked for; any other status still is a failure."""

    async def missing(request: RawRequest, connection: Connection) -> None:
        await connection.send(answer(request, a=-503003, b=1, c=-503002))

    server.script = [reset, missing]
    report = await raw.batch_delete_file("env", ["a", "b", "c", "d"])
    assert report.deleted == ("a", "b", "d")
    assert [(one.fileid, one.status) for one in report.failed] == [("c", -503002)]


async def test_an_error_for_everything_is_raised(raw: WxSession, server: RawServer) -> None:
    """Where not one request was answered the error is raised, once, and nothing more is sent."""
    server.script = [reply({"errcode": 85088, "errmsg": "no qbase privilege"})]
    with pytest.raises(PermissionDeniedError):
        await raw.batch_delete_file("env", [f"cloud://{number}" for number in range(5000)], concurrency=1)
    assert len(server.requests) == 1


async def test_a_refusal_in_the_middle_stops_the_rest(raw: WxSession, server: RawServer) -> None:
    """Credentials that are refused half-way: the rest is not sent, and says why in its outcome."""
    refused = reply({"errcode": 40013, "errmsg": "invalid appid"})
    server.script = [obey, refused]
    report = await raw.batch_delete_file("env", [f"cloud://{number}" for number in range(1000)], concurrency=1)
    assert (len(report.deleted), len(report.failed), len(server.requests)) == (50, 950, 2)
    assert isinstance(report.failed[-1].error, CredentialError)


# Ids from anywhere, in any number


async def slowly(ids: Iterable[str]) -> AsyncIterator[str]:
    """Give ids as an async iterable, with a turn of the loop before each hundredth."""
    for number, one in enumerate(ids):
        if number % 100 == 0:
            await anyio.lowlevel.checkpoint()
        yield one


MANY: Final = [f"cloud://env.b/{number % 9_871}" for number in range(10_007)]
"""Ids of which 136 are there twice."""


@pytest.mark.parametrize("make", [list, iter, slowly], ids=["list", "iterator", "async iterator"])
@pytest.mark.parametrize(
    "failure",
    [reset, reply({"errcode": -501002, "errmsg": "SERVER_TIMEOUT"}), reply(b"<html>", status="502 Bad Gateway")],
    ids=["reset", "code", "page"],
)
async def test_one_killed_request_of_10007_ids_loses_no_other(
    raw: WxSession, server: RawServer, make: Callable[[list[str]], FileIds], failure: bytes | Handler
) -> None:
    """Each distinct id has exactly one outcome: those of a failed request have its error, the others are gone."""
    killed = MANY[4321]

    async def kill(request: RawRequest, connection: Connection) -> None:
        if killed not in asked(request):
            await obey(request, connection)
        elif isinstance(failure, bytes):
            await connection.send(failure)
        else:
            await failure(request, connection)

    server.script = [kill]
    report = await raw.batch_delete_file("env", make(MANY))
    lost = [one.fileid for one in report.failed]
    assert len(lost) == 50
    assert killed in lost
    assert len({id(one.error) for one in report.failed}) == 1
    assert sorted([*report.deleted, *lost]) == sorted(set(MANY))
    assert len(report.deleted) + len(lost) == 9_871
    sent = [one for request in server.requests for one in asked(request) if one not in lost]
    assert sorted(sent) == sorted(report.deleted), "no id is sent twice"


async def test_ids_are_read_no_faster_than_they_are_sent(raw: WxSession, server: RawServer) -> None:
    """What is in memory depends on `concurrency`: an endless source is not run away with."""
    read = 0
    ahead: list[int] = []

    def count() -> Iterator[str]:
        nonlocal read
        for read in range(1, 5001):
            yield f"cloud://{read}"

    async def look(request: RawRequest, connection: Connection) -> None:
        ahead.append(read - 50 * (len(server.requests) - 1))
        await obey(request, connection)

    server.script = [look]
    report = await raw.batch_delete_file("env", count(), concurrency=2)
    assert len(report.deleted) == 5000
    assert max(ahead) <= 50 * 4  # two under way, one that waits, and one that was answered since


async def test_what_was_deleted_before_the_iterable_raised_is_reported(raw: WxSession, server: RawServer) -> None:
    """Every id that was read is sent, and is in the report of the error; the iterable's exception is its cause."""

    async def breaking() -> AsyncIterator[str]:
        for number in range(120):
            yield f"cloud://{number}"
        raise LookupError("the database has gone")

    server.script = [obey]
    with pytest.raises(PartialDeleteError, match="broke off after 120") as caught:
        await raw.batch_delete_file("env", breaking())
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.report == DeleteReport(deleted=tuple(f"cloud://{number}" for number in range(120)))
    assert sum(len(asked(request)) for request in server.requests) == 120


async def test_what_is_no_failure_of_a_request_comes_out_as_itself(raw: WxSession, server: RawServer) -> None:
    """An error that is none of this package's ends the job, is in no group, and cuts off nothing that is under way."""

    async def wait(seconds: float) -> None:
        raise ArithmeticError(seconds)

    async def answer_all_but_the_second(request: RawRequest, connection: Connection) -> None:
        if "cloud://50" in asked(request):
            await connection.send(reply({"errcode": -1, "errmsg": "system error"}))
        else:
            await obey(request, connection)
            served.append(len(asked(request)))

    served: list[int] = []
    raw._engine.sleep = wait
    server.script = [answer_all_but_the_second]
    with pytest.raises(PartialDeleteError) as caught:
        await raw.batch_delete_file("env", [f"cloud://{number}" for number in range(5000)])
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert len(caught.value.report.deleted) == sum(served)
    assert {one.fileid for one in caught.value.report.failed} >= {f"cloud://{number}" for number in range(50, 100)}
    assert len(served) == len(server.requests) - 1 < 20


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_generator_of_ids_is_closed(raw: WxSession, server: RawServer, kind: str) -> None:
    """Also where it is left in the middle, as an id of it is none; a plain one does not run in the event loop."""
    ended: list[bool] = []
    threads: set[threading.Thread] = set()

    def plain() -> Iterator[str]:
        try:
            threads.add(threading.current_thread())
            yield from ("cloud://1", "", "cloud://2")
        finally:
            ended.append(True)

    async def asynchronous() -> AsyncIterator[str]:
        try:
            for one in ("cloud://1", "", "cloud://2"):
                yield one
        finally:
            ended.append(True)

    server.script = [obey]
    with pytest.raises(PartialDeleteError):
        await raw.batch_delete_file("env", plain() if kind == "plain" else asynchronous())
    assert ended == [True]
    assert threading.current_thread() not in threads


async def test_an_id_that_is_none_stops_an_iterator(raw: WxSession, server: RawServer) -> None:
    """A list with such an id is refused before anything is sent, an iterator when it gives one."""
    ids: list[Any] = [*(f"cloud://{number}" for number in range(60)), None]
    server.script = [obey]
    with pytest.raises(UsageError):
        await raw.batch_delete_file("env", ids)
    assert server.requests == []
    with pytest.raises(PartialDeleteError) as caught:
        await raw.batch_delete_file("env", iter(ids))
    assert isinstance(caught.value.__cause__, UsageError)
    assert len(caught.value.report.deleted) == len(ids) - 1


@pytest.mark.parametrize("ids", ["cloud://a", b"cloud://a", None, 5])
async def test_ids_are_something_to_iterate_over(raw: WxSession, server: RawServer, ids: Any) -> None:
    """A single text is no list of ids, nor is anything that gives none."""
    for call in (raw.batch_delete_file("env", ids), raw.file_urls("env", ids)):
        with pytest.raises(UsageError):
            await call
    assert server.requests == []


# Outcomes as they come


async def test_outcomes_of_deletions_come_one_by_one(wx: WxSession, sim: Simulator) -> None:
    """Each id is deleted, failed, or not tried after a refusal of the account."""
    ids = [sim.add_cloud_file("env", f"{number}.png", b"x") for number in range(120)]
    report = await wx.delete_files("env", [*ids[:60], ids[0] + "-unknown"]).report()
    assert (report.done, [type(one.error) for one in report.failed]) == (60, [MediaNotFoundError])

    sim.fail("/tcb/batchdeletefile", "errcode:45009")
    found: dict[str, str] = {}
    async with wx.delete_files("env", iter(ids[60:]), concurrency=1, max_rate=60_000) as outcomes:
        async for outcome in outcomes:
            found[outcome.item] = type(outcome).__name__
    assert found == dict.fromkeys(ids[60:110], "Failed") | dict.fromkeys(ids[110:], "NotTried")


async def test_a_cancelled_deletion_has_an_outcome_for_each_id_that_was_read(raw: WxSession, server: RawServer) -> None:
    """Outcomes not taken yet are not lost; a request that was cut off may have deleted its files."""
    read: list[str] = []
    stuck = anyio.Event()

    async def ids() -> AsyncIterator[str]:
        for number in range(400):
            read.append(f"cloud://{number}")
            yield read[-1]

    async def hang(*_: object) -> None:
        stuck.set()
        await anyio.sleep_forever()

    server.script = [obey, obey, hang]
    taken = []
    with anyio.CancelScope() as scope:
        async with raw.delete_files("env", ids(), concurrency=1) as outcomes:
            async for outcome in outcomes:
                taken.append(outcome)
                if len(taken) == 60:
                    await stuck.wait()
                    scope.cancel()
    rest = outcomes.rest()
    assert [outcome.item for outcome in (*taken, *rest)] == read[: len(taken) + len(rest)]
    assert len(read) - len(taken) - len(rest) < 50, "ids that make no request yet"
    assert [one.item for one in (*taken, *rest) if isinstance(one, Deleted)] == read[:100]
    assert {type(one.error) for one in rest if isinstance(one, Failed)} == {TransferError}
    assert [one.item for one in rest if isinstance(one, Failed)] == read[100:150]
    assert outcomes.rest() == []


async def test_links_come_one_by_one(wx: WxSession, sim: Simulator) -> None:
    """A file without a link is a failure, with WeChat's result as its error."""
    ids = [sim.add_cloud_file("env", f"{number}.png", b"x") for number in range(60)]
    urls: list[FileURL] = []
    failed: list[Failed[str] | NotTried[str]] = []
    async with wx.link_files("env", [*ids, "cloud://env.b/none"], max_age=60) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, FileURL):
                urls.append(outcome)
            else:
                failed.append(outcome)
    assert sorted(one.fileid for one in urls) == sorted(ids)
    assert [(one.item, type(one.error)) for one in failed] == [("cloud://env.b/none", MediaNotFoundError)]


# Links


async def test_every_id_has_a_link_or_a_reason(wx: WxSession, sim: Simulator) -> None:
    """In the order asked, each once; a link serves the file for as long as was asked, and is not shown."""
    ids = [sim.add_cloud_file("env", f"{number}.png", b"x") for number in range(120)]
    wanted = [*ids, ids[0] + "?", *ids[:20]]
    found = await wx.file_urls("env", slowly(wanted), max_age=60)
    assert [one.fileid for one in found] == wanted[:121]
    assert {(one.status, one.errmsg, one.max_age, one.error) for one in found[:120]} == {(0, "ok", 60, None)}
    assert found[120] == FileURL(
        fileid=ids[0] + "?", url=None, status=-503003, errmsg="STORAGE_FILE_NONEXIST", max_age=60
    )
    assert len([one for one in sim.journal if one.path == "/tcb/batchdownloadfile"]) == 3
    assert str(found[0].url) not in repr(found)
    async with aiohttp.ClientSession() as http, http.get(found[7].require()) as answer:
        assert await answer.read() == b"x"
    sim.advance(60)
    async with aiohttp.ClientSession() as http, http.get(found[7].require()) as answer:
        assert answer.status == 403
    with pytest.raises(MediaNotFoundError):
        found[120].require()


async def test_links_that_fail_are_named(raw: WxSession, server: RawServer) -> None:
    """An id whose request failed, that the answer leaves out, or whose link is empty, has its reason and its error."""

    async def some(request: RawRequest, connection: Connection) -> None:
        ids = [one["fileid"] for one in json.loads(request.body)["file_list"]]
        if "cloud://60" in ids:
            await connection.send(reply({"errcode": -501007, "errmsg": "INVALID_PARAM"}))
            return
        files = [{"fileid": one, "download_url": "https://x.tcb.qcloud.la/", "status": 0} for one in ids[2:]]
        files.append({"fileid": ids[1], "download_url": "", "status": 0, "errmsg": "ok"})
        await connection.send(reply({"errcode": 0, "errmsg": "ok", "file_list": files}))

    server.script = [some]
    found = await raw.file_urls("env", [f"cloud://{number}" for number in range(150)])
    assert [one.fileid for one in found] == [f"cloud://{number}" for number in range(150)]
    assert [one.url is None for one in found] == [n in (0, 1, 100, 101) or 50 <= n < 100 for n in range(150)]
    assert {(one.status, type(one.error)) for one in found[50:100]} == {(None, APIError)}
    assert [one.errmsg for one in found[:2]] == [
        "WeChat's response does not mention this file",
        "WeChat's response contains no link to this file",
    ]
    for one, kind in ((found[0], DecodeError), (found[1], DecodeError), (found[60], APIError)):
        with pytest.raises(kind):
            one.require()


async def test_where_nothing_was_answered_there_are_no_links(raw: WxSession, server: RawServer) -> None:
    """An error for everything is raised, once."""
    server.script = [reply({"errcode": 85088, "errmsg": "no qbase privilege"})]
    with pytest.raises(PermissionDeniedError):
        await raw.file_urls("env", [f"cloud://{number}" for number in range(500)], concurrency=1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("wrong", [{"max_age": 0}, {"concurrency": 0}])
async def test_numbers_are_at_least_one(wx: WxSession, sim: Simulator, wrong: dict[str, Any]) -> None:
    """A link that does not live, or no request at a time, is refused before anything is asked."""
    with pytest.raises(UsageError):
        await wx.file_urls("env", ["cloud://a"], **wrong)
    assert sim.journal == []


async def test_no_ids_have_no_links(wx: WxSession, sim: Simulator) -> None:
    """Nothing asked is nothing answered."""
    assert await wx.file_urls("env", slowly([])) == ()
    assert sim.journal == []


@pytest.mark.parametrize("path", ["/tcb/uploadfile", "/tcb/batchdownloadfile"])
async def test_a_broken_answer_with_secrets_is_not_shown(near: WxSession, sim: Simulator, path: str) -> None:
    """Leaves and links are secrets: of half an answer that holds them no error shows any."""
    fileid = sim.add_cloud_file("env", "a.bin", b"x")
    sim.fail(path, "garbage-after-commit", times=None)
    with pytest.raises(DecodeError) as caught:
        await (near.upload_file("env", "a.bin", b"x") if "upload" in path else near.file_urls("env", [fileid]))
    assert caught.value.excerpt == ""
    assert sim.url not in str(caught.value)
