"""Cloud files are deleted in any number, each with an outcome of its own."""

import json

import anyio
import pytest

from raw_server import Connection, RawRequest, RawServer, reply, reset
from wxasset import DeleteReport, FailedDelete, WxSession
from wxasset.errors import (
    CredentialError,
    PartialDeleteError,
    PermissionDeniedError,
    TransferError,
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
                fileid="cloud://b", status=None, errmsg="WeChat's answer does not mention this file", error=None
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
