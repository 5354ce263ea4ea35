"""The parts of the command line that a process cannot be brought to show: judgements, clean-up, narrow terminals."""

import io
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from aiohttp import web
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from wxasset import DeleteReport, FailedDelete, MaterialCount, News, Video, WxSession, cli
from wxasset.cli.demo import cleanup, run, table
from wxasset.cli.demo.checks import (
    Check,
    Outcome,
    Row,
    Upload,
    Verdict,
    cloud_check,
    count_check,
    deleted_check,
    expected_count,
    list_check,
    listed_types,
    same_words,
    summary,
)
from wxasset.cli.demo.cleanup import Cleanup
from wxasset.cli.demo.plan import SAMPLES, SampleFile, piece_of
from wxasset.cli.runtime import console, inputs, prompts
from wxasset.cli.runtime.console import short_id
from wxasset.cli.runtime.inputs import material_type
from wxasset.cli.runtime.signals import run_until_signal
from wxasset.errors import BusyError, MediaNotFoundError, PermissionDeniedError, SourceError, UsageError
from wxasset.simulator import Simulator
from wxasset.wire.formats import FORMATS, Format, sniff
from wxasset.wire.limits import ADD_MATERIAL

MEDIA_ID = "p1n2DPwvWu2PkEc4jEmaeOyQN4nIWc0HV7mJcCnhUOyBlaypM3VjXa8tXsfzFk-P"
UPLOADS = tuple(
    Upload(piece=piece, size=1000 * number, media_id=f"{MEDIA_ID}{number}", milliseconds=1.0)
    for number, piece in enumerate(SAMPLES)
)
NAMES = {upload.media_id: upload.piece.name for upload in UPLOADS}
EMPTY = MaterialCount(voice=0, video=0, image=0, news=0)


def outcome(*verdicts: Verdict, checks: tuple[Check, ...] = (), host: str | None = None) -> Outcome:
    """The outcome of a round with these verdicts."""
    rows = (Row(upload=one, milliseconds=2.0, verdict=two) for one, two in zip(UPLOADS, verdicts, strict=False))
    return Outcome(rows=tuple(rows), checks=checks, host=host)


# the samples


def test_samples_are_what_they_are_called() -> None:
    """Each sample has the format of its extension and fits its type; together they are small."""
    for piece in SAMPLES:
        content = piece.path.read_bytes()
        form = sniff(content[:64])
        assert form is not None
        assert piece.path.suffix in form.extensions
        assert form.name in ADD_MATERIAL[piece.type].formats
        assert len(content) <= ADD_MATERIAL[piece.type].max_bytes
    assert sum(piece.path.stat().st_size for piece in SAMPLES) < 250_000
    assert {piece.type for piece in SAMPLES} == set(ADD_MATERIAL)


def test_samples_are_media_that_others_read() -> None:
    """The AMR has whole frames, and the film's index comes before its data."""
    amr = next(piece.path for piece in SAMPLES if piece.path.suffix == ".amr").read_bytes()
    assert amr.startswith(b"#!AMR\n")
    assert (len(amr) - 6) % 32 == 0  # 12.2 kbit/s: 32 bytes for 20 ms
    assert {amr[position] for position in range(6, len(amr), 32)} == {0x3C}
    film = next(piece.path for piece in SAMPLES if piece.path.suffix == ".mp4").read_bytes()
    assert film[4:12] == b"ftypisom"
    assert 0 < film.index(b"moov") < film.index(b"mdat")


# choosing the type


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("jpeg", "png", "gif", "bmp"), "image"),
        (("mp3", "wma", "wav", "amr"), "voice"),
        (("mp4",), "video"),
    ],
)
def test_the_format_decides_the_type(names: tuple[str, ...], kind: str) -> None:
    """Every format that WeChat takes has one type, and a JPEG is an image."""
    assert {material_type("file", FORMATS[name]) for name in names} == {kind}


@given(st.sampled_from([None, *FORMATS.values()]))
def test_every_format_is_taken_or_named(form: Format | None) -> None:
    """A format has a type if and only if WeChat documents one; otherwise the error names the file."""
    if form is not None and any(form.name in limit.formats for limit in ADD_MATERIAL.values()):
        assert form.name in ADD_MATERIAL[material_type("some file", form)].formats
        return
    with pytest.raises(SourceError) as refused:
        material_type("some file", form)
    assert refused.value.message.startswith("some file is ")


