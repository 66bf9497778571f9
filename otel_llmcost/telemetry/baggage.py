"""Attribution carried in W3C baggage: in from upstream services, along the program, never on to a provider."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.telemetry.semconv import BAGGAGE, TAGS

MOST_CHARACTERS = 256
"""A value from outside is cut here, so that nobody fills the ledger through a header."""


def tags(ctx: Context) -> Mapping[Dimension, str]:
    """Read who the current work is for."""
    global _last  # noqa: PLW0603 -- calls in one `with attribute(...)` carry the very same baggage, so it is read once
    carried = ctx.get(_BAGGAGE_KEY)
    if not carried:
        return _NOBODY
    last, known = _last
    if carried is last:
        return known
    found: dict[Dimension, str] = {}
    for name, value in baggage.get_all(ctx).items():
        dimension = BAGGAGE.get(name)
        if dimension is not None and value and (name == TAGS[dimension] or dimension not in found):
            found[dimension] = str(value)[:MOST_CHARACTERS]
    _last = carried, found
    return found


def with_tags(said: Mapping[Dimension, str], ctx: Context | None = None) -> Context:
    """Return the context with these tags in its baggage."""
    result = context.get_current() if ctx is None else ctx
    for dimension, value in said.items():
        result = baggage.set_baggage(TAGS[dimension], value, result)
    return result


def inner(ctx: Context, span: trace.Span | None, key: str, value: object) -> Context:
    """Return the context an SDK is called in.

    Our keys are taken out of its baggage and everybody else's kept; `span` is current; `key` holds `value`.
    Made in one copy, where the API would make one for each of the three.
    """
    fields: dict[str, object] = {**ctx, key: value}
    carried = baggage.get_all(ctx)
    if carried:
        fields[_BAGGAGE_KEY] = {name: each for name, each in carried.items() if name not in BAGGAGE}
    if span is not None:
        fields[_SPAN_KEY] = span
    return Context(fields)


# The API's own keys are made at random in each process; a context that holds nothing else tells them.
(_BAGGAGE_KEY,) = baggage.set_baggage("a", "b", Context())
(_SPAN_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())
_NOBODY: Mapping[Dimension, str] = {}
_last: tuple[object, Mapping[Dimension, str]] = (None, _NOBODY)
