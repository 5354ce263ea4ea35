"""OpenTelemetry: spans and metrics of what a session does. Needs the extra ``wxasset[otel]``, which is the API alone.

::

    wx = WxSession(appid, secret, hooks=OpenTelemetryHooks())

Spans (https://opentelemetry.io/docs/specs/semconv/http/http-spans/):

* An operation is one of kind INTERNAL, named after its call (``AddMaterial``): it is a logical call, with waits.
* Each attempt is one of kind CLIENT inside it, named ``POST /cgi-bin/material/add_material``, with the attributes of
  an HTTP client; ``url.full`` is without its query, and of a link that WeChat gave no more than scheme and host.
* A fetch of a token is one of kind INTERNAL, ``fetch token``, in the operation that came first; its own are within.

Each is current while what it stands for goes on. An error sets the status and ``error.type``; its text is that of
`WxAssetError.message`, and of errors from elsewhere their class alone. Besides: ``wxasset.operation``, ``.errcode``,
``.rid``, ``.outcome``, ``.media_id``, ``.attempts``, ``.size``, ``.sent``, ``.received``, ``.source``, ``.expires_in``.

Metrics: ``wxasset.operation.duration`` and ``wxasset.token.fetches``, ``wxasset.attempts``, ``wxasset.retries``,
``wxasset.sent`` and ``wxasset.received`` (bytes), ``wxasset.outcomes.unknown``. Their attributes have few values each:
the operation, its outcome, the class of the error, WeChat's code, the reason of a retry; no ids, which are as many as
there are materials.
"""

try:
    import opentelemetry  # noqa: F401 - to say in one sentence what is missing
except ModuleNotFoundError:
    raise ImportError("wxasset.otel needs OpenTelemetry; run: pip install 'wxasset[otel]'.") from None

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from attrs import define, field, frozen
from opentelemetry import metrics, trace
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from yarl import URL

from wxasset._version import __version__
from wxasset.errors import HTTPStatusError
from wxasset.instrumentation.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Operation,
    OperationEnded,
    OperationStarted,
    Retrying,
    Searched,
    Started,
    TokenFetch,
    TokenFetched,
    TokenFetchFailed,
    TokenFetchStarted,
)
from wxasset.instrumentation.hooks import Hooks

__all__ = ["OpenTelemetryHooks"]

_Attributes: TypeAlias = dict[str, str | int | float | bool]

_SCHEMA: Final = "https://opentelemetry.io/schemas/1.37.0"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120)
"""The bounds that the conventions advise for HTTP, and on to the default time limit of a call."""


@frozen(init=False)
class OpenTelemetryHooks(Hooks):
    """Hooks that make spans and metrics of what they are told.

    ``OpenTelemetryHooks().also(Hooks(...))`` tells others as well.
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        """Make spans and metrics.

        Args:
            tracer_provider: Where spans go; None for the global provider.
            meter_provider: Where metrics go; None for the global provider.
        """
        tracer = trace.get_tracer("wxasset", __version__, tracer_provider, _SCHEMA)
        meter = metrics.get_meter("wxasset", __version__, meter_provider, _SCHEMA)
        spans, counts = _Spans(tracer), _Metrics(meter)

        def on_event(event: Event) -> None:
            spans.see(event)
            counts.see(event)

        super().__init__(on_event=on_event, around=spans.open)


@define(eq=False)
class _Spans:
    """Opens spans, and puts on them what is known at their end."""

    _tracer: Tracer
    _open: dict[Operation | TokenFetch | tuple[Operation, int], Span] = field(factory=dict, init=False)

    @contextmanager
    def open(self, event: Started) -> Iterator[None]:
        """Make the span of what starts current."""
        name, kind, attributes = _describe(event)
        key = _key(event)
        span = self._tracer.start_span(name, kind=kind, attributes=attributes)
        self._open[key] = span
        try:
            with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
                yield
        finally:
            del self._open[key]

    def see(self, event: Event) -> None:
        """Put on a span what has become of it."""
        match event:
            case AttemptEnded(operation=operation, number=number):
                _finish(self._open.get((operation, number)), event, _of_attempt(event))
            case OperationEnded(operation=operation):
                _finish(self._open.get(operation), event, _of_operation(event))
            case TokenFetched(fetch=fetch, expires_in=expires_in, shared=shared):
                found: _Attributes = {"wxasset.expires_in": expires_in, "wxasset.shared": shared}
                _finish(self._open.get(fetch), event, found)
            case TokenFetchFailed(fetch=fetch):
                _finish(self._open.get(fetch), event, {})
            case Retrying(operation=operation, wait=wait, reason=reason):
                _note(self._open.get(operation), "retry", {"wxasset.reason": reason, "wxasset.wait": wait})
            case Searched(operation=operation, finding=finding, candidates=candidates):
                about: _Attributes = {"wxasset.finding": finding, "wxasset.candidates": candidates}
                _note(self._open.get(operation), "search", about)
            case _:
                pass


class _Metrics:
    """Counts."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "wxasset.operation.duration",
            unit="s",
            description="Duration of operations, waits included.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._attempts = meter.create_counter("wxasset.attempts", unit="{attempt}", description="Requests.")
        self._retries = meter.create_counter("wxasset.retries", unit="{retry}", description="Further attempts.")
        self._sent = meter.create_counter("wxasset.sent", unit="By", description="Bytes of bodies that were sent.")
        self._received = meter.create_counter("wxasset.received", unit="By", description="Bytes of bodies received.")
        self._fetches = meter.create_counter("wxasset.token.fetches", unit="{fetch}", description="Fetches of tokens.")
        self._unknown = meter.create_counter(
            "wxasset.outcomes.unknown", unit="{operation}", description="Uploads that may or may not have happened."
        )

    def see(self, event: Event) -> None:
        """Count an event."""
        match event:
            case OperationEnded(operation=operation, outcome=outcome, duration=duration):
                about: _Attributes = {"wxasset.operation": operation.name}
                self._duration.record(duration, about | {"wxasset.outcome": outcome} | _failure(event))
                if outcome == "unknown":
                    self._unknown.add(1, about)
            case AttemptEnded(operation=operation, outcome=outcome, sent=sent, received=received):
                about = {"wxasset.operation": operation.name}
                self._attempts.add(1, about | {"wxasset.outcome": outcome} | _failure(event))
                self._sent.add(sent, about)
                self._received.add(received, about)
            case Retrying(operation=operation, reason=reason):
                self._retries.add(1, {"wxasset.operation": operation.name, "wxasset.reason": reason})
            case TokenFetched(fetch=fetch, shared=shared):
                self._fetches.add(1, {"wxasset.source": fetch.source, "wxasset.shared": shared})
            case TokenFetchFailed(fetch=fetch):
                self._fetches.add(1, _failure(event) | {"wxasset.source": fetch.source})
            case _:
                pass


