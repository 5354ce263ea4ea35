"""What the caller is told of an upload that is not sent again: that it may have happened, and what is known of it."""

import copy
import time
from typing import Any

from attrs import frozen

from wxasset.calls.base import Upload
from wxasset.errors import Hint, SourceError, UploadOutcomeUnknown, WxAssetError
from wxasset.reconcile import Ambiguous, Finding, Missing, Unseen
from wxasset.transfer.source import Source

__all__ = ["Lost", "cannot_resend", "still_unknown"]


@frozen
class Lost:
    """An upload whose reply was lost.

    Attributes:
        call: The upload.
        source: What was uploaded.
        started_at: Unix time in seconds at which it was sent.
        failure: What became of the reply.
    """

    call: Any
    source: Source
    started_at: float
    failure: WxAssetError

    def unknown(self, finding: Finding | None = None, *, unique: bool) -> UploadOutcomeUnknown:
        """Make the error that says so, with all that is needed to find out later."""
        path, name = self.call.route.path, self.source.filename
        return UploadOutcomeUnknown(
            f"The upload of {name} to {path} may or may not have happened; it was not sent again."
            f" ({self.failure.message}){_said(finding)}",
            path,
            filename=name,
            type=getattr(self.call, "media_type", ""),
            size=self.source.size,
            started_at=self.started_at,
            ended_at=time.time(),
            reason=self.failure.message,
            listing=self.call.listing if isinstance(self.call, Upload) else None,
            unique_name=unique,
            candidates=finding.media_ids if isinstance(finding, Ambiguous) else (),
        )


def _said(finding: Finding | None) -> str:
    """Say what a search has shown."""
    match finding:
        case Missing():
            return " The library does not list it, so far."
        case Ambiguous(media_ids):
            return f" In the library it may be {' or '.join(media_ids)}."
        case Unseen(reason):
            return f" It could not be looked up: {reason}."
    return ""


def still_unknown(error: UploadOutcomeUnknown, finding: Finding) -> UploadOutcomeUnknown:
    """Say that a later search has not shown it either."""
    again = copy.copy(error)
    again.message = f"The upload of {error.filename} to {error.path} is still in doubt.{_said(finding)}"
    again.candidates = finding.media_ids if isinstance(finding, Ambiguous) else ()
    return again


def cannot_resend(failure: WxAssetError) -> SourceError:
    """Say that the token was refused after the body had been used up."""
    return SourceError(
        f"WeChat refused the access token after the stream had been read, so it could not be sent again."
        f" ({failure.message})",
        Hint(
            "Call again with a fresh stream: the next call fetches a new token. Without size= a stream is kept and sent"
            " again by itself.",
            "请用新的数据流重新调用，届时会获取新的 token；不传 size= 时数据会先缓存，可自动重发。",
        ),
    )
