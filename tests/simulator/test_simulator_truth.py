"""Requests and responses of official pages and live captures, and the switches of chosen ones (wire reference 8)."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from self_signed import self_signed
from simulated import ADD, COUNT, GET, MP4, PNG, START, UPLOAD, Answer, call, still_simulator, token_of, upload
from wxasset.simulator import SimulatedAccount, Simulator, SimulatorOptions
from wxasset.simulator.options import CHOSEN_ERRCODES

sim = still_simulator

MEDIA_GET = "/cgi-bin/media/get"
JSSDK = "/cgi-bin/media/get/jssdk"
IMAGE = "/cgi-bin/media/uploadimg"
VIDEO = "/cgi-bin/media/uploadvideo"
DELETE_FILES = "/tcb/batchdeletefile"
GIF = b"GIF89a\x01\x00"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
RID = r"rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"
SEED_FILE = "cloud://test2-4a89da.7465-test2-4a89da/A.png"


async def token_of_account(sim: Simulator, account: SimulatedAccount) -> str:
    """Return a token of another account."""
    asked = {"grant_type": "client_credential", "appid": account.appid, "secret": account.secret}
    return str((await call(sim, "/cgi-bin/stable_token", asked)).document["access_token"])


def options(**switches: Any) -> SimulatorOptions:
    """Return options with these switches."""
    return SimulatorOptions(**switches)


async def cloud(sim: Simulator, path: str = DELETE_FILES, env: str = "test2-4a89da") -> Answer:
    """Make the cloud call of the official sample, or a sister call."""
    asked = {"fileid_list": [SEED_FILE], "path": "a", "file_list": [{"fileid": SEED_FILE, "max_age": 60}]}
    return await call(sim, path, {"env": env, **asked}, access_token=await token_of(sim))


# The official samples


async def test_curl_without_a_label_gets_a_material(sim: Simulator) -> None:
    """`curl -d '{"media_id":...}'` of the official page has the label of a form."""
    media_id = sim.add_article(title="TITLE")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    token = await token_of(sim)
    reply = await call(sim, GET, {"media_id": media_id}, headers=headers, access_token=token)
    assert reply.document["news_item"][0]["title"] == "TITLE"


async def test_a_video_has_the_url_of_the_sample_by_a_switch(sim: Simulator) -> None:
    """The sample of addMaterial has `"url": ""` for a video, live responses have no url."""
    assert list((await upload(sim, ADD, "video", "v.mp4", MP4)).document) == ["media_id"]
    sim.options = options(empty_video_url=True)
    assert (await upload(sim, ADD, "video", "v.mp4", MP4)).document["url"] == ""
    assert (await upload(sim, ADD, "image", "v.png", PNG)).document["url"]


async def test_deleted_files_have_the_key_of_the_sample_by_a_switch(sim: Simulator) -> None:
    """The sample of deleteTcbCloudFile names a file `files`, live responses `fileid`."""
    sim.cloud_files[SEED_FILE] = b"x"
    sim.options = options(deleted_file_key="files")
    entry = {"files": SEED_FILE, "status": 0, "errmsg": "ok"}
    assert (await cloud(sim)).document == {"errcode": 0, "errmsg": "ok", "delete_list": [entry]}
    sim.options = options()
    assert "fileid" in (await cloud(sim)).document["delete_list"][0]


@pytest.mark.parametrize(("path", "media_type"), [(UPLOAD, "image"), (UPLOAD, "thumb"), (IMAGE, "image")])
async def test_uploads_have_the_errcode_of_the_sample_by_a_switch(sim: Simulator, path: str, media_type: str) -> None:
    """The samples of media/upload and uploadimg begin with errcode 0, live responses have none."""
    assert "errcode" not in (await upload(sim, path, media_type, "a.jpg", JPEG)).document
    sim.options = options(errcode_in_uploads=True)
    assert list((await upload(sim, path, media_type, "a.jpg", JPEG)).document)[:2] == ["errcode", "errmsg"]


@pytest.mark.parametrize("path", [MEDIA_GET, JSSDK])
async def test_head_of_a_download_has_its_headers_alone(sim: Simulator, path: str) -> None:
    """The official sample of media/get is `curl -I -G`, a HEAD request."""
    content = b"x" * 300_000
    media_id = sim.add_jssdk_voice(content)
    if path == MEDIA_GET:
        content = PNG
        media_id = (await upload(sim, UPLOAD, "image", "a.png", PNG)).document["media_id"]
    token = await token_of(sim)
    reply = await call(sim, path, method="HEAD", access_token=token, media_id=media_id)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Length"] == str(len(content))
    assert reply.headers["Content-disposition"].startswith(f'attachment; filename="{media_id}.')
    assert (await call(sim, path, method="HEAD", access_token="", media_id=media_id)).status == 200
    assert (await call(sim, COUNT, method="HEAD", access_token=token)).body == b""
    assert [entry.errcode for entry in sim.journal[-2:]] == [41001, 43001]


# Retired and old endpoints


@pytest.mark.parametrize("path", ["material/add_news", "material/update_news", "media/uploadnews"])
async def test_news_of_the_library_are_retired(sim: Simulator, path: str) -> None:
    """Since articles are drafts the old calls get 45106, with a token only; 45103 was seen before (8.3)."""
    token = await token_of(sim)
    document = {"articles": [{"title": "t"}]}
    reply = await call(sim, "/cgi-bin/" + path, document, access_token=token)
    assert reply.errcode == 45106
    assert re.fullmatch(f"This API has been unsupported {RID}", reply.document["errmsg"])
    assert (await call(sim, "/cgi-bin/" + path, document)).errcode == 41001
    sim.options = options(retired_errcode=45103)
    assert (await call(sim, "/cgi-bin/" + path, document, access_token=token)).errcode == 45103


async def test_a_temporary_video_gets_an_id_for_mass_messages(sim: Simulator) -> None:
    """media/uploadvideo takes the id of a temporary video; a permanent one gets 40007, as observed."""
    media_id = (await upload(sim, UPLOAD, "video", "v.mp4", MP4)).document["media_id"]
    token = await token_of(sim)
    asked = {"media_id": media_id, "title": "TITLE", "description": "Description"}
    document = (await call(sim, VIDEO, asked, access_token=token)).document
    assert document == {"type": "video", "media_id": document["media_id"], "created_at": int(START)}
    assert sim.temporary_media[document["media_id"]].content == MP4
    assert document["media_id"] != media_id
    permanent = (await upload(sim, ADD, "video", "v.mp4", MP4)).document["media_id"]
    picture = (await upload(sim, UPLOAD, "image", "a.png", PNG)).document["media_id"]
    for wrong in (permanent, picture, "x"):
        assert (await call(sim, VIDEO, {**asked, "media_id": wrong}, access_token=token)).errcode == 40007
    assert (await call(sim, VIDEO, {"title": "t"}, access_token=token)).errcode == 41006


# WeChat's own messages


MESSAGES = [
    (-1, "system error"),
    (-1000, "system error"),
    (-501002, "SERVER_TIMEOUT"),
    (-501005, "INVALID_ENV"),
    (-503004, "STORAGE_SIGN_PARAM_INVALID"),
    (85088, "no qbase privilege"),
    (43003, "require https"),
    (45035, "access clientip is not registered, not in ip-white-list"),
    (61004, r"access clientip is not registered requestIP: 127\.0\.0\.1"),
    (45034, "media file count is out of limit"),
    (45166, r"invalid content hint: \[\w+\]"),
    (45110, r"author size out of limit hint: \[\w+\]"),
    (53600, "Article ID 无效"),
    (53014, "公众号：公众号已有{名称  A.}时，.*"),
    (1234567, "simulated error"),
]


async def test_injected_codes_have_wechats_messages(sim: Simulator) -> None:
    """An injected code has the message of the service's own table of 1,900 codes, and a request id that is known."""
    token = await token_of(sim)
    for errcode, message in MESSAGES:
        sim.fail("get_materialcount", f"errcode:{errcode}")
        document = (await call(sim, COUNT, access_token=token)).document
        assert document["errcode"] == errcode
        assert re.fullmatch(f"{message} {RID}", document["errmsg"])
        rid = document["errmsg"].rpartition(" ")[2]
        assert (await call(sim, "/cgi-bin/openapi/rid/get", {"rid": rid}, access_token=token)).errcode == 0


