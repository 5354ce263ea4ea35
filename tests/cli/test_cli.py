"""The command line as its users meet it: a process with arguments, two streams, signals and an exit status."""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unicodedata import east_asian_width

import anyio
import httpx
import pytest
from aiohttp import web
from anyio import to_thread

import wxasset
from command_line import HELD_UP, command, environment, needs_signals, on_terminal, variables
from wxasset import WxSession
from wxasset.cli import program
from wxasset.cli.commands.catalogue import COMMANDS
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.help import flowing
from wxasset.simulator import Simulator

SAMPLE = {piece.path.name: piece.path for piece in SAMPLES}
DOUBLED = {"F", "W"}


def wxasset_run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal."""
    return run(command(*arguments), environment(env))


def python_run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python to its end."""
    return run([sys.executable, "-c", code], environment())


def run(argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a process to its end and keep what it wrote."""
    return subprocess.run(
        argv,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=HELD_UP,
        check=False,
    )


def rows(output: str, name: str) -> list[str]:
    """The lines of the table that begin with this file name."""
    return [line for line in output.splitlines() if line.strip().startswith(name)]


def check_line(output: str, label: str) -> str:
    """The line of the check with this label."""
    return next(line for line in output.splitlines() if line.startswith(label))


def assert_one_line(stderr: str, *words: str) -> None:
    """Errors are one line, which begins with the command's name and holds these words."""
    assert stderr.startswith("wxasset: ")
    assert stderr.count("\n") == 1
    for word in words:
        assert word in stderr


class Hooked(Simulator):
    """A simulator with a hook that is awaited before it answers a request."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[str, Callable[[], object]] = {}
        self.delay: dict[str, float] = {}

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        action = http.path.rsplit("/", 1)[-1]
        if action in self.hooks:
            self.hooks[action]()
        answer = await super()._serve(http)
        await asyncio.sleep(self.delay.get(action, 0))
        return answer


@pytest.fixture
async def service() -> AsyncIterator[Hooked]:
    """What stands for the real service in the tests of `--live`."""
    async with Hooked() as running:
        yield running


async def run_live(service: Simulator, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `demo --live` against the service of this process."""
    return await to_thread.run_sync(
        lambda: wxasset_run("demo", "--live", *arguments, env=variables(service)), abandon_on_cancel=True
    )


# demo, on a simulator of its own


@pytest.fixture(scope="module")
def shown() -> subprocess.CompletedProcess[str]:
    """What the demonstration shows with the samples."""
    return wxasset_run("demo")


def test_demo_shows_every_sample_to_be_identical(shown: subprocess.CompletedProcess[str]) -> None:
    """The demonstration ends with status 0, every file identical, every check ok, and nothing on stderr."""
    assert (shown.returncode, shown.stderr) == (0, "")
    for piece in SAMPLES:
        (line,) = rows(shown.stdout, piece.name)
        assert line.split()[-1] == "identical"
        assert f" {piece.type} " in line
        assert f"{piece.path.stat().st_size:,}" in line
    for label in ("count", "list", "delete", "cloud files"):
        assert " ok " in check_line(shown.stdout, label)
    assert "the library is empty again" in shown.stdout
    assert "-503003 STORAGE_FILE_NONEXIST" in shown.stdout
    total = sum(piece.path.stat().st_size for piece in SAMPLES)
    assert shown.stdout.splitlines()[-1] == f"Passed in the simulator: 6 files, {total:,} bytes, 6 identical."


def test_demo_sends_a_chinese_name(shown: subprocess.CompletedProcess[str]) -> None:
    """One sample is uploaded under a name in Chinese, which the library lists as it was sent."""
    assert rows(shown.stdout, "海报 photo.jpg")
    assert "6 of 6 found by media_id" in shown.stdout
    assert "renamed" not in shown.stdout


def test_demo_fits_a_pipe(shown: subprocess.CompletedProcess[str]) -> None:
    """Without a terminal the output is at most 100 columns wide, nothing is cut off, and nothing is coloured."""
    widths = [sum(2 if east_asian_width(char) in DOUBLED else 1 for char in line) for line in shown.stdout.splitlines()]
    assert max(widths) <= 100
    assert "\x1b" not in shown.stdout
    assert all(re.search(r" [\w-]{5}…[\w-]{6} ", line) for piece in SAMPLES for line in rows(shown.stdout, piece.name))


def test_demo_prints_no_secret(shown: subprocess.CompletedProcess[str]) -> None:
    """Neither the secret nor a token is in the output."""
    assert Simulator().secret not in shown.stdout
    assert "token" not in shown.stdout


def test_demo_takes_files_of_ones_own(tmp_path: Path) -> None:
    """The type is told from the content, whatever the name says; odd names are shown as they are."""
    names = {"photo.jpg": "[red]图 1.dat", "voice.amr": "录音", "clip.mp4": "film.mp4"}
    files = [Path(shutil.copy(SAMPLE[sample], tmp_path / name)) for sample, name in names.items()]
    done = wxasset_run("demo", *files)
    assert done.returncode == 0, done.stderr
    for name, kind in zip(names.values(), ("image", "voice", "video"), strict=True):
        (line,) = rows(done.stdout, name)
        assert f" {kind} " in line
        assert line.split()[-1] == "identical"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_demo_shows_no_control_characters(tmp_path: Path) -> None:
    """A file name cannot send control sequences to the terminal, nor break a line."""
    file = Path(shutil.copy(SAMPLE["photo.jpg"], tmp_path / "a\x1b[2J\nb.jpg"))
    done = wxasset_run("demo", file)
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout, "a?[2J?b.jpg")


