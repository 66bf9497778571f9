"""anthropic 0 to 2: messages, beta messages and their stream helpers, on every platform client."""

from __future__ import annotations

from otel_llmcost.adapters.base import ChunkShape, ClientSdk, Endpoint, UsageAt

MESSAGES = Endpoint(
    path="/v1/messages",
    operation="chat",
    dialect="anthropic.messages",
    # `input_tokens` leaves cached tokens out, so the total is the sum of the three.
    usage=UsageAt(
        where=("usage", "message.usage"),
        counts={
            "input_tokens": ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            "cache_read_tokens": ("cache_read_input_tokens",),
            "cache_write_tokens": ("cache_creation_input_tokens",),
            "cache_write_1h_tokens": ("cache_creation.ephemeral_1h_input_tokens",),
            "output_tokens": ("output_tokens",),
            "reasoning_tokens": ("output_tokens_details.thinking_tokens",),
            "web_searches": ("server_tool_use.web_search_requests",),
            "web_fetches": ("server_tool_use.web_fetch_requests",),
        },
    ),
    caps=("max_tokens",),
    tier=("usage.service_tier", "usage.speed"),
    chunk=ChunkShape(
        text=("delta.text", "delta.partial_json", "delta.thinking"),
        ends=frozenset({"message_stop"}),
        answer=("message", ""),
    ),
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
    endpoints=(MESSAGES,),
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
