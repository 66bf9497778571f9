"""What a telling of a call comes to: the price book's answer, remembered in a form that many calls share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.matching import says_less
from otel_llmcost.core.money import NANO_PER_USD
from otel_llmcost.core.policy import micros
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.pricing import PROVIDER
from otel_llmcost.core.quotes import Band
from otel_llmcost.core.rates import CostClass, Rate, breakdown_usd, cost_nano, nano_of
from otel_llmcost.core.usage import Unit, Usage
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost_collector.bounded import Bounded
from otel_llmcost_collector.dialects.base import Telling
from otel_llmcost_collector.otlp.splice import Layout

# Why a call has no price; the metrics of the collector name them.
NO_USAGE = "no usage"
UNKNOWN_MODEL = "unknown model"
NO_PRICE_FOR_UNIT = "no price for what was used"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ATTO_PER_NANO = 10**9
_MOST_PERIODS = 4096
_MOST_BASES = 256


Amounts = Callable[..., tuple[int, int, Sequence[float]]]
"""Of the units' counts: cost and list cost in nano-USD, then the cost and its parts in USD."""


class Basis:
    """What costs were made by: a rate, for calls that used the same units. Found again by identity."""

    __slots__ = ("amounts", "classes", "layouts", "rate", "rate_id", "source", "tier")

    def __init__(
        self,
        rate_id: str | None,
        source: str | None,
        rate: Rate | None = None,
        units: Sequence[Unit] = (),
    ) -> None:
        self.rate_id = rate_id
        self.source = source
        self.rate = rate
        self.tier = None if rate is None else rate.tier
        """None: the call's own."""
        self.classes: Sequence[CostClass] = ()
        """Parts that such costs have."""
        self.amounts: Amounts | None = None
        """None: it takes a closer look at the counts."""
        self.layouts: dict[Hashable, Layout] = {}
        """What is written of such costs, by what else that depends on."""
        if rate is not None and units and all(unit in rate.weights for unit in units):
            self.classes = tuple(dict.fromkeys(name for unit in units for name, _ in rate.usd_classes[unit]))
            self.amounts = _amounts(rate, units, self.classes)


class Charged(NamedTuple):
    """What a call comes to."""

    status: ChargeStatus
    cost_nano: int | None
    list_cost_nano: int | None
    counts: Mapping[Unit, int]
    """With what no span reports but the rate has a price for."""
    basis: Basis
    numbers: Sequence[float]
    """In USD: the cost, if there is one, then its parts, as `basis.classes` names them."""
    reason: str | None
    """Why there is no price."""


_make: Callable[[type[Charged], tuple[Any, ...]], Charged] = vars(tuple)["__new__"]
"""Makes one at half of what its own function takes."""


