"""From all that is known of a model to its rates at one instant: the book's row, the user's own, bands by size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from otel_llmcost.core.listing import EVERY_TIER, STANDARD, Held, ModelPrices, Steps, scaled
from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.rates import Rate
from otel_llmcost.core.usage import Unit

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_ANY_SIZE = -1


class Band(NamedTuple):
    """A rate and the size of request it begins at."""

    above: int
    """The request has more input tokens than this; -1: any has."""
    rate: Rate


class Known(NamedTuple):
    """What is known of a name, at any time. At least one of book and overrides knows it."""

    provider: str
    model: str
    prices: ModelPrices | None
    """The book's."""
    overrides: tuple[PriceOverride, ...]
    """Those that fit, in the order they were written."""
    source: str
    """The book's."""


def bands_at(known: Known, at: datetime, tier: str) -> tuple[Band, ...]:
    """Make the rates that hold at an instant, for the largest requests first; none at all: there is no price."""
    quote = _quote(known, at, tier)
    sizes = sorted({above for steps in quote.prices.values() for above, _ in steps}, reverse=True)
    return tuple(Band(above or _ANY_SIZE, quote.rate(known, above)) for above in sizes)


def changes_near(known: Known, at: datetime) -> list[datetime]:
    """List the instants at which rates change, those of every day for the days around `at` only."""
    days = [each.valid_from for each in known.overrides if each.valid_from is not None]
    rows = known.prices.rows if known.prices is not None else ()
    return [*days, *(change for row in rows for change in row.changes(at))]


def all_rates(known: Known) -> list[Rate]:
    """List the rates of all times, tiers and sizes; each once, oldest first."""
    rows = known.prices.rows if known.prices is not None else ()
    named = (*(row.tier for row in rows), *(each.tier or STANDARD for each in known.overrides))
    tiers = [tier for tier in dict.fromkeys((STANDARD, *named)) if tier != EVERY_TIER]
    days = {_LONG_AGO, *changes_near(known, _LONG_AGO)}
    instants = sorted({instant for day in days for instant in (day, *changes_near(known, day))})
    rates: dict[str, Rate] = {}
    for tier in tiers:
        for at in instants:
            for band in reversed(bands_at(known, at, tier)):
                rates.setdefault(band.rate.rate_id, band.rate)
    return [rate for rate in rates.values() if not rate.is_tier_assumed]


class _Quote(NamedTuple):
    """The prices of one instant, of all sizes, and where each part of them is from."""

    prices: Mapping[Unit, Steps]
    held: Held | None
    override: PriceOverride | None
    discount: PriceOverride | None
    """The row that gives the discount, if it is not the one with the prices."""
    tier: str
    is_tier_assumed: bool

    def rate(self, known: Known, above: int) -> Rate:
        starts = [each.valid_from for each in (self.held, *self._rows()) if each and each.valid_from]
        valid_from = max(starts, default=None)
        giver = self.discount or self.override
        return Rate(
            rate_id=self._rate_id(known, valid_from, above),
            source=" over ".join((*(row.source for row in reversed(self._rows())), *self._book(known))),
            prices=_prices_above(self.prices, above),
            provider=known.provider,
            model=known.model,
            valid_from=valid_from,
            tier=self.tier,
            is_tier_assumed=self.is_tier_assumed,
            above_input_tokens=above,
            max_output_tokens=self._ceiling(known),
            discount=Decimal(0) if giver is None or giver.discount is None else giver.discount,
        )

    def _rows(self) -> list[PriceOverride]:
        return [row for row in (self.override, self.discount) if row is not None]

    def _book(self, known: Known) -> tuple[str, ...]:
        if self.held is None:
            return ()
        return (" and ".join(dict.fromkeys((self.held.source or known.source, *self.held.beside))),)

    def _ceiling(self, known: Known) -> int | None:
        if self.override is not None and self.override.max_output_tokens is not None:
            return self.override.max_output_tokens
        return None if known.prices is None else known.prices.max_output_tokens

    def _rate_id(self, known: Known, valid_from: datetime | None, above: int) -> str:
        name = f"{known.provider}/{known.model}"
        if valid_from is not None:
            name += f"@{valid_from:%Y-%m-%d}"
        if self.held is not None and self.held.row.hours is not None:
            name += "@" + "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in self.held.row.hours)
        if self.held is not None and self.held.row.days is not None:
            name += "@" + "".join(map(str, self.held.row.days))
        name += f":{self.tier}" if self.tier != STANDARD else ""
        name += f">{above}" if above else ""
        return "+".join((name, *(row.source for row in self._rows())))


def _quote(known: Known, at: datetime, tier: str) -> _Quote:
    held = known.prices.at(at, tier) if known.prices is not None else None
    found = tier
    override = _latest(known.overrides, at, (tier,), has_prices=True)
    if override is None:
        found = STANDARD if held is None else held.tier
        override = _latest(known.overrides, at, (found,), has_prices=True)
    factor = None
    if override is None and held is not None and (factor := held.factor) is not None:
        override = _latest(known.overrides, at, (STANDARD,), has_prices=True)  # a surcharge is on the user's price too
    prices = dict(held.prices) if held is not None and not (override and override.is_self_hosted) else {}
    if override is not None:
        own: dict[Unit, Steps] = {unit: ((0, amount),) for unit, amount in override.prices.items()}
        prices.update(own if factor is None else scaled(own, factor))
    discount = None
    if override is None or override.discount is None:
        discount = _latest(known.overrides, at, (tier, None), has_prices=False)
    return _Quote(
        prices=prices,
        held=held,
        override=override,
        discount=discount,
        tier=found,
        is_tier_assumed=found != tier,
    )


def _latest(
    overrides: Sequence[PriceOverride], at: datetime, tiers: tuple[str | None, ...], *, has_prices: bool
) -> PriceOverride | None:
    """Choose the row that began last; of those that began together, the one written last."""
    best = None
    for row in _holding(overrides, at):
        tier = row.tier or (STANDARD if has_prices else None)
        if bool(row.prices) is has_prices and tier in tiers and (best is None or _start(row) >= _start(best)):
            best = row
    return best


def _holding(overrides: Sequence[PriceOverride], at: datetime) -> Iterator[PriceOverride]:
    return (row for row in overrides if row.valid_from is None or row.valid_from <= at)


def _start(row: PriceOverride) -> datetime:
    return row.valid_from or _LONG_AGO


def _prices_above(prices: Mapping[Unit, Steps], above: int) -> dict[Unit, Decimal]:
    """Take each unit's last step that a request of this band exceeds."""
    return {unit: [amount for size, amount in steps if size <= above][-1] for unit, steps in prices.items()}
