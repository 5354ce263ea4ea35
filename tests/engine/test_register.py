"""Uploads of several workers under one name: no one gets the material of another."""

import asyncio
import gc
import json
import pickle
import random
import re
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define, field

from lossy_library import PHOTO, QUICK, Library
from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import Limits, StableToken, Timeouts, TokenCache, UploadOutcomeUnknown, UploadPolicy, WxSession
from wxasset.engine.register import UploadRegister, random_mark

OTHER = PHOTO[:-1] + b"\x01"
LARGE = PHOTO + bytes(8_000_000)


def session(server: RawServer, appid: str = "wx1", **options: Any) -> WxSession:
    """Return a session; one of another appid stands for another process."""
    return WxSession(appid, "s", base_url=server.url, retry=PATIENT, **{"uploads": QUICK} | options)


@define
class Meeting(Library):
    """A library that loses the request with `PHOTO`, after another one has been carried out."""

    named: list[str] = field(factory=list)
    other: asyncio.Event = field(factory=asyncio.Event)

    async def _add(self, request: RawRequest, connection: Connection) -> None:
        if PHOTO in request.body:
            await self.other.wait()
            connection.reset()
            return
        self.commits, self.answers = [True], [True]
        await super()._add(request, connection)
        self.other.set()


async def meet(server: RawServer, one: WxSession, other: WxSession, **options: Any) -> tuple[Any, Any]:
    """Upload two media at the same time, the first of which is lost."""
    server.script = [Meeting()]
    async with one, other:
        results = await asyncio.gather(
            one.add_material("image", PHOTO, **options),
            other.add_material("image", OTHER, **options),
            return_exceptions=True,
        )
    return results[0], results[1]


@pytest.mark.parametrize("shared", [True, False])
async def test_media_without_a_name_is_not_taken_for_anothers(server: RawServer, *, shared: bool) -> None:
    """Two workers send bytes without a name: the one whose request was lost gets no result, rather than the other's."""
    cache = TokenCache(StableToken("wx1", "s"))
    options: dict[str, Any] = {"base_url": server.url, "retry": PATIENT, "uploads": QUICK}
    sessions = [WxSession(tokens=cache, **options) if shared else session(server) for _ in range(2)]
    lost, other = await meet(server, *sessions)
    assert isinstance(lost, UploadOutcomeUnknown)
    assert (other.media_id, other.reconciled) == ("MEDIA0", False)
    assert lost.candidates == ()


async def test_sessions_of_an_account_know_of_each_other(server: RawServer) -> None:
    """Under one name the material of another session is not a candidate, and its id is part of the error."""
    lost, other = await meet(server, session(server), session(server), filename="poster.jpg")
    assert isinstance(lost, UploadOutcomeUnknown)
    error: UploadOutcomeUnknown = pickle.loads(pickle.dumps(lost))  # noqa: S301 - our own bytes
    assert (error.owned, error.candidates) == ((other.media_id,), ())
    async with session(server, "wx2") as elsewhere:
        assert await error.resolve(elsewhere) is None, "the process that resolves does not know the other session"


async def test_another_process_of_the_account_has_other_bytes(server: RawServer) -> None:
    """A material of the same name and time counts only if its bytes are equal; else nothing is known."""
    lost, _ = await meet(server, session(server), session(server, "wx2"), filename="poster.jpg")
    assert isinstance(lost, UploadOutcomeUnknown)
    assert (lost.candidates, lost.owned) == ((), ())
    async with session(server, "wx3") as elsewhere:
        with pytest.raises(UploadOutcomeUnknown, match="may be it under another name"):
            await lost.resolve(elsewhere)


async def test_what_cannot_be_compared_is_ambiguous(server: RawServer) -> None:
    """Where the library does not hand out the material, the match by its name is a candidate and no result."""
    library = Library()

    async def refuse(request: RawRequest, connection: Connection) -> None:
        if request.path.endswith("/get_material"):
            await connection.send(reply({"errcode": 48001, "errmsg": "api unauthorized"}))
        else:
            await library(request, connection)

    server.script = [refuse]
    async with session(server) as wx:
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", PHOTO, filename="poster.jpg")
        assert caught.value.candidates == ("MEDIA0",)
        server.script = [library]
        found = await caught.value.resolve(wx)
    assert found is not None
    assert found.media_id == "MEDIA0"