def test_demo_gets_by_with_ascii() -> None:
    """An output that cannot encode Chinese gets escapes instead of an error."""
    done = wxasset_run("demo", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert r"\u6d77\u62a5 photo.jpg" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.jpg", None, ["gone.jpg cannot be read", "No such file"]),
        ("notes.txt", b"plain text, and not a little of it", ["notes.txt is of an unknown format"]),
        ("empty.jpg", b"", ["empty.jpg is of an unknown format"]),
        ("image.jpg", b"RIFF\x24\x00\x00\x00WEBPVP8 ", ["image.jpg is webp, a format not accepted", "jpeg, mp3"]),
    ],
)
def test_demo_refuses_a_file(tmp_path: Path, name: str, content: bytes | None, words: list[str]) -> None:
    """A file that is missing or of no use ends the demonstration with one line on stderr and status 1."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = wxasset_run("demo", tmp_path / name)
    assert done.returncode == 1
    assert done.stdout == ""
    assert_one_line(done.stderr, *words)


def test_demo_refuses_a_directory(tmp_path: Path) -> None:
    """A directory is told to be none of the files one can upload."""
    done = wxasset_run("demo", tmp_path)
    assert done.returncode == 1
    assert_one_line(done.stderr, "is not a regular file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--colour"], ["Unknown option", "--colour"]),
        (["demon"], ["demon", "See: wxasset COMMAND --help"]),
        (["demo", "--yes"], ["require --live"]),
        (["demo", "--env", "e"], ["require --live"]),
        (["demo", "--fileid", "cloud://e.b/f"], ["require --live"]),
        (["demo", "--account", "shop"], ["require --live"]),
        (["demo", "--proxy", "none"], ["require --live"]),
        (["demo", "--live", "--fileid", "cloud://e.b/f"], ["--fileid requires --env"]),
        (["simulate", "--port", "70000"], ["--port"]),
        (["simulate", "--port", "http"], ["--port"]),
    ],
)
def test_wrong_commands_have_status_2(arguments: list[str], words: list[str]) -> None:
    """A command that is wrong is told in one line on stderr, and has status 2."""
    done = wxasset_run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert_one_line(done.stderr, *words)


# demo --live


@pytest.mark.parametrize(
    ("env", "missing"),
    [
        ({"WXASSET_CREDENTIALS": "none.toml"}, "No credentials were found: WXASSET_APPID is not set"),
        ({"WXASSET_APPID": "wx1"}, "missing: WXASSET_SECRET."),
        ({"WXASSET_SECRET": "s3cr3t"}, "missing: WXASSET_APPID."),
    ],
)
def test_live_needs_variables(env: dict[str, str], missing: str) -> None:
    """Without credentials nothing starts, and the message says which variable is missing."""
    done = wxasset_run("demo", "--live", "--yes", env=env)
    assert done.returncode == 5
    assert_one_line(done.stderr, missing, "Set WXASSET_APPID and WXASSET_SECRET")
    assert "s3cr3t" not in done.stderr


async def test_live_needs_a_terminal_or_a_yes(service: Hooked) -> None:
    """Without a terminal to ask on and without --yes, nothing is sent."""
    done = await run_live(service)
    assert done.returncode == 2
    assert_one_line(done.stderr, "pass --yes")
    assert service.journal == []


@pytest.mark.parametrize("address", ["not an address", "http://[bad"])
def test_live_needs_an_address(address: str) -> None:
    """A base URL that names no host is refused before anything else happens."""
    env = {"WXASSET_APPID": "wx1", "WXASSET_SECRET": "s3cr3t", "WXASSET_BASE_URL": address}
    done = wxasset_run("demo", "--live", "--yes", env=env)
    assert done.returncode == 2
    assert_one_line(done.stderr, "WXASSET_BASE_URL")


async def test_live_touches_only_its_own(service: Hooked) -> None:
    """What was in the library stays, what was uploaded goes, and a video is accepted, not called identical."""
    async with WxSession(service.appid, service.secret, base_url=service.url) as wx:
        kept = (await wx.add_material("image", SAMPLE["photo.jpg"])).media_id
    fileid = service.add_cloud_file("e", "kept.txt", b"kept")
    done = await run_live(service, "--yes", "--env", "e")
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(done.stdout, "clip.mp4")[0].split()[-1] == "accepted"
    assert [rows(done.stdout, piece.name)[0].split()[-1] for piece in SAMPLES].count("identical") == 5
    assert "skipped: --env and --fileid were not given" in done.stdout
    assert list(service.materials) == [kept]
    assert list(service.cloud_files) == [fileid]
    assert service.secret not in done.stdout


async def test_live_deletes_the_cloud_files_it_is_told(service: Hooked) -> None:
    """Of the cloud files only those given by --fileid are deleted."""
    first, second, third = (service.add_cloud_file("e", f"{name}.txt", b"x") for name in "abc")
    done = await run_live(service, "--yes", "--env", "e", "--fileid", first, "--fileid", third, SAMPLE["voice.amr"])
    assert done.returncode == 0, done.stderr
    assert "2 deleted" in check_line(done.stdout, "cloud files")
    assert list(service.cloud_files) == [second]


async def test_live_fails_if_a_cloud_file_stays(service: Hooked) -> None:
    """A cloud file that could not be deleted is named, and the status is 1."""
    done = await run_live(service, "--yes", "--env", "e", "--fileid", "cloud://e.b/none", SAMPLE["voice.amr"])
    assert done.returncode == 1
    assert "FAILED" in check_line(done.stdout, "cloud files")
    assert "cloud://e.b/none" in check_line(done.stdout, "cloud files")
    assert done.stdout.splitlines()[-1].startswith("FAILED at 127.0.0.1:")


async def test_nothing_is_left_after_a_failure(service: Hooked, tmp_path: Path) -> None:
    """If one file is over its limit, those uploaded before it are deleted; one line on stderr, status 1."""
    large = tmp_path / "large.mp3"
    large.write_bytes(SAMPLE["voice.mp3"].read_bytes() + bytes(2 * 1024 * 1024))
    done = await run_live(service, "--yes", SAMPLE["photo.jpg"], large)
    assert done.returncode == 1
    assert done.stdout == ""
    assert_one_line(done.stderr, "large.mp3", "2097152")
    assert [entry.path.rsplit("/", 1)[-1] for entry in service.journal].count("add_material") == 1
    assert service.materials == {}


@needs_signals
@pytest.mark.parametrize("action", ["add_material", "get_material", "del_material"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_leaves_nothing_behind(service: Hooked, action: str, number: signal.Signals) -> None:
    """Stopped in the middle of any step, the demonstration deletes what it uploaded and exits with 128 + the signal."""
    process = await anyio.open_process(command("demo", "--live", "--yes"), env=environment(variables(service)))
    service.delay[action] = 0.2
    service.hooks[action] = lambda: (service.hooks.pop(action), process.send_signal(number))
    with anyio.fail_after(HELD_UP):
        async with process:
            assert process.stdout is not None
            assert process.stderr is not None
            output = b"".join([chunk async for chunk in process.stdout])
            errors = b"".join([chunk async for chunk in process.stderr])
            await process.wait()
    assert process.returncode == 128 + number
    first, last = errors.decode().splitlines()
    assert first == f"{number.name}: deleting the uploads. A second signal stops at once."
    assert last == f"Stopped by {number.name}."
    assert output == b""
    assert service.materials == {}


@needs_signals
@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_a_clean_up_that_hangs(
    service: Hooked, number: signal.Signals, ignored: bool
) -> None:
    """If the clean-up gets no answer, a second signal ends the process at once, also if the parent ignores it.

    What may be left in the library is named, and has a status of its own.
    """
    before = signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:  # a child inherits what is ignored
        process = await anyio.open_process(command("demo", "--live", "--yes"), env=environment(variables(service)))
    finally:
        signal.signal(number, before)
    service.delay["del_material"] = HELD_UP

    def interrupt() -> None:
        process.send_signal(number)

    service.hooks = {"get_material": interrupt, "del_material": interrupt}
    with anyio.fail_after(HELD_UP / 2):
        assert process.stderr is not None
        errors = b"".join([chunk async for chunk in process.stderr]).decode()
        await process.wait()
    await process.aclose()
    assert process.returncode == Exit.UNKNOWN
    assert errors.count("May be left in the library: ") == 6
    assert errors.endswith(f"Stopped by {number.name}.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
async def test_live_asks_on_a_terminal(service: Hooked, answer: str, status: int) -> None:
    """On a terminal the question names host, appid and what will happen, and anything but a yes sends nothing."""
    run = partial(on_terminal, "demo", "--live", env=variables(service), answer=answer)
    screen = await to_thread.run_sync(run)
    host = service.url.removeprefix("http://")
    assert f"uploads 6 permanent materials to {host} as {service.appid} and deletes them again" in screen.text
    assert screen.status == status
    assert bool(service.journal) is (status == 0)
    assert ("Nothing was sent." in screen.text) is (status == 1)
    assert service.secret not in screen.text


# simulate


@contextmanager
def simulating(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run `wxasset simulate` and give the process and the variables that it printed."""
    with subprocess.Popen(
        command("simulate", *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(4)]
            yield process, dict(line[7:].split("=", 1) for line in lines if line.startswith("export "))
        finally:
            process.terminate()


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_simulate_serves_until_a_signal(number: signal.Signals) -> None:
    """The exported variables lead a client to the simulator, and a signal ends it with status 0 and silence."""
    with simulating() as (process, told):
        assert set(told) == {"WXASSET_BASE_URL", "WXASSET_APPID", "WXASSET_SECRET"}
        async with WxSession(told["WXASSET_APPID"], told["WXASSET_SECRET"], base_url=told["WXASSET_BASE_URL"]) as wx:
            assert (await wx.count_materials()).image == 0
        process.send_signal(number)
        _, errors = process.communicate(timeout=HELD_UP)
    assert (process.returncode, errors) == (0, "")


async def test_simulate_takes_an_appid_and_a_secret(tmp_path: Path) -> None:
    """A secret from a file is the one that works, and it is not printed."""
    file = tmp_path / "a secret"
    file.write_text("s3cr3t\n")
    with simulating("--appid", "wx-mine", "--secret-file", file) as (_, told):
        assert told["WXASSET_APPID"] == "wx-mine"
        assert told["WXASSET_SECRET"] == f"\"$(cat '{file}')\""
        async with WxSession("wx-mine", "s3cr3t", base_url=told["WXASSET_BASE_URL"]) as wx:
            assert (await wx.count_materials()).image == 0


@pytest.mark.parametrize(("arguments", "same"), [((), False), (("--seed", "7"), True)])
def test_simulate_draws_other_credentials_each_time(arguments: tuple[str, ...], *, same: bool) -> None:
    """Nobody can guess appid and secret of a simulator whose seed was not given."""
    told = []
    for _ in range(2):
        with simulating(*arguments) as (_, variables):
            told.append((variables["WXASSET_APPID"], variables["WXASSET_SECRET"]))
    assert (told[0] == told[1]) is same
    assert (told[0] == (Simulator().appid, Simulator().secret)) is False


@pytest.mark.parametrize(("arguments", "errcode"), [((), 41005), (("--description-in-query",), None)])
async def test_simulate_takes_a_description_from_the_query(arguments: tuple[str, ...], errcode: int | None) -> None:
    """The description of a video counts where wechatpy puts it, in the query, only with the option for it."""
    video = {"media": ("v.mp4", b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00")}
    described = {"type": "video", "description": '{"title":"t","introduction":"i"}'}
    with simulating(*arguments) as (_, told):
        async with httpx.AsyncClient(base_url=told["WXASSET_BASE_URL"] + "/cgi-bin") as client:
            who = {"appid": told["WXASSET_APPID"], "secret": told["WXASSET_SECRET"]}
            token = (await client.get("/token", params={"grant_type": "client_credential", **who})).json()
            described["access_token"] = token["access_token"]
            added = (await client.post("/material/add_material", params=described, files=video)).json()
    assert added.get("errcode") == errcode


@pytest.mark.parametrize(("code", "status"), [("wx.count_materials()", 0), ("wx.del_material('x')", 7)])
def test_simulate_runs_a_command_against_itself(code: str, status: int) -> None:
    """The command has the simulator in its environment, and its status is that of `wxasset simulate`."""
    program = (
        "import asyncio, sys, wxasset\n"
        "async def main():\n"
        "    async with wxasset.WxSession.from_env() as wx:\n"
        f"        print(await {code})\n"
        "try: asyncio.run(main())\n"
        "except wxasset.WxAssetError: sys.exit(7)"
    )
    done = wxasset_run("simulate", "--", sys.executable, "-c", program)
    assert (done.returncode, done.stderr) == (status, "")
    assert ("MaterialCount(" in done.stdout) is (status == 0)


def test_simulate_says_that_a_port_is_taken() -> None:
    """A port that is in use is told in one line, with status 1."""
    with simulating() as (_, told):
        port = told["WXASSET_BASE_URL"].rpartition(":")[2]
        done = wxasset_run("simulate", "--port", port)
    assert done.returncode == 1
    assert done.stdout == ""
    assert_one_line(done.stderr, f"127.0.0.1:{port} is already in use", "--port")
    assert "disk" not in done.stderr


def test_simulate_says_that_it_cannot_listen() -> None:
    """An address that is not this machine's is told in one line, with status 1."""
    done = wxasset_run("simulate", "--host", "192.0.2.1")
    assert done.returncode == 1
    assert_one_line(done.stderr, "Cannot listen on 192.0.2.1:0", "--host")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "one line"), (b"two\nlines", "one line"), (b"\xff\xfe", "not UTF-8 text")],
)
def test_simulate_refuses_a_secret_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file without a secret on its one line is told in one line, with status 2."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    done = wxasset_run("simulate", "--secret-file", file)
    assert done.returncode == 2
    assert_one_line(done.stderr, words)


