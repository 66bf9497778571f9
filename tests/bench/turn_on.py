"""How each candidate is turned on, with its own defaults, on our pipeline."""

import importlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from answers import MODELS, SERVED
from pipeline import Telemetry
from subjects import write_ours

TurnOn = Callable[[Telemetry, str], None]
"""Turns a candidate on for one SDK."""


def ours(store: str, config: str | None = None) -> TurnOn:
    """Return what turns ours on, all of it, with balances in this store; or as this file of settings says."""

    def turn_on(telemetry: Telemetry, _sdk: str) -> None:
        telemetry.install()
        os.environ["OTEL_LLMCOST_CONFIG"] = config or write_ours(store)
        importlib.import_module("otel_llmcost").instrument()
        telemetry.settle = _come_to_rest

    return turn_on


def _come_to_rest() -> None:
    """Write what is waiting for the store, and do no more chores: what of them falls into a count is chance."""
    driver = importlib.import_module("otel_llmcost.instrumentation.runtime").driver()
    if driver is not None:
        driver.chores.close()
        driver.writer.flush(60)


def instrumentors(**names: str) -> TurnOn:
    """Return what turns on the instrumentor of an SDK that follows OpenTelemetry's pattern, named `module:Class`."""

    def turn_on(telemetry: Telemetry, sdk: str) -> None:
        telemetry.install()
        module, _, kind = names[sdk.replace("-", "_")].partition(":")
        getattr(importlib.import_module(module), kind)().instrument()

    return turn_on


def nothing(telemetry: Telemetry, _sdk: str) -> None:
    """Turn nothing on: the program itself writes to the pipeline."""
    telemetry.install()


def logfire(telemetry: Telemetry, sdk: str) -> None:
    """Turn logfire on with our pipeline in the place of its own export."""
    library = importlib.import_module("logfire")
    library.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=[telemetry.processor],
        metrics=library.MetricsOptions(additional_readers=[telemetry.reader]),
    )
    getattr(library, f"instrument_{sdk.replace('-', '_')}")()


def openlit(telemetry: Telemetry, sdk: str) -> None:
    """Turn openlit on, with a price for the model: without a price file it asks the network for one."""
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider

    telemetry.install()
    _logs.set_logger_provider(LoggerProvider())  # else it prints its events to the console
    price = {"promptPrice": 0.00015, "completionPrice": 0.0006}
    models = (MODELS[sdk], SERVED.get(sdk, MODELS[sdk]))
    prices = Path(tempfile.mkdtemp(prefix="openlit-bench-")) / "prices.json"
    prices.write_text(json.dumps({"chat": dict.fromkeys(models, price), "embeddings": {}, "images": {}, "audio": {}}))
    importlib.import_module("openlit").init(pricing_json=str(prices))


TURN_ON: dict[str, TurnOn] = {
    "bare": nothing,
    "floor": nothing,
    "anthropic-native": nothing,
    "ours-memory": ours("memory://"),
    "ours-sqlite": ours("sqlite:///{folder}/ledger.db"),
    "genai": instrumentors(
        openai="opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        anthropic="opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
        bedrock="opentelemetry.instrumentation.genai.bedrock:BedrockInstrumentor",
        google_genai="opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
    ),
    "openinference": instrumentors(
        openai="openinference.instrumentation.openai:OpenAIInstrumentor",
        anthropic="openinference.instrumentation.anthropic:AnthropicInstrumentor",
        google_genai="openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
        mistralai="openinference.instrumentation.mistralai:MistralAIInstrumentor",
        cohere="openinference.instrumentation.cohere:CohereInstrumentor",
        bedrock="openinference.instrumentation.bedrock:BedrockInstrumentor",
        groq="openinference.instrumentation.groq:GroqInstrumentor",
        ollama="openinference.instrumentation.ollama:OllamaInstrumentor",
        litellm="openinference.instrumentation.litellm:LiteLLMInstrumentor",
    ),
    "traceloop": instrumentors(
        openai="opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        anthropic="opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
        google_genai="opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
        mistralai="opentelemetry.instrumentation.mistralai:MistralAiInstrumentor",
        bedrock="opentelemetry.instrumentation.bedrock:BedrockInstrumentor",
        groq="opentelemetry.instrumentation.groq:GroqInstrumentor",
        ollama="opentelemetry.instrumentation.ollama:OllamaInstrumentor",
        litellm="opentelemetry.instrumentation.litellm:LiteLLMInstrumentor",
    ),
    "logfire": logfire,
    "openlit": openlit,
}