def test_only_a_video_gets_words() -> None:
    """A video is planned with a title made of its name; everything else without one."""
    video = piece_of(Path("我的 film.mp4"), FORMATS["mp4"])
    assert (video.type, video.title, video.name) == ("video", "我的 film", "我的 film.mp4")
    assert video.introduction
    image = piece_of(Path("a.png"), FORMATS["png"])
    assert (image.title, image.introduction, image.filename) == (None, None, None)


# judging


def test_words_are_compared_exactly() -> None:
    """A video whose title or introduction differs is not the same."""
    piece = SampleFile(path=Path("a.mp4"), type="video", title="题", introduction="介绍")
    assert same_words(piece, Video(down_url="", title="题", description="介绍"))
    assert not same_words(piece, Video(down_url="", title=r"\u9898", description="介绍"))
    assert not same_words(piece, Video(down_url="", title="题", description=""))


@given(st.text(alphabet="abcXYZ019_-", max_size=80))
def test_short_ids_are_short(media_id: str) -> None:
    """A shortened id has at most 12 characters, begins and ends like the id, and is the id if that is as short."""
    short = short_id(media_id)
    assert len(short) <= 12
    start, _, end = short.partition("…")
    assert media_id.startswith(start)
    assert media_id.endswith(end)
    assert "…" in short or short == media_id


def test_thumbs_count_as_images() -> None:
    """The expected count adds each upload to its type, a thumb to the images."""
    before = MaterialCount(voice=10, video=20, image=30, news=40)
    assert expected_count(before, UPLOADS) == MaterialCount(voice=12, video=21, image=33, news=40)
    assert listed_types(UPLOADS) == ["image", "voice", "video"]
    assert listed_types(UPLOADS[-1:]) == ["image"]


def test_a_count_is_judged_only_in_a_library_of_ones_own() -> None:
    """A wrong count fails in the simulated library; in one that others use it is only told."""
    other = evolve(EMPTY, image=1)
    assert count_check(EMPTY, EMPTY, ours=True).passed is True
    wrong = count_check(other, EMPTY, ours=True)
    assert wrong.passed is False
    assert "expected 0 image" in wrong.text
    assert count_check(other, EMPTY, ours=False).passed is None


def test_a_list_has_to_hold_every_upload_under_its_name() -> None:
    """A missing upload and a changed name each fail the check and are named."""
    assert list_check(UPLOADS, NAMES).passed is True
    missing = list_check(UPLOADS, {UPLOADS[0].media_id: "海报 photo.jpg"})
    assert missing.passed is False
    assert "1 of 6 found" in missing.text
    assert "missing: drawing.png, voice.mp3" in missing.text
    renamed = list_check(UPLOADS, NAMES | {UPLOADS[0].media_id: "%E6%B5%B7%E6%8A%A5%20photo.jpg"})
    assert renamed.passed is False
    assert "renamed: 海报 photo.jpg as %E6" in renamed.text


def test_a_deletion_has_to_leave_nothing() -> None:
    """What is still listed or counted after the deletion fails the check and is told."""
    assert deleted_check(6, [], EMPTY).passed is True
    assert deleted_check(6, [], None).passed is True
    listed = deleted_check(6, [MEDIA_ID], None)
    assert (listed.passed, listed.text) == (False, "6 deleted; still listed: p1n2D…fzFk-P")
    counted = deleted_check(6, [], evolve(EMPTY, video=1))
    assert (counted.passed, counted.text) == (False, "6 deleted; still there: 0 image, 0 voice, 1 video, 0 news")


def test_cloud_files_have_to_be_deleted_or_refused_as_expected() -> None:
    """The report of a deletion passes only if every id is where it is expected."""
    lost = FailedDelete(fileid="c", status=None, errmsg="no answer")
    report = DeleteReport(deleted=("a", "b"), failed=(lost,))
    assert cloud_check(DeleteReport(deleted=("a",)), ["a"]).passed is True
    assert cloud_check(report, ["a", "b"], refused=["c"]).passed is True
    unexpected = cloud_check(report, ["a", "b", "c"])
    assert (unexpected.passed, unexpected.text) == (False, "2 deleted; not deleted: c (no answer)")
    assert cloud_check(report, ["a"], refused=["c"]).passed is False


