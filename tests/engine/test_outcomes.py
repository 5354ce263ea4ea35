"""What a caller is told when a reply is lost: nothing is sent twice that might have happened."""

import gc
import io
import pickle
import time
import weakref
from typing import Any

import anyio
import pytest

from declared import AddKefuImage, Domains, GetDomains, GetPoster, MakeDraft, Poster
from policies import PATIENT
from raw_server import Connection, Handler, RawRequest, RawServer, forever, reply, reset
from wxasset import Ack, Call, Download, Effect, RetryPolicy, Route, Timeouts, Token, Upload, UploadPolicy, WxSession
from wxasset.errors import (
    APIError,
    BusyError,
    ConnectError,
    DecodeError,
    HTTPStatusError,
    MediaNotFoundError,
    QuotaExceededError,
    RateLimitedError,
    TransferError,
    UploadOutcomeUnknown,
    UsageError,
)
from wxasset.simulator import Simulator

PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
OK = reply({"errcode": 0, "errmsg": "ok"})
BUSY = reply({"errcode": -1, "errmsg": "system error hint: [NX0zcA05993060]"})
GONE = reply({"errcode": 40007, "errmsg": "invalid media_id"})

LOST: dict[str, bytes | Handler] = {
    "a reset": reset,
    "a cut answer": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    "a cut header": b"HTTP/1.1 200",
    "no HTTP at all": b"\x00\x01\x02\r\n\r\n",
    "a 502": reply(b"<html>502 Bad Gateway</html>", "text/html", status="502 Bad Gateway"),
    "a page of HTML": reply(b"<html>Please log in</html>", "text/html"),
    "-1": BUSY,
    "half of the JSON": reply(b'{"media_id":"M'),
    "JSON without the id": reply({}),
}


async def and_close(step: bytes | Handler) -> Handler:
    """Take a step, and close the connection behind it."""

    async def do(request: RawRequest, connection: Connection) -> None:
        if isinstance(step, bytes):
            await connection.send(step)
        else:
            await step(request, connection)
        connection.writer.close()

    return do


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("upload", ["add_material", "upload_media", "upload_image"])
async def test_an_upload_whose_reply_is_lost_is_not_repeated(
    raw: WxSession, server: RawServer, fault: str, upload: str
) -> None:
    """Once WeChat had all of it, an upload without a clear answer is `UploadOutcomeUnknown`, sent exactly once."""
    server.script = [await and_close(LOST[fault])]
    before = time.time()
    kind = () if upload == "upload_image" else ("image",)
    wx = raw.with_options(uploads=UploadPolicy(reconcile="raise"))
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await getattr(wx, upload)(*kind, PHOTO, filename="海报")
    error = caught.value
    assert len(server.requests) == 1
    assert (error.filename, error.type, error.size) == ("海报.jpg", "image", len(PHOTO))
    assert error.path == server.requests[0].path
    assert before <= error.started_at <= error.ended_at <= time.time()
    assert error.reason in str(error)
    assert ("error.resolve(wx)" in str(error)) is (upload == "add_material"), "the only list that there is"
    assert pickle.loads(pickle.dumps(error)).filename == "海报.jpg"  # noqa: S301 - our own bytes


async def test_an_upload_that_is_not_answered_in_time(server: RawServer) -> None:
    """Silence after the last byte is an unknown outcome as well."""
    server.script = [forever]
    options: dict[str, Any] = {"timeouts": Timeouts(stall=0.1), "uploads": UploadPolicy(reconcile="raise")}
    async with WxSession("wx1", "s", base_url=server.url, retry=PATIENT, **options) as wx:
        with pytest.raises(UploadOutcomeUnknown, match="did not answer"):
            await wx.add_material("image", PHOTO)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("errcode", "cls"), [(45009, QuotaExceededError), (48001, APIError), (99999, APIError)])
async def test_a_refusal_is_final(raw: WxSession, server: RawServer, errcode: int, cls: type[APIError]) -> None:
    """A clear no is raised at once, for uploads as for reads."""
    server.script = [reply({"errcode": errcode, "errmsg": "no"})]
    for call in (raw.add_material("image", PHOTO), raw.count_materials(), raw.del_material("M")):
        with pytest.raises(cls) as caught:
            await call
        assert caught.value.errcode == errcode
    assert len(server.requests) == 3


async def test_the_next_minute_is_not_waited_for_without_the_time(raw: WxSession, server: RawServer) -> None:
    """45011 is raised at once where the call would be over before the minute is."""
    server.script = [reply({"errcode": 45011, "errmsg": "api minute-quota reach limit"})]
    wx = raw.with_options(
        retry=RetryPolicy(timeout=1e-3 + 60 - time.time() % 60 - 0.5 if time.time() % 60 < 59 else 0.1)
    )
    for call in (wx.add_material("image", PHOTO), wx.count_materials(), wx.del_material("M")):
        with pytest.raises(RateLimitedError):
            await call
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", sorted(LOST.keys() - {"JSON without the id"}))  # which says "done" to a deletion
async def test_a_delete_whose_reply_is_lost_is_repeated(raw: WxSession, server: RawServer, fault: str) -> None:
    """A deletion is made again after a lost reply, and "already gone" is then what was asked for."""
    server.script = [await and_close(LOST[fault]), GONE]
    await raw.del_material("M")
    assert len(server.requests) == 2


async def test_already_gone_is_an_error_at_the_first_attempt(raw: WxSession, server: RawServer) -> None:
    """40007 without an earlier lost reply is what it says; a refused token casts no doubt."""
    server.script = [GONE]
    with pytest.raises(MediaNotFoundError):
        await raw.del_material("M")
    server.script = [reply({"errcode": 40001, "errmsg": "invalid credential"}), GONE]
    with pytest.raises(MediaNotFoundError):
        await raw.del_material("M")


