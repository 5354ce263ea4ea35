"""What a session tells of its work: each thing once, in order, within its scope, and nothing that is secret."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from canaries import FAULTS, SECRET, TOKEN, token_reply
from policies import PATIENT
from raw_server import RawServer, forever, reply, reset
from wxasset import (
    ClassicToken,
    DownloadPolicy,
    Hooks,
    MemoryTokenStore,
    NoToken,
    RetryPolicy,
    Timeouts,
    UploadOutcomeUnknown,
    UploadPolicy,
    Video,
    WxSession,
)
from wxasset.errors import (
    APIError,
    CredentialError,
    HTTPStatusError,
    TokenRejectedError,
    TransferError,
    UsageError,
    WxAssetError,
)
from wxasset.instrumentation.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    OperationEnded,
    OperationStarted,
    Progressed,
    ReplyLost,
    Retrying,
    Searched,
    Started,
    TokenFetched,
    TokenFetchFailed,
    TokenFetchStarted,
    TokenRefused,
)
from wxasset.simulator import Simulator

PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)
COUNTED = reply({"voice_count": 1, "video_count": 1, "image_count": 1, "news_count": 1})
TOKEN_CALL = ["+token StableToken", "+GetStableAccessToken", "+1", "-1 ok", "-GetStableAccessToken ok", "-token"]


@define
class Watcher:
    """Keeps what it is told.

    Attributes:
        events: All events, in order.
        open: The scopes that are open, the innermost last.
        errors: What scopes were left with.
        busy: Set when an attempt has started.
    """

    busy: asyncio.Event = field(factory=asyncio.Event)
    events: list[Event] = field(factory=list)
    open: list[Started] = field(factory=list)
    errors: list[BaseException] = field(factory=list)

    @contextmanager
    def around(self, event: Started) -> Iterator[None]:
        """Open a scope."""
        self.open.append(event)
        try:
            yield
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self.open.remove(event)

    @property
    def hooks(self) -> Hooks:
        """Hooks that tell this one."""
        return Hooks(on_event=self.see, around=self.around)

    def see(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        if isinstance(event, AttemptStarted):
            self.busy.set()

    def of(self, *kinds: type) -> list[Any]:
        """The events of some kinds."""
        return [one for one in self.events if isinstance(one, kinds)]

    @property
    def story(self) -> list[str]:
        """The events, each in a word or two."""
        return [word(one) for one in self.events]


WORDS: dict[type, Callable[[Any], str]] = {
    OperationStarted: lambda one: f"+{one.operation.name}",
    OperationEnded: lambda one: f"-{one.operation.name} {one.outcome}",
    AttemptStarted: lambda one: f"+{one.number}",
    AttemptEnded: lambda one: f"-{one.number} {one.outcome}",
    Retrying: lambda one: f"again: {one.reason}",
    TokenFetchStarted: lambda one: f"+token {one.fetch.source}",
    TokenFetched: lambda _: "-token",
    TokenFetchFailed: lambda _: "-token failed",
    TokenRefused: lambda _: "refused",
    ReplyLost: lambda _: "lost",
    Searched: lambda one: str(one.finding),
    Progressed: lambda one: f"{one.done}/{one.total}",
}


def word(event: Event) -> str:
    """Say an event in a word or two."""
    return WORDS[type(event)](event)


@pytest.fixture
def watcher() -> Watcher:
    """Somebody who watches."""
    return Watcher()


@pytest.fixture
def watched(wx: WxSession, watcher: Watcher) -> WxSession:
    """A session on the simulator that is watched, with a token that was not."""
    return wx.with_options(hooks=watcher.hooks)


async def with_token(wx: WxSession, watcher: Watcher) -> None:
    """Fetch the token, and forget that."""
    await wx.count_materials()
    watcher.events.clear()


async def test_a_success_is_told_in_order(sim: Simulator, watcher: Watcher) -> None:
    """The operation begins, its token comes, its one attempt succeeds, and it ends; each says what it knows."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, hooks=watcher.hooks) as wx:
        await wx.count_materials()
    assert watcher.story == ["+CountMaterials", *TOKEN_CALL, "+1", "-1 ok", "-CountMaterials ok"]
    (fetched,) = watcher.of(TokenFetched)
    assert (fetched.fetch.source, fetched.shared) == ("StableToken", False)
    assert 0 < fetched.expires_in <= 7200
    ended, attempt = watcher.events[-1], watcher.events[-2]
    assert isinstance(ended, OperationEnded)
    assert isinstance(attempt, AttemptEnded)
    operation = ended.operation
    assert (operation.path, operation.method) == ("/cgi-bin/material/get_materialcount", "GET")
    assert (operation.origin, operation.size, operation.effect.value) == (sim.url, None, "read")
    assert (attempt.status, attempt.sent, attempt.error, attempt.errcode, attempt.message) == (200, 0, None, None, "")
    assert attempt.received > len('{"voice_count":0}')
    assert 0 < attempt.duration < ended.duration < 10
    assert (ended.attempts, ended.error, ended.media_id) == (1, None, None)
    assert watcher.open == []


