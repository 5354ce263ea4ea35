"""Describe one operation: the call, its media, and where its result goes."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from attrs import define, evolve, field

from wxasset.calls.base import Call, Effect, Upload
from wxasset.engine.hosting import with_account
from wxasset.engine.register import Pending
from wxasset.errors import APIError, ReplyError, RequestError, WxAssetError
from wxasset.tokens.token import Token
from wxasset.transfer.downloads.writer import Sink
from wxasset.transfer.http import Delivery, Request, Timeouts
from wxasset.transfer.progress import Progress, check_progress
from wxasset.transfer.uploads.body import UploadBody

if TYPE_CHECKING:
    from wxasset.transfer.downloads.partial import Partial
    from wxasset.transfer.uploads.source import Source

__all__ = ["Once", "Operation"]

T = TypeVar("T")
Once: TypeAlias = Callable[[Request, bool], Awaitable[T]]
"""Make one attempt: takes the request, and True if an earlier attempt may have taken effect."""


@define(eq=False, repr=False)
class Operation:
    """One call with its parts, for all its attempts.

    Attributes:
        call: The declared call.
        source: The media of an upload.
        progress: The callback for the bytes sent or received.
        sink: The destination of a download.
        partial: A download resumed over several responses.
        pending: The entry of an upload in the session's register.
        delivery: The delivery of its last request.
    """

    call: Call[Any]
    source: "Source | None" = None
    progress: Progress | None = None
    sink: Sink | None = None
    partial: "Partial | None" = None
    pending: Pending | None = None
    delivery: Delivery = field(factory=Delivery)

    @property
    def marked(self) -> bool:
        """True if no other upload has the name of this one."""
        return self.pending is not None and self.pending.marked

    def __attrs_post_init__(self) -> None:
        """Check the callback before anything is sent."""
        if self.progress is not None:
            check_progress(self.progress)

    def reporting(self, progress: Progress | None) -> "Operation":
        """Return this operation with another progress callback."""
        return evolve(self, progress=progress)

    def resendable(self) -> bool:
        """Return True if source and sink, where present, can be opened again."""
        return (self.source is None or self.source.replayable) and (self.sink is None or self.sink.replayable)

    def may_be_done(self) -> bool:
        """Return True if this is a create whose last request was sent whole."""
        return self.call.route.effect is Effect.CREATE and self.delivery.whole

    def is_answered_by(self, error: WxAssetError) -> bool:
        """Return True for an error about this call, not for one that a hook of the application let through."""
        about = isinstance(error, APIError | ReplyError | RequestError)
        return about and getattr(error, "path", None) == self.call.route.path

    def moved(self) -> bool:
        """Return True if the last attempt of a resumed download received bytes."""
        return self.partial is not None and self.partial.moved()

    def sending_time(self, timeouts: Timeouts) -> float:
        """Return the seconds granted for the bytes of an upload, in addition to the deadline of the call."""
        return 0.0 if self.source is None else self.source.size / timeouts.min_rate

    def request(
        self, token: Token | None, timeouts: Timeouts, deadline: float, *, from_appid: str | None = None
    ) -> Request:
        """Return the request of one attempt; an upload gets a new body each time."""
        self.delivery.start()
        if self.pending is not None:
            self.pending.start(self.delivery.started_at)
        call, query = self.call, self.call.query()
        if from_appid is not None:
            query = with_account(query, token, from_appid)
        if token is not None and (parameter := token.parameter_at(call.route.path)):
            query = {parameter: token.value, **query}
        body: bytes | UploadBody | None = call.body()
        if isinstance(call, Upload) and self.source is not None:
            frame = call.frame(self.source.filename, self.source.content_type)
            body = UploadBody(frame, self.source, self.progress)
        return Request(
            method=call.route.method,
            path=call.route.path,
            query=query,
            body=body,
            timeouts=timeouts,
            deadline=deadline,
            progress=self.progress,
            delivery=self.delivery,
        )