def test_an_outcome_passes_if_nothing_is_wrong() -> None:
    """One different file or one failed check fails the whole; what was not judged does not."""
    skipped, failed = (Check(label="l", text="t", passed=passed) for passed in (None, False))
    assert outcome(Verdict.IDENTICAL, Verdict.ACCEPTED, checks=(skipped,)).passed
    assert not outcome(Verdict.IDENTICAL, checks=(failed,)).passed
    bad = outcome(Verdict.IDENTICAL, Verdict.DIFFERENT, host="api.example")
    assert summary(bad) == "FAILED at api.example: 2 files, 1,000 bytes, 1 identical, 1 DIFFERENT."


# showing


def test_a_terminal_of_80_columns_shows_the_whole_table() -> None:
    """At 80 columns no media id, number or verdict is cut off."""
    console = Console(file=io.StringIO(), width=80)
    table.show(outcome(*[Verdict.DIFFERENT] * 6, checks=(Check(label="count", text="x", passed=False),)), console)
    output = cast("io.StringIO", console.file).getvalue()
    for upload in UPLOADS:
        line = next(line for line in output.splitlines() if upload.piece.name in line)
        assert short_id(upload.media_id) in line
        assert line.split()[-1] == "DIFFERENT"
    assert "count  FAILED  x" in output


def test_a_round_without_videos_has_no_note() -> None:
    """How videos were compared is told only where there is one."""
    console = Console(file=io.StringIO(), width=100)
    table.show(outcome(Verdict.IDENTICAL), console)
    assert "video" not in cast("io.StringIO", console.file).getvalue()


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    """Whatever is in an error or a file name, it is shown on one line and without control characters."""
    shown = console.one_line(text)
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()
    assert console.one_line(shown) == shown


def test_output_that_is_no_file_is_left_alone() -> None:
    """Where stdout is replaced by something without an encoding, commands work all the same."""
    with redirect_stdout(io.StringIO()) as output:
        assert cli.run(["--version"]) == 0
        console.prepare_output()
    assert output.getvalue()


# asking


def test_a_question_names_what_will_be_deleted() -> None:
    """Cloud files that are going to be deleted are in the question."""
    assert "permanently deletes 2 cloud files" in prompts.question("host as wx1", 6, 2).english
    assert "cloud" not in prompts.question("host as wx1", 6, 0).english


def test_the_host_is_told_without_credentials() -> None:
    """A user name and password in a base URL are not shown; without one it is WeChat's own host."""
    assert prompts.host({"WXASSET_BASE_URL": "https://user:pass@proxy.example:8443/x"}) == "proxy.example:8443"
    assert prompts.host({}) == "api.weixin.qq.com"


@pytest.mark.parametrize(("line", "answer"), [("y\n", True), ("YES \n", True), ("\n", False), ("", False)])
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, line: str, answer: bool) -> None:
    """Anything but y or yes, the end of the input included, is a no."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(line))
    monkeypatch.setattr(sys, "stderr", asked)
    assert prompts.agreed("Go on?") is answer
    assert asked.getvalue() == "Go on? "


def test_asking_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that nobody can see is not asked."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError):
        prompts.agreed("Go on?")


# comparing


class Forger(Simulator):
    """A simulator that changes what it was given."""

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        reply = await super()._serve(http)
        if http.path.endswith("/add_material"):
            media_id, material = next(reversed(list(self.materials.items())))
            self.materials[media_id] = evolve(material, content=material.content[:-1] + b"?")
        if http.path.endswith("/batchdeletefile"):
            self.cloud_files["cloud://demo-env.x/undead.txt"] = b"back again"
        return reply


def test_a_changed_byte_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """If one byte of each file comes back changed, every row says DIFFERENT, a video's too, and the status is 1."""
    monkeypatch.setattr(run, "Simulator", Forger)
    assert cli.run(["demo"]) == 1
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if "…" in line]
    assert [line.split()[-1] for line in lines] == ["DIFFERENT"] * len(SAMPLES)
    assert next(line for line in shown.splitlines() if line.startswith("cloud files")).split()[2] == "FAILED"
    total = sum(piece.path.stat().st_size for piece in SAMPLES)
    assert shown.splitlines()[-1] == f"FAILED in the simulator: 6 files, {total:,} bytes, 6 DIFFERENT."


async def test_articles_are_no_file(tmp_path: Path) -> None:
    """If a file comes back as articles, it is different."""

    class Session:
        async def get_material(self, media_id: str, to: Path) -> News:
            del media_id, to
            return News(articles=())

    row = await run._fetch(cast("WxSession", Session()), UPLOADS[0], tmp_path / "x", None)
    assert row.verdict is Verdict.DIFFERENT


