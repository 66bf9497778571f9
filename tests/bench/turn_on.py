"""How each candidate is turned on, with its own defaults, on our pipeline."""

import importlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import wire
from pipeline import Telemetry
from subjects import write_ours

TurnOn = Callable[[Telemetry], None]


def ours(store: str) -> TurnOn:
    """Return what turns ours on, all of it, with balances in this store."""

    def turn_on(telemetry: Telemetry) -> None:
        telemetry.install()
        os.environ["OTEL_LLMCOST_CONFIG"] = write_ours(store)
        importlib.import_module("otel_llmcost").instrument()

    return turn_on


def instrumentors(*names: str) -> TurnOn:
    """Return what turns on instrumentors that follow OpenTelemetry's pattern, each named `module:Class`."""

    def turn_on(telemetry: Telemetry) -> None:
        telemetry.install()
        for name in names:
            module, _, kind = name.partition(":")
            getattr(importlib.import_module(module), kind)().instrument()

    return turn_on


def logfire(telemetry: Telemetry) -> None:
    """Turn logfire on with our pipeline in the place of its own export."""
    library = importlib.import_module("logfire")
    library.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=[telemetry.processor],
        metrics=library.MetricsOptions(additional_readers=[telemetry.reader]),
    )
    library.instrument_openai()
    library.instrument_anthropic()


def openlit(telemetry: Telemetry) -> None:
    """Turn openlit on, with prices for the two models: without a price file it asks the network for one."""
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider

    telemetry.install()
    _logs.set_logger_provider(LoggerProvider())  # else it prints its events to the console
    price = {"promptPrice": 0.00015, "completionPrice": 0.0006}
    models = (wire.OPENAI_MODEL, wire.OPENAI_SERVED, wire.ANTHROPIC_MODEL, wire.ANTHROPIC_SERVED)
    prices = Path(tempfile.mkdtemp(prefix="openlit-bench-")) / "prices.json"
    prices.write_text(json.dumps({"chat": dict.fromkeys(models, price), "embeddings": {}, "images": {}, "audio": {}}))
    importlib.import_module("openlit").init(pricing_json=str(prices))


TURN_ON: dict[str, TurnOn] = {
    "bare": Telemetry.install,
    "floor": Telemetry.install,
    "anthropic-native": Telemetry.install,
    "ours-memory": ours("memory://"),
    "ours-sqlite": ours("sqlite:///{folder}/ledger.db"),
    "genai": instrumentors(
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ),
    "openinference": instrumentors(
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "traceloop": instrumentors(
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "logfire": logfire,
    "openlit": openlit,
}
