"""Record one operation."""

from typing import TYPE_CHECKING, Any

from wxasset.calls.base import Call
from wxasset.instrumentation.hooks import Hooks

if TYPE_CHECKING:
    from wxasset.instrumentation.events import Operation
    from wxasset.tokens.token import Token
    from wxasset.transfer.uploads.source import Source

__all__ = ["OperationRecorder"]


class OperationRecorder:
    """The facts of one operation; they cost almost no time without listeners.

    Attributes:
        hooks: The listeners.
        call: The call.
        source: The media of an upload.
        origin: The API host.
        attempts: How many requests there were.
        token: The token of the attempt.
        result: The result of the operation.
        operation: The description of the operation for events; None before the first one.
        lost_at: When a response was lost, by the monotonic clock.
    """

    __slots__ = ("attempts", "call", "hooks", "lost_at", "operation", "origin", "result", "source", "token")

    def __init__(self, hooks: Hooks, call: Call[Any], source: "Source | None", origin: str) -> None:
        """Begin to record an operation."""
        self.hooks: Hooks = hooks
        self.call: Call[Any] = call
        self.source: Source | None = source
        self.origin: str = origin
        self.attempts: int = 0
        self.token: Token | None = None
        self.result: object = None
        self.operation: Operation | None = None
        self.lost_at: float = 0.0
