"""anthropic 0 to 2: messages, beta messages and their stream helpers, on every platform client."""

from __future__ import annotations

from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.adapters.endpoint import Beside, ChunkShape, Endpoint, Thinking
from otel_llmcost.adapters.usage_at import Kind, UsageAt
from otel_llmcost.core.usage import Unit

# `input_tokens` leaves cached tokens out, so the total is the sum of the three.
_COUNTS: dict[Unit, tuple[str, ...]] = {
    "input_tokens": ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
    "cache_write_1h_tokens": ("cache_creation.ephemeral_1h_input_tokens",),
    "output_tokens": ("output_tokens",),
    "reasoning_tokens": ("output_tokens_details.thinking_tokens",),
    "web_searches": ("server_tool_use.web_search_requests",),
    "web_fetches": ("server_tool_use.web_fetch_requests",),
}


def _compacting(*paths: str) -> tuple[Kind, ...]:
    return tuple(Kind("iterations", "type", "compaction", path) for path in paths)


_USAGE = UsageAt(
    where=("usage", "message.usage"),
    counts=_COUNTS,
    # What summing up a context takes is left out of the totals.
    kinds={
        "input_tokens": _compacting(*_COUNTS["input_tokens"]),
        "cache_read_tokens": _compacting(*_COUNTS["cache_read_tokens"]),
        "cache_write_tokens": _compacting(*_COUNTS["cache_write_tokens"]),
        "cache_write_1h_tokens": _compacting(*_COUNTS["cache_write_1h_tokens"]),
        "output_tokens": _compacting(*_COUNTS["output_tokens"]),
    },
)
LEAST_THINKING = 1024
_TIER = ("usage.service_tier", "usage.speed", "usage.inference_geo")

MESSAGES = Endpoint(
    path="/v1/messages",
    operation="chat",
    dialect="anthropic.messages",
    usage=_USAGE,
    caps=("max_tokens",),
    thinking=Thinking("thinking.budget_tokens", LEAST_THINKING),
    tier=_TIER,
    asked_tier=("service_tier", "speed", "inference_geo"),
    # A model that advises is paid beside the one that answers, and is no part of its totals either.
    beside=Beside("usage.iterations", "advisor_message", UsageAt(where=("",), counts=_COUNTS)),
    chunk=ChunkShape(
        text=("delta.text", "delta.partial_json", "delta.thinking"),
        ends=frozenset({"message_stop"}),
        end_path="delta.stop_reason",  # litellm reads no further
        answer=("message", ""),
        words=('_tokens"', '"error"'),
        errors=("error.type", "error.message"),
    ),
)

BATCH = Endpoint(
    path="/v1/messages/batches", pays="later", operation="chat", dialect="anthropic.messages", usage=_USAGE
)
RESULTS = Endpoint(
    path="/v1/messages/batches/{id}/results",
    method="get",
    pays="before",
    charges=True,
    operation="chat",
    dialect="anthropic.messages",
    usage=_USAGE,
    tier=_TIER,
    fixed_tier="batch",
    chunk=ChunkShape(text=(), framing="lines", answer=("result.message",)),
)

ANTHROPIC = ClientSdk(
    name="anthropic",
    module="anthropic._base_client",
    provider="anthropic",
    is_common=True,
    hosts={
        "api.anthropic.com": "anthropic",
        ".googleapis.com": "gcp.vertex_ai",
        ".azure.com": "azure.ai.inference",
    },
    endpoints=(MESSAGES, BATCH, RESULTS),
    clients={
        "AnthropicBedrock": "aws.bedrock",
        "AsyncAnthropicBedrock": "aws.bedrock",
        "AnthropicBedrockMantle": "aws.bedrock",
        "AsyncAnthropicBedrockMantle": "aws.bedrock",
        "AnthropicVertex": "gcp.vertex_ai",
        "AsyncAnthropicVertex": "gcp.vertex_ai",
        "AnthropicFoundry": "azure.ai.inference",
        "AsyncAnthropicFoundry": "azure.ai.inference",
    },
)
