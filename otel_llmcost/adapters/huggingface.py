"""Hugging Face: its router and the providers behind it, which speak OpenAI's chat completions, and its older tasks."""

from __future__ import annotations

from dataclasses import replace

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.adapters.openai import COMPLETIONS, EMBEDDINGS, chat
from otel_llmcost.adapters.usage_at import UsageAt

_SELLERS = (
    *("cerebras", "cohere", "deepinfra", "featherless-ai", "fireworks-ai", "groq", "hyperbolic", "nebius", "novita"),
    *("nscale", "ovhcloud", "publicai", "sambanova", "scaleway", "together", "zai-org"),
)
"""Those who sell through the router, below their own names."""
_NOTHING = UsageAt(where=(), counts={})
_TEXT = UsageAt(where=("details",), counts={"output_tokens": ("generated_tokens",)})

HUGGINGFACE = Api(
    name="huggingface_hub",
    provider="huggingface",
    hosts={"router.huggingface.co": "huggingface", ".endpoints.huggingface.cloud": "huggingface"},
    agents=("hf_hub/",),
    endpoints=(
        *(replace(chat(asks_usage=True), path=f"/{who}/{{id*}}/chat/completions", seller=who) for who in _SELLERS),
        chat(asks_usage=True),
        COMPLETIONS,
        EMBEDDINGS,
        Endpoint(
            path="/hf-inference/models/{model*}/pipeline/feature-extraction",
            operation="embeddings",
            dialect="huggingface.inputs",
            usage=_NOTHING,
            has_output=False,
        ),
        Endpoint(
            path="/hf-inference/models/{model*}",
            operation="text_completion",
            dialect="huggingface.inputs",
            usage=_TEXT,
            caps=("parameters.max_new_tokens",),
            cap_at=(),  # many tasks know no such thing
        ),
    ),
)
