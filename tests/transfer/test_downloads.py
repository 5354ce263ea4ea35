"""Where downloads go, what is left of broken ones, and how replies and files are told apart by their bytes."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from disk import replace_writes
from policies import PATIENT
from raw_server import Connection, Handler, RawRequest, RawServer, forever, reply, reset
from wxasset import (
    Integrity,
    Limits,
    MaterialStream,
    News,
    NoToken,
    RetryPolicy,
    SavedMaterial,
    Timeouts,
    Video,
    WxSession,
)
from wxasset.calls.library import GetMaterial
from wxasset.errors import (
    APIError,
    BusyError,
    DecodeError,
    DestinationError,
    HTTPStatusError,
    MediaNotFoundError,
    ReplyTooLarge,
    TransferTimeout,
    TruncatedDownload,
    UsageError,
    WxAssetError,
)

PHOTO = b"\xff\xd8\xff\xe0" + os.urandom(600_000)
FILE = reply(PHOTO, "image/jpeg", disposition='attachment; filename="海报.jpg"'.encode())
CUT = reply(PHOTO[:300_000], "image/jpeg", length=len(PHOTO))
ONCE = RetryPolicy(attempts=1)


async def cut(_: RawRequest, connection: Connection) -> None:
    """Send half of a file, and break off."""
    await connection.send(CUT)
    connection.writer.close()


def cut_after(written: Callable[[], object]) -> Handler:
    """Send half of a file, and break off once some of it was written: bytes that nobody read may be lost with it."""

    async def handler(_: RawRequest, connection: Connection) -> None:
        await connection.send(CUT)
        while not written():  # noqa: ASYNC110 - what a thread writes sets no event
            await asyncio.sleep(0.001)
        connection.writer.close()

    return handler


class Writer:
    """Anything with an async write."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.data = b""
        self.failure = failure

    async def write(self, data: bytes) -> None:
        """Keep the bytes, or fail."""
        if self.failure:
            raise self.failure
        self.data += data


def names(directory: Path) -> list[str]:
    """What is in a directory, hidden files included."""
    return sorted(os.listdir(directory))


# Destinations


@pytest.mark.parametrize("kind", [str, Path, anyio.Path])
async def test_a_path_is_written(raw: WxSession, server: RawServer, tmp_path: Path, kind: type[Any]) -> None:
    """A path gets the bytes, under the usual permissions, and nothing else is left beside it."""
    server.script = [FILE]
    old = os.umask(0o027)
    try:
        saved = await raw.get_material("M", to=kind(tmp_path / "out.jpg"))
    finally:
        os.umask(old)
    assert saved == SavedMaterial(
        path=tmp_path / "out.jpg",
        filename="海报.jpg",
        content_type="image/jpeg",
        size=len(PHOTO),
        sha256=hashlib.sha256(PHOTO).hexdigest(),
        integrity=Integrity.LENGTH,
    )
    assert (tmp_path / "out.jpg").read_bytes() == PHOTO
    assert (tmp_path / "out.jpg").stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["out.jpg"]