_Ended = OperationEnded | AttemptEnded | TokenFetched | TokenFetchFailed


def _key(event: Started) -> Operation | TokenFetch | tuple[Operation, int]:
    match event:
        case OperationStarted(operation=operation):
            return operation
        case AttemptStarted(operation=operation, number=number):
            return operation, number
        case TokenFetchStarted(fetch=fetch):
            return fetch


def _describe(event: Started) -> tuple[str, SpanKind, _Attributes]:
    """Name a span, and say what is known when it starts."""
    match event:
        case OperationStarted(operation=operation):
            about: _Attributes = {"wxasset.operation": operation.name, "url.template": operation.path}
            if operation.size is not None:
                about["wxasset.size"] = operation.size
            if operation.media_id is not None:
                about["wxasset.media_id"] = operation.media_id
            return operation.name, SpanKind.INTERNAL, about
        case AttemptStarted(operation=operation, number=number):
            about = _server(operation)
            about |= {"http.request.method": operation.method, "url.template": operation.path}
            if number > 1:
                about["http.request.resend_count"] = number - 1
            return f"{operation.method} {operation.path}", SpanKind.CLIENT, about
        case TokenFetchStarted(fetch=fetch):
            return "fetch token", SpanKind.INTERNAL, {"wxasset.source": fetch.source}


def _server(operation: Operation) -> _Attributes:
    """Say whom a request goes to."""
    if not operation.origin:
        return {}
    parts = URL(operation.origin)
    path = operation.path if operation.path.startswith("/") else ""  # a link is signed, so no more of it is told
    return {
        "url.full": operation.origin + path,
        "server.address": parts.raw_host or "",
        "server.port": parts.port or 0,
    }


def _of_attempt(event: AttemptEnded) -> _Attributes:
    about: _Attributes = {"wxasset.sent": event.sent, "wxasset.received": event.received}
    if event.status is not None:
        about["http.response.status_code"] = event.status
    return about | {"wxasset.outcome": event.outcome}


def _of_operation(event: OperationEnded) -> _Attributes:
    about: _Attributes = {"wxasset.outcome": event.outcome, "wxasset.attempts": event.attempts}
    return about if event.media_id is None else about | {"wxasset.media_id": event.media_id}


def _failure(event: Event) -> _Attributes:
    """Say what failed, in few words: the class of the error, or the HTTP status; and WeChat's code."""
    error: BaseException | None = getattr(event, "error", None)
    if error is None:
        return {}
    kind = type(error)
    name = str(error.status) if isinstance(error, HTTPStatusError) else f"{kind.__module__}.{kind.__qualname__}"
    errcode: int | None = getattr(event, "errcode", None)
    return {"error.type": name} if errcode is None else {"error.type": name, "wxasset.errcode": errcode}


def _finish(span: Span | None, event: _Ended, about: _Attributes) -> None:
    if span is None:
        return
    span.set_attributes(about | _failure(event))
    if isinstance(event, TokenFetched) or event.error is None:
        return
    if event.rid is not None:
        span.set_attribute("wxasset.rid", event.rid)
    span.set_status(Status(StatusCode.ERROR, event.message))


def _note(span: Span | None, name: str, about: _Attributes) -> None:
    if span is not None:
        span.add_event(name, about)
