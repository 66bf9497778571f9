"""What we measured, as OpenTelemetry metrics at the time of a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from opentelemetry.util.types import AttributeValue

from otel_llmcost.core.budget import Balance, projection
from otel_llmcost.core.money import NANO_PER_USD
from otel_llmcost.telemetry import semconv
from otel_llmcost.telemetry.meters import OVERFLOW, TOKEN_CLASSES, CellKey, Histogram, Meters, merge

if TYPE_CHECKING:  # agents without fixed costs start without them
    from otel_llmcost.core.fixed import FixedCost

Attributes = tuple[tuple[str, AttributeValue], ...]

USD = "USD"
_CALL = "{call}"
_TOKEN = "{token}"  # noqa: S105 -- a unit
_PER_CALL = {semconv.PROVIDER, semconv.REQUEST_MODEL, semconv.TAGS["agent"], semconv.OVERFLOW}
"""What the distribution of cost per call is split by: its buckets cost a series each."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric with its points; totals since the process began."""

    name: str
    unit: str
    description: str
    is_gauge: bool
    points: Sequence[tuple[Attributes, float | Histogram]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What the store says of itself at a collection."""

    balances: Sequence[tuple[str, Balance]] = ()
    """(kind of window, balance)"""
    limits: Sequence[tuple[str, Balance]] = ()
    """The same of rate limits, whose amounts may be calls or tokens."""
    stops: int = 0
    """Emergency stops in force."""
    open_reservations: int = 0
    pending_alerts: int = 0
    fixed_costs: Sequence[FixedCost] = ()
    now: datetime


def read(meters: Meters, state: StoreState | None) -> list[Reading]:
    """Turn figures into metrics; a figure nobody has yet makes none."""
    with meters.lock:
        readings = [*_calls(meters), *_reversed(meters), *_standard(meters), *_incidents(meters)]
    if state is not None:
        readings += [*_budgets(state), *_limits(state), *_fixed(state), *_store(state)]
    return [reading for reading in readings if reading.points]


def _counter(name: str, unit: str, description: str, points: Iterable[tuple[Attributes, float | Histogram]]) -> Reading:
    return Reading(name, unit, description, is_gauge=False, points=list(points))


def _gauge(name: str, unit: str, description: str, points: Iterable[tuple[Attributes, float]]) -> Reading:
    return Reading(name, unit, description, is_gauge=True, points=list(points))


def _attributes(pairs: Iterable[tuple[str, AttributeValue | None]]) -> Attributes:
    return tuple((name, value) for name, value in pairs if value is not None)


def _dimensions(key: CellKey) -> Attributes:
    if key is OVERFLOW:
        return ((semconv.OVERFLOW, True),)
    return _attributes(
        (
            (semconv.PROVIDER, key.provider),
            (semconv.REQUEST_MODEL, key.model),
            (semconv.TAGS["agent"], key.agent),
            (semconv.TAGS["team"], key.team),
            (semconv.TAGS["feature"], key.feature),
            (semconv.TAGS["environment"], key.environment),
        )
    )


def _calls(meters: Meters) -> list[Reading]:
    """Calls, cost and tokens by who asked; cells that differ only in what is not shown are added up."""
    calls: dict[Attributes, float] = {}
    cost: dict[Attributes, float] = {}
    tokens: dict[Attributes, float] = {}
    per_call: dict[Attributes, list[Histogram]] = {}
    for key, cell in meters.cells.items():
        dimensions = _dimensions(key)
        _add(calls, (*dimensions, (semconv.CALL_OUTCOME, key.outcome)), cell.calls)
        if cell.cost_per_call.count:
            _add(cost, (*dimensions, (semconv.COST_STATUS, key.outcome)), cell.cost_nano)
            by_agent = tuple(pair for pair in dimensions if pair[0] in _PER_CALL)
            per_call.setdefault(by_agent, []).append(cell.cost_per_call)
        for name, count in zip(TOKEN_CLASSES, cell.tokens, strict=True):
            if count:
                _add(tokens, (*dimensions, (semconv.TOKEN_CLASS, name)), count)
    return [
        _counter(semconv.CALLS, _CALL, "Calls, by how they ended.", calls.items()),
        _counter(
            semconv.COST,
            USD,
            "Cost of calls, after discounts.",
            ((each, nano / NANO_PER_USD) for each, nano in cost.items()),
        ),
        _counter(semconv.TOKENS, _TOKEN, "Tokens, in classes that exclude one another.", tokens.items()),
        _counter(
            semconv.COST_PER_CALL, USD, "Cost of one call.", ((each, merge(all_)) for each, all_ in per_call.items())
        ),
    ]


def _reversed(meters: Meters) -> list[Reading]:
    """What was taken back when the truth came: to be subtracted from cost and tokens."""
    cost: dict[Attributes, float] = {}
    tokens: dict[Attributes, float] = {}
    for key, cell in meters.reversed.items():
        dimensions = _dimensions(key)
        _add(cost, (*dimensions, (semconv.COST_STATUS, key.outcome)), cell.cost_nano)
        for name, count in zip(TOKEN_CLASSES, cell.tokens, strict=True):
            if count:
                _add(tokens, (*dimensions, (semconv.TOKEN_CLASS, name)), count)
    return [
        _counter(
            semconv.COST_REVERSED,
            USD,
            "Cost of charges that were taken back when the truth came; to be subtracted from the cost.",
            ((each, nano / NANO_PER_USD) for each, nano in cost.items()),
        ),
        _counter(
            semconv.TOKENS_REVERSED, _TOKEN, "Tokens of those charges; to be subtracted likewise.", tokens.items()
        ),
    ]


def _add(sums: dict[Attributes, float], key: Attributes, value: float) -> None:
    sums[key] = sums.get(key, 0) + value


def _standard(meters: Meters) -> list[Reading]:
    """The conventions' own metrics, of the calls that no other instrumentor measures."""
    durations: dict[Attributes, list[Histogram]] = {}
    sizes: dict[Attributes, list[Histogram]] = {}
    for key, cell in meters.cells.items():
        if not cell.duration.count or key is OVERFLOW:
            continue
        names = (
            (semconv.OPERATION, key.operation),
            (semconv.PROVIDER, key.provider),
            (semconv.REQUEST_MODEL, key.model),
        )
        durations.setdefault(_attributes((*names, (semconv.ERROR_TYPE, key.error_type))), []).append(cell.duration)
        for kind, histogram in (("input", cell.input_tokens), ("output", cell.output_tokens)):
            sizes.setdefault((*names, (semconv.TOKEN_TYPE, kind)), []).append(histogram)
    return [
        _counter(
            semconv.DURATION, "s", "Duration of a call.", ((each, merge(all_)) for each, all_ in durations.items())
        ),
        _counter(
            semconv.TOKEN_USAGE, _TOKEN, "Tokens of a call.", ((each, merge(all_)) for each, all_ in sizes.items())
        ),
    ]


def _incidents(meters: Meters) -> list[Reading]:
    return [
        _counter(
            semconv.REFUSED,
            _CALL,
            "Calls that were not sent.",
            (
                (
                    _attributes(
                        ((semconv.BUDGET_NAME, name), (semconv.TAGS["agent"], agent), (semconv.TAGS["team"], team))
                    ),
                    count,
                )
                for (name, agent, team), count in meters.refusals.items()
            ),
        ),
        _counter(
            semconv.ALERTS,
            "{alert}",
            "Alerts fired by this process.",
            (
                (((semconv.BUDGET_NAME, budget), (semconv.ALERT_LEVEL, level)), count)
                for (budget, level), count in meters.alerts.items()
            ),
        ),
        _counter(
            semconv.ACTIONS,
            _CALL,
            "Calls that budgets had changed before they were sent.",
            (
                (((semconv.BUDGET_NAME, budget), (semconv.ACTION_KIND, kind)), count)
                for (budget, kind), count in meters.actions.items()
            ),
        ),
        _counter(
            semconv.LIMIT_WAIT,
            "s",
            "How long calls waited for room in a rate limit.",
            (((((semconv.BUDGET_NAME, limit),), histogram.copy()) for limit, histogram in meters.waits.items())),
        ),
        _counter(semconv.STORE_ERRORS, "{error}", "Failures of the store.", [((), meters.store_errors)]),
        _counter(semconv.METRICS_OVERFLOW, _CALL, "Calls without a series of their own.", [((), meters.overflow)]),
    ]


_IN_USD: tuple[tuple[str, str, Callable[[Balance], int]], ...] = (
    (semconv.BUDGET_LIMIT, "Limit of a budget.", lambda balance: balance.limit_nano),
    (semconv.BUDGET_SPENT, "Settled and suspected in the window of now.", lambda balance: balance.spent_nano),
    (semconv.BUDGET_RESERVED, "Held for calls under way.", lambda balance: balance.reserved_nano),
    (semconv.BUDGET_REMAINING, "What a new call may still claim.", lambda balance: balance.remaining_nano),
    (semconv.BUDGET_BOUND, "By how much the limit can be passed at most.", lambda balance: balance.bound_nano),
)


def _budgets(state: StoreState) -> list[Reading]:
    def points(value: Callable[[Balance], float | None]) -> list[tuple[Attributes, float]]:
        found = ((_of(window, balance), value(balance)) for window, balance in state.balances)
        return [(attributes, number) for attributes, number in found if number is not None]

    return [
        *(_gauge(name, USD, description, points(_in_usd(get))) for name, description, get in _IN_USD),
        _gauge(
            semconv.BUDGET_PROJECTED,
            USD,
            "Spent by the window's end, at the pace so far.",
            points(lambda each: float(projection(each, state.now))),
        ),
        _gauge(
            semconv.BUDGET_UTILIZATION, "1", "Spent as a share of the limit.", points(lambda each: float(each.share))
        ),
        _gauge(
            semconv.BUDGET_WINDOW_START,
            "s",
            "Start of the window, since 1970.",
            points(lambda each: None if each.window_start is None else each.window_start.timestamp()),
        ),
        _gauge(
            semconv.BUDGET_WINDOW_END,
            "s",
            "End of the window, since 1970.",
            points(lambda each: None if each.window_end is None else each.window_end.timestamp()),
        ),
    ]


def _limits(state: StoreState) -> list[Reading]:
    return [
        _gauge(
            semconv.LIMIT_UTILIZATION,
            "1",
            "Taken as a share of a rate limit.",
            ((_of(window, balance), float(balance.share)) for window, balance in state.limits),
        )
    ]


def _in_usd(nano: Callable[[Balance], int]) -> Callable[[Balance], float]:
    return lambda balance: nano(balance) / NANO_PER_USD


def _of(window: str, balance: Balance) -> Attributes:
    return _attributes(
        (
            (semconv.BUDGET_NAME, balance.budget),
            (semconv.BUDGET_SUBJECT, balance.subject or None),
            (semconv.BUDGET_WINDOW, window),
        )
    )


def _fixed(state: StoreState) -> list[Reading]:
    """What today costs whether or not anybody calls. It is no cost of calls, and in no metric of theirs."""
    midnight = state.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    so_far: dict[Attributes, float] = {}
    whole: dict[Attributes, float] = {}
    for cost in state.fixed_costs:
        named = ((semconv.FIXED_COST_NAME, cost.name), (semconv.FIXED_COST_KIND, cost.kind))
        today = cost.accrued_nano(midnight, midnight + timedelta(days=1))
        if today:
            _add(whole, named, today)
            _add(so_far, named, cost.accrued_nano(midnight, state.now))
    return [
        _gauge(name, USD, description, ((each, nano / NANO_PER_USD) for each, nano in sums.items()))
        for name, description, sums in (
            (semconv.FIXED_COST, "Fixed cost of today in UTC, so far.", so_far),
            (semconv.FIXED_COST_PER_DAY, "Fixed cost of the whole of today.", whole),
        )
    ]


def _store(state: StoreState) -> list[Reading]:
    return [
        _gauge(semconv.RESERVATIONS_OPEN, _CALL, "Calls under way.", [((), state.open_reservations)]),
        _gauge(semconv.STOPS, "{stop}", "Emergency stops in force.", [((), state.stops)]),
        _gauge(semconv.ALERTS_PENDING, "{alert}", "Alerts not delivered yet.", [((), state.pending_alerts)]),
    ]


def public(balances: Iterable[tuple[str, Balance]], private: frozenset[str]) -> list[tuple[str, Balance]]:
    """Take subjects of many values (users, tasks, sessions) together, so that no metric names them.

    A budget of which somebody's balance is nearer to its limit than all others' is shown by that balance.

    Args:
        balances: (kind of window, balance).
        private: dimensions never to be named.
    """
    shown: dict[tuple[str, str], tuple[str, Balance]] = {}
    for window, balance in balances:
        names = [part.partition("=")[0] for part in balance.subject.split(",")] if balance.subject else []
        subject = ",".join(f"{name}=*" for name in names) if any(name in private for name in names) else balance.subject
        known = shown.get((balance.budget, subject))
        if known is None or known[1].share < balance.share:
            shown[balance.budget, subject] = (window, balance)
    return [(window, replace(balance, subject=subject)) for (_, subject), (window, balance) in shown.items()]
