"""The price book's rows: who sells which models, under which names, at which prices, from when on.

Named tuples, since they take a seventh of a dataclass's time to define: all of this is imported at the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from otel_llmcost.core.matching import NameRule
from otel_llmcost.core.usage import Unit

STANDARD = "standard"
_TIERS: Mapping[str, str] = {
    "": STANDARD,
    "auto": STANDARD,
    "default": STANDARD,
    "on_demand": STANDARD,
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
}

Steps = tuple[tuple[int, Decimal], ...]
"""(input tokens, USD for one unit): the last step whose size the request exceeds counts, for the whole request.
The first step's size is 0 and its price that of any request that exceeds no other."""


def canonical_tier(tier: str) -> str:
    """Name a service tier as the price book does, from a request's or an answer's name for it."""
    name = tier.lower()
    return _TIERS.get(name, name)


class PriceRow(NamedTuple):
    """Prices that hold from a day on, or at some hours of every day; those of a tier lie over the standard ones."""

    prices: Mapping[Unit, Steps]
    tier: str = STANDARD
    valid_from: datetime | None = None
    """Midnight UTC; None: since ever."""
    hours: tuple[int, int] | None = None
    """Minutes of the day in UTC, start included, end not; an end before the start is tomorrow's."""

    def holds(self, at: datetime) -> bool:
        """Tell whether the prices hold at an instant."""
        if self.valid_from is not None and at < self.valid_from:
            return False
        if self.hours is None:
            return True
        start, end = self.hours
        utc = at.astimezone(UTC)
        minute = utc.hour * 60 + utc.minute
        return minute >= start or minute < end if end < start else start <= minute < end

    def changes(self, at: datetime) -> list[datetime]:
        """List the instants near `at` at which the row begins or ceases to hold."""
        instants = [] if self.valid_from is None else [self.valid_from]
        if self.hours is not None:
            midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            instants += [midnight + timedelta(days=day, minutes=minute) for day in (-1, 0, 1) for minute in self.hours]
        return instants


class Held(NamedTuple):
    """The prices of a model at one instant, in one tier."""

    prices: Mapping[Unit, Steps]
    valid_from: datetime | None
    hours: tuple[int, int] | None
    is_tier_known: bool


class ModelPrices(NamedTuple):
    """All prices of a model that are known."""

    provider: str
    model: str
    rows: tuple[PriceRow, ...]
    """Of standard rows the last that holds counts, or the first if none does; of a tier's rows, unit by unit, the
    first that holds and has a price for it."""
    max_output_tokens: int | None = None
    source: str = ""
    """Where the prices are from, if not from where the book is."""

    def at(self, at: datetime, tier: str) -> Held:
        """Return the prices that hold at an instant; standard ones where the tier has none of its own."""
        standard = [row for row in self.rows if row.tier == STANDARD]
        row = next((row for row in reversed(standard) if row.holds(at)), standard[0])
        extra = [each for each in self.rows if each.tier == tier and tier != STANDARD and each.holds(at)]
        prices = dict(row.prices)
        for each in reversed(extra):
            prices.update(each.prices)
        starts = [each.valid_from for each in (row, *extra[:1]) if each.valid_from is not None]
        return Held(
            prices=prices,
            valid_from=max(starts, default=None),
            hours=row.hours,
            is_tier_known=tier == STANDARD or bool(extra),
        )

    def resold(self) -> ModelPrices:
        """Return what another provider asks for the model: its tiers, and what they cost, are its own."""
        return self._replace(rows=tuple(row for row in self.rows if row.tier == STANDARD))


class Listing(NamedTuple):
    """A model in a provider's list."""

    model: str
    names: NameRule
    prices: Callable[[], ModelPrices]
    """Reads the prices; asked for once per name that was seen."""


class Provider(NamedTuple):
    """Who sells models."""

    provider: str
    names: NameRule
    """Other names it goes by."""
    sells: NameRule
    """Names of models that are this provider's, if nobody said whose."""
    resells: tuple[str, ...]
    """Providers whose models it sells at their price, where it has no price of its own."""
    listings: Callable[[], Sequence[Listing]]
    """Reads the list, in the order in which names are tried; asked for once."""
