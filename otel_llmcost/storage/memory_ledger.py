"""The newest charges of this process whole, and those that were too many as sums by the hour."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from otel_llmcost.core.attribution import DIMENSIONS, Dimension
from otel_llmcost.core.ledger import Charge, reversal
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost.storage.shared import Sum, dearest_first

FORGOTTEN: frozenset[Dimension] = frozenset({"task", "session", "trace"})
"""Dimensions that old sums do not keep, since every value of them is soon over."""
KEPT: tuple[Dimension, ...] = tuple(dimension for dimension in DIMENSIONS if dimension not in FORGOTTEN)

UNCERTAIN = frozenset({"estimated", "suspected"})
_TIMES: Mapping[GroupBy, str] = {"hour": "%Y-%m-%dT%H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}
_OF_CHARGE: Mapping[GroupBy, Callable[[Charge], str | None]] = {
    "provider": lambda charge: charge.tags.get("provider", charge.provider),
    "model": lambda charge: charge.tags.get("model", charge.model),
    "trace": lambda charge: charge.tags.get("trace", charge.trace_id),
    "status": lambda charge: charge.status,
    "operation": lambda charge: charge.operation,
    "rate": lambda charge: charge.rate_id,
}


class MemoryLedger:
    """Charges by id, in the order they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._charges: OrderedDict[str, Charge] = OrderedDict()
        self._old: dict[tuple[str | None, ...], tuple[Charge, Sum]] = {}
        """Sums of charges that were alike, with one charge to tell in what."""

    def add(self, charge: Charge) -> bool:
        """Append a charge; False: it is there already, by its id."""
        charges = self._charges
        if charge.charge_id in charges:
            return False
        charges[charge.charge_id] = charge
        if len(charges) > self._most:
            self._fold(charges.popitem(last=False)[1])
        return True

    def charges(self, since: datetime, until: datetime) -> list[Charge]:
        """List the charges of a time, in order of time."""
        found = [charge for charge in self._charges.values() if since <= charge.at < until]
        return sorted(found, key=lambda charge: (charge.at, charge.charge_id))

    def uncertain(self, response_id: str) -> Charge | None:
        """Find the charge of an answer that is estimated or suspected and was not corrected yet."""
        for charge in reversed(self._charges.values()):
            is_open = charge.status in UNCERTAIN and charge.corrects is None
            if charge.response_id == response_id and is_open and reversal(charge).charge_id not in self._charges:
                return charge
        return None

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """Add up the charges of a time by dimensions."""
        sums: dict[tuple[str | None, ...], Sum] = {}
        for charge in self._charges.values():
            if since <= charge.at < until:
                sums.setdefault(group_of(charge, by), Sum()).add_charge(charge)
        for charge, old in self._old.values():
            if since <= charge.at < until:
                sums.setdefault(group_of(charge, by), Sum()).add_sum(old)
        return dearest_first(total.total(group) for group, total in sums.items())

    def _fold(self, charge: Charge) -> None:
        hour = charge.at.replace(minute=0, second=0, microsecond=0)
        tags = [charge.tags.get(dimension) for dimension in KEPT]
        key = (hour.isoformat(), charge.status, charge.operation, charge.provider, charge.model, charge.rate_id, *tags)
        if key not in self._old:
            kept = {dimension: value for dimension, value in charge.tags.items() if dimension not in FORGOTTEN}
            self._old[key] = replace(charge, at=hour, tags=kept, trace_id=None), Sum()
        self._old[key][1].add_charge(charge)


def group_of(charge: Charge, by: Sequence[GroupBy]) -> tuple[str | None, ...]:
    """Name the group that a charge is added up in."""
    return tuple(_value(charge, name) for name in by)


def _value(charge: Charge, by: GroupBy) -> str | None:
    if by in _OF_CHARGE:
        return _OF_CHARGE[by](charge)
    if by in _TIMES:
        return charge.at.astimezone(UTC).strftime(_TIMES[by])
    return charge.tags.get(cast("Dimension", by))
