"""Where each dialect keeps a request's input, and what it adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from otel_llmcost.core import asked
from otel_llmcost.core.blocks import KEYS
from otel_llmcost.core.body import BodyWalk, Fields, Keys
from otel_llmcost.core.cloud_blocks import BEDROCK_KEYS, GEMINI_KEYS


class Shape(NamedTuple):
    """Where a dialect keeps its input, and what it adds to it."""

    first: tuple[Callable[[BodyWalk, Fields], None], ...] = ()
    """What is to be looked at before the rest."""
    messages: str = ""
    per_message: int = 0
    content: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    """Schemas that are shown to the model."""
    schema_share: float = 1.0
    """What is left of a schema's JSON in the form that the model reads."""
    elsewhere: tuple[str, ...] = ()
    """If one of these is set, part of the input lies at the provider."""
    base: int = 0
    keys: Keys = KEYS
    told_by: Callable[[Fields], str] | None = None
    """Names the dialect that a body is really written in."""


def _invoked(body: Fields) -> str:
    """Tell by its fields whose format a body sent to Bedrock has: that of the model's own maker."""
    if "anthropic_version" in body:
        return "anthropic.messages"
    if "query" in body and "documents" in body:
        return "cohere.rerank"
    if "texts" in body or "inputs" in body or "input_type" in body:
        return "cohere.embed"
    return "cohere.chat" if "message" in body else "bedrock.native"


# OpenAI's cookbook, "How to count tokens with tiktoken": 3 tokens a message and 1 its role, 1 a name, 3 that begin the
# answer; by its rule for functions, typical ones take 0.45 to 0.7 of their JSON's tokens.
# Anthropic's "Token counting": "Hello, world" takes 10 tokens, "Hello, Claude" with a system prompt of four 14.
# Google's "Understand and count tokens": "Hi my name is Bob" and "Hi Bob!", 8 of text, take 10.
# Cohere bills text alone ("billed units"). Models that anybody runs frame messages about as OpenAI's do.
_CHAT = Shape(
    messages="messages",
    structures=("tools", "functions", "response_format"),
    per_message=4,
    base=3,
    schema_share=0.55,
)
_CONVERSE = Shape(
    messages="messages",
    content=("system",),
    structures=("toolConfig",),
    elsewhere=("promptVariables",),
    per_message=4,
    base=3,
    first=(asked.bedrock_tools,),
    keys=BEDROCK_KEYS,
)
_GEMINI = Shape(
    messages="contents",
    content=("systemInstruction", "system_instruction"),
    structures=("tools",),
    elsewhere=("cachedContent", "cached_content"),
    per_message=1,
    first=(asked.gemini_settings,),
    keys=GEMINI_KEYS,
)
SHAPES: Mapping[str, Shape] = {
    "openai.chat": _CHAT,
    "openai.responses": Shape(
        messages="input",
        content=("instructions",),
        structures=("tools", "text"),
        elsewhere=("previous_response_id", "conversation", "prompt"),
        per_message=4,
        base=3,
        schema_share=0.55,
    ),
    "openai.completions": Shape(messages="prompt", content=("suffix",)),
    "openai.embeddings": Shape(messages="input"),
    "openai.images": Shape(messages="prompt", first=(asked.images, asked.pictures)),
    "openai.speech": Shape(messages="input", content=("instructions",), first=(asked.characters,)),
    "openai.transcription": Shape(messages="prompt", first=(asked.unseen,)),
    "openai.videos": Shape(messages="prompt", first=(asked.film_length,)),
    "anthropic.messages": Shape(
        messages="messages",
        content=("system",),
        structures=("tools", "output_format", "output_config"),
        elsewhere=("container", "mcp_servers"),
        per_message=4,
        base=3,
        first=(asked.claude_tools,),
    ),
    "gemini.contents": _GEMINI,
    "gemini.embed": Shape(messages="content", content=("requests",), keys=GEMINI_KEYS),
    "gemini.predict": Shape(messages="instances", first=(asked.imagen,), keys=GEMINI_KEYS),
    "gemini.interactions": Shape(
        messages="input",
        content=("system_instruction",),
        structures=("tools", "response_format"),
        elsewhere=("previous_interaction_id", "cached_content", "agent"),
        per_message=1,
        first=(asked.gemini_settings,),
        keys=GEMINI_KEYS,
    ),
    "bedrock.converse": _CONVERSE,
    "bedrock.invoke": _CONVERSE._replace(told_by=_invoked),
    "bedrock.native": _CONVERSE._replace(
        content=("system", "prompt", "inputText", "text_prompts", "textToImageParams", "singleEmbeddingParams"),
        structures=("toolConfig", "tools"),
        first=(asked.bedrock_tools, asked.bedrock_images, asked.pictures),
        base=0,
    ),
    "cohere.chat": Shape(
        messages="messages",
        content=("message", "chat_history", "preamble"),
        structures=("documents", "tools", "tool_results", "response_format"),
        elsewhere=("conversation_id", "connectors"),
    ),
    "cohere.generate": Shape(messages="prompt"),
    "cohere.embed": Shape(messages="texts", content=("inputs",), first=(asked.embedded_pictures,)),
    "cohere.rerank": Shape(first=(asked.searches,)),
    "mistral.agents": _CHAT._replace(elsewhere=("agent_id",)),
    "mistral.conversations": Shape(
        messages="inputs",
        content=("instructions",),
        structures=("tools",),
        elsewhere=("agent_id", "conversation_id"),
        per_message=4,
        base=3,
        schema_share=0.55,
    ),
    "mistral.ocr": Shape(first=(asked.pages,)),
    "ollama.chat": Shape(messages="messages", structures=("tools",), per_message=4, base=3),
    "ollama.generate": Shape(messages="prompt", content=("system", "suffix", "context"), first=(asked.pictures,)),
    "ollama.embed": Shape(messages="input", content=("prompt",)),
    "huggingface.inputs": Shape(messages="inputs"),
}
