"""What one unit of anything costs, and the sum that makes a cost of a usage: a dot product of integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, get_args

from otel_llmcost.core.usage import PARENTS, UNITS, Unit, Usage
from otel_llmcost.errors import UnknownPriceError

CostClass = Literal["input", "cache_read", "cache_write", "output", "reasoning", "audio", "tools", "other"]
COST_CLASSES: tuple[CostClass, ...] = get_args(CostClass)

# Sums are whole yocto-USD (1e-24): prices are kept to 1e-18 USD per unit, a discount adds six digits. Plain integers
# are faster than Decimal, and the host's decimal context cannot round them.
_DIGITS = 24
_PRICE_DIGITS = 18
_DISCOUNT_DIGITS = 6
_WHOLE: int = 10**_DISCOUNT_DIGITS
_YOCTO_PER_NANO: int = 10 ** (_DIGITS - 9)
_HALF_A_NANO = _YOCTO_PER_NANO // 2
_ONE_USD: int = 10**_DIGITS
_YOCTO = Decimal(1).scaleb(-_DIGITS)
_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)

_TOKENS: tuple[Unit, ...] = ("input_tokens", "output_tokens")
_TOOLS: tuple[Unit, ...] = ("web_searches", "file_searches", "maps_searches", "code_interpreter_sessions")
_MEASURES: tuple[Unit, ...] = (
    "requests",
    "search_units",
    "pages",
    "images",
    "characters",
    "audio_milliseconds",
    "video_milliseconds",
    "gpu_milliseconds",
)
"""Other ways than tokens to bill the work itself."""
_FREE: tuple[Unit, ...] = ("web_fetches",)
"""Free wherever they are reported, unless the rate has a price for them."""
_METERED: tuple[Unit, ...] = ("requests", "gpu_milliseconds")

_CLASS_OF: Mapping[Unit, CostClass] = {
    "input_tokens": "input",
    "input_image_tokens": "input",
    "input_video_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_read_audio_tokens": "cache_read",
    "cache_read_image_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "cache_write_30m_tokens": "cache_write",
    "cache_write_1h_tokens": "cache_write",
    "cache_write_12h_tokens": "cache_write",
    "output_tokens": "output",
    "output_image_tokens": "output",
    "output_video_tokens": "output",
    "citation_tokens": "output",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio",
    "output_audio_tokens": "audio",
    "audio_milliseconds": "audio",
    "web_searches": "tools",
    "web_fetches": "tools",
    "file_searches": "tools",
    "maps_searches": "tools",
    "code_interpreter_sessions": "tools",
}
"""Units that are missing here are "other"."""


def _totals_of(unit: Unit) -> frozenset[Unit]:
    return frozenset(PARENTS.get(unit, ())).union(*(_totals_of(parent) for parent in PARENTS.get(unit, ())))


_TOTALS: Mapping[Unit, frozenset[Unit]] = {unit: _totals_of(unit) for unit in UNITS}
"""All totals that a part is counted in, near and far."""


def _inversion(unit: Unit) -> dict[Unit, int]:
    """Say how one more of a part changes what is left of each total once its parts are taken out (Möbius)."""
    signs: dict[Unit, int] = {unit: 1}
    for total in sorted(_TOTALS[unit], key=lambda each: -len(_TOTALS[each])):
        signs[total] = -sum(sign for part, sign in signs.items() if total in _TOTALS[part])
    return signs


_INVERSION: Mapping[Unit, Mapping[Unit, int]] = {unit: _inversion(unit) for unit in UNITS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a model's units cost, at one time, in one service tier and one band of context sizes."""

    rate_id: str
    """Names the price that was applied, such as `openai/o3@2025-06-10`."""
    source: str
    """Where it is from: `genai-prices 0.2.3`, or file and line of the user's own price."""
    prices: Mapping[Unit, Decimal]
    """USD for one unit. A part that is missing costs what its total costs."""
    provider: str = ""
    """As the price book names it; the seller of the price, where a provider resells another's models."""
    model: str = ""
    """As the price book names it."""
    valid_from: datetime | None = None
    """Since when, in UTC; None: as far back as is known."""
    tier: str = "standard"
    """Service tier that the prices are for."""
    is_tier_assumed: bool = False
    """True: no price is known for the tier that was asked for, so the standard one stands in."""
    above_input_tokens: int = 0
    """The prices are for requests with more input than this; 0: for any size up to the next band."""
    max_output_tokens: int | None = None
    """The most the model can answer; None: not known."""
    discount: Decimal = Decimal(0)
    """Share off the list price, to six digits; negative for a surcharge."""
    weights: Mapping[Unit, int] = field(init=False, repr=False, compare=False)
    """What one more of a unit adds to the sum, in atto-USD (1e-18); a unit that is missing has no price."""
    classes: Mapping[Unit, tuple[tuple[CostClass, int], ...]] = field(init=False, repr=False, compare=False)
    """How one more of a unit moves each class of cost, in atto-USD."""
    share: int = field(init=False, repr=False, compare=False)
    """Millionths of the list price that are paid."""
    meters: tuple[Unit, ...] = field(init=False, repr=False, compare=False)
    """Of what has a price, the units that no provider reports: calls, and the time they take on one's own hardware."""
    usd_classes: Mapping[Unit, tuple[tuple[CostClass, float], ...]] = field(init=False, repr=False, compare=False)
    """How one more of a unit moves each class of effective cost, in USD."""

    def __post_init__(self) -> None:
        weights = _weights(self.prices)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "meters", tuple(unit for unit in _METERED if unit in self.prices))
        object.__setattr__(self, "classes", {unit: _moves(unit, weights) for unit in weights})
        object.__setattr__(self, "share", _WHOLE - int(_shifted(self.discount, _DISCOUNT_DIGITS)))
        scale = self.share / 10**_DIGITS
        in_usd = {unit: tuple((name, weight * scale) for name, weight in moves) for unit, moves in self.classes.items()}
        object.__setattr__(self, "usd_classes", in_usd)


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money, exact; before (`list`) and after (`effective`) discounts."""

    list_yocto: int
    effective_yocto: int
    unrated: tuple[Unit, ...] = ()
    """Tool calls that were counted and may cost something, but no price of theirs is known."""

    @property
    def list_cost_usd(self) -> Decimal:
        """The cost at list prices, exact."""
        return _usd(self.list_yocto)

    @property
    def effective_cost_usd(self) -> Decimal:
        """The cost after discounts, exact."""
        return _usd(self.effective_yocto)

    @property
    def list_cost_nano(self) -> int:
        """The cost at list prices in nano-USD, rounded half to even."""
        return _nano(self.list_yocto)

    @property
    def cost_nano(self) -> int:
        """The cost after discounts in nano-USD, rounded half to even."""
        return _nano(self.effective_yocto)


def price(usage: Usage, rate: Rate) -> Cost:
    """Price a usage: exact, unrounded, and additive within one rate.

    Raises:
        UnknownPriceError: something was used that the rate has no price for (tool calls aside, see `Cost.unrated`).
    """
    weights = rate.weights
    total = 0
    try:
        for unit, count in usage.counts.items():
            total += count * weights[unit]
    except KeyError:
        return _price_rated(usage, rate)
    if not total:
        _check_paid(usage, rate)
    return Cost(total * _WHOLE, total * rate.share)


def cost_nano(usage: Usage, rate: Rate) -> tuple[int, int]:
    """Price a usage in nano-USD, after and before discounts: what `price` says, rounded, without its exact sums.

    Raises:
        UnknownPriceError: see `price`.
    """
    weights = rate.weights
    total = 0
    try:
        for unit, count in usage.counts.items():
            total += count * weights[unit]
    except KeyError:
        cost = _price_rated(usage, rate)
        return cost.cost_nano, cost.list_cost_nano
    if not total:
        _check_paid(usage, rate)
    return nano_of(total, rate)


def nano_of(atto: int, rate: Rate) -> tuple[int, int]:
    """Return in nano-USD, after and before discounts, what counts times `Rate.weights` add up to."""
    if rate.share == _WHOLE:
        nano = _nano(atto * _WHOLE)
        return nano, nano
    return _nano(atto * rate.share), _nano(atto * _WHOLE)


def costs_with_output(usage: Usage, first: int, second: int, rate: Rate) -> tuple[int, int]:
    """Price one input together with each of two sizes of output, in nano-USD: what an estimate asks.

    Raises:
        UnknownPriceError: see `price`.
    """
    weights = rate.weights
    total = 0
    try:
        for unit, count in usage.counts.items():
            total += count * weights[unit]
        per_token = weights["output_tokens"] if first or second else 0
    except KeyError as missing:
        msg = f"no price for {missing.args[0]} in {rate.rate_id}"
        raise UnknownPriceError(rate.provider, rate.model, msg) from None
    share = rate.share
    return _nano((total + first * per_token) * share), _nano((total + second * per_token) * share)


def breakdown_usd(usage: Usage, rate: Rate) -> dict[CostClass, float]:
    """Split the effective cost of a usage by class, in USD as floats: for showing, and cheap enough for every call."""
    sums: dict[CostClass, float] = {}
    classes = rate.usd_classes
    for unit, count in usage.counts.items():
        for name, usd in classes.get(unit, ()):
            sums[name] = sums.get(name, 0.0) + count * usd
    return sums


def breakdown_nano(usage: Usage, rate: Rate) -> dict[CostClass, int]:
    """Split the effective cost of a usage by class, in nano-USD; the classes add up to `Cost.cost_nano`.

    Classes that cost nothing are left out. What rounding each for itself would lose is in the dearest.
    """
    sums: dict[CostClass, int] = {}
    classes = rate.classes
    for unit, count in usage.counts.items():
        for name, weight in classes.get(unit, ()):
            sums[name] = sums.get(name, 0) + count * weight
    if not sums:
        return {}
    share = rate.share
    nanos: dict[CostClass, int] = {name: atto * share // _YOCTO_PER_NANO for name, atto in sums.items()}
    missing = _nano(sum(sums.values()) * share) - sum(nanos.values())
    if missing:
        nanos[max(sums, key=sums.__getitem__)] += missing
    return {name: nano for name, nano in nanos.items() if nano}


def _price_rated(usage: Usage, rate: Rate) -> Cost:
    total = 0
    unrated: list[Unit] = []
    for unit, count in usage.counts.items():
        weight = rate.weights.get(unit)
        if weight is not None:
            total += count * weight
        elif count and unit in _TOOLS:
            unrated.append(unit)
        elif count:
            raise UnknownPriceError(rate.provider, rate.model, f"no price for {unit} in {rate.rate_id}")
    return Cost(total * _WHOLE, total * rate.share, tuple(unrated))


def _check_paid(usage: Usage, rate: Rate) -> None:
    """Refuse to call free what is only paid for by something else, such as images by their tokens, if none came.

    Of a model that costs nothing, everything is free.

    Raises:
        UnknownPriceError: nothing that was used has a price, be it 0.
    """
    used: list[Unit] = [unit for unit, count in usage.counts.items() if count and unit not in _FREE]
    is_paid = any(unit in rate.prices or not _TOTALS[unit].isdisjoint(rate.prices) for unit in used)
    if used and not is_paid and (not rate.prices or any(rate.prices.values())):
        raise UnknownPriceError(rate.provider, rate.model, f"no price for {used[0]} alone in {rate.rate_id}")


def _weights(prices: Mapping[Unit, Decimal]) -> dict[Unit, int]:
    weights: dict[Unit, int] = {}
    for unit in UNITS:  # totals stand before their parts
        own = prices.get(unit)
        if own is not None:
            counted_at = sum(weights.get(total, 0) for total in _TOTALS[unit])
            weights[unit] = int(_shifted(own, _PRICE_DIGITS)) - counted_at
        elif unit in PARENTS or _is_paid_otherwise(unit, prices):
            weights[unit] = 0
    return weights


def _is_paid_otherwise(unit: Unit, prices: Mapping[Unit, Decimal]) -> bool:
    """Tell whether a count without a price is paid for by another: tokens by the hour of audio, an image by its tokens.

    A price per input token does not pay for output.
    """
    if unit in _TOKENS:
        return not any(each in prices for each in _TOKENS) and any(each in prices for each in _MEASURES)
    if unit in _MEASURES:
        return any(each in prices for each in (*_TOKENS, *_MEASURES))
    return unit in _FREE


def _moves(unit: Unit, weights: Mapping[Unit, int]) -> tuple[tuple[CostClass, int], ...]:
    moves: dict[CostClass, int] = {}
    for each, sign in _INVERSION[unit].items():
        counted_at = sum(weights.get(one, 0) for one in (each, *_TOTALS[each]))
        name = _CLASS_OF.get(each, "other")
        moves[name] = moves.get(name, 0) + sign * counted_at
    return tuple((name, weight) for name, weight in moves.items() if weight)


def _shifted(amount: Decimal, digits: int) -> Decimal:
    return _EXACT.to_integral_value(_EXACT.scaleb(amount, digits))


def _nano(yocto: int) -> int:
    whole = yocto // _YOCTO_PER_NANO
    rest = yocto - whole * _YOCTO_PER_NANO
    return whole + (rest > _HALF_A_NANO or (rest == _HALF_A_NANO and whole % 2 == 1))


def _usd(yocto: int) -> Decimal:
    whole, rest = divmod(yocto, _ONE_USD)
    return _EXACT.normalize(_EXACT.multiply(yocto, _YOCTO)) if rest else Decimal(whole)
