"""`wxasset batch`: every file has its outcome, nothing is added twice, and whatever stopped it, it goes on."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import (
    HELD_UP,
    ROOT,
    Command,
    command,
    environment,
    needs_signals,
    needs_terminals,
    on_terminal,
    piped,
    sent,
    variables,
    wait_for,
)
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.inputs import files_of
from wxasset.errors import UsageError
from wxasset.simulator import Simulator

PHOTO = SAMPLES[0].path
KEYS = {"outcome", "file", "media_id", "url", "kind", "message"}


@pytest.fixture
def service(service: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulator:
    """The simulator, where the directory of this process is a fresh one."""
    monkeypatch.chdir(tmp_path)
    return service


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A directory of 12 photos, no two the same."""
    (directory := tmp_path / "photos").mkdir()
    for number in range(12):
        (directory / f"{number:02}.jpg").write_bytes(PHOTO.read_bytes() + bytes([number]))
    return directory


def outcomes(records: list[dict[str, str]]) -> dict[str, str]:
    """What became of each file, by its name."""
    return {Path(record["file"]).name: record["outcome"] for record in records}


@needs_terminals
def test_batch_in_a_pipe_as_json_and_on_a_terminal(service: Simulator, photos: Path) -> None:
    """Each file has its line, with a summary on stderr; a second run skips what is there."""
    argv = ["batch", str(photos), "--type", "image"]
    plain = piped(*argv, "--ledger", "a.db", env=variables(service))
    assert plain.returncode == 0
    assert all(re.fullmatch(r"added\t[\w-]{64}\t.*\.jpg", line) for line in plain.stdout.splitlines())
    assert plain.stderr == "12 added; ledger: a.db.\n"
    again = piped(*argv, "--ledger", "a.db", "--json", env=variables(service))
    records = [json.loads(line) for line in again.stdout.splitlines()]
    assert [set(record) for record in records] == [KEYS] * 12
    assert {record["outcome"] for record in records} == {"skipped"}
    assert sorted(record["media_id"] for record in records) == sorted(service.materials)
    assert json.loads(again.stderr)["counts"]["skipped"] == 12
    screen = on_terminal(*argv, "--ledger", "b.db", env=variables(service))
    assert screen.status == 0
    assert "outcome" in screen.text
    assert "12/12" in screen.text
    assert "12 skipped; ledger: b.db." in screen.text  # the library knows them


def test_what_fails_is_told_and_tried_again(service: Simulator, wxasset: Command, photos: Path) -> None:
    """A file that WeChat refuses leaves the others; the status is 3, and `--retry-refused` sends it again."""
    (photos / "bad.jpg").write_text("no picture")
    service.fail("add_material", "errcode:40009")
    ended = wxasset("batch", photos, "--type", "image", "--json")
    assert ended.status == Exit.PARTLY
    found = outcomes(ended.records)
    assert sorted(found.values()) == ["added"] * 11 + ["failed"] * 2
    *errors, note = ended.told
    assert {error["kind"] for error in errors} == {"SourceError", "InvalidMediaError"}
    assert note["counts"] == {"added": 11, "skipped": 0, "failed": 2, "unknown": 0, "not_tried": 0}
    (photos / "bad.jpg").unlink()
    program, *arguments = shlex.split(note["resume"])
    assert program == "wxasset"
    again = wxasset(*arguments, "--json")
    assert again.status == Exit.PARTLY
    assert sorted(outcomes(again.records).values()) == ["failed"] + ["skipped"] * 11
    assert "--retry-refused" in again.told[0]["message"]
    again = wxasset(*arguments, "--retry-refused", "--json")
    assert again.status == 0
    assert sorted(outcomes(again.records).values()) == ["added"] + ["skipped"] * 11
    assert len(service.materials) == 12


def test_a_spent_quota_says_what_is_left(service: Simulator, wxasset: Command, photos: Path) -> None:
    """After the refusal nothing more is sent; what is left is counted, listed, and done by the command that is told."""
    service.fail("add_material", "errcode:45009", times=None, after=5)
    ended = wxasset("batch", photos, "--type", "image", "--concurrency", "1", "--json")
    assert ended.status == Exit.PARTLY
    assert sorted(outcomes(ended.records).values()) == ["added"] * 5 + ["failed"] + ["not_tried"] * 6
    error, note = ended.told
    assert error["errcode"] == 45009
    assert "The quota is spent: 6 files are left." in note["message"]
    assert [Path(file).name for file in note["not_tried"]] == [f"{number:02}.jpg" for number in range(6, 12)]
    service.clear_faults()
    again = wxasset(*shlex.split(note["resume"])[1:], "--json")
    assert sorted(outcomes(again.records).values()) == ["added"] * 7 + ["skipped"] * 5
    assert len(service.materials) == 12