# Errors of the cloud


CLOUDS: list[tuple[dict[str, Any], str, int]] = [
    ({"cloud_open": False}, "test2-4a89da", 85088),
    ({"cloud_envs": frozenset({"test2-4a89da"})}, "other", -501005),
    ({"cloud_envs": frozenset({"test2-4a89da"})}, "test2-4a89da", 0),
    ({"cloud_failure": -1000}, "test2-4a89da", -1000),
    ({"cloud_failure": -501002}, "test2-4a89da", -501002),
    ({"cloud_failure": -501003}, "test2-4a89da", -501003),
    ({"cloud_envs": frozenset(), "chosen_errcodes": {"unknown_env": 85088}}, "any", 85088),
]


@pytest.mark.parametrize("path", [DELETE_FILES, "/tcb/uploadfile", "/tcb/batchdownloadfile"])
async def test_the_cloud_has_a_state(sim: Simulator, path: str) -> None:
    """A cloud that is off or out of order, and an environment that does not exist, have codes of their own."""
    for switches, env, errcode in CLOUDS:
        sim.options = options(**switches)
        assert (await cloud(sim, path, env)).errcode == errcode


# Plain HTTP


async def test_plain_http_is_refused_where_https_is_required() -> None:
    """With the switch plain HTTP gets 43003 before anything else; TLS is served, and so is cloud hosting."""
    required = options(require_https=True)
    async with Simulator(options=required) as plain:
        reply = await call(plain, "/cgi-bin/token", grant_type="client_credential")
        assert re.fullmatch(f"require https {RID}", reply.document["errmsg"])
        assert (await call(plain, "/cgi-bin/nothing", access_token="x")).errcode == 43003
        plain.options = options(require_https=True, cloud_hosting=frozenset({COUNT}))
        assert "image_count" in (await call(plain, COUNT)).document
        pushed = plain.push_cloudbase_token()
        assert "image_count" in (await call(plain, COUNT, cloudbase_access_token=pushed)).document
    async with Simulator(options=required, tls=self_signed()) as secure:
        trusting, url = aiohttp.TCPConnector(ssl=False), secure.url + "/cgi-bin/token"
        async with aiohttp.ClientSession(connector=trusting) as session, session.get(url) as answered:
            assert json.loads(await answered.read())["errcode"] == 40002


