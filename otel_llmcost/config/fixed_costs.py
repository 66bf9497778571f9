"""`[[fixed_cost]]` of `llmcost.toml` as values of the core."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import Kind, one_of
from otel_llmcost.config.reader import Notes, Table, rows
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.fixed import Basis, FixedCost, FixedKind
from otel_llmcost.core.money import to_nano

_KIND: Kind[FixedKind] = one_of(get_args(FixedKind))
_BASIS: Kind[Basis] = one_of(get_args(Basis))
_PERIODS: Mapping[str, timedelta | None] = {
    "per_hour": timedelta(hours=1),
    "per_day": timedelta(days=1),
    "per_month": None,
}
_TOTAL = "total"
"""For all the time from `from` to `until`."""
_AMOUNTS = (*_PERIODS, _TOTAL)
_LOSS = "this fixed cost is not counted"


def fixed_costs(document: Mapping[str, object], notes: Notes) -> tuple[FixedCost, ...]:
    """Read `[[fixed_cost]]`; a row that cannot be read is noted and left out.

    Rows of one name follow one another in time, as when a price changes; they must not overlap.
    """
    found: list[FixedCost] = []
    for row in rows(notes, document, "fixed_cost", loss=_LOSS):
        cost = _fixed_cost(row)
        if cost is not None and any(_overlap(cost, other) for other in found):
            expected = "a name of its own for each fixed cost, or times that do not overlap"
            row.fault(("name",), f'"{cost.name}" is taken', expected)
        elif cost is not None:
            found.append(cost)
    return tuple(found)


def _fixed_cost(row: Table) -> FixedCost | None:
    name = row.require("name", kinds.TEXT)
    kind: FixedKind = row.choose("kind", _KIND, "other")
    start = row.choose("from", kinds.DATE, None)
    end = row.choose("until", kinds.DATE, None)
    basis: Basis = row.choose("allocate_by", _BASIS, "calls")
    scope = row.choose("to", kinds.BEARERS, Scope())
    if start and end and end <= start:
        row.fault(("until",), "is not after `from`", "the first day that costs nothing any more")
    amount = _amount(row, end - start if start and end else None)
    if not row.finish() or name is None or amount is None:
        return None
    amount_nano, period = amount
    return FixedCost(
        name=name,
        kind=kind,
        amount_nano=amount_nano,
        period=period,
        allocate_by=basis,
        scope=scope,
        start=start,
        end=end,
    )


def _amount(row: Table, whole: timedelta | None) -> tuple[int, timedelta | None] | None:
    """Read the one amount that a row names, and how long a time it is for."""
    amounts = {key: row.choose(key, kinds.USD, None) for key in _AMOUNTS}
    named = [key for key in _AMOUNTS if key in row]
    if len(named) != 1:
        row.fault((), f"has {' and '.join(named) or 'no amount'}", f"exactly one of {', '.join(_AMOUNTS)}")
        return None
    (key,) = named
    if key == _TOTAL and whole is None:
        row.fault((key,), "is for no time", "`from` and `until` beside it")
    usd = amounts[key]
    return None if usd is None else (to_nano(usd), whole if key == _TOTAL else _PERIODS[key])


def _overlap(one: FixedCost, other: FixedCost) -> bool:
    """Tell whether two rows of one name are due at the same time."""
    return (
        one.name == other.name
        and (one.end is None or other.start is None or other.start < one.end)
        and (other.end is None or one.start is None or one.start < other.end)
    )