@needs_signals
def test_an_unknown_outcome_is_found_out_by_the_next_run(service: Simulator, wxasset: Command, photos: Path) -> None:
    """An upload with a lost answer that is not listed yet is waited for; after a signal the next run finds it."""
    service.fail("add_material", "hide-60s,reset-after-commit")
    with subprocess.Popen(
        command("batch", photos, "--type", "image", "--json"),
        env=environment(variables(service)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        records = [json.loads(process.stdout.readline()) for _ in range(11)]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=HELD_UP)
    assert process.returncode == Exit.UNKNOWN
    records += map(json.loads, out.splitlines())
    assert sorted(outcomes(records).values()) == ["added"] * 11 + ["unknown"]
    service.advance(60)
    resume = json.loads(err.splitlines()[-1])["resume"]
    assert wxasset(*shlex.split(resume)[1:], "--json").status == 0
    assert len(service.materials) == 12


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_half_done(service: Simulator, photos: Path, number: signal.Signals) -> None:
    """What was begun comes to its end and has its line; the command that is printed does the rest, and nothing twice.

    It is run as it is printed, by a shell.
    """
    service.fail("add_material", "stall-500ms", times=None)
    with subprocess.Popen(
        command("batch", photos, "--type", "image", "--ledger", "up.db", "--concurrency", "2"),
        env=environment(variables(service)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline() + process.stdout.readline()  # the ledger has the first two
        wait_for(lambda: sent(service, "add_material") > 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=HELD_UP)
        out = told + out
    assert process.returncode == 128 + number
    done = out.splitlines()
    assert {line.split("\t")[0] for line in done} == {"added"}
    assert sorted(line.split("\t")[1] for line in done) == sorted(service.materials)
    assert 2 < len(done) < 12
    assert err.startswith(f"{number.name}: finishing 2 items in progress. A second signal stops at once.\n")
    assert f"Stopped by {number.name}. {len(done)} done, {12 - len(done)} not done. To continue: " in err
    service.clear_faults()
    resume = err.rstrip("\n").rpartition("To continue: ")[2]
    assert resume.startswith("wxasset batch ")
    program = shlex.join([sys.executable, "-m", "wxasset"])
    again = subprocess.run(  # noqa: S602 - what is printed is for a shell
        resume.replace("wxasset", program, 1),
        shell=True,
        env=environment(variables(service)),
        capture_output=True,
        encoding="utf-8",
        timeout=HELD_UP,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert f"{12 - len(done)} added, {len(done)} skipped" in again.stderr
    assert len(service.materials) == 12


@needs_signals
def test_a_second_signal_ends_at_once(service: Simulator, photos: Path) -> None:
    """Uploads that hang do not hold the command up: a second Ctrl-C ends it, and the next run adds nothing twice.

    The first one says that the command is finishing, the second one which uploads may have happened.
    """
    service.fail("add_material", "stall-30s", times=4)
    with subprocess.Popen(
        command("batch", photos, "--type", "image", "--concurrency", "4"),
        env=environment(variables(service)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        wait_for(lambda: sent(service, "add_material") == 4)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("SIGINT: finishing 4 items in progress.")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HELD_UP / 2)
    assert process.returncode == Exit.UNKNOWN
    assert err.startswith("Stopped by SIGINT. 0 done, 8 not done. 4 may have happened: ")
    assert "looks for them in the library before it uploads them. To continue: wxasset batch " in err
    assert err.count("\n") == 1
    again = piped("batch", photos, "--type", "image", env=variables(service))
    assert again.returncode == 0, again.stderr
    assert len(service.materials) == 12


def test_a_pipe_that_is_closed_stops_a_batch(service: Simulator, photos: Path) -> None:
    """When nobody reads any more, it ends quietly, and the next run adds nothing twice."""
    ours, theirs = os.pipe()
    os.close(ours)
    argv = command("batch", photos, "--type", "image", "--concurrency", "2")
    try:
        done = subprocess.run(
            argv, env=environment(variables(service)), stdout=theirs, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")
    assert piped("batch", photos, "--type", "image", env=variables(service)).returncode == 0
    assert len(service.materials) == 12


def test_a_list_is_taken_as_it_is(service: Simulator, wxasset: Command, photos: Path, tmp_path: Path) -> None:
    """A file, or stdin, that has a path on each line; a path that comes twice is sent once."""
    names = [str(photos / f"{number:02}.jpg") for number in (3, 1, 3, 2)]
    (listed := tmp_path / "list.txt").write_text("\n".join([*names, "", ""]))
    records = wxasset("batch", listed, "--type", "image", "--concurrency", "1", "--json").records
    assert [Path(record["file"]).name for record in records] == ["03.jpg", "01.jpg", "02.jpg"]
    done = piped("batch", "-", "--type", "thumb", env=variables(service), given="\n".join([*names, "gone.jpg"]))
    assert done.returncode == Exit.PARTLY
    assert done.stderr.count("\n") == 2
    assert done.stderr.rstrip("\n").endswith("< THE SAME LIST")
    assert "gone.jpg" in done.stderr


def test_a_directory_gives_what_fits(tmp_path: Path) -> None:
    """Files of the type's formats, in order, without hidden ones; those of directories below with --recursive."""
    for name in ("b.JPG", "a.png", "c.mp3", ".d.jpg", "sub/e.gif", ".git/f.jpg", "g.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(kind: str, *, recursive: bool) -> list[str]:
        return [os.path.relpath(one, tmp_path) for one in files_of(str(tmp_path), kind, recursive=recursive)]  # type: ignore[arg-type]  # words

    assert names("image", recursive=False) == ["a.png", "b.JPG"]
    assert names("image", recursive=True) == ["a.png", "b.JPG", str(Path("sub", "e.gif"))]
    assert names("voice", recursive=True) == ["c.mp3"]
    with pytest.raises(UsageError, match="No file of the type video"):
        names("video", recursive=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["batch"],
        ["batch", "."],
        ["batch", ".", "--type", "news"],
        ["batch", str(PHOTO), "--type", "image"],
        ["batch", "nowhere", "--type", "image"],
        ["batch", str(ROOT / "wxasset"), "--type", "image"],
        ["batch", str(PHOTO.parent), "--type", "image", "--concurrency", "0"],
    ],
)
def test_a_batch_that_is_wrong(service: Simulator, wxasset: Command, arguments: list[str]) -> None:
    """What has no type, no files, or a picture in the place of a list, sends nothing."""
    assert wxasset(*arguments).status == Exit.USAGE
    assert service.journal == []


def test_a_dry_run_of_a_batch_sends_nothing(service: Simulator, wxasset: Command, photos: Path) -> None:
    """It checks each file as the upload would, and makes no ledger."""
    (photos / "bad.jpg").write_text("no picture")
    ended = wxasset("batch", photos, "--type", "image", "--dry-run", "--json")
    assert ended.status == Exit.PARTLY
    assert [set(record) for record in ended.records] == [{"would", "file", "type", "size"}] * 12
    assert [told["kind"] for told in ended.told] == ["SourceError"]
    assert service.journal == []
    assert not list(photos.parent.glob("*.db"))


def test_a_batch_of_videos_has_titles(service: Simulator, wxasset: Command) -> None:
    """A video is called by the name of its file, and the introduction is the same for all."""
    ended = wxasset("batch", PHOTO.parent, "--type", "video", "--introduction", "两秒")
    assert ended.status == 0
    assert [(one.title, one.introduction) for one in service.materials.values()] == [("clip", "两秒")]


def test_the_command_that_goes_on_has_every_option(
    service: Simulator, wxasset: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Account, ledger (by its whole path), width, introduction and directories are in it, quoted for a shell."""
    (directory := tmp_path / "two words").mkdir()
    (directory / "a.mp4").write_text("no film")
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(f'[sim]\nappid = "{service.appid}"\nsecret = "{service.secret}"\nbase_url = "{service.url}"\n')
    accounts.chmod(0o600)
    monkeypatch.setenv("WXASSET_CREDENTIALS", str(accounts))
    given = ["--type", "video", "--concurrency", "3", "--recursive", "--introduction", "it's", "--account", "sim"]
    ended = wxasset("batch", "two words", *given, "--ledger", "up.db", "--json")
    resume = shlex.split(ended.told[-1]["resume"])
    assert resume[:3] == ["wxasset", "batch", "two words"]
    words = ["--ledger", str(tmp_path / "up.db"), *given]
    assert sorted(resume[3:]) == sorted(words)
    assert wxasset(*resume[1:], "--json").told[-1]["resume"] == ended.told[-1]["resume"]


def test_a_ledger_that_cannot_be_made(service: Simulator, wxasset: Command, photos: Path) -> None:
    """A ledger in a directory that is not there is told, and nothing is sent."""
    ended = wxasset("batch", photos, "--type", "image", "--ledger", "none/x.db", "--json")
    assert ended.status == Exit.FAILED
    assert ended.told[0]["kind"] == "LedgerError"
    assert sent(service, "add_material") == 0


def test_verify_sends_again_what_the_console_deleted(service: Simulator, wxasset: Command, photos: Path) -> None:
    """Two of twelve are gone: the next run with --verify adds exactly these."""
    assert wxasset("batch", photos, "--type", "image", "--json").status == 0
    for media_id in list(service.materials)[:2]:
        del service.materials[media_id]
    again = wxasset("batch", photos, "--type", "image", "--verify", "--json")
    assert sorted(outcomes(again.records).values()) == ["added"] * 2 + ["skipped"] * 10


@pytest.mark.usefixtures("service")
def test_an_outage_has_a_reason_and_a_status(wxasset: Command, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file has failed where the host is gone for good; the error is told once, and the files are not tried."""
    monkeypatch.setenv("WXASSET_BASE_URL", "http://127.0.0.1:1")
    ended = wxasset("batch", photos, "--type", "image", "--timeout", "1", "--json")
    assert ended.status == Exit.FAILED
    assert [told["kind"] for told in ended.told] == ["ConnectError", "Note"]
    assert ended.told[-1]["counts"]["not_tried"] == 12
