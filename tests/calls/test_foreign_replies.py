"""JSON that is not WeChat's is no success of any operation, declared here or by users."""

import io
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

import pytest
from attrs import frozen

from raw_server import RawServer, reply
from wxasset import Ack, Call, DeleteReport, Download, Effect, Failed, Route, WxSession
from wxasset.errors import DecodeError, UploadOutcomeUnknown

FOREIGN: Final[tuple[dict[str, Any], ...]] = (
    {"code": "INVALID_PARAM", "message": "Cannot operate more than 50 files one time", "requestId": "17b9"},
    {"ret": -1, "msg": "system busy"},
    {"error": "upstream timed out"},
    {"message": "no Route matched with those values"},
    {"success": False},
    {"errmsg": "ok"},
    {"errcode": None},
    {},
)
EACH: Final = pytest.mark.parametrize("document", FOREIGN, ids=str)


@frozen(kw_only=True)
class ClearQuota(Call[Ack]):
    """A user's call without a result."""

    route: ClassVar[Route] = Route(path="/cgi-bin/clear_quota", effect=Effect.REPLACE)

    appid: str


@frozen(kw_only=True)
class Checked:
    """A user's reply without a required field."""

    suggest: str = ""
    label: int | None = None


@frozen(kw_only=True)
class Check(Call[Checked]):
    """A user's call with that reply."""

    route: ClassVar[Route] = Route(path="/wxa/msg_sec_check", effect=Effect.READ)

    content: str


@frozen(kw_only=True)
class Speech(Download[Ack]):
    """A user's download."""

    route: ClassVar[Route] = Route(path="/cgi-bin/media/get/jssdk", effect=Effect.READ, method="GET")

    media_id: str


CALLS: Final[dict[str, Callable[[WxSession], Awaitable[Any]]]] = {
    "del_material": lambda wx: wx.del_material("M"),
    "count_materials": lambda wx: wx.count_materials(),
    "list_materials": lambda wx: wx.list_materials("image"),
    "get_material": lambda wx: wx.get_material("M", io.BytesIO()),
    "get_media": lambda wx: wx.get_media("M", io.BytesIO()),
    "batch_delete_file": lambda wx: wx.batch_delete_file("env", ["cloud://a"]),
    "file_urls": lambda wx: wx.file_urls("env", ["cloud://a"]),
    "upload_file": lambda wx: wx.upload_file("env", "a.png", b"x"),
    "a user's Ack": lambda wx: wx.call(ClearQuota(appid="wx1")),
    "a user's optional keys": lambda wx: wx.call(Check(content="x")),
    "a user's download": lambda wx: wx.call(Speech(media_id="M"), to=io.BytesIO()),
}


@EACH
@pytest.mark.parametrize("name", CALLS)
async def test_foreign_json_is_no_success(
    raw: WxSession, server: RawServer, name: str, document: dict[str, Any]
) -> None:
    """The error shows the start of the body, unless links may be in it."""
    server.script = [reply(document)]
    with pytest.raises(DecodeError) as caught:
        await CALLS[name](raw)
    assert caught.value.excerpt in ("", reply(document).partition(b"\r\n\r\n")[2].decode())
    assert bool(caught.value.excerpt) is (name not in ("file_urls", "upload_file"))


@EACH
async def test_foreign_json_is_the_end_of_no_upload(
    raw: WxSession, server: RawServer, document: dict[str, Any]
) -> None:
    """What came of it is unknown."""
    server.script = [reply(document)]
    for upload in (raw.add_material("image", b"\xff\xd8\xff"), raw.upload_media("image", b"\xff\xd8\xff")):
        with pytest.raises(UploadOutcomeUnknown):
            await upload


@EACH
async def test_foreign_json_is_a_failure_in_a_batch(
    raw: WxSession, server: RawServer, document: dict[str, Any]
) -> None:
    """No material is reported as deleted."""
    server.script = [reply(document)]
    async with raw.del_materials(["M1", "M2"]) as outcomes:
        found = [one async for one in outcomes]
    assert [type(one) for one in found] == [Failed, Failed]


async def test_secrets_in_foreign_json_are_not_shown(raw: WxSession, server: RawServer) -> None:
    """A gateway that echoes the request echoes the token and signed links too."""
    server.script = [reply({"echo": f"access_token=token-1-{'x' * 100}", "to": "https://h/f?sign=CANARY"})]
    with pytest.raises(DecodeError) as caught:
        await raw.del_material("M")
    assert caught.value.excerpt == '{"echo": "access_token=***", "to": "***"}'


async def test_one_key_of_a_users_reply_is_a_success(raw: WxSession, server: RawServer) -> None:
    """WeChat leaves `errcode` out of most replies with data; a number may come as a string."""
    server.script = [reply({"label": "100"}), reply({"errcode": 0}), reply({"errcode": "0", "errmsg": "ok"})]
    assert await raw.call(Check(content="x")) == Checked(label=100)
    assert await raw.call(Check(content="x")) == Checked()
    assert await raw.call(ClearQuota(appid="wx1")) == Ack()


