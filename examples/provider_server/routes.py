"""Which function answers which address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from examples.provider_server import (
    anthropic_batches,
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    cohere_chat,
    cohere_texts,
    gemini,
    gemini_interactions,
    gemini_other,
    mistral,
    mistral_conversations,
    ollama,
    openai_batches,
    openai_chat,
    openai_media,
    openai_responses,
)
from examples.provider_server.wire import Blob, Provider, Reply, Request, Stream

Endpoint = Callable[[Request], Reply | Blob | Stream]

_GOOGLE = r"(?:/v1(?:beta1?|alpha)?(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/[^/]+)?)/models/{model}"
_ROUTES: tuple[tuple[Provider, str, str, Endpoint], ...] = (
    ("openai", "POST", "/v1/chat/completions", openai_chat.chat),
    ("openai", "POST", "/deployments/{model}/chat/completions", openai_chat.chat),
    ("openai", "POST", "/v1/completions", openai_chat.completions),
    ("openai", "POST", "/v1/embeddings", openai_chat.embeddings),
    ("openai", "POST", "/deployments/{model}/embeddings", openai_chat.embeddings),
    ("openai", "GET", "/v1/models", openai_chat.models),
    ("openai", "POST", "/v1/responses", openai_responses.responses),
    ("openai", "POST", "/v1/responses/input_tokens", openai_responses.input_tokens),
    ("openai", "POST", "/v1/images/(?:generations|edits|variations)", openai_media.images),
    ("openai", "POST", "/v1/audio/speech", openai_media.speech),
    ("openai", "POST", "/v1/audio/(?:transcriptions|translations)", openai_media.transcriptions),
    ("openai", "POST", "/v1/moderations", openai_media.moderations),
    ("openai", "POST", "/v1/files", openai_batches.upload),
    ("openai", "GET", "/v1/files/{id}/content", openai_batches.content),
    ("openai", "POST", "/v1/batches", openai_batches.create),
    ("openai", "GET", "/v1/batches/{id}", openai_batches.retrieve),
    ("anthropic", "POST", "/v1/messages", anthropic_messages.messages),
    ("anthropic", "POST", "/v1/messages/count_tokens", anthropic_messages.count_tokens),
    ("anthropic", "GET", "/v1/models", anthropic_messages.models),
    ("anthropic", "POST", "/v1/messages/batches", anthropic_batches.create),
    ("anthropic", "GET", "/v1/messages/batches/{id}", anthropic_batches.retrieve),
    ("anthropic", "GET", "/v1/messages/batches/{id}/results", anthropic_batches.results),
    ("gemini", "POST", _GOOGLE + ":generateContent", gemini.generate),
    ("gemini", "POST", _GOOGLE + ":streamGenerateContent", gemini.stream),
    ("gemini", "POST", _GOOGLE + ":countTokens", gemini_other.count_tokens),
    ("gemini", "POST", _GOOGLE + ":embedContent", gemini_other.embed),
    ("gemini", "POST", _GOOGLE + ":batchEmbedContents", gemini_other.embed_batch),
    ("gemini", "POST", _GOOGLE + ":predict", gemini_other.predict),
    ("gemini", "POST", "/v1(?:beta1?|alpha)?/interactions", gemini_interactions.interactions),
    ("mistral", "POST", "/v1/(?:chat|fim|agents)/completions", mistral.chat),
    ("mistral", "POST", "/v1/conversations", mistral_conversations.start),
    ("mistral", "POST", "/v1/conversations/{id}", mistral_conversations.go_on),
    ("mistral", "POST", "/v1/embeddings", mistral.embeddings),
    ("mistral", "POST", "/v1/ocr", mistral.ocr),
    ("cohere", "POST", "/v2/chat", cohere_chat.chat),
    ("cohere", "POST", "/v1/chat", cohere_chat.first_chat),
    ("cohere", "POST", "/v[12]/embed", cohere_texts.embed),
    ("cohere", "POST", "/v[12]/rerank", cohere_texts.rerank),
    ("bedrock", "POST", "/model/{model}/converse", bedrock_converse.converse),
    ("bedrock", "POST", "/model/{model}/converse-stream", bedrock_converse.stream),
    ("bedrock", "POST", "/model/{model}/invoke", bedrock_invoke.invoke),
    ("bedrock", "POST", "/model/{model}/invoke-with-response-stream", bedrock_invoke.stream),
    ("ollama", "POST", "/api/chat", ollama.chat),
    ("ollama", "POST", "/api/generate", ollama.generate),
    ("ollama", "POST", "/api/embed", ollama.embed),
    ("ollama", "POST", "/api/embeddings", ollama.embed_one),
)


class Found(NamedTuple):
    """Who answers, and what the address names."""

    endpoint: Endpoint
    at: dict[str, str]


def find(provider: Provider, method: str, path: str) -> Found | None:
    """Find who answers a request; None: nobody."""
    for whose, how, pattern, endpoint in _COMPILED:
        if whose == provider and how == method and (found := pattern.fullmatch(path)):
            return Found(endpoint, {name: unquote(value) for name, value in found.groupdict().items()})
    return None


_COMPILED = tuple(
    (provider, method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", pattern)), endpoint)
    for provider, method, pattern, endpoint in _ROUTES
)
