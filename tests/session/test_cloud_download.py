"""Downloads from cloud storage: they go on after a cut, begin anew where they cannot, and leave nothing half."""

import hashlib
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from attrs import define, field

import cloud_storage
from canaries import everything_shown
from cloud_storage import CloudStorage
from raw_server import Connection, Handler, RawRequest, RawServer, reply, reset
from unsafe_links import UNSAFE, Sockets
from wxasset import Integrity, Limits, RetryPolicy, Timeouts, WxSession
from wxasset.errors import (
    DecodeError,
    DestinationError,
    HTTPStatusError,
    MediaNotFoundError,
    PermissionDeniedError,
    ReplyTooLarge,
    StorageError,
    TransferError,
    TruncatedDownload,
    UnsafeURLError,
    UsageError,
    WxAssetError,
)
from wxasset.simulator import Simulator, SimulatorOptions

wx = cloud_storage.wx


FILE: Final = os.urandom(1_000_000)
FILEID: Final = "cloud://env.bucket/a/b.bin"
LINKS: Final = "/tcb/batchdownloadfile"
TOKEN: Final = "/cgi-bin/stable_token"


def part(
    content: bytes, start: int, *, etag: str | None = '"1"', total: int | None = None, length: int | None = None
) -> bytes:
    """A 206 with the rest of a file."""
    rest, size = content[start:], len(content) if total is None else total
    head = f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{size - 1}/{size}\r\n"
    head += f"ETag: {etag}\r\n" if etag else ""
    return f"{head}Content-Length: {len(rest) if length is None else length}\r\n\r\n".encode() + rest


def whole(content: bytes, *, etag: str | None = '"1"', cut: int | None = None) -> bytes:
    """A 200 with a file, or only so much of it."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n" + (f"ETag: {etag}\r\n" if etag else "")
    return f"{head}\r\n".encode() + content[:cut]


def cut(data: bytes) -> Handler:
    """Send bytes, and end the connection."""

    async def send(_: RawRequest, connection: Connection) -> None:
        await connection.send(data)
        connection.writer.close()

    return send


class Storage(CloudStorage):
    """WeChat and COS, which gives files."""

    api = LINKS

    def grant(self) -> dict[str, object]:
        """Return a link."""
        url = f"{self.server.url}/file/{self.grants}?sign=CANARY" if self.link is None else self.link
        return {"file_list": [{"fileid": FILEID, "download_url": url, "status": 0, "errmsg": "ok"}]}

    @property
    def asked(self) -> list[tuple[str, str | None, str | None]]:
        """What was asked for: the path, the Range and the If-Range."""
        return [(one.path, one.header("Range"), one.header("If-Range")) for one in self.requests]


@pytest.fixture
def storage(server: RawServer) -> Storage:
    """WeChat and COS."""
    return Storage(server)


@define
class Writer:
    """Something with ``async write(bytes)``."""

    data: bytearray = field(factory=bytearray)

    async def write(self, data: bytes) -> None:
        """Take bytes."""
        self.data += data


@define
class Target:
    """A destination, and how to see what it holds."""

    to: Any
    read: Callable[[], bytes]


def _path(directory: Path) -> Target:
    return Target(directory / "out.bin", (directory / "out.bin").read_bytes)


def _directory(directory: Path) -> Target:
    return Target(directory, (directory / "b.bin").read_bytes)


def _handle(directory: Path) -> Target:
    handle = (directory / "handle").open("w+b")

    def read() -> bytes:
        with handle:
            handle.seek(0)
            return handle.read()

    return Target(handle, read)


def _memory(_: Path) -> Target:
    memory = io.BytesIO()
    return Target(memory, memory.getvalue)


def _writer(_: Path) -> Target:
    writer = Writer()
    return Target(writer, lambda: bytes(writer.data))


TARGETS: Final[dict[str, Callable[[Path], Target]]] = {
    "path": _path,
    "directory": _directory,
    "handle": _handle,
    "memory": _memory,
    "writer": _writer,
}


def ranges(sim: Simulator) -> list[tuple[str | None, str | None]]:
    """The Range and If-Range of each request that was made at a link."""
    found = [one.headers for one in sim.journal if one.path.startswith("/tcb.qcloud.la/")]
    return [(one.get("Range"), one.get("If-Range")) for one in found]


@pytest.mark.parametrize("kind", TARGETS)
async def test_a_file_comes_whole(near: WxSession, sim: Simulator, tmp_path: Path, kind: str) -> None:
    """Any destination gets every byte; the length that was announced is the one that is there."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    target = TARGETS[kind](tmp_path)
    saved = await near.download_file("env", fileid, target.to)
    assert target.read() == FILE
    assert (saved.size, saved.integrity) == (len(FILE), Integrity.LENGTH)
    assert saved.content_type == "application/octet-stream"
    assert ranges(sim) == [(None, None)]