STATUSES: Final[list[tuple[dict[str, Any], bool]]] = [
    ({"fileid": "cloud://a", "status": 0, "errmsg": "ok"}, True),
    ({"files": "cloud://a", "status": 0}, True),
    ({"fileid": None, "files": "cloud://a", "status": "0"}, True),
    ({"fileid": "cloud://a"}, False),
    ({"fileid": "cloud://a", "status": None}, False),
    ({"fileid": "cloud://a", "status": ""}, False),
    ({"fileid": "cloud://a", "status": "ok"}, False),
    ({"fileid": "cloud://a", "status": True}, False),
    ({"fileid": "cloud://a", "status": []}, False),
    ({"fileid": "cloud://a", "status": -1}, False),
    ({"fileid": "cloud://a", "code": "SUCCESS"}, False),
    ({"files": "cloud://a", "code": "STORAGE_FILE_NONEXIST"}, False),
    ({"status": 0}, False),
    ({"fileid": "cloud://b", "status": 0}, False),
]


@pytest.mark.parametrize(("entry", "deleted"), STATUSES, ids=str)
async def test_a_file_is_deleted_if_its_status_says_so(
    raw: WxSession, server: RawServer, entry: dict[str, Any], deleted: bool
) -> None:
    """Under either name of the id; an entry that cannot be used does not spoil those of the other files."""
    good = {"fileid": "cloud://c", "status": 0}
    server.script = [reply({"errcode": 0, "delete_list": [good, entry]})]
    report = await raw.batch_delete_file("env", ["cloud://a", "cloud://c"])
    assert report.deleted == (("cloud://a", "cloud://c") if deleted else ("cloud://c",))
    assert [one.fileid for one in report.failed] == ([] if deleted else ["cloud://a"])
    assert all(one.errmsg or one.status for one in report.failed)


@pytest.mark.parametrize("statuses", [(0, -1), (-1, 0), (0, None), (None, 0)])
async def test_of_two_entries_for_a_file_the_failure_counts(
    raw: WxSession, server: RawServer, statuses: tuple[int | None, int | None]
) -> None:
    """A contradiction is not a success."""
    entries = [{"fileid": "cloud://a", "status": one} for one in statuses]
    server.script = [reply({"errcode": 0, "delete_list": entries})]
    assert (await raw.batch_delete_file("env", ["cloud://a"])).deleted == ()


@pytest.mark.parametrize("missing", [{}, {"delete_list": None}, {"delete_list": []}, {"delete_list": {}}])
async def test_a_success_without_entries_deletes_nothing(
    raw: WxSession, server: RawServer, missing: dict[str, Any]
) -> None:
    """`errcode` 0 is about the request, and not about a file."""
    server.script = [reply({"errcode": 0} | missing)]
    assert (await raw.batch_delete_file("env", ["cloud://a"])) != DeleteReport(deleted=("cloud://a",))
    assert (await raw.batch_delete_file("env", ["cloud://a"])).failed[0].status is None


@pytest.mark.parametrize("entry", [{}, {"status": None}, {"status": "ok"}, {"code": "SUCCESS"}])
async def test_a_link_without_a_status_is_none(raw: WxSession, server: RawServer, entry: dict[str, Any]) -> None:
    """An entry of a list of links is held to the same."""
    found = {"fileid": "cloud://a", "download_url": "https://x.tcb.qcloud.la/a"} | entry
    server.script = [reply({"errcode": 0, "file_list": [found, {"download_url": "https://x.tcb.qcloud.la/"}]})]
    (link,) = await raw.file_urls("env", ["cloud://a"])
    assert (link.url, link.status) == (None, None)
    assert "no status" in link.errmsg
    with pytest.raises(DecodeError, match="no status"):
        link.require()


LAX: Final = (
    {"show_cover_pic": "1"},
    {"show_cover_pic": ""},
    {"show_cover_pic": None},
    {"need_open_comment": "0", "only_fans_can_comment": "true"},
    {"title": 2026, "author": None, "digest": 0.5},
    {"content": [], "url": {}, "thumb_url": False},
)


@pytest.mark.parametrize("article", LAX, ids=str)
async def test_no_field_of_an_article_fails_a_page(raw: WxSession, server: RawServer, article: dict[str, Any]) -> None:
    """The other items of the page are there."""
    items = [
        {"media_id": "A", "content": {"news_item": [{"title": "t"} | article], "update_time": "5"}, "update_time": "x"},
        {"media_id": "B", "name": 5, "url": "", "content": {}, "update_time": "1700000000"},
        {"media_id": "C", "name": None, "url": None, "content": None, "update_time": None},
    ]
    server.script = [reply({"item": items, "total_count": "3", "item_count": None})]
    page = await raw.list_materials("news")
    assert [one.media_id for one in page.items] == ["A", "B", "C"]
    assert page.items[0].content is not None
    assert len(page.items[0].content.articles) == 1
    assert (page.items[1].name, page.items[1].update_time, page.total) == ("5", 1_700_000_000, 3)