# Other switches of chosen behaviour


async def send(sim: Simulator, path: str, name: str, content: bytes) -> Answer:
    """Upload an image."""
    return await upload(sim, path, "image", name, content)


async def test_an_empty_file_has_either_code(sim: Simulator) -> None:
    """44001 is documented, 41005 was measured once."""
    assert (await send(sim, ADD, "a.png", b"")).errcode == 44001
    sim.options = options(chosen_errcodes={"empty_file": 41005})
    assert (await send(sim, ADD, "a.png", b"")).errcode == 41005


async def test_gif_in_articles_is_a_switch(sim: Simulator) -> None:
    """The page names JPEG and PNG, a support answer GIF too."""
    assert (await send(sim, IMAGE, "a.gif", GIF)).errcode == 40005
    sim.options = options(gif_article_images=True)
    assert "sz_mmbiz_gif" in (await send(sim, IMAGE, "a.gif", GIF)).document["url"]


async def test_the_size_of_temporary_images_is_a_switch(sim: Simulator) -> None:
    """The page of media/upload names 10M and 2M."""
    large = PNG.ljust(2 * 1024 * 1024 + 1, b"x")
    assert (await send(sim, UPLOAD, "a.png", large)).errcode == 0
    sim.options = options(temporary_image_megabytes=2)
    assert (await send(sim, UPLOAD, "a.png", large)).errcode == 40006


async def test_chunked_json_is_a_switch(sim: Simulator) -> None:
    """Forms in chunks are known to get 412; of JSON nothing is known."""
    token = await token_of(sim)

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        yield body

    async def post(kind: str, body: bytes) -> int:
        async with aiohttp.ClientSession() as session:
            headers = {"Content-Type": kind}
            url = URL(sim.url + GET).with_query(access_token=token)
            async with session.post(url, data=pieces(body), headers=headers) as reply:
                return reply.status

    assert await post("application/json", b'{"media_id":"x"}') == 412
    sim.options = options(refuse_chunked_json=False)
    assert await post("application/json", b'{"media_id":"x"}') == 200
    assert await post("multipart/form-data; boundary=b", b"--b--\r\n") == 412


