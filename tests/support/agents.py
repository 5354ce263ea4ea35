"""Monitoring agents with all their instrumentation, which export to memory: Sentry, and OpenTelemetry for libraries."""

import warnings
from typing import Any

import sentry_sdk
from attrs import define, field
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

__all__ = ["Agents"]


def _transport(kept: list[bytes]) -> Transport:
    """A transport that keeps what it should send. Its class has no statement: without Sentry, its base has no type."""

    def capture_envelope(_: object, envelope: Envelope) -> None:
        kept.append(envelope.serialize())

    return type("Kept", (Transport,), {"capture_envelope": capture_envelope})()


def _of_client(event: Any, _: Any) -> Any:
    """Drop the transactions of the simulator, which runs in the same process: Sentry watches servers as well."""
    return None if event["contexts"]["trace"]["op"] == "http.server" else event


@define
class Agents:
    """Both agents, switched on; Sentry records personal data, local variables, breadcrumbs and every transaction."""

    _sent: list[bytes] = field(factory=list)
    _exporter: InMemorySpanExporter = field(factory=InMemorySpanExporter)

    def __attrs_post_init__(self) -> None:
        """Switch them on."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of send_default_pii, which older versions need
            self._start_sentry()
        tracing = TracerProvider(shutdown_on_exit=False)
        tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        AioHttpClientInstrumentor().instrument(tracer_provider=tracing)
        RedisInstrumentor().instrument(tracer_provider=tracing)

    def _start_sentry(self) -> None:
        sentry_sdk.init(
            dsn="https://key@sentry.invalid/1",
            transport=_transport(self._sent),
            send_default_pii=True,
            include_local_variables=True,
            max_request_body_size="always",
            max_value_length=1_000_000,
            traces_sample_rate=1.0,
            before_send_transaction=_of_client,
        )

    def close(self) -> None:
        """Switch them off."""
        AioHttpClientInstrumentor().uninstrument()
        RedisInstrumentor().uninstrument()
        sentry_sdk.init()

    def taken(self) -> str:
        """Return everything exported since the last time."""
        sentry_sdk.flush()
        spans = "\n".join(span.to_json() for span in self._exporter.get_finished_spans())
        shown = spans + b"\n".join(self._sent).decode("utf-8", "replace")
        self._exporter.clear()
        self._sent.clear()
        return shown
