"""Emit the events of one operation."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from wxasset.calls.base import Call
from wxasset.calls.object_storage import FetchFile, FetchLink, PutFile
from wxasset.engine import reconcile
from wxasset.engine.recorder import OperationRecorder
from wxasset.engine.redaction import without_secrets
from wxasset.engine.retry import Resend
from wxasset.errors import (
    BusyError,
    HTTPStatusError,
    UploadOutcomeUnknown,
    WxAssetError,
)
from wxasset.errors.classify import is_turned_away, never_reached_server
from wxasset.instrumentation.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Finding,
    Operation,
    OperationEnded,
    OperationStarted,
    Outcome,
    Progressed,
    Reason,
    ReplyLost,
    Retrying,
    Searched,
    TokenRefused,
)
from wxasset.instrumentation.logging import tell
from wxasset.transfer.http import Request
from wxasset.transfer.progress import Progress
from wxasset.transfer.uploads.source import Source

__all__ = ["OperationEvents"]

T = TypeVar("T")

_NO_SCOPE: Final = nullcontext()


class OperationEvents:
    """The scope of one operation and those of its attempts, and the events in them."""

    def __init__(self, recorder: OperationRecorder) -> None:
        """Emit the events of the operation that is recorded here."""
        self._recorder = recorder
        self._hooks = recorder.hooks
        self._scope: AbstractContextManager[object] = _NO_SCOPE
        self._began = 0.0

    @property
    def operation(self) -> Operation:
        """Description of the operation, built at first use."""
        recorder = self._recorder
        if recorder.operation is None:
            recorder.operation = _describe(recorder.call, recorder.source, recorder.origin)
        return recorder.operation

    def tell(self, event: Event) -> None:
        """Log an event and tell the hooks."""
        tell(event, self._hooks)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        started = OperationStarted(operation=self.operation)
        self._scope = self._hooks.scope(started)
        self._scope.__enter__()
        self.tell(started)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.tell(
            OperationEnded(
                operation=self.operation,
                outcome=_outcome(error),
                error=error,
                duration=time.monotonic() - self._began,
                attempts=self._recorder.attempts,
                media_id=getattr(self._recorder.result, "media_id", None) or self.operation.media_id,
            )
        )
        self._scope.__exit__(kind, error, traceback)

    def around(self, once: Callable[[Request, bool], Awaitable[T]]) -> Callable[[Request, bool], Awaitable[T]]:
        """Return `once` with a scope around each attempt."""

        async def watched(request: Request, repeated: bool) -> T:  # noqa: FBT001 - the engine calls it by position
            with _Attempt(self, self._recorder, request):
                try:
                    return await once(request, repeated)
                except WxAssetError as error:
                    without_secrets(error, self._recorder.call, self._recorder.token)
                    raise

        return watched

    def progress(self, progress: Progress | None) -> Progress | None:
        """Return a progress callback for the hooks and the caller."""
        if self._hooks.on_event is None:
            return progress
        direction: Literal["upload", "download"] = "download" if self._recorder.source is None else "upload"

        def told(done: int, total: int | None) -> None:
            self.tell(Progressed(operation=self.operation, direction=direction, done=done, total=total))
            if progress is not None:
                progress(done, total)

        return told

    def retrying(self, resend: Resend, error: WxAssetError) -> None:
        """Report a further attempt."""
        reason = _reason(resend, error)
        self.tell(
            Retrying(
                operation=self.operation, number=self._recorder.attempts, wait=resend.wait, reason=reason, error=error
            )
        )

    def refused(self, error: WxAssetError) -> None:
        """Report a rejected token."""
        self.tell(TokenRefused(operation=self.operation, error=error))

    def lost(self, error: WxAssetError) -> None:
        """Report the lost response of an upload."""
        self._recorder.lost_at = time.monotonic()
        self.tell(ReplyLost(operation=self.operation, error=error))

    def searched(self, finding: reconcile.Finding) -> None:
        """Report the result of the search for an upload."""
        words: dict[type, Finding] = {
            reconcile.Found: "found",
            reconcile.Missing: "missing",
            reconcile.Ambiguous: "ambiguous",
            reconcile.Unseen: "unseen",
        }
        several = len(finding.media_ids) if isinstance(finding, reconcile.Ambiguous) else 0
        self.tell(
            Searched(
                operation=self.operation,
                finding=words[type(finding)],
                candidates=1 if isinstance(finding, reconcile.Found) else several,
                duration=time.monotonic() - self._recorder.lost_at,
            )
        )


class _Attempt(AbstractContextManager[None]):
    """One attempt, with its scope and events."""

    def __init__(self, events: OperationEvents, recorder: OperationRecorder, request: Request) -> None:
        self._events = events
        self._recorder = recorder
        self._request = request
        self._scope: AbstractContextManager[object] = _NO_SCOPE
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()
        started = AttemptStarted(operation=self._events.operation, number=self._recorder.attempts)
        self._scope = self._recorder.hooks.scope(started)
        self._scope.__enter__()
        self._events.tell(started)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._events.tell(
            AttemptEnded(
                operation=self._events.operation,
                number=self._recorder.attempts,
                outcome=_outcome(error),
                error=error,
                status=self._request.status,
                duration=time.monotonic() - self._began,
                sent=self._request.sent,
                received=self._request.received,
            )
        )
        self._scope.__exit__(kind, error, traceback)


def _describe(call: Call[Any], source: Source | None, origin: str) -> Operation:
    media_id = getattr(call, "media_id", None)
    return Operation(
        name=type(call).__name__,
        path=call.route.path,
        method=call.route.method,
        effect=call.route.effect,
        origin=_origin(call.url) if isinstance(call, FetchLink | FetchFile | PutFile) else origin,
        size=None if source is None else source.size,
        media_id=media_id if isinstance(media_id, str) else None,
    )


def _origin(link: str) -> str:
    """Return scheme, host and port of a link: the rest of it is signed, and so a secret."""
    try:
        parts = urlsplit(link)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme and parts.hostname else ""


def _outcome(error: BaseException | None) -> Outcome:
    if isinstance(error, UploadOutcomeUnknown):
        return "unknown"
    if error is None:
        return "ok"
    return "failed" if isinstance(error, Exception) else "cancelled"


def _reason(resend: Resend, error: WxAssetError) -> Reason:
    """Say in a word why there is another attempt."""
    status = error.status if isinstance(error, HTTPStatusError) else None
    reasons: tuple[tuple[bool, Reason], ...] = (
        (resend.fresh_token, "token_refused"),
        (resend.stale, "stale_connection"),
        (is_turned_away(error), "throttled"),
        (isinstance(error, BusyError), "busy"),
        (status is not None, "http_status"),
        (never_reached_server(error), "not_sent"),
    )
    return next((reason for holds, reason in reasons if holds), "reply_lost")
