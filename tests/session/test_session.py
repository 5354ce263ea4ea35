"""The calls of the face, end to end against the simulator."""

import hashlib
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from policies import PATIENT
from raw_server import RawServer, reply
from wxasset import (
    AddedMaterial,
    Integrity,
    Limits,
    MaterialCount,
    MaterialStream,
    MemoryTokenStore,
    News,
    NoToken,
    SavedMaterial,
    StableToken,
    StaticToken,
    Timeouts,
    TokenCache,
    Video,
    WxSession,
)
from wxasset.errors import (
    APIError,
    ConnectError,
    CredentialError,
    InvalidMediaError,
    MediaNotFoundError,
    StreamConsumedError,
    UsageError,
)
from wxasset.simulator import Simulator


async def test_an_image_comes_back_identical(wx: WxSession, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """What is added as an image is saved again byte for byte, with its name, size and hash."""
    added = await wx.add_material("image", samples / "photo.jpg", filename="海报 1.jpg")
    saved = await wx.get_material(added.media_id, to=tmp_path / "out.jpg")

    photo = (samples / "photo.jpg").read_bytes()
    assert isinstance(added, AddedMaterial)
    assert added.url is not None
    assert added.url.startswith("http://mmbiz.qpic.cn/")
    assert saved == SavedMaterial(
        path=tmp_path / "out.jpg",
        filename="海报 1.jpg",
        content_type="image/jpeg",
        size=len(photo),
        sha256=hashlib.sha256(photo).hexdigest(),
        integrity=Integrity.LENGTH,
    )
    assert (tmp_path / "out.jpg").read_bytes() == photo == sim.materials[added.media_id].content


@pytest.mark.parametrize(("kind", "name"), [("voice", "voice.mp3"), ("voice", "voice.amr"), ("thumb", "thumb.jpg")])
async def test_voices_and_thumbs_come_back_identical(
    wx: WxSession, samples: Path, tmp_path: Path, kind: str, name: str
) -> None:
    """Voices have no URL, thumbs have one; both come back byte for byte."""
    added = await wx.add_material("voice" if kind == "voice" else "thumb", samples / name)
    await wx.get_material(added.media_id, to=tmp_path / name)

    assert (added.url is None) is (kind == "voice")
    assert (tmp_path / name).read_bytes() == (samples / name).read_bytes()


async def test_a_video_is_described(wx: WxSession, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """A video keeps its title and introduction, and is answered with an address instead of bytes."""
    added = await wx.add_material("video", samples / "clip.mp4", title='标题 "A"', introduction="简介\n第二行")
    video = await wx.get_material(added.media_id, to=tmp_path / "never.mp4")

    assert isinstance(video, Video)
    assert (video.title, video.description) == ('标题 "A"', "简介\n第二行")
    assert video.down_url.startswith("http://")
    assert sim.materials[added.media_id].content == (samples / "clip.mp4").read_bytes()
    assert list(tmp_path.iterdir()) == []


async def test_articles_are_decoded(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """Articles come as `News`, and leave the destination untouched."""
    media_id = sim.add_article(title="新闻", content="<p>正文</p>", author="作者")
    news = await wx.get_material(media_id, to=tmp_path)

    assert isinstance(news, News)
    assert [(one.title, one.author, one.content) for one in news.articles] == [("新闻", "作者", "<p>正文</p>")]
    assert list(tmp_path.iterdir()) == []


async def test_an_open_material_is_read_once(wx: WxSession, photo: bytes, tmp_path: Path) -> None:
    """`open_material` gives the bytes in one of three ways, once, and only inside its block."""
    media_id = (await wx.add_material("image", photo, filename="photo.jpg")).media_id
    async with wx.open_material(media_id) as stream:
        assert isinstance(stream, MaterialStream)
        assert (stream.size, stream.content_type, stream.filename) == (len(photo), "image/jpeg", "photo.jpg")
        assert await stream.read() == photo
        with pytest.raises(StreamConsumedError, match="read already"):
            await stream.read()
    async with wx.open_material(media_id) as stream:
        assert isinstance(stream, MaterialStream)
        assert b"".join([chunk async for chunk in stream]) == photo
    async with wx.open_material(media_id) as stream:
        assert isinstance(stream, MaterialStream)
        assert (await stream.save(tmp_path)).path == tmp_path / "photo.jpg"
    async with wx.open_material(media_id) as stream:
        pass
    assert isinstance(stream, MaterialStream)
    with pytest.raises(StreamConsumedError):
        aiter(stream)


async def test_open_material_gives_articles_and_videos_as_they_are(
    wx: WxSession, sim: Simulator, samples: Path
) -> None:
    """`open_material` answers `News` and `Video` like `get_material`."""
    video = await wx.add_material("video", samples / "clip.mp4", title="t")
    async with wx.open_material(sim.add_article(title="新闻")) as news, wx.open_material(video.media_id) as film:
        assert isinstance(news, News)
        assert isinstance(film, Video)


async def test_deleting_is_final(wx: WxSession, sim: Simulator, photo: bytes) -> None:
    """A deleted material is gone, and deleting it again says so."""
    added = await wx.add_material("image", photo)
    await wx.del_material(added.media_id)

    assert sim.materials == {}
    with pytest.raises(MediaNotFoundError) as caught:
        await wx.del_material(added.media_id)
    error = caught.value
    assert (error.errcode, error.path, error.retryable) == (40007, "/cgi-bin/material/del_material", False)
    assert error.rid is not None
    assert error.errmsg.startswith("invalid media_id")
    assert error.hint.english in str(error)
    assert error.hint.chinese in str(error)


async def test_counting_and_listing(wx: WxSession, sim: Simulator, samples: Path) -> None:
    """Counts and lists tell what was added, thumbs among the images, the newest first."""
    photo = await wx.add_material("image", samples / "photo.jpg")
    thumb = await wx.add_material("thumb", samples / "thumb.jpg")
    voice = await wx.add_material("voice", samples / "voice.amr")
    sim.add_article(title="新闻")

    assert await wx.count_materials() == MaterialCount(voice=1, video=0, image=2, news=1)
    page = await wx.list_materials("image")
    assert [item.media_id for item in page.items] == [thumb.media_id, photo.media_id]
    assert (page.total, page.items[1].name, page.items[1].url) == (2, "photo.jpg", photo.url)
    voices = await wx.list_materials("voice", offset=0, count=1)
    assert [(item.media_id, item.url) for item in voices.items] == [(voice.media_id, None)]
    (news,) = (await wx.list_materials("news")).items
    assert news.content is not None
    assert news.content.articles[0].title == "新闻"
    assert (await wx.list_materials("image", offset=5)).items == ()


async def test_iterating_visits_everything_while_it_is_deleted(wx: WxSession, sim: Simulator, photo: bytes) -> None:
    """Every material comes once, over several pages, also when each one is deleted as it comes."""
    added = [(await wx.add_material("image", photo)).media_id for _ in range(45)]

    assert [item.media_id async for item in wx.iter_materials("image")] == added[::-1]
    async for item in wx.iter_materials("image"):
        await wx.del_material(item.media_id)
    assert sim.materials == {}


async def test_iterating_shows_nothing_twice_while_others_are_added(wx: WxSession, photo: bytes) -> None:
    """An upload in the middle moves the pages, but no material comes twice and none is left out."""
    added = [(await wx.add_material("image", photo)).media_id for _ in range(25)]
    seen: list[str] = []
    async for item in wx.iter_materials("image"):
        if len(seen) == 10:
            await wx.add_material("image", photo)
        seen.append(item.media_id)
    assert seen == added[::-1]


async def test_an_image_for_articles(wx: WxSession, sim: Simulator, photo: bytes) -> None:
    """`upload_image` returns the URL to write into an article, and adds nothing to the library."""
    url = await wx.upload_image(photo, filename="图.jpg")
    assert sim.article_images[url] == photo
    assert sim.materials == {}


async def test_temporary_media(wx: WxSession, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """Temporary media come back for three days; a thumb's id has another name on the wire; a video is an address."""
    thumb = await wx.upload_media("thumb", samples / "thumb.jpg")
    video = await wx.upload_media("video", samples / "clip.mp4")
    saved = await wx.get_media(thumb.media_id, to=tmp_path / "thumb.jpg")

    assert (thumb.type, thumb.media_id in sim.temporary_media) == ("thumb", True)
    assert thumb.created_at > 0
    assert isinstance(saved, SavedMaterial)
    assert (tmp_path / "thumb.jpg").read_bytes() == (samples / "thumb.jpg").read_bytes()
    assert isinstance(await wx.get_media(video.media_id, to=tmp_path / "no.mp4"), Video)
    sim.advance(3 * 86400 + 1)
    with pytest.raises(MediaNotFoundError):
        await wx.get_media(thumb.media_id, to=tmp_path / "late.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["thumb.jpg"]


async def test_wechat_refuses_what_the_checks_let_through(sim: Simulator, samples: Path) -> None:
    """With the checks off the bytes are sent as they are, and WeChat's own refusal is raised."""
    off = Limits(check_size=False, check_format=False)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, limits=off) as wx:
        with pytest.raises(InvalidMediaError) as caught:
            await wx.add_material("image", samples / "clip.mp4")
        assert caught.value.errcode == 40005
        with pytest.raises(InvalidMediaError) as caught:
            await wx.add_material("thumb", (samples / "photo.jpg").read_bytes() + bytes(70_000))
        assert caught.value.errcode == 45001
        with pytest.raises(InvalidMediaError) as caught:
            await wx.add_material("image", b"no picture", filename="picture")
        assert caught.value.errcode == 40113


async def test_a_wrong_secret_is_a_credential_error(sim: Simulator) -> None:
    """A wrong secret is told as such, names the token endpoint, and shows the secret nowhere."""
    async with WxSession(sim.appid, "wrong-secret-4711", base_url=sim.url) as wx:
        with pytest.raises(CredentialError) as caught:
            await wx.count_materials()
    assert (caught.value.errcode, caught.value.path) == (40125, "/cgi-bin/stable_token")
    assert "4711" not in f"{caught.value!s} {caught.value!r} {caught.value.args!r}"


async def test_a_host_that_does_not_answer_is_a_connect_error() -> None:
    """Where nobody listens nothing was sent, and the error says so without the secret."""
    async with Simulator() as gone:
        url = gone.url
    async with WxSession("wx1", "s3cret", base_url=url, retry=PATIENT) as wx:
        with pytest.raises(ConnectError, match=r"No connection to 127\.0\.0\.1 .*: connection refused\.") as caught:
            await wx.count_materials()
    assert "s3cret" not in str(caught.value)


async def test_a_name_that_does_not_resolve_is_a_connect_error() -> None:
    """A host name without an address is a connect error too."""
    async with WxSession("wx1", "s3cret", base_url="https://nowhere.invalid", retry=PATIENT) as wx:
        with pytest.raises(ConnectError, match=r"nowhere\.invalid"):
            await wx.count_materials()


@pytest.mark.parametrize("fault", ["unknown authority", "other name"])
async def test_a_certificate_that_proves_nothing_is_a_connect_error(fault: str) -> None:
    """Where the certificate is nobody's, or another host's, no request is sent and the error says why."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1" if fault == "unknown authority" else "example.com").configure_cert(tls)
    trusting = ssl.create_default_context()
    if fault == "other name":
        authority.configure_trust(trusting)
    async with (
        RawServer(tls=tls) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as http,
    ):
        for given in (None, http) if fault == "unknown authority" else (http,):
            async with WxSession("wx1", "s", base_url=server.url, http=given, retry=PATIENT) as wx:
                with pytest.raises(ConnectError, match=r"TLS failed: certificate verify failed"):
                    await wx.count_materials()
        assert server.requests == server.token_requests == []


async def test_a_borrowed_client_session_is_not_closed(sim: Simulator) -> None:
    """`http=` is used and left open; once its owner closes it, calls say so."""
    async with aiohttp.ClientSession() as http:
        async with WxSession(sim.appid, sim.secret, base_url=sim.url, http=http) as wx:
            await wx.count_materials()
        assert not http.closed
        other = WxSession(sim.appid, sim.secret, base_url=sim.url, http=http)
        await other.count_materials()
    with pytest.raises(UsageError, match="closed"):
        await other.count_materials()


async def test_a_session_opens_by_itself_and_ends_with_aclose(sim: Simulator) -> None:
    """A session needs no `async with`; after `aclose` it says that it is closed."""
    wx = WxSession(sim.appid, sim.secret, base_url=sim.url)
    await wx.count_materials()
    await wx.aclose()
    with pytest.raises(UsageError, match="closed"):
        await wx.count_materials()


async def test_a_session_from_the_environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """`from_env` reads the three variables."""
    monkeypatch.setenv("WXASSET_APPID", sim.appid)
    monkeypatch.setenv("WXASSET_SECRET", sim.secret)
    monkeypatch.setenv("WXASSET_BASE_URL", sim.url)
    async with WxSession.from_env(timeouts=Timeouts(connect=1)) as wx:
        assert (await wx.count_materials()).image == 0
    monkeypatch.delenv("WXASSET_SECRET")
    with pytest.raises(UsageError, match="secret is missing"):
        WxSession.from_env()


@pytest.mark.parametrize(
    "base_url",
    [
        "api.weixin.qq.com",
        "ftp://api.weixin.qq.com",
        "https://user@host",
        "https://host/?x=1",
        "http://api.weixin.qq.com",
        "http://203.0.113.7:8080",
        "http://134744072",
        "http://0x8080808",
        "http://0X8080808:8080",
        "http://010.8.8.8",
        "http://8.526344",
        "http://127.1",
        "http://１３４７４４０７２",
        "http://[::ffff:8.8.8.8]",
        "http://a;b",
        "https://",
        "http://[",
        "",
    ],
)
def test_an_unusable_base_url_is_refused(base_url: str) -> None:
    """`base_url` is an https host; plain http would send the secret in the clear."""
    with pytest.raises(UsageError, match="base URL"):
        WxSession("wx1", "s3cret", base_url=base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:1",
        "http://[::1]:1",
        "http://10.0.0.7",
        "http://simulator:80/x",
        "http://my_simulator.localhost",
        "http://my_simulator",
        "http://0xsim",
    ],
)
def test_plain_http_is_for_hosts_nearby(base_url: str) -> None:
    """Loopback, private addresses and bare names, such as a container's, may be spoken to in plain http."""
    WxSession("wx1", "s3cret", base_url=base_url)


def test_without_a_token_wechats_own_host_may_be_spoken_to_over_http() -> None:
    """Inside cloud hosting calls carry no token and go over http, which is allowed to WeChat's own host alone."""
    WxSession(tokens=NoToken())
    WxSession(tokens=NoToken(), base_url="http://api.weixin.qq.com")
    with pytest.raises(UsageError, match="in the clear"):
        WxSession(tokens=NoToken(), base_url="http://api.example.com")


async def test_without_a_token_the_query_has_none(server: RawServer) -> None:
    """`NoToken` sends none at all, and asks no token endpoint."""
    server.script = [reply({"voice_count": 0, "video_count": 0, "image_count": 5, "news_count": 0})]
    async with WxSession(tokens=NoToken(), base_url=server.url) as wx:
        assert (await wx.count_materials()).image == 5
    assert server.requests[0].line == "GET /cgi-bin/material/get_materialcount HTTP/1.1"
    assert server.token_requests == []


async def test_a_prefix_of_the_base_url_is_kept(sim: Simulator) -> None:
    """A base URL may have a path, as behind a gateway."""
    async with WxSession(sim.appid, sim.secret, base_url=f"{sim.url}/gateway/") as wx:
        with pytest.raises(APIError) as caught:
            await wx.count_materials()
    assert caught.value.errcode == 40066
    assert sim.journal[0].path == "/gateway/cgi-bin/stable_token"


async def test_bad_arguments_are_refused_before_anything_is_sent(wx: WxSession, sim: Simulator) -> None:
    """Wrong arguments are a `UsageError`, and no request is made."""
    for call in (
        wx.list_materials("thumb"),  # type: ignore[arg-type]  # the point of the test
        wx.list_materials("image", count=21),
        wx.list_materials("image", count=0),
        wx.list_materials("image", offset=-1),
        wx.del_material(""),
        wx.del_material(None),  # type: ignore[arg-type]  # the point of the test
        wx.batch_delete_file("", ["cloud://a"]),
        wx.batch_delete_file("env", "cloud://a"),
        wx.batch_delete_file("env", ["cloud://a", ""]),
        wx.batch_delete_file("env", ["cloud://a"], concurrency=0),
    ):
        with pytest.raises(UsageError):
            await call
    assert sim.journal == []


def test_a_store_belongs_to_the_cache_that_is_given() -> None:
    """A session with a `TokenCache` takes no store besides."""
    with pytest.raises(UsageError, match="store= belongs to the TokenCache"):
        WxSession(tokens=TokenCache(StableToken("wx1", "s")), store=MemoryTokenStore())


def test_missing_credentials_are_named() -> None:
    """A session without credentials says what is missing."""
    with pytest.raises(UsageError, match="appid is missing"):
        WxSession()
    with pytest.raises(UsageError, match="secret is missing"):
        WxSession("wx1", "  ")


@pytest.mark.parametrize("name", ["retry", "timeouts", "limits", "downloads", "uploads"])
async def test_an_option_of_another_kind_is_refused_at_once(sim: Simulator, name: str) -> None:
    """A text or a number in place of a policy is a `UsageError` that names it, before anything is sent."""
    options: Any = {name: "search"}
    with pytest.raises(UsageError, match=f"{name}= is a .*; not str"):
        WxSession(sim.appid, sim.secret, base_url=sim.url, **options)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        with pytest.raises(UsageError, match=f"{name}= is a .*; not str"):
            wx.with_options(**options)
    assert sim.journal == []


async def test_what_is_downloaded_is_a_video(wx: WxSession, tmp_path: Path) -> None:
    """An address in place of the `Video` is a `UsageError`."""
    with pytest.raises(UsageError, match="video= is a Video"):
        await wx.download_video("http://mp.weixin.qq.com/x", tmp_path / "x.mp4")  # type: ignore[arg-type] # the refusal


async def test_a_session_says_what_it_is(sim: Simulator) -> None:
    """Its `repr` has account, host and whether it is open, and no secret; an account may have no name."""
    host = sim.url
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        await wx.count_materials()
        shown = repr(wx)
        assert shown == f"<WxSession appid={sim.appid!r} host={host!r} open>"
    assert repr(wx) == shown.replace("open", "closed")
    unnamed = WxSession(tokens=StaticToken("token-of-its-own"))
    assert repr(unnamed) == "<WxSession appid=None host='https://api.weixin.qq.com' open>"
    await unnamed.aclose()
    with pytest.raises(UsageError, match="base_url") as caught:
        WxSession(sim.appid, sim.secret, base_url="https://:hidden@api.weixin.qq.com")
    assert "hidden" not in str(caught.value)
