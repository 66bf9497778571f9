"""What really happened: the calls, balances, refusals and alerts that the boards are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from otel_llmcost_collector.self_metrics import Labels, SelfMetric

DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, from when on Prometheus can know of it."""

    at: float
    instance: str
    provider: str
    model: str
    agent: str | None = None
    team: str | None = None
    feature: str | None = None
    environment: str | None = None
    outcome: str = "confirmed"
    cost: Decimal | None = None
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    seconds: float = 1.0
    source: str | None = None
    """The dialect a collector read it in; None: the agent counted it itself."""
    is_correction: bool = False
    """An entry that takes an estimate back, with negative amounts, or stands in its place: no call of its own."""

    @property
    def takes_back(self) -> bool:
        """Whether it is the first of the two entries of a correction."""
        return self.is_correction and cost_of(self) < 0

    @property
    def status(self) -> str | None:
        """How sure the cost is; None: there is none."""
        return None if self.cost is None else self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that a budget did not let out."""

    at: float
    instance: str
    budget: str
    agent: str | None
    team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A mark that was reached."""

    at: float
    instance: str
    budget: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A call that waited for room in a limit."""

    at: float
    instance: str
    budget: str
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A call that a budget past one of its marks changed."""

    at: float
    instance: str
    budget: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a collector counted of itself, from when on Prometheus can know of it."""

    at: float
    instance: str
    metric: SelfMetric
    labels: Labels
    amount: int


Standing = Mapping[tuple[SelfMetric, Labels], int]
"""What the gauges of a collector show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What else the processes on a store report alike, at an instant."""

    stops: int = 0
    pending: int = 0
    limits: Mapping[tuple[str, str, str], Decimal] = field(default_factory=dict[tuple[str, str, str], Decimal])
    """(limit, subject, window) -> share used"""
    fixed: Mapping[tuple[str, str], tuple[Decimal, Decimal]] = field(
        default_factory=dict[tuple[str, str], tuple[Decimal, Decimal]]
    )
    """(name, kind) -> USD of today so far, of the whole day"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How a budget stands at the instant that is looked at; USD, seconds since 1970."""

    budget: str
    window: str
    limit: Decimal
    spent: Decimal
    start: float
    end: float
    subject: str | None = None
    reserved: Decimal = Decimal(0)
    bound: Decimal = Decimal(0)

    @property
    def remaining(self) -> Decimal:
        return max(self.limit - self.spent - self.reserved, Decimal(0))

    @property
    def used(self) -> Decimal:
        return self.spent / self.limit

    def projected(self, now: float) -> Decimal:
        elapsed = min(now - self.start, self.end - self.start)
        return self.spent * Decimal(self.end - self.start) / Decimal(elapsed) if elapsed > 0 else self.spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """All of it."""

    calls: Sequence[Call]
    balances_at: Callable[[float], Sequence[Balance]] = lambda _: ()
    """How every budget stood as Prometheus knew at an instant."""
    refusals: Sequence[Refusal] = ()
    alerts: Sequence[Alert] = ()
    waits: Sequence[Wait] = ()
    actions: Sequence[Action] = ()
    held: Held = field(default_factory=Held)
    counted: Sequence[Counted] = ()
    standing: Standing = field(default_factory=dict[tuple[SelfMetric, Labels], int])
    knows_the_past: bool = True
    """False: how budgets stood before is not known; of their pace only the bounds can be checked."""

    def between(self, start: float, end: float) -> Sequence[Call]:
        """Calls after `start`, up to `end`: as a window of Prometheus counts them."""
        return [call for call in self.calls if start < call.at <= end]


Amount = Callable[[Call], Decimal | int]


def cost_of(call: Call) -> Decimal:
    return call.cost or Decimal(0)


def group(
    calls: Sequence[Call], amount: Amount, *by: str, only: Callable[[Call], bool] = lambda _: True
) -> dict[tuple[str, ...], Decimal]:
    """Add up by fields of a call; who is not named is unattributed."""
    sums: dict[tuple[str, ...], Decimal] = {}
    for call in calls:
        if only(call):
            key = tuple(getattr(call, name) or "unattributed" for name in by)
            sums[key] = sums.get(key, Decimal(0)) + amount(call)
    return sums
