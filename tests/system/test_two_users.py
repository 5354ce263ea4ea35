"""Two users of one host: files, links and swaps of one of them gain nothing from the other."""

import asyncio
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import FileTokenStore, Ledger, SavedMaterial, WxSession
from wxasset.cli.runtime.credentials import find_credentials
from wxasset.errors import DestinationError, LedgerError, TokenStoreError, TokenUnavailableError
from wxasset.simulator import Simulator
from wxasset.tokens.records import TokenRecord

pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can act as two users of a host"
)

ATTACKER: Final = 54321
VICTIMS: Final = {"root": 0, "user": 54322}
END: Final = b"--end--\n"
PHOTO: Final = b"\xff\xd8\xff\xe0" + os.urandom(600_000)
FILE: Final = reply(PHOTO, "image/jpeg", disposition=b'attachment; filename="photo.jpg"')


@frozen
class Attacker:
    """A shell of another user, in a directory where both users can write."""

    _shell: subprocess.Popen[bytes]
    shared: Path

    async def do(self, script: str) -> str:
        """Run a script to its end; return its output."""
        return await asyncio.to_thread(self._do, script)

    def _do(self, script: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"({script}) 2>&1; echo {END.decode()}".encode())
        self._shell.stdin.flush()
        said = b""
        while not said.endswith(END):
            line = self._shell.stdout.readline()
            assert line, "the shell has ended"
            said += line
        return said.removesuffix(END).decode()


@frozen
class Victim:
    """The user who runs this package.

    Attributes:
        uid: Its id.
        home: A directory of its own.
        precious: A file of its own, which nobody else can read.
    """

    uid: int
    home: Path
    precious: Path

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Run the block as this user."""
        groups, umask = os.getgroups(), os.umask(0o022)
        os.setgroups([])
        os.setegid(self.uid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)
            os.umask(umask)

    def is_unharmed(self) -> bool:
        """Tell whether the precious file is as it was."""
        status = self.precious.stat()
        return (
            self.precious.read_bytes() == b"precious"
            and stat.S_IMODE(status.st_mode) == 0o600
            and status.st_uid == self.uid
        )


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory where everybody can write, rename and delete."""
    directory = Path(tempfile.mkdtemp(prefix="wxasset-two-users-"))
    directory.chmod(0o755)
    (directory / "shared").mkdir()
    (directory / "shared").chmod(0o777)
    yield directory / "shared"
    shutil.rmtree(directory)


@pytest.fixture(params=VICTIMS)
def victim(request: pytest.FixtureRequest, shared: Path) -> Victim:
    """A user with a home that is closed to others."""
    uid = VICTIMS[request.param]
    home = shared.parent / "home"
    home.mkdir(0o700)
    precious = home / "precious"
    precious.touch(0o600)
    precious.write_bytes(b"precious")
    for one in (home, precious):
        os.chown(one, uid, uid)
    return Victim(uid, home, precious)


@pytest.fixture
def attacker(shared: Path) -> Iterator[Attacker]:
    """Another user of the host; uvloop starts no process as another user."""
    with subprocess.Popen(
        "/bin/sh",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=shared,
        user=ATTACKER,
        group=ATTACKER,
        extra_groups=[],
        umask=0o000,
        env={"PATH": os.defpath},
    ) as shell:
        yield Attacker(shell, shared)


