"""For every panel of every board: what it must show, computed from what really happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import floor, isclose
from typing import Any, TypeVar

from tests.real.grafana import Answer, Labels
from tests.real.truth import DAY, Action, Alert, Amount, Balance, Call, Held, Refusal, Truth, Wait, cost_of, group

Event = Alert | Wait | Action
Timed = TypeVar("Timed", Call, Refusal)
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
        calls, areas = _under(answer, truth.calls, per_seconds)
        same(areas, _not_0(group(calls, amount, by, only=only)), answer.panel)

    return check


def tokens_add_up(answer: Answer, truth: Truth) -> None:
    """As above, by class."""
    calls, areas = _under(answer, truth.calls, 60)
    classes = {kind for call in calls for kind in call.tokens}
    same(areas, _not_0({(kind,): group(calls, tokens_of(kind))[()] for kind in classes}), answer.panel)


def refusals_add_up(answer: Answer, truth: Truth) -> None:
    """As above, by what refused."""
    refused, areas = _under(answer, truth.refusals, 60)
    same(areas, _counts([(each.budget,) for each in refused]), answer.panel)


def _under(answer: Answer, events: Sequence[Timed], per_seconds: int) -> tuple[list[Timed], dict[Labels, float]]:
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


# --- budgets -------------------------------------------------------------------------------------------------------


def every_balance(value: Callable[[Balance, float], Decimal | float]) -> Check:
    """A column of the table of all budgets."""

    def check(answer: Answer, truth: Truth) -> None:
        expected = {
            (balance.budget, balance.subject or "", balance.window): value(balance, answer.view.end)
            for balance in truth.balances_at(answer.view.end)
        }
        same(answer.values, expected, f"{answer.panel} {answer.ref_id}")

    return check


def chosen_balance(value: Callable[[Balance, float], Decimal | float]) -> Check:
    """A figure of the balance that is chosen."""

    def check(answer: Answer, truth: Truth) -> None:
        balance = the_balance(answer, truth, answer.view.end)
        labels = (balance.budget, balance.subject or "", balance.window)
        same(answer.values, {labels: value(balance, answer.view.end)}, answer.panel)

    return check


_REPORT_AGE_SECONDS = 120
"""A projection is made when it is reported; until it is looked at, it sinks by a little."""


def projections(*, chosen: bool) -> Check:
    """The pace so far carried on, as it was at the last report."""

    def check(answer: Answer, truth: Truth) -> None:
        end = answer.view.end
        balances = [the_balance(answer, truth, end)] if chosen else truth.balances_at(end)
        found = dict(answer.values)
        for balance in balances:
            value = found.pop((balance.budget, balance.subject or "", balance.window))
            least, most = (float(balance.projected(end - age)) for age in (0, _REPORT_AGE_SECONDS))
            assert least * (1 - DIGITS) <= value <= most * (1 + DIGITS), f"{answer.panel}: {least} {value} {most}"
        assert not found

    return check


def course_of_projection(answer: Answer, truth: Truth) -> None:
    """Shown from the second tenth of a window on."""
    balance = the_balance(answer, truth, answer.view.end)
    if answer.view.end - balance.start > 0.2 * (balance.end - balance.start):
        shows_something(answer, truth)


def gained(balance: Balance, truth: Truth, at: float, seconds: int) -> float:
    """What was spent of a balance lately: more than the least it stood at, or all of it if its window is young."""
    if at - balance.start < seconds:
        return float(balance.spent)
    then = (each for back in range(0, seconds + 1, 60) for each in truth.balances_at(at - back))
    spent = [each.spent for each in then if (each.budget, each.subject) == (balance.budget, balance.subject)]
    return float(balance.spent - min(spent))


Pace = Callable[[Balance, float, float], float | None]
"""(balance, what it gained lately, now) -> what is shown; None: nothing."""


def pace(value: Pace, seconds: int = 3600, *, chosen: bool = True) -> Check:
    """What the last hour, or day, says of a balance."""

    def check(answer: Answer, truth: Truth) -> None:
        end = answer.view.end
        balances = [the_balance(answer, truth, end)] if chosen else truth.balances_at(end)
        expected: dict[Labels, float] = {}
        for balance in balances:
            most, found = float(balance.spent), gained(balance, truth, end, seconds)
            shown, highest = value(balance, found, end), value(balance, most, end)
            labels = (balance.budget, balance.subject or "", balance.window)
            if not truth.knows_the_past and labels in answer.values and highest is not None:
                least, most = sorted((answer.values[labels], highest))
                assert least >= 0, f"{answer.panel}: {least} {most}"
            elif truth.knows_the_past and shown is not None:
                expected[labels] = shown
        if truth.knows_the_past:
            same(answer.values, expected, f"{answer.panel} {answer.ref_id}")

    return check


def burn(seconds: int) -> Pace:
    return lambda balance, amount, _: amount / float(balance.limit) * (balance.end - balance.start) / seconds


def gone(balance: Balance, amount: float, now: float) -> float | None:
    """In ms; only before the window's end."""
    if amount <= 0 or balance.spent >= balance.limit:
        return None
    at = now + float(balance.limit - balance.spent) * 3600 / amount
    return 1000 * at if at < balance.end else None


