"""OpenRouter: what others sell, asked for in OpenAI's ways or Anthropic's, with the cost in each answer."""

from __future__ import annotations

from dataclasses import replace

from otel_llmcost.adapters.anthropic import MESSAGES
from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.adapters.openai import EMBEDDINGS, RESPONSES, chat
from otel_llmcost.adapters.usage_at import UsageAt

_COST = ("usage.cost",)

OPENROUTER = Api(
    name="openrouter",
    provider="openrouter",
    hosts={"openrouter.ai": "openrouter"},
    agents=(" openrouter",),
    endpoints=(
        chat(asks_usage=True),
        replace(RESPONSES, cost=_COST),
        EMBEDDINGS,
        replace(MESSAGES, cost=_COST),
        Endpoint(
            path="/rerank",
            operation="rerank",
            dialect="cohere.rerank",
            usage=UsageAt(
                where=("usage",), counts={"input_tokens": ("total_tokens",), "search_units": ("search_units",)}
            ),
            cost=_COST,
            has_output=False,
        ),
    ),
)
