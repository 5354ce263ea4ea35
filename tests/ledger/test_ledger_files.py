"""The files of a ledger: those of other users, those that others can open, and links are not believed."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pictures import picture
from wxasset import Ledger, WxSession
from wxasset.errors import LedgerError, UsageError
from wxasset.simulator import Simulator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere neither owners nor modes say who may read")


@pytest.fixture
async def path(sim: Simulator, tmp_path: Path) -> Path:
    """A ledger with one upload, closed."""
    async with Ledger(tmp_path / "uploads.db") as ledger, session(sim, ledger) as wx:
        await wx.ensure_material("image", picture(1))
    return tmp_path / "uploads.db"


def session(sim: Simulator, ledger: Ledger) -> WxSession:
    """A session with a ledger."""
    return WxSession(sim.appid, sim.secret, base_url=sim.url, ledger=ledger)


def give_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file belong to another user; without root, make this process another user."""
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)
    else:
        uid = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: uid)


async def refused(path: Path, words: str) -> LedgerError:
    """Open a ledger, and see it refused with what to do in both languages."""
    with pytest.raises(LedgerError, match=words) as caught:
        async with Ledger(path):
            raise AssertionError
    assert str(path) in caught.value.hint.english
    assert str(path) in caught.value.hint.chinese
    return caught.value


async def test_a_ledger_of_somebody_else_is_not_believed(
    path: Path, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts as uploaded because another user says so; the error tells whose file it is."""
    give_away(path, monkeypatch)
    before = path.read_bytes()
    error = await refused(path, "belongs to user")
    assert "chmod 600" in error.hint.english
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert len(sim.materials) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o666])
async def test_a_ledger_that_others_can_open_is_refused(path: Path, mode: int) -> None:
    """The command that closes it to others is told, and helps."""
    path.chmod(mode)
    error = await refused(path, f"mode {mode:04o}")
    assert f"chmod 600 {path}" in error.hint.english
    path.chmod(0o600)
    async with Ledger(path) as ledger:
        assert (await ledger.counts()).done == 1


async def test_a_link_of_this_user_is_the_ledger_at_its_end(path: Path, sim: Simulator) -> None:
    """One process opens the link and another the file: each sees the other's claims, as liveness is beside the file."""
    link = path.with_name("link.db")
    link.symlink_to(path.name)
    sim.fail("add_material", "delay-100ms", times=None)
    async with Ledger(path) as one, Ledger(link) as other, session(sim, one) as wx:
        both = asyncio.gather(*(wx.ensure_material("image", picture(2), ledger=ledger) for ledger in (one, other)))
        assert len({added.media_id for added in await both}) == 1
        assert len(list(path.parent.glob("uploads.db-holder-*"))) == 2
    assert len(sim.materials) == 2
    assert not list(path.parent.glob("link.db-*"))


async def test_a_link_of_another_user_is_not_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read or created at the end of a link that somebody else has made."""
    link, elsewhere = path.with_name("link.db"), path.with_name("elsewhere.db")
    link.symlink_to(elsewhere)
    os.chown(link, 12345, 12345, follow_symlinks=False) if os.geteuid() == 0 else give_away(link, monkeypatch)
    await refused(link, "is a symbolic link")
    assert not elsewhere.exists()


async def test_a_second_name_of_a_ledger_is_refused(path: Path) -> None:
    """SQLite would keep a journal beside each of two hard links, and lose what the other one has."""
    path.with_name("second.db").hardlink_to(path)
    with pytest.raises(LedgerError, match="hard link"):
        async with Ledger(path):
            raise AssertionError


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs"])
async def test_a_ledger_on_another_machine_is_refused(path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks do not tell on NFS which processes are alive; the error names the store that works between hosts."""
    device, mounts = path.parent.stat().st_dev, path.with_name("mountinfo")
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts.write_text(f"22 1 0:0 / / rw - ext4 /dev/sda rw\n36 35 {number} / /srv rw,noatime - {kind} host:/x rw\n")
    monkeypatch.setattr("wxasset.ledger.files._MOUNTS", str(mounts))
    before = path.read_bytes()
    for one in (path, path.with_name("new.db")):
        with pytest.raises(LedgerError, match=kind) as caught:
            async with Ledger(one):
                raise AssertionError
        assert "PostgresStore" in caught.value.hint.english
    assert path.read_bytes() == before
    assert not path.with_name("new.db").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("postgresql://user:CANARY@host/db", "postgres://h/d", "sqlite:///uploads.db", "redis://:CANARY@h"),
        *(":memory:", "", "file:uploads.db", "file:uploads.db?mode=ro", b"postgresql://u:CANARY@h"),
        Path("postgresql://user:CANARY@host/db"),
    ],
)
def test_what_names_another_database_is_not_a_path(name: Any) -> None:
    """The error says the right way, and repeats no password."""
    with pytest.raises(UsageError, match="Ledger") as caught:
        Ledger(name)
    assert "CANARY" not in str(caught.value)


