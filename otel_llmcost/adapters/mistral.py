"""Mistral: chat, code, agents, conversations, embeddings, OCR and sound, by its SDK 1 to 3 or by hand."""

from __future__ import annotations

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.openai import RESPONSES
from otel_llmcost.adapters.usage_at import UsageAt

_USAGE = UsageAt(
    where=("usage",),
    counts={
        "input_tokens": ("prompt_tokens",),
        "cache_read_tokens": ("prompt_tokens_details.cached_tokens", "num_cached_tokens"),
        "output_tokens": ("completion_tokens",),
        "audio_milliseconds": ("prompt_audio_seconds",),
    },
    unless={"num_cached_tokens": "prompt_tokens_details.cached_tokens"},
    scales={"prompt_audio_seconds": 1000},
)
_CONVERSATION_USAGE = UsageAt(
    where=("usage",),
    counts={
        # What its connectors read, such as pages found on the web, is input beside the prompt.
        "input_tokens": ("prompt_tokens", "connector_tokens"),
        "output_tokens": ("completion_tokens",),
        "web_searches": ("connectors.web_search", "connectors.web_search_premium"),
        "code_interpreter_sessions": ("connectors.code_interpreter",),
    },
)
_DELTA = "choices.0.delta."
_CHUNK = ChunkShape(
    text=(
        *(f"{_DELTA}content{part}" for part in (".0.thinking.0.text", ".0.text", "")),
        f"{_DELTA}tool_calls.0.function.arguments",
    )
)


def _chat(path: str, *, model: str = "model", dialect: str = "openai.chat") -> Endpoint:
    return Endpoint(
        path=path,
        operation="chat",
        dialect=dialect,
        usage=_USAGE,
        caps=("max_tokens",),
        choices="n",
        tier=("usage.service_tier",),
        chunk=_CHUNK,
        model=model,
        unnamed="" if model == "model" else "agent",
    )


def _conversation(path: str) -> Endpoint:
    return Endpoint(
        path=path,
        operation="chat",
        dialect="mistral.conversations",
        usage=_CONVERSATION_USAGE,
        caps=("completion_args.max_tokens",),
        chunk=ChunkShape(
            text=("content.text", "content", "arguments"),
            ends=frozenset({"conversation.response.done"}),
            # Its last event does not tell which model an agent has, nor any but the first the conversation.
            words=('_tokens"', '"model"', '"conversation.response.started"', '"conversation.response.error"'),
            errors=("code",),
        ),
        unnamed="agent",
        served=("model", "outputs.0.model", "outputs.1.model", "outputs.2.model"),
        ids=("conversation_id",),
    )


def _input_only(path: str, operation: str) -> Endpoint:
    return Endpoint(path=path, operation=operation, dialect="openai.embeddings", usage=_USAGE, has_output=False)


MISTRAL = Api(
    name="mistralai",
    provider="mistral_ai",
    hosts={"api.mistral.ai": "mistral_ai", "codestral.mistral.ai": "mistral_ai"},
    agents=("mistralai", "mistral-client-python"),
    endpoints=(
        _chat("/chat/completions"),
        _chat("/fim/completions", dialect="openai.completions"),
        _chat("/agents/completions", model="agent_id", dialect="mistral.agents"),
        RESPONSES,
        _conversation("/v1/conversations"),
        _conversation("/v1/conversations/{id}"),
        _conversation("/v1/conversations/{id}/restart"),
        _input_only("/embeddings", "embeddings"),
        Endpoint(
            path="/v1/ocr",
            operation="ocr",
            dialect="mistral.ocr",
            usage=UsageAt(where=("usage_info",), counts={"pages": ("pages_processed",)}),
            has_output=False,
            as_asked=("annotated_pages",),
        ),
        Endpoint(
            path="/audio/transcriptions",
            operation="transcription",
            dialect="openai.transcription",
            usage=_USAGE,
            chunk=ChunkShape(text=("text",), ends=frozenset({"transcription.done"})),
        ),
        Endpoint(
            path="/audio/speech",
            operation="speech",
            dialect="openai.speech",
            usage=_USAGE,
            has_output=False,
            as_asked=("characters",),
            chunk=ChunkShape(text=(), ends=frozenset({"speech.audio.done"})),
        ),
        _input_only("/moderations", "moderation"),
        _input_only("/classifications", "moderation"),
    ),
)