class _Quote:
    """A rate and what was worked out of it."""

    __slots__ = ("bases", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.bases: Bounded[tuple[Unit, ...], Basis] = Bounded(
            lambda units: Basis(rate.rate_id, rate.source, rate, units), _MOST_BASES
        )


class _Period(NamedTuple):
    """The rates of a model while nothing about them changes, `start <= t < end`, in µs since 1970."""

    start: int
    end: int
    bands: tuple[tuple[int, _Quote], ...]


_Asked = tuple[str, str, str | None, str]
"""Provider, requested model, served model, tier."""


class Charging:
    """Prices tellings as the plugin prices answers (see `core.pricing`), only more of them in a second."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._periods: dict[_Asked, _Period] = {}
        self._nothing = Basis(None, None)
        self._word = Basis(None, PROVIDER)

    def charged(self, telling: Telling, at_us: int, duration_us: int) -> Charged:
        """Price a telling; of one that tells its cost, say what it would be at list price."""
        counts = telling.counts
        asked = telling.provider, telling.requested_model, telling.served_model, telling.tier
        period = self._periods.get(asked)
        if period is None or not period.start <= at_us < period.end:
            period = self._remember(asked, at_us)
        tokens = counts.get("input_tokens", 0)
        for above, quote in period.bands:
            if tokens > above:
                if quote.rate.meters:
                    counts = _metered(counts, quote.rate, duration_us)
                charged = _priced(telling.status, counts, quote) if counts else self._unpriced(counts)
                break
        else:
            charged = self._unpriced(counts)
        return charged if telling.cost_nano is None else self._as_told(telling, charged)

    def _unpriced(self, counts: Mapping[Unit, int]) -> Charged:
        return Charged("unpriced", None, None, counts, self._nothing, (), UNKNOWN_MODEL if counts else NO_USAGE)

    def _as_told(self, telling: Telling, charged: Charged) -> Charged:
        """Put a cost that the span tells in the place of ours."""
        cost = cast("int", telling.cost_nano)
        basis = self._word if telling.price_id is None else Basis(telling.price_id, None, charged.basis.rate)
        numbers = (cost / NANO_PER_USD,)
        return Charged(telling.status, cost, charged.list_cost_nano, charged.counts, basis, numbers, None)

    def _remember(self, asked: _Asked, at_us: int) -> _Period:
        provider, requested, served, tier = asked
        at = _EPOCH + timedelta(microseconds=at_us)
        spans = [self._book.rates_around(provider, name, at, tier=tier) for name in _names(requested, served)]
        bands: list[Band] = [band for span in spans for band in span.bands]  # the first that fits holds
        period = _Period(
            max(micros(span.start) for span in spans),
            min(micros(span.end) for span in spans),
            tuple((above, _Quote(rate)) for above, rate in bands),
        )
        if len(self._periods) >= _MOST_PERIODS:
            self._periods.clear()
        self._periods[asked] = period
        return period


def _names(requested: str, served: str | None) -> list[str]:
    """List the names to look under: the model that answered, then the one asked for."""
    if served is None or served == requested or says_less(served, requested):
        return [requested]
    return [served, requested]


def _priced(status: ChargeStatus, counts: Mapping[Unit, int], quote: _Quote) -> Charged:
    basis = quote.bases[tuple(counts)]
    if basis.amounts is not None:
        cost, listed, numbers = basis.amounts(*counts.values())
        if listed:
            return _make(Charged, (status, cost, listed, counts, basis, numbers, None))
    return _looked_at(status, counts, quote.rate)


def _looked_at(status: ChargeStatus, counts: Mapping[Unit, int], rate: Rate) -> Charged:
    """Price what comes to nothing, or has parts that the rate has no price for."""
    usage = Usage(counts)
    basis = Basis(rate.rate_id, rate.source, rate)
    try:
        cost, listed = cost_nano(usage, rate)
    except UnknownPriceError:
        return Charged("unpriced", None, None, counts, basis, (), NO_PRICE_FOR_UNIT)
    parts = breakdown_usd(usage, rate)
    basis.classes = tuple(parts)
    return Charged(status, cost, listed, counts, basis, (cost / NANO_PER_USD, *parts.values()), None)


def _metered(counts: Mapping[Unit, int], rate: Rate, duration_us: int) -> Mapping[Unit, int]:
    """Add what no span reports but the rate has a price for: the call itself, the time it took."""
    metered = dict(counts)
    for unit in rate.meters:
        metered.setdefault(unit, 1 if unit == "requests" else round(duration_us / 1000))
    return metered


def _amounts(rate: Rate, units: Sequence[Unit], classes: Sequence[CostClass]) -> Amounts:
    """Make a function of the counts that adds up: written out, it takes a fifth of what loops take."""
    names = [f"n{place}" for place in range(len(units))]
    parts = [
        "+".join(f"{name}*{usd[one]!r}" for name, usd in _moves(names, units, rate) if one in usd) for one in classes
    ]
    weights = [rate.weights[unit] for unit in units]
    if not rate.discount and not any(weight % _ATTO_PER_NANO for weight in weights):
        total = _sum(names, [weight // _ATTO_PER_NANO for weight in weights])
        return cast(
            "Amounts", _function(names, f"(nano := {total}), nano, [nano / {NANO_PER_USD}, {', '.join(parts)}]")
        )
    sums = _function(names, f"{_sum(names, weights)}, {', '.join(parts)}")

    def rounded(*counts: int) -> tuple[int, int, Sequence[float]]:
        atto, *usd = sums(*counts)
        cost, listed = nano_of(atto, rate)
        return cost, listed, [cost / NANO_PER_USD, *usd]

    return rounded


def _moves(names: Sequence[str], units: Sequence[Unit], rate: Rate) -> list[tuple[str, dict[CostClass, float]]]:
    return [(name, dict(rate.usd_classes[unit])) for name, unit in zip(names, units, strict=True)]


def _sum(names: Sequence[str], weights: Sequence[int]) -> str:
    return "+".join(f"{name}*{weight}" for name, weight in zip(names, weights, strict=True))


def _function(names: Sequence[str], results: str) -> Callable[..., Any]:
    return cast("Callable[..., Any]", eval(f"lambda {', '.join(names)}: ({results})"))  # noqa: S307 -- our own numbers