@pytest.mark.parametrize("fault", ["cut-reply-after-150000", "reset-reply-after-150000"])
@pytest.mark.parametrize("kind", TARGETS)
async def test_a_download_that_is_cut_five_times_goes_on_each_time(
    near: WxSession, sim: Simulator, tmp_path: Path, kind: str, fault: str
) -> None:
    """With the default number of attempts: each asks for what is missing of the same version, until all is there."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", fault, times=5)
    target = TARGETS[kind](tmp_path)
    saved = await near.download_file("env", fileid, target.to)
    assert target.read() == FILE
    assert saved.size == len(FILE)
    begins = [0 if asked is None else int(asked.removeprefix("bytes=").removesuffix("-")) for asked, _ in ranges(sim)]
    assert begins == sorted(set(begins))
    assert len(begins) == 6
    assert begins[1] > 100_000
    assert {etag for _, etag in ranges(sim)[1:]} == {sim._account.cloud_files.find(fileid).etag}  # type: ignore[union-attr] # it is there
    assert [one.status for one in sim.journal][-6:] == [200] + [206] * 5
    assert sim.unused_faults == ()


async def test_attempts_count_those_that_bring_nothing(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """Three from the last one that brought something are enough; nothing is left."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", "cut-reply-after-150000", times=2)
    sim.fail("link", "status:503", times=None)
    with pytest.raises(HTTPStatusError):
        await near.download_file("env", fileid, tmp_path / "out.bin")
    assert len(ranges(sim)) == 4
    assert not any(tmp_path.iterdir())


async def test_one_attempt_is_one_attempt(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """With `RetryPolicy(attempts=1)` nothing is gone on with."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", "cut-reply-after-150000")
    with pytest.raises(TruncatedDownload):
        await near.with_options(retry=RetryPolicy(attempts=1)).download_file("env", fileid, tmp_path / "out.bin")
    assert len(ranges(sim)) == 1
    assert not any(tmp_path.iterdir())


async def test_what_a_session_may_spend_is_given_back_by_progress(near: WxSession, sim: Simulator) -> None:
    """A long download that is cut 60 times does not use up the retries of the others."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", "cut-reply-after-16K", times=60)
    memory = io.BytesIO()
    await near.download_file("env", fileid, memory)
    assert memory.getvalue() == FILE
    assert near._engine.quota.left == 500