async def test_rejected_calls_count_by_a_switch(sim: Simulator) -> None:
    """A call rejected for its quota is not counted, unless the switch says so."""
    token = await token_of(sim)
    for counts, used in ((False, 1), (True, 3)):
        sim.options = options(daily_limits={COUNT: 1}, rejected_calls_count=counts)
        codes = [(await call(sim, COUNT, access_token=token)).errcode for _ in range(2)]
        assert codes[-1] == 45009
        asked = await call(sim, "/cgi-bin/openapi/quota/get", {"cgi_path": COUNT}, access_token=token)
        assert asked.document["quota"]["used"] == used


async def test_the_token_of_an_upload_may_be_a_field(sim: Simulator) -> None:
    """weixin-popular sends token and type as fields of the form; both name the account and the type."""
    other = sim.add_account()
    token = await token_of_account(sim, other)
    fields = {"access_token": token, "type": "image"}
    parts = [f'name="{name}"\r\nContent-Type: text/plain\r\n\r\n{value}' for name, value in fields.items()]
    texts = b"".join(b"--b\r\nContent-Disposition: form-data; " + part.encode() + b"\r\n" for part in parts)
    head = b'--b\r\nContent-Disposition: form-data; name="media"; filename="a.png"\r\n\r\n'
    body, headers = texts + head + PNG + b"\r\n--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await call(sim, ADD, body=body, headers=headers)).errcode == 0
    assert (len(sim.materials), len(other.materials)) == (0, 1)
    assert token not in repr(sim.journal)
    sim.options = options(token_in_form=False)
    assert (await call(sim, ADD, body=body, headers=headers)).errcode == 41001


async def test_the_order_of_lists_is_a_switch(sim: Simulator) -> None:
    """No page states an order."""
    ids = [(await send(sim, ADD, "a.png", PNG)).document["media_id"] for _ in range(3)]
    token = await token_of(sim)
    for order, expected in (("newest", ids[::-1]), ("oldest", ids)):
        sim.options = options(list_order=order)
        asked = {"type": "image", "offset": 0, "count": 2}
        reply = await call(sim, "/cgi-bin/material/batchget_material", asked, access_token=token)
        assert [one["media_id"] for one in reply.document["item"]] == expected[:2]


async def test_a_throttled_refresh_may_be_an_error(sim: Simulator) -> None:
    """The unchanged token is returned by default; what the service does is unknown."""
    asked = {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret, "force_refresh": True}
    first = (await call(sim, "/cgi-bin/stable_token", asked)).document
    assert (await call(sim, "/cgi-bin/stable_token", asked)).document["access_token"] == first["access_token"]
    sim.options = options(throttled_refresh_errcode=45011)
    assert (await call(sim, "/cgi-bin/stable_token", asked)).errcode == 45011


async def test_parts_of_videos_are_a_switch(sim: Simulator) -> None:
    """Links of videos serve parts, which nobody has seen at WeChat."""
    media_id = (await upload(sim, ADD, "video", "v.mp4", MP4)).document["media_id"]
    asked = await call(sim, GET, {"media_id": media_id}, access_token=await token_of(sim))
    link, part = asked.document["down_url"], {"Range": "bytes=0-3"}
    assert (await call(sim, link, headers=part)).status == 206
    sim.options = options(video_ranges=False)
    assert (await call(sim, link, headers=part)).body == MP4


def test_chosen_codes_are_named_by_their_cause() -> None:
    """Each chosen error code can be replaced by another one, and by no zero."""
    assert SimulatorOptions(chosen_errcodes={"full_library": 45034}).errcode("full_library") == 45034
    assert SimulatorOptions().errcode("full_library") == CHOSEN_ERRCODES["full_library"]
    with pytest.raises(ValueError, match="unheard"):
        SimulatorOptions(chosen_errcodes={"unheard": 1})
    with pytest.raises(ValueError, match="other than 0"):
        SimulatorOptions(chosen_errcodes={"full_library": 0})


