"""Links: sent unchanged, and in fake-ip mode only to the hosts of the policy."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from yarl import URL

from lookups import resolve_all_to
from policies import PATIENT
from raw_server import RawServer, reply
from wxasset import DownloadPolicy, Video, WxSession
from wxasset.errors import UnsafeURLError
from wxasset.wire import url_policy
from wxasset.wire.url_policy import may_connect

FILM = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(range(256))
PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256))
OPEN = DownloadPolicy(allow_private_hosts=True)
TARGETS = {
    "percent-encoding": "/a%2Fb%2fc%7e~%41.mp4?sign=q%3D1%26b%2B+c%20&e=",
    "empty segments": "//a///b.mp4?x=//y",
    "quotes": "/a\"b'c.mp4?k=\"x\"&m='y'",
    "brackets": "/a[1]{2}<3>|4^5`6.mp4?a[]=<1>",
    "dots": "/a/../b/./c.mp4?d=../e",
    "semicolons": "/a;v=1/b;w.mp4?a;b&c",
    "an at sign": "/a@b:c.mp4?to=a@b:80",
    "question marks": "/a.mp4?b?c?d=?",
}


@pytest.fixture
def ports(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the server's port be that of http."""
    port = URL(server.url).port
    monkeypatch.setattr(url_policy, "_PORTS", {"http": port, "https": port})
    assert port is not None
    return port


# Sent unchanged


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_a_signed_link_is_sent_unchanged(server: RawServer, tmp_path: Path, target: str) -> None:
    """A signature covers the bytes of path and query: no character of them is changed."""
    server.script = [reply(FILM, "video/mp4")]
    async with WxSession("wx1", "s", downloads=OPEN, retry=PATIENT) as wx:
        await wx.download_video(Video(down_url=f"{server.url}{target}#part"), tmp_path / "film.mp4")
    assert [one.line for one in server.requests] == [f"GET {target} HTTP/1.1"]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("absolute", [True, False])
async def test_a_redirect_is_sent_unchanged(server: RawServer, tmp_path: Path, target: str, absolute: bool) -> None:
    """The target of a redirect is signed too."""
    if not absolute and target.startswith("//"):
        pytest.skip("this is a reference to another host")
    location = f"{server.url if absolute else ''}{target}"
    moved = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    server.script = [moved, reply(FILM, "video/mp4")]
    async with WxSession("wx1", "s", downloads=OPEN, retry=PATIENT) as wx:
        await wx.download_video(Video(down_url=f"{server.url}/film"), tmp_path / "film.mp4")
    assert server.requests[1].line == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("link", "sent"),
    [("/素材/图.mp4?名=值", "/%E7%B4%A0%E6%9D%90/%E5%9B%BE.mp4?%E5%90%8D=%E5%80%BC"), ("?x=1", "/?x=1"), ("", "/")],
)
async def test_what_cannot_be_sent_is_encoded(server: RawServer, tmp_path: Path, link: str, sent: str) -> None:
    """Characters outside of ASCII are percent-encoded, and a path is never empty."""
    server.script = [reply(FILM, "video/mp4")]
    async with WxSession("wx1", "s", downloads=OPEN, retry=PATIENT) as wx:
        await wx.download_video(Video(down_url=f"{server.url}{link}"), tmp_path / "film.mp4")
    assert server.requests[0].line == f"GET {sent} HTTP/1.1"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_a_form_is_posted_to_the_unchanged_link(server: RawServer, target: str) -> None:
    """Object storage gets the path that it signed."""
    grant = {"errcode": 0, "url": f"{server.url}{target}", "token": "T", "authorization": "q-sign-algorithm=sha1"}
    grant |= {"file_id": "cloud://e.b/a.png", "cos_file_id": "C=="}
    server.script = [reply(grant), reply(b"", status="204 No Content")]
    async with WxSession("wx1", "s", base_url=server.url, downloads=OPEN, retry=PATIENT) as wx:
        await wx.upload_file("e", "a.png", PHOTO)
    assert server.requests[1].line == f"POST {target} HTTP/1.1"


# Fake addresses


@pytest.mark.parametrize("address", ["198.18.0.23", "198.19.255.255", "::ffff:198.18.0.23"])
def test_fake_addresses_are_for_listed_hosts(address: str) -> None:
    """Clash and Surge resolve all names to 198.18.0.0/15: that is fine for the hosts of the policy alone."""
    policy = DownloadPolicy()
    assert may_connect(address, policy, "mpvideo.qpic.cn")
    assert may_connect(address, policy, "COS.ap-shanghai.myqcloud.com.")
    assert not may_connect(address, policy, "evilqpic.cn")
    assert not may_connect(address, policy, "cdn.example.com")
    assert may_connect(address, DownloadPolicy(hosts=("cdn.example.com",)), "cdn.example.com")
    assert not may_connect("10.18.0.1", policy, "mpvideo.qpic.cn")


async def test_a_listed_host_with_a_fake_address_is_reached(
    monkeypatch: pytest.MonkeyPatch, server: RawServer, ports: int, tmp_path: Path
) -> None:
    """The download works in fake-ip mode, and an unlisted host with such an address is refused."""
    monkeypatch.setattr(url_policy, "_FAKE", ip_network("127.0.0.0/8"))
    resolve_all_to(monkeypatch, "127.0.0.1")
    server.script = [reply(FILM, "video/mp4")]
    async with WxSession("wx1", "s", retry=PATIENT) as wx:
        await wx.download_video(Video(down_url=f"http://mpvideo.qpic.cn:{ports}/film.mp4"), tmp_path / "film.mp4")
        assert len(server.requests) == 1
        unlisted = wx.with_options(downloads=DownloadPolicy(hosts=("*.qq.com",)))
        with pytest.raises(UnsafeURLError):
            await unlisted.download_video(Video(down_url=f"http://mpvideo.qpic.cn:{ports}/f.mp4"), tmp_path / "f.mp4")
    assert len(server.requests) == 1
