"""`wxasset ledger`, and the place of the ledger of `wxasset batch`."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

import postgres_server
from command_line import Command, sent
from pictures import make_pictures
from postgres_server import PASSWORD, PostgresServer
from wxasset import Ledger
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.ledger.records import UploadKey
from wxasset.simulator import Simulator

postgres = postgres_server.postgres_server


@pytest.fixture
def service(service: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulator:
    """The simulator, where the directory of this process is a fresh one."""
    monkeypatch.chdir(tmp_path)
    return service


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A directory of five images."""
    make_pictures(tmp_path / "photos", 5)
    return tmp_path / "photos"


def test_the_account_has_a_ledger_of_its_own(
    service: Simulator, wxasset: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found from each directory, and is this user's alone."""
    first = wxasset("batch", photos, "--type", "image", "--json")
    path = Path(first.told[-1]["ledger"])
    assert path == Path(os.environ["XDG_STATE_HOME"], "wxasset", "ledgers", f"{service.appid}.db")
    assert [oct(one.stat().st_mode)[-3:] for one in (path, path.parent, path.parent.parent)] == ["600", "700", "700"]
    (elsewhere := photos.parent / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    again = wxasset("batch", photos, "--type", "image", "--json")
    assert again.told[-1]["counts"]["skipped"] == 5
    assert list(elsewhere.iterdir()) == []
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(elsewhere))
    listed = wxasset("ledger", "ls", "--json")
    assert str(elsewhere / ".local/state/wxasset/ledgers") in listed.told[0]["message"]


def test_a_ledger_in_the_working_directory_is_used(service: Simulator, wxasset: Command, photos: Path) -> None:
    """It holds what earlier versions uploaded; a notice says so, and so does the command to continue."""
    wxasset("batch", photos, "--type", "image", "--ledger", "wxasset-ledger.db", "-q")
    service.fail("add_material", "errcode:40009")
    make_pictures(photos, 6)
    again = wxasset("batch", photos, "--type", "image", "--json")
    assert again.told[0]["message"].startswith("Using the ledger wxasset-ledger.db of this directory")
    assert again.told[-1]["counts"]["skipped"] == 5
    assert f"--ledger {photos.parent / 'wxasset-ledger.db'}" in again.told[-1]["resume"]
    assert wxasset("ledger", "ls", "--state", "done", "-q").out.count("\n") == 5
    assert list(Path(os.environ["XDG_STATE_HOME"]).iterdir()) == []


def test_what_the_ledger_and_the_library_have_is_compared(service: Simulator, wxasset: Command, photos: Path) -> None:
    """`ls`, `find`, `adopt` and `verify`: of five images two are deleted in the console, and a lost ledger is new."""
    files = sorted(photos.iterdir())
    none = wxasset("ledger", "ls", "--json")
    assert (none.status, none.told[0]["kind"]) == (Exit.FAILED, "LedgerError")
    wxasset("batch", photos, "--type", "image", "--ledger", "a.db", "-q")
    listed = wxasset("ledger", "ls", "--ledger", "a.db", "--state", "done", "--json").records
    assert {row["media_id"] for row in listed} == set(service.materials)  # in the order of their ends
    lines = wxasset("ledger", "ls", "--ledger", "a.db", "-q").out.splitlines()
    assert [line.split("\t")[-1] for line in lines] == [row["realm"] for row in listed], "the service of each row"
    adopted = wxasset("ledger", "adopt", "--ledger", "b.db", "--json")
    assert [(row["type"], row["adopted"]) for row in adopted.records] == [("image", 5), ("voice", 0), ("video", 0)]
    gone = list(service.materials)[:2]
    for media_id in gone:
        del service.materials[media_id]
    before = sent(service, "batchget_material")
    verified = wxasset("ledger", "verify", "image", "--ledger", "b.db", "--json")
    assert verified.records == [{"type": "image", "present": 3, "forgotten": 2, "undecided": 0}]
    assert sent(service, "batchget_material") == before + 1
    found = wxasset("ledger", "find", *files, "--ledger", "b.db", "--json")
    assert found.status == Exit.PARTLY
    assert sorted(row["media_id"] for row in found.records) == sorted(service.materials)
    assert len(found.told) == 2
    again = wxasset("batch", photos, "--type", "image", "--ledger", "b.db", "--json")
    assert (again.told[-1]["counts"]["added"], again.told[-1]["counts"]["skipped"]) == (2, 3)


async def _doubts(path: str, files: list[Path], appid: str) -> list[str]:
    """Leave uploads in doubt; return their names."""
    names = []
    async with Ledger(path, adopt=False) as ledger:
        for file in files:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            key = UploadKey(appid=appid, realm="weixin", type="image", sha256=digest)
            names.append(key.sent_as(file.name))
            await ledger.claim(key, names[-1], file.stat().st_size)
            await ledger.begin(key, 1.0)
            await ledger.end(key, "unknown")
    return names


def test_a_person_decides_about_uploads_in_doubt(service: Simulator, wxasset: Command, photos: Path) -> None:
    """By the listed name or the file; an id is asked for first, and what is not in doubt is left alone."""
    files = sorted(photos.iterdir())
    names = asyncio.run(_doubts("a.db", files[:3], service.appid))
    listed = wxasset("ledger", "ls", "--ledger", "a.db", "--state", "unknown", "--json")
    assert [row["name"] for row in listed.records] == names
    assert listed.told[0]["doubts"] == 3
    wxasset("add", files[0], "-q")
    (media_id,) = service.materials
    resolve = ("ledger", "resolve", "--ledger", "a.db", "--json")
    wrong = wxasset(*resolve, files[0], "--media-id", "x" * 64)
    assert (wrong.status, wrong.told[0]["kind"]) == (Exit.FAILED, "MediaNotFoundError")
    done = wxasset(*resolve, files[0], "--media-id", media_id)
    assert [(row["state"], row["media_id"]) for row in done.records] == [("done", media_id)]
    absent = wxasset(*resolve, names[1], files[2], files[0], files[4], "--absent")
    assert absent.status == Exit.PARTLY
    assert [row["state"] for row in absent.records] == ["planned", "planned"]
    assert [error["item"] for error in absent.told] == [str(files[0]), str(files[4])]


@pytest.mark.parametrize(
    "arguments",
    [
        ["resolve", "a.png"],
        ["resolve", "a.png", "--absent", "--media-id", "x"],
        ["resolve", "a.png", "b.png", "--media-id", "x"],
        ["resolve", "--absent"],
        ["find"],
        ["ls", "--state", "lost"],
        ["ls", "--ledger", "mysql://CANARY@host/x"],
        ["ls", "--ledger", ":memory:"],
        ["ls", "--ledger", "file:CANARY"],
        ["ls", "--ledger", "postgresql://user:CANARY@host/db"],
        ["adopt", "--ledger", "postgresql://user@host/db?password=CANARY"],
        ["verify", "--ledger", "postgresql://user@[CANARY/db"],
        ["verify", "news"],
    ],
)
def test_a_ledger_command_that_is_wrong(service: Simulator, wxasset: Command, arguments: list[str]) -> None:
    """It sends nothing, and repeats no address."""
    ended = wxasset("ledger", *arguments)
    assert ended.status == Exit.USAGE
    assert "CANARY" not in ended.out + ended.err
    assert service.journal == []


def test_a_ledger_in_postgresql(
    service: Simulator, wxasset: Command, photos: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password comes from the environment; neither it nor the address is in what is written."""
    address = postgres.database().replace(f":{PASSWORD}@", "@")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    service.fail("add_material", "errcode:40009")
    first = wxasset("batch", photos, "--type", "image", "--ledger", address, "--json")
    assert first.told[-1]["counts"]["added"] == 4
    again = wxasset("batch", photos, "--type", "image", "--ledger", address, "--json")
    assert again.told[-1]["counts"]["skipped"] == 4
    assert len(wxasset("ledger", "ls", "--ledger", address, "--json").records) == 5
    monkeypatch.setenv("PGPASSWORD", "CANARY")
    refused = wxasset("ledger", "ls", "--ledger", address)
    assert refused.status == Exit.FAILED
    assert "it refuses the user or the password" in refused.err
    told = first.err + again.err + refused.err
    assert not [secret for secret in (PASSWORD, "CANARY", address) if secret in told]


def test_links_in_a_directory_are_told(service: Simulator, wxasset: Command, photos: Path) -> None:
    """A link to a directory is not followed, one to a file is."""
    make_pictures(photos.parent / "more", 6)
    (photos / "below").symlink_to(photos.parent / "more", target_is_directory=True)
    (photos / "linked.png").symlink_to(max((photos.parent / "more").iterdir()))
    for more in ([], ["--dry-run"]):
        ended = wxasset("batch", photos, "--type", "image", "--recursive", "--json", *more)
        assert len(ended.records) == 6
        directories, files = ended.told[:2]
        assert directories["links"] == [str(photos / "below")]
        assert files["links"] == [str(photos / "linked.png")]
    assert len(service.materials) == 6
