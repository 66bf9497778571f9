"""All of them at once, as `opentelemetry-instrument` loads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from examples.provider_server import ProviderServer
from tests.beside.calls import MESSAGE
from tests.beside.teams import IS_OLDER

AGENT = f"""
import anthropic, json
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import otel_llmcost
exporter = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
with anthropic.Anthropic() as client:
    client.messages.create(**{MESSAGE!r})
spans = exporter.get_finished_spans()
told = [[span.instrumentation_scope.name, span.attributes.get("gen_ai.usage.cost")] for span in spans]
print(json.dumps([otel_llmcost.summary()["cost_usd"], told]))
"""

HTTP = ("opentelemetry.instrumentation.httpx",)
"""A request's span, which costs nothing by itself."""
SCOPES = (
    "com.anthropic.sdk.python",
    "opentelemetry.instrumentation.anthropic",
    "opentelemetry.instrumentation.genai.anthropic",
    "openinference.instrumentation.anthropic",
    *HTTP,
)
OLDER_SCOPES = ("otel_llmcost", *HTTP)
"""openlit does without the launcher."""


def test_one_charge_on_every_span(tmp_path: Path) -> None:
    """Here we come first, before the program has imported an SDK."""
    with ProviderServer() as server:
        environ = {
            **os.environ,
            **server.environment,
            **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
            "OTEL_LLMCOST_STORE": f"sqlite:///{tmp_path}/ledger.db",
        }
        command = [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "-c", AGENT]
        done = subprocess.run(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, timeout=60, check=True)

    cost_usd, spans = json.loads(done.stdout)
    assert float(cost_usd) > 0
    assert Counter(scope for scope, _ in spans) == Counter(OLDER_SCOPES if IS_OLDER else SCOPES)
    assert {scope: cost for scope, cost in spans if cost != float(cost_usd)} == dict.fromkeys(HTTP, None)
