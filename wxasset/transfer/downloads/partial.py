"""Downloads over several responses: after an interruption the next response resumes the download."""

import time
from pathlib import Path
from typing import Final

from attrs import define, field

from wxasset.errors import TruncatedDownload
from wxasset.transfer.downloads.download import FileReply, SavedMaterial
from wxasset.transfer.downloads.writer import Writing
from wxasset.transfer.http import Reply
from wxasset.transfer.integrity import Integrity
from wxasset.transfer.progress import Progress, Throttle

__all__ = ["Partial", "Restart"]

_PARTIAL: Final = 206


class Restart(Exception):
    """The remaining bytes do not fit the bytes already written, so the download has to restart."""


@define
class Partial:
    """A file with possibly some of its bytes already written.

    Attributes:
        integrity: Evidence for the completeness of the file; None before it is complete.
    """

    _writing: Writing
    _told: Throttle | None
    _timeout: float
    _min_rate: int
    _begun: float = field(factory=time.monotonic, init=False)
    _seen: int = field(default=0, init=False)
    _etag: str | None = field(default=None, init=False)
    _total: int | None = field(default=None, init=False)
    _filename: str | None = field(default=None, init=False)
    _content_type: str | None = field(default=None, init=False)
    integrity: Integrity | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Go on with what a killed process left."""
        self._etag, self._seen = self._writing.etag, self.done

    @property
    def done(self) -> int:
        """Number of bytes written so far."""
        return self._writing.size

    def moved(self) -> bool:
        """Return whether more bytes have arrived since the last call, and at a sufficient rate."""
        before, self._seen = self._seen, self.done
        in_time = time.monotonic() - self._begun <= self._timeout + self.done / self._min_rate
        return self.done > before and in_time

    def headers(self) -> dict[str, str]:
        """Return the request headers for the rest of the file.

        Raises:
            Restart: There is no ETag to verify that the rest belongs to the same file.
        """
        if not self.done:
            return {}
        if self._etag is None:
            raise Restart
        return {"Range": f"bytes={self.done}-", "If-Range": self._etag}

    async def take(self, reply: Reply, file: FileReply, progress: Progress | None = None) -> None:
        """Write a response.

        Args:
            reply: The response.
            file: The file in the response.
            progress: Additional callback, called at most ten times a second and at the end.

        Raises:
            Restart: The response does not continue the written bytes.
            TruncatedDownload: The response ended early.
            DestinationError: The bytes cannot be written.
        """
        if self.done:
            self._match(reply)
        else:
            self._etag, self._total = reply.etag, reply.length
            if reply.etag is not None and self._writing.named is not None:
                self._writing.named(reply.etag)
        if self._content_type is None:
            self._filename, self._content_type = file.filename, file.content_type
        watched = Throttle(progress) if progress is not None else None
        steps = [one for one in (self._told, watched) if one is not None]
        while chunk := await file.next_chunk():
            await self._writing.write(chunk)
            for step in steps:
                step(self.done, self._total)
        if watched is not None:
            watched.end(self.done, self._total)
        if self._total is not None and self.done != self._total:
            message = f"{reply.path} ended after {self.done} of {self._total} bytes."
            raise TruncatedDownload(message, reply.path, received=self.done, expected=self._total)
        self.integrity = file.integrity

    def _match(self, reply: Reply) -> None:
        """Check that a response is the rest of the same file."""
        begin, total = reply.content_range or (-1, -1)
        same = reply.status == _PARTIAL and reply.etag == self._etag and begin == self.done
        if not same or reply.length is None or total != (self._total or total):
            raise Restart
        self._total = total

    def saved(self, path: Path | None) -> SavedMaterial:
        """Return the saved file; call it only for a complete file."""
        if self._told is not None:
            self._told.end(self.done, self._total)
        return SavedMaterial(
            path=path,
            filename=self._filename,
            content_type=self._content_type,
            size=self.done,
            sha256=self._writing.sha256,
            integrity=self.integrity or Integrity.UNVERIFIED,
        )
