"""Who else makes spans of LLM calls, and how those are known."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from opentelemetry.sdk.trace import ReadableSpan

from otel_llmcost.telemetry import semconv

FOREIGN_SCOPES = (
    "com.anthropic.sdk.python",
    "opentelemetry.instrumentation.genai",
    "opentelemetry.util.genai",
    *(
        f"opentelemetry.instrumentation.{sdk}"
        for sdk in (
            *("openai", "anthropic", "google_genai", "google_generativeai", "vertexai", "bedrock", "botocore.bedrock"),
            *("mistralai", "cohere", "groq", "together", "ollama", "replicate", "watsonx", "writer", "sagemaker"),
            *("langchain", "llamaindex", "haystack"),
        )
    ),
    "openinference.instrumentation",
    "openlit",
    "logfire",
    "mistralai_sdk_tracer",
)
"""Scopes, by their beginning, whose spans are (also) LLM calls."""

MADE_AFTERWARDS: Mapping[str, str] = {"litellm_request": "litellm.call_id"}
"""Name of a span that a broker makes of a call when it is over → attribute in which it names the call."""

_BEDROCK_INSTRUMENTORS = (
    ("opentelemetry.instrumentation.genai.bedrock", "BedrockInstrumentor"),
    ("opentelemetry.instrumentation.bedrock", "BedrockInstrumentor"),
    ("opentelemetry.instrumentation.botocore", "BotocoreInstrumentor"),
    ("openinference.instrumentation.bedrock", "BedrockInstrumentor"),
)
FOREIGN_INSTRUMENTORS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "openai": (
        ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
        ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
        ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
        ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
        ("openlit.instrumentation.openai", "OpenAIInstrumentor"),
    ),
    "anthropic": (
        ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
        ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
        ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
        ("openlit.instrumentation.anthropic", "AnthropicInstrumentor"),
    ),
    "google-genai": (
        ("opentelemetry.instrumentation.google_genai", "GoogleGenAiSdkInstrumentor"),
        ("opentelemetry.instrumentation.google_generativeai", "GoogleGenerativeAiInstrumentor"),
        ("openinference.instrumentation.google_genai", "GoogleGenAIInstrumentor"),
        ("openlit.instrumentation.google_ai_studio", "GoogleAIStudioInstrumentor"),
    ),
    "botocore": _BEDROCK_INSTRUMENTORS,
    "botocore.converse": (*_BEDROCK_INSTRUMENTORS, ("openlit.instrumentation.bedrock", "BedrockInstrumentor")),
    "aiobotocore": (("opentelemetry.instrumentation.botocore", "AiobotocoreInstrumentor"),),
}
"""SDK → modules and classes of others that make a span per call of it."""

FOREIGN_MARKS: Mapping[str, tuple[str, str, str]] = {
    "openai": ("openai", "OpenAI", "_is_instrumented_by_logfire"),
    "anthropic": ("anthropic", "Anthropic", "_is_instrumented_by_logfire"),
}
"""SDK → its module, a class in it, and what those who have no instrumentor leave on that."""

_OPERATIONS: Mapping[str, frozenset[str]] = {
    "opentelemetry.instrumentation.genai.openai": frozenset({"chat", "embeddings"}),
    "opentelemetry.instrumentation.openai": frozenset({"chat", "text_completion", "embeddings"}),
    "opentelemetry.instrumentation.openai_v2": frozenset({"chat", "embeddings"}),
    "opentelemetry.instrumentation.google_genai": frozenset({"generate_content", "embeddings"}),
    "opentelemetry.instrumentation.google_generativeai": frozenset({"generate_content"}),
    "openinference.instrumentation.google_genai": frozenset({"generate_content", "embeddings"}),
    "openlit.instrumentation.google_ai_studio": frozenset({"generate_content"}),
}
"""Module → what alone it makes a span for; left out: all that its SDK does."""

INFERENCE: Mapping[str, frozenset[str]] = {
    semconv.OPERATION: frozenset({"chat", "text_completion", "generate_content", "embeddings", "rerank"}),
    semconv.OPENINFERENCE_KIND: frozenset({"LLM", "EMBEDDING", "RERANKER"}),
}
"""Attribute → what it says where a span is one call; those of agents, tools and workflows hold many."""


def is_instrumented_by_others(sdk: str, operation: str) -> bool:
    """Tell whether another instrumentor makes spans of an SDK's calls in this process."""
    modules = sys.modules
    for module, name in FOREIGN_INSTRUMENTORS.get(sdk, ()):
        if module in modules and operation in _OPERATIONS.get(module, (operation,)):
            instance = getattr(getattr(modules[module], name, None), "_instance", None)
            if getattr(instance, "is_instrumented_by_opentelemetry", False):
                return True
    module, name, mark = FOREIGN_MARKS.get(sdk, ("", "", ""))
    return module in modules and getattr(getattr(modules[module], name, None), mark, False) is True


def is_inference(span: ReadableSpan) -> bool:
    """Tell whether a span may be one call, by what it says so far."""
    attributes = span.attributes or {}
    return all(attributes[name] in kinds for name, kinds in INFERENCE.items() if name in attributes)