async def test_a_retry_after_received_bytes_costs_nothing(near: WxSession, sim: Simulator) -> None:
    """Where an outage has used up the retries of the session, a download that moves still comes whole."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", "cut-reply-after-16K", times=5)
    near._engine.quota.left = 0
    memory = io.BytesIO()
    await near.download_file("env", fileid, memory)
    assert memory.getvalue() == FILE


async def test_a_trickle_of_cuts_comes_to_an_end(wx: WxSession, storage: Storage, tmp_path: Path) -> None:
    """A byte a time does not hold a download for ever: it has the time of the policy, and what its bytes may take."""

    async def one_byte(request: RawRequest, connection: Connection) -> None:
        asked = request.header("Range") or "bytes=0-"
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        data = whole(FILE, cut=1) if begin == 0 else part(FILE, begin)[: len(part(FILE, begin)) - len(FILE) + begin + 1]
        await connection.send(data)
        connection.writer.close()

    storage.answers = [one_byte]
    hasty = wx.with_options(retry=RetryPolicy(timeout=0.3, attempts=2, wait_initial=0))
    with pytest.raises((TruncatedDownload, TransferError)):
        await hasty.download_file("env", FILEID, tmp_path / "out.bin")
    assert 2 < len(storage.asked) < 3000
    assert not any(tmp_path.iterdir())


# Another process


async def start_and_kill(sim: Simulator, fileid: str, to: Path) -> int:
    """Kill a process in the middle of a download; return the size of what it leaves."""
    sim.fail("link", "trickle-64K-every-50ms")
    command = [sys.executable, str(Path(__file__).parents[1] / "support" / "download_worker.py")]
    arguments = [sim.url, sim.appid, sim.secret, fileid, str(to)]
    async with await anyio.open_process([*command, *arguments], stderr=None) as process:
        with anyio.fail_after(20):
            while not any(path.stat().st_size for path in to.parent.glob("*.part")):  # noqa: ASYNC110 - no event
                await anyio.sleep(0.01)
        process.kill()
        await process.wait()
    (left,) = to.parent.glob(".*.part")
    return left.stat().st_size


async def test_a_download_goes_on_in_the_next_process(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """After SIGKILL only the rest is asked for, and nothing but the file is left."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    left = await start_and_kill(sim, fileid, tmp_path / "out.bin")
    sim.clear_faults()
    told: list[int] = []
    saved = await near.download_file("env", fileid, tmp_path / "out.bin", progress=lambda done, _: told.append(done))
    assert (tmp_path / "out.bin").read_bytes() == FILE
    assert (saved.size, saved.sha256) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    assert saved.integrity is Integrity.LENGTH
    assert ranges(sim)[-1][0] == f"bytes={left - 1}-"
    assert told[0] >= left
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]


async def test_what_is_left_of_another_version_is_not_used(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """The ETag of the rest is another one: the file is had whole, and nothing but it is left."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    await start_and_kill(sim, fileid, tmp_path / "out.bin")
    sim.clear_faults()
    sim.add_cloud_file("env", "a/b.bin", FILE[::-1])
    await near.download_file("env", fileid, tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == FILE[::-1]
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]


async def test_two_downloads_to_one_path_do_not_share_a_part(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """The second does not go on with what the first is still writing."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", "trickle-64K-every-5ms", times=2)
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(near.download_file, "env", fileid, tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == FILE
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]


# Another version


@pytest.mark.parametrize("kind", TARGETS)
async def test_a_file_that_changed_is_had_anew(near: WxSession, sim: Simulator, tmp_path: Path, kind: str) -> None:
    """What was written of the old version is taken back; a writer, where it cannot be, is told."""
    fileid, other = sim.add_cloud_file("env", "a/b.bin", FILE), FILE[::-1]
    sim.fail("link", "cut-reply-after-300000")
    changed: list[int] = []

    def change(done: int, _: int | None) -> None:
        if not changed:
            changed.append(done)
            sim.add_cloud_file("env", "a/b.bin", other)

    target = TARGETS[kind](tmp_path)
    if kind == "writer":
        with pytest.raises(TruncatedDownload, match="changed while it was downloaded"):
            await near.download_file("env", fileid, target.to, progress=change)
        return
    saved = await near.download_file("env", fileid, target.to, progress=change)
    assert target.read() == other
    assert saved.size == len(other)
    assert [asked is None for asked, _ in ranges(sim)] == [True, False, True]


ANEW: Final[dict[str, bytes]] = {
    "200 in the place of 206": whole(FILE),
    "200 with the rest": part(FILE, 300_000).replace(b"206 Partial Content", b"200 OK"),
    "another ETag": part(FILE, 300_000, etag='"2"'),
    "no ETag": part(FILE, 300_000, etag=None),
    "another place": part(FILE, 299_999),
    "another total": part(FILE, 300_000, total=len(FILE) + 1),
    "nothing there": reply(b"", status="416 Range Not Satisfiable"),
    "no length": part(FILE, 300_000).replace(b"Content-Length: 700000\r\n", b"Connection: close\r\n"),
    "no place": part(FILE, 300_000).replace(b"Content-Range", b"X-Content-Range"),
}


