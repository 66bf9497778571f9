"""Exact counts by tiktoken, offline. The cheap rule that needs none of this is `otel_llmcost.core.tokens`."""

from __future__ import annotations

from otel_llmcost.tokens.exact import (
    ModelEncoding,
    count_body,
    count_text,
    encoding_for,
    ready,
    text_counter,
    warm,
)

__all__ = ["ModelEncoding", "count_body", "count_text", "encoding_for", "ready", "text_counter", "warm"]
