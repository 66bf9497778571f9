"""Spans that our own plugin wrote or wrote on: the charge is made already, and stands on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_llmcost.core.listing import STANDARD
from otel_llmcost.core.usage import Unit
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.dialects.base import Around, Telling, Value
from otel_llmcost_collector.dialects.counting import nano_of_usd, whole
from otel_llmcost_collector.dialects.facts import Wanted, text_of
from otel_llmcost_collector.dialects.row import Dialect, Names
from otel_llmcost_collector.dialects.shape import ShapeReader, make_telling, places_of

SOURCE = "otel-llmcost"
_RICHNESS = 40_000
_COUNTS = Telling._fields.index("counts")
_STATUSES: frozenset[str] = frozenset({"confirmed", "estimated", "suspected", "unpriced"})


class OurReader:
    """Reads the spans of one shape that carry a charge, whoever made them."""

    def __init__(self, row: Dialect, scope: str, keys: frozenset[str]) -> None:
        self._theirs = ShapeReader(row, scope, keys)
        at = Wanted(keys)
        at.names.extend(self._theirs.wanted)
        self._charge_id = at.place((semconv.CHARGE_ID,))
        self._cost = at.place((semconv.USAGE_COST,))
        self._estimate = at.place((semconv.ESTIMATED_COST,))
        self._status, self._method = at.place((semconv.COST_STATUS,)), at.place((semconv.TOKENS_METHOD,))
        self._price, self._tier = at.place((semconv.PRICE_ID,)), at.place((semconv.PRICE_TIER,))
        names: dict[Unit, Names] = {unit: (semconv.ESTIMATED_USAGE[unit], *_ours(unit)) for unit in semconv.USAGE}
        self._counts = places_of(at, names)
        self.wanted: Sequence[str] = tuple(at.names)

    def read(self, name: str, values: Sequence[Value | None], around: Around) -> Telling | None:
        """Read one span, see `Reader`."""
        charge_id = values[self._charge_id]
        told = self._theirs.read(name, values, around)
        if told is None or type(charge_id) is not str or not charge_id:
            return told
        status = text_of(values, self._status) if self._status >= 0 else "confirmed"
        method = text_of(values, self._method) if self._method >= 0 else ""
        cost = values[self._cost] if self._cost >= 0 else None
        if cost is None and self._estimate >= 0:
            cost = values[self._estimate]
        counts = self._counted(told.counts, values, is_reported=not method)
        return make_telling(
            Telling,
            (
                SOURCE,
                _RICHNESS + told.richness,
                *told[2:_COUNTS],
                counts,
                status if status in _STATUSES else "confirmed",
                method or "reported",
                (text_of(values, self._tier) or STANDARD) if self._tier >= 0 else STANDARD,
                told.response_id,
                told.error_type,
                nano_of_usd(cost),
                charge_id,
                text_of(values, self._price) or None,
                told.input_semantics,
            ),
        )

    def _counted(
        self, theirs: Mapping[Unit, int], values: Sequence[Value | None], *, is_reported: bool
    ) -> Mapping[Unit, int]:
        """Take what we added of a usage that they tell in part; of an estimate they know nothing."""
        if not self._counts and is_reported:
            return theirs
        ours = _counted(self._counts, values)
        return {**theirs, **ours} if is_reported else ours


def _counted(places: Sequence[tuple[Unit, int]], values: Sequence[Value | None]) -> Mapping[Unit, int]:
    counts: dict[Unit, int] = {}
    for unit, place in places:
        if count := whole(values[place]):
            counts[unit] = count
    return counts


def _ours(unit: Unit) -> tuple[str, ...]:
    name = semconv.USAGE[unit]
    return (name,) if name.startswith("llmcost.") else ()
