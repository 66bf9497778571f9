"""What every LLM call costs, and a limit that holds.

Started with `opentelemetry-instrument`, nothing of this needs to be imported; `attribute` says who a call is for.
"""

from typing import TYPE_CHECKING

from otel_llmcost.errors import BudgetExceededError, RateLimitedError, RefusedError
from otel_llmcost.instrumentation.state import summary
from otel_llmcost.telemetry.attribute import attribute

if TYPE_CHECKING:
    from otel_llmcost.instrumentation.instrumentor import instrument, uninstrument

__all__ = [
    "BudgetExceededError",
    "RateLimitedError",
    "RefusedError",
    "attribute",
    "instrument",
    "summary",
    "uninstrument",
]


def __getattr__(name: str) -> object:
    """Import what starts us when it is asked for: whoever only says who a call is for does not wait for settings."""
    if name not in {"instrument", "uninstrument"}:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from otel_llmcost.instrumentation import instrumentor  # noqa: PLC0415

    found: object = getattr(instrumentor, name)
    return found
