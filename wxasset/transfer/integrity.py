"""How surely a download is whole."""

import enum

from wxasset.wire.completeness import End, Ending
from wxasset.wire.formats import HEAD_SIZE, sniff

__all__ = ["EndWatch", "Integrity"]


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


class EndWatch:
    """Looks for the end mark of a file while it comes."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._head = b""
        self._ending: Ending | None = None

    def feed(self, data: bytes) -> None:
        """See the next bytes."""
        if self._ending is not None:
            self._ending.feed(data)
            return
        self._head += data
        if len(self._head) >= HEAD_SIZE:
            self._begin()

    def _begin(self) -> Ending:
        self._ending = Ending(sniff(self._head))
        self._ending.feed(self._head)
        return self._ending

    def judge(self) -> Integrity | None:
        """Say what is known now that no more comes; None where the file is cut."""
        ending = self._ending or self._begin()
        return {End.REACHED: Integrity.END_MARK, End.UNKNOWN: Integrity.UNVERIFIED}.get(ending.state)
