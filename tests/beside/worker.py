"""Makes all calls beside each team of instrumentors, each team in a forked process of its own.

What others patch they do not take back in full, so no two teams can share a process.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import permutations
from typing import Any, Literal

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.beside.calls import CALLS

OTHERS = {
    "official": (
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
        "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
    ),
    "traceloop": (
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
        "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
    ),
    "openinference": (
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
        "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
    ),
}
"""Who → their instrumentors."""


@dataclass(frozen=True, slots=True)
class Case:
    """Who is at work, in which order, and how we are told to treat spans."""

    team: tuple[str, ...]
    order: Literal["we-first", "we-last"] = "we-first"
    mode: Literal["auto", "own", "enrich", "off"] = "auto"

    def __str__(self) -> str:
        return "+".join((*self.team, self.order, *([] if self.mode == "auto" else [self.mode])))


TEAMS: list[tuple[str, ...]] = [*((name,) for name in OTHERS), *permutations(OTHERS, 2)]
CASES = [
    *(Case(team, order) for team in TEAMS for order in ("we-first", "we-last")),
    *(Case(team, mode=mode) for team in (("official",), ()) for mode in ("own", "enrich", "off")),
    Case(()),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A span of somebody."""

    scope: str
    name: str
    charge_id: str | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call."""

    case: str
    call: str
    error: str | None
    charges: list[tuple[str, str, int | None]]
    """(charge id, status, cost in nano-USD)"""
    open_reservations: int
    spans: list[Told]


def _instrument(name: str) -> None:
    with warnings.catch_warnings(action="ignore"):  # they use what others have deprecated
        for path in OTHERS[name]:
            module, _, kind = path.partition(":")
            getattr(import_module(module), kind)().instrument()


def _run(case: Case, url: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    os.environ["OTEL_LLMCOST_SPANS"] = case.mode
    llmcost = import_module("otel_llmcost")
    if case.order == "we-first":
        llmcost.instrument()
    for name in case.team:
        _instrument(name)
    llmcost.instrument()
    for name in CALLS:
        print(json.dumps(asdict(_outcome(case, name, url, exporter))), flush=True)


def _outcome(case: Case, name: str, url: str, exporter: InMemorySpanExporter) -> Outcome:
    exporter.clear()
    before = datetime.now(UTC)
    error: str | None = None
    try:
        CALLS[name](url)
    except Exception:  # noqa: BLE001 -- the test shows it
        error = traceback.format_exc()
    runtime: Any = import_module("otel_llmcost.instrumentation.state").runtime
    runtime.writer.flush(5)
    charges = runtime.store.charges(before, datetime.now(UTC) + timedelta(seconds=1))
    return Outcome(
        case=str(case),
        call=name,
        error=error,
        charges=[(charge.charge_id, charge.status, charge.cost_nano) for charge in charges],
        open_reservations=runtime.store.open_reservations(),
        spans=[_told(span) for span in exporter.get_finished_spans()],
    )


def _told(span: Any) -> Told:
    attributes = span.attributes
    return Told(
        scope=span.instrumentation_scope.name,
        name=span.name,
        charge_id=attributes.get("llmcost.charge.id"),
        cost_usd=attributes.get("gen_ai.usage.cost"),
    )


def main() -> None:
    """Run all cases at the provider server whose address is the only argument."""
    for case in CASES:
        if (child := os.fork()) == 0:
            try:
                _run(case, sys.argv[1])
            except BaseException:  # noqa: BLE001 -- a forked child must never go on as its parent
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