def the_balance(answer: Answer, truth: Truth, at: float) -> Balance:
    """The balance that the board's variables choose."""
    budget, subject = answer.variables["budget"], answer.variables["subject"] or None
    return next(each for each in truth.balances_at(at) if (each.budget, each.subject) == (budget, subject))


def ends_at(value: Callable[[Balance, float], Decimal | float]) -> Check:
    """A course over time ends where the balance stands."""

    def check(answer: Answer, truth: Truth) -> None:
        at = max(points[-1][0] for points in answer.series.values())
        found = {labels: points[-1][1] for labels, points in answer.series.items() if points[-1][0] == at}
        balance = the_balance(answer, truth, at)
        same(found, {(balance.budget, balance.subject or "", balance.window): value(balance, at)}, answer.panel)

    return check


def status(balance: Balance, now: float) -> float:
    if balance.spent > balance.limit:
        return 2
    return float(balance.projected(now) > balance.limit)


def level(balance: Balance, _: float) -> float:
    return sum(balance.used >= mark for mark in (Decimal("0.75"), Decimal("0.95"), 1))


def alerts(*by: str, chosen: bool = False) -> Check:
    """How often each mark was reached in the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        found = [alert for alert in truth.alerts if answer.view.start < alert.at <= answer.view.end]
        names = [alert for alert in found if not chosen or alert.budget == answer.variables["budget"]]
        same(answer.values, _counts([tuple(getattr(alert, name) for name in by) for alert in names]), answer.panel)

    return check


def refusals(*by: str, chosen: bool = True) -> Check:
    """How often the chosen budget, or all of them, refused in the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        inside = [refusal for refusal in truth.refusals if answer.view.start < refusal.at <= answer.view.end]
        mine = [refusal for refusal in inside if not chosen or refusal.budget == answer.variables["budget"]]
        counts = _counts([tuple(getattr(refusal, name) or "unattributed" for name in by) for refusal in mine])
        same(answer.values, counts or ({} if by else {(): 0.0}), answer.panel)

    return check


def _counts(keys: list[Labels]) -> dict[Labels, float]:
    return {key: float(keys.count(key)) for key in keys}


# --- what holds spending back --------------------------------------------------------------------------------------


