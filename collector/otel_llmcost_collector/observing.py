"""From what a span tells of a call to its charge, and to what is written on the span of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.listing import STANDARD
from otel_llmcost.core.money import nano_of
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.charging import NO_USAGE, Basis, Charging
from otel_llmcost_collector.dialects.base import Telling, Value
from otel_llmcost_collector.observed import Observed, id_of_span
from otel_llmcost_collector.otlp.schema import Span
from otel_llmcost_collector.otlp.splice import Layout
from otel_llmcost_collector.shapes import Shape

COLLECTOR: Final = "collector"
"""Source of a cost that a collector wrote."""
DUPLICATE: Final = "duplicate"
"""Status on a span whose call is charged by what another one tells."""
NO_USAGE_REPORTED: Final = "no-usage-reported"
"""Method of a charge for a call that was answered without usage."""
_EARLIEST_US = 946_684_800_000_000
_LATEST_US = 4_102_444_800_000_000
"""2000 and 2100: no call began before or after."""
_FAILED = 2
"""Status of a span that ended in an error."""
_TRACE_DIGITS, _SPAN_DIGITS = 32, 16
_NO_TRACE, _NO_SPAN = "0" * _TRACE_DIGITS, "0" * _SPAN_DIGITS
_TOLD = frozenset({"confirmed", "unpriced"})
_MOST_LAYOUTS = 256


Written = tuple[Layout, Sequence[float], str | None]
"""What is to be written on a span: which attributes, their numbers, and the charge id if none is there."""


class Noted(NamedTuple):
    """What became of a span."""

    observed: Observed | None
    """None: it failed, and used nothing."""
    unpriced: str | None
    """Why it has no price."""
    written: Written | None
    """None: nothing is written."""


_make: Callable[[type[Noted], tuple[Any, ...]], Noted] = vars(tuple)["__new__"]
"""Makes one at half of what its own function takes."""
_Circumstances = tuple[frozenset[str], tuple[bool, ...] | None, ChargeStatus, str, str]
"""What the attributes to be written depend on, beside what the cost was made by: the names that are there already,
which parts of the cost are not 0 (None: all), status, method and semantics of the input."""


class Observing:
    """Notes calls."""

    def __init__(self, book: PriceBook, most_text: int) -> None:
        self._charging = Charging(book)
        self._most_text = most_text

    def use(self, book: PriceBook) -> None:
        """Go on with other rates."""
        self._charging = Charging(book)

    def shortened(self, telling: Telling) -> Telling:
        """Cut the texts of a telling off where they are longer than is kept."""
        most = self._most_text
        tags: dict[Dimension, str] = {name: text[:most] for name, text in telling.tags.items()}
        return Telling._make(value[:most] if isinstance(value, str) else value for value in telling._replace(tags=tags))

    def noted(self, telling: Telling, shape: Shape, span: Span, content: bytes) -> Noted:
        """Price what a span tells.

        Args:
            telling: what it tells.
            shape: its attributes.
            span: itself.
            content: how it came; of one without ids this is all that tells it from others.

        Returns:
            What is written has no name that is there already, since no name may be there twice: a
            `gen_ai.usage.cost` of somebody else stays, and ours stands under `llmcost.cost.total` then. Nothing is
            written on spans of our own plugin, nor where another collector has written.
        """
        (
            source, richness, provider, operation, requested, served, tags, counts, _, method, tier, response_id,
            error_type, told_cost, charge_id, _, semantics,
        ) = telling  # fmt: skip
        if not counts and told_cost is None and (error_type is not None or span.status.code == _FAILED):
            return Noted(None, None, None)
        at_us, duration_us = _times(span)
        status, cost, listed, counts, basis, numbers, reason = self._charging.charged(telling, at_us, duration_us)
        trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
        if len(trace_id) != _TRACE_DIGITS or len(span_id) != _SPAN_DIGITS or span_id == _NO_SPAN:
            trace_id, span_id = _made_ids(trace_id, span_id, content)
        is_ours = charge_id is not None
        charge_id = charge_id or id_of_span(at_us, span_id, trace_id)
        observed = Observed(  # by position, which takes half the time
            charge_id,
            at_us,
            duration_us,
            provider,
            operation,
            requested,
            served,
            tags,
            counts,
            status,
            NO_USAGE_REPORTED if reason is NO_USAGE else method,
            cost,
            listed,
            basis.rate_id,
            basis.source,
            basis.tier or tier,
            trace_id,
            span_id,
            span.parent_span_id.hex() or None,
            response_id,
            error_type,
            source,
            richness,
        )
        if is_ours or shape.was_priced:
            return Noted(observed, reason, None)
        own = shape.own
        is_there = tuple(map(bool, numbers[1:])) if 0.0 in numbers else None
        key = (own, is_there, status, method, semantics)
        layout = basis.layouts.get(key) or _layout(basis, key)
        written = layout, numbers, None if semconv.CHARGE_ID in own else charge_id
        return _make(Noted, (observed, reason, written))


def retold(telling: Telling, told: Sequence[Value | None]) -> Telling:
    """Take the word of a collector that was here before: it charged the call by this id and amount."""
    charge_id, total, cost, estimated, status, price_id = told
    if not isinstance(charge_id, str):
        return telling
    nano = nano_of(next((each for each in (total, estimated, cost) if each is not None), None))
    if status == "unpriced" or nano is None:
        return telling._replace(charge_id=charge_id)
    return telling._replace(
        charge_id=charge_id,
        cost_nano=nano,
        price_id=price_id if isinstance(price_id, str) else None,
        status="estimated" if status == "estimated" else "confirmed",
    )


def duplicate(own: frozenset[str], entry_id: str) -> Written:
    """Say where a call is charged, in place of what it costs.

    Args:
        own: names that are there already.
        entry_id: charge id of what stands for the call.
    """
    return _duplicate(own), (), entry_id


@lru_cache(_MOST_LAYOUTS)
def _duplicate(own: frozenset[str]) -> Layout:
    texts = ((semconv.COST_SOURCE, COLLECTOR), (semconv.COST_STATUS, DUPLICATE))
    return Layout((), [(name, text) for name, text in texts if name not in own])


def _times(span: Span) -> tuple[int, int]:
    """Return when a call began and how long it took, in µs.

    A start that cannot be is taken to be the end, or else the bound that it is beyond: always the same for one span.
    """
    at_us, end_us = span.start // 1000, span.end // 1000
    if _EARLIEST_US <= at_us <= end_us < _LATEST_US:
        return at_us, end_us - at_us
    if _EARLIEST_US <= at_us < _LATEST_US:
        return at_us, 0
    if _EARLIEST_US <= end_us < _LATEST_US:
        return end_us, 0
    return min(max(at_us, _EARLIEST_US), _LATEST_US - 1), 0


def _made_ids(trace_id: str, span_id: str, content: bytes) -> tuple[str, str]:
    """Make the ids that a span lacks of what it is."""
    if len(span_id) != _SPAN_DIGITS or span_id == _NO_SPAN:
        span_id = blake2b(content, digest_size=_SPAN_DIGITS // 2).hexdigest()
    return trace_id if len(trace_id) == _TRACE_DIGITS else _NO_TRACE, span_id


def _layout(basis: Basis, key: _Circumstances) -> Layout:
    own, is_there, status, method, semantics = key
    classes = [semconv.COST_CLASSES[name] for name in basis.classes]
    names: list[str | None] = []
    if status != "unpriced":
        is_written = is_there or (True,) * len(classes)
        is_told = status in _TOLD
        parts = (name if costs and is_told else None for name, costs in zip(classes, is_written, strict=True))
        names = [_cost_name(own, status), *parts]
    texts = [(name, text) for name, text in _texts(basis, status, method, semantics) if name not in own]
    layout = Layout([None if name in own else name for name in names], texts)
    if len(basis.layouts) >= _MOST_LAYOUTS:
        basis.layouts.clear()
    basis.layouts[key] = layout
    return layout


def _cost_name(own: frozenset[str], status: ChargeStatus) -> str:
    if status not in _TOLD:
        return semconv.ESTIMATED_COST
    return semconv.COST_TOTAL if semconv.USAGE_COST in own else semconv.USAGE_COST


def _texts(basis: Basis, status: ChargeStatus, method: str, semantics: str) -> Iterator[tuple[str, str]]:
    yield semconv.COST_SOURCE, COLLECTOR
    if basis.rate_id is not None:
        yield semconv.PRICE_ID, basis.rate_id
        if basis.tier is not None and basis.tier != STANDARD:
            yield semconv.PRICE_TIER, basis.tier
    if status != "confirmed":
        yield semconv.COST_STATUS, status
    if method != "reported":
        yield semconv.TOKENS_METHOD, method
    if semantics != "inclusive":
        yield semconv.INPUT_SEMANTICS, semantics
