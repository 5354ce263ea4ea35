"""Peers that mean harm: what they give is judged, bounded and never followed into the network of its reader."""

import asyncio
import gzip
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from lookups import resolve_all_to
from policies import PATIENT
from raw_server import Connection, Handler, RawRequest, RawServer, reply
from unsafe_links import UNSAFE, Sockets
from wxasset import DownloadPolicy, Limits, RetryPolicy, SavedMaterial, StaticToken, Video, WxSession
from wxasset.errors import (
    DecodeError,
    HTTPStatusError,
    MediaNotFoundError,
    NotAFileError,
    ReplyTooLarge,
    TransferError,
    UnsafeURLError,
    WxAssetError,
)
from wxasset.simulator import Simulator, SimulatorOptions
from wxasset.wire import url_policy
from wxasset.wire.url_policy import check_link, check_redirect, may_connect

STRICT = DownloadPolicy()
OPEN = DownloadPolicy(allow_private_hosts=True)
ONCE = RetryPolicy(attempts=1)
SECRET = "vkey0123456789abcdef"

# Those that can stand in a header, and are not the server of the test itself.
REDIRECTS = {
    name: link
    for name, link in UNSAFE.items()
    if link and link.isascii() and link.isprintable() and "127.0.0.1/film" not in link and not link.startswith("//")
}
SAFE = (
    "https://cdn.example.com/film.mp4",
    "http://mp.weixin.qq.com/mp/mp/video?__biz=M",
    "http://203.205.158.71/vweixinp.tc.qq.com/1007_x.f10.mp4?vkey=x",
    "https://7465-test2-4a89da-1258717764.tcb.qcloud.la/A.png?sign=x",
    "http://mmbiz.qpic.cn:80/x",
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/film.mp4",
    "https://[64:ff9b::cbcd:9e47]/film.mp4",
    "https://mp.weixin.qq.com./film.mp4",
)


