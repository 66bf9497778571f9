"""A fleet of agents that never ran: sixteen days of calls, budgets and alerts, the same in every run.

Its processes show what goes wrong in sums: each is restarted daily, one crashes by day, one lives for
forty minutes a night, one starts within the last day, and one is not scraped for half an hour around a midnight.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, pairwise
from math import cos, pi
from random import Random

from tests.real.collecting import Run, runs, standing
from tests.real.truth import DAY, Action, Alert, Balance, Call, Held, Refusal, Truth, Wait, cost_of

_SOURCES = {"qa-agent": "openinference", "planner-agent": "openllmetry"}
"""Whose calls a collector tells of, and how it was told."""
TICK = 240
"""Seconds between two scrapes."""
BEGIN = datetime(2026, 4, 7, tzinfo=UTC).timestamp()
NOW = datetime(2026, 4, 22, 15, tzinfo=UTC).timestamp()
ACTIONS = {"warning": "cap", "critical": "route", "exceeded": "pause"}
"""What is done at each mark."""
MARKS = {"warning": Decimal("0.75"), "critical": Decimal("0.95"), "exceeded": Decimal(1)}

_PER_MILLION = {  # USD: input, output, cache read, cache write
    "claude-sonnet-4-5": ("anthropic", "3", "15", "0.3", "3.75"),
    "gpt-4o": ("openai", "2.5", "10", "1.25", "0"),
    "gpt-4o-mini": ("openai", "0.15", "0.6", "0.075", "0"),
    "gemini-2.5-flash": ("gcp.gemini", "0.3", "2.5", "0.075", "0"),
}
_CLASSES = ("input", "output", "cache_read", "cache_write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """How an agent behaves."""

    name: str | None
    team: str | None
    feature: str | None
    models: Sequence[str]
    calls_per_hour: float
    input_tokens: int
    output_tokens: int
    cached: float
    environment: str = "prod"
    hours: tuple[int, int] = (0, 24)
    first_day: int = 0
    spikes: Mapping[int, float] = field(default_factory=dict[int, float])
    """Days on which something is wrong, and how many times as much it calls then."""


AGENTS = (
    Agent(
        name="web-scraper-agent", team="data-science", feature="market-research",
        models=["claude-sonnet-4-5"] * 4 + ["gpt-4o-mini"],
        calls_per_hour=18, input_tokens=9000, output_tokens=700, cached=0.35, spikes={9: 4.2, 14: 2.0},
    ),
    Agent(
        name="code-reviewer-agent", team="engineering", feature="pull-requests", models=["claude-sonnet-4-5", "gpt-4o"],
        calls_per_hour=9, input_tokens=12000, output_tokens=900, cached=0.6,
    ),
    Agent(
        name="data-processor-agent", team="data-science", feature="enrichment", models=["gpt-4o", "gemini-2.5-flash"],
        calls_per_hour=13, input_tokens=4000, output_tokens=500, cached=0.1,
    ),
    Agent(
        name="qa-agent", team="customer-support", feature="ticket-answers",
        models=["gpt-4o-mini", "gpt-4o", "gemini-2.5-flash"],
        calls_per_hour=20, input_tokens=2500, output_tokens=350, cached=0.2,
    ),
    Agent(
        name="archive-agent", team="engineering", feature="nightly-summaries",
        models=["gemini-2.5-flash", "llama-3.1-70b"],
        calls_per_hour=60, input_tokens=6000, output_tokens=300, cached=0.0, hours=(2, 3),
    ),
    Agent(
        name="planner-agent", team="engineering", feature="release-notes", models=["gpt-4o"],
        calls_per_hour=9, input_tokens=3000, output_tokens=800, cached=0.3, environment="staging", first_day=15,
    ),
    Agent(
        name=None, team=None, feature=None, models=["gpt-4o-mini"],
        calls_per_hour=3, input_tokens=2000, output_tokens=300, cached=0.0, environment="staging",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One run of an agent, from its first scrape to its last."""

    instance: str
    agent: Agent
    scrapes: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """A budget of the fleet, and whose calls count on it."""

    name: str
    subject: str | None
    window: str
    limit: Decimal
    team: str | None = None
    agent: str | None = None
    refuses: bool = True
    already_spent: Decimal = Decimal(0)
    """In a window that began before the fleet did."""

    def counts(self, call: Call) -> bool:
        return (self.team is None or call.team == self.team) and (self.agent is None or call.agent == self.agent)

    def window_at(self, at: float) -> tuple[float, float]:
        day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0)
        if self.window == "day":
            return day.timestamp(), day.timestamp() + DAY
        return day.replace(day=1).timestamp(), day.replace(month=day.month + 1, day=1).timestamp()


