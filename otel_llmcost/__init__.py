"""What every LLM call costs, and a limit that holds.

Started with `opentelemetry-instrument`, nothing of this needs to be imported; `attribute` says who a call is for.
"""

from otel_llmcost.errors import BudgetExceededError, RateLimitedError, RefusedError
from otel_llmcost.instrumentation.instrumentor import instrument, uninstrument
from otel_llmcost.instrumentation.state import summary
from otel_llmcost.telemetry.attribute import attribute

__all__ = [
    "BudgetExceededError",
    "RateLimitedError",
    "RefusedError",
    "attribute",
    "instrument",
    "summary",
    "uninstrument",
]
