"""Proxies: given ones, those of the environment, and those that refuse."""

import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import trustme

from declared import MakeDraft
from forward_proxy import ForwardProxy
from raw_server import RawServer, reply
from wxasset import DownloadPolicy, NoToken, RetryPolicy, StaticToken, Timeouts, Video, WxSession
from wxasset.errors import ConnectError, MediaNotFoundError, TransferError, UsageError, WxAssetError

COUNTS = reply({"voice_count": 0, "video_count": 0, "image_count": 1, "news_count": 0})
PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
OPEN = DownloadPolicy(allow_private_hosts=True)
ADDED = reply({"media_id": "M"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of a company."""
    return trustme.CA()


@pytest.fixture
async def secure(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RawServer]:
    """A server with https at localhost; own sessions trust it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=path))
    async with RawServer(tls=context) as server:
        server.url = server.url.replace("127.0.0.1", "localhost")
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is set."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def session(server: RawServer, **options: Any) -> WxSession:
    """A session on a server, without token requests."""
    return WxSession(
        tokens=StaticToken("token" * 20),
        base_url=server.url,
        **{"retry": RetryPolicy(wait_initial=0), "downloads": OPEN, **options},
    )


async def test_a_given_proxy_is_used(secure: RawServer) -> None:
    """`proxy=` tunnels the API; the token is inside the tunnel."""
    secure.script = [COUNTS]
    async with ForwardProxy() as proxy, session(secure, proxy=proxy.url) as wx:
        await wx.count_materials()
    assert proxy.lines == [f"CONNECT {secure.url.removeprefix('https://')} HTTP/1.1"]


