"""Who of several that changed together made which part of the change: Shapley values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb


def shapley(
    value: Callable[[Sequence[float]], float], before: Sequence[float], after: Sequence[float]
) -> tuple[float, ...]:
    """Split the change of a value among the factors that changed.

    Each gets the mean of what changing it does over all orders in which the factors may change, so no order has to be
    chosen, a factor that did not change gets exactly 0, and the parts add up to the whole but for rounding.

    Args:
        value: of the factors.
        before: each factor before; few may change, since work doubles with each that does.
        after: each factor after, in the same order.
    """
    changed = [place for place, factor in enumerate(before) if factor != after[place]]
    values: dict[frozenset[int], float] = {}
    for size in range(len(changed) + 1):
        for chosen in combinations(changed, size):
            mixed = list(before)
            for place in chosen:
                mixed[place] = after[place]
            values[frozenset(chosen)] = value(mixed)
    parts = [0.0] * len(before)
    for done, reached in values.items():
        for place in changed:
            if place not in done:
                orders = len(changed) * comb(len(changed) - 1, len(done))
                parts[place] += (values[done | {place}] - reached) / orders
    return tuple(parts)