async def test_the_search_for_uploads_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a large library an upload that is not among the newest is given up, and the list is closed."""
    monkeypatch.setattr(run, "_LOOK", 10)
    given_out: list[int] = []

    class Session:
        async def iter_materials(self, kind: str) -> AsyncIterator[Any]:
            del kind
            for number in range(1000):
                given_out.append(number)
                yield evolve(UPLOADS[0], media_id=str(number))

    assert await run._find(cast("WxSession", Session()), UPLOADS[:1]) == {}
    assert len(given_out) == 11


def test_a_file_that_cannot_be_opened_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that may not be read ends with the system's reason, in a typed error."""
    file = tmp_path / "a.jpg"
    file.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"a\.jpg cannot be read: Permission denied\."):
        inputs._head(file)


async def test_a_cloud_that_refuses_is_one_failed_check() -> None:
    """If the cloud files cannot be deleted at all, that is a failed check, and the rest is shown."""

    class Session:
        async def batch_delete_file(self, env: str, fileids: list[str]) -> DeleteReport:
            del env, fileids
            raise PermissionDeniedError(errcode=85088, errmsg="no qbase privilege")

    check = await run._live_cloud(cast("WxSession", Session()), "e", ["cloud://e.b/f"])
    assert check.passed is False
    assert "85088" in check.text


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system ends the demonstration with one line and status 1."""

    async def fail(*_: object) -> Outcome:
        raise OSError(28, "No space left on device", "/tmp/x")  # noqa: S108 - never opened

    monkeypatch.setattr(run, "simulated", fail)
    assert cli.run(["demo"]) == 1
    assert capsys.readouterr().err == (
        "wxasset: No space left on device: /tmp/x. Check the file, the disk and their permissions.\n"
    )


# cleaning up


class Deleter:
    """A session whose deletions end as they are told to."""

    def __init__(self, outcome: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.outcome = outcome
        self.asked: list[str] = []

    async def del_material(self, media_id: str) -> None:
        """Do as told."""
        self.asked.append(media_id)
        await self.outcome()


async def left_behind(outcome: Callable[[], Coroutine[Any, Any, None]]) -> tuple[list[str], list[str]]:
    """Fail with two materials on the shelf; return the ids that were asked to be deleted, and the warnings."""
    session, warnings = Deleter(outcome), list[str]()

    async def fail() -> None:
        async with Cleanup(cast("WxSession", session), warnings.append) as held:
            held._held.extend(evolve(UPLOADS[0], media_id=name) for name in ("first", "second"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    return session.asked, warnings


async def test_an_error_empties_the_shelf() -> None:
    """Everything is deleted, the newest first; what is gone already is no reason for a warning."""

    async def gone() -> None:
        raise MediaNotFoundError(errcode=40007, errmsg="invalid media_id")

    assert await left_behind(gone) == (["second", "first"], [])


async def test_what_cannot_be_deleted_is_named() -> None:
    """A deletion that fails does not stop the others, and the id is told so that one can delete it by hand."""

    async def busy() -> None:
        raise BusyError(errcode=-1, errmsg="system error")

    asked, warnings = await left_behind(busy)
    assert asked == ["second", "first"]
    assert [warning.split(";")[0] for warning in warnings] == [
        "Left in the library: second",
        "Left in the library: first",
    ]


async def test_a_deletion_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion without an answer ends after a while, and the id is told."""
    monkeypatch.setattr(cleanup, "_RESCUE_SECONDS", 0.01)
    asked, warnings = await left_behind(anyio.sleep_forever)
    assert asked == ["second", "first"]
    assert len(warnings) == 2
    assert "first; the deletion timed out" in warnings[1]


# signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_and_is_given_back(number: signal.Signals) -> None:
    """The first signal cancels the work; afterwards the handlers are those of before."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]

    async def work() -> int:
        signal.raise_signal(number)
        await anyio.sleep_forever()
        return 0

    assert await run_until_signal(work) is number
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


async def test_without_a_signal_the_result_comes_back() -> None:
    """Work that ends by itself gives its result, and the handlers are those of before."""
    before = signal.getsignal(signal.SIGTERM)

    async def work() -> str:
        assert signal.getsignal(signal.SIGTERM) is not before
        return "done"

    assert await run_until_signal(work) == "done"
    assert signal.getsignal(signal.SIGTERM) is before