async def test_the_command_in_a_hint_takes_a_path_for_a_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger whose name begins with "-" or holds a ";" is one argument, and no option."""
    monkeypatch.chdir(path.parent)
    for name, shown in (("-R", "./-R"), ("a; b", "'a; b'")):
        path.with_name(name).touch(0o644)
        with pytest.raises(LedgerError) as caught:
            async with Ledger(name):
                raise AssertionError
        assert f"chmod 600 {shown}" in caught.value.hint.english
        assert f"chmod 600 {shown}" in caught.value.hint.chinese


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("media_id", "NULL", "has no media_id"),
        ("media_id", "''", "has no media_id"),
        ("state", "'donf'", "has the state"),
        ("state", "''", "has the state"),
        ("state", "7", "has the state"),
    ],
)
async def test_a_damaged_row_is_an_error_of_the_ledger(
    path: Path, sim: Simulator, column: str, value: str, reason: str
) -> None:
    """An upload whose id or state is lost is neither believed nor sent again, alone and in a batch."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE uploads SET {column} = {value}")  # noqa: S608 - two of those above
    async with Ledger(path) as ledger, session(sim, ledger) as wx:
        with pytest.raises(LedgerError, match=reason):
            await wx.ensure_material("image", picture(1))
        report = await wx.add_materials("image", [picture(1)], ledger=ledger).report()
        assert report.done == 0
    assert len(sim.materials) == 1


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["of another user", "open to others", "link", "directory"])
async def test_what_lies_beside_a_ledger_is_not_believed(
    path: Path, suffix: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would take in the files of its own that it finds beside a database."""
    beside = Path(f"{path}{suffix}")
    if kind == "link":
        beside.symlink_to(path.with_name("elsewhere"))
    elif kind == "directory":
        beside.mkdir()
    else:
        beside.touch(0o600 if kind == "of another user" else 0o644)
    if kind == "of another user":
        give_away(beside, monkeypatch)
    with pytest.raises(LedgerError, match=r"uploads\.db") as caught:
        async with Ledger(path):
            raise AssertionError
    assert caught.value.remedy is not None


async def test_a_file_that_is_swapped_in_while_a_ledger_is_opened_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that another one takes the place of, between the check and SQLite, is noticed before it is read."""
    connect, other = sqlite3.connect, path.with_name("other.db")
    shutil.copy(path, other)
    other.chmod(0o600)

    def swap(*arguments: Any, **options: Any) -> sqlite3.Connection:
        other.replace(path)
        opened: sqlite3.Connection = connect(*arguments, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", swap)
    with pytest.raises(LedgerError, match="replaced"):
        async with Ledger(path):
            raise AssertionError


@pytest.mark.parametrize("kind", ["of another user", "open to others", "link"])
async def test_a_lock_file_of_somebody_else_holds_no_upload(
    path: Path, sim: Simulator, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process counts as alive only by a lock file of its own user; another one is an error, and not cleared."""
    holder = Path(f"{path}-holder-0")
    base = sqlite3.connect(path)
    with base:
        base.execute("UPDATE uploads SET state = 'in flight', holder = '0'")
    base.close()
    async with Ledger(path) as ledger, session(sim, ledger) as wx:
        if kind == "link":
            holder.symlink_to(path)
        else:
            holder.touch(0o600 if kind == "of another user" else 0o644)
        if kind == "of another user":
            give_away(holder, monkeypatch)
        with pytest.raises(LedgerError, match=r"uploads\.db-holder-0") as caught:
            await wx.ensure_material("image", picture(1))
        assert str(holder) in caught.value.hint.english
        assert str(holder) in caught.value.hint.chinese
    assert holder.is_symlink() or holder.exists()
    assert len(sim.materials) == 1
