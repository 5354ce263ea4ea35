"""Check the results of the demonstration. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Literal

from attrs import frozen

from wxasset import DeleteReport, MaterialCount, Video
from wxasset.cli.demo.plan import SampleFile
from wxasset.cli.runtime.inputs import Kind

__all__ = [
    "Check",
    "Listed",
    "Outcome",
    "Row",
    "Upload",
    "Verdict",
    "cloud_check",
    "count_check",
    "deleted_check",
    "expected_count",
    "list_check",
    "listed_types",
    "same_words",
    "short_id",
    "summary",
]


Listed = Literal["image", "voice", "video"]


@frozen(kw_only=True)
class Upload:
    """A file that is in the library."""

    piece: SampleFile
    size: int
    media_id: str
    milliseconds: float


class Verdict(Enum):
    """Result of comparing a file with its download."""

    IDENTICAL = "identical"
    ACCEPTED = "accepted"
    DIFFERENT = "DIFFERENT"


@frozen(kw_only=True)
class Row:
    """A file that has been up and down."""

    upload: Upload
    milliseconds: float
    verdict: Verdict


@frozen(kw_only=True)
class Check:
    """A statement about the whole round; `passed` is None where there was nothing to judge."""

    label: str
    text: str
    passed: bool | None


@frozen(kw_only=True)
class Outcome:
    """Everything that the demonstration has found out.

    Attributes:
        rows: The files.
        checks: What was judged besides.
        host: The service that was called, or None for a simulator of the demonstration's own.
    """

    rows: tuple[Row, ...]
    checks: tuple[Check, ...]
    host: str | None = None

    @property
    def passed(self) -> bool:
        """Return True if no file differed and no check failed."""
        return all(row.verdict is not Verdict.DIFFERENT for row in self.rows) and all(
            check.passed is not False for check in self.checks
        )


def same_words(piece: SampleFile, video: Video) -> bool:
    """Tell whether a video's title and introduction are those that were sent."""
    return (video.title, video.description) == (piece.title, piece.introduction)


def short_id(media_id: str) -> str:
    """Shorten a media id for a table; ids of one account differ at their end as well as at their start."""
    short = f"{media_id[:5]}…{media_id[-6:]}"
    return short if len(short) < len(media_id) else media_id


def listed_types(uploads: Iterable[Upload]) -> list[Listed]:
    """The types under which the uploads are counted and listed: a thumb is an image there."""
    return list(dict.fromkeys(_listed_as(upload.piece.type) for upload in uploads))


def _listed_as(kind: Kind) -> Listed:
    return "image" if kind == "thumb" else kind


def expected_count(before: MaterialCount, uploads: Iterable[Upload]) -> MaterialCount:
    """The count that the library has after these uploads."""
    more = Counter[str](_listed_as(upload.piece.type) for upload in uploads)
    return MaterialCount(
        voice=before.voice + more["voice"],
        video=before.video + more["video"],
        image=before.image + more["image"],
        news=before.news,
    )


def _say_count(count: MaterialCount) -> str:
    return f"{count.image} image, {count.voice} voice, {count.video} video, {count.news} news"


def count_check(counted: MaterialCount, expected: MaterialCount, *, ours: bool) -> Check:
    """Judge a count of the library; one that others use as well (`ours` false) is only told."""
    if not ours:
        return Check(label="count", text=f"{_say_count(counted)} (others may use the account)", passed=None)
    right = counted == expected
    text = _say_count(counted) + ("" if right else f"; expected {_say_count(expected)}")
    return Check(label="count", text=text, passed=right)


def list_check(uploads: Sequence[Upload], found: Mapping[str, str]) -> Check:
    """Judge what the library lists: every upload, under the name that it was given.

    Args:
        uploads: What was uploaded.
        found: The listed names of the uploads, by media id.
    """
    missing = [upload.piece.name for upload in uploads if upload.media_id not in found]
    # A file's own name may get the extension that its bytes call for; only a name that was chosen has to stay.
    renamed = [
        f"{upload.piece.filename} as {found[upload.media_id]}"
        for upload in uploads
        if upload.piece.filename and found.get(upload.media_id, upload.piece.filename) != upload.piece.filename
    ]
    text = f"{len(uploads) - len(missing)} of {len(uploads)} found by media_id"
    text += f"; missing: {', '.join(missing)}" if missing else ""
    text += f"; renamed: {', '.join(renamed)}" if renamed else ""
    return Check(label="list", text=text, passed=not missing and not renamed)


def deleted_check(deleted: int, still_listed: Iterable[str], left: MaterialCount | None) -> Check:
    """Judge the deletion of every upload.

    Args:
        deleted: How many deletions were confirmed.
        still_listed: Media ids of uploads that are listed nevertheless.
        left: The count of a library that must be empty now, or None for one that others use as well.
    """
    listed = ", ".join(short_id(one) for one in still_listed)
    empty = left is None or left == MaterialCount(voice=0, video=0, image=0, news=0)
    text = f"{deleted} deleted"
    if listed:
        text += f"; still listed: {listed}"
    elif left is None:
        text += ", none of them is listed any more"
    else:
        text += ", the library is empty again" if empty else f"; still there: {_say_count(left)}"
    return Check(label="delete", text=text, passed=empty and not listed)


def cloud_check(report: DeleteReport, expected: Iterable[str], refused: Iterable[str] = ()) -> Check:
    """Judge the deletion of cloud files.

    Args:
        report: What became of each id.
        expected: The ids that must be deleted now.
        refused: The ids that must be reported as failed, because no such file exists.
    """
    text = f"{len(report.deleted)} deleted"
    for one in report.failed:
        status = "" if one.status is None else f"{one.status} "
        text += f"; not deleted: {one.fileid} ({status}{one.errmsg})"
    # In an answer for each file, one that fails leaves the others done.
    right = set(report.deleted) == set(expected) and {one.fileid for one in report.failed} == set(refused)
    if right and report.failed:
        text += ", as it should be: there is no such file"
    return Check(label="cloud files", text=text, passed=right)


def summary(outcome: Outcome) -> str:
    """Say in one line what the round has shown."""
    sizes = sum(row.upload.size for row in outcome.rows)
    counts = Counter(row.verdict for row in outcome.rows)
    verdicts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    where = "in the simulator" if outcome.host is None else f"at {outcome.host}"
    result = "Passed" if outcome.passed else "FAILED"
    return f"{result} {where}: {len(outcome.rows)} files, {sizes:,} bytes, {verdicts}."
