"""Makes all calls beside each team of instrumentors, each team in a forked process of its own.

What others patch they do not take back in full, so no two teams can share a process.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.beside.calls import CALLS
from tests.beside.calls_more import CALLS_MORE
from tests.beside.kinds import MISTYPED
from tests.beside.teams import CASES, IS_OLDER, OTHERS, Case, is_usable

if IS_OLDER:
    from tests.beside.calls_litellm import CALLS_LITELLM as CALLS_THROUGH_OTHERS
else:
    from tests.beside.calls_frameworks import CALLS_FRAMEWORKS as CALLS_THROUGH_OTHERS

_CALLS_OF_FEW = {**CALLS_MORE, **CALLS_THROUGH_OTHERS}
_OPERATIONS = {"chat", "text_completion", "generate_content", "embeddings", "rerank"}
_KINDS = {"LLM", "EMBEDDING", "RERANKER"}


def calls_of(case: Case) -> dict[str, Callable[[str], None]]:
    """Return what is called in a case: all that there is, but beside two at once in one of the orders only."""
    is_full = case.mode == "auto" and (len(case.team) < 2 or case.order == "we-last")
    calls = {**CALLS, **_CALLS_OF_FEW} if is_full else CALLS
    return {name: call for name, call in calls.items() if is_usable(case, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A span of somebody."""

    scope: str
    name: str
    charge_id: str | None
    cost_usd: float | None
    is_call: bool
    """It says that it is one call to a model, not a request, an agent or a chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call."""

    case: str
    call: str
    error: str | None
    mistyped: list[str]
    charges: list[tuple[str, str, int | None]]
    """(charge id, status, cost in nano-USD)"""
    open_reservations: int
    spans: list[Told]


def _instrument(name: str) -> None:
    with warnings.catch_warnings(action="ignore"):  # they use what others have deprecated
        for path in OTHERS[name]:
            module, _, kind = path.partition(":")
            getattr(import_module(module), kind)().instrument()


def _provide(exporter: InMemorySpanExporter, *, by_logfire: bool) -> None:
    processor = SimpleSpanProcessor(exporter)
    if by_logfire:
        logfire: Any = import_module("logfire")
        logfire.configure(
            send_to_logfire=False, console=False, inspect_arguments=False, additional_span_processors=[processor]
        )
    else:
        provider = TracerProvider()
        provider.add_span_processor(processor)
        trace.set_tracer_provider(provider)


def _run(case: Case, url: str) -> None:
    exporter = InMemorySpanExporter()
    _provide(exporter, by_logfire="logfire" in case.team)
    os.environ["OTEL_LLMCOST_SPANS"] = case.mode
    llmcost = import_module("otel_llmcost")
    if case.order == "we-first":
        llmcost.instrument()
    for name in case.team:
        _instrument(name)
    llmcost.instrument()
    for name, call in calls_of(case).items():
        print(json.dumps(asdict(_outcome(case, name, lambda: call(url), exporter))), file=_OUT, flush=True)  # noqa: B023


def _outcome(case: Case, name: str, call: Callable[[], None], exporter: InMemorySpanExporter) -> Outcome:
    exporter.clear()
    MISTYPED.clear()
    before = datetime.now(UTC)
    error: str | None = None
    try:
        call()
    except Exception:  # noqa: BLE001 -- the test shows it
        error = traceback.format_exc()
    runtime: Any = import_module("otel_llmcost.instrumentation.state").runtime
    runtime.writer.flush(5)
    charges = runtime.store.charges(before, datetime.now(UTC) + timedelta(seconds=1))
    return Outcome(
        case=str(case),
        call=name,
        error=error,
        mistyped=list(MISTYPED),
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
        cost_usd=attributes.get("llmcost.estimated.cost", attributes.get("gen_ai.usage.cost")),
        is_call=_is_call(span),
    )


def _is_call(span: Any) -> bool:
    """Tell whether a span is about one call; traceloop's of ollama says so by a name of its own."""
    attributes = span.attributes
    if span.name.startswith("streaming response"):  # logfire's second one, a line of its log
        return False
    return (
        attributes.get("gen_ai.operation.name") in _OPERATIONS
        or attributes.get("openinference.span.kind") in _KINDS
        or "llm.request.type" in attributes
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


_OUT = sys.stdout

if __name__ == "__main__":
    main()
