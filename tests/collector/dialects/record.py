"""Record what real instrumentors emit, beside what the provider really told: run by hand, see `README.md`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from examples.provider_server import ProviderServer
from otel_llmcost.adapters import APIS, SDKS
from otel_llmcost.adapters.directory import Directory, agent_of
from tests.collector.dialects.calls import CALLS, PAID, RULES
from tests.collector.dialects.senders import LATE, ONLY, START, VERCEL

SPANS = Path(__file__).with_name("spans")
_RESOURCE = Resource({"service.name": "recorded", "deployment.environment.name": "test"})
_DIRECTORY = Directory((*SDKS, *APIS))
_USAGE_NAMES = ("usage", "usageMetadata", "meta")


def record_vercel(sender: str, folder: str) -> None:
    """Make the calls of `vercel.mjs` with the packages of a folder."""
    lines: list[dict[str, Any]] = []
    with ProviderServer(RULES) as server:
        for name in VERCEL:
            server.clear()
            command = ["node", str(Path(__file__).with_name("vercel.mjs")), server.url, name]
            done = subprocess.run([*command, sender.rpartition("-")[2]], cwd=folder, capture_output=True, check=True)
            told = json.loads(done.stdout.splitlines()[-1])
            resource = [
                {"resource": {"attributes": _attributes(_RESOURCE.attributes)}, "scopeSpans": told["scopeSpans"]}
            ]
            lines.append({"call": name, "truth": _truth(server, name, told["id"]), "resourceSpans": resource})
    packages = json.loads((Path(folder) / "package.json").read_text())["dependencies"]
    _write(sender, sorted(f"{name} {version}" for name, version in packages.items()), lines)


def record(sender: str) -> None:
    """Make all calls beside one instrumentor, and write down its spans and the truth, one call a line."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=_RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    lines: list[dict[str, Any]] = []
    with ProviderServer(RULES) as server:
        with warnings.catch_warnings(action="ignore"):  # they use what others have deprecated
            if sender != "logfire":
                trace.set_tracer_provider(provider)
            START[sender](exporter)
        for name, call in CALLS.items():
            if name.startswith(ONLY.get(sender, "")):
                exporter.clear()
                server.clear()
                response_id = _made(name, call, server.url)
                time.sleep(LATE.get(sender, 0))
                spans = exporter.get_finished_spans()
                lines.append({"call": name, "truth": _truth(server, name, response_id), **_as_otlp(spans)})
                print(f"{name:28} {len(spans)} {lines[-1]['truth']}")
    versions = sorted(f"{each.name}=={each.version}" for each in distributions() if _is_told(each.name))
    _write(sender, versions, lines)


def _write(sender: str, versions: list[str], lines: list[dict[str, Any]]) -> None:
    (SPANS / f"{sender}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [{"with": versions}, *lines]))


def _is_told(name: str | None) -> bool:
    words = ("instrumentation", "openai", "anthropic", "genai", "boto3", "mistral", "cohere", "groq", "litellm")
    return any(
        word in (name or "") for word in (*words, "openlit", "logfire", "pydantic-ai", "google-adk", "langsmith")
    )


def _made(name: str, call: Any, url: str) -> str | None:
    try:
        return call(url)
    except Exception:  # noqa: BLE001 -- some instrumentors break some calls; what they emitted counts all the same
        print(f"{name} failed: {traceback.format_exc().splitlines()[-1]}")
        return None


def _truth(server: ProviderServer, name: str, response_id: str | None) -> list[dict[str, Any]]:
    """Say what the provider told, canonically; of each request that arrived."""
    told: list[dict[str, Any]] = []
    for exchange in server.requests:
        found = _DIRECTORY.find("", exchange.path, agent_of(exchange.headers))
        if found is None:
            continue
        seen: dict[str, float] = {}
        usage = dict(exchange.usage or {})
        if found.provider == "cohere" and "billed_units" not in usage:
            usage = {"billed_units": usage}
        found.endpoint.usage.note({**usage, **dict.fromkeys(_USAGE_NAMES, usage)}, seen)
        counted = found.endpoint.usage.usage(seen)
        told.append(
            {
                "operation": found.endpoint.operation,
                "provider": PAID.get(name, found.provider),
                "model": found.model or exchange.body.get("model"),
                "counts": dict(counted.counts) if counted and exchange.status == 200 else {},
                "status": None if exchange.status is None else int(exchange.status),
                "tier": exchange.body.get("service_tier"),
                "response_id": response_id,
            }
        )
    return told


def _as_otlp(spans: Iterable[ReadableSpan]) -> dict[str, Any]:
    """Return spans as OTLP/JSON, in their order of ending, each scope by itself."""
    scopes = [
        {
            "scope": {"name": span.instrumentation_scope.name, "version": span.instrumentation_scope.version or ""},
            "spans": [_span(span)],
        }
        for span in spans
        if span.instrumentation_scope is not None
    ]
    return {"resourceSpans": [{"resource": {"attributes": _attributes(_RESOURCE.attributes)}, "scopeSpans": scopes}]}


def _span(span: ReadableSpan) -> dict[str, Any]:
    context: Any = span.context
    return {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        **({"parentSpanId": f"{span.parent.span_id:016x}"} if span.parent else {}),
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
        "status": {"code": span.status.status_code.value},
    }


def _attributes(attributes: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items() if not key.endswith(".vector")]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case _:
            return {"arrayValue": {"values": [_value(each) for each in value]}}


if __name__ == "__main__":
    if sys.argv[1].startswith("vercel"):
        record_vercel(*sys.argv[1:])
    else:
        record(sys.argv[1])
