"""Checks that a download is complete."""

import enum
from typing import TYPE_CHECKING

from wxasset.wire.formats import HEAD_SIZE, sniff

if TYPE_CHECKING:
    from wxasset.wire.completeness import CompletenessChecker

__all__ = ["Integrity", "IntegrityChecker"]


class Integrity(enum.Enum):
    """Evidence for the completeness of a downloaded file. A truncated file raises `TruncatedDownload` instead.

    Attributes:
        LENGTH: The file has exactly the announced number of bytes.
        FRAMED: The server announced no length, but marked the end of the response body.
        END_MARK: The server only closed the connection; the file ends as required by its format (JPEG, PNG, GIF, BMP,
            MP4, WAV, WebP, AVI).
        UNVERIFIED: The server only closed the connection, and files of this format have no end mark.
    """

    LENGTH = "length"
    FRAMED = "framed"
    END_MARK = "end mark"
    UNVERIFIED = "unverified"


class IntegrityChecker:
    """Look for the end mark of a file during its download."""

    def __init__(self) -> None:
        """Start before the first byte."""
        self._head = b""
        self._checker: CompletenessChecker | None = None

    def feed(self, data: bytes) -> None:
        """Process the next bytes."""
        if self._checker is not None:
            self._checker.feed(data)
            return
        self._head += data
        if len(self._head) >= HEAD_SIZE:
            self._begin()

    def _begin(self) -> "CompletenessChecker":
        from wxasset.wire.completeness import CompletenessChecker  # noqa: PLC0415 - nearly every server tells a length

        self._checker = CompletenessChecker(sniff(self._head))
        self._checker.feed(self._head)
        return self._checker

    def result(self) -> Integrity | None:
        """Return the result at the end of the file; None if the file is truncated."""
        from wxasset.wire.completeness import Completeness  # noqa: PLC0415 - as above

        checker = self._checker or self._begin()
        return {Completeness.COMPLETE: Integrity.END_MARK, Completeness.UNKNOWN: Integrity.UNVERIFIED}.get(
            checker.state
        )
