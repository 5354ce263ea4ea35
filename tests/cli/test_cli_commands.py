"""Each command in a pipe, as JSON and on a real terminal; what it does, what it says, and how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from command_line import (
    CTRL_C,
    HELD_UP,
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
from wxasset import cli as command_line_package
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime.console import short_id
from wxasset.cli.runtime.exit_codes import EXIT_CODES, Exit
from wxasset.cli.runtime.help import flowing
from wxasset.cli.runtime.output import json_line
from wxasset.simulator import Simulator

SAMPLE: Final = {piece.path.name: str(piece.path) for piece in SAMPLES}
PHOTO, DRAWING, VOICE, CLIP = (SAMPLE[name] for name in ("photo.jpg", "drawing.png", "voice.mp3", "clip.mp4"))
ERROR_KEYS: Final = {"kind", "message", "hint", "hint_zh", "errcode", "rid", "item"}
ADD_KEYS: Final = {"file", "type", "media_id", "url", "size", "reconciled"}
GET_KEYS: Final = {
    *("media_id", "type", "file", "size", "sha256", "content_type"),
    *("title", "introduction", "articles"),
}


def added(wxasset: Command, *files: str) -> list[str]:
    """Add files, and give their ids."""
    return [record["media_id"] for record in wxasset("add", "--json", *files).records]


# Every command, three ways


@frozen(kw_only=True)
class Case:
    """How a command is tried.

    Attributes:
        arguments: What it is given; {image} and {video} stand for ids of materials, {to} for a directory.
        rows: How many results there are.
        keys: The keys of each result as JSON.
        heading: What the table on a terminal is headed with; None where there is no table.
        row: What each line in a pipe looks like.
    """

    arguments: str
    rows: int
    keys: set[str]
    heading: str | None
    row: str


CLI: Final = Path(command_line_package.__file__).parent
COMMAND_NAMES: Final = "add get ls rm count batch image doctor quota token demo simulate completion"
ID: Final = r"[\w-]{64}"
CASES: Final = {
    "add": Case(
        arguments=f"add {PHOTO} {VOICE}",
        rows=2,
        keys=ADD_KEYS,
        heading="media id",
        row=rf"{ID}\t(image|voice)\t.*/(photo\.jpg|voice\.mp3)",
    ),
    "get": Case(
        arguments="get {image} -o {to}",
        rows=1,
        keys=GET_KEYS,
        heading="media id",
        row=rf"{ID}\tfile\t.*/photo\.jpg\t[0-9]+\t",
    ),
    "get --film": Case(
        arguments="get {video} --film -o {to}",
        rows=1,
        keys=GET_KEYS,
        heading="title",
        row=rf"{ID}\tvideo\t.*/clip\.mp4\t[0-9]+\tclip",
    ),
    "rm": Case(
        arguments="rm {image} {video} --yes",
        rows=2,
        keys={"media_id", "deleted"},
        heading=None,
        row=ID,
    ),
    "ls": Case(
        arguments="ls image",
        rows=1,
        keys={"media_id", "type", "name", "update_time", "time", "url"},
        heading="name",
        row=rf"{ID}\t20..-..-..T..:..:..Z\tphoto\.jpg",
    ),
    "count": Case(arguments="count", rows=4, keys={"type", "count"}, heading="count", row=r"\w+\t[01]"),
    "image": Case(
        arguments=f"image {DRAWING}",
        rows=1,
        keys={"file", "url", "size"},
        heading="url",
        row=r"http://mmbiz\.qpic\.cn/\S+\t.*/drawing\.png",
    ),
    "token": Case(
        arguments="token",
        rows=1,
        keys={"appid", "from", "expires_in", "expires_at", "host", "credentials"},
        heading="expires in",
        row=r"wx\w{16}\tWeChat\t7\d\d\d\t20\S+Z\t127\.0\.0\.1:\d+\tthe environment",
    ),
}


@needs_terminals
@pytest.mark.parametrize("name", CASES)
def test_every_command_in_a_pipe_as_json_and_on_a_terminal(
    service: Simulator, wxasset: Command, tmp_path: Path, name: str
) -> None:
    """Lines of columns in a pipe, one JSON object a line where asked for, a table on a terminal; no secret in any."""
    case = CASES[name]

    def arguments(kind: str) -> list[str]:
        service.reset()
        image, video = added(wxasset, PHOTO, CLIP)
        (to := tmp_path / kind).mkdir()
        return case.arguments.format(image=image, video=video, to=to).split()

    plain = piped(*arguments("plain"), env=variables(service))
    assert (plain.returncode, plain.stderr) == (0, "")
    assert [bool(re.fullmatch(case.row, line)) for line in plain.stdout.splitlines()] == [True] * case.rows
    as_json = wxasset(*arguments("json"), "--json")
    assert (as_json.status, as_json.err) == (0, "")
    assert [set(record) for record in as_json.records] == [case.keys] * case.rows
    screen = on_terminal(*arguments("terminal"), env=variables(service))
    assert screen.status == 0
    if case.heading is not None:
        assert case.heading in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.text)
        assert "\t" not in screen.text
    for text in (plain.stdout, as_json.out, screen.text):
        assert service.secret not in text
        assert "access_token" not in text


# add


def test_add_tells_the_type_from_the_bytes(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """Whatever a file is called, its bytes say what it is; a video gets a title of its file's name, or the given."""
    copies = [shutil.copy(SAMPLE[name], tmp_path / f"{number}.dat") for number, name in enumerate(SAMPLE)]
    records = wxasset("add", "--json", *copies).records
    assert [record["type"] for record in records] == ["image", "image", "voice", "voice", "video", "image"]
    assert all(set(record) == ADD_KEYS for record in records)
    titled = wxasset("add", CLIP, "--title", "夏天", "--introduction", "两秒")
    video = service.materials[titled.rows[0][0]]
    assert (video.title, video.introduction) == ("夏天", "两秒")


