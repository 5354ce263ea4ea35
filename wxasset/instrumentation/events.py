"""Events of a session: operations, attempts, retries, token fetches and progress. Pure.

::

    def watch(event: Event) -> None:
        match event:
            case AttemptEnded(error=None):
                ...
            case Retrying(reason=reason, wait=wait):
                ...

    wx = WxSession(appid, secret, hooks=Hooks(on_event=watch))

Every operation, attempt and fetch that has started ends, also where it is cancelled. They come in this order:

============================  ==========================================================================
operation                     `OperationStarted`, what follows, `OperationEnded`
within it, fetch of a token   `TokenFetchStarted`, operations of its own, `TokenFetched` or `TokenFetchFailed`
within it, attempt            `AttemptStarted`, `Progressed` any number of times, `AttemptEnded`
after a failed attempt        `TokenRefused` where it was for the token; `Retrying`, or `ReplyLost` and `Searched`
============================  ==========================================================================

No event has a token, a secret or a query. An `error` is the one raised to the caller, unless a retry succeeds.
"""

from typing import Literal, TypeAlias

from attrs import frozen

from wxasset.calls.base import Effect
from wxasset.instrumentation.failing import Failing
from wxasset.wire.values import Value

__all__ = [
    "AttemptEnded",
    "AttemptStarted",
    "Event",
    "Finding",
    "Operation",
    "OperationEnded",
    "OperationStarted",
    "Outcome",
    "Progressed",
    "Reason",
    "ReplyLost",
    "Retrying",
    "Searched",
    "Started",
    "TokenFetch",
    "TokenFetchFailed",
    "TokenFetchStarted",
    "TokenFetched",
    "TokenRefused",
]

Outcome: TypeAlias = Literal["ok", "failed", "unknown", "cancelled"]
"""Outcome of an operation or an attempt; "unknown" for operations raising `UploadOutcomeUnknown`."""
Reason: TypeAlias = Literal[
    "token_refused", "stale_connection", "throttled", "busy", "http_status", "not_sent", "reply_lost"
]
"""Reason for another attempt."""
Finding: TypeAlias = Literal["found", "missing", "ambiguous", "unseen"]
"""Result of the search for an upload: found, missing, several candidates, or no search possible."""


@frozen(kw_only=True, eq=False)
class Operation:
    """One declared call, with all its attempts. Each is equal to itself alone, and can be a key.

    Attributes:
        name: The class of the call, such as ``AddMaterial``.
        path: The API's path; ``down_url`` for a link given by WeChat.
        method: GET or POST.
        effect: The effect of a repetition.
        origin: Scheme, host, port and the path of `base_url`, if any; empty where a link given by WeChat has none.
        size: Bytes of the uploaded media; None for other calls.
        media_id: The material of the call; None for other calls.
    """

    name: str
    path: str
    method: str
    effect: Effect
    origin: str
    size: int | None = None
    media_id: str | None = None


@frozen(kw_only=True, eq=False)
class TokenFetch:
    """One fetch of an access token, shared by all waiting calls. Each is equal to itself alone.

    Attributes:
        source: The class of the token source, such as ``StableToken``.
    """

    source: str


@frozen(kw_only=True, eq=False, repr=False)
class OperationStarted(Value):
    """A call is about to be made; the token is not there yet.

    Attributes:
        operation: The call.
    """

    operation: Operation


@frozen(kw_only=True, eq=False, repr=False)
class OperationEnded(Failing):
    """A call has its result, or failed.

    Attributes:
        operation: The call.
        outcome: The outcome.
        error: The raised error; None for a success.
        duration: Seconds since it started, waits included.
        attempts: The number of requests, unsent ones included.
        media_id: The created or requested material; None for other calls.
    """

    operation: Operation
    outcome: Outcome
    duration: float
    attempts: int
    media_id: str | None = None


@frozen(kw_only=True, eq=False, repr=False)
class AttemptStarted(Value):
    """A request is about to be sent.

    Attributes:
        operation: The operation of the attempt.
        number: Number of the request within the operation, from 1, resends of all kinds included.
    """

    operation: Operation
    number: int


@frozen(kw_only=True, eq=False, repr=False)
class AttemptEnded(Failing):
    """An attempt has its reply, or failed. The reply of `WxSession.open_material` is there when its head is.

    Attributes:
        operation: The operation of the attempt.
        number: As in `AttemptStarted`.
        outcome: The outcome.
        error: Why it failed, or None.
        status: The HTTP status; None where no answer came.
        duration: Seconds since it started.
        sent: Bytes of the body handed to the connection.
        received: Bytes of the answer's body, unpacked.
    """

    operation: Operation
    number: int
    outcome: Outcome
    status: int | None
    duration: float
    sent: int
    received: int


@frozen(kw_only=True, eq=False, repr=False)
class Retrying(Failing):
    """Another attempt will be made.

    Attributes:
        operation: The call.
        number: The failed attempt.
        wait: Seconds until the next one.
        reason: Why there is another one.
        error: Why the last one failed.
    """

    operation: Operation
    number: int
    wait: float
    reason: Reason


@frozen(kw_only=True, eq=False, repr=False)
class ReplyLost(Failing):
    """An upload may or may not have happened; the library may be searched for it.

    Attributes:
        operation: The upload.
        error: The failure of the request.
    """

    operation: Operation


@frozen(kw_only=True, eq=False, repr=False)
class Searched(Value):
    """The library was searched for an upload whose response was lost; its pages were operations of their own.

    Attributes:
        operation: The upload.
        finding: The result of the search.
        candidates: How many materials may be it.
        duration: Duration in seconds.
    """

    operation: Operation
    finding: Finding
    candidates: int
    duration: float


@frozen(kw_only=True, eq=False, repr=False)
class TokenRefused(Failing):
    """WeChat refused the access token of an attempt.

    Attributes:
        operation: The call.
        error: The refusal.
    """

    operation: Operation


@frozen(kw_only=True, eq=False, repr=False)
class TokenFetchStarted(Value):
    """A token is about to be fetched, in a task that calls wait for, or that renews it while they do not.

    It is told to the hooks with which the session was made whose call came first, whatever options the call has.

    Attributes:
        fetch: The fetch.
    """

    fetch: TokenFetch


@frozen(kw_only=True, eq=False, repr=False)
class TokenFetched(Value):
    """There is another token.

    Attributes:
        fetch: The fetch.
        expires_in: Remaining lifetime in seconds.
        shared: True if another process had put it into the store.
        duration: Duration in seconds.
    """

    fetch: TokenFetch
    expires_in: float
    shared: bool
    duration: float


@frozen(kw_only=True, eq=False, repr=False)
class TokenFetchFailed(Failing):
    """No token is available.

    Attributes:
        fetch: The fetch.
        error: Why.
        duration: Duration in seconds.
    """

    fetch: TokenFetch
    duration: float


@frozen(kw_only=True, eq=False, repr=False)
class Progressed(Value):
    """A file has come further; told at most ten times a second, and at its end.

    Attributes:
        operation: The call.
        direction: Direction of the bytes.
        done: Bytes transferred; they start again with each attempt.
        total: Total number of bytes; None if unknown.
    """

    operation: Operation
    direction: Literal["upload", "download"]
    done: int
    total: int | None


Started: TypeAlias = OperationStarted | AttemptStarted | TokenFetchStarted
"""Events with a scope."""
Event: TypeAlias = (
    Started
    | OperationEnded
    | AttemptEnded
    | Retrying
    | ReplyLost
    | Searched
    | TokenRefused
    | TokenFetched
    | TokenFetchFailed
    | Progressed
)
