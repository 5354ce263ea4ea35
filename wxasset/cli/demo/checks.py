"""Check the results of the demonstration. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Literal

from attrs import frozen

from wxasset import DeleteReport, MaterialCount, Video
from wxasset.cli.demo.plan import SampleFile
from wxasset.cli.runtime.console import short_id
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
    "summary",
]


Listed = Literal["image", "voice", "video"]


@frozen(kw_only=True)
class Upload:
    """An uploaded file."""

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
    """Result of one uploaded and downloaded file."""

    upload: Upload
    milliseconds: float
    verdict: Verdict


@frozen(kw_only=True)
class Check:
    """Check of the whole demonstration; `passed` is None for information only."""

    label: str
    text: str
    passed: bool | None


@frozen(kw_only=True)
class Outcome:
    """Results of the demonstration.

    Attributes:
        rows: Results of the files.
        checks: Checks of the whole demonstration.
        host: The host of the service, or None for the built-in simulator.
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
    """Return whether a video has the uploaded title and introduction."""
    return (video.title, video.description) == (piece.title, piece.introduction)


def listed_types(uploads: Iterable[Upload]) -> list[Listed]:
    """Return the types of the uploads in counts and lists; thumbs are listed as images."""
    return list(dict.fromkeys(_listed_as(upload.piece.type) for upload in uploads))


def _listed_as(kind: Kind) -> Listed:
    return "image" if kind == "thumb" else kind


def expected_count(before: MaterialCount, uploads: Iterable[Upload]) -> MaterialCount:
    """Return the expected count of the library after these uploads."""
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
    """Check a count of the library; without exclusive use (`ours` false) the count is information only."""
    if not ours:
        return Check(label="count", text=f"{_say_count(counted)} (others may use the account)", passed=None)
    right = counted == expected
    text = _say_count(counted) + ("" if right else f"; expected {_say_count(expected)}")
    return Check(label="count", text=text, passed=right)


def list_check(uploads: Sequence[Upload], found: Mapping[str, str]) -> Check:
    """Check for every upload in the list of the library, under its name.

    Args:
        uploads: The uploads.
        found: The listed names of the uploads, by media id.
    """
    missing = [upload.piece.name for upload in uploads if upload.media_id not in found]
    # The extension of a file's own name may be corrected; only a chosen name must be unchanged.
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
    """Check the deletion of every upload.

    Args:
        deleted: The number of confirmed deletions.
        still_listed: Media ids of deleted uploads in the list.
        left: The final count of a library in exclusive use, or None for a shared account.
    """
    listed = ", ".join(short_id(one) for one in still_listed)
    empty = left is None or left == MaterialCount(voice=0, video=0, image=0, news=0)
    text = f"{deleted} deleted"
    if listed:
        text += f"; still listed: {listed}"
    elif left is None:
        text += ", none is listed any more"
    else:
        text += ", the library is empty again" if empty else f"; still there: {_say_count(left)}"
    return Check(label="delete", text=text, passed=empty and not listed)


def cloud_check(report: DeleteReport, expected: Iterable[str], refused: Iterable[str] = ()) -> Check:
    """Check the deletion of cloud files.

    Args:
        report: Outcomes of the ids.
        expected: Ids of existing files, expected to be deleted.
        refused: Ids of missing files, expected to fail.
    """
    text = f"{len(report.deleted)} deleted"
    for one in report.failed:
        status = "" if one.status is None else f"{one.status} "
        text += f"; not deleted: {one.fileid} ({status}{one.errmsg})"
    # Each file has its own status: a failure does not affect the others.
    right = set(report.deleted) == set(expected) and {one.fileid for one in report.failed} == set(refused)
    if right and report.failed:
        text += ", as expected: the file does not exist"
    return Check(label="cloud files", text=text, passed=right)


def summary(outcome: Outcome) -> str:
    """Summarize the demonstration in one line."""
    sizes = sum(row.upload.size for row in outcome.rows)
    counts = Counter(row.verdict for row in outcome.rows)
    verdicts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    where = "in the simulator" if outcome.host is None else f"at {outcome.host}"
    result = "Passed" if outcome.passed else "FAILED"
    return f"{result} {where}: {len(outcome.rows)} files, {sizes:,} bytes, {verdicts}."