async def test_a_retry_after_503_is_told(wx: WxSession, watched: WxSession, sim: Simulator, watcher: Watcher) -> None:
    """The first attempt failed with its status, the retry says why and how long it waits, the second one succeeds."""
    await with_token(wx, watcher)
    sim.fail("get_materialcount", "status:503")
    await watched.with_options(retry=RetryPolicy(wait_initial=0.01, wait_jitter=0)).count_materials()
    expected = ["+CountMaterials", "+1", "-1 failed", "again: http_status", "+2", "-2 ok", "-CountMaterials ok"]
    assert watcher.story == expected
    failed, retry = watcher.of(AttemptEnded)[0], watcher.of(Retrying)[0]
    assert isinstance(failed.error, HTTPStatusError)
    assert (failed.status, failed.errcode) == (503, None)
    assert (retry.number, retry.wait, retry.error) == (1, 0.01, failed.error)
    assert watcher.of(OperationEnded)[0].attempts == 2
    assert watcher.errors == [failed.error], "the scope of the attempt saw it, and that of the operation did not"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("errcode:-1", "busy"),
        ("errcode:45011", "throttled"),
        ("status:429", "throttled"),
        ("empty-after-commit", "reply_lost"),
        ("cut-reply-after-10", "reply_lost"),
    ],
)
async def test_each_retry_says_why(
    wx: WxSession, watched: WxSession, sim: Simulator, watcher: Watcher, fault: str, reason: str
) -> None:
    """What made another attempt necessary is told in one of a few words."""
    await with_token(wx, watcher)
    sim.fail("get_materialcount", fault)

    async def at_once(_: float) -> None:
        pass

    watched._engine.sleep = at_once
    await watched.count_materials()
    assert [one.reason for one in watcher.of(Retrying)] == [reason]


async def test_what_was_not_sent_says_so(watcher: Watcher) -> None:
    """Where there is nobody to connect to, each attempt failed with nothing sent, and the operation with its error."""
    async with Simulator() as gone:
        url = gone.url
    async with WxSession(tokens=NoToken(), base_url=url, retry=PATIENT, hooks=watcher.hooks) as wx:
        with pytest.raises(WxAssetError) as caught:
            await wx.del_material("M")
    retries = ["again: not_sent", "+2", "-2 failed", "again: not_sent", "+3", "-3 failed"]
    first = ["+DeleteMaterial", "+token NoToken", "-token", "+1", "-1 failed"]
    assert watcher.story == [*first, *retries, "-DeleteMaterial failed"]
    assert {(one.status, one.sent, one.received) for one in watcher.of(AttemptEnded)} == {(None, 0, 0)}
    assert watcher.of(OperationEnded)[-1].error is caught.value


async def test_a_stale_connection_is_told(server: RawServer, watcher: Watcher) -> None:
    """An attempt in place of one on a connection that the server had let go of counts, and says so."""
    server.script = [COUNTED]
    async with WxSession(tokens=NoToken(), base_url=server.url, hooks=watcher.hooks) as wx:
        await wx.count_materials()
        server.script = [reset, COUNTED]
        watcher.events.clear()
        await wx.count_materials()
    assert "again: stale_connection" in watcher.story
    assert [one.number for one in watcher.of(AttemptStarted)] == [1, 2]


