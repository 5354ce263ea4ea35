"""How surely a download is whole."""

import enum

from wxasset.wire.completeness import Completeness, CompletenessChecker
from wxasset.wire.formats import HEAD_SIZE, sniff

__all__ = ["Integrity", "IntegrityChecker"]


class Integrity(enum.Enum):
    """What showed that a downloaded file is whole. Anything that is known to be cut is `TruncatedDownload` instead.

    Attributes:
        LENGTH: It has as many bytes as the server announced.
        FRAMED: The server announced no length of the file, but marked the end of what it sent.
        END_MARK: The server only closed the connection; the file itself ends as its format demands (JPEG, PNG, GIF,
            BMP, MP4, WAV, WebP, AVI).
        UNVERIFIED: The server only closed the connection, and files of this format do not show their end.
    """

    LENGTH = "length"
    FRAMED = "framed"
    END_MARK = "end mark"
    UNVERIFIED = "unverified"


class IntegrityChecker:
    """Looks for the end mark of a file while it comes."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._head = b""
        self._checker: CompletenessChecker | None = None

    def feed(self, data: bytes) -> None:
        """See the next bytes."""
        if self._checker is not None:
            self._checker.feed(data)
            return
        self._head += data
        if len(self._head) >= HEAD_SIZE:
            self._begin()

    def _begin(self) -> CompletenessChecker:
        self._checker = CompletenessChecker(sniff(self._head))
        self._checker.feed(self._head)
        return self._checker

    def judge(self) -> Integrity | None:
        """Say what is known now that no more comes; None where the file is cut."""
        checker = self._checker or self._begin()
        return {Completeness.COMPLETE: Integrity.END_MARK, Completeness.UNKNOWN: Integrity.UNVERIFIED}.get(
            checker.state
        )
