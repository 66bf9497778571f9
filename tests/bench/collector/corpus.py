"""Requests to export traces, as a fleet of agents sends them: 30 % of the spans tell of calls, the others do not.

What is sent together began within ten seconds, and a hundred requests come in a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

PAYLOADS = 16
SPANS = 512
SMALL = 16
RESOURCES = 16
TELLING = 0.30
FAILED = 0.05
CONTENT_SIZE = 2048
START_NS = 1_780_000_000_000_000_000
WITHIN_NS = 10 * 10**9
EVERY_NS = 10**7
HOUR_NS = 3600 * 10**9
MODELS = (
    ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("openai", "o3", "o3-2025-04-16"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash"),
)
SETS = ("base", "content", "multi", "small")


def payloads(name: str, count: int = PAYLOADS, seed: int = 1) -> list[bytes]:
    """Make the requests of a set: `base`, `content` with prompts and answers, `multi` with 16 resources, `small`."""
    random, since = Random(f"{name}-{seed}"), START_NS + seed % 24 * HOUR_NS
    made = [request(random, name) for _ in range(count)]
    for number, each in enumerate(made):
        for span in (span for of in each.resource_spans for scope in of.scope_spans for span in scope.spans):
            _move(span, since + number * EVERY_NS)
    return [each.SerializeToString() for each in made]


def request(random: Random, name: str) -> ExportTraceServiceRequest:
    """Make one request, whose times begin at 0."""
    spans = SMALL if name == "small" else SPANS
    resources = RESOURCES if name == "multi" else 1
    return ExportTraceServiceRequest(
        resource_spans=[
            _of_resource(random, f"agent-{number}", spans // resources, has_content=name == "content")
            for number in range(resources)
        ]
    )


def _of_resource(random: Random, service: str, spans: int, *, has_content: bool) -> ResourceSpans:
    attributes = {
        "service.name": service,
        "service.version": "1.4.2",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.1",
        "deployment.environment.name": "production",
    }
    telling = round(spans * TELLING)
    made = [_call(random, has_content=has_content) for _ in range(telling)]
    made += [_other(random) for _ in range(spans - telling)]
    random.shuffle(made)
    of_scope = ScopeSpans(
        scope=InstrumentationScope(name="opentelemetry.instrumentation.genai.openai", version="1.3b0"),
        spans=made,
        schema_url="https://opentelemetry.io/schemas/1.37.0",
    )
    return ResourceSpans(resource=Resource(attributes=list(_attributes(attributes))), scope_spans=[of_scope])


def _call(random: Random, *, has_content: bool) -> Span:
    provider, requested, served = random.choice(MODELS)
    attributes: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": requested,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.response.model": served,
        "gen_ai.response.id": f"chatcmpl-{random.getrandbits(116):029x}",
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.usage.input_tokens": (total := random.randint(100, 6000)),
        "gen_ai.usage.output_tokens": random.randint(10, 1500),
        "gen_ai.usage.cache_read.input_tokens": random.randint(0, total // 2),
        "gen_ai.agent.name": f"agent-{random.randint(1, 12)}",
        "gen_ai.conversation.id": f"conversation-{random.randint(1, 5000)}",
        "user.id": f"u-{random.randint(1, 300)}",
        "server.address": "api.example.com",
        "server.port": 443,
    }
    if has_content:
        attributes["gen_ai.input.messages"] = _text(random)
        attributes["gen_ai.output.messages"] = _text(random)
    return _span(random, f"chat {requested}", attributes)


def _other(random: Random) -> Span:
    attributes: dict[str, object] = {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": f"https://service.example.com/v1/items/{random.randint(1, 99999)}",
        "server.address": "service.example.com",
        "server.port": 443,
        "network.protocol.version": "1.1",
        "db.system.name": "postgresql",
        "db.query.text": "SELECT id, name FROM items WHERE owner = $1 ORDER BY created LIMIT 50",
    }
    return _span(random, "POST /v1/items", attributes)


def _span(random: Random, name: str, attributes: Mapping[str, object]) -> Span:
    start = random.randint(0, WITHIN_NS)
    span = Span(
        trace_id=random.randbytes(16),
        span_id=random.randbytes(8),
        parent_span_id=random.randbytes(8),
        name=name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + random.randint(10**7, 10**10),
        attributes=list(_attributes(attributes)),
    )
    if random.random() < FAILED:
        facts = {"exception.type": "TimeoutError", "exception.message": "the other side did not answer in time"}
        span.events.add(name="exception", time_unix_nano=start, attributes=list(_attributes(facts)))
    return span


def _move(span: Span, by_ns: int) -> None:
    span.start_time_unix_nano += by_ns
    span.end_time_unix_nano += by_ns
    for event in span.events:
        event.time_unix_nano += by_ns


def _attributes(values: Mapping[str, object]) -> Iterator[KeyValue]:
    for key, value in values.items():
        match value:
            case str():
                yield KeyValue(key=key, value=AnyValue(string_value=value))
            case int():
                yield KeyValue(key=key, value=AnyValue(int_value=value))
            case _:
                yield KeyValue(key=key, value=AnyValue(double_value=float(str(value))))


def _text(random: Random) -> str:
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz      ,.", k=CONTENT_SIZE))