async def test_a_refused_token_is_told(sim: Simulator, watcher: Watcher) -> None:
    """The refusal is told with WeChat's code; then a fetch, in the operation; then the attempt that succeeds."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, hooks=watcher.hooks) as wx:
        await with_token(wx, watcher)
        sim.revoke_tokens()
        await wx.count_materials()
    first = ["+CountMaterials", "+1", "-1 failed", "refused", "again: token_refused"]
    assert watcher.story == [*first, *TOKEN_CALL, "+2", "-2 ok", "-CountMaterials ok"]
    (refused,) = watcher.of(TokenRefused)
    assert isinstance(refused.error, TokenRejectedError)
    assert (refused.errcode, bool(refused.rid)) == (40001, True)
    assert refused.operation is watcher.of(OperationStarted)[0].operation


async def test_a_refused_secret_is_told(sim: Simulator, watcher: Watcher) -> None:
    """A fetch that fails ends, as do the operation of its own and the one that waited, all with the same refusal."""
    async with WxSession(sim.appid, SECRET, base_url=sim.url, hooks=watcher.hooks) as wx:
        with pytest.raises(CredentialError):
            await wx.count_materials()
    token = ["+token StableToken", "+GetStableAccessToken", "+1", "-1 failed", "-GetStableAccessToken failed"]
    assert watcher.story == ["+CountMaterials", *token, "-token failed", "-CountMaterials failed"]
    assert {one.errcode for one in watcher.of(TokenFetchFailed, OperationEnded)} == {40125}
    assert watcher.of(OperationEnded)[-1].attempts == 0
    assert watcher.open == []


async def test_a_token_from_the_store_is_told(sim: Simulator, watcher: Watcher) -> None:
    """A token that another session has put into the store comes without a call, and is said to be shared."""
    store = MemoryTokenStore()
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, store=store) as first:
        await first.count_materials()
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, store=store, hooks=watcher.hooks) as wx:
        await wx.count_materials()
    assert watcher.story[:3] == ["+CountMaterials", "+token StableToken", "-token"]
    assert watcher.of(TokenFetched)[0].shared


async def test_a_lost_reply_that_is_found_is_told(
    wx: WxSession, watched: WxSession, sim: Simulator, watcher: Watcher
) -> None:
    """The reply is lost, the library is listed in an operation of its own, and the upload ends well with its id."""
    await with_token(wx, watcher)
    sim.fail("add_material", "reset-after-commit")
    added = await watched.add_material("image", PHOTO)
    listing = ["+ListMaterials", "+1", "-1 ok", "-ListMaterials ok"]
    size = f"{len(PHOTO)}/{len(PHOTO)}"
    assert watcher.story == ["+AddMaterial", "+1", size, "-1 failed", "lost", *listing, "found", "-AddMaterial ok"]
    (lost,), (searched,) = watcher.of(ReplyLost), watcher.of(Searched)
    assert isinstance(lost.error, TransferError)
    assert searched.candidates == 1
    ended = watcher.of(OperationEnded)[-1]
    assert (ended.media_id, ended.operation.size, ended.error) == (added.media_id, len(PHOTO), None)


async def test_an_unknown_outcome_is_told(wx: WxSession, watched: WxSession, sim: Simulator, watcher: Watcher) -> None:
    """An upload whose reply was lost and that the library does not show ends as unknown, with the error raised."""
    await with_token(wx, watcher)
    sim.fail("add_material", "reset-before-commit")
    with pytest.raises(UploadOutcomeUnknown) as caught:
        await watched.with_options(uploads=UploadPolicy(visibility=0)).add_material("image", PHOTO)
    assert watcher.story[-2:] == ["missing", "-AddMaterial unknown"]
    assert watcher.of(OperationEnded)[-1].error is caught.value


async def test_a_download_is_told_with_its_progress(
    wx: WxSession, watched: WxSession, watcher: Watcher, tmp_path: Path
) -> None:
    """A download tells the hooks how far it is, and whoever the caller named as well; all its bytes are counted."""
    added = await wx.add_material("image", PHOTO)
    told: list[tuple[int, int | None]] = []
    await watched.get_material(added.media_id, tmp_path / "out.jpg", progress=lambda *step: told.append(step))
    steps = watcher.of(Progressed)
    assert [(one.done, one.total) for one in steps] == told
    assert told[-1] == (len(PHOTO), len(PHOTO))
    assert {one.direction for one in steps} == {"download"}
    (attempt,) = watcher.of(AttemptEnded)
    assert attempt.received == len(PHOTO)
    assert attempt.sent > len(added.media_id)
    assert watcher.of(OperationEnded)[0].media_id == added.media_id
    assert [word(one)[0] for one in watcher.events] == ["+", "+", *(str(len(PHOTO))[0] for _ in steps), "-", "-"]


async def test_an_upload_is_told_with_its_progress(wx: WxSession, watched: WxSession, watcher: Watcher) -> None:
    """An upload tells how far it is in bytes of the file; what was sent is the frame besides."""
    await with_token(wx, watcher)
    await watched.add_material("image", PHOTO)
    (step,), (attempt,) = watcher.of(Progressed), watcher.of(AttemptEnded)
    assert (step.direction, step.done, step.total) == ("upload", len(PHOTO), len(PHOTO))
    assert len(PHOTO) < attempt.sent < len(PHOTO) + 500


async def test_an_upload_that_breaks_has_sent_less(
    wx: WxSession, watched: WxSession, sim: Simulator, watcher: Watcher
) -> None:
    """What was sent of an upload that broke in the middle is counted as far as it went."""
    await with_token(wx, watcher)
    sim.fail("add_material", "reset-after-64K")
    big = b"\xff\xd8\xff\xe0" + bytes(8_000_000)
    await watched.add_material("image", big)
    first, second = watcher.of(AttemptEnded)
    assert 0 < first.sent < len(big) < second.sent


async def test_an_open_material_ends_when_it_is_in_hand(wx: WxSession, watched: WxSession, watcher: Watcher) -> None:
    """The attempt and the operation end before the block begins: what is done in it is no scope of theirs."""
    added = await wx.add_material("image", PHOTO)
    async with watched.open_material(added.media_id) as material:
        assert watcher.story == ["+GetMaterial", "+1", "-1 ok", "-GetMaterial ok"]
        assert watcher.open == []
        assert await material.read() == PHOTO  # type: ignore[union-attr]  # an image is a stream


async def test_cloud_files_are_told(wx: WxSession, watched: WxSession, watcher: Watcher, tmp_path: Path) -> None:
    """A cloud file is two operations each way, with the bytes and the progress in that of its contents."""
    await with_token(wx, watcher)
    local = watched.with_options(downloads=DownloadPolicy(allow_private_hosts=True))
    fileid = await local.upload_file("env-1", "a/photo.jpg", PHOTO)
    size = f"{len(PHOTO)}/{len(PHOTO)}"
    start = ["+StartUpload", "+1", "-1 ok", "-StartUpload ok"]
    assert watcher.story == [*start, "+PutFile", "+1", size, "-1 ok", "-PutFile ok"]
    sent = watcher.of(AttemptEnded)[-1]
    assert (sent.status in (200, 204), sent.sent > len(PHOTO)) == (True, True)
    watcher.events.clear()
    await local.download_file("env-1", fileid, tmp_path / "copy.jpg")
    assert watcher.story[-5:] == ["+FetchFile", "+1", size, "-1 ok", "-FetchFile ok"]
    assert watcher.of(AttemptEnded)[-1].received == len(PHOTO)


async def test_the_address_of_a_link_is_not_told(watcher: Watcher, server: RawServer, tmp_path: Path) -> None:
    """Of a link that WeChat gave the host is told, and nothing of its path and query, which are signed."""
    async with WxSession(tokens=NoToken(), base_url=server.url, retry=PATIENT, hooks=watcher.hooks) as wx:
        for link in ("http://127.0.0.1:8080/CANARYPATH?sign=CANARY", "nowhere at all", "http://[", ""):
            with pytest.raises(WxAssetError):
                await wx.download_video(Video(title="t", description="d", down_url=link), tmp_path)
    assert [one.operation.origin for one in watcher.of(OperationStarted)] == [
        "http://127.0.0.1:8080",
        "",
        "",
        "",
    ]
    assert "CANARY" not in repr(watcher.events)


async def test_a_cancellation_closes_every_scope(server: RawServer, watcher: Watcher) -> None:
    """What is cancelled ends as cancelled, the attempt within the operation, and no scope stays open."""
    server.script = [forever]
    async with WxSession(tokens=NoToken(), base_url=server.url, hooks=watcher.hooks) as wx:
        task = asyncio.create_task(wx.count_materials())
        await asyncio.wait_for(watcher.busy.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert watcher.story[-2:] == ["-1 cancelled", "-CountMaterials cancelled"]
    assert watcher.open == []
    assert [type(one) for one in watcher.errors] == [asyncio.CancelledError] * 2


async def test_a_fetch_that_is_cancelled_ends(server: RawServer, watcher: Watcher) -> None:
    """A session that is closed while a token is fetched leaves no scope open."""
    server.token_script = [forever]
    async with WxSession("wx1", SECRET, base_url=server.url, hooks=watcher.hooks) as wx:
        task = asyncio.create_task(wx.count_materials())
        await asyncio.wait_for(watcher.busy.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert sorted(watcher.story[-4:]) == sorted(
        ["-CountMaterials cancelled", "-1 cancelled", "-GetStableAccessToken cancelled", "-token failed"]
    )
    assert watcher.open == []


async def test_each_request_of_a_batch_is_an_operation(
    wx: WxSession, watched: WxSession, sim: Simulator, watcher: Watcher
) -> None:
    """A deletion of 120 files is three operations at once, each with its attempts; the one that failed says so."""
    await with_token(wx, watcher)
    fileids = [sim.add_cloud_file("env-1", f"{number}.bin", b"x") for number in range(120)]
    sim.fail("/tcb/batchdeletefile", "status:503")
    report = await watched.batch_delete_file("env-1", fileids)
    assert len(report.deleted) == 120
    started = [one.operation for one in watcher.of(OperationStarted)]
    assert [one.name for one in started] == ["BatchDeleteFile"] * 3
    told = {
        operation: [word(one) for one in watcher.events if getattr(one, "operation", None) is operation]
        for operation in started
    }
    plain = ["+BatchDeleteFile", "+1", "-1 ok", "-BatchDeleteFile ok"]
    again = ["+BatchDeleteFile", "+1", "-1 failed", "again: http_status", "+2", "-2 ok", "-BatchDeleteFile ok"]
    assert sorted(told.values()) == sorted([again, plain, plain])


def raising(_: object) -> Any:
    """A hook that fails."""
    raise RuntimeError("who watches fails")


@contextmanager
def failing_on_leaving(_: Started) -> Iterator[None]:
    """A scope that fails when it is left."""
    yield
    raise RuntimeError("who watches fails")


@contextmanager
def suppressing(_: Started) -> Iterator[None]:
    """A scope that hides what happens in it."""
    with suppress(BaseException):
        yield


@pytest.mark.parametrize(
    ("hooks", "kinds"),
    [
        (Hooks(on_event=raising), 6),
        (Hooks(around=raising), 3),
        (Hooks(around=failing_on_leaving), 3),
        (Hooks(around=lambda _: 1), 3),  # type: ignore[arg-type, return-value]  # the point of the test
    ],
)
async def test_a_hook_that_raises_breaks_nothing(
    sim: Simulator, hooks: Hooks, kinds: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a hook raises, calls go on; it is logged with its traceback, once for each kind of event."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, hooks=hooks) as wx:
        for _ in range(3):
            await wx.count_materials()
    records = [one for one in caplog.records if one.name == "wxasset.hooks"]
    assert len(records) == kinds
    assert all(one.exc_info is not None and one.levelno == logging.ERROR for one in records)


async def test_a_scope_cannot_hide_an_error(sim: Simulator) -> None:
    """What is raised inside a scope comes out of it, whatever the hook wants."""
    async with WxSession(sim.appid, SECRET, base_url=sim.url, hooks=Hooks(around=suppressing)) as wx:
        with pytest.raises(CredentialError):
            await wx.count_materials()


class Reraising(nullcontext[None]):
    """A scope that raises the error it sees, as some do, instead of letting it pass."""

    def __exit__(self, *seen: object) -> None:
        """Raise it."""
        if isinstance(seen[1], BaseException):
            raise seen[1]


async def test_a_scope_may_raise_what_it_sees(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """That is the call's own error, and no failure of the hook."""
    async with WxSession(sim.appid, SECRET, base_url=sim.url, hooks=Hooks(around=lambda _: Reraising())) as wx:
        with pytest.raises(CredentialError):
            await wx.count_materials()
    assert not [one for one in caplog.records if one.name == "wxasset.hooks"]


