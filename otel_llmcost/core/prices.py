"""The price book: what a model's rate was at an instant, and what a usage costs at that rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from otel_llmcost.core.listing import EVERY_TIER, STANDARD, Listing, ModelPrices, PriceRow, Provider, canonical_tier
from otel_llmcost.core.matching import PROVIDERS, RELAYS, ROUTERS, undressed, with_dashed_date
from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.quotes import Band, Known, all_rates, bands_at, changes_near
from otel_llmcost.core.rates import COST_CLASSES, Cost, CostClass, Rate, breakdown_nano, price
from otel_llmcost.errors import UnknownPriceError

__all__ = [
    "COST_CLASSES",
    "Cost",
    "CostClass",
    "PriceBook",
    "PriceOverride",
    "Rate",
    "RateSpan",
    "SoldModel",
    "breakdown_nano",
    "price",
]

_PAID_AHEAD = frozenset({"provisioned_throughput", "reserved", "scale"})
"""Tiers of capacity that is bought by the month: what a call of theirs costs, its tokens do not tell."""
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_MOST_CACHED = 4096
"""Names come from whoever sends spans: the cache starts anew when there are more than this."""


class SoldModel(NamedTuple):
    """A model by the price book's own names."""

    provider: str
    model: str


class RateSpan(NamedTuple):
    """The rates of a name while nothing about them changes, `start <= t < end`; none at all: there is no price."""

    start: datetime
    end: datetime
    bands: tuple[Band, ...]
    """For the largest requests first: the first that a request's input is above holds."""


