"""The cost of calls on one model as a product, and what each of its factors did to it from one time to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from otel_llmcost.core.shapley import shapley

Factor = Literal["calls", "mix", "input", "cache", "output", "price", "rest"]


class Weights(NamedTuple):
    """What a token of each kind costs, as compared with one another."""

    input: float
    cache_read: float
    output: float


COMMON_WEIGHTS = Weights(input=1.0, cache_read=0.1, output=4.0)
"""Of models whose price is not known; what they are off by shows in the rest."""


class Counts(NamedTuple):
    """Calls, their tokens (input with what was cached) and what they cost, at one rate."""

    calls: int
    input: int
    cached: int
    output: int
    cost_nano: int


@dataclass(frozen=True, slots=True)
class Use:
    """What a group called of one model in one time."""

    by_rate: Mapping[str | None, Counts]

    @property
    def whole(self) -> Counts:
        """At all rates together."""
        return Counts(*map(sum, zip(*self.by_rate.values(), strict=True)))


class Effect(NamedTuple):
    """What a factor did."""

    factor: Factor
    change_nano: float
    before: float
    """The factor itself: calls of the group, the model's share of them, tokens per call, the price level."""
    after: float


class _Product(NamedTuple):
    """Multiplied as `cost` does, it is what the calls cost."""

    calls: float
    """Of the group, on all models."""
    mix: float
    """The model's share of them."""
    input: float
    """Tokens per call."""
    cache: float
    """The share of the input that was read from a cache."""
    output: float
    """Tokens per call."""
    price: float
    """What a weighted token would cost if each rate came to the same in both times."""
    rest: float
    """What it cost as a share of that."""

    def cost(self, weights: Weights | None) -> float:
        """Multiply; without weights, the tokens do not count."""
        units = 1.0 if weights is None else self._units(weights)
        return self.calls * self.mix * units * self.price * self.rest

    def _units(self, weights: Weights) -> float:
        fresh, cached = self.input * (1 - self.cache), self.input * self.cache
        return fresh * weights.input + cached * weights.cache_read + self.output * weights.output


def effects(before: Use | None, after: Use | None, calls: tuple[int, int], weights: Weights) -> Iterator[Effect]:
    """Split a change of cost among the factors; they add up to it but for the last digits of floats.

    Args:
        before: None: the model was not called then. One of the two was.
        after: as `before`.
        calls: of the whole group, in each of the times.
        weights: of the model's tokens.
    """
    uses = [use for use in (before, after) if use is not None]
    # Where nothing (or less) is counted in tokens, such as of images, a call is the unit.
    chosen = weights if all(_units(use.whole, weights) > 0 for use in uses) else None
    levels = _levels(uses, chosen)
    old = _product(before or uses[0], calls[0], levels, chosen, is_called=before is not None)
    new = _product(after or uses[0], calls[1], levels, chosen, is_called=after is not None)
    if not all(calls):  # nobody called anything then: that the share of this model was 0 is not what made the change
        old, new = old._replace(mix=max(old.mix, new.mix)), new._replace(mix=max(old.mix, new.mix))
    names: tuple[Factor, ...] = ("calls", "mix", "input", "cache", "output", "price", "rest")
    changes = shapley(lambda factors: _Product(*factors).cost(chosen), old, new)
    return map(Effect, names, changes, old, new)


def _product(
    use: Use, calls: int, levels: Mapping[str | None, float], weights: Weights | None, *, is_called: bool
) -> _Product:
    whole = use.whole
    units = _units(whole, weights)
    price = sum(_units(counts, weights) / units * levels[rate] for rate, counts in use.by_rate.items())
    paid = whole.cost_nano / units
    if price <= 0:
        price = paid
    return _Product(
        calls=calls,
        mix=whole.calls / calls if is_called else 0.0,
        input=whole.input / whole.calls,
        cache=whole.cached / whole.input if whole.input else 0.0,
        output=whole.output / whole.calls,
        price=price,
        rest=paid / price if price else 1.0,
    )


def _levels(uses: Sequence[Use], weights: Weights | None) -> dict[str | None, float]:
    """Say what a unit came to at each rate, over both times."""
    return {
        rate: _level((use.by_rate[rate] for use in uses if rate in use.by_rate), weights)
        for use in uses
        for rate in use.by_rate
    }


def _level(same_rate: Iterable[Counts], weights: Weights | None) -> float:
    units, cost = 0.0, 0
    for counts in same_rate:
        units, cost = units + _units(counts, weights), cost + counts.cost_nano
    return cost / units if units > 0 else 0.0


def _units(counts: Counts, weights: Weights | None) -> float:
    if weights is None:
        return counts.calls
    fresh = counts.input - counts.cached
    return fresh * weights.input + counts.cached * weights.cache_read + counts.output * weights.output
