"""Responses of the simulator about its content: materials, temporary media, links and cloud files."""

import json
import re
from collections.abc import AsyncIterator, Iterable

import aiohttp
import pytest
from yarl import URL

from simulated import START, Answer, still_simulator
from wxasset.simulator import Article, Material, Simulator, SimulatorOptions

simulator = still_simulator


SUFFIX = r" hint: \[[A-Za-z0-9]+\] rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"
ENV = "test2-4a89da"

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
AMR = b"#!AMR\n\x3c"
MP3 = b"ID3\x03\x00"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00"


def answered(status: int, raw_headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer:
    """Return a reply with its headers as they were on the wire."""
    return Answer(status, {name.decode(): value.decode() for name, value in raw_headers}, body)


class Caller:
    """Sends requests with a token of its own."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self._simulator = simulator
        self._session = session

    async def _token(self) -> str:
        asked = {"grant_type": "client_credential", "appid": self._simulator.appid, "secret": self._simulator.secret}
        async with self._session.get(self._simulator.url + "/cgi-bin/token", params=asked) as reply:
            return str(json.loads(await reply.read())["access_token"])

    async def post(self, path: str, document: object) -> Answer:
        """Call an endpoint that takes JSON."""
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        params = {"access_token": await self._token()}
        async with self._session.post(self._simulator.url + path, params=params, data=body, headers=headers) as reply:
            return answered(reply.status, reply.raw_headers, await reply.read())

    async def get(self, path: str, **query: str) -> Answer:
        """Call an endpoint that takes a query."""
        params = {"access_token": await self._token(), **query}
        async with self._session.get(self._simulator.url + path, params=params) as reply:
            return answered(reply.status, reply.raw_headers, await reply.read())

    async def follow(self, url: str, method: str = "GET") -> Answer:
        """Follow a link as it is, without a token."""
        async with self._session.request(method, URL(url, encoded=True)) as reply:
            return answered(reply.status, reply.raw_headers, await reply.read())

    async def upload(self, path: str, media_type: str, filename: bytes, content: bytes) -> str:
        """Upload a file and return its id."""
        parts = (
            b'name="media"; filename="' + filename + b'"\r\n\r\n' + content,
            b'name="description"\r\n\r\n' + '{"title":"标题","introduction":"简介"}'.encode(),
        )
        body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--b--\r\n"
        params = {"access_token": await self._token(), "type": media_type}
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        async with self._session.post(self._simulator.url + path, params=params, data=body, headers=headers) as reply:
            document = json.loads(await reply.read())
        return str(document.get("media_id") or document["thumb_media_id"])

    async def add(self, media_type: str, filename: str, content: bytes) -> str:
        """Add a permanent material and return its id."""
        return await self.upload("/cgi-bin/material/add_material", media_type, filename.encode(), content)


@pytest.fixture
async def caller(simulator: Simulator) -> AsyncIterator[Caller]:
    """A client of the simulator."""
    async with aiohttp.ClientSession() as session:
        yield Caller(simulator, session)


# get_material


@pytest.mark.parametrize(
    ("media_type", "filename", "content", "content_type"),
    [
        ("image", "图 一.png", PNG, "image/png"),
        ("thumb", "a.jpg", JPEG, "image/jpeg"),
        ("voice", "a.amr", AMR, "audio/amr"),
        ("voice", "a.mp3", MP3, "audio/mp3"),
    ],
)
async def test_bytes_come_with_the_name_of_the_upload(  # the columns of the table above
    simulator: Simulator, caller: Caller, media_type: str, filename: str, content: bytes, content_type: str
) -> None:
    """Images, thumbs and voices come back as they were sent, with their type and name in the headers."""
    media_id = await caller.add(media_type, filename, content)
    reply = await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})
    assert reply.body == content
    assert reply.headers["Content-Type"] == content_type
    assert reply.headers["Content-disposition"] == f'attachment; filename="{filename}"'
    assert simulator.journal[-1].errcode is None


async def test_the_headers_of_2016(simulator: Simulator, caller: Caller) -> None:
    """The old mode says text/plain and gives no name."""
    simulator.options = SimulatorOptions(headers="2016")
    media_id = await caller.add("image", "a.png", PNG)
    reply = await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})
    assert reply.body == PNG
    assert reply.headers["Content-Type"] == "text/plain"
    assert "Content-disposition" not in reply.headers


async def test_a_name_that_is_not_utf8_goes_out_unchanged(simulator: Simulator, caller: Caller) -> None:
    """Bytes of a name survive in lists; in a header, what cannot stand there is replaced."""
    name = "中".encode("gbk") + b"\x01\r.png"
    media_id = await caller.upload("/cgi-bin/material/add_material", "image", name, PNG)
    listed = await caller.post("/cgi-bin/material/batchget_material", {"type": "image", "count": 1})
    assert "中".encode("gbk") + b"\\u0001\\r.png" in listed.body
    reply = await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})
    assert reply.headers["Content-disposition"] == 'attachment; filename="\ufffd\ufffd__.png"'
    assert simulator.materials[media_id].filename.encode("utf-8", "surrogateescape") == name


async def test_a_video_is_a_document_with_a_link(simulator: Simulator, caller: Caller) -> None:
    """A video comes as title, description and a link that serves its bytes for an hour."""
    media_id = await caller.add("video", "v.mp4", MP4)
    reply = await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})
    document = reply.document
    assert list(document) == ["title", "description", "down_url"]
    assert (document["title"], document["description"]) == ("标题", "简介")
    assert "标题".encode() in reply.body
    assert document["down_url"].startswith(simulator.url + "/vweixinp")
    assert b"http:\\/\\/127.0.0.1:" in reply.body
    video = await caller.follow(document["down_url"])
    assert (video.status, video.headers["Content-Type"], video.body) == (200, "video/mp4", MP4)
    simulator.advance(3600)
    assert (await caller.follow(document["down_url"])).status == 403


async def test_a_link_needs_its_key(simulator: Simulator, caller: Caller) -> None:
    """A link with another key or method is refused without a JSON reply; HEAD has no body."""
    media_id = await caller.add("video", "v.mp4", MP4)
    link = (await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})).document["down_url"]
    assert (await caller.follow(re.sub("vkey=.", "vkey=_", link))).status == 403
    assert (await caller.follow(link, "POST")).status == 405
    assert (await caller.follow(link, "HEAD")).body == b""
    assert [entry.errcode for entry in simulator.journal[-3:]] == [None] * 3


async def test_a_link_may_lead_to_a_page(simulator: Simulator, caller: Caller) -> None:
    """In the other flavour the link is an HTML page and not the video."""
    simulator.options = SimulatorOptions(video_link="page")
    media_id = await caller.add("video", "v.mp4", MP4)
    link = (await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})).document["down_url"]
    assert link.startswith(simulator.url + "/mp/mp/video?__biz=")
    assert link.endswith("#rd")
    page = await caller.follow(link.removesuffix("#rd"))
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.body.startswith(b"<!DOCTYPE html>")


async def test_news_come_with_their_articles(simulator: Simulator, caller: Caller) -> None:
    """A news material is a list of articles with the fields of a live reply."""
    media_id = simulator.add_news(Article(title="一", author="A"), Article(title="二", url="http://x/y"))
    document = (await caller.post("/cgi-bin/material/get_material", {"media_id": media_id})).document
    assert list(document) == ["news_item"]
    assert [item["title"] for item in document["news_item"]] == ["一", "二"]
    assert set(document["news_item"][0]) == {
        "title",
        "author",
        "digest",
        "content",
        "content_source_url",
        "thumb_media_id",
        "show_cover_pic",
        "url",
        "thumb_url",
        "need_open_comment",
        "only_fans_can_comment",
    }


@pytest.mark.parametrize("path", ["/cgi-bin/material/get_material", "/cgi-bin/material/del_material"])
async def test_only_permanent_ids_name_a_material(caller: Caller, path: str) -> None:
    """Unknown ids and those of temporary media are invalid, and an id is compulsory."""
    temporary = await caller.upload("/cgi-bin/media/upload", "image", b"a.png", PNG)
    for media_id in ("unknown", temporary):
        document = (await caller.post(path, {"media_id": media_id})).document
        assert document["errcode"] == 40007
        assert re.fullmatch("invalid media_id" + SUFFIX, document["errmsg"])
    document = (await caller.post(path, {"id": "x"})).document
    assert document["errcode"] == 41006
    assert re.fullmatch("media_id missing" + SUFFIX, document["errmsg"])


# del_material, get_materialcount, batchget_material


async def test_a_material_is_deleted_once(simulator: Simulator, caller: Caller) -> None:
    """The first deletion says ok, the second does not know the id."""
    media_id = await caller.add("image", "a.png", PNG)
    reply = await caller.post("/cgi-bin/material/del_material", {"media_id": media_id})
    assert reply.body == b'{"errcode":0,"errmsg":"ok"}'
    assert not simulator.materials
    again = await caller.post("/cgi-bin/material/del_material", {"media_id": media_id})
    assert again.document["errcode"] == 40007


async def test_a_thumb_counts_as_an_image(simulator: Simulator, caller: Caller) -> None:
    """The four counts follow what is in the library; a thumb is an image there."""
    await caller.add("image", "a.png", PNG)
    await caller.add("thumb", "a.jpg", JPEG)
    await caller.add("voice", "a.mp3", MP3)
    await caller.add("video", "a.mp4", MP4)
    simulator.add_article(title="a")
    document = (await caller.get("/cgi-bin/material/get_materialcount")).document
    assert document == {"voice_count": 1, "video_count": 1, "image_count": 2, "news_count": 1}


async def test_lists_are_newest_first(simulator: Simulator, caller: Caller) -> None:
    """A page of images holds images and thumbs with their names and addresses, the newest first."""
    first = await caller.add("image", "%E5%9B%BE.png", PNG)
    simulator.advance(10)
    second = await caller.add("thumb", "b.jpg", JPEG)
    await caller.add("voice", "c.mp3", MP3)
    reply = await caller.post("/cgi-bin/material/batchget_material", {"type": "image", "offset": 0, "count": 20})
    assert list(reply.document) == ["item", "total_count", "item_count"]
    assert reply.document == {
        "item": [
            {
                "media_id": second,
                "name": "b.jpg",
                "update_time": int(START) + 10,
                "url": simulator.materials[second].url,
            },
            {
                "media_id": first,
                "name": "%E5%9B%BE.png",
                "update_time": int(START),
                "url": simulator.materials[first].url,
            },
        ],
        "total_count": 2,
        "item_count": 2,
    }


@pytest.mark.parametrize(("media_type", "filename", "content"), [("voice", "a.mp3", MP3), ("video", "a.mp4", MP4)])
async def test_voices_and_videos_are_listed_without_address(
    caller: Caller, media_type: str, filename: str, content: bytes
) -> None:
    """Items of voices and videos have no url."""
    media_id = await caller.add(media_type, filename, content)
    reply = await caller.post("/cgi-bin/material/batchget_material", {"type": media_type, "offset": 0, "count": 1})
    assert reply.document["item"] == [{"media_id": media_id, "name": filename, "update_time": int(START)}]


async def test_news_are_listed_with_their_content(simulator: Simulator, caller: Caller) -> None:
    """Items of news hold the articles and their times."""
    media_id = simulator.add_article(title="标题", author="A", digest="D", content="<p>", url="http://x")
    reply = await caller.post("/cgi-bin/material/batchget_material", {"type": "news", "offset": 0, "count": 1})
    (item,) = reply.document["item"]
    assert list(item) == ["media_id", "content", "update_time"]
    assert item["media_id"] == media_id
    assert list(item["content"]) == ["news_item", "create_time", "update_time"]
    assert item["content"]["news_item"][0]["title"] == "标题"


def fill(simulator: Simulator, number: int) -> list[str]:
    """Put voices in the library and return their ids, newest first."""
    ids = [f"voice-{index}" for index in range(number)]
    for media_id in ids:
        simulator.materials[media_id] = Material(media_id=media_id, type="voice", update_time=0)
    return ids[::-1]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"offset": 0, "count": 20}, slice(0, 20)),
        ({"count": 3}, slice(0, 3)),
        ({"offset": 20, "count": 20}, slice(20, 25)),
        ({"offset": 25, "count": 20}, slice(25, 25)),
        ({"offset": 99, "count": 1}, slice(99, 99)),
        ({"offset": 1, "count": 21}, slice(1, 21)),
    ],
)
async def test_pages(simulator: Simulator, caller: Caller, asked: dict[str, int], expected: slice) -> None:
    """A page begins at the offset and has at most 20 items; past the end it is empty."""
    ids = fill(simulator, 25)[expected]
    reply = await caller.post("/cgi-bin/material/batchget_material", {"type": "voice", **asked})
    assert [item["media_id"] for item in reply.document["item"]] == ids
    assert reply.document["total_count"] == 25
    assert reply.document["item_count"] == len(ids)


async def test_more_than_twenty_is_a_switch(simulator: Simulator, caller: Caller) -> None:
    """A count above 20 can be refused or obeyed instead of cut."""
    fill(simulator, 25)
    asked = {"type": "voice", "offset": 0, "count": 25}
    simulator.options = SimulatorOptions(count_above_20="refuse")
    assert (await caller.post("/cgi-bin/material/batchget_material", asked)).document["errcode"] == 40097
    simulator.options = SimulatorOptions(count_above_20="obey")
    assert (await caller.post("/cgi-bin/material/batchget_material", asked)).document["item_count"] == 25


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"count": 1}, 40004),
        ({"type": "thumb", "count": 1}, 40004),
        ({"type": ["image"], "count": 1}, 40004),
        ({"type": "image"}, 40097),
        ({"type": "image", "count": 0}, 40097),
        ({"type": "image", "count": "1"}, 40097),
        ({"type": "image", "count": True}, 40097),
        ({"type": "image", "count": 1.0}, 40097),
        ({"type": "image", "count": 1, "offset": -1}, 40097),
    ],
)
async def test_lists_are_asked_for_properly(caller: Caller, asked: dict[str, object], expected: int) -> None:
    """Type, offset and count have to be what the documentation says."""
    assert (await caller.post("/cgi-bin/material/batchget_material", asked)).document["errcode"] == expected


# media/get


async def test_temporary_media_come_with_the_headers_of_the_sample(caller: Caller) -> None:
    """The bytes come with type, a name made of the id, and a closed connection."""
    media_id = await caller.upload("/cgi-bin/media/upload", "image", "原名.jpeg".encode(), JPEG)
    reply = await caller.get("/cgi-bin/media/get", media_id=media_id)
    assert reply.body == JPEG
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert reply.headers["Content-disposition"] == f'attachment; filename="{media_id}.jpg"'
    assert reply.headers["Cache-Control"] == "no-cache, must-revalidate"
    assert reply.headers["Connection"] == "close"


async def test_a_temporary_video_is_a_link(caller: Caller) -> None:
    """A video comes as the address of its bytes."""
    media_id = await caller.upload("/cgi-bin/media/upload", "video", b"v.mp4", MP4)
    reply = await caller.get("/cgi-bin/media/get", media_id=media_id)
    assert list(reply.document) == ["video_url"]
    assert "Content-disposition" not in reply.headers
    assert (await caller.follow(reply.document["video_url"])).body == MP4


async def test_temporary_media_live_for_three_days(simulator: Simulator, caller: Caller) -> None:
    """After 72 hours the id is invalid."""
    media_id = await caller.upload("/cgi-bin/media/upload", "thumb", b"a.jpg", JPEG)
    simulator.advance(3 * 86_400 - 1)
    assert (await caller.get("/cgi-bin/media/get", media_id=media_id)).body == JPEG
    simulator.advance(1)
    assert (await caller.get("/cgi-bin/media/get", media_id=media_id)).document["errcode"] == 40007


async def test_temporary_media_have_ids_of_their_own(caller: Caller) -> None:
    """Permanent and unknown ids are invalid here, and an id is compulsory."""
    permanent = await caller.add("image", "a.png", PNG)
    for media_id in (permanent, "unknown"):
        assert (await caller.get("/cgi-bin/media/get", media_id=media_id)).document["errcode"] == 40007
    assert (await caller.get("/cgi-bin/media/get")).document["errcode"] == 41006


# Cloud files


async def test_cloud_files_are_deleted_one_by_one(simulator: Simulator, caller: Caller) -> None:
    """Each id has an outcome of its own; the call as a whole succeeds."""
    here = simulator.add_cloud_file(ENV, "a/图.png", b"1")
    there = simulator.add_cloud_file("other", "b.png", b"2")
    missing = here + "x"
    assert here == f"cloud://{ENV}.7465-{ENV}-1258717764/a/图.png"
    asked = {"env": ENV, "fileid_list": [here, here, missing, there, "nonsense"]}
    document = (await caller.post("/tcb/batchdeletefile", asked)).document
    absent = {"status": -503003, "errmsg": "STORAGE_FILE_NONEXIST"}
    assert list(document) == ["errcode", "errmsg", "delete_list"]
    assert document["errcode"] == 0
    assert document["delete_list"] == [
        {"fileid": here, "status": 0, "errmsg": "ok"},
        {"fileid": here, **absent},
        {"fileid": missing, **absent},
        {"fileid": there, "status": -503002, "errmsg": "STORAGE_EXCEED_AUTHORITY"},
        {"fileid": "nonsense", **absent},
    ]
    assert simulator.cloud_files == {there: b"2"}


async def test_the_status_of_a_missing_file_is_a_switch(simulator: Simulator, caller: Caller) -> None:
    """The other status seen for a missing file can be had."""
    simulator.options = SimulatorOptions(missing_file_status=1)
    asked = {"env": ENV, "fileid_list": [f"cloud://{ENV}.b/x"]}
    assert (await caller.post("/tcb/batchdeletefile", asked)).document["delete_list"][0]["status"] == 1


async def test_cloud_files_are_served_for_as_long_as_asked(simulator: Simulator, caller: Caller) -> None:
    """A link lives for max_age seconds; a file that is missing has a status and no link."""
    fileid = simulator.add_cloud_file(ENV, "a/图 一.png", PNG)
    asked = {"env": ENV, "file_list": [{"fileid": fileid, "max_age": 60}, {"fileid": fileid + "x", "max_age": 60}]}
    document = (await caller.post("/tcb/batchdownloadfile", asked)).document
    found, missing = document["file_list"]
    assert list(found) == ["fileid", "download_url", "status", "errmsg"]
    assert (found["fileid"], found["status"], found["errmsg"]) == (fileid, 0, "ok")
    assert found["download_url"].startswith(simulator.url + "/tcb.qcloud.la/")
    assert (missing["download_url"], missing["status"]) == ("", -503003)
    simulator.advance(59)
    assert (await caller.follow(found["download_url"])).body == PNG
    simulator.advance(1)
    assert (await caller.follow(found["download_url"])).status == 403


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [
        ("/tcb/batchdeletefile", {"fileid_list": ["x"]}, (40101, "missing parameter")),
        ("/tcb/batchdeletefile", {"env": ENV}, (40101, "missing parameter")),
        ("/tcb/batchdeletefile", {"env": ENV, "fileid_list": []}, (40097, "invalid args")),
        ("/tcb/batchdeletefile", {"env": ENV, "fileid_list": "x"}, (40097, "invalid args")),
        ("/tcb/batchdeletefile", {"env": ENV, "fileid_list": [5]}, (40097, "invalid args")),
        ("/tcb/batchdeletefile", {"env": ENV, "fileid_list": ["x"] * 51}, (-501007, "INVALID_PARAM")),
        ("/tcb/batchdownloadfile", {"file_list": []}, (40101, "missing parameter")),
        ("/tcb/batchdownloadfile", {"env": ENV}, (40101, "missing parameter")),
        ("/tcb/batchdownloadfile", {"env": ENV, "file_list": []}, (40097, "invalid args")),
        ("/tcb/batchdownloadfile", {"env": ENV, "file_list": ["x"]}, (40097, "invalid args")),
        ("/tcb/batchdownloadfile", {"env": ENV, "file_list": [{"max_age": 1}]}, (40101, "missing parameter")),
        ("/tcb/batchdownloadfile", {"env": ENV, "file_list": [{"fileid": "x"}]}, (40097, "invalid args")),
        (
            "/tcb/batchdownloadfile",
            {"env": ENV, "file_list": [{"fileid": "x", "max_age": 0}]},
            (40097, "invalid args"),
        ),
    ],
)
async def test_batches_are_asked_for_properly(
    caller: Caller, path: str, asked: dict[str, object], expected: tuple[int, str]
) -> None:
    """A batch needs an environment and 1 to 50 well-formed files."""
    document = (await caller.post(path, asked)).document
    assert document["errcode"] == expected[0]
    assert document["errmsg"].startswith(f"{expected[1]} rid: ")


async def test_a_refused_batch_deletes_nothing(simulator: Simulator, caller: Caller) -> None:
    """A batch with one malformed id is refused as a whole."""
    fileid = simulator.add_cloud_file(ENV, "a", b"1")
    document = (await caller.post("/tcb/batchdeletefile", {"env": ENV, "fileid_list": [fileid, 5]})).document
    assert document["errcode"] == 40097
    assert fileid in simulator.cloud_files


async def test_fifty_files_are_not_too_many(caller: Caller) -> None:
    """Exactly 50 ids go in one call."""
    asked = {"env": ENV, "fileid_list": [f"cloud://{ENV}.b/{number}" for number in range(50)]}
    assert len((await caller.post("/tcb/batchdeletefile", asked)).document["delete_list"]) == 50