async def test_a_scope_sees_the_error_without_what_is_below(server: RawServer) -> None:
    """The error that a scope is left with holds neither the request nor aiohttp's own error."""
    server.script = [reply({"errcode": 48001, "errmsg": "no"})]
    seen: list[str] = []

    @contextmanager
    def around(event: Started) -> Iterator[None]:
        try:
            yield
        except APIError as error:
            if isinstance(event, AttemptStarted):
                frames = traceback.extract_tb(error.__traceback__)
                seen.extend(frame.name for frame in frames if "/wxasset/" in frame.filename)
            raise

    async with WxSession(tokens=NoToken(), base_url=server.url, hooks=Hooks(around=around)) as wx:
        with pytest.raises(APIError):
            await wx.count_materials()
    assert set(seen) <= {"watched"}


async def test_two_who_watch_are_both_told(wx: WxSession) -> None:
    """`also` tells one after the other, opens the scopes of the first around those of the second; one may fail."""
    order: list[str] = []

    def hooks(name: str) -> Hooks:
        @contextmanager
        def around(_: Started) -> Iterator[None]:
            order.append(f"{name} in")
            yield
            order.append(f"{name} out")

        return Hooks(on_event=lambda event: order.append(f"{name} {word(event)}"), around=around)

    await wx.count_materials()
    await wx.with_options(hooks=hooks("a").also(hooks("b")).also(Hooks(on_event=raising))).count_materials()
    inner = ["a in", "b in", "a +1", "b +1", "a -1 ok", "b -1 ok", "b out", "a out"]
    start, end = "CountMaterials", "CountMaterials ok"
    assert order == ["a in", "b in", f"a +{start}", f"b +{start}", *inner, f"a -{end}", f"b -{end}", "b out", "a out"]
    one = hooks("a")
    assert one.also(Hooks()) is Hooks().also(one) is one