@pytest.mark.parametrize("link", UNSAFE.values(), ids=UNSAFE)
async def test_an_unsafe_address_is_not_connected_to(sockets: Sockets, tmp_path: Path, link: str) -> None:
    """A server-given address in another network than the public one is refused: no connection, no file."""
    async with WxSession("wx1", "s") as wx:
        with pytest.raises(UnsafeURLError) as caught:
            await wx.download_video(Video(down_url=f"{link}?vkey={SECRET}" if link else ""), tmp_path / "film.mp4")
    assert sockets.connects == []
    assert SECRET not in str(caught.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("link", SAFE)
def test_addresses_as_wechat_gives_them_are_fine(link: str) -> None:
    """Public hosts over https, WeChat's media hosts over http."""
    assert str(check_link(link, STRICT, "down_url").host)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "::ffff:0:7f00:1",
        "169.254.169.254",
        "192.0.0.192",
        "fec0::1",
        "5f00::1",
        "no address",
    ],
)
async def test_a_name_that_leads_inside_gains_nothing(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A public name is judged by the address that it has when it is connected to, also if it had another before."""
    asked = resolve_all_to(monkeypatch, address)
    async with WxSession("wx1", "s", retry=PATIENT) as wx:
        with pytest.raises(UnsafeURLError, match=r"mpvideo\.qpic\.cn is not a public address"):
            await wx.download_video(Video(down_url="https://mpvideo.qpic.cn/film.mp4"), "film.mp4")
    assert asked == ["mpvideo.qpic.cn"]
    assert sockets.connects == []


@pytest.fixture
def public(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The raw server as if it were public; give the address of a film there."""
    port = URL(server.url).port
    real = url_policy._is_public
    monkeypatch.setattr(url_policy, "_is_public", lambda address: str(address) == "127.0.0.1" or real(address))
    monkeypatch.setattr(url_policy, "_PORTS", {"http": port, "https": 443})
    return f"{server.url}/mpvideo.qpic.cn/film.mp4?vkey={SECRET}"


@pytest.mark.parametrize("link", REDIRECTS.values(), ids=REDIRECTS)
async def test_a_redirect_is_judged_again(
    server: RawServer, sockets: Sockets, public: str, tmp_path: Path, link: str
) -> None:
    """Where a redirect leads is judged like the first address: the only connection is that to the first."""
    server.script = [b"HTTP/1.1 302 Found\r\nLocation: " + link.encode() + b"\r\nContent-Length: 0\r\n\r\n"]
    async with WxSession("wx1", "s", retry=PATIENT) as wx:
        with pytest.raises(UnsafeURLError):
            await wx.download_video(Video(down_url=public), tmp_path / "film.mp4")
    assert len(sockets.connects) == 1
    assert not any(tmp_path.iterdir())


async def test_redirects_are_followed_three_times(server: RawServer, public: str, photo: bytes, tmp_path: Path) -> None:
    """Three redirects are followed, also relative ones; a fourth is an error."""
    on = b"HTTP/1.1 302 Found\r\nLocation: next.mp4?vkey=2\r\nContent-Length: 0\r\n\r\n"
    server.script = [on, on, on, reply(photo, "video/mp4")]
    async with WxSession("wx1", "s", retry=PATIENT) as wx:
        saved = await wx.download_video(Video(down_url=public), tmp_path / "film.mp4")
        assert saved.size == len(photo)
        server.script = [on]
        server.requests.clear()
        with pytest.raises(HTTPStatusError, match="status 302"):
            await wx.download_video(Video(down_url=public), tmp_path / "film2.mp4")
        assert len(server.requests) == 4
    paths = {one.path for one in server.requests}
    assert paths == {"/mpvideo.qpic.cn/film.mp4", "/mpvideo.qpic.cn/next.mp4"}


def test_no_redirect_leads_from_https_to_http() -> None:
    """What was private on the way stays so; the other direction is fine."""
    with pytest.raises(UnsafeURLError, match="from https to plain http"):
        check_redirect(URL("https://mp.weixin.qq.com/a"), "http://mp.weixin.qq.com/a", STRICT, "down_url")
    assert check_redirect(URL("http://mp.weixin.qq.com/a"), "https://mp.weixin.qq.com/a", STRICT, "p").scheme == "https"


@pytest.mark.parametrize("location", [None, "", "http://[::1"])
def test_a_redirect_without_an_address(location: str | None) -> None:
    """A redirect that leads nowhere is refused."""
    with pytest.raises(UnsafeURLError):
        check_redirect(URL("https://mp.weixin.qq.com/a"), location, STRICT, "down_url")


async def test_nothing_of_the_api_goes_to_a_link(server: RawServer, public: str, tmp_path: Path, photo: bytes) -> None:
    """A server-given address gets no token, no cookie, no referrer; it is asked for the bytes as they are."""
    server.script = [reply(photo, "video/mp4")]
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT) as wx:
        await wx.download_video(Video(down_url=public), tmp_path / "film.mp4")
    head = server.requests[0].head
    assert server.token_requests == []
    assert b"access_token" not in head
    assert server.requests[0].header("Accept-Encoding") == "identity"
    assert {server.requests[0].header(name) for name in ("Cookie", "Referer", "Authorization")} == {None}


def test_hosts_may_be_added() -> None:
    """`hosts` says which may be spoken to over plain http."""
    policy = DownloadPolicy(hosts=("media.example.com", "*.Example.org"))
    for link in ("http://media.example.com/x", "http://a.example.org/x"):
        check_link(link, policy, "p")
    for link in ("http://x.media.example.com/x", "http://example.org/x", "http://mp.weixin.qq.com/x"):
        with pytest.raises(UnsafeURLError):
            check_link(link, policy, "p")


def test_private_hosts_can_be_allowed_for_tests() -> None:
    """With `allow_private_hosts` a simulator's links may be followed; schemes and user names are still refused."""
    check_link("http://127.0.0.1:8000/x", OPEN, "p")
    assert may_connect("127.0.0.1", OPEN, "x.example")
    for link in ("file:///etc/passwd", "http://user@127.0.0.1/x"):
        with pytest.raises(UnsafeURLError):
            check_link(link, OPEN, "p")


