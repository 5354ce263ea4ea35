"""The only loop: acquire a token, send, decode, decide, wait, again."""

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from attrs import define, evolve, field

from wxasset.batch.free_turn import FREE, FreeTurn
from wxasset.calls.base import Call, Download
from wxasset.engine.hosting import hosting_error
from wxasset.engine.operation import Once, Operation
from wxasset.engine.recorder import OperationRecorder
from wxasset.engine.redaction import without_secrets
from wxasset.engine.register import Pending, UploadRegister
from wxasset.engine.replies import json_or_file
from wxasset.engine.retry import (
    Action,
    Attempt,
    Ending,
    OutcomeUnknown,
    Resend,
    RetryPolicy,
    RetryQuota,
    decide,
)
from wxasset.engine.uploads import UploadPolicy
from wxasset.errors import (
    BudgetSpentError,
    TokenRejectedError,
    TransferError,
    UploadOutcomeUnknown,
    WxAssetError,
)
from wxasset.instrumentation.hooks import NO_HOOKS, Hooks
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.token import Exchange, Token
from wxasset.transfer.downloads.download import FileReply, MaterialStream
from wxasset.transfer.event_loop import is_cancellation
from wxasset.transfer.http import Request, Timeouts, Transport
from wxasset.wire.limits import Limits
from wxasset.wire.url_policy import DownloadPolicy

if TYPE_CHECKING:
    from wxasset.batch.turns import AccountBudget
    from wxasset.batch.work import Work
    from wxasset.calls.account import Quota
    from wxasset.engine.operation_events import OperationEvents
    from wxasset.engine.reconcile import Lost

__all__ = ["Loop"]

R = TypeVar("R")
T = TypeVar("T")

_log: Final = logging.getLogger("wxasset.engine")
_FIRST: Final = Attempt()
_AT_ONCE: Final = Attempt(minute_waited=True)
_PROGRESSED: Final = Attempt(progressed=True)
_SPREAD: Final = 2.0  # seconds over which calls that wait for the next minute are spread