async def test_an_upload_can_be_resolved_twice(server: RawServer) -> None:
    """The material found for an upload stays its own: a second `resolve` does not call it absent."""
    server.script = [Library()]
    async with session(server, uploads=UploadPolicy(reconcile="raise")) as wx:
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", PHOTO, filename="poster.jpg")
        found = [await caught.value.resolve(wx) for _ in range(2)]
        with pytest.raises(UploadOutcomeUnknown) as other:
            await wx.add_material("image", PHOTO, filename="poster.jpg")
        assert await other.value.resolve(wx) != found[0]
    assert found[0] is not None
    assert found[0] == found[1]


@pytest.mark.parametrize("ahead", [7200.0, -7200.0])
async def test_a_machine_with_another_clock_can_resolve(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """Times in the error are of WeChat's clock: the clocks of the two machines may differ by hours."""
    library, own = Library(answers=[True, False]), time.time
    server.script = [library]
    async with session(server, uploads=UploadPolicy(reconcile="raise")) as wx:
        await wx.add_material("image", PHOTO)  # tells WeChat's time
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", PHOTO, filename="poster.jpg")
    library.ahead = -ahead
    monkeypatch.setattr(time, "time", lambda: own() + ahead)
    async with session(server, "wx2") as elsewhere:
        found = await caught.value.resolve(elsewhere)
    assert found is not None
    assert found.media_id == "MEDIA1"


def test_sessions_of_all_threads_and_loops_share_a_register_while_one_lives() -> None:
    """The register belongs to the account at one host, not to a loop, and ends with the last session."""

    async def made(appid: str, url: str = "https://example.com") -> WxSession:
        return WxSession(appid, "s", base_url=url)

    found: list[WxSession] = []
    threads = [threading.Thread(target=lambda: found.append(asyncio.run(made("wx1")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found += [asyncio.run(made("wx1", "https://EXAMPLE.com/")) for _ in range(2)]
    registers = {id(one._engine.register) for one in found}
    assert len(registers) == 1
    others = [asyncio.run(made("wx2")), asyncio.run(made("wx1", "https://example.org"))]
    assert not registers & {id(one._engine.register) for one in others}
    found[0]._engine.register.own("MEDIA")
    found.clear()
    gc.collect()
    assert not UploadRegister.of_account("example.com", "wx1").owned_since(0.0)


def test_marks_differ_where_processes_seed_alike() -> None:
    """A worker that seeds `random` gets marks of its own all the same."""
    marks = set()
    for _ in range(100):
        random.seed(1)
        marks.add(random_mark())
    assert len(marks) == 100


@pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"])
async def test_an_error_before_the_whole_body_was_sent_is_no_doubt(server: RawServer, status: str) -> None:
    """A gateway that answers 5xx half-way has passed nothing on: the upload is sent again, without a search."""
    library = Library(answers=[True])

    async def early(_: RawRequest, connection: Connection) -> None:
        server.take = None
        await connection.send(reply(b"<html>gateway</html>", "text/html", status=status))
        await connection.reader.read()  # the client closes it

    server.script, server.take = [early, library], 100_000
    async with session(server, limits=Limits(check_size=False), timeouts=Timeouts(stall=5)) as wx:
        added = await wx.add_material("image", LARGE)
        assert (added.media_id, added.reconciled) == ("MEDIA0", False)
        assert (library.adds, library.lists) == (1, 0)


async def test_an_error_after_the_whole_body_was_sent_is_a_doubt(server: RawServer) -> None:
    """A 5xx for a complete request says nothing: the library is searched."""
    library = Library()
    page = reply(b"<html>gateway</html>", "text/html", status="502 Bad Gateway")

    async def late(request: RawRequest, connection: Connection) -> None:
        name = re.search(rb'filename="([^"]*)"', request.body)
        assert name is not None
        library.put(name[1].decode())
        await connection.send(page)

    server.script = [late, library]
    async with session(server) as wx:
        assert (await wx.add_material("image", PHOTO)).reconciled
    assert library.adds == 0


async def test_a_stream_with_a_mark_needs_no_second_reading(server: RawServer) -> None:
    """The marked name is sent, listed and part of the error; a custom name stays as it is."""

    async def stream() -> AsyncIterator[bytes]:
        yield PHOTO

    server.script = [Library()]
    async with session(server, uploads=UploadPolicy(reconcile="raise")) as wx:
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.add_material("image", stream(), size=len(PHOTO))
        with pytest.raises(UploadOutcomeUnknown) as named:
            await wx.add_material("image", PHOTO, filename="poster.jpg")
    assert re.fullmatch(r"media-[2-9a-hjkmnp-z]{8}\.jpg", caught.value.filename)
    assert (caught.value.unique_name, caught.value.sha256) == (True, None)
    assert (named.value.filename, named.value.unique_name) == ("poster.jpg", False)
    assert json.dumps(named.value.sha256)