@pytest.mark.parametrize("host", ["mpvideo.qpic.cn", "cdn.example.com"])
def test_the_tables_of_addresses_are_the_same_everywhere(host: str) -> None:
    """What Python's versions disagree about is refused, and what is public is connected to."""
    refused = """
        0.0.0.0 10.255.255.255 100.127.255.255 127.0.0.1 169.254.0.23 172.31.255.255 192.0.0.0 192.0.0.9 192.0.0.10
        192.0.0.170 192.0.0.192 192.0.2.1 192.88.99.2 192.168.255.255 198.51.100.1 203.0.113.255 224.0.0.1
        239.255.255.255 240.0.0.0 255.255.255.255 168.63.129.16
        :: ::1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:0:808:808 ::ffff:192.0.0.192 64:ff9b::7f00:1 64:ff9b::c000:c0
        64:ff9b:1::1 100::1 100:0:0:1::1 1fff::1 2001::1 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:20::1
        2001:30::1 2001:db8::1 2002:808:808::1 3fff::1 4000::1 5f00::1 fc00::1 fe80::1 fec0::1 feff::1 ff02::1 ff0e::1
    """
    public = """
        1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 172.15.0.1 172.32.0.1 192.0.1.0 192.169.0.1
        198.17.255.255 198.20.0.0 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::808:808 2001:200::1 2400:3200::1 2606:4700::1
        3ffe::1
    """
    assert [one for one in refused.split() if may_connect(one, STRICT, host)] == []
    assert [one for one in public.split() if not may_connect(one, STRICT, host)] == []
    for one in ("198.18.0.1", "198.19.255.255"):
        assert may_connect(one, STRICT, host) is (host == "mpvideo.qpic.cn")


async def test_a_base_url_on_loopback_stands_for_its_host_and_port_alone(
    server: RawServer, sockets: Sockets, tmp_path: Path, film: bytes
) -> None:
    """Links to a simulator on this machine are followed; those to other ports or private hosts are not."""
    port = URL(server.url).port
    others = ("http://127.0.0.1:1", "https://127.0.0.1", f"http://127.0.0.2:{port}", f"http://10.0.0.1:{port}")
    near = f"http://localhost:{port}"
    async with WxSession("wx1", "s", base_url=near, retry=PATIENT) as wx:
        for place in (server.url, near):
            server.script = [reply(film, "video/mp4")]
            assert (await wx.download_video(Video(down_url=f"{place}/film.mp4"), tmp_path / "film.mp4")).size
        sockets.connects.clear()
        for other in others:
            with pytest.raises(UnsafeURLError):
                await wx.download_video(Video(down_url=f"{other}/film.mp4"), tmp_path / "other.mp4")
        assert sockets.connects == []
        for other in others:
            server.script = [f"HTTP/1.1 302 Found\r\nLocation: {other}/\r\nContent-Length: 0\r\n\r\n".encode()]
            with pytest.raises(UnsafeURLError):
                await wx.download_video(Video(down_url=f"{server.url}/film.mp4"), tmp_path / "other.mp4")


# Films


@pytest.fixture
async def film(samples: Path) -> bytes:
    """A real MP4."""
    return next(samples.glob("*.mp4")).read_bytes()


async def _video(wx: WxSession, film: bytes) -> Video:
    added = await wx.add_material("video", film, filename="a.mp4", title="标题/../x")
    video = await wx.get_material(added.media_id, to="unused")
    assert isinstance(video, Video)
    return video


async def test_a_film_is_saved(sim: Simulator, wx: WxSession, film: bytes, tmp_path: Path) -> None:
    """A video is described first; its film is fetched from the address that came with it, under its title made safe."""
    open_wx = wx.with_options(downloads=OPEN)
    saved = await open_wx.download_video(await _video(wx, film), tmp_path)
    assert isinstance(saved, SavedMaterial)
    assert saved.path is not None
    assert saved.path.parent == tmp_path
    assert saved.path.read_bytes() == film
    assert saved.path.name == "x.mp4"
    assert sim.journal[-1].token is None


async def test_a_page_is_no_film(sim: Simulator, wx: WxSession, film: bytes, tmp_path: Path) -> None:
    """Some accounts are given the address of a page: nothing is saved, and the error says what it is."""
    sim.options = SimulatorOptions(video_link="page")
    with pytest.raises(NotAFileError, match="leads to a page"):
        await wx.with_options(downloads=OPEN).download_video(await _video(wx, film), tmp_path / "film.mp4")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "page",
    [
        b"<html>",
        b"\xef\xbb\xbf\n <!DOCTYPE html>",
        b"<?xml version='1.0'?>",
        b'{"ret":1}',
        b'{"errcode":0,"errmsg":"ok"}',
        b"no healthy upstream",
        "请求过于频繁".encode("gbk"),
        b"",
    ],
)
async def test_a_page_is_known_by_its_bytes(server: RawServer, tmp_path: Path, page: bytes) -> None:
    """It may be called a film by its Content-Type."""
    server.script = [reply(page, "video/mp4")]
    async with WxSession("wx1", "s", downloads=OPEN) as wx:
        with pytest.raises((NotAFileError, DecodeError)):
            await wx.download_video(Video(down_url=server.url), tmp_path / "film.mp4")
        server.script = [reply(b'{"errcode":40007,"errmsg":"inv', "video/mp4")]
        with pytest.raises(MediaNotFoundError):
            await wx.download_video(Video(down_url=server.url), tmp_path / "film.mp4")
    assert not any(tmp_path.iterdir())