async def test_a_given_proxy_gets_its_user_and_password(secure: RawServer) -> None:
    """User and password of the URL are sent to the proxy, and never shown."""
    secure.script = [COUNTS]
    async with ForwardProxy(login="user:CANARYPASSWORD") as proxy:
        async with session(secure, proxy=proxy.url.replace("//", "//user:CANARYPASSWORD@")) as wx:
            await wx.count_materials()
        async with session(secure, proxy=proxy.url.replace("//", "//user:CANARYWRONG@")) as wx:
            with pytest.raises(ConnectError) as caught:
                await wx.count_materials()
    assert (caught.value.proxy, caught.value.status) == (proxy.place, 407)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_the_proxy_of_the_environment_is_used(
    secure: RawServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As with requests and httpx, HTTPS_PROXY or ALL_PROXY is read, with or without a scheme."""
    secure.script = [COUNTS]
    async with ForwardProxy() as proxy:
        monkeypatch.setenv(name, proxy.place)
        async with session(secure) as wx:
            await wx.count_materials()
        assert len(proxy.lines) == 1


@pytest.mark.parametrize("exception", ["localhost", "*", "example.org,localhost"])
async def test_exceptions_of_the_environment_are_connected_directly(
    secure: RawServer, monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    """NO_PROXY names hosts that are connected directly."""
    secure.script = [COUNTS]
    async with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exception)
        async with session(secure) as wx:
            await wx.count_materials()
        assert proxy.lines == []


async def test_no_proxy_is_used_on_request(secure: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`proxy=None` connects directly, whatever the environment says."""
    secure.script = [COUNTS]
    async with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with session(secure, proxy=None) as wx:
            await wx.count_materials()
        assert proxy.lines == []


async def test_secrets_do_not_reach_a_proxy_of_the_environment_in_the_clear(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API host without https (a simulator) is connected directly, although HTTP_PROXY is set."""
    server.script = [COUNTS]
    async with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with session(server) as wx:
            await wx.count_materials()
        assert proxy.lines == []


async def test_a_link_goes_through_the_proxy_too(server: RawServer) -> None:
    """A video is fetched through the proxy of the session, its URL unchanged."""
    server.script = [reply(b"\x00\x00\x00\x18ftypmp42" + bytes(100))]
    link = f"{server.url}/a//b%2Fc'd\".mp4?vkey=%7E1+2'3"
    async with ForwardProxy() as proxy, session(server, proxy=proxy.url) as wx:
        await wx.download_video(Video(down_url=link), io.BytesIO())
    assert proxy.lines == [f"GET {link} HTTP/1.1"]


REFUSALS = {407: True, 403: True, 401: True, 502: False, 503: False, 504: False}


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("verb", ["count", "add", "delete", "draft"])
@pytest.mark.parametrize("lent", [False, True], ids=["own", "borrowed"])
async def test_a_refusal_of_the_proxy_means_that_nothing_was_sent(
    secure: RawServer, authority: trustme.CA, status: int, verb: str, lent: bool
) -> None:
    """A proxy that refuses CONNECT raises `ConnectError` with its place and status, for every kind of call."""
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with ForwardProxy(refuse=[status] * 9) as proxy:
        http = aiohttp.ClientSession(proxy=proxy.url, connector=aiohttp.TCPConnector(ssl=trusted))
        async with http, session(secure, **({"http": http} if lent else {"proxy": proxy.url})) as wx:
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "count": wx.count_materials,
                "add": lambda: wx.add_material("image", PHOTO),
                "delete": lambda: wx.del_material("M"),
                "draft": lambda: wx.call(MakeDraft(title="t")),
            }
            with pytest.raises(ConnectError) as caught:
                await calls[verb]()
    error = caught.value
    assert (error.proxy, error.status, error.permanent) == (proxy.place, status, REFUSALS[status])
    assert len(proxy.lines) == (1 if REFUSALS[status] else 3)
    assert secure.requests == []


async def test_a_delete_that_the_proxy_refused_once_is_not_done(secure: RawServer) -> None:
    """After a 502 of the proxy, 40007 says that the id is wrong, and not that the first attempt deleted it."""
    secure.script = [reply({"errcode": 40007, "errmsg": "invalid media_id"})]
    async with ForwardProxy(refuse=[502]) as proxy, session(secure, proxy=proxy.url) as wx:
        with pytest.raises(MediaNotFoundError):
            await wx.del_material("MISTYPED")
    assert len(secure.requests) == 1


async def test_a_silent_proxy_is_limited_by_the_time_to_connect(secure: RawServer) -> None:
    """`Timeouts.connect` limits CONNECT too."""
    async with ForwardProxy(refuse=[0, 0]) as proxy:
        options = {"timeouts": Timeouts(connect=0.1), "retry": RetryPolicy(attempts=1)}
        async with session(secure, proxy=proxy.url, **options) as wx:
            with pytest.raises(ConnectError, match=r"timed out after 0\.1 seconds") as caught:
                await wx.add_material("image", PHOTO)
    assert caught.value.proxy == proxy.place


async def test_a_proxy_that_is_not_there_is_named(secure: RawServer) -> None:
    """The error of a proxy that refuses the connection names it."""
    async with session(secure, proxy="http://127.0.0.1:9", retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(ConnectError, match=r"No connection to the proxy 127\.0\.0\.1:9 to reach localhost"):
            await wx.count_materials()


@pytest.mark.parametrize(
    "proxy", ["socks5://user:CANARY@127.0.0.1:1080", "ftp://CANARY", "http://", "http://CANARY:x", 3128, ""]
)
async def test_an_unusable_proxy_is_refused(server: RawServer, proxy: Any) -> None:
    """Only URLs of HTTP proxies are taken; the error does not show the password."""
    with pytest.raises(UsageError, match="proxy= is the URL of an HTTP proxy") as caught:
        session(server, proxy=proxy)
    assert "CANARY" not in str(caught.value)


async def test_an_unusable_proxy_of_the_environment_is_refused(
    secure: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SOCKS proxy in ALL_PROXY is named before anything is sent; `proxy=None` is the way around it."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    async with session(secure) as wx:
        with pytest.raises(UsageError, match="ALL_PROXY of the environment"):
            await wx.count_materials()
    assert secure.connections == 0


async def test_a_proxy_belongs_to_the_borrowed_session(server: RawServer) -> None:
    """`http=` brings its own proxy; together with `proxy=` it is refused."""
    async with aiohttp.ClientSession() as http:
        with pytest.raises(UsageError, match="belongs to the aiohttp"):
            WxSession(tokens=NoToken(), base_url=server.url, http=http, proxy="http://127.0.0.1:3128")


async def test_an_invalid_certificate_is_not_tried_again(secure: RawServer) -> None:
    """A certificate for another name cannot succeed later: one attempt, and the reason."""
    server_url = secure.url.replace("localhost", "127.0.0.1")
    secure.url = server_url
    async with session(secure) as wx:
        with pytest.raises(ConnectError, match="certificate verify failed") as caught:
            await wx.count_materials()
    assert caught.value.permanent
    assert secure.connections <= 1


async def test_malformed_responses_are_described_in_words(server: RawServer) -> None:
    """No class name of aiohttp stands in an error."""
    broken = [
        b"\x16\x03\x01 nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot a gz!",
        b"HTTP/9.9 abc\r\n\r\n",
    ]
    async with session(server, retry=RetryPolicy(attempts=1)) as wx:
        for step in broken:
            server.script = [step]
            with pytest.raises(WxAssetError) as caught:
                await wx.count_materials()
            words = set(caught.value.message.replace("(", " ").replace(")", " ").split())
            assert isinstance(caught.value, TransferError), step
            assert not {word for word in words if word.strip(".,:").endswith("Error") or "Http" in word}, caught.value
