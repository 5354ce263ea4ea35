"""WeChat cloud hosting: each row of its FAQ (wire reference 8.5), as a user of a session meets it."""

import ssl
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
import trustme
from attrs import frozen

from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from self_signed import self_signed
from wxasset import (
    AuthorizerToken,
    CallableToken,
    CloudHostingToken,
    ComponentToken,
    Ledger,
    NoToken,
    RetryPolicy,
    StableToken,
    StaticToken,
    UploadPolicy,
    WxSession,
)
from wxasset.calls.base import Ack, Call, Effect, Route
from wxasset.calls.library import CountMaterials
from wxasset.calls.materials import AddMaterial
from wxasset.errors import (
    APIError,
    BusyError,
    ConnectError,
    CredentialError,
    HTTPStatusError,
    NotListedError,
    PermissionDeniedError,
    TokenUnavailableError,
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
)
from wxasset.errors.consequence import Consequence, consequence

STOP: Final = Consequence.STOP
ADDED: Final = reply({"media_id": "M1", "url": "http://mmbiz.qpic.cn/1"})
COUNT: Final = reply({"voice_count": 0, "video_count": 0, "image_count": 5, "news_count": 0})
BAD_GATEWAY: Final = reply(b"<html>502</html>", "text/html", status="502 Bad Gateway")
SHOP: Final = "wx00000000000000aa"
LIST: Final = "微信令牌权限配置"


@frozen(kw_only=True)
class WithoutToken(Call[Ack]):
    """A call that carries no token in any mode."""

    route: ClassVar[Route] = Route(path="/cgi-bin/clear_quota/v2", effect=Effect.READ, authorized=False)


def refusal(errcode: int, errmsg: str = "no") -> bytes:
    """Build a refusal of WeChat."""
    return reply({"errcode": errcode, "errmsg": f"{errmsg} rid: 61250a39-612fed42-36740516"})


def inside(server: RawServer, **options: Any) -> WxSession:
    """Make a session as in a container with 开放接口服务 switched on."""
    return WxSession(tokens=NoToken(), base_url=server.url, **{"retry": PATIENT, **options})


async def upload_fails(wx: WxSession, media: bytes) -> WxAssetError:
    """Upload an image and return the error."""
    with pytest.raises(WxAssetError) as caught:
        await wx.add_material("image", media, filename="a.jpg")
    return caught.value


# 502 and 85107: the path is not on the list


async def test_status_502_without_a_token_means_not_listed(server: RawServer, photo: bytes) -> None:
    """An upload of an unlisted path ends with that error: no second attempt, no search, and nothing is unknown."""
    server.script = [BAD_GATEWAY]
    async with inside(server) as wx:
        error = await upload_fails(wx, photo)
    assert isinstance(error, NotListedError)
    assert (error.status, error.path) == (502, "/cgi-bin/material/add_material")
    assert LIST in error.hint.english
    assert LIST in error.hint.chinese
    assert "cloud.weixin.qq.com/cloudrun/openapi" in error.hint.english
    assert "Nothing was carried out" in error.hint.english
    assert len(server.requests) == 1


async def test_an_early_502_without_a_token_means_not_listed(server: RawServer, photo: bytes) -> None:
    """The sidecar may answer before it has read the upload; that is the same refusal, and it is not sent again."""

    async def early(_: RawRequest, connection: Connection) -> None:
        await connection.send(BAD_GATEWAY)
        connection.writer.transport.close()

    server.take, server.script = 100, [early]
    async with inside(server) as wx:
        error = await upload_fails(wx, photo)
    assert isinstance(error, NotListedError)
    assert len(server.requests) == 1


async def test_85107_means_not_listed(server: RawServer, photo: bytes) -> None:
    """The other form of the refusal is a permission; it names the console's list and ends the upload at once."""
    server.script = [refusal(85107, "URL不在白名单内")]
    async with inside(server) as wx:
        error = await upload_fails(wx, photo)
        with pytest.raises(PermissionDeniedError, match="URL不在白名单内"):
            await wx.del_material("M1")
    assert isinstance(error, PermissionDeniedError)
    assert LIST in error.hint.chinese
    assert len(server.requests) == 2


