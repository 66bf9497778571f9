"""Which attributes spans have, and what is read of spans that have the same: settled once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.bounded import Bounded
from otel_llmcost_collector.dialects.base import Reader

_MOST_SHAPES = 512
_MOST_SCOPES = 256
_LONGEST_NAMES = 8192
"""Characters of all names of a span together; what has more is settled anew for each span."""

Readers = Callable[[str, frozenset[str]], Reader | None]
"""Of a scope's name and a span's attributes: whoever reads such spans; None: they tell of no call."""

OURS: Final = frozenset(
    {
        semconv.CHARGE_ID,
        semconv.COST_SOURCE,
        semconv.COST_STATUS,
        semconv.COST_TOTAL,
        semconv.ESTIMATED_COST,
        semconv.INPUT_SEMANTICS,
        semconv.PRICE_ID,
        semconv.PRICE_TIER,
        semconv.TOKENS_METHOD,
        semconv.USAGE_COST,
        *semconv.COST_CLASSES.values(),
    }
)
"""What a collector writes on spans."""
TOLD: Final = (
    semconv.CHARGE_ID,
    semconv.COST_TOTAL,
    semconv.USAGE_COST,
    semconv.ESTIMATED_COST,
    semconv.COST_STATUS,
    semconv.PRICE_ID,
)
"""What is read of what another collector wrote."""


Pick = Callable[[Mapping[str, bytes]], Sequence[bytes]]


class Shape(NamedTuple):
    """How spans are read that have one set of attributes."""

    reader: Reader | None
    """None: they tell of no call."""
    names: int
    """How many attributes there are."""
    pick: Pick
    """Of the attributes: those that are wanted, then all others."""
    wanted: int
    """How many are wanted: by the reader; where another collector was here before us, then `TOLD`."""
    own: frozenset[str]
    """What is not to be written, because it is there: a name twice is no OTLP."""
    was_priced: bool
    """Whether another collector was here before us."""


class ShapesOfScope(Bounded[tuple[str, ...], Shape]):
    """Names of a span's attributes → how it is read."""

    def __init__(self, scope: str, readers: Readers) -> None:
        super().__init__(lambda names: _shape(scope, names, readers), _MOST_SHAPES, is_kept=_are_short)
        self.latest: dict[int, Shape] = {}
        """Of spans with so many attributes how the last was read: most likely the next has the same."""

    def find(self, names: tuple[str, ...]) -> Shape:
        """Find the shape of a span that is not like the latest, and take the next for one like this."""
        shape = self[names]
        if names in self:
            if len(self.latest) >= _MOST_SHAPES:
                self.latest.clear()
            self.latest[shape.names] = shape
        return shape


def shapes_by_scope(readers: Readers) -> Bounded[str, ShapesOfScope]:
    """Remember shapes by the scope's name."""
    return Bounded(
        lambda scope: ShapesOfScope(scope, readers), _MOST_SCOPES, is_kept=lambda scope: _are_short((scope,))
    )


def _are_short(names: Sequence[str]) -> bool:
    return sum(map(len, names)) <= _LONGEST_NAMES


def _shape(scope: str, names: Sequence[str], readers: Readers) -> Shape:
    keys = frozenset(names)
    was_priced = semconv.COST_SOURCE in keys
    reader = readers(scope, _before_us(keys) if was_priced else keys)
    wanted = () if reader is None else (*reader.wanted, *TOLD) if was_priced else tuple(reader.wanted)
    return Shape(reader, len(names), _picker(wanted, keys), len(wanted), keys & OURS, was_priced)


def _before_us(keys: frozenset[str]) -> frozenset[str]:
    """Take away what a collector wrote: by what is left the dialect is known."""
    is_theirs = semconv.COST_TOTAL in keys or semconv.ESTIMATED_COST in keys  # ours stands there, not under the usual
    return keys - (OURS - {semconv.USAGE_COST} if is_theirs else OURS)


def _picker(wanted: Sequence[str], keys: frozenset[str]) -> Pick:
    names = (*wanted, *keys.difference(wanted))
    if len(names) > 1 and keys.issuperset(wanted):
        return itemgetter(*names)
    return lambda attributes: [attributes[name] if name in keys else b"" for name in names]
