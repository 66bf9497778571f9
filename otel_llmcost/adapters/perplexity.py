"""Perplexity: OpenAI's chat completions, with what its research reads and thinks counted beside the answer."""

from __future__ import annotations

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.usage_at import UsageAt

PERPLEXITY = Api(
    name="openai",
    provider="perplexity",
    hosts={"api.perplexity.ai": "perplexity"},
    endpoints=(
        Endpoint(
            path="/chat/completions",
            operation="chat",
            dialect="openai.chat",
            usage=UsageAt(
                where=("usage",),
                counts={
                    "input_tokens": ("prompt_tokens",),
                    "output_tokens": ("completion_tokens", "citation_tokens", "reasoning_tokens"),
                    "citation_tokens": ("citation_tokens",),
                    "reasoning_tokens": ("reasoning_tokens",),
                    "web_searches": ("num_search_queries",),
                },
            ),
            caps=("max_tokens",),
            cost=("usage.cost.total_cost",),
            chunk=ChunkShape(text=("choices.0.delta.content",)),
        ),
    ),
)
