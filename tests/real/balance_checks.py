"""How what a panel shows of budgets, and of what holds spending back, is compared with what really happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.real.checks import DIGITS, Check, counts, same, shows_something
from tests.real.grafana import Answer, Labels
from tests.real.truth import DAY, Action, Alert, Balance, Held, Truth, Wait

Event = Alert | Wait | Action


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
        same(answer.values, counts([tuple(getattr(alert, name) for name in by) for alert in names]), answer.panel)

    return check


def refusals(*by: str, chosen: bool = True) -> Check:
    """How often the chosen budget, or all of them, refused in the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        inside = [refusal for refusal in truth.refusals if answer.view.start < refusal.at <= answer.view.end]
        mine = [refusal for refusal in inside if not chosen or refusal.budget == answer.variables["budget"]]
        found = counts([tuple(getattr(refusal, name) or "unattributed" for name in by) for refusal in mine])
        same(answer.values, found or ({} if by else {(): 0.0}), answer.panel)

    return check


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
