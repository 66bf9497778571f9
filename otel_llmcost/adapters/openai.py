"""openai 1 to 3: chat, responses, legacy completions and embeddings; every client built on its HTTP client."""

from __future__ import annotations

from otel_llmcost.adapters.base import ChunkShape, ClientSdk, Endpoint, UsageAt

_CHAT_USAGE = UsageAt(
    where=("usage", "x_groq.usage"),
    counts={
        "input_tokens": ("prompt_tokens",),
        "cache_read_tokens": ("prompt_tokens_details.cached_tokens",),
        "cache_write_tokens": ("prompt_tokens_details.cache_write_tokens",),
        "input_audio_tokens": ("prompt_tokens_details.audio_tokens",),
        "input_image_tokens": ("prompt_tokens_details.image_tokens",),
        "output_tokens": ("completion_tokens",),
        "reasoning_tokens": ("completion_tokens_details.reasoning_tokens",),
        "output_audio_tokens": ("completion_tokens_details.audio_tokens",),
    },
)
_RESPONSES_USAGE = UsageAt(
    where=("usage", "response.usage"),
    counts={
        "input_tokens": ("input_tokens",),
        "cache_read_tokens": ("input_tokens_details.cached_tokens",),
        "cache_write_tokens": ("input_tokens_details.cache_write_tokens",),
        "cache_write_30m_tokens": ("input_tokens_details.cache_write_tokens_details.ttl_30m_tokens",),
        "cache_write_12h_tokens": ("input_tokens_details.cache_write_tokens_details.ttl_12h_tokens",),
        "output_tokens": ("output_tokens",),
        "reasoning_tokens": ("output_tokens_details.reasoning_tokens",),
    },
    lengths={
        "web_searches": ("output", "web_search_call"),
        "file_searches": ("output", "file_search_call"),
    },
)
_TOKENS_ONLY = UsageAt(
    where=("usage",), counts={"input_tokens": ("prompt_tokens",), "output_tokens": ("completion_tokens",)}
)
_RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})

HOSTS = {
    "api.openai.com": "openai",
    ".openai.azure.com": "azure.ai.openai",
    ".cognitiveservices.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.inference",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.ai": "moonshot_ai",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
}
"""Who bills, by the end of the host's name; the SDK speaks to all of them."""


def chat(*, asks_usage: bool) -> Endpoint:
    """Return the row of chat completions, for OpenAI and for those who copied it."""
    return Endpoint(
        path="/chat/completions",
        operation="chat",
        dialect="openai.chat",
        usage=_CHAT_USAGE,
        caps=("max_completion_tokens", "max_tokens"),
        choices="n",
        tier=("service_tier",),
        chunk=ChunkShape(text=("choices.0.delta.content",), asks_usage=asks_usage),
    )


OPENAI = ClientSdk(
    name="openai",
    module="openai._base_client",
    provider="openai",
    hosts=HOSTS,
    agents=("openai/python", "asyncopenai/python", "azureopenai/python"),
    is_common=True,
    endpoints=(
        chat(asks_usage=True),
        Endpoint(
            path="/responses",
            operation="chat",
            dialect="openai.responses",
            usage=_RESPONSES_USAGE,
            caps=("max_output_tokens",),
            tier=("service_tier",),
            chunk=ChunkShape(
                text=("delta",),
                ends=_RESPONSE_ENDS,
                answer=("response",),
                words=('"response":',),
                are_ends_told=True,
            ),
        ),
        Endpoint(
            path="/responses/compact",
            operation="chat",
            dialect="openai.responses",
            usage=_RESPONSES_USAGE,
            tier=("service_tier",),
        ),
        Endpoint(
            path="/completions",
            operation="text_completion",
            dialect="openai.completions",
            usage=_TOKENS_ONLY,
            caps=("max_tokens",),
            choices="n",
            chunk=ChunkShape(text=("choices.0.text",), asks_usage=True),
        ),
        Endpoint(
            path="/embeddings",
            operation="embeddings",
            dialect="openai.embeddings",
            usage=UsageAt(where=("usage",), counts={"input_tokens": ("prompt_tokens",)}),
            has_output=False,
        ),
    ),
    answer_in_error=("completion",),
)