@pytest.mark.parametrize("step", [BAD_GATEWAY, refusal(85107)], ids=["502", "85107"])
async def test_an_unlisted_path_stops_a_batch(server: RawServer, photo: bytes, step: bytes) -> None:
    """The rest of a batch is not tried: each item would meet the same refusal."""
    server.script = [step]
    async with inside(server) as wx, wx.add_materials("image", [photo] * 20, concurrency=1) as outcomes:
        told = [type(one).__name__ async for one in outcomes]
    assert told == ["Failed", *["NotTried"] * 19]
    assert len(server.requests) == 1


async def test_an_unlisted_path_leaves_nothing_open_in_the_ledger(
    server: RawServer, tmp_path: Path, photo: bytes
) -> None:
    """`ensure_material` passes the refusal on, and uploads at once when the path is listed: no settling, no search."""
    server.script = [BAD_GATEWAY, ADDED]
    file = tmp_path / "a.jpg"
    file.write_bytes(photo)
    async with (
        Ledger(tmp_path / "ledger.db", adopt=False) as ledger,
        inside(server, from_appid=SHOP, ledger=ledger) as wx,
    ):
        with pytest.raises(NotListedError):
            await wx.ensure_material("image", file)
        assert (await wx.ensure_material("image", file)).media_id == "M1"
    assert [one.path.rsplit("/", 1)[1] for one in server.requests] == ["add_material"] * 2


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "504 Late"])
async def test_other_statuses_inside_cloud_hosting_stay_unknown(server: RawServer, photo: bytes, status: str) -> None:
    """Status 502 alone is the sidecar's refusal; after others the upload may have been carried out."""
    server.script = [reply(b"", status=status)]
    async with inside(server, uploads=UploadPolicy(reconcile="raise")) as wx:
        assert isinstance(await upload_fails(wx, photo), UploadOutcomeUnknown)


async def test_status_502_with_a_token_stays_unknown(server: RawServer, photo: bytes) -> None:
    """A gateway of WeChat may answer so although the upload was carried out."""
    server.script = [BAD_GATEWAY]
    for tokens in (StaticToken("given-token"), StaticToken("pushed", parameter="cloudbase_access_token")):
        options: dict[str, Any] = {"retry": PATIENT, "uploads": UploadPolicy(reconcile="raise")}
        async with WxSession(tokens=tokens, base_url=server.url, **options) as wx:
            assert isinstance(await upload_fails(wx, photo), UploadOutcomeUnknown)


async def test_an_earlier_doubt_outlives_a_502(server: RawServer, photo: bytes) -> None:
    """A resent article image whose first response was lost stays unknown: the first attempt may have been stored."""

    async def cut(_: RawRequest, connection: Connection) -> None:
        connection.reset()

    server.script = [cut, BAD_GATEWAY]
    async with inside(server, uploads=UploadPolicy(unlisted="resend")) as wx:
        with pytest.raises(UploadOutcomeUnknown):
            await wx.upload_image(photo, filename="a.jpg")


async def test_status_502_of_a_call_without_a_token_anywhere_is_tried_again(server: RawServer) -> None:
    """A call that carries no token in any mode is not listed either: its 502 is a gateway's, as outside."""
    server.script = [BAD_GATEWAY]
    async with inside(server) as wx:
        with pytest.raises(HTTPStatusError) as caught:
            await wx.call(WithoutToken())
    assert not isinstance(caught.value, NotListedError)
    assert len(server.requests) == 3


# 85113, 85112, 85105, 41001


async def test_85113_is_waited_out(server: RawServer, photo: bytes) -> None:
    """In the minutes after a deployment nothing is carried out: an upload is sent until the token is there."""
    server.script = [*[refusal(85113, "cloudbase_token is not ready yet")] * 12, ADDED]
    async with inside(server) as wx:
        added = await wx.add_material("image", photo, filename="a.jpg")
    assert (added.media_id, added.reconciled) == ("M1", False)
    assert len(server.requests) == 13


