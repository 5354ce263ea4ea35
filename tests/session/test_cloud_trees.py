"""Directories go to cloud storage and come back with their relative paths."""

import os
from pathlib import Path

import pytest

from wxasset import Downloaded, Uploaded, WxSession
from wxasset.errors import DestinationError, MediaNotFoundError, SourceError, UsageError
from wxasset.simulator import Simulator

BUCKET = "cloud://env.7465-env-1258717764"


def make_tree(root: Path) -> dict[str, bytes]:
    """Make a directory with files of the same name in several places."""
    contents = {"a.png": b"1", "x/a.png": b"2", "x/y/a.png": b"3", "图/b.txt": b"4"}
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return contents


async def test_a_directory_comes_back_as_it_was_sent(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """Relative paths are kept, symbolic links are failures, an unknown id too."""
    contents = make_tree(tmp_path / "in")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "x" / "up").symlink_to(tmp_path)
    ids = []
    async with wx.upload_files("env", tmp_path / "in", prefix="site/") as outcomes:
        failed = []
        async for outcome in outcomes:
            if isinstance(outcome, Uploaded):
                ids.append(outcome.fileid)
            else:
                failed.append((outcome.item, type(outcome.error)))
    assert sim.cloud_files == {f"{BUCKET}/site/{name}": content for name, content in contents.items()}
    assert sorted(failed) == [("site/link.png", SourceError), ("site/x/up", SourceError)]

    out = tmp_path / "out"
    async with wx.download_files("env", [*ids, ids[0], f"{BUCKET}/none"], out) as downloads:
        found = [one.item if isinstance(one, Downloaded) else type(one.error) async for one in downloads]
    assert sorted(map(str, found)) == sorted([*ids, str(MediaNotFoundError)])
    assert {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()} == {
        f"site/{name}": content for name, content in contents.items()
    }


async def test_media_by_their_paths_are_uploaded(wx: WxSession, sim: Simulator) -> None:
    """A mapping or pairs name the files themselves."""
    assert (await wx.upload_files("env", {"m/1": b"one"}).report()).done == 1
    assert (await wx.upload_files("env", iter([("2", b"two")]), prefix="p").report()).done == 1
    assert sim.cloud_files == {f"{BUCKET}/m/1": b"one", f"{BUCKET}/p/2": b"two"}


@pytest.mark.parametrize(
    "ids",
    [
        ["cloud://env.a/x.png", "cloud://env.b/x.png"],
        ["cloud://env.a/x.png", "cloud://env.a/X.png"],
        ["cloud://env.a/x", "cloud://env.a/X/y"],
        ["cloud://env.a/X/y", "cloud://env.a/x"],
        ["cloud://env.a/x", "cloud://env.a/../y"],
        ["cloud://env.a/x", "cloud://env.a"],
    ],
)
async def test_downloads_that_would_be_one_file_are_refused(
    wx: WxSession, sim: Simulator, tmp_path: Path, ids: list[str]
) -> None:
    """Nothing is asked for, and nothing is written."""
    with pytest.raises(UsageError):
        await wx.download_files("env", iter(ids), tmp_path / "out").report()
    assert not sim.journal
    assert not list(tmp_path.iterdir())


async def test_uploads_to_one_path_are_refused(wx: WxSession, sim: Simulator) -> None:
    """Nothing is sent of pairs with the same path, nor of a path that is not relative."""
    for pairs in ([("a", b"1"), ("b", b"2"), ("a", b"3")], [("a", b"1"), ("../b", b"2")], [("a", b"1"), ("/b", b"2")]):
        with pytest.raises(UsageError):
            await wx.upload_files("env", pairs).report()
    assert not sim.journal


async def test_a_directory_that_cannot_be_read_raises(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """A part of a directory is not taken for the whole."""
    with pytest.raises(SourceError, match="missing"):
        await wx.upload_files("env", tmp_path / "missing").report()
    make_tree(tmp_path)
    (tmp_path / "x").chmod(0)
    try:
        if not os.access(tmp_path / "x", os.R_OK):  # not as root
            with pytest.raises(SourceError):
                await wx.upload_files("env", tmp_path).report()
    finally:
        (tmp_path / "x").chmod(0o755)
    assert not sim.journal


async def test_a_directory_with_the_name_of_a_file_is_a_failure(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """The file does not go into that directory instead."""
    fileid = sim.add_cloud_file("env", "a", b"x")
    (tmp_path / "a").mkdir()
    report = await wx.download_files("env", [fileid], tmp_path).report()
    assert [type(one.error) for one in report.failed] == [DestinationError]
    assert not list((tmp_path / "a").iterdir())


async def test_no_directory_is_made_for_files_that_are_not_there(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """Of two unknown files nothing is left, and each costs one question."""
    sim.add_cloud_file("env", "a", b"x")
    report = await wx.download_files("env", [f"{BUCKET}/x/none", f"{BUCKET}/y/none"], tmp_path / "out").report()
    assert [type(one.error) for one in report.failed] == [MediaNotFoundError] * 2
    assert not (tmp_path / "out").exists()
    assert sum(entry.path.endswith("batchdownloadfile") for entry in sim.journal) == 2
