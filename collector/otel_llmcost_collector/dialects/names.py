"""What instrumentors call things, and what we do: units, operations, whom a call is for."""

from __future__ import annotations

from collections.abc import Mapping

from otel_llmcost.core.attribution import SAID, Dimension
from otel_llmcost.core.usage import UNITS, Unit
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.dialects.row import Names

USAGE = "gen_ai.usage."
"""What names of counts begin with."""

_OTHERS: Mapping[Unit, Names] = {
    "input_tokens": (USAGE + "prompt_tokens",),
    "output_tokens": (USAGE + "completion_tokens",),
    "cache_read_tokens": (
        USAGE + "cache_read_input_tokens",
        USAGE + "details.cache_read_tokens",
        USAGE + "input_tokens.cached",
        USAGE + "cached_tokens",
    ),
    "cache_write_tokens": (
        USAGE + "cache_creation.input_tokens",
        USAGE + "cache_write_input_tokens",
        USAGE + "cache_creation_input_tokens",
        USAGE + "details.cache_write_tokens",
        USAGE + "input_tokens.cache_write",
    ),
    "reasoning_tokens": (
        USAGE + "reasoning_tokens",
        USAGE + "reasoning_output_tokens",
        USAGE + "details.reasoning_tokens",
        USAGE + "output_tokens.reasoning",
        "llm.usage.reasoning_tokens",
    ),
    "input_audio_tokens": (USAGE + "details.input_audio_tokens",),
    "output_audio_tokens": (USAGE + "details.output_audio_tokens",),
    "web_searches": (USAGE + "details.web_search_requests",),
}
COUNTS: Mapping[Unit, Names] = {unit: (semconv.USAGE[unit], *_OTHERS.get(unit, ())) for unit in UNITS}
"""Unit → its names, the standard's of today first."""

TOTALS: Names = (USAGE + "total_tokens", "llm.usage.total_tokens")

OPERATIONS: Mapping[str, str] = {
    **{
        name: name
        for name in (
            *("chat", "text_completion", "generate_content", "embeddings", "rerank"),
            *("image_generation", "speech", "transcription", "ocr", "video_generation", "moderation"),
        )
    },
    **dict.fromkeys(("message", "messages", "response", "responses"), "chat"),
    **dict.fromkeys(("chat.completions", "chat.streaming_completions"), "chat"),  # Semantic Kernel
    **dict.fromkeys(("completion", "completions", "text.completions", "text.streaming_completions"), "text_completion"),
    **dict.fromkeys(("embedding", "embed"), "embeddings"),
    **dict.fromkeys(("image", "images", "image_edit", "image_variation"), "image_generation"),
    **dict.fromkeys(("audio", "text_to_speech"), "speech"),
    **dict.fromkeys(("audio_transcription", "speech_to_text", "translation"), "transcription"),
    **dict.fromkeys(("reranking", "reranker"), "rerank"),
}
"""What is paid by the call, by the names it goes by. Agents, workflows and tools hold calls that are told apart."""

_WHO: Mapping[Dimension, Names] = {
    "agent": ("agent.name", "agent_name"),
    "user": ("enduser.id", "gen_ai.user", "gen_ai.user.id"),
    "session": ("gen_ai.conversation.id", "thread.id"),
    "workflow": (),
    "environment": ("deployment.environment", "gen_ai.environment"),
}
TAGS: Mapping[Dimension, Names] = {
    dimension: (semconv.TAGS[dimension], f"llmcost.{dimension}", *_WHO.get(dimension, ())) for dimension in SAID
}
"""Dimension → its names on spans and resources; whoever runs the program, its service's name, is none of them."""

LEGACY_OPERATION: Names = (semconv.OPERATION, "llm.request.type")
CLAUDE = frozenset({"anthropic", "aws.bedrock"})
"""Providers that tell cached tokens beside the input."""
INCLUSIVE = "inside the input"
NO_DURATION = "for how long Claude's cache is written: such costs are estimates"
"""For people."""