class PriceBook:
    """All rates that are known. Safe for threads; finding a rate again is one look-up."""

    def __init__(
        self,
        providers: Iterable[Provider] = (),
        *,
        source: str = "",
        compiled_on: str = "",
        overrides: Sequence[PriceOverride] = (),
    ) -> None:
        self.source = source
        """Where the book is from, such as `genai-prices 0.2.3`."""
        self.compiled_on = compiled_on
        """The day it was compiled, as ISO date."""
        self.overrides = tuple(overrides)
        self._providers = {each.provider: each for each in providers}
        self._listings: dict[str, Sequence[Listing]] = {}
        self._known: dict[tuple[str, str], Known | None] = {}
        self._spans: dict[tuple[str, str, str], RateSpan] = {}

    def with_overrides(self, overrides: Sequence[PriceOverride]) -> PriceBook:
        """Lay the user's own prices over the book; of several that fit, the latest counts, then the last written."""
        return PriceBook(
            tuple(self._providers.values()),
            source=self.source,
            compiled_on=self.compiled_on,
            overrides=(*self.overrides, *overrides),
        )

    def rate_at(self, provider: str, model: str, at: datetime, *, input_tokens: int = 0, tier: str = STANDARD) -> Rate:
        """Return the rate of a model at an instant.

        Args:
            provider: any name it goes by; empty: the model's name tells.
            model: as requested or as served, with or without a prefix.
            at: when the call began; aware.
            input_tokens: all input, cached too: decides the band where long requests cost more.
            tier: the service tier, as the request or, better, the answer names it.

        Raises:
            UnknownPriceError: neither the book nor an override has a price.
        """
        key = (provider, model, tier)
        span = self._spans.get(key)
        if span is None or not span.start <= at < span.end:
            span = self._remember(key, at)
        for above, rate in span.bands:
            if input_tokens > above:
                return rate
        raise UnknownPriceError(provider, model)

    def rates_around(self, provider: str, model: str, at: datetime, *, tier: str = STANDARD) -> RateSpan:
        """Return what `rate_at` chooses from, and how long that holds: for whoever prices many calls."""
        return self._remember((provider, model, tier), at)

    def find(self, provider: str, model: str) -> SoldModel | None:
        """Tell which model a name means; None: not known."""
        known = self._look_up(provider, model)
        return None if known is None else SoldModel(known.provider, known.model)

    def seller(self, provider: str) -> str | None:
        """Tell which provider of the book a name means; None: not known."""
        return self._provider_named(provider.strip().lower())

    def models(self) -> list[SoldModel]:
        """List all models of the book, as the book orders them."""
        return [SoldModel(name, each.model) for name in self._providers for each in self._list_of(name)]

    def show(self, provider: str, model: str) -> list[Rate]:
        """List all rates of a model: every date, hour, tier and band of sizes; none at all: it is not known."""
        known = self._look_up(provider, model)
        return [] if known is None else all_rates(known)

    def history(self) -> Iterator[tuple[SoldModel, list[Rate]]]:
        """Go through all models of the book with all their rates."""
        for provider in self._providers:
            for listing in self._list_of(provider):
                prices = listing.prices()
                known = Known(
                    provider=provider,
                    model=listing.model,
                    prices=prices,
                    overrides=tuple(row for row in self.overrides if row.fits((provider,), (listing.model.lower(),))),
                    source=prices.source or self.source,
                )
                yield SoldModel(provider, listing.model), all_rates(known)

    def _remember(self, key: tuple[str, str, str], at: datetime) -> RateSpan:
        provider, model, tier = key
        known = self._look_up(provider, model)
        changes = [] if known is None else changes_near(known, at)
        span = RateSpan(
            max((each for each in changes if each <= at), default=_EVER),
            min((each for each in changes if each > at), default=_NEVER),
            () if known is None or _is_paid_ahead(known, tier) else bands_at(known, at, canonical_tier(tier)),
        )
        if len(self._spans) >= _MOST_CACHED:
            self._spans.clear()
        self._spans[key] = span
        return span

    def _look_up(self, provider: str, model: str) -> Known | None:
        key = (provider.strip().lower(), model.strip().lower())
        try:
            return self._known[key]
        except KeyError:
            known = self._search(*key)
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()
        self._known[key] = known
        return known

    def _search(self, provider: str, name: str) -> Known | None:
        known = None
        for seller, bare in self._readings(provider, name):
            known = self._known_as(provider, seller, bare)
            if known is not None and known.prices is not None:
                return known
        return known

    def _readings(self, provider: str, name: str) -> Iterator[tuple[str | None, str]]:
        """Say who may be paid, and the model's name as that provider would have it."""
        if provider in ROUTERS:
            bare, _, served_by = name.rpartition(":")
            yield self._provider_called(f"huggingface_{served_by}"), bare or name
            return
        if provider not in RELAYS:
            yield self._provider_named(provider), name
            return
        prefix, slash, rest = name.partition("/")
        if slash and (seller := self._provider_called(prefix)) is not None:
            yield seller, rest
        yield next((each.provider for each in self._providers.values() if each.sells.fits(name)), None), name

    def _known_as(self, provider: str, seller: str | None, name: str) -> Known | None:
        who = seller or provider
        names = list(dict.fromkeys(self._spellings(who, name)))
        found = None if seller is None else map(partial(self._prices_of, seller), names)
        prices = next((each for each in found or () if each is not None), None)
        overrides = tuple(row for row in self.overrides if row.fits((provider, who), names))
        if prices is None and not overrides:
            return None
        return Known(
            provider=who if prices is None else prices.provider,
            model=names[-1] if prices is None else prices.model,
            prices=prices,
            overrides=overrides,
            source=(prices and prices.source) or self.source,
        )

    def _provider_called(self, name: str) -> str | None:
        name = PROVIDERS.get(name, name)
        return name if name in self._providers else None

    def _provider_named(self, name: str) -> str | None:
        rules = (each.provider for each in self._providers.values() if each.names.fits(name))
        return self._provider_called(name) or next(rules, None)

    def _spellings(self, provider: str, name: str) -> Iterator[str]:
        """Give a name as it came, then without what says nothing new: a path, the provider's name before a slash."""
        for bare in undressed(name):
            yield bare
            prefix, slash, rest = bare.partition("/")
            if slash and rest and (self._provider_called(prefix) or prefix) == provider:
                yield from self._spellings(provider, rest)

    def _prices_of(self, seller: str, name: str) -> ModelPrices | None:
        for spelling in dict.fromkeys((name, with_dashed_date(name))):
            for who in (seller, *self._providers[seller].resells):
                for listing in self._list_of(who):
                    if listing.names.fits(spelling):
                        prices = listing.prices() if who == seller else listing.prices().resold()
                        return prices.modified(self._modifiers_of(seller, spelling))
        return None

    def _modifiers_of(self, seller: str, name: str) -> Iterator[PriceRow]:
        """Give rows for each modifier from the first place that has any: a price for the model goes before a rule."""
        seen: set[str] = set()
        for each in self._providers[seller].modified():
            if each.names.fits(name):
                yield from (row for row in each.rows if row.tier not in seen)
                seen.update(row.tier for row in each.rows if row.tier != EVERY_TIER)

    def _list_of(self, provider: str) -> Sequence[Listing]:
        if provider not in self._listings:
            self._listings[provider] = self._providers[provider].listings()
        return self._listings[provider]


def _is_paid_ahead(known: Known, tier: str) -> bool:
    """Tell whether a tier has no price by the token, unless the user gave it one."""
    name = canonical_tier(tier)
    return not _PAID_AHEAD.isdisjoint(name.split("+")) and all(row.tier != name for row in known.overrides)