async def test_85113_ends_with_the_deadline_of_the_call(server: RawServer, photo: bytes) -> None:
    """A service that is not ready in time is a retryable refusal, which says how long to wait; nothing is unknown."""
    server.script = [refusal(85113, "cloudbase_token is not ready yet")]
    async with inside(server, retry=RetryPolicy(timeout=0.3, wait_initial=0.05, wait_max=0.05)) as wx:
        error = await upload_fails(wx, photo)
    assert isinstance(error, BusyError)
    assert error.retryable
    assert "minutes" in error.hint.english
    assert {one.path.rsplit("/", 1)[1] for one in server.requests} == {"add_material"}


async def test_85113_with_a_single_attempt_is_raised(server: RawServer) -> None:
    """`attempts=1` holds for it too."""
    server.script = [refusal(85113)]
    async with inside(server, retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(BusyError):
            await wx.count_materials()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("errcode", "kind", "words"),
    [
        (85105, PermissionDeniedError, ("from_appid", "kind")),
        (48001, PermissionDeniedError, ("from_appid",)),
        (41001, CredentialError, ("off", "without a new deployment", "only just started")),
        (85112, APIError, ("ticket", "environment id")),
    ],
)
async def test_refusals_of_cloud_hosting_say_what_to_do(
    server: RawServer, photo: bytes, errcode: int, kind: type[APIError], words: tuple[str, ...]
) -> None:
    """Each ends an upload at once, as a refusal and not as an unknown outcome, with the remedy of the FAQ."""
    server.script = [refusal(errcode)]
    async with inside(server) as wx:
        error = await upload_fails(wx, photo)
    assert isinstance(error, kind)
    assert isinstance(error, APIError)
    assert not error.retryable
    hint = error.hint.english.replace("was switched on without a new deployment", "without a new deployment")
    assert [word for word in words if word not in hint] == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("errcode", [40001, 42001])
async def test_a_rejected_token_that_was_not_sent(server: RawServer, photo: bytes, errcode: int) -> None:
    """There is no other token to send: the upload ends at once, and the error says where the service is switched on."""
    server.script = [refusal(errcode)]
    async with inside(server) as wx:
        error = await upload_fails(wx, photo)
    assert isinstance(error, TokenUnavailableError)
    assert "开放接口服务" in error.hint.english
    assert "CloudHostingToken()" in error.hint.english
    assert len(server.requests) == 1


# https of the sidecar


async def test_the_self_signed_certificate_of_the_sidecar_is_named(photo: bytes) -> None:
    """A session over https in such a container sends nothing, does not try again, and says what to use instead."""
    async with RawServer(tls=self_signed()) as server:
        for tokens in (NoToken(), StaticToken("given-token")):
            async with WxSession(tokens=tokens, base_url=server.url, retry=PATIENT) as wx:
                error = await upload_fails(wx, photo)
            assert isinstance(error, ConnectError)
            assert (error.self_signed, error.permanent) == (True, True)
            assert "self-signed certificate" in f"{error.message} {error.hint.english}"
            assert "NoToken" in error.hint.english
            assert "自签名证书" in error.hint.chinese
        assert server.requests == []


async def test_other_certificates_are_not_called_self_signed() -> None:
    """A closed port, and a certificate of an authority that is not trusted, keep their usual hint."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with RawServer(tls=tls) as server, WxSession(tokens=NoToken(), base_url=server.url, retry=PATIENT) as wx:
        with pytest.raises(ConnectError) as caught:
            await wx.count_materials()
    assert not caught.value.self_signed
    assert "NoToken" not in caught.value.hint.english


@pytest.mark.parametrize(
    "tokens", [NoToken(), CloudHostingToken(), StaticToken("pushed", parameter="cloudbase_access_token")]
)
def test_plain_http_to_wechats_own_host_is_for_cloud_hosting(tokens: Any) -> None:
    """Both ways of cloud hosting may use http://api.weixin.qq.com, as the official pages do, and no other host."""
    WxSession(tokens=tokens, base_url="http://api.weixin.qq.com")
    with pytest.raises(UsageError, match="in the clear"):
        WxSession(tokens=tokens, base_url="http://api.example.com")