def test_add_takes_a_type_and_a_name(service: Simulator, wxasset: Command) -> None:
    """The type comes first or as an option, the name of a single file as an option."""
    first, second = (wxasset("add", *how, SAMPLE["thumb.jpg"]) for how in (["thumb"], ["--type", "thumb"]))
    assert first.rows[0][1] == second.rows[0][1] == "thumb"
    named = wxasset("add", PHOTO, "--filename", "海报.jpg")
    assert service.materials[named.rows[0][0]].filename == "海报.jpg"


@pytest.mark.parametrize("command", [["add", "video"], ["batch", "--type", "video"]])
def test_a_derived_name_is_not_an_option(
    service: Simulator, wxasset: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """The name and the title of a file that begins with "-" or "~" get a "_" before them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    for name in ("-rf.mp4", "~root.mp4"):
        (tmp_path / "films" / name).write_bytes(Path(CLIP).read_bytes() + name.encode())
    files = ["films"] if command[0] == "batch" else sorted(str(file) for file in (tmp_path / "films").iterdir())
    assert wxasset(*command, *files).status == 0
    assert {one.filename[0] for one in service.materials.values()} == {"_"}
    assert sorted(one.title for one in service.materials.values()) == ["_-rf", "_~root"]


def test_add_goes_on_after_a_file_that_fails(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """A file that WeChat does not take is told by its name; the others are added, and the status is 3."""
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    ended = wxasset("add", PHOTO, bad, VOICE)
    assert ended.status == Exit.PARTLY
    assert [row[2] for row in ended.rows] == [PHOTO, VOICE]
    assert ended.err.startswith(f"wxasset: {bad}: ")
    assert len(service.materials) == 2


@pytest.mark.parametrize(
    "arguments", [["add"], ["add", "image"], ["image"], ["add", PHOTO, VOICE, "--filename", "one"], ["add", "--type"]]
)
def test_add_needs_files_that_fit(service: Simulator, wxasset: Command, arguments: list[str]) -> None:
    """Without a file, or with one name for several, nothing is sent."""
    assert wxasset(*arguments).status == Exit.USAGE
    assert service.journal == []


def test_an_upload_whose_outcome_is_unknown_has_a_status_of_its_own(service: Simulator, wxasset: Command) -> None:
    """Where the reply is lost, the status is 4 and the hint says where to look, in both languages."""
    service.fail("uploadimg", "reset-after-commit")
    ended = wxasset("image", DRAWING, PHOTO, "--json")
    assert ended.status == Exit.UNKNOWN
    (told,) = (told for told in ended.told if told["kind"] != "Note")
    assert (told["kind"], told["item"]) == ("UploadOutcomeUnknown", DRAWING)
    assert len(ended.records) == 1


# get


def test_get_saves_what_was_added(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """A directory takes files under their names, a file is named by the user; the bytes are those that were added."""
    photo, clip = added(wxasset, PHOTO, CLIP)
    into = wxasset("get", photo, "-o", tmp_path)
    assert Path(into.rows[0][2]).read_bytes() == Path(PHOTO).read_bytes()
    named = wxasset("get", photo, f"--output={tmp_path / 'x.jpg'}", "--json")
    assert named.records[0]["file"] == str(tmp_path / "x.jpg")
    film = wxasset("get", clip, "--film", "-o", tmp_path / "film.mp4", "--json")
    assert (tmp_path / "film.mp4").read_bytes() == Path(CLIP).read_bytes()
    assert film.records[0]["sha256"]
    described = wxasset("get", clip, "--json").records[0]
    assert (described["type"], described["title"], described["file"]) == ("video", "clip", None)
    assert service.journal[-1].path.endswith("get_material")


def test_get_shows_articles(service: Simulator, wxasset: Command) -> None:
    """Articles come as JSON with all that they hold, and by their titles otherwise."""
    news = service.add_article(title="夏天\tto\nyou", content="<p>body</p>")
    record = wxasset("get", news, "--json").records[0]
    assert set(record) == GET_KEYS
    assert record["articles"][0]["content"] == "<p>body</p>"
    assert wxasset("get", news).rows[0][-1] == "夏天?to?you"


def test_get_writes_to_a_pipe(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """With -o - stdout has the bytes and nothing else; a pipe that is closed early ends the command quietly."""
    large = tmp_path / "large.jpg"
    large.write_bytes(Path(PHOTO).read_bytes() + bytes(1_000_000))
    media_id, video = added(wxasset, str(large), CLIP)
    env = environment(variables(service))
    whole = subprocess.run(command("get", media_id, "-o", "-"), env=env, capture_output=True, check=True)
    assert (whole.stdout, whole.stderr) == (large.read_bytes(), b"")
    with subprocess.Popen(
        command("get", media_id, "-o", "-"), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
    described = piped("get", video, "-o", "-", env=variables(service))
    assert (described.returncode, described.stdout) == (0, "")
    assert "of the type video" in described.stderr


@pytest.mark.parametrize("arguments", [["get"], ["get", "a", "b", "-o", "nowhere"], ["get", "a", "b", "-o", "-"]])
def test_get_needs_a_place(service: Simulator, wxasset: Command, arguments: list[str]) -> None:
    """Several files go to a directory that exists, and nothing is asked for otherwise."""
    assert wxasset(*arguments).status == Exit.USAGE
    assert service.journal == []


# ls, count, rm


def test_ls_lists_pages(service: Simulator, wxasset: Command) -> None:
    """20 by default with a word on the rest; --all, --limit and --offset choose; articles go by their titles."""
    for number in range(45):
        service.add_article(title=f"t{number}")
    some = wxasset("ls", "news", "--json")
    assert [record["name"] for record in some.records] == [f"t{number}" for number in range(44, 24, -1)]
    assert [(told["total"], told["next"]) for told in some.told] == [(45, 20)]
    assert len(wxasset("ls", "news", "--all").rows) == 45
    assert [row[2] for row in wxasset("ls", "news", "--limit", "25", "--offset", "15").rows] == [
        f"t{number}" for number in range(29, 4, -1)
    ]
    assert wxasset("ls", "news", "--offset", "44").rows[0][2] == "t0"
    assert wxasset("ls", "news", "--limit", "0").rows == []
    assert wxasset("ls", "voice").out == ""
    for wrong in (["ls"], ["ls", "thumb"], ["ls", "news", "--limit", "-1"], ["ls", "news", "--all", "--offset", "2"]):
        assert wxasset(*wrong).status == Exit.USAGE


def test_rm_takes_ids_from_a_pipe(service: Simulator, wxasset: Command) -> None:
    """The lines of ls can be piped into rm; an id that comes twice is sent once; one that is unknown is told."""
    added(wxasset, PHOTO, DRAWING, VOICE)
    listed = wxasset("ls", "image").out
    done = piped("rm", "-", "--yes", "-unknown-id-with-a-dash", env=variables(service), given=listed + listed + "\n")
    assert done.returncode == Exit.PARTLY
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.count("\n") == 1
    assert [material.type for material in service.materials.values()] == ["voice"]


@needs_terminals
@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), (CTRL_C, 130)])
def test_rm_asks_on_a_terminal(service: Simulator, wxasset: Command, answer: str, status: int) -> None:
    """The question names the account, how many and which; anything but a yes, and Ctrl-C, deletes nothing."""
    ids = added(wxasset, PHOTO, DRAWING, VOICE, PHOTO)
    screen = on_terminal("rm", *ids, env=variables(service), answer=answer)
    text = " ".join(screen.text.split())
    assert f"deletes 4 permanent materials of {service.appid} at 127.0.0.1" in text
    assert f"{ids[0]}, {ids[1]}, {ids[2]} and 1 more" in text
    assert screen.status == status
    assert "Traceback" not in text
    assert len(service.materials) == (0 if answer == "y" else 4)


def test_rm_refuses_without_a_terminal(service: Simulator, wxasset: Command) -> None:
    """Where nobody can be asked, nothing is deleted without --yes."""
    ids = added(wxasset, PHOTO)
    done = piped("rm", *ids, env=variables(service))
    assert done.returncode == Exit.USAGE
    assert "--yes" in done.stderr
    assert len(service.materials) == 1


@pytest.mark.parametrize("arguments", [["rm"], ["rm", "--yess", "x"], ["rm", "-y", "x"], ["get", "--films", "x"]])
def test_an_option_that_is_mistyped_is_no_id(service: Simulator, wxasset: Command, arguments: list[str]) -> None:
    """What begins with a dash and is short is refused."""
    assert wxasset(*arguments).status == Exit.USAGE
    assert service.journal == []


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["add", PHOTO, VOICE], {"would", "file", "type", "size"}),
        (["image", DRAWING], {"would", "file", "type", "size"}),
        (["rm", "some-id", "another-id"], {"would", "media_id"}),
    ],
)
def test_a_dry_run_sends_nothing(service: Simulator, wxasset: Command, arguments: list[str], keys: set[str]) -> None:
    """It says what would be done to each item, needs no account, and no yes."""
    ended = wxasset(*arguments, "--dry-run", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert [set(record) for record in ended.records] == [keys] * (len(arguments) - 1)
    assert service.journal == []


def test_a_dry_run_checks_files(service: Simulator, wxasset: Command, tmp_path: Path) -> None:
    """A file that would be refused is refused, before anything is sent."""
    large = tmp_path / "large.png"
    large.write_bytes(Path(DRAWING).read_bytes() + bytes(1 << 20))
    assert wxasset("image", "--dry-run", large).status == Exit.FAILED
    assert wxasset("image", "--dry-run", large, DRAWING).status == Exit.PARTLY
    assert service.journal == []


# token


@pytest.mark.usefixtures("service")
def test_token_is_shown_only_when_asked_for(wxasset: Command) -> None:
    """Its state never holds the token; --show prints it to stdout with a warning on stderr, as JSON too."""
    assert "token" not in wxasset("token", "--json").records[0]
    shown = wxasset("token", "--show")
    token = shown.out.strip()
    assert len(token) > 100
    assert "secret" in shown.err
    assert wxasset("token", "--show", "--json").records[0]["token"] == token
    assert token not in wxasset("token").out + wxasset("count").out


def test_token_says_where_it_is_from(
    service: Simulator, wxasset: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token store the first look asks WeChat and keeps what it got; the next one finds it there."""
    monkeypatch.setenv("WXASSET_TOKEN_STORE", str(tmp_path / "tokens.json"))
    assert wxasset("token", "--json").records[0]["from"] == "WeChat"
    calls = service.token_calls
    kept = wxasset("token", "--json").records[0]
    assert kept["from"] == "token store"
    assert 7000 < kept["expires_in"] <= 7200
    wxasset("count")
    assert service.token_calls == calls


# Credentials, errors and exit statuses


def test_an_account_of_the_file(service: Simulator, wxasset: Command, tmp_path: Path, monkeypatch: Any) -> None:
    """Accounts go by their names in the credentials file; one that others can read is refused with status 5."""
    path = tmp_path / "credentials.toml"
    path.write_text(
        f'[sim]\nappid = "{service.appid}"\nsecret = "{service.secret}"\nbase_url = "{service.url}"\n'
        f'[off]\nappid = "wx0"\nsecret = "{service.secret}x"\nbase_url = "{service.url}"\n'
    )
    path.chmod(0o600)
    for name in variables(service):
        monkeypatch.delenv(name)
    monkeypatch.setenv("WXASSET_CREDENTIALS", str(path))
    assert wxasset("count", "--account", "sim").status == 0
    assert wxasset("count").status == Exit.USAGE
    assert wxasset("count", "--account", "off").status == Exit.DENIED
    path.chmod(0o644)
    ended = wxasset("count", "--account", "sim", "--json")
    assert ended.status == (Exit.OK if sys.platform == "win32" else Exit.DENIED)
    assert "chmod 600" in ended.told[0]["hint_zh"]
    assert service.secret not in ended.err


@pytest.mark.parametrize(
    ("endpoint", "fault", "status", "kind", "errcode"),
    [
        ("stable_token", "errcode:40164", Exit.DENIED, "IPNotAllowedError", 40164),
        ("stable_token", "errcode:40125", Exit.DENIED, "CredentialError", 40125),
        ("get_materialcount", "errcode:48001", Exit.DENIED, "PermissionDeniedError", 48001),
        ("get_materialcount", "errcode:45009", Exit.FAILED, "QuotaExceededError", 45009),
        ("get_materialcount", "errcode:12345", Exit.FAILED, "APIError", 12345),
        ("get_materialcount", "status:404", Exit.FAILED, "HTTPStatusError", None),
    ],
)
def test_an_error_is_one_object(
    service: Simulator, wxasset: Command, endpoint: str, fault: str, status: Exit, kind: str, errcode: int | None
) -> None:
    """With --json an error is an object on stderr, whose keys stay; its hints are in English and in Chinese."""
    service.fail(endpoint, fault, times=None)
    ended = wxasset("count", "--json")
    assert (ended.status, ended.out) == (status, "")
    (told,) = ended.told
    assert set(told) == ERROR_KEYS
    assert (told["kind"], told["errcode"], told["item"]) == (kind, errcode, None)
    assert re.search("[一-鿿]", told["hint_zh"])
    assert not re.search("[一-鿿]", told["hint"])
    assert service.secret not in ended.err


@given(st.text())
def test_a_line_of_json_is_one_line(text: str) -> None:
    """Whatever a name holds, its record is one line without anything that a terminal obeys, and reads back the same."""
    line = json_line({"name": text})
    assert line.isprintable()
    assert json.loads(line) == {"name": text}


def test_json_needs_no_unicode(service: Simulator) -> None:
    """Where the output's encoding lacks a character, the line is JSON nevertheless."""
    service.add_article(title="é 海 😀")
    done = piped("ls", "news", "--json", env=variables(service) | {"PYTHONIOENCODING": "ascii"})
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["name"] == "é 海 😀"


def test_a_wrong_command_is_one_object_as_well(wxasset: Command) -> None:
    """Also what cannot be parsed is told as JSON where that is asked for."""
    ended = wxasset("count", "--json", "--nonsense")
    assert ended.status == Exit.USAGE
    assert (ended.told[0]["kind"], set(ended.told[0])) == ("UsageError", ERROR_KEYS)


def test_items_that_would_fail_alike_are_not_tried(service: Simulator, wxasset: Command) -> None:
    """A spent quota ends a command over many items, which says where it stopped."""
    service.fail("add_material", "errcode:45009", times=None, after=1)
    ended = wxasset("add", "--json", PHOTO, DRAWING, VOICE, CLIP)
    assert ended.status == Exit.PARTLY
    assert [record["file"] for record in ended.records] == [PHOTO]
    error, note = ended.told
    assert (error["errcode"], error["item"]) == (45009, DRAWING)
    assert (note["kind"], note["not_tried"]) == ("Note", [VOICE, CLIP])


def test_help_flows() -> None:
    """Lines of a paragraph are joined, and those of an argument; what stands apart in the source stays apart."""
    text = """Do it.

    The first
    paragraph.

    Args:
        one: The
            first.
        two: The second.
    """
    assert flowing(text) == "Do it.\n\nThe first paragraph.\n\nArgs:\n    one: The first.\n    two: The second."


def test_statuses_are_documented() -> None:
    """The help names each exit status, and the few have their numbers for good."""
    assert {status.name: status.value for status in Exit} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "PARTLY": 3,
        "UNKNOWN": 4,
        "DENIED": 5,
    }
    for status in Exit:
        assert f"\n  {status.value} " in EXIT_CODES
    assert " ".join(EXIT_CODES.split()) in " ".join(piped("--help").stdout.split())


