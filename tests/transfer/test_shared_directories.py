"""Downloads into directories where others can write: links, swapped files, and permissions."""

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from raw_server import Connection, Handler, RawRequest, RawServer, reply
from wxasset import SavedMaterial, WxSession
from wxasset.errors import DestinationError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and permissions are others there")

PHOTO: Final = b"\xff\xd8\xff\xe0" + os.urandom(600_000)
FILE: Final = reply(PHOTO, "image/jpeg", disposition=b'attachment; filename="photo.jpg"')


def swapping(directory: Path, swap: Callable[[Path], object]) -> Handler:
    """Send most of a file, do something to its part on the disk, and send the rest."""

    async def step(_: RawRequest, connection: Connection) -> None:
        await connection.send(FILE[:-1000])
        parts: list[Path] = []
        while not parts:
            parts = list(directory.glob(".*.part"))
            await asyncio.sleep(0.01)
        await asyncio.to_thread(swap, parts[0])
        await connection.send(FILE[-1000:])

    return step


def to_link(part: Path) -> None:
    """Put a link in the place of a part."""
    part.unlink()
    part.symlink_to(part.with_name("precious"))


def to_file(part: Path) -> None:
    """Put another file in the place of a part."""
    part.unlink()
    part.write_bytes(b"evil")


@pytest.mark.parametrize("swap", [to_link, to_file, Path.unlink])
@pytest.mark.parametrize("to", [".", "out.jpg", "new.jpg"])
async def test_a_part_that_was_swapped_is_an_error(
    raw: WxSession, server: RawServer, tmp_path: Path, to: str, swap: Callable[[Path], None]
) -> None:
    """The part has to be the file that was written; nothing is renamed, and no mode is set through a name."""
    (precious := tmp_path / "precious").write_bytes(b"precious")
    precious.chmod(0o600)
    (target := tmp_path / "out.jpg").write_bytes(b"before")
    target.chmod(0o666)
    server.script = [swapping(tmp_path, swap)]
    with pytest.raises(DestinationError, match="removed or replaced"):
        await raw.get_material("M", to=tmp_path / to)
    assert precious.read_bytes() == b"precious"
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600
    assert target.read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["out.jpg", "precious"]


@pytest.mark.parametrize("link", ["out.jpg", "link", "link/new.jpg", "dangling"])
async def test_a_foreign_link_is_refused(
    raw: WxSession, server: RawServer, tmp_path: Path, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link of another user is refused before anything is asked for, and the error tells what to do."""
    (inside := tmp_path / "inside").mkdir()
    (home := tmp_path / "home").mkdir()
    for name, end in (("out.jpg", home / "precious"), ("link", home), ("dangling", home / "none")):
        (inside / name).symlink_to(end)
        if os.geteuid() == 0:
            os.lchown(inside / name, 12345, 12345)
    (home / "precious").write_bytes(b"precious")
    if (uid := os.geteuid()) != 0:  # nobody else can give a link away
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(DestinationError, match=r"symbolic link of user \d+; pass the path") as caught:
        await raw.get_material("M", to=inside / link)
    assert "链接" in caught.value.hint.chinese
    assert server.requests == []
    assert os.listdir(home) == ["precious"]
    assert (home / "precious").read_bytes() == b"precious"


async def test_links_in_a_circle_are_an_error(raw: WxSession, server: RawServer, tmp_path: Path) -> None:
    """Links of one's own that lead to each other end in an error."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(DestinationError, match="symbolic links"):
        await raw.get_material("M", to=tmp_path / "a")
    assert server.requests == []


@pytest.mark.parametrize("end", ["../home/./new.jpg", "/{}/home/new.jpg", "../home//up/../new.jpg"])
async def test_links_of_ones_own_are_resolved_as_the_system_does(
    raw: WxSession, server: RawServer, tmp_path: Path, end: str
) -> None:
    """Relative links, absolute ones, links to links, and dots on the way."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "home" / "up").mkdir(parents=True)
    (tmp_path / "inside" / "link.jpg").symlink_to(end.format(str(tmp_path).lstrip("/")))
    (tmp_path / "first").symlink_to("inside/link.jpg")
    server.script = [FILE]
    saved = await raw.get_material("M", to=tmp_path / "first")
    assert isinstance(saved, SavedMaterial)
    assert saved.path == Path(os.path.realpath(tmp_path / "first"))
    assert (tmp_path / "home" / "new.jpg").read_bytes() == PHOTO


async def test_a_foreign_file_in_the_way_gives_no_rights(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode of a file that another user put there is narrowed by the umask, and has no special bits."""
    (target := tmp_path / "out.jpg").touch()
    if os.geteuid() == 0:
        os.chown(target, 12345, 12345)
    else:
        uid = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: uid)
    target.chmod(0o6777)
    server.script = [FILE]
    umask = os.umask(0o022)
    try:
        await raw.get_material("M", to=target)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


@pytest.mark.parametrize("kept", [True, False])
async def test_the_group_of_a_replaced_file_gets_no_more_than_before(
    raw: WxSession, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    """Where the group cannot be kept, another group gets what everybody has."""
    target = tmp_path / "out.jpg"
    change, groups = os.fchown, [gid for gid in os.getgroups() if gid != os.getegid()]
    if os.geteuid() == 0:
        groups = [12345]
    if not groups:
        pytest.skip("this user has a single group")

    def refuse(descriptor: int, uid: int, gid: int) -> None:
        if not kept:
            raise PermissionError(1, "Operation not permitted")
        change(descriptor, uid, gid)

    monkeypatch.setattr(os, "fchown", refuse)
    server.script = [FILE]
    for mode, narrow in ((0o640, 0o600), (0o664, 0o644), (0o660, 0o600), (0o644, 0o644)):
        target.touch()
        os.chown(target, -1, groups[0])
        target.chmod(mode)
        await raw.get_material("M", to=target)
        assert stat.S_IMODE(target.stat().st_mode) == (mode if kept else narrow)
        assert (target.stat().st_gid == groups[0]) is kept
