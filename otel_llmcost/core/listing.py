"""The price book's rows: who sells which models, under which names, at which prices, from when on.

Named tuples, since they take a seventh of a dataclass's time to define: all of this is imported at the first call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import reduce
from typing import NamedTuple

from otel_llmcost.core.matching import NameRule
from otel_llmcost.core.usage import Unit

STANDARD = "standard"
EVERY_TIER = "*"
"""Names rows whose prices hold in any tier, where no other row has one for the same."""
_TIERS: Mapping[str, str] = {
    "": STANDARD,
    "auto": STANDARD,
    "default": STANDARD,
    "on_demand": STANDARD,
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
    "regular": STANDARD,
    "standard_only": STANDARD,
    "global": STANDARD,
    "not_available": STANDARD,
    "unspecified": STANDARD,
    "traffic_type_unspecified": STANDARD,
    "service_tier_unspecified": STANDARD,
}
"""What providers call a tier, a speed or a place → the book's name for it."""
_BETWEEN = "+"
_ONE = Decimal(1)
_SIZE = re.compile(r"\d+x\d+")
_BY_SIZE: tuple[Unit, ...] = ("images", "video_milliseconds")
_EXACT = Context(prec=60)

Steps = tuple[tuple[int, Decimal], ...]
"""(input tokens, USD for one unit): the last step whose size the request exceeds counts, for the whole request.
The first step's size is 0 and its price that of any request that exceeds no other."""


def canonical_tier(tier: str) -> str:
    """Name a service tier as the price book does, from a request's or an answer's name for it.

    Several modifiers of a price, such as `US+batch`, are put in one order; those that change nothing are left out.
    """
    names = (each.strip() for each in tier.lower().split(_BETWEEN))
    return _BETWEEN.join(sorted({_TIERS.get(name, name) for name in names} - {STANDARD})) or STANDARD


def scaled(prices: Mapping[Unit, Steps], factor: Decimal) -> dict[Unit, Steps]:
    """Multiply the prices of tokens; fees for tools and the like stay."""
    return {
        unit: tuple((size, _EXACT.multiply(amount, factor)) for size, amount in steps)
        if unit.endswith("_tokens")
        else steps
        for unit, steps in prices.items()
    }


class PriceRow(NamedTuple):
    """Prices that hold from a day on, or at some hours of every day; those of a tier lie over the standard ones."""

    prices: Mapping[Unit, Steps]
    tier: str = STANDARD
    valid_from: datetime | None = None
    """Midnight UTC; None: since ever."""
    hours: tuple[int, int] | None = None
    """Minutes of the day in UTC, start included, end not; an end before the start is tomorrow's."""
    days: tuple[int, ...] | None = None
    """Days of the week in UTC, Monday is 1; None: any."""
    times: Decimal = Decimal(1)
    """Factor on all prices of tokens, whatever else they depend on: a surcharge for a place, a discount for waiting."""
    source: str = ""
    """Where the row is from, if not from where its model's prices are."""

    def holds(self, at: datetime) -> bool:
        """Tell whether the prices hold at an instant."""
        if self.valid_from is not None and at < self.valid_from:
            return False
        utc = at.astimezone(UTC)
        if self.days is not None and utc.isoweekday() not in self.days:
            return False
        if self.hours is None:
            return True
        start, end = self.hours
        minute = utc.hour * 60 + utc.minute
        return minute >= start or minute < end if end < start else start <= minute < end

    def changes(self, at: datetime) -> list[datetime]:
        """List the instants near `at` at which the row begins or ceases to hold."""
        instants = [] if self.valid_from is None else [self.valid_from]
        if self.hours is not None or self.days is not None:
            midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            minutes = {*(self.hours or ()), *((0,) if self.days is not None else ())}
            instants += [midnight + timedelta(days=day, minutes=minute) for day in (-1, 0, 1) for minute in minutes]
        return instants