# the command itself


def test_version_and_help_are_on_stdout() -> None:
    """--version prints the version, --help and no command at all print the help; all with status 0."""
    shown = wxasset_run("--version")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"{wxasset.__version__}\n", "")
    for arguments in (["--help"], []):
        done = wxasset_run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "demo" in done.stdout
        assert "simulate" in done.stdout


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_a_missing_extra_is_one_kind_sentence(missing: str) -> None:
    """Without the extra the command says how to install it, with status 2 and no traceback."""
    done = python_run(
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['wxasset', 'demo']\n"
        "from wxasset.__main__ import main; main()"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert missing in done.stderr
    assert "pip install 'wxasset[cli]'" in done.stderr


def test_another_missing_module_is_not_taken_for_the_extra() -> None:
    """A broken installation shows itself as what it is."""
    done = python_run(
        "import sys; sys.modules['wxasset.cli.commands.add'] = None; sys.argv = ['wxasset', 'add', 'a.jpg']\n"
        "from wxasset.__main__ import main; main()"
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
    assert "pip install" not in done.stderr


def test_the_overview_is_that_of_the_commands() -> None:
    """The sentences of the overview, which imports no command, are the first ones of the commands themselves."""
    app = program()
    for one in COMMANDS:
        assert flowing(app[one.name].help or "").partition("\n\n")[0] == one.summary


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_command(option: str) -> None:
    """Neither needs the network, so that neither waits for the import of aiohttp."""
    done = python_run(
        f"import sys; sys.argv = ['wxasset', {option!r}]\n"
        "from wxasset.__main__ import main\n"
        "try: main()\n"
        "finally: print({'aiohttp', 'cattrs', 'wxasset.simulator', 'wxasset.session'} & set(sys.modules))"
    )
    assert done.stdout.endswith("set()\n")
    assert done.returncode == 0


def test_the_package_does_not_import_its_command_line() -> None:
    """`import wxasset` loads neither the command line nor what it needs."""
    code = (
        "import sys, wxasset; names = {'cyclopts', 'rich', 'wxasset.cli', 'wxasset.simulator'};"
        " print(sorted(names & set(sys.modules)))"
    )
    assert python_run(code).stdout.strip() == "[]"