@pytest.mark.parametrize("tokens", [StaticToken("given-token"), StableToken("wx1234", "s3cret")])
def test_plain_http_is_for_no_other_token(tokens: Any) -> None:
    """A token of one's own is not sent in the clear."""
    with pytest.raises(UsageError, match="in the clear"):
        WxSession(tokens=tokens, base_url="http://api.weixin.qq.com")


# from_appid


async def test_from_appid_names_the_account(server: RawServer, photo: bytes) -> None:
    """It is sent in the query: of a session, of one with other options, and of one call."""
    server.script = [COUNT, COUNT, COUNT, COUNT, ADDED]
    async with inside(server) as wx:
        await wx.count_materials()
        await wx.call(CountMaterials(), from_appid=SHOP)
        await wx.with_options(from_appid=SHOP).count_materials()
        await wx.count_materials()
        await wx.call(AddMaterial(type="image"), media=photo, filename="a.jpg", from_appid=SHOP)
    queries = [one.line.split(" ")[1].partition("?")[2] for one in server.requests]
    assert queries == ["", f"from_appid={SHOP}", f"from_appid={SHOP}", "", f"from_appid={SHOP}&type=image"]


async def test_from_appid_of_a_session_goes_with_each_call(server: RawServer, tmp_path: Path) -> None:
    """With the mounted token it stands beside the token; other options keep it."""
    file = tmp_path / "token"
    file.write_text("pushed-1")
    server.script = [COUNT]
    async with WxSession(tokens=CloudHostingToken(file), base_url=server.url, from_appid=SHOP) as wx:
        await wx.with_options(retry=PATIENT).count_materials()
    assert server.requests[0].line.split(" ")[1].partition("?")[2] == (
        f"cloudbase_access_token=pushed-1&from_appid={SHOP}"
    )


async def test_a_lost_upload_is_looked_up_in_the_account_that_was_called(server: RawServer, photo: bytes) -> None:
    """The search lists the library of the same account."""

    async def cut(_: RawRequest, connection: Connection) -> None:
        connection.reset()

    server.script = [cut, reply({"total_count": 0, "item_count": 0, "item": []})]
    policy = UploadPolicy(visibility=0)
    async with inside(server, uploads=policy) as wx:
        with pytest.raises(UploadOutcomeUnknown):
            await wx.with_options(from_appid=SHOP).add_material("image", photo, filename="a.jpg")
    assert len(server.requests) > 1
    assert all(f"from_appid={SHOP}" in one.line for one in server.requests)


@pytest.mark.parametrize(
    "value", ["", "gh_0123456789ab", "wx", "wx 0123456789abcd", "wx01&a=b", 7, b"wx0123456789abcdef"]
)
async def test_from_appid_is_an_appid(server: RawServer, value: Any) -> None:
    """Anything else is refused in each place, before a request."""
    with pytest.raises(UsageError, match="from_appid="):
        inside(server, from_appid=value)
    async with inside(server) as wx:
        with pytest.raises(UsageError, match="from_appid="):
            wx.with_options(from_appid=value)
        with pytest.raises(UsageError, match="from_appid="):
            await wx.call(CountMaterials(), from_appid=value)
    assert server.requests == []


async def _nothing() -> str:
    return "central"


@pytest.mark.parametrize(
    "tokens",
    [
        StableToken("wx1234", "s3cret"),
        StaticToken("given-token"),
        AuthorizerToken(ComponentToken("wx1", "s", "ticket"), "wx2", "refresh"),
    ],
)
def test_from_appid_is_refused_beside_a_token_of_one_account(tokens: Any) -> None:
    """The token names the account there: the call would go to another one than the caller believes."""
    with pytest.raises(UsageError, match=f"no effect with {type(tokens).__name__}"):
        WxSession(tokens=tokens, from_appid=SHOP)
    WxSession(tokens=CallableToken(_nothing), from_appid=SHOP)


def test_refusals_of_cloud_hosting_stop_a_batch() -> None:
    """A list without the path, and an account of the wrong kind, are the same for all items; a start-up is not."""
    stops = {
        code: consequence(PermissionDeniedError(errcode=code, errmsg="")) is STOP for code in (85105, 85107, -604101)
    }
    assert stops == {85105: True, 85107: True, -604101: True}
    assert consequence(BusyError(errcode=85113, errmsg="")) is not STOP