class Held(NamedTuple):
    """The prices of a model at one instant, in one tier."""

    prices: Mapping[Unit, Steps]
    row: PriceRow
    """The standard one."""
    laid: tuple[PriceRow, ...]
    """What lies over it."""
    tier: str
    """The modifiers that were found, all of those asked for or fewer."""
    beside: tuple[str, ...]
    """Where prices of units are from that the model's own source has none for."""

    @property
    def valid_from(self) -> datetime | None:
        """Since when these prices hold."""
        starts = [each.valid_from for each in (self.row, *self.laid) if each.valid_from is not None]
        return max(starts, default=None)

    @property
    def source(self) -> str:
        """Say where the modifiers are from, if not from where the model's prices are."""
        return next((each.source for each in self.laid if each.source), "")

    @property
    def factor(self) -> Decimal | None:
        """By how much the modifiers change prices of tokens; None: they have prices of their own."""
        if any(each.prices for each in self.laid):
            return None
        return reduce(_EXACT.multiply, (each.times for each in self.laid), _ONE)


class ModelPrices(NamedTuple):
    """All prices of a model that are known."""

    provider: str
    model: str
    rows: tuple[PriceRow, ...]
    """Of standard rows the last that holds counts, or the first if none does; of a modifier's rows, unit by unit, the
    first that holds and has a price for it. Rows for a combination, such as `batch+us`, go before its parts."""
    max_output_tokens: int | None = None
    source: str = ""
    """Where the prices are from, if not from where the book is."""

    def at(self, at: datetime, tier: str) -> Held:
        """Return the prices that hold at an instant; standard ones where a modifier has none of its own."""
        standard = [row for row in self.rows if row.tier == STANDARD]
        row = next((row for row in reversed(standard) if row.holds(at)), standard[0])
        prices: dict[Unit, Steps] = {}
        also = self._of(EVERY_TIER, at)
        for each in (*reversed(also), row):
            prices.update(each.prices)
        beside = tuple(
            dict.fromkeys(each.source for each in also if each.source and not each.prices.keys() <= row.prices.keys())
        )
        found: list[str] = []
        laid: list[PriceRow] = []
        for name, rows in self._modifiers(at, tier):
            own: dict[Unit, Steps] = {}
            for each in reversed(rows):
                own.update(each.prices)
            if any(unit in each.prices for each in laid for unit in own):
                continue  # nobody says what two prices for the same come to together
            prices.update(own)
            found.append(name)
            laid += rows
        for each in laid:
            if each.times != 1:
                prices = scaled(prices, each.times)
        if self._is_unknown_size(tier, found):
            prices = {unit: steps for unit, steps in prices.items() if unit not in _BY_SIZE}
        return Held(prices=prices, row=row, laid=tuple(laid), tier=_BETWEEN.join(found) or STANDARD, beside=beside)

    def _modifiers(self, at: datetime, tier: str) -> Iterator[tuple[str, list[PriceRow]]]:
        if tier == STANDARD:
            return
        for name in (tier,) if self._of(tier, at) else tier.split(_BETWEEN):
            rows = self._of(name, at)
            if rows:
                yield name, rows

    def _is_unknown_size(self, tier: str, found: Sequence[str]) -> bool:
        """Tell whether a size was asked for that is not among those the model is sold in."""
        known = {part for each in found for part in each.split(_BETWEEN)}
        unknown = [each for each in tier.split(_BETWEEN) if each not in known]
        return any(map(_SIZE.fullmatch, unknown)) and any(_SIZE.match(row.tier) for row in self.rows)

    def _of(self, tier: str, at: datetime) -> list[PriceRow]:
        return [row for row in self.rows if row.tier == tier and row.holds(at)]

    def resold(self) -> ModelPrices:
        """Return what another provider asks for the model: its tiers, and what they cost, are its own."""
        return self._replace(rows=tuple(row for row in self.rows if row.tier == STANDARD))

    def modified(self, rows: Iterable[PriceRow]) -> ModelPrices:
        """Add rows of modifiers that the model has no row of its own for."""
        own = {row.tier for row in self.rows} - {EVERY_TIER}
        return self._replace(rows=(*self.rows, *(row for row in rows if row.tier not in own)))


class Modified(NamedTuple):
    """Prices that a provider has for some modifier of many models, whoever made them."""

    names: NameRule
    """Of the models."""
    rows: tuple[PriceRow, ...]


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
    modified: Callable[[], Sequence[Modified]] = tuple
    """Reads its prices for modifiers of many models; those of one before those of many. Asked for once per name."""
