"""Attribution carried in W3C baggage: in from upstream services, along the program, never on to a provider."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.telemetry.semconv import BAGGAGE, TAGS

MOST_CHARACTERS = 256
"""A value from outside is cut here, so that nobody fills the ledger through a header."""


def tags(ctx: Context) -> Mapping[Dimension, str]:
    """Read who the current work is for."""
    return _read(ctx)[1]


def with_tags(
    said: Mapping[Dimension, str], ctx: Context | None = None, more: Mapping[str, object] | None = None
) -> Context:
    """Return the context with these tags in its baggage, and with `more` beside it."""
    result = context.get_current() if ctx is None else ctx
    fields: dict[str, object] = {**result, **(more or {})}
    if said:
        fields[_BAGGAGE_KEY] = {**baggage.get_all(result), **_named(said)}
    return Context(fields)


def with_only(tags: Mapping[Dimension, str], ctx: Context | None = None) -> Context:
    """Return the context with these tags and no others of ours in its baggage."""
    result = context.get_current() if ctx is None else ctx
    _, found, others = _read(result)
    return result if found == tags else _carrying(result, {**others, **_named(tags)})


def as_header(tags: Mapping[Dimension, str]) -> str:
    """Write tags as the value of a W3C `baggage` header, with nothing of others in it."""
    headers: dict[str, str] = {}
    _W3C.inject(headers, _carrying(Context(), _named(tags)))
    return headers.get("baggage", "")


def from_header(header: str) -> Mapping[Dimension, str]:
    """Read tags from the value of a W3C `baggage` header."""
    return tags(_W3C.extract({"baggage": header}, Context()))


def others_of_header(header: str) -> str:
    """Return the value of a W3C `baggage` header without what is ours, the rest as it was written."""
    return ",".join(each for each in header.split(",") if each.partition("=")[0].strip() not in BAGGAGE)


def inner(ctx: Context, span: trace.Span | None, key: str, value: object) -> Context:
    """Return the context an SDK is called in.

    Our keys are taken out of its baggage and everybody else's kept; `span` is current; `key` holds `value`.
    Made in one copy, where the API would make one for each of the three.
    """
    fields: dict[str, object] = {**ctx, key: value}
    carried, _, others = _read(ctx)
    if carried:
        fields[_BAGGAGE_KEY] = others
    if span is not None:
        fields[_SPAN_KEY] = span
    return Context(fields)


def restored(ctx: Context, key: str, around: Context) -> Context:
    """Take what `inner` made of a context back: `key` is gone, and what was carried before is carried again."""
    fields = {name: value for name, value in ctx.items() if name != key}
    entries = {**baggage.get_all(around), **baggage.get_all(ctx)}
    return _carrying(Context(fields), entries) if entries else Context(fields)


def _named(said: Mapping[Dimension, str]) -> dict[str, object]:
    return {TAGS[dimension]: value for dimension, value in said.items()}


def _carrying(ctx: Context, entries: dict[str, object]) -> Context:
    return Context({**ctx, _BAGGAGE_KEY: entries})


def _read(ctx: Context) -> _Read:
    """Read a context's baggage, once: calls in one `with attribute(...)`, or in one thread, carry the very same."""
    carried = ctx.get(_BAGGAGE_KEY)
    if not carried:
        return _NOTHING
    known = _known.get(id(carried))
    if known is not None and known[0] is carried:
        return known
    found: dict[Dimension, str] = {}
    others: dict[str, object] = {}
    for name, value in baggage.get_all(ctx).items():
        dimension = BAGGAGE.get(name)
        if dimension is None:
            others[name] = value
        elif value and (name == TAGS[dimension] or dimension not in found):
            found[dimension] = str(value)[:MOST_CHARACTERS]
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    known = _known[id(carried)] = carried, found, others  # the API never changes a baggage in place
    return known


# The API's own keys are made at random in each process; a context that holds nothing else tells them.
(_BAGGAGE_KEY,) = baggage.set_baggage("a", "b", Context())
(_SPAN_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())
_Read = tuple[object, Mapping[Dimension, str], Mapping[str, object]]
"""A baggage as the context holds it, the tags in it, and what of it is not ours."""
_W3C = W3CBaggagePropagator()
_MOST_KNOWN = 256
_NOTHING: _Read = (None, {}, {})
_known: dict[int, _Read] = {}
"""Of what is carried in this process; each is kept beside its id, so that no other has that."""