def while_arriving(shared: Path, act: Callable[[], Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    """Send most of a file, let somebody act as soon as a part of it is on the disk, and send the rest."""

    async def step(_: RawRequest, connection: Connection) -> None:
        await connection.send(FILE[:-1000])
        parts: list[Path] = []
        async with asyncio.timeout(10):
            while not parts:
                parts = list(shared.rglob(".*.part"))
                await asyncio.sleep(0.01)
        await act()
        await connection.send(FILE[-1000:])

    return step


async def saved(raw: WxSession, to: Path) -> Path:
    """Download the file; return where it is."""
    material = await raw.get_material("M", to=to)
    assert isinstance(material, SavedMaterial)
    assert material.path is not None
    return material.path


# Downloads


SWAPS: Final = {
    "link": "mv .*.part stolen; ln -s {precious} $part",
    "hard link to another file": "mv .*.part stolen; echo evil > evil; ln evil $part",
    "file": "mv .*.part stolen; echo evil > $part",
    "directory": "mv .*.part stolen; mkdir $part",
    "nothing": "rm .*.part",
}


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("where", ["file", "replaced file", "directory"])
async def test_a_part_that_is_swapped_gains_nothing(
    raw: WxSession, server: RawServer, victim: Victim, attacker: Attacker, where: str, swap: str
) -> None:
    """A part that another user swaps during the download is an error; modes and contents elsewhere stay."""
    target = attacker.shared if where == "directory" else attacker.shared / "out.jpg"
    if where == "replaced file":
        target.write_bytes(b"before")
        target.chmod(0o666)
        os.chown(target, victim.uid, victim.uid)
    script = f"part=$(echo .*.part); {SWAPS[swap].format(precious=victim.precious)}"
    server.script = [while_arriving(attacker.shared, lambda: attacker.do(script))]
    with victim.acting(), pytest.raises(DestinationError, match="removed or replaced"):
        await saved(raw, target)
    assert victim.is_unharmed()
    assert not (attacker.shared / "photo.jpg").exists()
    if where == "replaced file":
        assert target.read_bytes() == b"before"
    elif where == "file":
        assert not os.path.lexists(target)


@pytest.mark.parametrize("mode", [0o600, 0o640])
async def test_the_part_of_a_private_file_is_private(
    raw: WxSession, server: RawServer, victim: Victim, attacker: Attacker, mode: int
) -> None:
    """While a private file is replaced, another user reads neither the part nor the file."""
    target, seen = attacker.shared / "out.jpg", []

    async def look() -> None:
        seen.append(await attacker.do("cat .*.part out.jpg | wc -c"))

    target.touch(0o600)
    os.chown(target, victim.uid, victim.uid)
    target.chmod(mode)
    server.script = [while_arriving(attacker.shared, look)]
    with victim.acting():
        await saved(raw, target)
    assert seen
    assert "Permission denied" in await attacker.do("cat out.jpg")
    assert "Permission denied" in await attacker.do("cat .*.part || cat out.jpg")
    assert target.read_bytes() == PHOTO
    assert stat.S_IMODE(target.stat().st_mode) == mode


async def test_a_file_put_in_the_way_gives_no_rights(
    raw: WxSession, server: RawServer, victim: Victim, attacker: Attacker
) -> None:
    """The file of another user is replaced, and its mode gives nobody the right to write to the new one."""
    target = attacker.shared / "out.jpg"
    await attacker.do("echo evil > out.jpg; chmod 6777 out.jpg")
    server.script = [FILE]
    with victim.acting():
        await saved(raw, target)
    status = target.stat()
    assert status.st_uid == victim.uid
    assert status.st_mode & 0o7022 == 0
    await attacker.do("echo evil >> out.jpg")
    assert target.read_bytes() == PHOTO


@pytest.mark.parametrize("link", ["out.jpg", "link/out.jpg", "link/new.jpg", "dangling", "link", "link/", "chain"])
async def test_a_link_of_another_user_is_not_followed(
    raw: WxSession, server: RawServer, victim: Victim, attacker: Attacker, link: str
) -> None:
    """Links to a file, to nothing, to a directory, and on the way to one lead nowhere; nothing is asked for."""
    home, shared = victim.home, attacker.shared
    await attacker.do(f"ln -s {victim.precious} out.jpg; ln -s {home}/none dangling; ln -s {home} link")
    (home / "out.jpg").symlink_to("precious")
    (shared / "chain").symlink_to("out.jpg")
    for own in (home / "out.jpg", shared / "chain"):
        os.lchown(own, victim.uid, victim.uid)
    server.script = [FILE]
    before = sorted(os.listdir(home))
    with victim.acting(), pytest.raises(DestinationError, match=f"symbolic link of user {ATTACKER}"):
        await raw.get_material("M", to=f"{shared}/{link}")
    assert sorted(os.listdir(home)) == before
    assert victim.is_unharmed()
    assert server.requests == []


async def test_links_of_ones_own_are_followed(
    raw: WxSession, server: RawServer, victim: Victim, attacker: Attacker
) -> None:
    """A link of the user who runs this, or of root, leads to where the file goes."""
    (attacker.shared / "link").symlink_to(victim.home)
    (attacker.shared / "own.jpg").symlink_to("link/new.jpg")
    os.lchown(attacker.shared / "own.jpg", victim.uid, victim.uid)
    server.script = [FILE]
    with victim.acting():
        await saved(raw, attacker.shared / "own.jpg")
        await saved(raw, attacker.shared / "link")
    assert (victim.home / "new.jpg").read_bytes() == (victim.home / "photo.jpg").read_bytes() == PHOTO


@pytest.mark.parametrize("where", ["inbox", "inbox/out.jpg"])
@pytest.mark.parametrize("late", [False, True])
async def test_a_directory_that_is_swapped_gains_nothing(
    raw: WxSession, server: RawServer, victim: Victim, attacker: Attacker, where: str, *, late: bool
) -> None:
    """A directory that becomes a link during the download does not lead the file elsewhere."""
    inbox = attacker.shared / "inbox"
    inbox.mkdir()
    os.chown(inbox, victim.uid, victim.uid)
    swap = f"mv inbox moved; ln -s {victim.home} inbox"

    async def early(_: RawRequest, connection: Connection) -> None:
        await attacker.do(swap)
        await connection.send(FILE)

    server.script = [while_arriving(attacker.shared, lambda: attacker.do(swap)) if late else early]
    with victim.acting(), pytest.raises(DestinationError):
        await saved(raw, attacker.shared / where)
    assert os.listdir(victim.home) == ["precious"]
    assert victim.is_unharmed()


# Files that are believed


@pytest.fixture
async def ledger(sim: Simulator, shared: Path, photo: bytes) -> Path:
    """A genuine ledger with one upload, whose material the library has."""
    path = shared / "uploads.db"
    async with Ledger(path) as opened, WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        await wx.ensure_material("image", photo, filename="a.jpg", ledger=opened)
    return path


async def ensured(sim: Simulator, ledger: Path, photo: bytes) -> None:
    """Upload with a ledger."""
    async with Ledger(ledger) as opened, WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        await wx.ensure_material("image", photo, filename="a.jpg", ledger=opened)


@pytest.mark.parametrize("plant", ["file", "link", "dangling link", "hard link", "log", "open to all"])
async def test_a_ledger_of_another_user_is_not_believed(
    sim: Simulator, ledger: Path, victim: Victim, attacker: Attacker, photo: bytes, plant: str
) -> None:
    """No upload counts as done because another user says so: the ledger is refused, and nothing is created."""
    uid = victim.uid if plant in {"log", "open to all"} else ATTACKER
    os.chown(ledger, uid, uid)
    if plant == "link":
        await attacker.do("mv uploads.db other; ln -s other uploads.db")
    elif plant == "dangling link":
        await attacker.do(f"rm uploads.db; ln -s {victim.home}/none uploads.db")
    elif plant == "hard link":
        await attacker.do("mv uploads.db other; ln other uploads.db")
    elif plant == "log":
        await attacker.do("cp uploads.db uploads.db-wal || echo x > uploads.db-wal")
    elif plant == "open to all":
        ledger.chmod(0o666)
        await attacker.do("echo evil >> uploads.db")
    requests = len(sim.journal)
    with victim.acting(), pytest.raises(LedgerError, match="is not used") as caught:
        await ensured(sim, ledger, photo)
    assert caught.value.remedy is not None
    assert len(sim.journal) == requests
    assert os.listdir(victim.home) == ["precious"]


async def test_a_lock_file_of_another_user_holds_nothing(
    sim: Simulator, ledger: Path, victim: Victim, attacker: Attacker, photo: bytes
) -> None:
    """Lock files that another user leaves beside a ledger are passed over, and not removed by name."""
    os.chown(ledger, victim.uid, victim.uid)
    await attacker.do(f"echo > uploads.db-holder-0; ln -s {victim.precious} uploads.db-holder-1")
    with victim.acting():
        await ensured(sim, ledger, photo)
    assert len(sim.materials) == 1
    assert victim.is_unharmed()
    assert sorted(os.listdir(attacker.shared)) == ["uploads.db", "uploads.db-holder-0", "uploads.db-holder-1"]


PLANTS: Final = {
    "file": "cp genuine {name}; chmod 600 {name}",
    "file open to all": "cp genuine {name}; chmod 644 {name}",
    "link": "ln -s genuine {name}",
    "dangling link": "ln -s {home}/none {name}",
    "pipe": "mkfifo {name}",
}


TOKEN_PLANTS: Final = {
    **{
        f"records of earlier versions, {plant}": script.format(name="token.json", home="{home}")
        for plant, script in PLANTS.items()
    },
    "directory": "mkdir token.json.d",
    "directory with a record": "mkdir -m 777 token.json.d; cp genuine token.json.d/key.json",
    "directory with a lock": "mkdir -m 777 token.json.d; touch token.json.d/key.lock; chmod 666 token.json.d/key.lock",
    "link to a directory": "ln -s {home} token.json.d",
    "dangling link": "ln -s {home}/none token.json.d",
    "file": "cp genuine token.json.d",
}


@pytest.mark.parametrize("plant", TOKEN_PLANTS)
async def test_a_token_store_of_another_user_is_not_believed(victim: Victim, attacker: Attacker, plant: str) -> None:
    """Neither the tokens nor the locks of another user are used, and no token is written to a file of theirs."""
    (genuine := attacker.shared / "genuine").touch()
    genuine.write_text("{}")
    genuine.chmod(0o644)
    await attacker.do(TOKEN_PLANTS[plant].format(home=victim.home))
    store = FileTokenStore(attacker.shared / "token.json")
    record = TokenRecord(token="t", issued=0.0, expires=1.0, version=1, mode="stable")
    with victim.acting():
        with pytest.raises(TokenStoreError, match="is not used"):
            await store.load("key")
        with pytest.raises(TokenStoreError, match="is not used") as caught:
            await store.save("key", record)
    assert caught.value.remedy is not None
    assert genuine.read_text() == "{}"
    assert os.listdir(victim.home) == ["precious"]


@pytest.mark.parametrize("plant", PLANTS)
async def test_credentials_of_another_user_are_not_believed(victim: Victim, attacker: Attacker, plant: str) -> None:
    """Another user chooses neither the account nor the host."""
    genuine = attacker.shared / "genuine"
    genuine.write_text('[shop]\nappid = "wx1"\nsecret = "s"\nbase_url = "http://127.0.0.1:1"\n')
    genuine.chmod(0o644)
    await attacker.do(PLANTS[plant].format(name="credentials.toml", home=victim.home))
    with victim.acting(), pytest.raises(TokenUnavailableError, match="was not read") as caught:
        await asyncio.to_thread(find_credentials, {"WXASSET_CREDENTIALS": str(attacker.shared / "credentials.toml")})
    assert caught.value.hint.chinese