async def test_a_download_can_go_without_a_hash(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """With digest=None nothing is hashed, to any destination; that the file is complete is known all the same."""
    server.script = [FILE]
    with (tmp_path / "open.jpg").open("wb") as handle:
        for to in (tmp_path / "out.jpg", handle, io.BytesIO(), Writer()):
            saved = await raw.get_material("M", to=to, digest=None)
            assert isinstance(saved, SavedMaterial)
            assert (saved.sha256, saved.size, saved.integrity) == ("", len(PHOTO), Integrity.LENGTH)
    assert (tmp_path / "out.jpg").read_bytes() == (tmp_path / "open.jpg").read_bytes() == PHOTO
    with pytest.raises(UsageError, match="must be \"sha256\" or None, not 'md5'"):
        await raw.get_material("M", to=tmp_path / "out.jpg", digest=cast("Any", "md5"))


async def test_a_file_is_replaced_at_once(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """An existing file keeps its permissions, and is replaced only when all is there; a link is written through."""
    server.script = [FILE]
    target, link = tmp_path / "old.jpg", tmp_path / "link.jpg"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    with target.open("rb") as before:
        await raw.get_material("M", to=link)
        assert before.read() == b"old", "whoever reads the old file still has all of it"
    assert target.read_bytes() == PHOTO
    assert target.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()


async def test_a_directory_takes_a_safe_name_and_replaces_nothing(
    raw: WxSession, server: RawServer, tmp_path: Path
) -> None:
    """In a directory the file takes WeChat's name; a second one of that name is numbered."""
    server.script = [FILE]
    first = await raw.get_material("M", to=tmp_path)
    second = await raw.get_material("M", to=f"{tmp_path}/")
    assert isinstance(first, SavedMaterial)
    assert isinstance(second, SavedMaterial)
    assert (first.path, second.path) == (tmp_path / "海报.jpg", tmp_path / "海报-1.jpg")
    assert names(tmp_path) == ["海报-1.jpg", "海报.jpg"]


async def test_a_path_that_ends_with_a_separator_is_made_a_directory(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is created with its parents, relative or not, and an existing one is used; a Path has no such end."""
    monkeypatch.chdir(tmp_path)
    server.script = [FILE]
    for to, path in (
        ("a/", "a/海报.jpg"),
        (f"a{os.sep}", "a/海报-1.jpg"),
        (f"{tmp_path}/b/c/", "b/c/海报.jpg"),
        (Path("plain/"), "plain"),
    ):
        saved = await raw.get_material("M", to=to)
        assert isinstance(saved, SavedMaterial)
        assert saved.path == tmp_path / path
        assert saved.path.read_bytes() == PHOTO


async def test_a_directory_on_a_file_system_without_links(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where hard links do not exist, nothing is replaced either."""

    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    server.script = [FILE]
    for _ in range(3):
        await raw.get_material("M", to=tmp_path)
    assert names(tmp_path) == ["海报-1.jpg", "海报-2.jpg", "海报.jpg"]


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (b'attachment; filename="../../etc/cron.d/x.jpg"', "x.jpg"),
        (b'attachment; filename="C:\\\\Windows\\\\x.jpg"', "x.jpg"),
        (b'attachment; filename=".bashrc"', "bashrc.jpg"),
        ('attachment; filename="a\u202egpj.exe"'.encode(), "agpj.exe.jpg"),
        (b'attachment; filename="con"', "_con.jpg"),
        (b'attachment; filename=".."', "M.jpg"),
        (b'attachment; filename="--checkpoint-action=exec=sh x.jpg"', "_--checkpoint-action=exec=sh x.jpg"),
        ('attachment; filename="\u202e. -rf.jpg"'.encode(), "_-rf.jpg"),
        (b"attachment; filename*=utf-8''%00~root.jpg", "_~root.jpg"),
        (b'attachment; filename=""', "M.jpg"),
        ('attachment; filename="海报.jpg"'.encode("gbk"), "海报.jpg"),
        (b"attachment; filename*=utf-8''%E5%9B%BE.jpg", "图.jpg"),
        (b"attachment", "M.jpg"),
        (None, "M.jpg"),
    ],
)
async def test_whatever_name_the_server_sends_the_file_stays_in_the_directory(
    raw: WxSession, server: RawServer, tmp_path: Path, disposition: bytes | None, expected: str
) -> None:
    """Names from outside are made plain; where none is left the media_id is the name."""
    server.script = [reply(PHOTO, "text/plain", disposition=disposition)]
    inside = tmp_path / "inside"
    inside.mkdir()
    saved = await raw.get_material("M", to=inside)
    assert isinstance(saved, SavedMaterial)
    assert saved.path == inside / expected
    assert names(tmp_path) == ["inside"]


async def test_handles_are_written_from_where_they_stand(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """An open file, a raw file, a BytesIO and an anyio file get the bytes, and are left open."""
    server.script = [FILE]
    memory = io.BytesIO(b"start")
    memory.seek(5)
    assert cast("SavedMaterial", await raw.get_material("M", to=memory)).path is None
    assert memory.getvalue() == b"start" + PHOTO
    for buffering in (-1, 0):
        with (tmp_path / "file").open("wb", buffering=buffering) as handle:
            handle.write(b"start")
            await raw.get_material("M", to=handle)
            assert (tmp_path / "file").read_bytes() == b"start" + PHOTO, "flushed"
    async with await anyio.open_file(tmp_path / "anyio", "wb") as file:
        await raw.get_material("M", to=file)
        assert not file.wrapped.closed
    assert (tmp_path / "anyio").read_bytes() == PHOTO


async def test_a_writer_gets_the_bytes(raw: WxSession, server: RawServer) -> None:
    """Anything with `async write(bytes)` gets them, in order."""
    server.script = [FILE]
    writer = Writer()
    saved = await raw.get_material("M", to=writer)
    assert isinstance(saved, SavedMaterial)
    assert (writer.data, saved.sha256) == (PHOTO, hashlib.sha256(PHOTO).hexdigest())


async def test_a_pipe_can_be_a_destination(raw: WxSession, server: RawServer) -> None:
    """A file that cannot seek is written all the same."""
    server.script = [reply(PHOTO[:50_000])]
    read, write = os.pipe()
    with open(read, "rb") as source, open(write, "wb") as sink:
        await raw.get_material("M", to=sink)
        sink.close()
        assert source.read() == PHOTO[:50_000]


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="pipes always block there")
@pytest.mark.parametrize("buffering", [0, -1], ids=["raw", "buffered"])
async def test_a_non_blocking_file_gets_every_byte(raw: WxSession, server: RawServer, buffering: int) -> None:
    """A pipe that does not block, and is full at the moment, is waited for."""
    server.script = [FILE]
    read, write = os.pipe()
    os.set_blocking(write, False)

    def drain() -> bytes:
        threading.Event().wait(0.05)
        with open(read, "rb") as source:
            return source.read()

    draining = asyncio.create_task(asyncio.to_thread(drain))
    with open(write, "wb", buffering=buffering) as sink:
        await raw.get_material("M", to=sink)
    assert await draining == PHOTO


async def test_a_cancelled_download_leaves_a_full_pipe(raw: WxSession, server: RawServer) -> None:
    """A write to a pipe that nobody reads does not hold a cancelled download."""
    server.script = [FILE]
    read, write = os.pipe()
    with open(read, "rb") as source, open(write, "wb", buffering=0) as sink:
        with anyio.move_on_after(0.2) as scope:
            await raw.get_material("M", to=sink)
        assert scope.cancelled_caught
        assert source.read(1000) == PHOTO[:1000]


async def test_a_compressed_file_can_be_a_destination(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """What gzip.open returns is written, although it cannot seek to its end."""
    server.script = [FILE]
    with gzip.open(tmp_path / "a.gz", "wb") as sink:
        await raw.get_material("M", to=cast("BinaryIO", sink))
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == PHOTO


@pytest.mark.parametrize("memory", [False, True], ids=["file", "memory"])
async def test_a_cut_download_overwrites_nothing(
    raw: WxSession, server: RawServer, tmp_path: Path, memory: bool
) -> None:
    """An open file with content is as it was after a download that broke off, and overwritten by a complete one."""
    before = os.urandom(700_000)
    (tmp_path / "a").write_bytes(before)
    server.script = [cut, FILE]
    with io.BytesIO(before) if memory else open(tmp_path / "a", "r+b") as sink:
        with pytest.raises(TruncatedDownload):
            await raw.with_options(retry=ONCE).get_material("M", to=sink)
        assert sink.tell() == 0
        assert sink.read() == before
        sink.seek(0)
        await raw.get_material("M", to=sink)
        sink.seek(0)
        assert sink.read() == PHOTO + before[len(PHOTO) :]


async def test_a_file_that_cannot_be_restored_is_not_written_twice(raw: WxSession, server: RawServer) -> None:
    """Where the bytes of a broken attempt cannot be removed, no other attempt writes after them."""

    class Untruncated(io.BytesIO):
        def truncate(self, _: int | None = None, /) -> int:
            raise io.UnsupportedOperation("truncate")

    sink = Untruncated()
    server.script = [cut_after(sink.getvalue), FILE]
    with pytest.raises(TruncatedDownload):
        await raw.get_material("M", to=sink)
    assert PHOTO.startswith(sink.getvalue())


@pytest.mark.skipif(os.name != "posix", reason="permissions are others there")
async def test_a_partial_file_has_the_permissions_of_its_target(
    raw: WxSession, server: RawServer, tmp_path: Path
) -> None:
    """The part of a private file is private from its first byte on, and setuid bits are not kept."""
    target = tmp_path / "private"
    seen: list[int] = []

    async def slowly(_: RawRequest, connection: Connection) -> None:
        await connection.send(FILE[:-1000])
        while not seen:
            seen.extend(one.stat().st_mode & 0o7777 for one in tmp_path.glob(".private.*.part"))
            await asyncio.sleep(0.01)
        await connection.send(FILE[-1000:])

    for mode, expected in ((0o600, 0o600), (0o4755, 0o755), (0o2640, 0o640), (0o1666, 0o666)):
        target.write_bytes(b"before")
        target.chmod(mode)
        seen.clear()
        server.script = [slowly]
        await raw.get_material("M", to=target)
        assert seen == [expected]
        assert target.stat().st_mode & 0o7777 == expected


@pytest.mark.parametrize("name", ["😀" * 62 + ".jpg", "图" * 83 + ".jpg", "é" * 125 + ".jpg"])
async def test_a_target_may_have_the_longest_name(raw: WxSession, server: RawServer, tmp_path: Path, name: str) -> None:
    """A file name of 255 bytes is taken, of whatever characters."""
    server.script = [FILE]
    await raw.get_material("M", to=tmp_path / name)
    assert (tmp_path / name).read_bytes() == PHOTO


async def test_progress_is_told_in_bytes(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """`progress` rises to the length; where the length is not announced the total is None."""
    told: list[tuple[int, int | None]] = []
    closed = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + PHOTO

    async def unannounced(_: RawRequest, connection: Connection) -> None:
        await connection.send(closed)
        connection.writer.close()

    server.script = [FILE, unannounced]
    await raw.get_material("M", to=tmp_path / "1", progress=lambda *now: told.append(now))
    assert told[-1] == (len(PHOTO), len(PHOTO))
    assert told == sorted(told)
    await raw.get_material("M", to=tmp_path / "2", progress=lambda *now: told.append(now))
    assert [*told[-1]] == [len(PHOTO), None]


async def test_destinations_that_cannot_be_written_are_refused_first(
    raw: WxSession, server: RawServer, tmp_path: Path
) -> None:
    """A destination is looked at before anything is fetched: no request is made for one that cannot be written."""
    server.script = [FILE]
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with file.open("rb") as reading, file.open("a") as text:
        closed = io.BytesIO()
        closed.close()
        for to, match in (
            (tmp_path / "no" / "out.jpg", "its directory does not exist"),
            (f"{file}/", "exists"),
            (f"{file}/no/", "directory"),
            (file / "out.jpg", "directory"),
            ("", "empty path"),
            ("a\0b", "null"),
            ("/dev/null", "not a regular file"),
            (reading, "not open for writing"),
            (text, "text mode"),
            (closed, "is closed"),
            (5, "object of type int"),
        ):
            with pytest.raises(DestinationError, match=match) as caught:
                await raw.get_material("M", to=to)  # type: ignore[arg-type]  # the point of the test
            assert caught.value.hint.chinese in str(caught.value)
    assert server.requests == []
    assert file.read_bytes() == b"x"


async def test_a_directory_without_permission_is_refused(
    raw: WxSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that may not be written to is refused; root may write everywhere, so the answer is forced."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DestinationError, match="Permission denied"):
        await raw.get_material("M", to=tmp_path / "out.jpg")


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a disk that takes 300,000 bytes of a file, and not all of a write at once."""
    write = os.write

    def take(descriptor: int, data: bytes) -> int:
        if os.fstat(descriptor).st_size >= 300_000:
            raise OSError(28, "No space left on device")
        return write(descriptor, memoryview(data)[:100_000])

    replace_writes(monkeypatch, take)


async def test_a_full_disk_leaves_nothing(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk is full the error says so, no part is left, and the file before is as it was."""
    fill_disk(monkeypatch)
    server.script = [FILE]
    (tmp_path / "out.jpg").write_bytes(b"old")
    with pytest.raises(DestinationError, match="No space left on device"):
        await raw.get_material("M", to=tmp_path / "out.jpg")
    assert (names(tmp_path), (tmp_path / "out.jpg").read_bytes()) == (["out.jpg"], b"old")


@pytest.mark.parametrize("at_once", [True, False], ids=["several parts", "one part, as on Windows"])
async def test_a_disk_that_takes_a_part_of_a_write_gets_the_rest(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """The rest of a write is written next, also where it begins inside a part."""
    write = os.write
    replace_writes(monkeypatch, lambda descriptor, data: write(descriptor, data[:77_777]))
    if not at_once:
        monkeypatch.delattr(os, "writev")
    server.script = [reply(PHOTO, "image/jpeg")]
    await raw.get_material("M", to=tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").read_bytes() == PHOTO


async def test_a_file_of_many_small_parts_is_written_in_writes_that_the_system_takes(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write has at most as many parts as the system allows, here 1,024."""
    parts, write = 3 * os.sysconf("SC_IOV_MAX"), os.writev
    pieces = [PHOTO[start : start + 50] for start in range(0, 50 * parts, 50)]
    written: list[int] = []

    def count(descriptor: int, views: Any) -> int:
        written.append(len(views))
        return write(descriptor, views)

    monkeypatch.setattr(os, "writev", count)

    async def trickle(_: RawRequest, connection: Connection) -> None:
        await connection.send(reply(b"", "image/jpeg", length=50 * parts))
        for piece in pieces:
            await connection.send(piece)
            await asyncio.sleep(0)

    server.script = [trickle]
    await raw.get_material("M", to=tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").read_bytes() == b"".join(pieces)
    assert 1 < max(written) <= 1024


async def test_a_failing_writer(raw: WxSession, server: RawServer) -> None:
    """A writer's OSError is a `DestinationError`; its other errors are the caller's own."""
    server.script = [FILE]
    with pytest.raises(DestinationError, match="Broken pipe"):
        await raw.get_material("M", to=Writer(BrokenPipeError(32, "Broken pipe")))
    with pytest.raises(ZeroDivisionError):
        await raw.get_material("M", to=Writer(ZeroDivisionError()))
    assert len(server.requests) == 2


class Odd:
    """A write that is neither: it returns something that is no count."""

    def write(self, data: bytes) -> object:
        """Return an awaitable's look-alike."""
        return [data]


async def test_a_write_that_returns_no_count(raw: WxSession, server: RawServer) -> None:
    """An object whose `write` does not behave is told so."""
    server.script = [FILE]
    with pytest.raises(DestinationError, match="returned list, not a count"):
        await raw.get_material("M", to=Odd())  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("kind", ["path", "open file", "anyio file"])
async def test_fsync_waits_for_the_disk(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With `fsync=True` the file is on the disk before it has its name, and the name before the call returns."""
    server.script = [FILE]
    target, synced = tmp_path / "out.jpg", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    if kind == "path":
        await raw.get_material("M", to=target)
        assert synced == []
        await raw.get_material("M", to=target, fsync=True)
        assert synced == [target.stat().st_ino, tmp_path.stat().st_ino]
        return
    with target.open("wb") as handle:
        await raw.get_material("M", to=handle if kind == "open file" else anyio.wrap_file(handle), fsync=True)
    assert (synced, target.read_bytes()) == ([target.stat().st_ino], PHOTO)


@pytest.mark.parametrize("to", [io.BytesIO(), Writer()])
async def test_fsync_needs_a_disk(raw: WxSession, server: RawServer, to: Any) -> None:
    """Memory and writers have nothing that `fsync` could wait for."""
    with pytest.raises(UsageError, match="fsync="):
        await raw.get_material("M", to=to, fsync=True)
    assert server.requests == []


async def test_a_slow_disk_holds_the_server_back(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not more than two batches and what sockets hold is under way: the server waits for a disk that is slower."""
    size, sent, lag, taken = 100_000_000, 0, 0, 0
    write = os.write

    def write_slowly(descriptor: int, data: bytes) -> int:
        nonlocal taken
        threading.Event().wait(len(data) / 80_000_000)
        taken += len(data)
        return write(descriptor, data)

    replace_writes(monkeypatch, write_slowly)

    async def stream(_: RawRequest, connection: Connection) -> None:
        nonlocal sent, lag
        await connection.send(reply(b"", "image/jpeg", length=size))
        while sent < size:
            await connection.send(PHOTO[:500_000])
            sent += 500_000
            lag = max(lag, sent - taken)

    server.script = [stream]
    saved = await raw.get_material("M", to=tmp_path / "out.jpg")
    assert isinstance(saved, SavedMaterial)
    assert saved.size == taken == size
    assert lag < 30_000_000


# What shows that a file is whole


def closing(body: bytes) -> Handler:
    """Send a body whose end is the end of the connection."""

    async def send(_: RawRequest, connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
        connection.writer.close()

    return send


def chunked(body: bytes) -> bytes:
    """Frame a body in chunks."""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize(
    ("name", "frame", "integrity"),
    [
        ("photo.jpg", reply, Integrity.LENGTH),
        ("photo.jpg", chunked, Integrity.FRAMED),
        ("photo.jpg", closing, Integrity.END_MARK),
        ("clip.mp4", closing, Integrity.END_MARK),
        ("voice.amr", closing, Integrity.UNVERIFIED),
    ],
)
async def test_every_result_says_what_shows_that_it_is_whole(
    raw: WxSession, server: RawServer, tmp_path: Path, samples: Path, name: str, frame: Any, integrity: Integrity
) -> None:
    """An announced length, the end of its framing, or the file's own end mark; without any of them nothing does."""
    data = media(samples, name)
    server.script = [frame(data)]
    saved = await raw.get_material("M", to=tmp_path / "out")
    assert isinstance(saved, SavedMaterial)
    assert (saved.integrity, saved.path) == (integrity, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data
    async with raw.open_material("M") as stream:
        assert isinstance(stream, MaterialStream)
        assert stream.integrity is None
        assert await stream.read() == data
        assert stream.integrity is integrity


def media(samples: Path, name: str) -> bytes:
    """A real file, or the start of a voice that says nothing about its end."""
    return (samples / name).read_bytes() if (samples / name).exists() else b"#!AMR\n" + bytes(1000)


async def test_a_compressed_file_is_framed(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """The length of what was compressed is not the file's, but shows that all of it came."""
    body = gzip.compress(PHOTO)
    server.script = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)]
    saved = await raw.get_material("M", to=tmp_path / "out")
    assert isinstance(saved, SavedMaterial)
    assert (saved.integrity, saved.size) == (Integrity.FRAMED, len(PHOTO))


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
@pytest.mark.parametrize("name", ["photo.jpg", "clip.mp4"])
async def test_a_cut_that_looks_like_an_end_is_noticed(
    raw: WxSession, server: RawServer, tmp_path: Path, samples: Path, name: str, share: float
) -> None:
    """Where only the connection's end is the file's end, a file without its end mark is a `TruncatedDownload`."""
    data = media(samples, name)
    data = data[: int(len(data) * share)]
    server.script = [closing(data)]
    with pytest.raises(TruncatedDownload, match="the end of the file is missing") as caught:
        await raw.get_material("M", to=tmp_path)
    assert (caught.value.received, caught.value.expected) == (len(data), None)
    async with raw.open_material("M") as stream:
        assert isinstance(stream, MaterialStream)
        with pytest.raises(TruncatedDownload):
            _ = [chunk async for chunk in stream]
    assert names(tmp_path) == []


# Broken downloads


async def test_a_cut_download_is_fetched_again(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A file that was cut short is fetched again from its start, into a path as into a handle."""
    handle = io.BytesIO()
    for to in (tmp_path / "out.jpg", handle):
        server.script = [cut, reset, FILE]
        await raw.get_material("M", to=to)
    assert (tmp_path / "out.jpg").read_bytes() == handle.getvalue() == PHOTO
    assert names(tmp_path) == ["out.jpg"]
    assert len(server.requests) == 6


async def test_a_download_that_is_always_cut_leaves_nothing(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """After the last attempt a `TruncatedDownload` counts the bytes; path, directory and handle are as they were."""
    server.script = [cut]
    (tmp_path / "old.jpg").write_bytes(b"old")
    handle = io.BytesIO(b"before")
    handle.seek(6)
    for to in (tmp_path / "old.jpg", tmp_path / "new.jpg", tmp_path, handle):
        with pytest.raises(TruncatedDownload) as caught:
            await raw.get_material("M", to=to)
        assert 0 < caught.value.received <= 300_000
        assert caught.value.expected == len(PHOTO)
    assert (names(tmp_path), (tmp_path / "old.jpg").read_bytes()) == (["old.jpg"], b"old")
    assert (handle.getvalue(), handle.tell()) == (b"before", 6)
    assert len(server.requests) == 12


async def test_a_writer_that_has_bytes_is_not_given_others(raw: WxSession, server: RawServer) -> None:
    """What a writer was given cannot be taken back: a cut download is not fetched again into it."""
    writer = Writer()
    server.script = [cut_after(lambda: writer.data), FILE]
    with pytest.raises(TruncatedDownload):
        await raw.get_material("M", to=writer)
    assert len(server.requests) == 1
    assert PHOTO.startswith(writer.data)


class Narrow:
    """A writer that takes so many bytes at most, and says so."""

    def __init__(self, most: int) -> None:
        self.data = b""
        self.most = most

    async def write(self, data: bytes) -> int:
        """Take a part."""
        self.data += data[: self.most]
        return min(self.most, len(data))


async def test_a_writer_that_takes_a_part_gets_the_rest(raw: WxSession, server: RawServer) -> None:
    """The count that an async write returns is believed: all bytes arrive, or the download fails."""
    server.script = [FILE]
    writer = Narrow(100_000)
    await raw.get_material("M", to=writer)
    assert writer.data == PHOTO
    with pytest.raises(DestinationError, match="takes no more"):
        await raw.get_material("M", to=Narrow(0))


class Content:
    """A writer that takes everything, and says that it did."""

    def __init__(self) -> None:
        self.data = b""

    async def write(self, data: bytes) -> bool:
        """Take it."""
        self.data += data
        return True


async def test_a_writer_that_returns_true_took_everything(raw: WxSession, server: RawServer) -> None:
    """True is no count of one byte."""
    server.script = [FILE]
    writer = Content()
    await raw.get_material("M", to=writer)
    assert writer.data == PHOTO


async def test_a_cancelled_download_leaves_nothing(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """Cancelling a download in the middle leaves no part file, and the file before as it was."""
    halfway = anyio.Event()

    async def stall(_: RawRequest, connection: Connection) -> None:
        await connection.send(CUT)
        await anyio.sleep_forever()

    server.script = [stall]
    (tmp_path / "out.jpg").write_bytes(b"old")
    async with anyio.create_task_group() as group:

        async def fetch() -> None:
            await raw.get_material("M", to=tmp_path / "out.jpg", progress=lambda *_: halfway.set())

        group.start_soon(fetch)
        await halfway.wait()
        group.cancel_scope.cancel()
    assert (names(tmp_path), (tmp_path / "out.jpg").read_bytes()) == (["out.jpg"], b"old")


async def test_a_download_cancelled_in_the_middle_of_a_write_leaves_nothing(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled download waits for its thread, however often it is cancelled, and only then cleans up."""
    begun, go_on, write = threading.Event(), threading.Event(), os.write

    def write_when_it_may(descriptor: int, data: bytes) -> int:
        begun.set()
        assert go_on.wait(10)
        return write(descriptor, data)

    replace_writes(monkeypatch, write_when_it_may)
    server.script = [reply(PHOTO * 6, "image/jpeg")]
    task = asyncio.create_task(raw.get_material("M", to=tmp_path / "out.jpg"))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == []


async def test_a_stalled_download_is_given_up(server: RawServer, tmp_path: Path) -> None:
    """A peer that stops in the middle, or never answers, costs `Timeouts.stall` seconds an attempt."""

    async def stall(_: RawRequest, connection: Connection) -> None:
        await connection.send(CUT)
        await anyio.sleep_forever()

    async with WxSession("wx1", "s", base_url=server.url, timeouts=Timeouts(stall=0.1), retry=ONCE) as wx:
        for script, match in ((stall, "stopped answering after 300000 bytes"), (forever, "did not answer")):
            server.script = [script]
            with pytest.raises(TransferTimeout, match=match):
                await wx.get_material("M", to=tmp_path)
    assert names(tmp_path) == []


async def test_an_open_material_that_is_cut_says_so(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A cut stream is a `TruncatedDownload`, however it is read."""
    server.script = [cut]
    async with raw.open_material("M") as stream:
        assert isinstance(stream, MaterialStream)
        with pytest.raises(TruncatedDownload):
            await stream.read()
    async with raw.open_material("M") as stream:
        assert isinstance(stream, MaterialStream)
        with pytest.raises(TruncatedDownload):
            await stream.save(tmp_path)
    assert names(tmp_path) == []


async def test_downloads_have_a_limit(server: RawServer, tmp_path: Path) -> None:
    """A file over `Limits.max_download`, or over the limit of `read`, is a `ReplyTooLarge` and leaves nothing."""
    server.script = [FILE]
    async with WxSession("wx1", "s", base_url=server.url, limits=Limits(max_download=500_000)) as wx:
        with pytest.raises(ReplyTooLarge) as caught:
            await wx.get_material("M", to=tmp_path)
        assert caught.value.limit == 500_000
        async with wx.open_material("M") as stream:
            assert isinstance(stream, MaterialStream)
            with pytest.raises(ReplyTooLarge):
                await stream.read(1000)
    assert names(tmp_path) == []
    assert len(server.requests) == 2


# Told apart by their bytes

ERROR = {"errcode": 40007, "errmsg": "invalid media_id hint: [x] rid: 6087f0d0-5c83dcaa-438ebbcc"}
ATTACHED = b'attachment; filename="x.jpg"'


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; encoding=utf-8", "image/jpeg", None])
@pytest.mark.parametrize("disposition", [None, ATTACHED])
async def test_an_error_never_reaches_a_destination(
    raw: WxSession, server: RawServer, tmp_path: Path, content_type: str | None, disposition: bytes | None
) -> None:
    """An error is raised, whatever its headers say, and nothing is written anywhere."""
    writer = Writer()
    (tmp_path / "old.jpg").write_bytes(b"old")
    for body in (ERROR, b" \n" + json.dumps(ERROR).encode(), b"\xef\xbb\xbf" + json.dumps(ERROR).encode()):
        server.script = [reply(body, content_type, disposition=disposition)]
        for to in (tmp_path / "old.jpg", tmp_path, writer):
            with pytest.raises(MediaNotFoundError) as caught:
                await raw.get_material("M", to=to)
            assert caught.value.rid == "6087f0d0-5c83dcaa-438ebbcc"
    assert (names(tmp_path), (tmp_path / "old.jpg").read_bytes(), writer.data) == (["old.jpg"], b"old", b"")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "image/jpeg", None])
async def test_a_file_is_a_file_whatever_its_content_type(
    raw: WxSession, server: RawServer, tmp_path: Path, content_type: str | None
) -> None:
    """Binaries as text/plain, as in 2016, or even as JSON are saved byte for byte."""
    server.script = [reply(PHOTO, content_type)]
    saved = await raw.get_material("M", to=tmp_path / "out")
    assert isinstance(saved, SavedMaterial)
    assert (tmp_path / "out").read_bytes() == PHOTO


ODD: Final[dict[str, tuple[bytes, type[WxAssetError]]]] = {
    "a number": (b"12345", DecodeError),
    "an array": (b'[{"errcode": 40007}]', DecodeError),
    "a string": (b'"text"', DecodeError),
    "an empty object": (b"{}", DecodeError),
    "foreign JSON": (b'{"code": "INVALID_PARAM"}', DecodeError),
    "large foreign JSON": (b'{"pixels": "' + b"x" * 50_000 + b'"}', DecodeError),
    "broken foreign JSON": (b'{"pixels": [0, 1]', DecodeError),
    "a bare success": (b'{"errcode": 0, "errmsg": "ok"}', DecodeError),
    "half a code": (b'{"errcode": 4', DecodeError),
    "half a reply": (b'{"title": "' + b"x" * 100_000, DecodeError),
    "a line of text": (b"upstream connect error or disconnect/reset before headers", DecodeError),
    "Chinese text": ("网关错误：请稍后再试。".encode(), DecodeError),
    "Chinese text in GBK": ("网关错误：请稍后再试。".encode("gbk"), DecodeError),
    "French text in Latin-1": ("La page demandée n'existe pas".encode("latin-1"), DecodeError),
    "text in UTF-16": ("upstream".encode("utf-16"), DecodeError),
    "much text": (b"no healthy upstream\n" * 5000, DecodeError),
    "blanks": (b" " * 100_000, DecodeError),
    "a page": (b"<!doctype html><html>502", DecodeError),
    "a fragment of a page": (b"\xef\xbb\xbf\n <center>502</center>", DecodeError),
    "a drawing": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', DecodeError),
    "an error and other keys": (b'{"errcode": 40007, "errmsg": "x", "detail": {}}', MediaNotFoundError),
    "an error of 5 KB": (b'{"errcode": 40007, "errmsg": "' + b"x" * 5000 + b'"}', MediaNotFoundError),
    "an error of 200 KB": (b'{"errmsg": "' + b"x" * 200_000 + b'", "errcode": 40007}', MediaNotFoundError),
    "half an error": (b'{"errcode": 40007, "errmsg": "inv', MediaNotFoundError),
    "half an error of 5 KB": (b'{"errcode": 40007, "errmsg": "' + b"x" * 5000, MediaNotFoundError),
    "an error behind blanks": (b" \r\n" * 500 + b'{"errcode": 40007}', MediaNotFoundError),
    "an error behind marks": (b'\xef\xbb\xbf\xef\xbb\xbf{"errcode": 40007}', MediaNotFoundError),
    "an error in UTF-16": ('{"errcode": 40007}'.encode("utf-16"), MediaNotFoundError),
    "an error in GBK": ('{"errcode": 40007, "errmsg": "请勿"}'.encode("gbk"), MediaNotFoundError),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("headers", [("image/jpeg", ATTACHED), ("text/plain", None), ("application/json", ATTACHED)])
async def test_what_is_not_media_is_written_nowhere(
    raw: WxSession, server: RawServer, tmp_path: Path, case: str, headers: tuple[str, bytes | None]
) -> None:
    """No format that WeChat stores begins like JSON or a page, or is text: the bytes decide, and no header."""
    body, expected = ODD[case]
    writer = Writer()
    (tmp_path / "old.jpg").write_bytes(b"old")
    server.script = [reply(body, headers[0], disposition=headers[1])]
    for get in (raw.get_material, raw.get_media):
        for to in (tmp_path / "old.jpg", writer):
            with pytest.raises(expected):
                await get("M", to=to)
    with pytest.raises(expected):
        async with raw.open_material("M"):
            pytest.fail("opened")
    assert (names(tmp_path), (tmp_path / "old.jpg").read_bytes(), writer.data) == (["old.jpg"], b"old", b"")


async def test_an_error_that_breaks_off_is_an_error(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A connection that ends in the middle of an error has told its code, which is final."""

    async def broken(_: RawRequest, connection: Connection) -> None:
        await connection.send(reply(ERROR, length=1000))
        connection.writer.close()

    server.script = [broken]
    for call in (raw.get_material("M", to=tmp_path / "x"), raw.count_materials(), raw.add_material("image", PHOTO)):
        with pytest.raises(MediaNotFoundError):
            await call
    assert len(server.requests) == 3
    assert names(tmp_path) == []


@pytest.mark.parametrize("attached", [None, ATTACHED])
async def test_a_reply_is_read_whatever_its_headers_are(
    raw: WxSession, server: RawServer, tmp_path: Path, attached: bytes | None
) -> None:
    """Articles announced as a file are articles."""
    server.script = [reply(b'{"news_item": [{"title": "' + b"x" * 10_000 + b'"}]}', "image/jpeg", disposition=attached)]
    assert isinstance(await raw.get_material("M", to=tmp_path), News)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\x01text",
        b"\xff\xfb\x90text",
        b"GIF89a",
        b"#!AMR\ntext",
        PHOTO,
        bytes(range(255, -1, -1)),
    ],
    ids=range(7),  # some are random: processes that share the tests have to agree on their names
)
async def test_bytes_of_a_known_format_or_no_text_are_a_file(raw: WxSession, server: RawServer, body: bytes) -> None:
    """Formats that wxasset does not know are saved like those that it does."""
    server.script = [reply(body, "application/json")]
    memory = io.BytesIO()
    await raw.get_material("M", to=memory)
    assert memory.getvalue() == body


async def test_replies_come_in_pieces(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """A reply that arrives byte by byte is still known for what it is."""

    def dribble(body: bytes) -> Any:
        async def send(_: RawRequest, connection: Connection) -> None:
            for byte in reply(body):
                await connection.send(bytes([byte]))

        return send

    server.script = [dribble(json.dumps(ERROR).encode())]
    with pytest.raises(MediaNotFoundError):
        await raw.get_material("M", to=tmp_path)
    server.script = [dribble(PHOTO[:300])]
    await raw.get_material("M", to=tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == PHOTO[:300]


async def test_articles_with_control_characters_and_broken_utf8(
    raw: WxSession, server: RawServer, tmp_path: Path
) -> None:
    """What users wrote into articles does not stop them from being read."""
    server.script = [reply(b'{"news_item":[{"title":"a\x01\nb\xff","show_cover_pic":1,"new_key":{}}],"x":null}')]
    news = await raw.get_material("M", to=tmp_path)
    assert isinstance(news, News)
    assert (news.articles[0].title, news.articles[0].show_cover_pic) == ("a\x01\nb\ufffd", True)


async def test_videos_in_both_flavours(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    r"""A video's address is read from get_material and from media/get, with \/ escapes, and stays out of `repr`."""
    server.script = [reply(rb'{"title":"t","description":"d","down_url":"http:\/\/h\/f.mp4?vkey=1"}')]
    video = await raw.get_material("M", to=tmp_path)
    assert video == Video(title="t", description="d", down_url="http://h/f.mp4?vkey=1")
    assert "vkey" not in repr(video)
    server.script = [reply(rb'{"video_url":"http:\/\/h\/f.mp4"}', "application/json")]
    assert await raw.get_media("M", to=tmp_path) == Video(down_url="http://h/f.mp4")


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"", "empty body"),
        (b" \r\n ", "empty body"),
        (b'{"errcode": 40007', "broken JSON"),
        (b'{"news_item": [{"title": "a"', "broken JSON"),
        (b'{"errcode":' + b"[" * 100_000, "nested too deep"),
        (b'{"errcode":' + b"9" * 5000 + b"}", "excessively long number"),
        (b'{"errcode": "many", "errmsg": ""}', "errcode that is not a number"),
        (b'{"news_item": 5}', "expected tuple @ .*news_item"),
    ],
)
async def test_a_reply_that_cannot_be_read_is_a_decode_error(
    raw: WxSession, server: RawServer, tmp_path: Path, body: bytes, match: str
) -> None:
    """A reply that is cut, too deep or wrong is a `DecodeError` that says which, and nothing is written."""
    server.script = [reply(body)]
    with pytest.raises(DecodeError, match=match) as caught:
        await raw.get_material("M", to=tmp_path)
    assert caught.value.path == "/cgi-bin/material/get_material"
    assert names(tmp_path) == []


PACKED = gzip.compress(PHOTO)


@pytest.mark.parametrize(
    ("coding", "body", "whole"),
    [
        (b"x-gzip", PACKED, True),
        (b"gzip", gzip.compress(PHOTO[:9]) + gzip.compress(b"") + gzip.compress(PHOTO[9:]), True),
        (b"gzip", PACKED[: len(PACKED) // 2], False),
        (b"gzip", PACKED[:-4], False),
        (b"gzip", PACKED + b"more", False),
        (b"deflate", zlib.compress(PHOTO)[:-1], False),
        (b"gzip, gzip", gzip.compress(PACKED), False),
        (b"compress", PACKED, False),
        (b"aws-chunked", PHOTO, True),
    ],
    ids=["whole", "members", "half", "no-length", "more", "deflate", "twice", "compress", "aws-chunked"],
)
async def test_a_part_of_a_compressed_file_is_no_file(
    server: RawServer, tmp_path: Path, coding: bytes, body: bytes, whole: bool
) -> None:
    """A stream without its end, or in a compression that was not asked for, is an error, whatever its length says."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    server.script = [head % (coding, len(body)) + body]
    async with WxSession(tokens=NoToken(), base_url=server.url, retry=ONCE) as wx:
        if whole:
            await wx.get_material("M", to=tmp_path / "a")
            assert (tmp_path / "a").read_bytes() == PHOTO
        else:
            with pytest.raises((TruncatedDownload, DecodeError)):
                await wx.get_material("M", to=tmp_path / "a")
            assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_packed_articles_are_measured_by_what_arrived(
    server: RawServer, tmp_path: Path, chunked: bool, encoding: str
) -> None:
    """A page of several MiB is read with and without a length; a bomb is refused at 1 MiB, whatever it announces."""
    text = hashlib.shake_256(b"text").hexdigest(1_500_000)  # compressed to a half
    news = json.dumps({"news_item": [{"content": text}]}).encode()
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    async with WxSession("wx1", "s", base_url=server.url, limits=Limits(max_reply=1 << 26), retry=ONCE) as wx:
        server.script = [packed(pack(news), encoding, chunked=chunked)]
        answer = await wx.get_material("M", to=tmp_path)
        assert isinstance(answer, News)
        assert answer.articles[0].content == text
        server.script = [packed(pack(b'{"news_item":[' + b" " * 30_000_000), encoding, chunked=chunked)]
        for call in (wx.get_material("M", to=tmp_path), wx.list_materials("news")):
            with pytest.raises(ReplyTooLarge) as caught:
                await call
            assert caught.value.limit == 1 << 20


def packed(body: bytes, encoding: str, *, chunked: bool) -> bytes:
    """Build a reply with a compressed body."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n".encode()
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_a_huge_reply_is_not_read_to_its_end(server: RawServer, tmp_path: Path) -> None:
    """JSON over the limit is a `ReplyTooLarge`: from a list, from a download, and unpacked from gzip."""
    huge = b'{"news_item":[{"title":"' + b"x" * 3_000_000 + b'"}]}'
    packed = gzip.compress(b'{"item":[' + b" " * 50_000_000)
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    async with WxSession("wx1", "s", base_url=server.url, limits=Limits(max_reply=1_000_000)) as wx:
        server.script = [reply(huge)]
        with pytest.raises(ReplyTooLarge):
            await wx.get_material("M", to=tmp_path)
        server.script = [bomb]
        with pytest.raises(ReplyTooLarge) as caught:
            await wx.list_materials("news")
        assert caught.value.limit == 1_000_000
        server.script = [reply(huge[:10_000], disposition=ATTACHED)]
        with pytest.raises(ReplyTooLarge):  # all of it arrives with the first bytes
            await wx.with_options(limits=Limits(max_reply=1000)).get_material("M", to=tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", ["404 Not Found", "302 Found", "412 Precondition Failed", "206 Partial Content"])
async def test_any_status_but_200_is_an_error(raw: WxSession, server: RawServer, tmp_path: Path, status: str) -> None:
    """WeChat answers with status 200: others come from something in between, and are not repeated or followed."""
    server.script = [reply(b"<html>go\x00 away</html>", status=status)]
    with pytest.raises(HTTPStatusError) as caught:
        await raw.get_material("M", to=tmp_path)
    assert (caught.value.status, caught.value.excerpt) == (int(status[:3]), "<html>go  away</html>")
    assert len(server.requests) == 1


async def test_a_status_whose_body_breaks_off(raw: WxSession, server: RawServer) -> None:
    """The status of an answer says enough, also where its body does not arrive."""

    async def broken(_: RawRequest, connection: Connection) -> None:
        await connection.send(reply(b"x" * 10, status="410 Gone", length=100))
        connection.writer.close()

    server.script = [broken]
    with pytest.raises(HTTPStatusError, match="HTTP status 410"):
        await raw.count_materials()


async def test_a_handle_that_is_closed_on_the_way(raw: WxSession, server: RawServer) -> None:
    """A BytesIO that its owner closes in the middle is a `DestinationError`."""
    server.script = [FILE]
    memory = io.BytesIO()
    with pytest.raises(DestinationError, match="closed file"):
        await raw.get_material("M", to=memory, progress=lambda *_: memory.close())


async def test_reads_are_repeated_while_wechat_is_busy(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """-1, a 503 and a lost connection cost a read nothing but time; in the end the last error is raised."""
    busy = reply({"errcode": -1, "errmsg": "system error"})
    server.script = [busy, reply(b"", status="503 Service Unavailable"), FILE]
    await raw.get_material("M", to=tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == PHOTO
    server.script = [busy]
    with pytest.raises(BusyError) as caught:
        await raw.get_material("M", to=tmp_path / "out")
    assert caught.value.retryable
    assert len(server.requests) == 6


async def test_a_stale_connection_costs_a_read_nothing(raw: WxSession, server: RawServer) -> None:
    """A kept connection that the server has closed meanwhile is not noticed by the caller."""

    async def close_after(_: RawRequest, connection: Connection) -> None:
        await connection.send(reply({"voice_count": 0, "video_count": 0, "image_count": 7, "news_count": 0}))
        connection.reset()

    server.script = [close_after]
    for _ in range(5):
        assert (await raw.count_materials()).image == 7


async def test_a_download_call_without_a_destination(raw: WxSession, server: RawServer) -> None:
    """`call` decodes the JSON of a `Download`, and asks for `to=` where a file comes."""
    server.script = [reply({"news_item": []}), FILE]
    assert await raw.call(GetMaterial(media_id="M")) == News(articles=())
    with pytest.raises(UsageError, match="pass to="):
        await raw.call(GetMaterial(media_id="M"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(min_size=1, max_size=400), attached=st.booleans())
def test_any_bytes_are_a_file_or_a_typed_error(body: bytes, attached: bool) -> None:
    """Whatever bytes are answered: all of them are saved, or a typed error is raised and none is."""

    async def fetch() -> None:
        async with RawServer() as server, WxSession("w", "s", base_url=server.url, retry=PATIENT) as wx:
            server.script = [reply(body, disposition=ATTACHED if attached else None)]
            to = io.BytesIO()
            try:
                answer = await wx.get_material("M", to=to)
            except (APIError, DecodeError):
                answer = None
            assert to.getvalue() == (body if isinstance(answer, SavedMaterial) else b"")

    anyio.run(fetch)
