"""Files whose path and bytes are in the kernel's memory need no thread; all else about them stays as it is."""

import asyncio
import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from raw_server import RawServer, forever
from upload_sources import ADDED, jpeg, parts
from waiting import until
from wxasset import WxSession
from wxasset.errors import SourceError
from wxasset.transfer.buffers import UPLOAD_BUFFERS
from wxasset.transfer.uploads import cached_files, file_reader, files
from wxasset.transfer.uploads.content import SMALL


def _is_quick(directory: Path) -> bool:
    """Return whether files of a directory can be opened without a thread on this machine."""
    first = str(directory / "first.jpg")
    found = cached_files.open_cached(first)
    if found is not None:
        os.close(found)
    return found is not None


@pytest.fixture
async def known(raw: WxSession, server: RawServer, tmp_path: Path) -> Path:
    """A directory from which a file was uploaded before."""
    server.script = [ADDED] * 4
    (tmp_path / "first.jpg").write_bytes(jpeg(1000))
    await raw.add_material("image", tmp_path / "first.jpg")
    server.requests.clear()
    return tmp_path


@pytest.mark.parametrize("size", [100, SMALL, SMALL + 1, 1_500_000])
async def test_cached_files_are_sent_without_a_thread(
    raw: WxSession, server: RawServer, known: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The second file of a directory on a local file system is opened, examined and read at once, and sent whole."""
    if not _is_quick(known):
        pytest.skip("this system has no openat2, or a file system that cannot tell that a read would wait")

    def refused(*_: Any) -> None:
        raise AssertionError("a thread was used")

    monkeypatch.setattr(files, "_examine_file", refused)
    monkeypatch.setattr(files.FileContent, "_open", refused)
    data = jpeg(size)
    (known / "second.jpg").write_bytes(data)
    await raw.add_material("image", known / "second.jpg")
    assert parts(server.requests[0])[0][1] == data


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and links")
async def test_other_files_of_a_known_directory_are_judged_as_in_any_other(
    raw: WxSession, server: RawServer, known: Path
) -> None:
    """A link is followed; a missing file, a pipe, a directory, an empty file and a name with a NUL are refused."""
    os.mkfifo(known / "pipe.jpg")
    (known / "directory.jpg").mkdir()
    (known / "empty.jpg").touch()
    (known / "link.jpg").symlink_to(known / "first.jpg")
    for name, reason in (
        ("missing.jpg", "No such file"),
        ("pipe.jpg", "not a regular file"),
        ("directory.jpg", "is a directory"),
        ("empty.jpg", "is empty"),
        ("first.jpg\0.png", "null"),
        ("\ud800.jpg", "Cannot read"),
    ):
        with pytest.raises(SourceError, match=reason):
            await raw.add_material("image", f"{known}/{name}")
    assert not server.requests
    await raw.add_material("image", known / "link.jpg")
    assert parts(server.requests[0])[0][1] == (known / "first.jpg").read_bytes()


async def test_a_cached_file_that_grows_while_it_is_read_is_examined_in_a_thread(
    raw: WxSession, server: RawServer, known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size and its bytes differ; the thread reads it afresh, and what is sent is the file as it is then."""
    fstat, before = os.fstat, jpeg(2000)
    path = known / "growing.jpg"
    path.write_bytes(before)
    grown: list[int] = []

    def growing(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        if found.st_size == len(before) and not grown:
            grown.append(descriptor)
            os.truncate(path, len(before) + 4)
        return found

    if not _is_quick(known):
        pytest.skip("as above")
    monkeypatch.setattr(os, "fstat", growing)
    await raw.add_material("image", path)
    assert grown
    assert parts(server.requests[0])[0][1] == before + bytes(4)


async def test_chunks_are_large_only_while_the_connection_takes_them_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow connection progress is told often, and a chunk moves before the timeout of a stall."""
    clock, path, kib = 0.0, tmp_path / "large.jpg", 1024
    path.write_bytes(jpeg(3_000_000))
    monkeypatch.setattr(file_reader, "monotonic", lambda: clock)
    sizes, seconds = [], [0.0] * 5 + [0.3] * 5 + [0.0] * 50
    descriptor = os.open(path, cached_files.FLAGS)
    try:
        identity = file_reader.Identity.of(os.fstat(descriptor))
        async with aclosing(file_reader.read_file(descriptor, identity, 0, "large.jpg")) as chunks:
            async for chunk in chunks:
                sizes.append(len(chunk))
                clock += seconds.pop(0)
    finally:
        os.close(descriptor)
    grown = [32 * kib, 64 * kib, 128 * kib, 256 * kib, 512 * kib]
    assert sizes[:11] == [*grown, 512 * kib, *reversed(grown[:-1]), 32 * kib]
    assert sizes[11:13] == grown[1:3]
    assert sum(sizes) == path.stat().st_size


async def test_the_buffer_of_a_cancelled_upload_is_not_used_again(
    raw: WxSession, server: RawServer, tmp_path: Path
) -> None:
    """The connection may still hold it; that of a complete upload is kept for the next one."""
    most, path, marked = UPLOAD_BUFFERS.maximum, tmp_path / "large.jpg", bytearray(UPLOAD_BUFFERS.maximum)
    path.write_bytes(jpeg(9_000_000))
    lease = UPLOAD_BUFFERS.lease()
    while any(lease.buffer(most)):  # what earlier tests have left to this event loop
        continue
    lease.keep(marked)
    server.script = [ADDED]
    await raw.add_material("image", path)
    assert marked[:1000] in path.read_bytes()
    assert lease.buffer(most) is marked

    lease.keep(marked)
    server.take, server.script = 100_000, [forever]
    upload = asyncio.create_task(raw.add_material("image", path))
    await until(lambda: len(server.requests) == 2)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert lease.buffer(most) is not marked
