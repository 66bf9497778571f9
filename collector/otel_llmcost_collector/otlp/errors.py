"""What can be wrong with a request."""

from __future__ import annotations

from otel_llmcost.errors import LLMCostError


class MalformedError(LLMCostError):
    """A request that is no OTLP: sending it again does not help."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not an OTLP request: {reason}")
