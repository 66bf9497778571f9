"""Ollama: models on one's own machine, so there is no bill; its counts, and the time it computed, can have a price."""

from __future__ import annotations

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import ChunkShape, Endpoint
from otel_llmcost.adapters.usage_at import UsageAt

_USAGE = UsageAt(
    where=("",),
    counts={
        "input_tokens": ("prompt_eval_count",),
        "output_tokens": ("eval_count",),
        "gpu_milliseconds": ("total_duration",),
    },
    scales={"total_duration": 1e-6},
)


def _endpoint(name: str, operation: str, *text: str) -> Endpoint:
    return Endpoint(
        path=f"/api/{name}",
        operation=operation,
        dialect=f"ollama.{name.removesuffix('dings')}",
        usage=_USAGE,
        caps=("options.num_predict",),
        has_output=bool(text),
        chunk=ChunkShape(
            text=text,
            framing="lines",
            end_key="done",
            ends=frozenset({True}),
            words=('"done":true', '"done": true', '{"error"'),
            errors=("error",),
        )
        if text
        else None,
        streams=None if text else False,
        ids=(),
    )


OLLAMA = Api(
    name="ollama",
    provider="ollama",
    hosts={":11434": "ollama", "ollama.com": "ollama"},
    agents=("ollama-python",),
    endpoints=(
        _endpoint("chat", "chat", "message.content", "message.thinking"),
        _endpoint("generate", "text_completion", "response", "thinking"),
        _endpoint("embed", "embeddings"),
        _endpoint("embeddings", "embeddings"),
    ),
)
