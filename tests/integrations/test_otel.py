"""OpenTelemetry, with its own SDK: spans in each other, attributes of the conventions, metrics, and no secret."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from canaries import FAULTS, SECRET, TOKEN, token_reply
from policies import PATIENT
from raw_server import RawServer, forever
from wxasset import (
    CallableToken,
    ClassicToken,
    Hooks,
    NoToken,
    Timeouts,
    Token,
    UploadOutcomeUnknown,
    UploadPolicy,
    Video,
    WxSession,
)
from wxasset.errors import CredentialError, WxAssetError
from wxasset.instrumentation.events import AttemptStarted, Event
from wxasset.integrations.opentelemetry import OpenTelemetryHooks
from wxasset.simulator import Simulator

PHOTO = b"\xff\xd8\xff\xe0" + bytes(1000)


@define
class Telemetry:
    """Everything that is exported.

    Attributes:
        exporter: Where spans go.
        reader: Where metrics go.
        tracing: What gives tracers.
        hooks: The hooks that export there.
    """

    exporter: InMemorySpanExporter = field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(factory=InMemoryMetricReader)
    tracing: TracerProvider = field(factory=lambda: TracerProvider(shutdown_on_exit=False))
    hooks: OpenTelemetryHooks = field(init=False)
    _metering: MeterProvider = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Put the parts together."""
        self.tracing.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._metering = MeterProvider([self.reader], shutdown_on_exit=False)
        self.hooks = OpenTelemetryHooks(tracer_provider=self.tracing, meter_provider=self._metering)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans, in the order in which they ended."""
        return list(self.exporter.get_finished_spans())

    def span(self, name: str, number: int = 0) -> ReadableSpan:
        """One of the spans with a name."""
        return [one for one in self.spans if one.name == name][number]

    def metrics(self) -> dict[str, dict[tuple[tuple[str, object], ...], float]]:
        """The metrics: the count of a histogram, the sum of a counter, by their attributes."""
        found: dict[str, dict[tuple[tuple[str, object], ...], float]] = {}
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = found.setdefault(metric.name, {})
                    for point in metric.data.data_points:
                        value: Any = point
                        attributes = tuple(sorted((value.attributes or {}).items()))
                        points[attributes] = value.count if hasattr(value, "count") else value.value
        return found

    def everything(self) -> str:
        """All that is exported, as text."""
        data = self.reader.get_metrics_data()
        return "".join(one.to_json() for one in self.spans) + (data.to_json() if data is not None else "")

    def close(self) -> None:
        """Stop."""
        self.tracing.shutdown()
        self._metering.shutdown()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Telemetry that stays here."""
    found = Telemetry()
    yield found
    found.close()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span."""
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> int | None:
    """The id of the span in which one is."""
    return span.parent.span_id if span.parent is not None else None


async def test_spans_are_in_each_other(sim: Simulator, telemetry: Telemetry) -> None:
    """An attempt is in its operation, so is the fetch of a token, and its own operation and attempt are in that."""
    with telemetry.tracing.get_tracer("app").start_as_current_span("request") as root:
        async with WxSession(sim.appid, sim.secret, base_url=sim.url, hooks=telemetry.hooks) as wx:
            await wx.count_materials()
    by_id = {one.context.span_id: one for one in telemetry.spans if one.context is not None}
    tree = {one.name: by_id[parent(one) or 0].name for one in telemetry.spans if one.name != "request"}
    assert tree == {
        "CountMaterials": "request",
        "GET /cgi-bin/material/get_materialcount": "CountMaterials",
        "fetch token": "CountMaterials",
        "GetStableAccessToken": "fetch token",
        "POST /cgi-bin/stable_token": "GetStableAccessToken",
    }
    assert len({one.context.trace_id for one in telemetry.spans if one.context is not None}) == 1
    assert root.get_span_context().is_valid


async def test_the_span_of_an_attempt_is_current(wx: WxSession, telemetry: Telemetry) -> None:
    """What else is instrumented inside an attempt nests in it: other hooks there see its span as the current one."""
    await wx.count_materials()
    current: list[str] = []

    def see(event: Event) -> None:
        if isinstance(event, AttemptStarted):
            current.append(getattr(get_current_span(), "name", ""))

    await wx.with_options(hooks=telemetry.hooks.also(Hooks(on_event=see))).count_materials()
    assert current == ["GET /cgi-bin/material/get_materialcount"]
    assert not get_current_span().get_span_context().is_valid, "afterwards none is"


async def test_attributes_follow_the_conventions(wx: WxSession, sim: Simulator, telemetry: Telemetry) -> None:
    """The span of an attempt is that of an HTTP client; the operation's says what was done, with the material's id."""
    await wx.count_materials()
    added = await wx.with_options(hooks=telemetry.hooks).add_material("image", PHOTO)
    attempt, operation = telemetry.spans
    assert (attempt.kind, operation.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert (attempt.name, operation.name) == ("POST /cgi-bin/material/add_material", "AddMaterial")
    found = attributes(attempt)
    assert found.pop("wxasset.sent") > len(PHOTO)
    assert found.pop("wxasset.received") > 0
    assert found == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": int(sim.url.rpartition(":")[2]),
        "url.full": f"{sim.url}/cgi-bin/material/add_material",
        "url.template": "/cgi-bin/material/add_material",
        "wxasset.outcome": "ok",
    }
    assert attributes(operation) == {
        "url.template": "/cgi-bin/material/add_material",
        "wxasset.operation": "AddMaterial",
        "wxasset.size": len(PHOTO),
        "wxasset.media_id": added.media_id,
        "wxasset.outcome": "ok",
        "wxasset.attempts": 1,
    }
    assert {one.status.status_code for one in telemetry.spans} == {StatusCode.UNSET}


async def test_a_retry_is_a_second_span(wx: WxSession, sim: Simulator, telemetry: Telemetry) -> None:
    """A failed attempt has its status as the type of its error, the next one its number, the operation a note."""
    await wx.count_materials()
    sim.fail("get_materialcount", "status:503")
    await wx.with_options(hooks=telemetry.hooks).count_materials()
    first, second, operation = telemetry.spans
    assert first.status.status_code is StatusCode.ERROR
    assert (attributes(first)["error.type"], attributes(first)["http.response.status_code"]) == ("503", 503)
    assert "http.request.resend_count" not in attributes(first)
    assert attributes(second)["http.request.resend_count"] == 1
    assert attributes(operation)["wxasset.attempts"] == 2
    assert [(one.name, dict(one.attributes or {})) for one in operation.events] == [
        ("retry", {"wxasset.reason": "http_status", "wxasset.wait": 0.0})
    ]
    assert operation.status.status_code is StatusCode.UNSET


async def test_an_error_is_recorded(sim: Simulator, telemetry: Telemetry) -> None:
    """A refusal has its class, WeChat's code and its request id, on the attempt, the fetch and the operation."""
    async with WxSession(sim.appid, SECRET, base_url=sim.url, hooks=telemetry.hooks) as wx:
        with pytest.raises(CredentialError) as caught:
            await wx.count_materials()
    assert len(telemetry.spans) == 4
    for span in telemetry.spans:
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == caught.value.message
        found = attributes(span)
        assert found["error.type"] == "wxasset.errors.CredentialError"
        assert (found["wxasset.errcode"], found["wxasset.rid"]) == (40125, caught.value.rid)


