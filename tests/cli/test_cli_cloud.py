"""`wxasset cloud`: files go up, come down, get links, and are deleted; in a pipe, as JSON and on a terminal."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from command_line import Command, command, environment, needs_terminals, on_terminal, piped, sent, variables
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.simulator import Simulator

PHOTO, DRAWING = (str(piece.path) for piece in SAMPLES[:2])
ENV: Final = "env-1"


@needs_terminals
@pytest.mark.parametrize(
    ("arguments", "keys", "row"),
    [
        (f"put {ENV} {PHOTO} docs/", {"file", "path", "fileid", "size"}, r"cloud://\S+/docs/photo\.jpg\t.*/photo\.jpg"),
        (
            f"get {ENV} {{fileid}} -o {{to}}",
            {"fileid", "file", "size", "sha256", "content_type"},
            r"cloud://\S+/kept\.txt\t.*/kept\.txt\t4",
        ),
        (f"url {ENV} {{fileid}}", {"fileid", "url", "max_age"}, r"http://\S+\tcloud://\S+/kept\.txt"),
        (f"rm {ENV} {{fileid}} --yes", {"fileid", "deleted"}, r"cloud://\S+/kept\.txt"),
    ],
    ids=["put", "get", "url", "rm"],
)
def test_every_cloud_command_in_a_pipe_as_json_and_on_a_terminal(
    service: Simulator, wxasset: Command, tmp_path: Path, arguments: str, keys: set[str], row: str
) -> None:
    """Lines of columns in a pipe, one JSON object a line where asked for, a table on a terminal."""

    def words(kind: str) -> list[str]:
        (to := tmp_path / kind).mkdir()
        fileid = service.add_cloud_file(ENV, "kept.txt", b"kept")
        return ["cloud", *arguments.format(fileid=fileid, to=to).split()]

    env = variables(service)
    plain = piped(*words("plain"), env=env)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert re.fullmatch(row, plain.stdout.rstrip("\n"))
    as_json = wxasset(*words("json"), "--json")
    assert (as_json.status, as_json.err) == (0, "")
    assert [set(record) for record in as_json.records] == [keys]
    screen = on_terminal(*words("terminal"), env=env)
    assert screen.status == 0
    assert ("fileid" in screen.text) is (len(keys) > 2)  # a single column is no table
    assert "\t" not in screen.text
    assert service.secret not in plain.stdout + as_json.out + screen.text


def test_put_says_where_files_go(service: Simulator, wxasset: Command) -> None:
    """A path that ends with / takes files under their names, any other one a single file."""
    one = wxasset("cloud", "put", ENV, PHOTO, "a/b.jpg", "--json").records[0]
    assert one["fileid"].endswith("/a/b.jpg")
    assert service.cloud_files[one["fileid"]] == Path(PHOTO).read_bytes()
    two = wxasset("cloud", "put", ENV, PHOTO, DRAWING, "a/", "--json").records
    assert [record["path"] for record in two] == ["a/photo.jpg", "a/drawing.png"]
    assert len(service.cloud_files) == 3


def test_a_derived_path_is_not_an_option(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """The name of a file that begins with "-" or "~" gets a "_" before it; a path that was given stays."""
    files = [tmp_path / name for name in ("-rf.jpg", "~root.jpg")]
    for file in files:
        file.write_bytes(Path(PHOTO).read_bytes())
    two = wxasset("cloud", "put", ENV, *files, "a/", "--json").records
    assert [record["path"] for record in two] == ["a/_-rf.jpg", "a/_~root.jpg"]
    assert all(any(fileid.endswith(record["path"]) for fileid in service.cloud_files) for record in two)
    assert wxasset("cloud", "put", ENV, files[0], "a/-x.jpg", "--json").records[0]["path"] == "a/-x.jpg"


@pytest.mark.parametrize(
    "arguments",
    [["put", ENV], ["put", ENV, PHOTO], ["put", ENV, PHOTO, DRAWING, "a"], ["get", ENV], ["rm", ENV], ["url", ENV], []],
)
def test_a_cloud_command_that_is_incomplete(service: Simulator, wxasset: Command, arguments: list[str]) -> None:
    """What lacks a file, a place or an id sends nothing; without a command the help is shown."""
    assert wxasset("cloud", *arguments).status == (Exit.USAGE if arguments else Exit.OK)
    assert service.journal == []


def test_get_comes_down_whole(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """Files go to a directory under their names, to a file, or to stdout; one that is missing is told."""
    first, second = (service.add_cloud_file(ENV, f"{name}.bin", name.encode() * 1000) for name in "ab")
    assert wxasset("cloud", "get", ENV, first, second, "-o", tmp_path).status == 0
    assert (tmp_path / "b.bin").read_bytes() == b"b" * 1000
    argv = command("cloud", "get", ENV, first, "-o", "-")
    done = subprocess.run(argv, env=environment(variables(service)), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"a" * 1000, b"")
    ended = wxasset("cloud", "get", ENV, f"{first}x", second, "-o", tmp_path, "--json")
    assert ended.status == Exit.PARTLY
    assert (ended.told[0]["errcode"], ended.told[0]["item"]) == (-503003, f"{first}x")


def test_url_tells_of_each_file(service: Simulator, wxasset: Command) -> None:
    """Each id gets its link or its error; --max-age says how long links live."""
    fileid = service.add_cloud_file(ENV, "a.txt", b"a")
    ended = wxasset("cloud", "url", ENV, fileid, f"{fileid}x", "--max-age", "60", "--json")
    assert ended.status == Exit.PARTLY
    assert [(record["fileid"], record["max_age"]) for record in ended.records] == [(fileid, 60)]
    assert [told["item"] for told in ended.told] == [f"{fileid}x"]


def test_rm_of_the_cloud_tells_of_each_file(service: Simulator, wxasset: Command) -> None:
    """Ids come from stdin as well; each one is deleted or told, and a batch that fails leaves the others."""
    fileids = [service.add_cloud_file(ENV, f"{number}.txt", b"x") for number in range(230)]
    done = piped("cloud", "rm", ENV, "-", f"{fileids[0]}x", "--yes", env=variables(service), given="\n".join(fileids))
    assert done.returncode == Exit.PARTLY
    assert len(done.stdout.splitlines()) == 230
    assert "-503003" in done.stderr
    assert service.cloud_files == {}
    assert sent(service, "batchdeletefile") == 5
    service.fail("/tcb/batchdeletefile", "errcode:-501019", times=None)
    refused = wxasset("cloud", "rm", ENV, fileids[0], "--yes")
    assert refused.status == Exit.DENIED


@needs_terminals
@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1)])
def test_rm_of_the_cloud_asks_on_a_terminal(service: Simulator, answer: str, left: int) -> None:
    """The question names the environment, the account, how many and which."""
    fileid = service.add_cloud_file(ENV, "a.txt", b"a")
    screen = on_terminal("cloud", "rm", ENV, fileid, env=variables(service), answer=answer)
    text = " ".join(screen.text.split())
    assert f"deletes 1 file of {ENV} of {service.appid} at 127.0.0.1" in text
    assert fileid in text
    assert (screen.status, len(service.cloud_files)) == (left, left)


def test_rm_of_the_cloud_refuses_without_a_terminal(service: Simulator) -> None:
    """Where nobody can be asked, nothing is deleted without --yes."""
    fileid = service.add_cloud_file(ENV, "a.txt", b"a")
    assert piped("cloud", "rm", ENV, fileid, env=variables(service)).returncode == Exit.USAGE
    assert service.journal == []


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["put", ENV, PHOTO, DRAWING, "a/"], {"would", "file", "path", "size"}),
        (["rm", ENV, "cloud://e.b/1", "cloud://e.b/2"], {"would", "fileid"}),
    ],
)
def test_a_dry_run_in_the_cloud_sends_nothing(
    service: Simulator, wxasset: Command, arguments: list[str], keys: set[str]
) -> None:
    """It says what would be done to each item."""
    ended = wxasset("cloud", *arguments, "--dry-run", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert [set(record) for record in ended.records] == [keys] * 2
    assert service.journal == []