@define(eq=False, repr=False)
class Loop(ABC):
    """Runs operations.

    Attributes:
        transport: The network.
        tokens: Where tokens come from.
        retry: How often, and how patiently, calls are tried.
        limits: Limits of uploads and responses.
        timeouts: How long to wait.
        downloads: Policy for URLs given by the server.
        uploads: Policy for uploads whose response was lost.
        quota: Retry budget of all calls together.
        register: The uploads in progress, and their materials.
        hooks: Receivers of events.
        exchange: Fetches tokens with the options of the session, regardless of the options of a call.
        from_appid: The account that is called through cloud hosting; None for the owner of the environment.
        sleep: How to wait.
        minutes: Whether a call waits for the next minute after 45011; False where its caller does.
        work: The item of a batch that the calls belong to, which is told of each attempt; None without one.
        budget: The calls that the account may make today; None if they are not counted.
    """

    transport: Transport
    tokens: TokenCache
    retry: RetryPolicy
    limits: Limits
    timeouts: Timeouts
    downloads: DownloadPolicy
    uploads: UploadPolicy
    quota: RetryQuota = field(factory=RetryQuota)
    register: UploadRegister = field(factory=UploadRegister)
    hooks: Hooks = NO_HOOKS
    exchange: Exchange = field(init=False)
    from_appid: str | None = None
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    minutes: bool = True
    work: "Work | None" = None
    budget: "AccountBudget | None" = None

    def __attrs_post_init__(self) -> None:
        """Fetch tokens with the options of the session."""
        self.exchange = self._own_exchange()

    @asynccontextmanager
    async def open(self, call: Download[R]) -> AsyncGenerator[R | MaterialStream, None]:
        """Make a call whose response is JSON or a file; the file stays open inside the block."""
        async with AsyncExitStack() as stack:

            async def once(request: Request, _: bool) -> R | MaterialStream:  # noqa: FBT001 - as above
                async with AsyncExitStack() as attempt:
                    reply = await attempt.enter_async_context(self.transport.send(request))
                    answer = await json_or_file(call, reply, self.limits)
                    if not isinstance(answer, FileReply):
                        return answer
                    stream = MaterialStream(answer)
                    attempt.callback(stream.end)
                    stack.push_async_exit(attempt.pop_all())
                    return stream

            yield await self._run(Operation(call), once)

    async def _run(self, operation: Operation, once: Once[T]) -> T:
        """Run one operation: a create ends with its result, with a refusal, or with `UploadOutcomeUnknown`."""
        recorder = OperationRecorder(self.hooks, operation.call, operation.source, self.transport.origin)
        try:
            if self.hooks.listening or _log.isEnabledFor(logging.DEBUG):
                return await self._recorded(operation, once, recorder)
            return await self._attempts(operation, once, recorder)
        except UploadOutcomeUnknown:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if not operation.may_be_done() or is_cancellation(error):
                raise
            from wxasset.engine.reconcile import Lost  # noqa: PLC0415 - few uploads are lost

            path = operation.call.route.path
            failure = TransferError(f"{type(error).__name__} was raised after the request to {path} was sent.", path)
            lost = Lost(operation.call, operation.source, operation.delivery.started_at, failure)
            raise (await self._with_facts(lost, operation.pending)).unknown(unique=operation.marked) from error

    async def _recorded(self, operation: Operation, once: Once[T], recorder: OperationRecorder) -> T:
        """Run one operation, and tell hooks and the debug log of it."""
        with self._events(recorder) as events:
            recorded = operation.reporting(events.progress(operation.progress))
            result = await self._attempts(recorded, events.around(once), recorder)
            recorder.result = result
            return result

    @staticmethod
    def _events(recorder: OperationRecorder) -> "OperationEvents":
        """Return the emitter of events; its module is loaded with the first event."""
        from wxasset.engine.operation_events import OperationEvents  # noqa: PLC0415 - a successful call without listeners has none

        return OperationEvents(recorder)

    async def _attempts(self, operation: Operation, once: Once[T], recorder: OperationRecorder) -> T:
        """Make attempts until one succeeds or `decide` returns another action than to resend."""
        call, attempt = operation.call, _FIRST if self.minutes else _AT_ONCE
        begun = time.monotonic() + operation.sending_time(self.timeouts)
        while True:
            turn, waited = FREE, 0.0
            if call.route.authorized and (self.work is not None or self.budget is not None):
                turn, waited = await self._admitted(call)
                begun += waited
            try:
                deadline = begun + self.retry.timeout
                token = self.tokens.cached(self.exchange) if call.route.authorized else None
                if token is None and call.route.authorized:
                    token = await self.tokens.acquire(self.exchange, patience=deadline - time.monotonic())
                recorder.token = token
                recorder.attempts += 1
                try:
                    # The request is in no variable: an error that is kept holds this frame, and a piece of the media.
                    result = await once(self._request(operation, token, deadline), attempt.in_doubt)
                except WxAssetError as error:
                    failure = self._explained(error, operation, token)
                    if failure is None:
                        raise
                    turn.failed(failure)
                else:
                    self._accepted(attempt, call, token)
                    return result
            finally:
                if turn is not FREE:
                    await turn.ended()
            attempt, begun = self._failed(attempt, operation, begun)
            attempt = self._judged(attempt, token, failure, recorder)
            action = decide(call.route, failure, attempt, self.retry)
            if not isinstance(action, OutcomeUnknown):
                operation.delivery.whole = False  # the response, or the lack of one, proves that nothing was made
            if not isinstance(action, Resend):
                break
            self.quota.spend(action.cost)
            self._events(recorder).retrying(action, failure)
            await self.sleep(action.wait)
            attempt = attempt.after(action)
        try:
            deadline = begun + self.retry.timeout
            done: T = await self._conclude(operation, action, failure, recorder, deadline=deadline, cost=attempt.cost)
            return done
        finally:
            del failure  # or error and frame would hold each other

    def _explained(self, error: WxAssetError, operation: Operation, token: Token | None) -> WxAssetError | None:
        """Return the failure of an attempt; None where it does not tell whether a create was carried out."""
        if self.work is not None:
            self.work.fail(error)
        if operation.may_be_done() and not operation.is_answered_by(error):
            return None
        return operation.call.explain(hosting_error(without_secrets(error, operation.call, token), token))

    async def _admitted(self, call: Call[Any]) -> tuple[FreeTurn, float]:
        """Wait until the call may be made; return its turn, and the seconds of waiting. Links take no part."""
        pace = None if self.work is None else self.work.pace
        began = time.monotonic()
        if pace is not None:
            await pace()
        turn = FREE if self.budget is None else await self._turn(self.budget, call.route.path, began)
        return turn, time.monotonic() - began

    async def _turn(self, budget: "AccountBudget", path: str, began: float) -> FreeTurn:
        """Take a call from the budget; a closed minute is waited for, unless the caller does so."""
        while True:
            try:
                return await budget.enter(path, self.ask_quota)
            except BudgetSpentError as error:
                if not (error.minute and self.minutes) or time.monotonic() - began > self.retry.timeout:
                    raise
                wait = max(0.0, error.at - time.time()) + random.uniform(0.0, _SPREAD)  # noqa: S311 - no secret
            await self.sleep(wait)

    def _accepted(self, attempt: Attempt, call: Call[Any], token: Token | None) -> None:
        self.quota.refill(attempt.cost)
        if token is not None:
            self.tokens.accept(call.route.path)

    def _judged(
        self, attempt: Attempt, token: Token | None, failure: WxAssetError, recorder: OperationRecorder
    ) -> Attempt:
        """Reject the token if the failure concerns it."""
        if token is None:
            return attempt
        withdrawn = token.is_withdrawn(failure)
        if not withdrawn and not isinstance(failure, TokenRejectedError):
            return attempt
        self.tokens.reject(token, failure)
        self._events(recorder).refused(failure)
        return evolve(attempt, withdrawn=withdrawn)

    def _request(self, operation: Operation, token: Token | None, deadline: float) -> Request:
        if self.work is not None:
            self.work.begin()
        return operation.request(token, self.timeouts, deadline, from_appid=self.from_appid)

    def _failed(self, attempt: Attempt, operation: Operation, begun: float) -> tuple[Attempt, float]:
        """Return a failed attempt with the facts for `decide`, and the begin of the time limit."""
        begun += operation.delivery.waited
        if operation.moved():  # a resumed download that receives bytes is not out of patience
            self.quota.refill(attempt.cost)
            attempt, begun = _PROGRESSED, time.monotonic()
        failed = evolve(
            attempt,
            elapsed=max(0.0, time.monotonic() - begun),
            resendable=operation.resendable(),
            harmless=operation.source is not None and operation.pending is None and self.uploads.unlisted == "resend",
            next_minute=60 - operation.delivery.started_at % 60,
            quota=self.quota.left,
            chance=random.random(),  # noqa: S311 - spreads waits; nothing is kept secret by it
        )
        return failed, begun

    async def _conclude(
        self,
        operation: Operation,
        action: Action,
        failure: WxAssetError,
        recorder: OperationRecorder,
        *,
        deadline: float,
        cost: int,
    ) -> Any:
        """Return the result of an operation without a further attempt, or raise its error.

        Args:
            operation: The operation.
            action: The action after its last attempt.
            failure: The failure of that attempt.
            recorder: Records the operation.
            deadline: The time of the monotonic clock at which a search has to end.
            cost: The retry budget spent by the operation.
        """
        try:
            match action:
                case Ending.ALREADY_DONE:
                    self.quota.refill(cost)
                    return operation.call.reply()
                case OutcomeUnknown(price):
                    from wxasset.engine.reconcile import Lost  # noqa: PLC0415 - as above

                    self._events(recorder).lost(failure)
                    lost = Lost(operation.call, operation.source, operation.delivery.started_at, failure)
                    return await self._find(lost, recorder, operation.pending, price, deadline - time.monotonic())
                case Ending.CANNOT_RESEND:
                    from wxasset.engine.reconcile import cannot_resend  # noqa: PLC0415 - as above

                    raise cannot_resend(failure) from failure
                case _:
                    raise failure
        finally:
            del failure  # or error and frame would hold each other

    @abstractmethod
    def _own_exchange(self) -> Exchange:
        """Return this engine's way to fetch tokens."""

    @abstractmethod
    async def ask_quota(self, path: str) -> "Quota | None":
        """Ask WeChat for the quota of a path; None if it does not tell."""

    @abstractmethod
    async def _find(
        self, lost: "Lost", recorder: OperationRecorder, upload: Pending | None, cost: int | None, patience: float
    ) -> Any:
        """Search for an upload whose response was lost; return its result, or raise `UploadOutcomeUnknown`."""

    @abstractmethod
    async def _with_facts(self, lost: "Lost", upload: Pending | None) -> "Lost":
        """Add the facts for a search in another process; an upload that is not listed has none."""