@pytest.mark.parametrize("fault", LOST)
async def test_a_read_whose_reply_is_lost_is_repeated(raw: WxSession, server: RawServer, fault: str) -> None:
    """A read is made again, three times in all, and the last error is raised; a kept connection may break for free."""
    server.script = [await and_close(LOST[fault])]
    with pytest.raises((TransferError, HTTPStatusError, DecodeError, BusyError, APIError)):
        await raw.count_materials()
    assert len(server.requests) == (4 if fault == "a reset" else 3)


async def test_the_policy_sets_the_number_of_attempts(server: RawServer) -> None:
    """`RetryPolicy(attempts=1)` tries once; waits are made between attempts, and bounded by `timeout`."""
    server.script = [BUSY]
    for policy, attempts in (
        (RetryPolicy(attempts=1), 1),
        (RetryPolicy(attempts=5, wait_initial=0.001, wait_jitter=0), 5),
        (RetryPolicy(attempts=5, timeout=5, wait_initial=60, wait_max=60, wait_jitter=0), 1),
    ):
        server.requests.clear()
        async with WxSession("wx1", "s", base_url=server.url, retry=policy) as wx:
            with pytest.raises(BusyError):
                await wx.count_materials()
        assert len(server.requests) == attempts


async def test_nothing_sent_is_tried_again_also_for_uploads() -> None:
    """Where no connection could be made an upload is tried again, once more from its source."""
    async with RawServer() as server:
        url = server.url
    async with WxSession(tokens=Fixed(), base_url=url, retry=PATIENT) as wx:
        with pytest.raises(ConnectError):
            await wx.add_material("image", PHOTO)


async def test_cancelling_a_call_closes_its_connection(raw: WxSession, server: RawServer) -> None:
    """A cancelled call leaves no task and no request under way, and the session goes on."""
    arrived = anyio.Event()

    async def wait(_: RawRequest, __: Connection) -> None:
        arrived.set()
        await anyio.sleep_forever()

    server.script = [wait, OK]
    async with anyio.create_task_group() as group:
        group.start_soon(raw.del_material, "M")
        await arrived.wait()
        group.cancel_scope.cancel()
    await raw.del_material("M")
    assert len(server.requests) == 2


# Declared calls of the user's own


class Fixed:
    """A source whose token never changes."""

    async def fetch(self, exchange: Any, *, previous: Any, rejected: bool) -> Any:
        """Give it."""
        del exchange, previous, rejected
        return Token(value="fixed", expires_in=7200)


def test_declared_calls() -> None:
    """The classes for declaring calls are public."""
    assert issubclass(Upload, Call)
    assert issubclass(Download, Call)
    assert Route(path="/x", effect=Effect.READ).method == "POST"
    assert Ack() == Ack()


async def test_an_endpoint_of_ones_own(raw: WxSession, server: RawServer) -> None:
    """A declared call of the user's own is sent, decoded and typed like the package's."""
    server.script = [
        reply({"ip_list": ["101.89.47.18"]}),
        reply({"errcode": 0, "errmsg": "ok"}),
        reply({"title": "t"}),
        reply(PHOTO),
    ]
    domains = await raw.call(GetDomains())
    assert domains == Domains(ip_list=("101.89.47.18",))
    await raw.call(AddKefuImage(account="客服@x"), media=PHOTO, filename="头像")
    assert await raw.call(GetPoster(scene="一", width=280)) == Poster(title="t")
    to = await raw.call(GetPoster(scene="一", width=280), to=io.BytesIO())
    assert to.size == len(PHOTO)  # type: ignore[union-attr]  # what a binary answer becomes

    get, upload, poster, _ = server.requests
    assert get.line.startswith("GET /cgi-bin/get_api_domain_ip?access_token=token-1-")
    assert "&account=%E5%AE%A2%E6%9C%8D@x" in upload.line
    assert 'name="media"; filename="头像.jpg"'.encode() in upload.body
    assert poster.body == '{"scene":"一","width":280}'.encode()


async def test_arguments_that_do_not_fit_a_call(raw: WxSession, server: RawServer) -> None:
    """`media=` belongs to an `Upload`, `to=` to a `Download`."""
    for call, options in (
        (GetDomains(), {"media": PHOTO}),
        (GetDomains(), {"to": "x"}),
        (AddKefuImage(account="x"), {}),
    ):
        with pytest.raises(UsageError, match="an Upload takes media="):
            await raw.call(call, **options)
    assert server.requests == []


async def test_a_create_without_a_file_is_not_repeated_either(raw: WxSession, server: RawServer) -> None:
    """A declared CREATE whose response is lost is of unknown outcome too, sent exactly once."""
    server.script = [reset]
    with pytest.raises(UploadOutcomeUnknown, match="The request to /cgi-bin/draft/add") as caught:
        await raw.call(MakeDraft(title="t"))
    assert (caught.value.filename, caught.value.size, caught.value.listing) == ("", 0, None)
    assert "upload" not in caught.value.hint.english
    assert len(server.requests) == 1


async def test_an_error_is_freed_without_the_garbage_collector(wx: WxSession, photo: bytes, sim: Simulator) -> None:
    """Error and frames do not hold each other: an error let go of takes the media that its frames hold with it."""
    sim.fail("add_material", "errcode:45009")
    kept: list[weakref.ref[QuotaExceededError]] = []
    gc.disable()
    try:
        try:
            await wx.add_material("image", photo)
        except QuotaExceededError as error:
            kept.append(weakref.ref(error))
        assert [reference() for reference in kept] == [None]
    finally:
        gc.enable()
