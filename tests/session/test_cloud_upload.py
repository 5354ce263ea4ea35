"""Uploads to cloud storage: the form that goes to object storage, and what is done when that goes wrong."""

import copy
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import UploadFile

import cloud_storage
from canaries import everything_shown
from cloud_storage import CloudStorage
from policies import PATIENT
from raw_server import Connection, Handler, RawRequest, RawServer, reply, reset
from unsafe_links import UNSAFE, Sockets
from upload_sources import SOURCES, chunks_of, parts
from wxasset import Limits, RetryPolicy, WxSession
from wxasset.errors import (
    APIError,
    DecodeError,
    HTTPStatusError,
    SourceError,
    StorageError,
    TransferError,
    UnsafeURLError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.hints import STORAGE_HINTS
from wxasset.simulator import Simulator

wx = cloud_storage.wx


KEY: Final = "这/is/a path.bin"
FORM: Final = f"/cos.ap-shanghai.myqcloud.com/7465-env-1258717764/{KEY}"
STORED: Final = b'HTTP/1.1 204 No Content\r\nETag: "x"\r\n\r\n'
GRANT: Final = "/tcb/uploadfile"


def refusal(code: str, message: str, status: str = "403 Forbidden") -> bytes:
    """An answer of COS in XML."""
    body = (
        f"<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>{code}</Code>\n\t<Message>{message}</Message>\n"
        "\t<Resource>bucket/key</Resource>\n\t<RequestId>NjA0NGU=</RequestId>\n\t<TraceId>x</TraceId>\n</Error>\n"
    )
    return reply(body.encode(), "application/xml", status=status)


EXPIRED: Final = refusal("AccessDenied", "Request has expired")


class Storage(CloudStorage):
    """WeChat and COS, which takes forms."""

    api = GRANT

    def grant(self) -> dict[str, object]:
        """Return an address, the fields of a form, and an id."""
        fields = {name: f"CANARY-{name}-{self.grants}" for name in ("token", "authorization", "cos_file_id")}
        url = self.server.url + "/bucket/key" if self.link is None else self.link
        return {"url": url, "file_id": "cloud://f", **fields}


@pytest.fixture
def storage(server: RawServer) -> Storage:
    """WeChat and COS."""
    return Storage(server, [STORED])


# What goes over the line


@pytest.mark.parametrize("size", [1, 262_145, 700_000])
@pytest.mark.parametrize("kind", SOURCES)
async def test_every_source_arrives_whole(
    near: WxSession, sim: Simulator, tmp_path: Path, kind: str, size: int
) -> None:
    """Whatever can be uploaded is stored byte for byte under its path, and its id is given back."""
    file = tmp_path / "file.jpg"
    file.write_bytes(content := (bytes(range(256)) * 3000)[:size])
    make, _ = SOURCES[kind]
    media = make(file)
    fileid = await near.upload_file("env", KEY, media)
    assert fileid == f"cloud://env.7465-env-1258717764/{KEY}"
    assert sim.cloud_files == {fileid: content}
    if isinstance(media, UploadFile):
        await media.close()
    elif hasattr(media, "close"):
        media.close()


async def test_the_form_is_the_documented_one(wx: WxSession, storage: Storage) -> None:
    """Key, signature, token and id of the leave, then the file, last and with a name; an exact Content-Length."""
    assert await wx.upload_file("env", KEY, b"\x89PNG\r\n\x1a\n123", filename="图.png") == "cloud://f"
    asked, form = storage.server.requests
    assert json.loads(asked.body) == {"env": "env", "path": KEY}
    assert form.line == "POST /bucket/key HTTP/1.1"
    assert form.header("Content-Length") == str(len(form.body))
    assert form.header("Transfer-Encoding") is None
    assert [(head.decode(), content) for head, content in parts(form)] == [
        ('Content-Disposition: form-data; name="key"', KEY.encode()),
        ('Content-Disposition: form-data; name="Signature"', b"CANARY-authorization-1"),
        ('Content-Disposition: form-data; name="x-cos-security-token"', b"CANARY-token-1"),
        ('Content-Disposition: form-data; name="x-cos-meta-fileid"', b"CANARY-cos_file_id-1"),
        (
            'Content-Disposition: form-data; name="file"; filename="图.png"\r\nContent-Type: image/png',
            b"\x89PNG\r\n\x1a\n123",
        ),
    ]


async def test_nothing_of_the_api_goes_to_storage(wx: WxSession, storage: Storage) -> None:
    """Neither access token nor cookie nor credentials are sent there, also where WeChat sets a cookie."""
    storage.answers = [STORED.replace(b"ETag", b"Set-Cookie: a=b\r\nETag")]
    for _ in range(2):
        await wx.upload_file("env", KEY, b"1")
    for form in storage.requests:
        assert b"token-1-" not in form.head + form.body
        assert b"access_token" not in form.head
        assert (form.header("Cookie"), form.header("Authorization")) == (None, None)


async def test_progress_is_that_of_the_file(near: WxSession) -> None:
    """The callback is told the bytes of the file and their number, and ends with all of them."""
    told: list[tuple[int, int | None]] = []
    await near.upload_file("env", KEY, bytes(700_000), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (700_000, 700_000)
    assert {total for _, total in told} == {700_000}


async def test_an_upload_replaces_what_is_there(near: WxSession, sim: Simulator) -> None:
    """The same path is the same file."""
    first = await near.upload_file("env", KEY, b"old")
    assert await near.upload_file("env", KEY, b"new") == first
    assert sim.cloud_files == {first: b"new"}


# What is refused before anything is stored


@pytest.mark.parametrize(("env", "path"), [("", KEY), ("env", ""), ("env", None)])
async def test_environment_and_path_are_needed(near: WxSession, sim: Simulator, env: str, path: Any) -> None:
    """Both are texts that are not empty; else nothing is asked."""
    with pytest.raises(UsageError):
        await near.upload_file(env, path, b"1")
    assert sim.journal == []


async def test_media_are_judged_before_anything_is_asked(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """What is missing, empty, of another size than was said, or over 5 GB, is a `SourceError` before any request."""
    (tmp_path / "empty").touch()
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(5 * 1024**3 + 1)
    cases: dict[str, tuple[Any, int | None]] = {
        "Cannot read": (tmp_path / "none", None),
        "is empty": (tmp_path / "empty", None),
        "not the 4 of size=": (b"123", 4),
        "takes at most 5368709120 here": (tmp_path / "huge", None),
    }
    for match, (media, size) in cases.items():
        with pytest.raises(SourceError, match=match):
            await near.upload_file("env", KEY, media, size=size)
    assert sim.journal == []


async def test_a_stream_is_kept_up_to_a_limit(near: WxSession, sim: Simulator) -> None:
    """A stream without a size is spooled up to `Limits.max_spool`."""
    small = near.with_options(limits=Limits(max_spool=100_000))
    with pytest.raises(SourceError, match="more than 100000 bytes"):
        await small.upload_file("env", KEY, chunks_of(bytes(100_001)))
    assert sim.journal == []


async def test_what_wechat_refuses_is_its_error(near: WxSession, sim: Simulator) -> None:
    """A path that WeChat does not take comes as its code, and no form is sent."""
    with pytest.raises(APIError) as caught:
        await near.upload_file("env", "/absolute", b"1")
    assert caught.value.errcode == 40097
    assert sim.journal[-1].path == GRANT


# Where it may go


@pytest.mark.parametrize("link", UNSAFE.values(), ids=UNSAFE)
async def test_an_unsafe_address_gets_nothing(server: RawServer, sockets: Sockets, link: str) -> None:
    """An address in another network than the public one is refused: no connection but those to WeChat."""
    storage = Storage(server, link=link)
    async with WxSession("wx1", "s", base_url=server.url) as wx:
        with pytest.raises(UnsafeURLError):
            await wx.upload_file("env", KEY, b"1")
    port = int(server.url.rpartition(":")[2])
    assert set(sockets.connects) == {("127.0.0.1", port)}
    assert (storage.grants, storage.requests, server.connections) == (1, [], 1)


async def test_a_public_name_that_leads_inside_gets_nothing(
    server: RawServer, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is judged by the address that it has when it is connected to."""
    Storage(server, link="https://cos.ap-shanghai.myqcloud.com/bucket/key")

    def lookup(*_: object, **__: object) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", 443))]

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT) as wx:
        with pytest.raises(UnsafeURLError, match=r"cos\.ap-shanghai\.myqcloud\.com is not a public address"):
            await wx.upload_file("env", KEY, b"1")
    assert len(sockets.connects) == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_not_followed(wx: WxSession, storage: Storage, status: str) -> None:
    """The bytes go to the address that WeChat gave, and to no other."""
    async with RawServer() as other:
        storage.answers = [reply(b"", status=status).replace(b"\r\n", f"\r\nLocation: {other.url}/x\r\n".encode(), 1)]
        with pytest.raises(HTTPStatusError, match="a redirect, which is not followed"):
            await wx.upload_file("env", KEY, b"1")
    assert (len(storage.requests), other.connections) == (1, 0)


# What storage answers


@pytest.mark.parametrize("answer", [STORED, reply(b"", None), reply(b"\r\n")])
async def test_204_and_an_empty_200_are_success(wx: WxSession, storage: Storage, answer: bytes) -> None:
    """COS says 204; some have seen 200."""
    storage.answers = [answer]
    assert await wx.upload_file("env", KEY, b"1") == "cloud://f"
    assert len(storage.requests) == 1


@pytest.mark.parametrize("status", ["201 Created", "202 Accepted", "400 Bad Request", "404 Not Found"])
async def test_any_other_status_is_an_error(wx: WxSession, storage: Storage, status: str) -> None:
    """What is neither has not stored the file; it is not sent again."""
    storage.answers = [reply(b"", status=status)]
    with pytest.raises(HTTPStatusError) as caught:
        await wx.upload_file("env", KEY, b"1")
    assert caught.value.status == int(status[:3])
    assert len(storage.requests) == 1


async def test_a_page_with_200_is_no_success(wx: WxSession, storage: Storage) -> None:
    """A gateway's page in the place of the answer is not believed; the file is sent again."""
    storage.answers = [page := reply(b"<html>login</html>"), STORED]
    assert await wx.upload_file("env", KEY, b"1") == "cloud://f"
    assert len(storage.requests) == 2
    storage.answers = [page]
    with pytest.raises(DecodeError):
        await wx.upload_file("env", KEY, b"1")
    assert len(storage.requests) == 5


@pytest.mark.parametrize(
    ("code", "status", "forms"),
    [
        ("AccessDenied", "403 Forbidden", 1),
        ("SignatureDoesNotMatch", "403 Forbidden", 1),
        ("NoSuchBucket", "404 Not Found", 1),
        ("MalformedPOSTRequest", "400 Bad Request", 1),
        ("InternalError", "500 Internal Server Error", 3),
        ("SlowDown", "503 Slow Down", 3),
        ("Unheard", "409 Conflict", 1),
    ],
)
async def test_what_storage_says_is_a_typed_error(
    wx: WxSession, storage: Storage, code: str, status: str, forms: int
) -> None:
    """Its XML is a `StorageError` with code, text, request id and hints; what may pass by itself is tried again."""
    storage.answers = [refusal(code, "Said so.", status)]
    with pytest.raises(StorageError) as caught:
        await wx.upload_file("env", KEY, b"1")
    error = caught.value
    assert (error.code, error.errmsg, error.request_id, error.status) == (code, "Said so.", "NjA0NGU=", int(status[:3]))
    assert error.hint == STORAGE_HINTS.get(code, error.hint)
    assert error.hint.chinese in str(error)
    assert len(storage.requests) == forms


# A signature that ran out


async def test_a_signature_that_ran_out_is_replaced(near: WxSession, sim: Simulator) -> None:
    """Where 900 seconds pass before the last byte, another leave is asked for and the file sent once more."""
    passed: list[int] = []

    def slow(done: int, total: int | None) -> None:
        if done == total and not passed:
            passed.append(done)
            sim.advance(900)

    fileid = await near.upload_file("env", KEY, content := bytes(700_000), progress=slow)
    assert sim.cloud_files == {fileid: content}
    told = [(one.path, one.status) for one in sim.journal[1:]]
    assert told == [(GRANT, 200), (FORM, 403), (GRANT, 200), (FORM, 204)]


async def test_it_is_replaced_once(wx: WxSession, storage: Storage) -> None:
    """The second time it is an error, which says so; each form has the signature of its own leave."""
    storage.answers = [EXPIRED]
    with pytest.raises(StorageError, match="Request has expired") as caught:
        await wx.upload_file("env", KEY, b"1")
    assert caught.value.expired
    signatures = [parts(form)[1][1] for form in storage.requests]
    assert signatures == [b"CANARY-authorization-1", b"CANARY-authorization-2"]


async def test_a_stream_that_is_used_up_is_not_sent_again(wx: WxSession, storage: Storage) -> None:
    """What can be read once is sent once: the refusal, or the failure, is the caller's."""
    for answer, error in ((EXPIRED, StorageError), (reset, TransferError)):
        storage.answers = [answer]
        with pytest.raises(error):
            await wx.upload_file("env", KEY, chunks_of(bytes(30_000)), size=30_000)
    assert (len(storage.requests), storage.grants) == (2, 2)


# Failures on the way


async def test_an_unclear_failure_is_sent_again(wx: WxSession, storage: Storage) -> None:
    """The same bytes at the same path do no harm: what broke is sent again under the same leave."""
    storage.answers = [reset, reply(b"", status="502 Bad Gateway"), STORED]
    assert await wx.upload_file("env", KEY, bytes(700_000)) == "cloud://f"
    assert (len(storage.requests), storage.grants) == (3, 1)
    assert len({form.body.partition(b"name=")[2][100:] for form in storage.requests}) == 3  # boundaries differ
    assert {parts(form)[-1][1] for form in storage.requests} == {bytes(700_000)}


async def test_attempts_are_those_of_the_policy(wx: WxSession, storage: Storage) -> None:
    """`RetryPolicy.attempts` bounds them, and so does what the session may spend on retries."""
    storage.answers = [reset]
    with pytest.raises(TransferError):
        await wx.with_options(retry=RetryPolicy(attempts=1)).upload_file("env", KEY, b"1")
    assert len(storage.requests) == 1
    wx._engine.quota.left = 20  # one retry
    with pytest.raises(TransferError):
        await wx.upload_file("env", KEY, b"1")
    assert len(storage.requests) == 3


async def test_a_source_that_fails_is_its_own_error(near: WxSession, sim: Simulator) -> None:
    """A stream that breaks, or gives more or less than was said, is a `SourceError`; nothing is stored."""

    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(300_000)
        raise OSError("gone")

    for media in (breaking(), chunks_of(bytes(300_000)), chunks_of(bytes(500_000))):
        with pytest.raises(SourceError):
            await near.upload_file("env", KEY, media, size=400_000)
    assert sim.cloud_files == {}


async def test_a_refused_token_is_replaced(near: WxSession, sim: Simulator) -> None:
    """The leave is a call like any other: its token is refreshed once."""
    await near.count_materials()
    sim.revoke_tokens()
    sim.advance(40)
    assert await near.upload_file("env", KEY, io.BytesIO(b"1")) in sim.cloud_files


async def echo(request: RawRequest, connection: Connection) -> None:
    """Answer as a gateway does that shows the whole request."""
    await connection.send(reply(b"<html>" + request.head + request.body[:900], status="502 Bad Gateway"))


@pytest.mark.parametrize("answer", [reset, echo, EXPIRED, refusal("AccessDenied", "CANARY-authorization-1")])
async def test_no_secret_of_the_leave_is_shown(wx: WxSession, storage: Storage, answer: bytes | Handler) -> None:
    """Address, signature, token and id of the leave are in no error, traceback or pickle, also where it is echoed."""
    storage.answers = [answer]
    storage.link = storage.server.url + "/bucket/key?CANARY"
    with pytest.raises(WxAssetError) as caught:
        await wx.upload_file("env", KEY, b"1")
    assert "CANARY" not in everything_shown(caught.value)
    assert str(copy.copy(caught.value)) == str(caught.value)