async def test_every_chosen_code_can_be_replaced(sim: Simulator) -> None:
    """A request for each cause in the table meets the code that replaces the chosen one."""
    token = await token_of(sim)
    voice = sim.add_jssdk_voice(b"x")
    other = (await send(sim, UPLOAD, "a.png", PNG)).document["media_id"]
    cover = (await send(sim, ADD, "a.png", PNG)).document["media_id"]
    good: dict[str, Any] = {"title": "t", "content": "c", "thumb_media_id": cover}
    many = {"article_type": "newspic", "image_info": {"image_list": [{"image_media_id": cover}] * 21}}
    added = {"articles": [good]}
    media_id = (await call(sim, "/cgi-bin/draft/add", added, access_token=token)).document["media_id"]
    second = (await call(sim, "/cgi-bin/draft/add", added, access_token=token)).document["media_id"]
    sim.options = options(publishing_seconds=0)
    await call(sim, "/cgi-bin/freepublish/submit", {"media_id": second}, access_token=token)
    (job,) = sim.publications.values()
    env, secret = {"env": "e"}, {"appid": sim.appid, "appsecret": "x"}
    cleared = {"cgi_path": COUNT}
    for _ in range(50):
        await call(sim, "/cgi-bin/openapi/quota/clear", cleared, access_token=token)
    requests: dict[str, tuple[dict[str, Any], str, Any, dict[str, str]]] = {
        "unknown_deletion": ({}, "/cgi-bin/material/del_material", {"media_id": "x"}, {}),
        "page_size": ({}, "/cgi-bin/material/batchget_material", {"type": "image", "offset": 0, "count": 0}, {}),
        "speex_by_get": ({}, MEDIA_GET, None, {"media_id": voice}),
        "other_by_jssdk": ({}, JSSDK, None, {"media_id": other}),
        "cloud_path": ({}, "/tcb/uploadfile", {**env, "path": "/a"}, {}),
        "too_many_cloud_files": ({}, DELETE_FILES, {**env, "fileid_list": ["a"] * 51}, {}),
        "unknown_env": ({"cloud_envs": frozenset()}, DELETE_FILES, {**env, "fileid_list": ["a"]}, {}),
        "clear_quota_secret": ({}, "/cgi-bin/clear_quota/v2", secret, {}),
        "cleared_too_often": ({}, "/cgi-bin/openapi/quota/clear", cleared, {}),
        "token_name": ({}, COUNT, None, {"access_token": "", "cloudbase_access_token": token}),
        "from_appid": ({"cloud_hosting": frozenset({COUNT})}, COUNT, None, {"access_token": "", "from_appid": "x"}),
        "draft_title": ({}, "/cgi-bin/draft/add", {"articles": [{**good, "title": ""}]}, {}),
        "draft_content": ({}, "/cgi-bin/draft/add", {"articles": [{**good, "content": ""}]}, {}),
        "draft_type": ({}, "/cgi-bin/draft/add", {"articles": [{**good, "article_type": "x"}]}, {}),
        "draft_images": ({}, "/cgi-bin/draft/add", {"articles": [{**good, **many}]}, {}),
        "draft_index": ({}, "/cgi-bin/draft/update", {"media_id": media_id, "index": 1, "articles": good}, {}),
        "article_index": ({}, "/cgi-bin/freepublish/delete", {"article_id": job.article_id, "index": 2}, {}),
    }
    for cause, (switches, path, document, query) in requests.items():
        sim.options = options(chosen_errcodes={cause: 12345}, **switches)
        assert (await call(sim, path, document, query={"access_token": token, **query})).errcode == 12345, cause
    uploads: dict[str, tuple[dict[str, Any], str, bytes]] = {
        "empty_file": ({}, "image", b""),
        "missing_type": ({}, "", PNG),
        "file_conflict": ({}, "image", MP4),
        "full_library": ({"image_and_news_cap": 0}, "image", PNG),
    }
    for cause, (switches, media_type, content) in uploads.items():
        sim.options = options(chosen_errcodes={cause: 12345}, **switches)
        assert (await upload(sim, ADD, media_type, "a.png", content)).errcode == 12345, cause
    assert {*requests, *uploads} == set(CHOSEN_ERRCODES)