@pytest.mark.parametrize("answer", ANEW.values(), ids=ANEW)
async def test_what_is_not_the_rest_is_not_taken_for_it(
    wx: WxSession, storage: Storage, tmp_path: Path, answer: bytes
) -> None:
    """An answer that does not go on from what is there has all of it fetched from the first byte."""
    storage.answers = [cut(whole(FILE, cut=300_000)), cut(answer), whole(FILE)]
    saved = await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == FILE
    assert saved.size == len(FILE)
    assert [asked for _, asked, _ in storage.asked] == [None, "bytes=300000-", None]
    assert os.listdir(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
async def test_without_a_strong_etag_it_begins_anew(
    wx: WxSession, storage: Storage, tmp_path: Path, etag: str | None
) -> None:
    """Nothing would show that the rest is of the same bytes."""
    storage.answers = [cut(whole(FILE, etag=etag, cut=300_000)), whole(FILE, etag=etag)]
    await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == FILE
    assert [asked for _, asked, _ in storage.asked] == [None, None]


async def test_a_file_that_never_stays_the_same_is_given_up(wx: WxSession, storage: Storage, tmp_path: Path) -> None:
    """It is begun as often as the policy allows attempts."""
    storage.answers = [cut(whole(FILE, etag=f'"{number}"', cut=300_000)) for number in range(20)]
    with pytest.raises(TruncatedDownload, match="changed while it was downloaded"):
        await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert len(storage.asked) == 6
    assert not any(tmp_path.iterdir())


async def test_a_part_that_is_shorter_than_it_says_is_gone_on_with(
    wx: WxSession, storage: Storage, tmp_path: Path
) -> None:
    """The total decides, and not where an answer ends: what is missing then is asked for as well."""
    short = part(FILE[:500_000], 300_000, total=len(FILE))
    storage.answers = [cut(whole(FILE, cut=300_000)), short, part(FILE, 500_000)]
    await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == FILE
    assert [asked for _, asked, _ in storage.asked] == [None, "bytes=300000-", "bytes=500000-"]


# Links


@pytest.mark.parametrize("at", [0, 300_000])
async def test_a_link_that_ran_out_is_replaced(near: WxSession, sim: Simulator, tmp_path: Path, at: int) -> None:
    """With 403 another link is asked for, and what is there already is kept."""
    fileid = sim.add_cloud_file("env", "a/b.bin", FILE)
    sim.fail("link", f"cut-reply-after-{at}")
    late: list[int] = []

    def wait(done: int, _: int | None) -> None:
        if not late:
            late.append(done)
            sim.advance(7200)

    if at == 0:
        sim.clear_faults()
        sim.fail("link", "status:403")
    await near.download_file("env", fileid, tmp_path / "out.bin", progress=wait if at else None)
    assert (tmp_path / "out.bin").read_bytes() == FILE
    # The token has run out as well by then.
    told = [(one.path == LINKS, one.status) for one in sim.journal if one.path != TOKEN and not one.errcode]
    assert told == (
        [(True, 200), (False, 403), (True, 200), (False, 200)]
        if at == 0
        else [(True, 200), (False, 200), (False, 403), (True, 200), (False, 206)]
    )


async def test_a_link_is_replaced_once(wx: WxSession, storage: Storage, tmp_path: Path) -> None:
    """The second refusal is the caller's, in the words of COS."""
    xml = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    storage.answers = [reply(xml, "application/xml", status="403 Forbidden")]
    with pytest.raises(StorageError, match="Request has expired") as caught:
        await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert [path for path, *_ in storage.asked] == ["/file/1", "/file/2"]
    assert "CANARY" not in everything_shown(caught.value)


async def test_a_link_is_replaced_once_in_a_download_that_begins_anew(
    wx: WxSession, storage: Storage, tmp_path: Path
) -> None:
    """Another version of the file is no reason for a third link."""
    refused = reply(b"", status="403 Forbidden")
    storage.answers = [refused, cut(whole(FILE, cut=300_000)), cut(whole(FILE, etag='"2"')), refused]
    with pytest.raises(HTTPStatusError):
        await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert [path for path, *_ in storage.asked] == ["/file/1", *["/file/2"] * 3]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("link", UNSAFE.values(), ids=UNSAFE)
async def test_an_unsafe_link_is_not_followed(server: RawServer, sockets: Sockets, tmp_path: Path, link: str) -> None:
    """An address in another network than the public one is refused: no connection but those to WeChat, no file."""
    Storage(server, link=link)
    async with WxSession("wx1", "s", base_url=server.url) as wx:
        with pytest.raises((UnsafeURLError, DecodeError) if not link else UnsafeURLError):
            await wx.download_file("env", FILEID, tmp_path / "out.bin")
    assert set(sockets.connects) == {("127.0.0.1", int(server.url.rpartition(":")[2]))}
    assert not any(tmp_path.iterdir())


async def test_nothing_of_the_api_goes_to_storage(wx: WxSession, storage: Storage) -> None:
    """A link is asked for without token, cookie or credentials, and with nothing packed."""
    storage.answers = [whole(b"1").replace(b"ETag", b"Set-Cookie: a=b\r\nETag")]
    for _ in range(2):
        await wx.download_file("env", FILEID, io.BytesIO())
    asked = [one for one in storage.server.requests if one.path.startswith("/file/")]
    for one in asked:
        assert b"token-1-" not in one.head
        assert (one.header("Cookie"), one.header("Authorization")) == (None, None)
        assert one.header("Accept-Encoding") == "identity"


# What cannot be had


@pytest.mark.parametrize("status", [-503003, 1])
async def test_a_file_that_does_not_exist(near: WxSession, sim: Simulator, tmp_path: Path, status: int) -> None:
    """Either status for it is a `MediaNotFoundError`, and nothing is written."""
    sim.options = SimulatorOptions(missing_file_status=status)
    with pytest.raises(MediaNotFoundError) as caught:
        await near.download_file("env", "cloud://env.x/none", tmp_path / "out.bin")
    assert caught.value.errcode == status
    assert not any(tmp_path.iterdir())


async def test_a_file_of_another_environment(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """WeChat's status for one file has the class of its code."""
    fileid = sim.add_cloud_file("other", "a", b"1")
    with pytest.raises(PermissionDeniedError):
        await near.download_file("env", fileid, tmp_path / "out.bin")


async def test_a_file_that_is_deleted_meanwhile(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """COS says NoSuchKey, and what was there already is taken away."""
    fileid = sim.add_cloud_file("env", "a", FILE)
    sim.fail("link", "cut-reply-after-300000")
    with pytest.raises(StorageError) as caught:
        await near.download_file(
            "env", fileid, tmp_path / "out.bin", progress=lambda *_: sim.cloud_files.pop(fileid, None)
        )
    assert caught.value.code == "NoSuchKey"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("fileid", ["", None, 5])
async def test_a_file_id_is_a_text(near: WxSession, sim: Simulator, fileid: Any) -> None:
    """Anything else is refused before a request."""
    with pytest.raises(UsageError):
        await near.download_file("env", fileid, io.BytesIO())
    assert sim.journal == []


async def test_an_empty_file_is_a_file(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """What has no bytes is saved as such."""
    fileid = sim.add_cloud_file("env", "empty", b"")
    saved = await near.download_file("env", fileid, tmp_path)
    assert (saved.path, saved.size) == (tmp_path / "empty", 0)
    assert (tmp_path / "empty").read_bytes() == b""


ANY: Final[dict[str, bytes]] = {
    "page.html": b"<!DOCTYPE html><p>mine",
    "logo.svg": b'<svg xmlns="x"/>',
    "data.xml": b"<?xml?><a/>",
    "data.json": b'{"a": 1}',
    "error.json": b'{"errcode": 40001, "errmsg": "mine"}',
    "half.json": b'{"errcode": 40001, "errm',
    "large.json": b'{"errcode": 7, "x": "' + b"y" * 9000 + b'"}',
    "text.txt": b"upstream connect error",
    "blank.txt": b" \r\n",
    "empty.txt": b"",
    "photo.jpg": FILE,
}


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', None])
@pytest.mark.parametrize("name", ANY)
async def test_any_bytes_are_a_file(
    wx: WxSession, storage: Storage, tmp_path: Path, name: str, etag: str | None
) -> None:
    """A page, or JSON that looks like an error of WeChat, is what somebody stored: the status decides alone."""
    storage.answers = [whole(ANY[name], etag=etag)]
    saved = await wx.download_file("env", FILEID, tmp_path / name)
    assert (tmp_path / name).read_bytes() == ANY[name]
    assert (saved.size, len(storage.asked)) == (len(ANY[name]), 1)


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', None])
async def test_a_stored_page_goes_on_after_a_cut(
    wx: WxSession, storage: Storage, tmp_path: Path, etag: str | None
) -> None:
    """The rest of a page is the file as well; without a strong ETag all of it is fetched again."""
    page = b"<!DOCTYPE html>" + b"<p>mine" * 100_000
    storage.answers = [cut(whole(page, etag=etag, cut=300_000)), part(page, 300_000)]
    if etag != '"1"':
        storage.answers[1] = whole(page, etag=etag)
    await wx.download_file("env", FILEID, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == page


async def test_a_file_over_the_limit_is_refused(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """`Limits.max_download` holds over all answers together."""
    fileid = sim.add_cloud_file("env", "a", FILE)
    sim.fail("link", "cut-reply-after-300000", times=2)
    small = near.with_options(limits=Limits(max_download=900_000))
    with pytest.raises(ReplyTooLarge):
        await small.download_file("env", fileid, tmp_path / "out.bin")
    assert not any(tmp_path.iterdir())


async def test_a_destination_that_fails_is_told_at_once(near: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """What cannot be written is not fetched again."""
    fileid = sim.add_cloud_file("env", "a", FILE)
    for to in (tmp_path / "none" / "out.bin", "/dev/full"):
        with pytest.raises(DestinationError):
            await near.download_file("env", fileid, to)
    with (tmp_path / "closed").open("wb") as handle:
        pass
    with pytest.raises(DestinationError):
        await near.download_file("env", fileid, handle)
    assert ranges(sim) == []


async def test_progress_goes_on_where_it_was(near: WxSession, sim: Simulator) -> None:
    """What is there already counts: it never goes back, and ends with all of the file."""
    fileid = sim.add_cloud_file("env", "a", FILE)
    sim.fail("link", "cut-reply-after-150000", times=5)
    told: list[tuple[int, int | None]] = []
    await near.download_file("env", fileid, io.BytesIO(), progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (len(FILE), len(FILE))
    assert {total for _, total in told} == {len(FILE)}


async def test_a_stall_is_gone_on_with(near: WxSession, sim: Simulator) -> None:
    """A server that stops in the middle is left, and asked for the rest."""
    fileid = sim.add_cloud_file("env", "a", FILE)
    sim.fail("link", "stall-30s-after-300000", times=2)
    memory = io.BytesIO()
    hasty = near.with_options(timeouts=Timeouts(stall=0.1))
    await hasty.download_file("env", fileid, memory)
    assert memory.getvalue() == FILE
    assert [asked is None for asked, _ in ranges(sim)] == [True, False, False]


async def test_no_link_is_shown(wx: WxSession, storage: Storage) -> None:
    """The signed address is in no error, also where a connection breaks."""
    storage.answers = [reset]
    with pytest.raises(WxAssetError) as caught:
        await wx.download_file("env", FILEID, io.BytesIO())
    assert "CANARY" not in everything_shown(caught.value)
    assert not re.search("file/[0-9]", str(caught.value))