async def test_an_address_that_has_run_out(sim: Simulator, wx: WxSession, film: bytes, tmp_path: Path) -> None:
    """The CDN's refusal says what to do, and shows no signature."""
    video = await _video(wx, film)
    sim.advance(3 * 86400)
    with pytest.raises(HTTPStatusError, match="get the material again") as caught:
        await wx.with_options(downloads=OPEN).download_video(video, tmp_path / "film.mp4")
    assert caught.value.status == 403
    assert "vkey" not in str(caught.value)


async def test_an_address_that_does_not_work_yet(server: RawServer, tmp_path: Path, film: bytes) -> None:
    """404 is tried again: a new address may need some seconds."""
    server.script = [reply(b"", status="404 Not Found"), reply(film, "video/mp4")]
    async with WxSession("wx1", "s", downloads=OPEN, retry=PATIENT) as wx:
        saved = await wx.download_video(Video(down_url=server.url), tmp_path / "film.mp4")
    assert saved.size == len(film)


async def test_a_film_that_breaks_off_is_fetched_again(server: RawServer, tmp_path: Path, film: bytes) -> None:
    """A cut download leaves nothing, and is a READ like any other."""
    server.script = [reply(film[:1000], "video/mp4", length=len(film)), reply(film, "video/mp4")]

    async with WxSession("wx1", "s", downloads=OPEN, retry=PATIENT) as wx:
        task = asyncio.create_task(wx.download_video(Video(down_url=server.url), tmp_path / "film.mp4"))
        while not server.requests:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        for one in list(server._tasks):
            one.cancel()
        saved = await task
    assert saved.size == len(film)


# Replies


