"""Why one time cost more than another: the change of cost, split into causes that add up to it to the nano-USD.

A group (an agent, say) that calls in one of the two times only is `new` or `gone`. Of one that calls in both, the cost
on each model is a product (see `factors`), and each of its factors gets its Shapley value: no order of causes has to be
chosen, and a factor that did not change gets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from otel_llmcost.core.factors import Counts, Effect, Use, Weights, effects
from otel_llmcost.core.ledger import ChargeStatus

Cause = Literal["new", "gone", "calls", "mix", "input", "output", "cache", "price", "retries", "unpriced", "rest"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
"""new, gone: groups that call in one of the times only · calls: how many · mix: on which models · input, output: tokens
per call · cache: share of input that is read from a cache · price: other rates were applied (prices, discounts, service
tiers, sizes) · retries: suspected cost of attempts whose end nobody saw · unpriced: calls that had no price in one of
the times · rest: cache writes, tools, estimates, corrections, costs that a provider stated."""

_Model = tuple[str, str]
"""Provider and model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the calls of one group on one model, at one rate and of one status, came to in one time."""

    group: str | None
    provider: str
    model: str
    rate: str | None
    status: ChargeStatus
    calls: int
    input_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost_nano: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one cause, in one place, added to the cost or took off it."""

    cause: Cause
    group: str | None = None
    """None: calls that name none; of a price, whoever calls the model."""
    model: str | None = None
    """None: all that the group calls. Of a mix, the model whose share did most."""
    change_nano: int
    before: float | None = None
    """What changed: calls, tokens per call, a share of the input or of the calls, the price as a multiple of what it
    was; None: nothing to show. Where a part is made of several, of the largest."""
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The change of cost from one time to another."""

    before_nano: int
    after_nano: int
    parts: tuple[Part, ...]
    """Largest first; they add up to the change exactly."""

    @property
    def change_nano(self) -> int:
        """By how much cost rose."""
        return self.after_nano - self.before_nano

    def by_cause(self) -> dict[Cause, tuple[Part, ...]]:
        """Sort the parts by cause, in the order of `CAUSES`; a cause without any is left out."""
        found: dict[Cause, tuple[Part, ...]] = {
            cause: tuple(part for part in self.parts if part.cause == cause) for cause in CAUSES
        }
        return {cause: parts for cause, parts in found.items() if parts}

    def that_matter(self, *, most: int = 3, share: float = 0.1) -> tuple[Part, ...]:
        """Name the few largest parts, each at least that share of all that moved up or down.

        If but one is left, it is named too.
        """
        moved = sum(abs(part.change_nano) for part in self.parts)
        few = tuple(part for part in self.parts[:most] if abs(part.change_nano) >= share * moved)
        return self.parts if len(self.parts) == len(few) + 1 else few


def explain(before: Iterable[Sums], after: Iterable[Sums], weights: Callable[[str, str], Weights]) -> Explanation:
    """Split the change of cost between two times into its causes.

    Args:
        before: the earlier time.
        after: the later time.
        weights: what tokens of a provider's model cost, as compared with one another.
    """
    old, new = _by_group(before), _by_group(after)
    parts: list[Part] = []
    for group in dict.fromkeys((*old, *new)):
        if group not in old:
            parts.append(Part(cause="new", group=group, change_nano=_cost(new[group]), after=_calls(new[group])))
        elif group not in new:
            parts.append(Part(cause="gone", group=group, change_nano=-_cost(old[group]), before=_calls(old[group])))
        else:
            parts.extend(_Both(group, old[group], new[group], weights).parts())
    return Explanation(
        before_nano=sum(map(_cost, old.values())),
        after_nano=sum(map(_cost, new.values())),
        parts=_joined(parts),
    )


class _Both:
    """A group that calls in both times."""

    def __init__(
        self, group: str | None, old: Sequence[Sums], new: Sequence[Sums], weights: Callable[[str, str], Weights]
    ) -> None:
        self._group, self._weights = group, weights
        self._times = old, new
        uses = _uses(old), _uses(new)
        self._unpriced = {
            model
            for sums, used in zip(self._times, uses, strict=True)
            for model in _unpriced(sums)
            if model not in used
        }
        self._uses = tuple({model: use for model, use in used.items() if model not in self._unpriced} for used in uses)

    def parts(self) -> Iterator[Part]:
        """Find what made its cost change."""
        suspected = [sum(each.cost_nano for each in sums if each.status == "suspected") for sums in self._times]
        yield Part(cause="retries", group=self._group, change_nano=suspected[1] - suspected[0])
        for model in dict.fromkeys(_model(each) for sums in self._times for each in sums):
            explained = list(self._of_model(model))
            left = self._change(model) - sum(part.change_nano for part in explained)
            if abs(left) <= len(explained):  # rounded away
                yield from _rounded(explained, left)
            else:
                yield from explained
                yield Part(cause="rest", group=self._group, model=model[1], change_nano=left)

    def _of_model(self, model: _Model) -> Iterator[Part]:
        old, new = (used.get(model) for used in self._uses)
        if model in self._unpriced:
            yield Part(cause="unpriced", group=self._group, model=model[1], change_nano=self._change(model))
        elif old is not None or new is not None:
            for effect in effects(old, new, self._calls(), self._weights(*model)):
                yield _part(effect, self._group, model[1])

    def _calls(self) -> tuple[int, int]:
        old, new = (sum(use.whole.calls for use in used.values()) for used in self._uses)
        return old, new

    def _change(self, model: _Model) -> int:
        """Say by how much cost rose on a model, without what is only suspected."""
        old, new = (
            sum(each.cost_nano for each in sums if _model(each) == model and each.status != "suspected")
            for sums in self._times
        )
        return new - old


def _part(effect: Effect, group: str | None, model: str) -> Part:
    is_price, before, after = effect.factor == "price", effect.before, effect.after
    return Part(
        cause=effect.factor,
        group=None if is_price else group,
        model=None if effect.factor == "calls" else model,
        change_nano=round(effect.change_nano),
        before=1.0 if is_price else before,
        after=(after / before if before else None) if is_price else after,
    )


def _uses(sums: Sequence[Sums]) -> dict[_Model, Use]:
    """Gather what was called of each model; what only takes calls of earlier times back is no use of it."""
    found: dict[_Model, dict[str | None, Counts]] = {}
    for each in sums:
        if each.status in {"confirmed", "estimated"}:
            rates = found.setdefault(_model(each), {})
            counts = Counts(each.calls, each.input_tokens, each.cache_read_tokens, each.output_tokens, each.cost_nano)
            rates[each.rate] = Counts(*map(sum, zip(rates.get(each.rate, _NONE), counts, strict=True)))
    uses = {model: Use(rates) for model, rates in found.items()}
    return {model: use for model, use in uses.items() if use.whole.calls > 0}


_NONE = Counts(0, 0, 0, 0, 0)


def _unpriced(sums: Sequence[Sums]) -> set[_Model]:
    return {_model(each) for each in sums if each.status == "unpriced"}


def _rounded(parts: Sequence[Part], left: int) -> Iterator[Part]:
    """Give what rounding leaves to the largest part."""
    largest = max(parts, key=lambda part: abs(part.change_nano), default=None)
    for part in parts:
        yield replace(part, change_nano=part.change_nano + left) if part is largest else part


def _joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join parts of one cause in one place, largest first; what it shows is that of the largest of them."""
    places: dict[tuple[Cause, str | None, str | None], list[Part]] = {}
    for part in parts:
        model = None if part.cause == "mix" else part.model
        places.setdefault((part.cause, part.group, model), []).append(part)
    joined: list[Part] = []
    for same in places.values():
        change = sum(part.change_nano for part in same)
        if change:
            # Of a mix, what moved up is as large as what moved down: the one in the direction of the whole tells why.
            largest = max(same, key=lambda part: part.change_nano * (1 if change > 0 else -1))
            joined.append(replace(largest, change_nano=change))
    return tuple(sorted(joined, key=lambda part: -abs(part.change_nano)))


def _by_group(sums: Iterable[Sums]) -> dict[str | None, list[Sums]]:
    found: dict[str | None, list[Sums]] = {}
    for each in sums:
        found.setdefault(each.group, []).append(each)
    return found


def _model(sums: Sums) -> _Model:
    return sums.provider, sums.model


def _cost(sums: Sequence[Sums]) -> int:
    return sum(each.cost_nano for each in sums)


def _calls(sums: Sequence[Sums]) -> int:
    return sum(each.calls for each in sums)
