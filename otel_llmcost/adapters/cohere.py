"""Cohere, versions 1 and 2: what it bills stands in `billed_units`, less than the tokens that the model really read."""

from __future__ import annotations

from dataclasses import replace

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.openai import chat
from otel_llmcost.adapters.openai_media import transcription
from otel_llmcost.adapters.usage_at import UsageAt

_USAGE = UsageAt(
    where=("usage", "meta", "response.meta", "delta.usage"),
    counts={
        "input_tokens": ("billed_units.input_tokens", "billed_units.image_tokens", "tokens.input_tokens"),
        "input_image_tokens": ("billed_units.image_tokens",),
        "cache_read_tokens": ("cached_tokens",),
        "output_tokens": ("billed_units.output_tokens", "tokens.output_tokens"),
        "search_units": ("billed_units.search_units",),
        "images": ("billed_units.images",),
        "pages": ("billed_units.pages",),
    },
    within={"cache_read_tokens": "input_tokens"},  # cached are also those that nothing is billed for
    # Where nothing is billed for tokens, the tokens themselves are the usage.
    unless={"tokens.input_tokens": "billed_units.input_tokens", "tokens.output_tokens": "billed_units.output_tokens"},
)
_IDS = ("id", "generation_id", "response.generation_id", "response_id")


def _chat(path: str, chunk: ChunkShape, *, operation: str = "chat", dialect: str = "cohere.chat") -> Endpoint:
    return Endpoint(
        path=path,
        operation=operation,
        dialect=dialect,
        usage=_USAGE,
        caps=("max_tokens",),
        chunk=chunk,
        ids=_IDS,
        unnamed="default",  # version 1 has a model of its own where none is named
    )


def _billed(path: str, operation: str, dialect: str) -> Endpoint:
    return Endpoint(
        path=path, operation=operation, dialect=dialect, usage=_USAGE, has_output=False, ids=_IDS, unnamed="default"
    )


_STREAM_OF_1 = ChunkShape(
    text=("text",),
    framing="lines",
    end_key="event_type",
    ends=frozenset({"stream-end"}),
    words=('_tokens"', '"generation_id"'),
)
_STREAM_OF_2 = ChunkShape(
    text=(
        *(f"delta.message.content.{kind}" for kind in ("text", "thinking")),
        *("delta.message.tool_calls.function.arguments", "delta.message.tool_plan"),
    ),
    ends=frozenset({"message-end"}),
    words=('_tokens"', '"message-start"'),  # the first has the answer's id
    errors=("delta.error",),
)

COHERE = Api(
    name="cohere",
    provider="cohere",
    hosts={"api.cohere.com": "cohere", "api.cohere.ai": "cohere", "production.api.cohere.ai": "cohere"},
    agents=("cohere/", " cohere"),
    endpoints=(
        chat(asks_usage=True),  # its copy of OpenAI's interface, under /compatibility
        _chat("/v2/chat", _STREAM_OF_2),
        _chat("/v1/chat", _STREAM_OF_1),
        replace(
            _chat(
                "/v1/generate",
                ChunkShape(
                    text=("text",),
                    framing="lines",
                    end_key="event_type",
                    ends=frozenset({"stream-end"}),
                    words=('"stream-error"',),
                    errors=("err",),
                ),
                operation="text_completion",
                dialect="cohere.generate",
            ),
            cap_at=(),  # its own default is small
        ),
        _billed("/v2/embed", "embeddings", "cohere.embed"),
        _billed("/v1/embed", "embeddings", "cohere.embed"),
        _billed("/v2/rerank", "rerank", "cohere.rerank"),
        _billed("/v1/rerank", "rerank", "cohere.rerank"),
        _billed("/v1/classify", "classification", "huggingface.inputs"),
        _billed("/v2/parse", "ocr", "mistral.ocr"),
        transcription("transcriptions"),
    ),
)
