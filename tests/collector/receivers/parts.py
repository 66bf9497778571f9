"""What stands around receivers in tests: requests, and stand-ins for what comes behind them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llmcost_collector.forwarding.base import Signal
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.otlp.errors import MalformedError
from otel_llmcost_collector.receivers.admission import Admission
from otel_llmcost_collector.receivers.door import Door
from otel_llmcost_collector.receivers.grpc import GrpcReceiver
from otel_llmcost_collector.receivers.http import HttpReceiver
from otel_llmcost_collector.receivers.intake import Intake
from otel_llmcost_collector.self_metrics import Labels, SelfMetric

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
PRICED = b" and costs"
BROKEN = "broken"


def observed(name: str = "chat", **more) -> Observed:
    """A call that cost a nano-dollar."""
    facts = {
        "charge_id": name,
        "at_us": 0,
        "duration_us": 1,
        "provider": "openai",
        "operation": "chat",
        "requested_model": "gpt-4o",
        "served_model": None,
        "tags": {"team": "said", "agent": "scraper"},
        "counts": {},
        "status": "confirmed",
        "method": "reported",
        "cost_nano": 1,
        "list_cost_nano": 1,
        "rate_id": None,
        "rate_source": None,
        "tier": "standard",
        "trace_id": None,
        "span_id": None,
        "parent_span_id": None,
        "response_id": None,
        "error_type": None,
        "source": "genai",
        "richness": 1,
    }
    return Observed(**(facts | more))


def request(*names: str) -> bytes:
    """An export request with spans of these names."""
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for name in names:
        spans.add(name=name)
    return message.SerializeToString()


def request_json(*names: str) -> bytes:
    """The same in JSON."""
    spans = [{"name": name} for name in names]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


@dataclass
class Found:
    """What the pipeline below makes of a request."""

    content: bytes
    observed: Sequence[Observed]
    spans: int
    rejected: int
    unpriced: Mapping[str, int]
    """Those named `unpriced`."""


class EachSpanIsACall:
    """A pipeline for which every span is a call, and those named `broken` cannot be read."""

    def traces(self, content: bytes, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> Found:
        try:
            message = ExportTraceServiceRequest.FromString(content)
        except DecodeError as error:
            raise MalformedError("it is no protobuf") from error
        return _found(
            content, elsewhere, [s.name for r in message.resource_spans for p in r.scope_spans for s in p.spans]
        )

    def traces_json(self, content: bytes, elsewhere: Elsewhere = NOTHING_ELSEWHERE) -> Found:
        try:
            message = json.loads(content)
        except ValueError as error:
            raise MalformedError("it is no JSON") from error
        resources = message.get("resourceSpans", [])
        return _found(content, elsewhere, [s["name"] for r in resources for p in r["scopeSpans"] for s in p["spans"]])


def _found(content: bytes, elsewhere: Elsewhere, names: list[str]) -> Found:
    calls = [observed(name) for name in names if name != BROKEN]
    unpriced = {"no usage": names.count("unpriced")}
    where = "".join(f", {name} by {elsewhere[name]}" for name in names if name in elsewhere)
    return Found(content + PRICED + where.encode(), calls, len(names), len(names) - len(calls), unpriced)


@dataclass
class Books:
    """Keeps what was posted."""

    posted: list[Observed] = field(default_factory=list)
    error: Exception | None = None
    elsewhere: Elsewhere = field(default_factory=dict)

    async def post(self, observed: Sequence[Observed]) -> Elsewhere:
        if self.error is not None:
            raise self.error
        self.posted += observed
        return self.elsewhere

    @property
    def names(self) -> list[str]:
        return [each.charge_id for each in self.posted]


@dataclass
class Sink:
    """Keeps what was handed on."""

    taken: list[tuple[Signal, bytes, bool]] = field(default_factory=list)
    error: Exception | None = None
    has_any: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, signal: Signal, content: bytes, is_json: bool = False) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append((signal, content, is_json))
        self.has_any.set()

    async def close(self, drain_seconds: float) -> None: ...

    def figures(self) -> None: ...


@dataclass
class Parts:
    """Receivers with all that is behind them."""

    books: Books = field(default_factory=Books)
    sink: Sink = field(default_factory=Sink)
    admission: Admission = field(default_factory=Admission)
    door: Door = field(default_factory=Door)
    most_unpacked_bytes: int = 1_000_000
    most_body_bytes: int = 100_000

    def __post_init__(self) -> None:
        self.intake = Intake(EachSpanIsACall(), self.books, self.sink, most_unpacked_bytes=self.most_unpacked_bytes)
        self.http = HttpReceiver(self.intake, self.admission, self.door, most_body_bytes=self.most_body_bytes)
        self.grpc = GrpcReceiver(self.intake, self.admission, self.door)

    def counted(self, metric: SelfMetric) -> dict[Labels, int]:
        return self.intake.counters.counts.get(metric, {})
