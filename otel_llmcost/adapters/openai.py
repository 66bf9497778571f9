"""openai 1 to 3: chat, responses, legacy completions and embeddings; every client built on its HTTP client."""

from __future__ import annotations

from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.openai_media import MEDIA
from otel_llmcost.adapters.usage_at import UsageAt

_CHAT_USAGE = UsageAt(
    where=("usage", "x_groq.usage"),
    counts={
        "input_tokens": ("prompt_tokens",),
        # DeepSeek and Moonshot have fields of their own for it, some servers both.
        "cache_read_tokens": ("prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cached_tokens"),
        "cache_write_tokens": ("prompt_tokens_details.cache_write_tokens",),
        "input_audio_tokens": ("prompt_tokens_details.audio_tokens",),
        "input_image_tokens": ("prompt_tokens_details.image_tokens",),
        "output_tokens": ("completion_tokens",),
        "reasoning_tokens": ("completion_tokens_details.reasoning_tokens",),
        "output_audio_tokens": ("completion_tokens_details.audio_tokens",),
    },
    unless={
        "prompt_cache_hit_tokens": "prompt_tokens_details.cached_tokens",
        "cached_tokens": "prompt_tokens_details.cached_tokens",
    },
    total="total_tokens",  # xAI and Google leave reasoning out of the completion
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
    unbilled=("action.type", frozenset({"open_page", "find_in_page", "find"})),  # what was found is read for nothing
)
_TOKENS_ONLY = UsageAt(
    where=("usage",), counts={"input_tokens": ("prompt_tokens",), "output_tokens": ("completion_tokens",)}
)
_ERRORS = ("error.code", "error.type", "error.message")
_RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})

HOSTS = {
    "api.openai.com": "openai",
    ".openai.azure.com": "azure.ai.openai",
    ".cognitiveservices.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.inference",
    ".models.ai.azure.com": "azure.ai.inference",
    "models.github.ai": "github",
    "models.inference.ai.azure.com": "github",
    "api.githubcopilot.com": "github-copilot",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.groq.com": "groq",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "-aiplatform.googleapis.com": "gcp.vertex_ai",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    "api.minimax.io": "minimax",
    "api.novita.ai": "novita",
    "api.voyageai.com": "voyageai",
    "api.cloudflare.com": "cloudflare",
    "inference.baseten.co": "baseten",
    ".cloud.databricks.com": "databricks",
    ".azuredatabricks.net": "databricks",
    "integrate.api.nvidia.com": "nvidia",
    "dashscope.aliyuncs.com": "alibaba_cloud",
    "dashscope-intl.aliyuncs.com": "alibaba_cloud",
    "api.deepinfra.com": "deepinfra",
    "api.sambanova.ai": "sambanova",
    "api.hyperbolic.xyz": "hyperbolic",
    "api.studio.nebius.ai": "nebius",
    "ai-gateway.vercel.sh": "vercel",
    ":1234": "lmstudio",
    ":11434": "ollama",
}
"""Who bills, by the end of the host's name; the SDK speaks to all of them."""


_SAID = tuple(
    f"choices.0.delta.{each}"
    for each in ("content", "reasoning_content", "reasoning", "tool_calls.0.function.arguments")
)
"""Reasoning, as DeepSeek and others call it, is no part of the standard."""


# o1 and later, gpt-5 and later; gpt-35 is Azure's name for an old one.
_KNOWS_NEW_CAP = r"(?:^|[/:._-])o[1-9](?![^-@:.])|gpt-?(?:[5-9]|[12]\d)"
_CAP_AT = ((_KNOWS_NEW_CAP, "max_completion_tokens"), ("", "max_tokens"))
"""OpenAI's newer models reject `max_tokens`, many servers of others do not know the newer name."""


def chat(*, asks_usage: bool) -> Endpoint:
    """Return the row of chat completions, for OpenAI and for those who copied it."""
    return Endpoint(
        path="/chat/completions",
        operation="chat",
        dialect="openai.chat",
        usage=_CHAT_USAGE,
        caps=("max_completion_tokens", "max_tokens"),
        cap_at=_CAP_AT,
        choices="n",
        tier=("service_tier",),
        cost=("usage.cost",),  # OpenRouter's
        chunk=ChunkShape(
            text=_SAID,
            asks_usage=asks_usage,
            words=('_tokens"', '"error"'),
            errors=_ERRORS,
        ),
    )


RESPONSES = Endpoint(
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
        words=('"response":', '"error"'),
        errors=("response.error.code", *_ERRORS, "code", "message"),
        are_ends_told=True,
    ),
)
COMPLETIONS = Endpoint(
    path="/completions",
    operation="text_completion",
    dialect="openai.completions",
    usage=_TOKENS_ONLY,
    caps=("max_tokens",),
    cap_at=(),  # OpenAI's own default is 16, others' is another
    choices="n",
    cost=("usage.cost",),
    chunk=ChunkShape(text=("choices.0.text",), asks_usage=True, words=('_tokens"', '"error"'), errors=_ERRORS),
)
EMBEDDINGS = Endpoint(
    path="/embeddings",
    operation="embeddings",
    dialect="openai.embeddings",
    # Voyage, and those who copied it, tell the total alone.
    usage=UsageAt(
        where=("usage",),
        counts={"input_tokens": ("prompt_tokens", "total_tokens")},
        unless={"total_tokens": "prompt_tokens"},
    ),
    has_output=False,
    cost=("usage.cost",),
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
        RESPONSES,
        Endpoint(
            path="/responses/compact",
            operation="chat",
            dialect="openai.responses",
            usage=_RESPONSES_USAGE,
            tier=("service_tier",),
        ),
        COMPLETIONS,
        EMBEDDINGS,
        *MEDIA,
        Endpoint(  # an answer made in the background, or looked at again
            path="/responses/{id}",
            method="get",
            pays="before",
            operation="chat",
            dialect="openai.responses",
            usage=_RESPONSES_USAGE,
            tier=("service_tier",),
            done=("status", frozenset({"completed", "incomplete", "failed", "cancelled"})),
        ),
        Endpoint(
            path="/batches",
            pays="later",
            operation="batch",
            dialect="openai.embeddings",
            usage=_RESPONSES_USAGE,
        ),
        Endpoint(
            path="/batches/{id}",
            method="get",
            pays="before",
            charges=True,
            operation="batch",
            dialect="openai.embeddings",
            usage=_RESPONSES_USAGE,
            done=("status", frozenset({"completed", "expired", "cancelled"})),
            fixed_tier="batch",
        ),
    ),
    answer_in_error=("completion",),
    clients={
        "AzureOpenAI": "azure.ai.openai",
        "AsyncAzureOpenAI": "azure.ai.openai",
        "BedrockOpenAI": "aws.bedrock",
        "AsyncBedrockOpenAI": "aws.bedrock",
    },
)