def test_warnings_of_the_library_are_notes(
    service: Simulator, wxasset: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token store that fails is told of, as JSON where all is JSON, and the command goes on without it."""
    (store := tmp_path / "tokens.json").write_text("{}")
    store.chmod(0o666)
    monkeypatch.setenv("WXASSET_TOKEN_STORE", str(store))
    ended = wxasset("count", "--json")
    assert (ended.status, len(ended.records)) == (0, 4)
    assert [told["kind"] for told in ended.told] == ["Note"]
    assert service.journal


# Terminals, pipes, signals


@needs_terminals
@pytest.mark.parametrize(
    ("term", "extra", "colours", "table"),
    [("xterm", {}, True, True), ("xterm", {"NO_COLOR": "1"}, False, True), ("dumb", {}, False, False)],
)
def test_terminals_get_what_they_can_show(
    service: Simulator, term: str, extra: dict[str, str], colours: bool, table: bool
) -> None:
    """NO_COLOR has no colours; a dumb terminal gets the lines of a pipe, and no control sequence at all."""
    screen = on_terminal("add", PHOTO, env=variables(service) | extra, term=term)
    assert screen.status == 0
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", screen.text)) is colours
    assert ("media id" in screen.text) is table
    assert ("\x1b" in screen.text) is table
    assert ("\t" in screen.text) is not table


def test_a_timeout_ends_a_call(service: Simulator, wxasset: Command) -> None:
    """--timeout bounds a call that gets no answer; the error leads to the doctor."""
    service.fail("get_materialcount", "stall-30s", times=None)
    ended = wxasset("count", "--timeout", "0.3", "--json")
    assert ended.status == Exit.FAILED
    assert "wxasset doctor" in ended.told[0]["hint"]
    assert wxasset("count", "--timeout", "0").status == Exit.USAGE


def test_verbose_shows_requests_and_quiet_no_notes(service: Simulator, wxasset: Command) -> None:
    """-v shows each attempt without a secret in it; -q leaves notes out and keeps errors."""
    shown = wxasset("count", "-v").err
    assert "get_materialcount" in shown
    assert service.secret not in shown
    assert "access_token=" not in shown
    assert wxasset("count").err == ""
    service.add_article(title="a")
    service.add_article(title="b")
    assert "2 in total" in wxasset("ls", "news", "--limit", "1").err
    assert wxasset("ls", "news", "--limit", "1", "-q").err == ""
    assert "40007" in wxasset("get", "missing", "-q").err


@pytest.mark.parametrize(
    "name",
    [*COMMAND_NAMES.split(), *(f"media {one}" for one in ("add", "get"))]
    + [f"cloud {one}" for one in ("put", "get", "url", "rm")],
)
def test_every_help_has_an_example(wxasset: Command, name: str) -> None:
    """The help of a command shows how it is called, and leads to what holds for all commands."""
    shown = wxasset(*name.split(), "--help").out
    assert f"Example: wxasset {name}" in shown
    assert "wxasset --help" in shown


def test_the_overview_names_options_and_variables(wxasset: Command) -> None:
    """Commands stand in groups; options of all commands and every variable are named."""
    shown = wxasset("--help").out
    for word in ("--account", "--proxy", "--timeout", "-v", "-q", "Permanent materials", "The account"):
        assert word in shown
    used = re.findall(r"WXASSET_[A-Z_]+", "".join(path.read_text("utf-8") for path in CLI.rglob("*.py")))
    assert {name for name in used if name not in shown} == set()


@needs_terminals
@pytest.mark.parametrize(("columns", "whole"), [(104, True), (80, False)])
def test_ids_fit_a_terminal(service: Simulator, wxasset: Command, columns: int, whole: bool) -> None:
    """An id is whole where there is room for it; otherwise it is shortened, and a note says where it is whole."""
    (media_id,) = added(wxasset, PHOTO)
    screen = on_terminal("ls", "image", env=variables(service) | {"COLUMNS": str(columns), "TZ": "Asia/Shanghai"})
    assert (media_id in screen.text) is whole
    assert (short_id(media_id) in screen.text) is not whole
    assert ("Ids are shortened to fit" in screen.text) is not whole
    moment = next(iter(service.materials.values())).update_time
    assert f"{datetime.fromtimestamp(moment, timezone(timedelta(hours=8))):%Y-%m-%d %H:%M}" in screen.text


@needs_terminals
def test_a_table_without_room_is_a_block_for_each_row(service: Simulator) -> None:
    """On 80 columns a whole id, and what belongs to it, stand below each other, each on a line of its own."""
    lines = on_terminal("media", "add", VOICE, "-q", env=variables(service) | {"COLUMNS": "80"}).text.splitlines()
    plain = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).split(maxsplit=2) for line in lines]
    assert plain[0][:2] == ["media", "id"]
    assert re.fullmatch(r"[\w-]{64}\s*", plain[0][2])
    assert plain[1] == ["type", "voice"]


def test_no_secret_in_the_list_of_processes(service: Simulator) -> None:
    """While a command waits for its answer, neither the list of processes nor its output holds the secret."""
    service.fail("get_materialcount", "stall-30s")
    with subprocess.Popen(
        command("count"), env=environment(variables(service)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_for(lambda: sent(service, "get_materialcount") > 0)
        own = str(process.pid)  # other tests run beside it, some of which show their secrets
        ps = ["ps", "-f", "-ww", "--pid", own, "--ppid", own]
        listed = subprocess.run(ps, capture_output=True, encoding="utf-8", check=True).stdout
        process.terminate()
        out, err = process.communicate(timeout=HELD_UP)
    assert "wxasset count" in listed
    assert service.secret not in listed + out.decode() + err.decode()
    assert process.returncode == 128 + signal.SIGTERM
    assert err.decode() == "Stopped by SIGTERM.\n"


@needs_signals
def test_an_upload_that_was_begun_is_seen_through(service: Simulator) -> None:
    """After Ctrl-C the upload under way ends and its id is printed; the message says which files are left."""
    service.fail("add_material", "stall-1s")
    with subprocess.Popen(
        command("add", "--json", PHOTO, VOICE, CLIP),
        env=environment(variables(service)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_for(lambda: sent(service, "add_material") > 0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HELD_UP)
    assert process.returncode == 130
    assert [json.loads(line)["media_id"] for line in out.splitlines()] == list(service.materials)
    assert len(service.materials) == 1
    first, told = map(json.loads, err.splitlines())
    assert (first["kind"], first["signal"], first["in_progress"]) == ("Note", "SIGINT", [PHOTO])
    assert (told["kind"], told["signal"], told["done"], told["not_tried"]) == ("Note", "SIGINT", 1, [VOICE, CLIP])
    assert told["unknown"] == []


@needs_signals
@pytest.mark.parametrize(
    ("arguments", "endpoint", "unknown", "left"),
    [
        (f"add {PHOTO} {VOICE}", "add_material", PHOTO, [VOICE]),
        (f"image {DRAWING} {PHOTO}", "uploadimg", DRAWING, [PHOTO]),
        ("rm --yes first second", "del_material", "first", ["second"]),
        (f"cloud put env {PHOTO} {VOICE} to/", "/tcb/uploadfile", PHOTO, [VOICE]),
        ("cloud rm env cloud://env.b/1 --yes", "/tcb/batchdeletefile", "cloud://env.b/1", []),
        (f"media add {PHOTO} {VOICE}", "/cgi-bin/media/upload", PHOTO, [VOICE]),
    ],
)
def test_a_second_signal_tells_what_may_have_happened(
    service: Simulator, wxasset: Command, arguments: str, endpoint: str, unknown: str, left: list[str]
) -> None:
    """The item under way has a status of its own, and nobody is told to run the command again for it."""
    service.fail(endpoint, "stall-30s")

    def interrupt() -> None:
        wait_for(lambda: sent(service, endpoint) > 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)  # handled on return; of two that are pending, the later one is handled first

    with ThreadPoolExecutor(1) as pool:
        interrupting = pool.submit(interrupt)
        ended = wxasset(*arguments.split(), "--json")
        interrupting.result()
    assert ended.status == Exit.UNKNOWN
    first, last = ended.told
    assert (first["signal"], first["in_progress"]) == ("SIGINT", [unknown])
    assert (last["signal"], last["unknown"], last["not_tried"]) == ("SIGTERM", [unknown], left)
    assert f"1 may have happened: {unknown}." in last["message"]
    assert f"Run the command again for the items from {unknown}" not in last["message"]


@pytest.mark.parametrize("arguments", [["ls", "news", "--all"], ["--help"]])
def test_a_pipe_that_is_closed_ends_a_command_quietly(service: Simulator, arguments: list[str]) -> None:
    """When nobody reads any more, there is no traceback, and the status is that of SIGPIPE."""
    for number in range(30):
        service.add_article(title=f"{number}" * 60)
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            command(*arguments), env=environment(variables(service)), stdout=theirs, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_demonstration_as_json(wxasset: Command) -> None:
    """Each file and each check is an object; nothing else is written."""
    ended = wxasset("demo", "--json", PHOTO)
    assert (ended.status, ended.err) == (0, "")
    file, *checks = ended.records
    assert (file["file"], file["check"]) == ("photo.jpg", "identical")
    assert {check["check"]: check["passed"] for check in checks} == {
        "count": True,
        "list": True,
        "delete": True,
        "cloud files": True,
    }


@needs_signals
def test_the_simulator_as_json() -> None:
    """A program that starts the simulator reads where it is from one object."""
    with subprocess.Popen(command("simulate", "--json"), env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        env = {f"WXASSET_{name.upper()}": where[name] for name in ("appid", "secret", "base_url")}
        assert piped("count", env=env).returncode == 0
        process.terminate()
        assert process.stdout.read() == b""
    assert process.returncode == 0
    assert where["controllable"] is True


def test_what_comes_after_a_closed_pipe_goes_nowhere() -> None:
    """Once stdout is dropped, what is left to be written disturbs nobody, the interpreter at its end included."""
    code = "import sys; from wxasset.cli.runtime.output import drop_stdout; drop_stdout(); sys.stdout.write('x')"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_take_their_completion_script(wxasset: Command, tmp_path: Path, shell: str) -> None:
    """Each shell that is installed accepts its script, which knows the commands."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / shell
    script.write_text(wxasset("completion", shell).out, "utf-8")
    done = subprocess.run([shell, "-n", script], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"add", "get", "rm", "count", "demo"} <= set(re.findall(r"\w+", script.read_text("utf-8")))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_a_command(wxasset: Command, tmp_path: Path) -> None:
    """With the script loaded, bash offers the commands that begin with what is there."""
    script = tmp_path / "bash"
    script.write_text(wxasset("completion", "bash").out, "utf-8")
    code = f'source {script}; COMP_WORDS=(wxasset cou); COMP_CWORD=1; _wxasset; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == ["count"]


@pytest.mark.parametrize(
    "words", ["add", "get x -o", "cloud put env", "cloud get env x --output", "batch", "media add", "image"]
)
def test_bash_completes_a_file_name(wxasset: Command, tmp_path: Path, words: str) -> None:
    """Where a command takes a file, the names of files are offered, each as one, with blanks in it or not."""
    script = tmp_path / "script"
    script.write_text(wxasset("completion", "bash").out, "utf-8")
    (tmp_path / "my poster.png").touch()
    (tmp_path / "my posters").mkdir()
    line = ["wxasset", *words.split(), "my"]
    code = f"source ./script; COMP_WORDS=({' '.join(line)}); COMP_CWORD={len(line) - 1}; _wxasset;"
    code += ' printf "%s\\n" "${COMPREPLY[@]}"; complete -p wxasset'
    done = subprocess.run(["bash", "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=tmp_path)
    *offered, registered = done.stdout.splitlines()
    assert sorted(offered) == ["my poster.png", "my posters"]
    assert "-o filenames" in registered, "a directory is followed by a slash, and blanks are quoted"


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_what_a_command_takes(wxasset: Command, tmp_path: Path) -> None:
    """Files are offered where a command takes files, and options also behind a word that is the name of a command."""
    (tmp_path / "script").write_text(wxasset("completion", "fish").out, "utf-8")
    (tmp_path / "my poster.png").touch()
    offered = {
        "add my": ["my poster.png"],
        "get x -o my": ["my poster.png"],
        "get my": [],
        "cloud url my": [],
        "my": [],
        "cou": ["count"],
        "ls image --al": ["--all"],
        "cloud rm image --y": ["--yes"],
    }
    code = "".join(f"complete -C 'wxasset {line}'; echo ==;" for line in offered)
    shown = subprocess.run(
        ["fish", "-c", f"source script; {code}"], capture_output=True, encoding="utf-8", check=True, cwd=tmp_path
    ).stdout
    found = [[line.partition("\t")[0] for line in one.splitlines() if line] for one in shown.split("==")[:-1]]
    assert dict(zip(offered, found, strict=True)) == offered


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("started", [True, False])
def test_zsh_registers_the_installed_script(
    wxasset: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    """A new shell knows the command, whether its start-up file had started the completion system before or never."""
    for name in ("HOME", "ZDOTDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    before = "autoload -Uz compinit && compinit -u" if started else "true"
    (tmp_path / ".zshrc").write_text(before)
    for _ in range(2):
        wxasset("--install-completion", "--shell", "zsh")
    assert (tmp_path / ".zshrc").read_text().count("source ") == 1
    done = subprocess.run(
        ["zsh", "-i", "-c", "print $_comps[wxasset]"], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "_cyclopts_wxasset"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed(wxasset: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """The script is put where its shell finds it, below the home directory, and where that is goes to stdout."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("ZSH_CUSTOM", "ZSH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    ended = wxasset("--install-completion", "--shell", shell)
    assert ended.status == 0
    path = Path(ended.out.strip())
    assert path.is_relative_to(tmp_path)
    assert path.read_text("utf-8").strip() == wxasset("completion", shell).out.strip()
    assert ended.err == "Completion works in new shells.\n"


def test_a_shell_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    """Started by no shell, without a word on which, nothing is installed."""
    hidden = dict.fromkeys(("SHELL", "BASH_VERSION", "ZSH_VERSION", "FISH_VERSION"), "")
    done = piped("--install-completion", env={"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), **hidden})
    assert done.returncode == Exit.USAGE
    assert "--shell" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_called_empty(wxasset: Command, tmp_path: Path) -> None:
    """A file without bytes is not told as one of an unknown format."""
    (file := tmp_path / "none.jpg").touch()
    done = wxasset("add", "--dry-run", file)
    assert done.status == Exit.FAILED
    assert "none.jpg is empty." in done.err


@pytest.mark.parametrize("arguments", [("get",), ("cloud", "get", "env-1")])
def test_an_empty_place_is_refused(service: Simulator, wxasset: Command, arguments: tuple[str, ...]) -> None:
    """An empty -o, of a variable that is not set, say, is a wrong command before anything is sent."""
    done = wxasset(*arguments, "x" * 43, "-o", "")
    assert done.status == Exit.USAGE
    assert "-o is empty" in done.err
    assert service.journal == []
