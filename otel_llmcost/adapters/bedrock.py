"""Amazon Bedrock: Converse and InvokeModel, by whatever client; botocore's calls pass `instrumentation.over_botocore`.

Its own counts of input leave cached tokens out. InvokeModel answers as the model's maker does; makers that count
nothing leave it to headers, which a stream has in its last event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from otel_llmcost.adapters.anthropic import LEAST_THINKING
from otel_llmcost.adapters.base import UNANSWERED, UNSENT, Api
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint, Thinking
from otel_llmcost.adapters.usage_at import Kind, UsageAt
from otel_llmcost.core.usage import Unit

HOSTS = {"*bedrock-runtime*": "aws.bedrock", "*bedrock-mantle*": "aws.bedrock"}
"""Of Amazon's own endpoints, also those inside a network of one's own."""

_REQUEST_ID = "x-amzn-requestid"
_TIER_HEADERS = ("x-amzn-bedrock-service-tier", "x-amzn-bedrock-performanceconfig-latency")

_CONVERSE_USAGE = UsageAt(
    where=("usage",),
    counts={
        "input_tokens": ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
        "cache_read_tokens": ("cacheReadInputTokens",),
        "cache_write_tokens": ("cacheWriteInputTokens",),
        "output_tokens": ("outputTokens",),
    },
    kinds={"cache_write_1h_tokens": (Kind("cacheDetails", "ttl", "1h", "inputTokens"),)},
)

_COUNTED_IN_HEADERS: Mapping[Unit, tuple[str, ...]] = {
    "input_tokens": (
        *("x-amzn-bedrock-input-token-count", "inputTokenCount"),
        *("x-amzn-bedrock-cache-read-input-token-count", "cacheReadInputTokenCount"),
        *("x-amzn-bedrock-cache-write-input-token-count", "cacheWriteInputTokenCount"),
    ),
    "cache_read_tokens": ("x-amzn-bedrock-cache-read-input-token-count", "cacheReadInputTokenCount"),
    "cache_write_tokens": ("x-amzn-bedrock-cache-write-input-token-count", "cacheWriteInputTokenCount"),
    "output_tokens": ("x-amzn-bedrock-output-token-count", "outputTokenCount"),
}
_INVOKE_USAGE = UsageAt(
    # Anthropic and those who copied OpenAI, an Anthropic stream's first event, a Nova stream's last; Llama and Titan
    where=("usage", "message.usage", "metadata.usage", ""),
    counts={
        "input_tokens": (
            *("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            *("inputTokens", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
            *("prompt_tokens", "prompt_token_count", "inputTextTokenCount"),
        ),
        "cache_read_tokens": (
            *("cache_read_input_tokens", "cacheReadInputTokenCount", "prompt_tokens_details.cached_tokens"),
        ),
        "cache_write_tokens": ("cache_creation_input_tokens", "cacheWriteInputTokenCount"),
        "cache_write_1h_tokens": ("cache_creation.ephemeral_1h_input_tokens",),
        "output_tokens": (
            *("output_tokens", "outputTokens", "completion_tokens", "generation_token_count"),
            *("totalOutputTextTokenCount", "results.0.tokenCount"),
        ),
        "reasoning_tokens": (*("output_tokens_details.thinking_tokens", "completion_tokens_details.reasoning_tokens"),),
    },
    headers=_COUNTED_IN_HEADERS,
)
_EMBED_USAGE = UsageAt(
    where=("",),
    counts={"input_tokens": ("inputTextTokenCount",)},
    headers={"input_tokens": ("x-amzn-bedrock-input-token-count",)},
)
_NO_USAGE = UsageAt(where=(), counts={})
_IMAGES_USAGE = UsageAt(where=("",), counts={}, lengths={"images": ("images", "")})

_INVOKE_CAPS = (
    *("max_tokens", "max_completion_tokens", "max_tokens_to_sample", "max_gen_len"),
    *("inferenceConfig.maxTokens", "inferenceConfig.max_new_tokens", "textGenerationConfig.maxTokenCount"),
)
_INVOKE_CAP_AT = (("nova", "inferenceConfig.maxTokens"),)
"""Claude demands one; without one, most others put out less than their most."""
_INVOKE_THINKING = Thinking("thinking.budget_tokens", LEAST_THINKING)
_MAKERS = (
    *("anthropic.", "titan", "nova", "meta.", "mistral.", "cohere.", "ai21.", "deepseek.", "openai.", "qwen."),
    *("writer.", "stability."),
)
_PAID_BY_THE_HOUR = (":provisioned-model/", ":custom-model", ":imported-model/")
"""What is in the names of models that no call is paid for: the name in the answer has a price that does not hold."""
_INVOKE_IDS = ("id", "message.id")


def _converse(verb: str, *, streams: bool) -> Endpoint:
    return Endpoint(
        path="/model/{model}/" + verb,
        operation="chat",
        dialect="bedrock.converse",
        usage=_CONVERSE_USAGE,
        caps=("inferenceConfig.maxTokens",),
        thinking=Thinking("additionalModelRequestFields.thinking.budget_tokens", LEAST_THINKING),
        tier=("serviceTier.type", "performanceConfig.latency"),
        asked_tier=("serviceTier.type", "performanceConfig.latency"),
        chunk=ChunkShape(
            text=("delta.text", "delta.reasoningContent.text", "delta.toolUse.input"),
            framing="aws",
            words=('"inputTokens"',),
            end_key=":event-type",
            ends=frozenset({"metadata"}),
            are_ends_told=True,
        ),
        streams=streams,
        served=("trace.promptRouter.invokedModelId",),
        ids=(),
        id_header=_REQUEST_ID,
    )


def _invoke(operation: str, usage: UsageAt, *models: str) -> Endpoint:
    return Endpoint(
        path="/model/{model}/invoke",
        models=models,
        operation=operation,
        dialect="bedrock.invoke",
        usage=usage,
        caps=_INVOKE_CAPS if operation == "chat" else (),
        cap_at=_INVOKE_CAP_AT if operation == "chat" else (),
        thinking=_INVOKE_THINKING,
        makers=_MAKERS,
        has_output=operation == "chat",
        tier_headers=_TIER_HEADERS,
        ids=_INVOKE_IDS if operation == "chat" else (),
        id_header=_REQUEST_ID,
    )


_INVOKE = _invoke("chat", _INVOKE_USAGE)
_INVOKE_STREAM = Endpoint(
    path="/model/{model}/invoke-with-response-stream",
    operation="chat",
    dialect="bedrock.invoke",
    usage=_INVOKE_USAGE,
    caps=_INVOKE_CAPS,
    cap_at=_INVOKE_CAP_AT,
    thinking=_INVOKE_THINKING,
    makers=_MAKERS,
    tier_headers=_TIER_HEADERS,
    chunk=ChunkShape(
        text=(
            *("delta.text", "delta.partial_json", "delta.thinking", "contentBlockDelta.delta.text", "outputText"),
            *("generation", "outputs.0.text", "choices.0.delta.content", "choices.0.message.content", "text"),
            "completion",
        ),
        framing="aws",
        words=("_token", "-invocationMetrics", "inputTextTokenCount"),  # Titan tells its input in the first event
        headers="amazon-bedrock-invocationMetrics",
    ),
    streams=True,
    served=("model", "message.model"),
    ids=_INVOKE_IDS,
    id_header=_REQUEST_ID,
)

BEDROCK = Api(
    name="bedrock",
    provider="aws.bedrock",
    hosts=HOSTS,
    is_common=True,
    endpoints=(
        _converse("converse", streams=False),
        _converse("converse-stream", streams=True),
        _invoke("embeddings", _EMBED_USAGE, "embed"),
        _invoke("rerank", _NO_USAGE, "rerank"),
        _invoke("image_generation", _IMAGES_USAGE, "titan-image", "nova-canvas", "stability.", "stable-diffusion"),
        *(replace(each, models=_PAID_BY_THE_HOUR, served=()) for each in (_INVOKE, _INVOKE_STREAM)),
        _INVOKE,
        _INVOKE_STREAM,
    ),
    unsent=UNSENT | {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"},
    unanswered=UNANSWERED | {"HTTPClientError"},
)
BOTOCORE = replace(BEDROCK, name="botocore", agents=("botocore/",), hosts=None, is_common=False)
BOTOCORE_CONVERSE = replace(BOTOCORE, name="botocore.converse", endpoints=BOTOCORE.endpoints[:2])
AIOBOTOCORE = replace(BOTOCORE, name="aiobotocore", agents=("aiobotocore/",))
"""The same where the SDK is known, which others may instrument; some only a part of it."""