async def test_a_function_that_gives_tokens_is_visible(sim: Simulator, telemetry: Telemetry) -> None:
    """A fetch that makes no call of ours has its span as well; an error of yours shows its class alone."""

    async def give() -> Token:
        raise OSError("CANARY: the password of the vault")

    async with WxSession(tokens=CallableToken(give), base_url=sim.url, hooks=telemetry.hooks) as wx:
        with pytest.raises(WxAssetError):
            await wx.count_materials()
    fetch = telemetry.span("fetch token")
    assert attributes(fetch)["wxasset.source"] == "CallableToken"
    assert "CANARY" not in telemetry.everything()


async def test_a_search_is_in_its_upload(wx: WxSession, sim: Simulator, telemetry: Telemetry) -> None:
    """The listing for a lost upload is an operation in that of the upload, which notes what was found."""
    await wx.count_materials()
    sim.fail("add_material", "reset-after-commit")
    await wx.with_options(hooks=telemetry.hooks).add_material("image", PHOTO)
    upload, listing = telemetry.span("AddMaterial"), telemetry.span("ListMaterials")
    assert upload.context is not None
    assert parent(listing) == upload.context.span_id
    ((name, found),) = [(one.name, dict(one.attributes or {})) for one in upload.events]
    assert (name, found) == ("search", {"wxasset.finding": "found", "wxasset.candidates": 1})