async def test_no_api_call_follows_a_redirect(raw: WxSession, server: RawServer) -> None:
    """A redirect of an API call is an error that says so, and does not show where it leads."""
    server.script = [b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://x/?t=" + SECRET.encode() + b"\r\n\r\n"]
    with pytest.raises(HTTPStatusError, match="a redirect, which is not followed") as caught:
        await raw.count_materials()
    assert SECRET not in repr(caught.value)
    assert len(server.requests) == 1


BOMB = r"""
import asyncio, resource, sys, time
sys.path.insert(0, sys.argv[2])
from wxasset import WxSession
from wxasset.errors import WxAssetError
async def main():
    async with WxSession("wx1", "s", base_url=sys.argv[1]) as wx:
        calls = (wx.count_materials, lambda: wx.list_materials("image"), lambda: wx.get_material("M", to="never"))
        try:
            await wx.del_material("M")  # what the first call costs is not the bomb's
        except WxAssetError:
            pass
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        for call in calls:
            try:
                print(await call())
            except WxAssetError as error:
                print(type(error).__name__, end=" ")
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, time.process_time() - begun < 1)
asyncio.run(main())
"""


def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"item":"')]
    parts += [packer.compress(b"a" * 1_000_000) for _ in range(100)]
    data = b"".join([*parts, packer.compress(b'"}'), packer.flush()])
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


BOMBS: dict[str, tuple[bytes, set[str]]] = {
    "a gzip of 100 kB that unpacks to 100 MB": (_gzip_bomb(), {"ReplyTooLarge"}),
    "JSON nested 100,000 deep": (reply(b'{"errcode":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), {"DecodeError"}),
    "objects nested 20,000 deep": (reply(b'{"errcode":' * 20_000 + b"1" + b"}" * 20_000), {"DecodeError"}),
    "a code of 5,000 digits": (reply(b'{"errcode":' + b"9" * 5_000 + b"}"), {"DecodeError"}),
    "a text of 5,000 digits as a code": (reply(b'{"errcode":"' + b"9" * 5_000 + b'"}'), {"DecodeError", "APIError"}),
    "a number too large to be": (reply(b'{"errcode":1e999999}'), {"DecodeError"}),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_reply_that_means_harm_is_a_typed_error(server: RawServer, bomb: str) -> None:
    """Three calls meet it in a process of their own: typed errors, under 8 MiB more memory, a second of work."""
    data, expected = BOMBS[bomb]
    server.script = [reply({"errcode": 40007, "errmsg": "x"}), data]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOMB, server.url, str(Path(url_policy.__file__).parents[2]), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    *kinds, grown, in_time = output.decode().split()
    assert set(kinds) <= expected
    assert len(kinds) == 3
    assert int(grown) < 8
    assert in_time == "True"


async def test_a_packed_reply_that_is_honest_is_read(raw: WxSession, server: RawServer) -> None:
    """Text that was packed to a tenth or less is fine."""
    body = b'{"item":[],"total_count":0,"more":"' + bytes(range(97, 123)) * 40_000 + b'"}'
    data = gzip.compress(body)
    assert len(body) > 10 * len(data)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n"
    server.script = [head.encode() + data]
    assert (await raw.list_materials("image")).total == 0 or len(body) > 1 << 20


async def test_an_endless_error_page_is_not_read(raw: WxSession, server: RawServer) -> None:
    """Of a reply that is not 200 no more than its start is read."""
    server.script = [reply(b"x" * 50_000_000, status="502 Bad Gateway")]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(HTTPStatusError) as caught:
        await raw.count_materials()
    assert len(caught.value.excerpt) <= 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


async def test_an_endless_head_is_not_read(raw: WxSession, server: RawServer) -> None:
    """A header without end is an error."""
    server.script = [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000]
    with pytest.raises(TransferError):
        await raw.count_materials()


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/x", "..\\..\\x", "C:\\x", "CON", "a\x00b", "\u202egpj.exe", "." * 300]
)
async def test_names_from_the_server_stay_in_the_directory(
    raw: WxSession, server: RawServer, tmp_path: Path, photo: bytes, name: str
) -> None:
    """Whatever a file is called by the server, it lands in the directory that was asked for, and replaces nothing."""
    inside = tmp_path / "inside"
    inside.mkdir()
    header = f'attachment; filename="{name}"'.replace("\x00", "").encode()
    server.script = [reply(photo, "image/jpeg", disposition=header)]
    for _ in range(2):
        saved = await raw.get_material("M", to=inside)
        assert isinstance(saved, SavedMaterial)
        assert saved.path is not None
        assert saved.path.resolve().parent == inside.resolve()
    assert len(list(inside.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [inside]


async def test_a_planted_link_is_not_written_through(
    raw: WxSession, server: RawServer, tmp_path: Path, photo: bytes
) -> None:
    """A symbolic link where a file would go does not lead the bytes elsewhere."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.write_bytes(b"precious")
    inside.mkdir()
    (inside / "photo.jpg").symlink_to(outside)
    server.script = [reply(photo, "image/jpeg", disposition=b'attachment; filename="photo.jpg"')]
    await raw.get_material("M", to=inside)
    assert outside.read_bytes() == b"precious"


async def test_too_much_is_not_saved(server: RawServer, tmp_path: Path, photo: bytes) -> None:
    """A film larger than `Limits.max_download` is given up, and leaves nothing."""
    server.script = [reply(photo, "video/mp4")]
    async with WxSession("wx1", "s", downloads=OPEN) as wx:
        small = wx.with_options(limits=Limits(max_download=100))
        with pytest.raises(ReplyTooLarge):
            await small.download_video(Video(down_url=server.url), tmp_path / "film.mp4")
    assert not any(tmp_path.iterdir())


async def test_no_error_shows_a_signed_address(server: RawServer, tmp_path: Path) -> None:
    """An address of a video is signed: whatever goes wrong, its query is in no error."""
    page = f"<h1>/film.mp4?vkey={SECRET}</h1>".encode()
    for script in (reply(page, status="502 Bad Gateway"), reply(page), b"\x00\r\n\r\n"):
        server.script = [script]
        async with WxSession("wx1", "s", downloads=OPEN, retry=PATIENT) as wx:
            with pytest.raises(WxAssetError) as caught:
                await wx.download_video(Video(down_url=f"{server.url}/film.mp4?vkey={SECRET}"), tmp_path / "x")
        assert SECRET not in f"{caught.value!r}{caught.value}{caught.value.__context__!r}{vars(caught.value)}"


# Bytes on the wire that are no bytes of the body

MOST = 8 << 20  # bytes that a peer can send before it is stopped; buffers of both kernels are among them


def _flood(head: bytes, filler: bytes, sent: list[int]) -> Handler:
    """Send a head and then the same bytes again and again, until the other side has had enough."""

    async def handler(_: RawRequest, connection: Connection) -> None:
        await connection.send(head)
        while sum(sent) < 64 << 20:
            await connection.send(filler)
            sent.append(len(filler))

    return handler


GZIP_HEAD = gzip.compress(b"")[:10]
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
BLOCK = b"\x00\x00\x00\xff\xff" * 20_000  # stored blocks of deflate, without a byte
CHUNKED = b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK)
FLOODS = {
    "gzip of empty blocks": (PLAIN + b"Content-Encoding: gzip\r\n\r\n" + GZIP_HEAD, BLOCK),
    "gzip of empty blocks, in chunks": (
        PLAIN + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\na\r\n" + GZIP_HEAD + b"\r\n",
        CHUNKED,
    ),
    "gzip of empty blocks, of a length": (
        PLAIN + b"Content-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n" + GZIP_HEAD,
        BLOCK,
    ),
    "deflate of empty blocks": (PLAIN + b"Content-Encoding: deflate\r\n\r\n\x78\x9c", BLOCK),
    "chunks with extensions": (
        PLAIN + b"Transfer-Encoding: chunked\r\n\r\n",
        (b"1;" + b"x" * 4000 + b"\r\n \r\n") * 25,
    ),
    "one extension without end": (PLAIN + b"Transfer-Encoding: chunked\r\n\r\n1;x", b"x" * 100_000),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4000),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("lent", [False, True])
async def test_a_flood_without_a_body_is_cut_off(server: RawServer, tmp_path: Path, flood: str, lent: bool) -> None:
    """JSON, a material and a film: of bytes that unpack to nothing, some megabytes are read, not all that come."""
    head, filler = FLOODS[flood]
    async with (
        aiohttp.ClientSession() as http,
        WxSession(
            tokens=StaticToken("t" * 40), base_url=server.url, downloads=OPEN, retry=ONCE, http=http if lent else None
        ) as wx,
    ):
        for call in (
            wx.count_materials,
            lambda: wx.get_material("M", to=tmp_path / "a"),
            lambda: wx.download_video(Video(down_url=f"{server.url}/film"), tmp_path / "b"),
        ):
            sent: list[int] = []
            server.script = [_flood(head, filler, sent)]
            with pytest.raises(
                (ReplyTooLarge, TransferError), match=r"sent \d{7} bytes|\d{7} bytes came|are malformed"
            ):
                await call()
            assert sum(sent) < MOST
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("lent", [False, True])
async def test_packed_bytes_have_the_limit_of_the_body(server: RawServer, tmp_path: Path, lent: bool) -> None:
    """A file, or JSON, that is packed to more than its limit is given up, though it unpacks to less."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = b'{"total_count":0,"item":[]}'
    data = GZIP_HEAD + BLOCK + packer.compress(text) + packer.flush() + struct.pack("<II", zlib.crc32(text), len(text))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    server.script = [head + data]
    small = Limits(max_download=10_000, max_reply=10_000)
    async with (
        aiohttp.ClientSession() as http,
        WxSession(tokens=StaticToken("t" * 40), base_url=server.url, limits=small, http=http if lent else None) as wx,
    ):
        with pytest.raises(ReplyTooLarge, match="compressed"):
            await wx.list_materials("image")
        with pytest.raises(ReplyTooLarge):
            await wx.get_material("M", to=tmp_path)
    assert not any(tmp_path.iterdir())


async def test_a_lent_session_is_metered_for_calls_of_its_borrower_alone(server: RawServer) -> None:
    """After a call, the owner of a lent session may receive what it likes over the same connection."""
    server.script = [reply({"errcode": 0, "errmsg": "ok"}), reply(b"x" * (4 << 20))]
    async with (
        aiohttp.ClientSession() as http,
        WxSession(tokens=StaticToken("t" * 40), base_url=server.url, http=http) as wx,
    ):
        await wx.del_material("M")
        async with http.get(server.url) as answer:
            assert len(await answer.read()) == 4 << 20
    assert server.connections == 1
