"""How what a panel shows is compared with what really happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import floor, isclose
from typing import TypeVar

from tests.real.grafana import Answer, Labels
from tests.real.truth import DAY, Action, Alert, Amount, Call, Counted, Refusal, Truth, Wait, cost_of, group

Event = Alert | Wait | Action
Timed = TypeVar("Timed", Call, Refusal, Counted)
Number = TypeVar("Number", Decimal, float)

Check = Callable[[Answer, Truth], None]
Sums = Mapping[Labels, Decimal | float]
DIGITS = 1e-6
"""Money agrees to six digits."""


def one(call: Call) -> int:
    return int(not call.is_correction)


def tokens_of(*classes: str) -> Amount:
    return lambda call: sum(number for kind, number in call.tokens.items() if not classes or kind in classes)


def is_sent(call: Call) -> bool:
    return call.outcome != "refused"


def is_priced(call: Call) -> bool:
    return call.cost is not None


def has_outcome(outcome: str) -> Callable[[Call], bool]:
    return lambda call: call.outcome == outcome


def same(found: Mapping[Labels, float], expected: Sums, what: str) -> None:
    """Compare to six digits, group by group."""
    wrong = {
        labels: (found.get(labels), expected.get(labels))
        for labels in {*found, *expected}
        if labels not in found or labels not in expected or not isclose(found[labels], expected[labels], rel_tol=DIGITS)
    }
    assert not wrong, f"{what}: (found, expected) {wrong}"


# --- figures and tables: one instant -------------------------------------------------------------------------------


def calls_show(compute: Callable[[list[Call]], Sums]) -> Check:
    """The value at the end of the time range, from the calls in it."""

    def check(answer: Answer, truth: Truth) -> None:
        calls = list(truth.between(answer.view.start, answer.view.end))
        same(answer.values, compute(calls), f"{answer.panel} {answer.ref_id}")

    return check


def total(amount: Amount, *by: str, only: Callable[[Call], bool] = lambda _: True, largest: int | None = None) -> Check:
    """A sum, or one for each group; where nothing happened a single sum is 0."""

    def compute(calls: list[Call]) -> Sums:
        sums = group(calls, amount, *by, only=only) or ({} if by else {(): Decimal(0)})
        return dict(sorted(sums.items(), key=lambda item: -item[1])[:largest])

    return calls_show(compute)


def quotient(part: Amount, whole: Amount, *by: str, only: Callable[[Call], bool] = is_priced, factor: int = 1) -> Check:
    """One sum by another."""

    def compute(calls: list[Call]) -> Sums:
        parts, wholes = group(calls, part, *by), group(calls, whole, *by, only=only)
        return {labels: factor * parts[labels] / number for labels, number in wholes.items() if number} or {(): 0.0}

    return calls_show(compute)


def share(*by: str, largest: int | None = None) -> Check:
    """Shares of all cost."""

    def compute(calls: list[Call]) -> Sums:
        sums, whole = group(calls, cost_of, *by, only=is_priced), group(calls, cost_of)[()]
        return {labels: amount / whole for labels, amount in sorted(sums.items(), key=lambda item: -item[1])[:largest]}

    return calls_show(compute)


def top_share(calls: list[Call]) -> Sums:
    sums = group(calls, cost_of, "agent")
    return {(): max(sums.values()) / sum(sums.values(), Decimal(0))}


def spenders(calls: list[Call]) -> Sums:
    return {(): float(len([amount for amount in group(calls, cost_of, "agent").values() if amount]))}


# --- charts: many instants -----------------------------------------------------------------------------------------


def adds_up(amount: Amount, by: str, per_seconds: int, only: Callable[[Call], bool] = lambda _: True) -> Check:
    """The area of a speed is what happened, whatever the steps."""

    def check(answer: Answer, truth: Truth) -> None:
        calls, areas = area_of(answer, truth.calls, per_seconds)
        same(areas, _not_0(group(calls, amount, by, only=only)), answer.panel)

    return check


def tokens_add_up(answer: Answer, truth: Truth) -> None:
    """As above, by class."""
    calls, areas = area_of(answer, truth.calls, 60)
    classes = {kind for call in calls for kind in call.tokens}
    same(areas, _not_0({(kind,): group(calls, tokens_of(kind))[()] for kind in classes}), answer.panel)


def refusals_add_up(answer: Answer, truth: Truth) -> None:
    """As above, by what refused."""
    refused, areas = area_of(answer, truth.refusals, 60)
    same(areas, counts([(each.budget,) for each in refused]), answer.panel)


def area_of(answer: Answer, events: Sequence[Timed], per_seconds: int) -> tuple[list[Timed], dict[Labels, float]]:
    """Return what happened in the steps of a chart, and the areas of its series that are not 0."""
    first = min((points[0][0] for points in answer.series.values()), default=answer.view.end)
    last = max((points[-1][0] for points in answer.series.values()), default=answer.view.end)
    begin = min(first, answer.view.start // answer.step * answer.step) - answer.step
    areas = {
        labels: sum(value for _, value in points) * answer.step / per_seconds
        for labels, points in answer.series.items()
    }
    return [each for each in events if begin < each.at <= last], _not_0(areas)


def _not_0(sums: Mapping[Labels, Number]) -> dict[Labels, Number]:
    return {labels: value for labels, value in sums.items() if value}


def each_day(by: str = "", *, keep: Callable[[float], bool] = lambda _: True, full: bool = False) -> Check:
    """A day's point is what its calls cost; `full`: today is left out."""

    def check(answer: Answer, truth: Truth) -> None:
        expected: dict[Labels, Decimal] = {}
        midnight = answer.view.start // DAY * DAY
        while midnight + DAY <= floor(answer.view.end) + 1 if full else midnight <= answer.view.end:
            calls = list(truth.between(midnight, midnight + DAY))
            sums = group(calls, cost_of, *([by] if by else []), only=is_priced)
            expected |= {(*labels, str(float(midnight))): cost for labels, cost in sums.items() if keep(float(cost))}
            midnight += DAY
        found = {(*labels, str(float(at))): value for labels, points in answer.series.items() for at, value in points}
        # A process that runs but spends nothing shows a day of 0, which no call speaks of.
        same({labels: value for labels, value in found.items() if value}, expected, f"{answer.panel} {answer.ref_id}")

    return check


def is_line(value: float) -> Check:
    def check(answer: Answer, _: Truth) -> None:
        assert {value} == {found for points in answer.series.values() for _, found in points}, answer.panel

    return check


def shows_something(answer: Answer, _: Truth) -> None:
    """For what Prometheus estimates by interpolation: quantiles."""
    assert answer.series, f"{answer.panel}: empty"
    assert all(value >= 0 or value != value for points in answer.series.values() for _, value in points), answer.panel  # noqa: PLR0124 -- NaN: no call in the step


def counts(keys: list[Labels]) -> dict[Labels, float]:
    return {key: float(keys.count(key)) for key in keys}