async def test_options_have_their_own_hooks(wx: WxSession, watcher: Watcher) -> None:
    """`with_options` replaces the hooks for its own calls alone; other options keep them."""
    await with_token(wx, watcher)
    watched = wx.with_options(hooks=watcher.hooks)
    await wx.count_materials()
    assert watcher.events == []
    await watched.with_options(retry=PATIENT).count_materials()
    assert len(watcher.events) == 4
    await watched.with_options(hooks=Hooks()).count_materials()
    assert len(watcher.events) == 4


async def test_the_environment_takes_hooks(sim: Simulator, watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """`from_env(hooks=)` is as the constructor."""
    for name, value in {"APPID": sim.appid, "SECRET": sim.secret, "BASE_URL": sim.url}.items():
        monkeypatch.setenv(f"WXASSET_{name}", value)
    async with WxSession.from_env(hooks=watcher.hooks) as wx:
        await wx.count_materials()
    assert watcher.story[-1] == "-CountMaterials ok"


async def _coroutine(_: object) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Hooks(on_event=_coroutine), "async function"),
        (lambda: Hooks(on_event="log"), "function of one event"),  # type: ignore[arg-type]  # the point of the test
        (lambda: WxSession("a", "b", hooks=print), "hooks= is a Hooks"),  # type: ignore[arg-type]  # the same
    ],
)
def test_what_is_no_hook_is_refused(make: Callable[[], object], message: str) -> None:
    """An async function would never be awaited, so it is refused at once, as is what cannot be called."""
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["token", "call"])
async def test_no_event_has_a_secret(server: RawServer, watcher: Watcher, fault: Any, at: str) -> None:
    """Whatever a peer does, also where it repeats the request: no event shows the secret or the token."""
    server.token_script = [fault if at == "token" else token_reply()]
    server.script = [fault]
    source, quick = ClassicToken("wx1", SECRET), Timeouts(stall=0.05)
    async with WxSession(tokens=source, base_url=server.url, retry=PATIENT, timeouts=quick, hooks=watcher.hooks) as wx:
        for call in (wx.count_materials(), wx.add_material("image", PHOTO), wx.del_material("M")):
            with suppress(WxAssetError):
                await call
    assert len(watcher.events) > 10
    shown = repr(watcher.events) + "".join(getattr(one, "message", "") for one in watcher.events)
    assert "CANARY" not in shown
    assert TOKEN[:20] not in shown


def test_a_message_is_one_line() -> None:
    """What a server says cannot begin another line of a log; an error from elsewhere is told by its class alone."""
    error = WxAssetError("bad\r\nlevel=ERROR \x1b[31m 图")
    assert ReplyLost(operation=None, error=error).message == "bad  level=ERROR  [31m 图"  # type: ignore[arg-type]
    assert ReplyLost(operation=None, error=OSError("/home/me")).message == "OSError"  # type: ignore[arg-type]
