"""Attribution carried in W3C baggage: in from upstream services, along the program, never on to a provider."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import baggage, context
from opentelemetry.context import Context

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.telemetry.semconv import BAGGAGE, TAGS

MOST_CHARACTERS = 256
"""A value from outside is cut here, so that nobody fills the ledger through a header."""


def tags(ctx: Context | None = None) -> dict[Dimension, str]:
    """Read who the current work is for."""
    carried = baggage.get_all(ctx)
    found: dict[Dimension, str] = {}
    for name, value in carried.items():
        dimension = BAGGAGE.get(name)
        if dimension is not None and value and (name == TAGS[dimension] or dimension not in found):
            found[dimension] = str(value)[:MOST_CHARACTERS]
    return found


def with_tags(said: Mapping[Dimension, str], ctx: Context | None = None) -> Context:
    """Return the context with these tags in its baggage."""
    result = context.get_current() if ctx is None else ctx
    for dimension, value in said.items():
        result = baggage.set_baggage(TAGS[dimension], value, result)
    return result


def without_tags(ctx: Context) -> Context:
    """Return the context with our keys taken out of its baggage, everybody else's kept."""
    carried = baggage.get_all(ctx)
    if not carried:
        return ctx
    result = baggage.clear(ctx)
    for name, value in carried.items():
        if name not in BAGGAGE:
            result = baggage.set_baggage(name, value, result)
    return result