def held(value: Callable[[Held], Mapping[Labels, Decimal | float]]) -> Check:
    """How it stands at the end of the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        same(answer.values, value(truth.held), f"{answer.panel} {answer.ref_id}")

    return check


def happened(
    events: Callable[[Truth], Sequence[Event]], *by: str, amount: Callable[[Any], float] = lambda _: 1.0
) -> Check:
    """Events of the time range, added up."""

    def check(answer: Answer, truth: Truth) -> None:
        sums: dict[Labels, float] = {} if by else {(): 0.0}
        for event in events(truth):
            if answer.view.start < event.at <= answer.view.end:
                key = tuple(getattr(event, name) for name in by)
                sums[key] = sums.get(key, 0.0) + amount(event)
        same(answer.values, sums, f"{answer.panel} {answer.ref_id}")

    return check


def each_fixed(now: Held) -> Mapping[Labels, tuple[Decimal, Decimal]]:
    return now.fixed


def all_fixed(now: Held) -> Mapping[Labels, tuple[Decimal, Decimal]]:
    sums = [sum(amounts, Decimal(0)) for amounts in zip(*now.fixed.values(), strict=True)]
    return {(): (sums[0], sums[1])} if sums else {}


def whole_day(amounts: Callable[[Held], Mapping[Labels, tuple[Decimal, Decimal]]]) -> Check:
    """Fixed cost of the whole of today."""
    return held(lambda now: {labels: day for labels, (_, day) in amounts(now).items()})


def so_far(amounts: Callable[[Held], Mapping[Labels, tuple[Decimal, Decimal]]]) -> Check:
    """Fixed cost since midnight, which grows from a report to the next."""

    def check(answer: Answer, truth: Truth) -> None:
        expected = amounts(truth.held)
        assert answer.values.keys() == expected.keys(), answer.panel
        for labels, (until_now, day) in expected.items():
            late = float(day) * _REPORT_AGE_SECONDS / DAY
            assert abs(answer.values[labels] - float(until_now)) <= late, answer.panel

    return check


def shows_quantiles(answer: Answer, truth: Truth) -> None:
    """Where somebody waited."""
    assert bool(answer.series) == any(answer.view.start < each.at <= answer.view.end for each in truth.waits)


def ends_held(value: Callable[[Held], float]) -> Check:
    """A course that ends where it stands."""

    def check(answer: Answer, truth: Truth) -> None:
        found = {points[-1][1] for points in answer.series.values()}
        assert found <= {value(truth.held)}, answer.panel

    return check


# --- the table -----------------------------------------------------------------------------------------------------

_INPUT, _OUTPUT = tokens_of("input", "cache_read", "cache_write"), tokens_of("output", "reasoning")
_BUDGET_TABLE: tuple[Check, ...] = (
    every_balance(lambda balance, _: balance.used),
    every_balance(lambda balance, _: balance.spent),
    every_balance(lambda balance, _: balance.limit),
    projections(chosen=False),
    every_balance(status),
)
_BUDGET_TABLE_WITH_PACE = (
    *_BUDGET_TABLE[:-1],
    pace(burn(3600), chosen=False),
    pace(gone, chosen=False),
    _BUDGET_TABLE[-1],
)

EXPECTED: dict[tuple[str, str], tuple[Check, ...]] = {
    ("llmcost-overview", "Cost"): (total(cost_of),),
    ("llmcost-overview", "Cost today"): (total(cost_of),),
    ("llmcost-overview", "Calls"): (total(one, only=is_sent),),
    ("llmcost-overview", "Cost per call"): (quotient(cost_of, one),),
    ("llmcost-overview", "Not confirmed"): (total(cost_of, only=lambda call: call.outcome != "confirmed"),),
    ("llmcost-overview", "Refused calls"): (total(one, only=has_outcome("refused")),),
    ("llmcost-overview", "Unpriced calls"): (total(one, only=has_outcome("unpriced")),),
    ("llmcost-overview", "Cost per hour, by agent"): (adds_up(cost_of, "agent", 3600),),
    ("llmcost-overview", "Top agents"): (total(cost_of, "agent", only=is_priced, largest=10),),
    ("llmcost-overview", "Budgets"): _BUDGET_TABLE,
    ("llmcost-overview", "Top models"): (total(cost_of, "model", only=is_priced, largest=10),),
    ("llmcost-overview", "Tokens per minute, by class"): (tokens_add_up,),
    ("llmcost-overview", "Calls per minute, by outcome"): (adds_up(one, "outcome", 60),),
    ("llmcost-overview", "Alerts"): (alerts("budget", "level"),),
    ("llmcost-daily-trend", "Today so far"): (total(cost_of),),
    ("llmcost-daily-trend", "Average"): (each_day(full=True),),
    ("llmcost-daily-trend", "Min"): (each_day(full=True),),
    ("llmcost-daily-trend", "Max"): (each_day(full=True),),
    ("llmcost-daily-trend", "Yellow days"): (each_day(keep=lambda cost: 20 <= cost < 30),),
    ("llmcost-daily-trend", "Red days"): (each_day(keep=lambda cost: cost >= 30),),
    ("llmcost-daily-trend", "Daily Cost Trend"): (
        each_day(keep=lambda cost: cost < 20),
        each_day(keep=lambda cost: 20 <= cost < 30),
        each_day(keep=lambda cost: cost >= 30),
        is_line(20),
        is_line(30),
    ),
    ("llmcost-daily-trend", "Daily cost, by model"): (each_day("model"),),
    ("llmcost-daily-trend", "Daily cost, by agent"): (each_day("agent"),),
    ("llmcost-daily-trend", "Fixed cost so far"): (so_far(all_fixed),),
    ("llmcost-daily-trend", "Fixed cost of the day"): (whole_day(all_fixed),),
    ("llmcost-daily-trend", "Fixed cost, today"): (so_far(each_fixed), whole_day(each_fixed)),
    ("llmcost-by-agent", "Highest cost"): (total(cost_of, "agent", largest=1),),
    ("llmcost-by-agent", "Its share"): (calls_show(top_share),),
    ("llmcost-by-agent", "Total"): (total(cost_of),),
    ("llmcost-by-agent", "Agents"): (calls_show(spenders),),
    ("llmcost-by-agent", "Unattributed"): (total(cost_of, only=lambda call: call.agent is None),),
    ("llmcost-by-agent", "Cost by Agent"): (total(cost_of, "agent", only=is_priced),),
    ("llmcost-by-agent", "Agents, in figures"): (
        total(cost_of, "agent", only=is_priced),
        share("agent"),
        total(one, "agent", only=is_sent),
        quotient(cost_of, one, "agent"),
        shows_something,
        total(tokens_of(), "agent", only=lambda call: bool(call.tokens)),
        total(one, "agent", only=has_outcome("refused")),
    ),
    ("llmcost-by-agent", "Cost per hour, by agent"): (adds_up(cost_of, "agent", 3600),),
    ("llmcost-by-agent", "Cost by team"): (total(cost_of, "team", only=is_priced),),
    ("llmcost-by-agent", "Cost by feature"): (total(cost_of, "feature", only=is_priced),),
    ("llmcost-by-model", "Total"): (total(cost_of),),
    ("llmcost-by-model", "Largest share"): (share("model", largest=1),),
    ("llmcost-by-model", "Tokens"): (total(tokens_of()),),
    ("llmcost-by-model", "Blended price"): (quotient(cost_of, tokens_of(), only=lambda _: True, factor=1_000_000),),
    ("llmcost-by-model", "Input from cache"): (quotient(tokens_of("cache_read"), _INPUT, only=lambda _: True),),
    ("llmcost-by-model", "Spend by Model"): (total(cost_of, "model", only=is_priced),),
    ("llmcost-by-model", "Models"): (
        total(cost_of, "model", "provider", only=is_priced),
        share("model", "provider"),
        total(one, "model", "provider", only=is_sent),
        total(_INPUT, "model", "provider", only=lambda call: bool(_INPUT(call))),
        total(_OUTPUT, "model", "provider", only=lambda call: bool(_OUTPUT(call))),
        quotient(cost_of, tokens_of(), "model", "provider", factor=1_000_000),
        shows_something,
    ),
    ("llmcost-by-model", "Cost per hour, by model"): (adds_up(cost_of, "model", 3600),),
    ("llmcost-budget-status", "All budgets"): _BUDGET_TABLE_WITH_PACE,
    ("llmcost-budget-status", "Budget"): (chosen_balance(lambda balance, _: balance.limit),),
    ("llmcost-budget-status", "Spent so far"): (chosen_balance(lambda balance, _: balance.spent),),
    ("llmcost-budget-status", "Remaining"): (chosen_balance(lambda balance, _: balance.remaining),),
    ("llmcost-budget-status", "Percentage used"): (chosen_balance(lambda balance, _: balance.used),),
    ("llmcost-budget-status", "Status"): (chosen_balance(status),),
    ("llmcost-budget-status", "Alert level"): (chosen_balance(level),),
    ("llmcost-budget-status", "Days into window"): (chosen_balance(lambda balance, now: (now - balance.start) / DAY),),
    ("llmcost-budget-status", "Daily average"): (
        chosen_balance(lambda balance, now: float(balance.spent) * DAY / (now - balance.start)),
    ),
    ("llmcost-budget-status", "Projected end of window"): (projections(chosen=True),),
    ("llmcost-budget-status", "Reserved"): (chosen_balance(lambda balance, _: balance.reserved),),
    ("llmcost-budget-status", "Stated bound"): (chosen_balance(lambda balance, _: balance.bound),),
    ("llmcost-budget-status", "Refused calls"): (refusals(),),
    ("llmcost-budget-status", "Burn, last hour"): (pace(burn(3600)),),
    ("llmcost-budget-status", "Burn, last 24 hours"): (pace(burn(DAY), DAY),),
    ("llmcost-budget-status", "Spent, last hour"): (pace(lambda _balance, amount, _now: amount),),
    ("llmcost-budget-status", "Gone at this pace"): (pace(gone),),
    ("llmcost-budget-status", "Window ends"): (chosen_balance(lambda balance, _: 1000 * balance.end),),
    ("llmcost-budget-status", "Spent against the budget"): (
        ends_at(lambda balance, _: balance.spent),
        course_of_projection,
        ends_at(lambda balance, _: balance.limit),
        ends_at(lambda balance, _: balance.limit * Decimal("0.75")),
        ends_at(lambda balance, _: balance.limit * Decimal("0.95")),
    ),
    ("llmcost-budget-status", "Alerts of this budget"): (alerts("level", chosen=True),),
    ("llmcost-budget-status", "Refused, by agent"): (refusals("agent"),),
    ("llmcost-limits", "Stops in force"): (held(lambda now: {(): now.stops}),),
    ("llmcost-limits", "Refused calls"): (refusals(chosen=False),),
    ("llmcost-limits", "Waited for limits"): (
        happened(lambda truth: truth.waits, amount=lambda wait: wait.wait_seconds),
    ),
    ("llmcost-limits", "Actions"): (happened(lambda truth: truth.actions),),
    ("llmcost-limits", "Alerts fired"): (happened(lambda truth: truth.alerts),),
    ("llmcost-limits", "Alerts pending"): (held(lambda now: {(): now.pending}),),
    ("llmcost-limits", "Refused calls per minute, by reason"): (refusals_add_up,),
    ("llmcost-limits", "Refused, by reason and agent"): (refusals("budget", "agent", chosen=False),),
    ("llmcost-limits", "Rate limits"): (held(lambda now: now.limits),),
    ("llmcost-limits", "Waiting, by limit"): (
        happened(lambda truth: truth.waits, "budget"),
        happened(lambda truth: truth.waits, "budget", amount=lambda wait: wait.wait_seconds),
        shows_quantiles,
    ),
    ("llmcost-limits", "Alerts fired, by budget"): (alerts("budget", "level"),),
    ("llmcost-limits", "Actions, by budget"): (happened(lambda truth: truth.actions, "budget", "action"),),
    ("llmcost-limits", "Stops in force, alerts pending"): (
        ends_held(lambda now: now.stops),
        ends_held(lambda now: now.pending),
    ),
}
"""(uid of the board, title of the panel) -> a check for each of its targets."""
