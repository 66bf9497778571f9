"""Who is recorded, and how each is started; run in the virtual environment that has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from tests.beside.teams import OTHERS


def _instrumented(name: str) -> Callable[[Any], None]:
    def start(_exporter: Any) -> None:
        for path in OTHERS[name]:
            module, _, kind = path.partition(":")
            getattr(import_module(module), kind)().instrument()

    return start


def _logfire(exporter: Any) -> None:
    logfire: Any = import_module("logfire")
    processors: Any = import_module("opentelemetry.sdk.trace.export")
    logfire.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        additional_span_processors=[processors.SimpleSpanProcessor(exporter)],
    )
    logfire.instrument_openai()
    logfire.instrument_anthropic()


def _botocore(_exporter: Any) -> None:
    import_module("opentelemetry.instrumentation.botocore").BotocoreInstrumentor().instrument()


def _ours(_exporter: Any) -> None:
    os.environ.update(OTEL_LLMCOST_STORE="memory://", OTEL_LLMCOST_SPANS="own", OTEL_LLMCOST_CONFIG=os.devnull)
    import_module("otel_llmcost").instrument()


def _ours_on_theirs(exporter: Any) -> None:
    os.environ.update(OTEL_LLMCOST_STORE="memory://", OTEL_LLMCOST_SPANS="auto", OTEL_LLMCOST_CONFIG=os.devnull)
    import_module("otel_llmcost").instrument()
    START["traceloop"](exporter)


def _litellm_otel(_exporter: Any) -> None:
    litellm: Any = import_module("litellm")
    otel: Any = import_module("litellm.integrations.opentelemetry")
    litellm.callbacks = [otel.OpenTelemetry(otel.OpenTelemetryConfig(exporter="none"))]


def _langsmith(_exporter: Any) -> None:
    os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_OTEL_ENABLED="true", LANGSMITH_OTEL_ONLY="true")
    os.environ.update(LANGSMITH_API_KEY="k", LANGSMITH_PROJECT="recorded", LANGSMITH_ENDPOINT="http://127.0.0.1:9")


def _pydantic_ai(_exporter: Any) -> None:
    import_module("pydantic_ai").Agent.instrument_all()


START: Mapping[str, Callable[[Any], None]] = {
    **{name: _instrumented(name) for name in ("official", "traceloop", "openinference", "openlit", "litellm")},
    "logfire": _logfire,
    "botocore": _botocore,
    "langsmith": _langsmith,
    "litellm-otel": _litellm_otel,
    "native": lambda _: None,
    "mistral-native": lambda _: os.environ.update(MISTRAL_SDK_TELEMETRY="global"),
    "google-adk": lambda _: None,
    "pydantic-ai": _pydantic_ai,
    "ours": _ours,
    "ours-on-traceloop": _ours_on_theirs,
}

LATE: Mapping[str, float] = {"langsmith": 2.0, "litellm-otel": 1.0}
"""Who makes spans in a thread of its own → seconds it is given for them."""

VERCEL = (
    *("chat", "chat-cached", "chat-stream-cached", "response-cached"),
    *("claude", "claude-cached", "claude-5m", "claude-stream-cached", "embedding"),
)
"""What `vercel.mjs` calls."""

ONLY: Mapping[str, tuple[str, ...]] = {
    "google-adk": ("adk",),
    "langsmith": ("langchain",),
    "litellm-otel": ("litellm",),
    "native": ("claude",),
    "mistral-native": ("mistral",),
    "pydantic-ai": ("pydantic-ai",),
}
"""Sender → beginnings of the names of the calls that are made beside it; left out: all."""