BUDGETS = (
    BudgetPlan(name="company-monthly", subject=None, window="month", limit=Decimal(1000), already_spent=Decimal(390)),
    BudgetPlan(
        name="team-daily", subject="team=customer-support", window="day", limit=Decimal("0.88"), team="customer-support"
    ),
    BudgetPlan(name="team-daily", subject="team=data-science", window="day", limit=Decimal(40), team="data-science"),
    BudgetPlan(
        name="planner-daily",
        subject="agent=planner-agent",
        window="day",
        limit=Decimal("0.60"),
        agent="planner-agent",
        refuses=False,
    ),
)
REPORTERS = ("web-scraper-agent", "qa-agent")
"""The agents whose processes report balances; all on one store, so both report the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that happened, and what was reported when."""

    processes: Sequence[Process]
    truth: Truth
    balances: Mapping[float, Sequence[Balance]]
    collector: Sequence[Run]


def history() -> History:
    """Let the fleet run."""
    random = Random(20260422)
    processes = [process for agent in AGENTS for process in _runs(agent)]
    wanted = sorted((call for process in processes for call in _calls(process, random)), key=lambda call: call.at)
    books, later = Books(), Random(20260423)
    scrapes = {process.instance: process.scrapes for process in processes}
    for at in _ticks(BEGIN, NOW):
        while wanted and wanted[0].at <= at:
            call = wanted.pop(0)
            if books.take(call):
                for entry in _correction(call, scrapes[call.instance], later):
                    insort(wanted, entry, key=lambda each: each.at)
        books.close(at)
    collector = runs(NOW, TICK)
    truth = Truth(
        calls=books.calls,
        balances_at=lambda at: books.balances[at // TICK * TICK],
        refusals=books.refusals,
        alerts=books.alerts,
        waits=[_wait(call) for call in books.calls[::50]],
        actions=[_action(alert) for alert in books.alerts],
        held=held_at(NOW),
        counted=[each for run in collector for each in run.counted],
        standing=standing(NOW, NOW),
    )
    return History(processes=processes, truth=truth, balances=books.balances, collector=collector)


def held_at(at: float) -> Held:
    """How limits, stops and fixed costs stand: all processes of the store report the same."""
    today = Decimal(int(at % DAY)) / DAY
    return Held(
        stops=int(at >= NOW - 7200),
        pending=2 * int(at >= NOW - 3600),
        limits={
            ("per-agent-rpm", "agent=qa-agent", "1m"): Decimal("0.85"),
            ("per-agent-rpm", "agent=planner-agent", "1m"): Decimal("0.3"),
            ("company-tokens", "", "1h"): Decimal(1),
        },
        fixed={
            ("rtx-4090", "gpu"): (Decimal("2.4") * today, Decimal("2.4")),
            ("vectors", "storage"): (Decimal("0.6") * today, Decimal("0.6")),
        },
    )


@dataclass(slots=True)
class Books:
    """Takes calls in their order, holds them to the budgets, and keeps the balances."""

    calls: list[Call] = field(default_factory=list[Call])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    alerts: list[Alert] = field(default_factory=list[Alert])
    balances: dict[float, Sequence[Balance]] = field(default_factory=dict[float, Sequence[Balance]])
    spent: dict[tuple[BudgetPlan, float], Decimal] = field(default_factory=dict[tuple[BudgetPlan, float], Decimal])

    def take(self, call: Call) -> bool:
        """Tell whether the call was let out; a correction always is."""
        counting = [plan for plan in BUDGETS if plan.counts(call)]
        for plan in counting if not call.is_correction else ():
            if plan.refuses and self._spent(plan, call.at) + cost_of(call) > plan.limit:
                self.calls.append(replace(call, outcome="refused", cost=None, tokens={}))
                self.refusals.append(
                    Refusal(at=call.at, instance=call.instance, budget=plan.name, agent=call.agent, team=call.team)
                )
                return False
        self.calls.append(call)
        for plan in counting:
            self._spend(plan, call)
        return True

    def close(self, at: float) -> None:
        """Write down how every budget stands at a scrape."""
        self.balances[at] = [
            Balance(
                budget=plan.name,
                subject=plan.subject,
                window=plan.window,
                limit=plan.limit,
                spent=self._spent(plan, at),
                reserved=Decimal(int(at) // TICK % 4) / 100,
                bound=Decimal("0.05"),
                start=plan.window_at(at)[0],
                end=plan.window_at(at)[1],
            )
            for plan in BUDGETS
        ]

    def _spent(self, plan: BudgetPlan, at: float) -> Decimal:
        return self.spent.get((plan, plan.window_at(at)[0]), plan.already_spent)

    def _spend(self, plan: BudgetPlan, call: Call) -> None:
        before = self._spent(plan, call.at)
        after = before + cost_of(call)
        self.spent[plan, plan.window_at(call.at)[0]] = after
        self.alerts.extend(
            Alert(at=call.at, instance=call.instance, budget=plan.name, level=level)
            for level, share in MARKS.items()
            if before < share * plan.limit <= after and not call.is_correction
        )


def _ticks(start: float, end: float) -> Sequence[float]:
    return [start + index * TICK for index in range(int((end - start) // TICK) + 1)]


def _runs(agent: Agent) -> Iterator[Process]:
    """One process a day, from 04:00 to 04:00, or for the hours that the agent works."""
    number = count(1)
    for day in range(agent.first_day, int((NOW - BEGIN) // DAY) + 1):
        midnight = BEGIN + day * DAY
        first, last = (agent.hours[0], agent.hours[1] - 1 / 3) if agent.hours != (0, 24) else (4, 28)
        edges = [midnight + first * 3600, midnight + last * 3600]
        if agent.name == "web-scraper-agent" and day == 14:
            edges.insert(1, midnight + 13 * 3600)  # it crashed
        for start, end in pairwise(edges):
            scrapes = [at for at in _ticks(start + TICK, min(end, NOW)) if not _is_unscraped(agent, at)]
            if scrapes:
                yield Process(instance=f"{agent.name or 'nobody'}-{next(number)}", agent=agent, scrapes=scrapes)


def _is_unscraped(agent: Agent, at: float) -> bool:
    midnight = datetime(2026, 4, 21, tzinfo=UTC).timestamp()
    return agent.name == "code-reviewer-agent" and abs(at - midnight) < 20 * 60


def _calls(process: Process, random: Random) -> Iterator[Call]:
    agent, before = process.agent, process.scrapes[0] - TICK
    for at in process.scrapes:
        hours = (at - before) / 3600  # more than a tick after a gap: what happened in it is seen now
        before = at
        for _ in range(_poisson(agent.calls_per_hour * hours * _bustle(agent, at), random)):
            yield _call(process.instance, agent, at, random)


def _bustle(agent: Agent, at: float) -> float:
    """How much goes on: little at night and at weekends, much when something is wrong."""
    if agent.hours != (0, 24):
        return 1
    when = datetime.fromtimestamp(at, UTC)
    by_day = 1 - 0.85 * (1 + cos((when.hour + when.minute / 60 - 2) / 24 * 2 * pi)) / 2
    by_week = 0.45 if when.weekday() >= 5 else 1
    return by_day * by_week * agent.spikes.get(int((at - BEGIN) // DAY), 1)


def _correction(call: Call, scrapes: Sequence[float], random: Random) -> Sequence[Call]:
    """Let the truth of some uncertain calls come within hours of the same day."""
    later = [at for at in scrapes if call.at < at < call.at // DAY * DAY + DAY][:40]
    if call.outcome not in {"estimated", "suspected"} or call.is_correction or not later or random.random() < 0.3:
        return ()
    at, share = random.choice(later), Decimal(round(random.uniform(0.4, 1.3), 3))
    back = {kind: -number for kind, number in call.tokens.items()}
    known = {kind: int(number * share) for kind, number in call.tokens.items()}
    cost = (cost_of(call) * share).quantize(Decimal("1e-9"))
    return (
        replace(call, at=at, cost=-cost_of(call), tokens=back, is_correction=True),
        replace(call, at=at, outcome="confirmed", cost=cost, tokens=known, is_correction=True),
    )


def _wait(call: Call) -> Wait:
    return Wait(at=call.at, instance=call.instance, budget="per-agent-rpm", wait_seconds=0.5 + int(call.at) // TICK % 7)


def _action(alert: Alert) -> Action:
    return Action(at=alert.at, instance=alert.instance, budget=alert.budget, action=ACTIONS[alert.level])


def _poisson(mean: float, random: Random) -> int:
    number, left = 0, random.expovariate(1)
    while left < mean:
        number, left = number + 1, left + random.expovariate(1)
    return number


def _call(instance: str, agent: Agent, at: float, random: Random) -> Call:
    model = random.choice(agent.models)
    fate = random.random()
    failed = fate > 0.985
    outcome = "failed" if failed else "suspected" if fate > 0.978 else "estimated" if fate > 0.96 else "confirmed"
    prompt, answer = (int(size * random.lognormvariate(0, 0.5)) for size in (agent.input_tokens, agent.output_tokens))
    cached = int(prompt * agent.cached * random.random() * 2)
    written = int(prompt * 0.1) if model.startswith("claude") else 0
    tokens = dict(zip(_CLASSES, (max(prompt - cached - written, 0), answer, cached, written), strict=True))
    call = Call(
        at=at,
        instance=instance,
        provider=_PER_MILLION.get(model, ("vllm",))[0],
        model=model,
        agent=agent.name,
        team=agent.team,
        feature=agent.feature,
        environment=agent.environment,
        source=_SOURCES.get(agent.name or ""),
        outcome=outcome,
        tokens={} if failed else {kind: number for kind, number in tokens.items() if number},
        seconds=round(0.4 + answer / 90 * random.lognormvariate(0, 0.3), 3),
    )
    if failed:
        return call
    if model not in _PER_MILLION:
        return replace(call, outcome="unpriced")
    prices = [Decimal(price) for price in _PER_MILLION[model][1:]]
    cost = sum((tokens[kind] * price for kind, price in zip(_CLASSES, prices, strict=True)), Decimal(0))
    return replace(call, cost=(cost / 1_000_000).quantize(Decimal("1e-9")))
