"""SDKs built like openai's, for providers that copied its interface: groq, together, cerebras."""

from __future__ import annotations

from otel_llmcost.adapters.base import Api, ClientSdk
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.adapters.openai import COMPLETIONS, EMBEDDINGS, HOSTS, chat
from otel_llmcost.adapters.openai_media import speech, transcription
from otel_llmcost.adapters.usage_at import UsageAt

_CHAT = chat(asks_usage=False)  # they report a stream's usage without being asked

GROQ = ClientSdk(
    name="groq",
    module="groq._base_client",
    provider="groq",
    hosts=HOSTS,
    endpoints=(_CHAT, EMBEDDINGS, transcription("transcriptions"), transcription("translations"), speech()),
)
TOGETHER = ClientSdk(
    name="together",
    module="together._base_client",
    provider="together",
    hosts=HOSTS,
    endpoints=(
        _CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        Endpoint(
            path="/rerank",
            operation="rerank",
            dialect="cohere.rerank",
            usage=UsageAt(where=("usage",), counts={"input_tokens": ("prompt_tokens",)}),
            has_output=False,
        ),
        Endpoint(
            path="/images/generations",
            operation="image_generation",
            dialect="openai.images",
            usage=UsageAt(where=("",), counts={}, lengths={"images": ("data", "")}),
            has_output=False,
        ),
        transcription("transcriptions"),
        speech(),
    ),
)
TOGETHER_1 = Api(name="together", provider="together", agents=("together/v1",), endpoints=TOGETHER.endpoints)
"""Its SDK before version 2, which has no such client: it sends by requests and aiohttp."""
CEREBRAS = ClientSdk(
    name="cerebras",
    module="cerebras.cloud.sdk._base_client",
    provider="cerebras",
    hosts=HOSTS,
    endpoints=(_CHAT, COMPLETIONS),
)