async def test_a_cancelled_operation_ends_its_spans(server: RawServer, telemetry: Telemetry) -> None:
    """Cancellation ends both spans, marked as such, and leaves none current."""
    server.script = [forever]
    started = asyncio.Event()

    def see(event: Event) -> None:
        if isinstance(event, AttemptStarted):
            started.set()

    hooks = telemetry.hooks.also(Hooks(on_event=see))
    async with WxSession(tokens=NoToken(), base_url=server.url, hooks=hooks) as wx:
        task = asyncio.create_task(wx.count_materials())
        await asyncio.wait_for(started.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    ended = [one for one in telemetry.spans if one.name != "fetch token"]
    assert [attributes(one)["wxasset.outcome"] for one in ended] == ["cancelled", "cancelled"]
    assert {attributes(one)["error.type"] for one in ended} == {"asyncio.exceptions.CancelledError"}
    assert telemetry.hooks.around is not None
    assert telemetry.hooks.around.__self__._open == {}, "a span that has ended is not kept"  # type: ignore[attr-defined]


async def test_metrics_count_what_happened(sim: Simulator, telemetry: Telemetry) -> None:
    """Durations, attempts, retries, bytes, fetches and unknown outcomes are counted; no id is an attribute."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, hooks=telemetry.hooks) as wx:
        sim.fail("get_materialcount", "errcode:-1")
        await wx.count_materials()
        added = await wx.add_material("image", PHOTO)
        sim.fail("add_material", "reset-before-commit")
        with suppress(UploadOutcomeUnknown):
            await wx.with_options(uploads=UploadPolicy(visibility=0)).add_material("image", PHOTO)
    found = telemetry.metrics()
    assert set(found) == {
        *("wxasset.operation.duration", "wxasset.attempts", "wxasset.retries", "wxasset.sent", "wxasset.received"),
        *("wxasset.token.fetches", "wxasset.outcomes.unknown"),
    }
    count, add = ("wxasset.operation", "CountMaterials"), ("wxasset.operation", "AddMaterial")
    ok = ("wxasset.outcome", "ok")
    busy = (("error.type", "wxasset.errors.BusyError"), ("wxasset.errcode", -1), count, ("wxasset.outcome", "failed"))
    assert found["wxasset.attempts"][(count, ok)] == 1
    assert found["wxasset.attempts"][busy] == 1
    assert found["wxasset.retries"] == {(count, ("wxasset.reason", "busy")): 1}
    assert found["wxasset.sent"][(add,)] > 2 * len(PHOTO)
    assert found["wxasset.received"][(count,)] > 0
    assert found["wxasset.token.fetches"] == {(("wxasset.shared", False), ("wxasset.source", "StableToken")): 1}
    assert found["wxasset.outcomes.unknown"] == {(add,): 1}
    assert found["wxasset.operation.duration"][(count, ok)] == 1
    assert added.media_id not in str(found)


async def test_of_a_link_no_more_than_the_host_is_told(telemetry: Telemetry, server: RawServer, tmp_path: Path) -> None:
    """The address of a film is signed: its span has scheme and host; an address that is none has neither."""
    async with WxSession(tokens=NoToken(), base_url=server.url, retry=PATIENT, hooks=telemetry.hooks) as wx:
        for link in ("https://127.0.0.1/CANARYPATH?sign=CANARY", "http://["):
            with pytest.raises(WxAssetError):
                await wx.download_video(Video(title="t", description="d", down_url=link), tmp_path)
    found = [attributes(one) for one in telemetry.spans if one.kind is SpanKind.CLIENT]
    assert [(one.get("url.full"), one.get("server.port")) for one in found] == [
        ("https://127.0.0.1", 443),
        (None, None),
    ]
    assert "CANARY" not in telemetry.everything()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["token", "call"])
async def test_nothing_exported_has_a_secret(server: RawServer, telemetry: Telemetry, fault: Any, at: str) -> None:
    """Whatever a peer does, also where it repeats the request: no span and no metric shows the secret or the token."""
    server.token_script = [fault if at == "token" else token_reply()]
    server.script = [fault]
    source, quick = ClassicToken("wx1", SECRET), Timeouts(stall=0.05)
    async with WxSession(
        tokens=source, base_url=server.url, retry=PATIENT, timeouts=quick, hooks=telemetry.hooks
    ) as wx:
        for call in (wx.count_materials(), wx.add_material("image", PHOTO), wx.del_material("M")):
            with suppress(WxAssetError):
                await call
    shown = telemetry.everything()
    assert "/cgi-bin/token" in shown
    assert "CountMaterials" in shown
    assert "CANARY" not in shown
    assert TOKEN[:20] not in shown


async def test_a_wrong_secret_is_not_exported(sim: Simulator, telemetry: Telemetry) -> None:
    """Neither the simulator's refusal of a secret nor a token that it issued is to be seen in what is exported."""
    async with WxSession(sim.appid, SECRET, base_url=sim.url, hooks=telemetry.hooks) as wx:
        with pytest.raises(CredentialError):
            await wx.count_materials()
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, hooks=telemetry.hooks) as wx:
        await wx.count_materials()
        token = wx._engine.tokens._token
        for fault in ("status:503", "errcode:-1", "html", "reset-before-commit", "malformed-token", "revoke-token"):
            sim.fail("get_materialcount", fault)
            with suppress(WxAssetError):
                await wx.count_materials()
    shown = telemetry.everything()
    assert token is not None
    assert all(one not in shown for one in (SECRET, sim.secret, token.value))


async def test_without_an_sdk_nothing_happens(wx: WxSession, caplog: pytest.LogCaptureFixture) -> None:
    """With the API alone, and no provider set up, the hooks do no harm and no hook fails."""
    caplog.set_level(logging.DEBUG)
    await wx.with_options(hooks=OpenTelemetryHooks()).count_materials()
    assert not [one for one in caplog.records if one.name == "wxasset.hooks"]
