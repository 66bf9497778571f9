"""All budgets of a process: which of them a call counts on, and how much it wants of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from otel_llmcost.core.acts import NO_CONTROLS, Controls
from otel_llmcost.core.attribution import Dimension, Tags, subject_of
from otel_llmcost.core.budget import BalanceKey, Budget, Carry, Claim, Measure, to_units
from otel_llmcost.core.planner import Planner
from otel_llmcost.core.scopes import Scopes
from otel_llmcost.core.value import maker, value
from otel_llmcost.core.window import Calendar, Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ASSUME = "assume:"
_MOST_KEYS = 1000

_claim = maker(Claim)


@value
class Estimate:
    """What a request may come to before it is sent, in nano-USD."""

    expected_nano: int | None
    """None: no rate is known."""
    worst_nano: int | None
    """With as much output as the request or the model allows."""
    is_capped: bool
    """Whether the caller set a maximum of output."""
    input_tokens: int
    expected_output_tokens: int
    worst_output_tokens: int = 0

    def amounts(self, measure: Measure) -> tuple[int, int]:
        """Return the expected and the worst amount in a measure; where no rate is known, a cost of 0."""
        if measure == "cost":
            return self.expected_nano or 0, self.worst_nano or 0
        if measure == "requests":
            return 1, 1
        return self.input_tokens + self.expected_output_tokens, self.input_tokens + self.worst_output_tokens


def assumed_model(budget: Budget) -> str | None:
    """Name the model at whose price a budget counts calls without one; None: it does not count them."""
    return budget.unpriced.removeprefix(_ASSUME) if budget.unpriced.startswith(_ASSUME) else None


def micros(instant: datetime) -> int:
    """Count microseconds since 1970, as stores key their windows."""
    return (instant - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class _Current:
    """A budget in the window of now, with all that can be said of it before a call."""

    budget: Budget
    limit_nano: int
    raised: Mapping[str, int]
    """Subject → by how much its limit is raised beyond the budget's."""
    marks: tuple[tuple[str, int], ...]
    refuses: bool
    is_worst_held: bool
    is_worst_held_if_capped: bool
    counted_by: tuple[Dimension, ...]
    span: Span
    bucket_us: int
    from_us: int
    carry: Carry | None
    keys: dict[str, BalanceKey] = field(default_factory=dict[str, BalanceKey])
    """Subject → key, so that calls for the same subject share it."""

    @classmethod
    def at(cls, budget: Budget, now: datetime, controls: Controls) -> _Current:
        limit_nano = budget.limit_nano + controls.raised_nano(budget.name, now)
        span, refuses = budget.window.at(now), budget.on_limit != "alert"
        return cls(
            budget,
            limit_nano,
            controls.raised_subjects(budget.name, now),
            _marks(budget, limit_nano),
            refuses,
            budget.reserve == "worst",
            budget.reserve is None and refuses,
            budget.counted_by,
            span,
            micros(span.bucket_start),
            micros(span.start),
            _carry(budget, span),
        )

    def is_at(self, now: datetime) -> bool:
        """Tell whether this is the budget in its window of now."""
        span = self.span
        return span.bucket_start <= now and (span.bucket_end is None or now < span.bucket_end)

    def claim(self, subject: str, counted: Estimate | None) -> Claim:
        budget = self.budget
        held = exposure = 0
        if counted is not None:
            expected, worst = counted.amounts(budget.measure)
            is_worst = self.is_worst_held or (self.is_worst_held_if_capped and counted.is_capped)
            held = worst if is_worst else expected
            exposure = worst - held
        key = self.keys.get(subject)
        if key is None:
            if len(self.keys) >= _MOST_KEYS:
                self.keys.clear()
            key = self.keys[subject] = BalanceKey(budget.name, subject, self.bucket_us)
        limit_nano, marks = self.limit_nano, self.marks
        if subject in self.raised:
            limit_nano += self.raised[subject]
            marks = _marks(budget, limit_nano)
        return _claim(
            key=key,
            from_us=self.from_us,
            window=self.span,
            limit_nano=limit_nano,
            refuses=self.refuses,
            amount_nano=held,
            exposure_nano=exposure,
            marks=marks,
            measure=budget.measure,
            carry=self.carry,
            is_watched=bool(budget.actions),
        )


def _marks(budget: Budget, limit_nano: int) -> tuple[tuple[str, int], ...]:
    return tuple((mark.level, int(mark.share * limit_nano)) for mark in budget.marks)


def _carry(budget: Budget, span: Span) -> Carry | None:
    if budget.carry_over is None or not isinstance(budget.window, Calendar):
        return None
    before = budget.window.at(span.start - _MICROSECOND)
    return Carry(micros(before.start), budget.limit_nano, to_units(budget.carry_over, budget.measure))


class Policy:
    """The budgets in force. Keeps the window of each at hand, since finding one in a time zone is slow."""

    def __init__(self, budgets: Sequence[Budget], now: datetime, controls: Controls = NO_CONTROLS) -> None:
        """Take over what is in force.

        Args:
            budgets: all there are, limits of calls and tokens among them.
            now: the time.
            controls: what people decided beside the settings: limits raised for a while.
        """
        self.budgets = tuple(budgets)
        self.controls = controls
        self.planner = Planner(self.budgets) if any(budget.actions for budget in budgets) else None
        """Says what is done to a call; None: no budget has actions."""
        self.waits: Mapping[str, timedelta] = {
            budget.name: budget.max_wait for budget in budgets if budget.on_limit == "wait"
        }
        """Name of each limit that calls wait for → for how long at most."""
        self._by_name = {budget.name: budget for budget in budgets}
        self._scopes = Scopes([budget.scope for budget in budgets])
        self._in_force = self._at(now)

    def claims(
        self,
        tags: Tags,
        now: datetime,
        estimate: Estimate | None,
        unpriced: Callable[[Budget, str], Estimate | None],
    ) -> tuple[Claim, ...]:
        """List what a call wants of each budget that it counts on.

        Args:
            tags: who the call is for, and what it asks.
            now: when it begins.
            estimate: what it may cost; None: nothing is held.
            unpriced: asked for each budget of cost and subject where no rate is known; None again: nothing is held.
        """
        in_force = self._in_force
        if not in_force.since <= now < in_force.until:
            in_force = self._in_force = self._at(now, in_force.budgets)
        claims: list[Claim] = []
        for place in self._scopes.around(tags):
            current = in_force.budgets[place]
            subject = subject_of(current.counted_by, tags) if current.counted_by else ""
            if subject is not None:
                counted = estimate
                if (estimate is None or estimate.expected_nano is None) and current.budget.measure == "cost":
                    counted = unpriced(current.budget, subject)
                claims.append(current.claim(subject, counted))
        return tuple(claims)

    def _at(self, now: datetime, before: Sequence[_Current] = ()) -> _InForce:
        """Return the budgets in their windows of now.

        Replaced as a whole when one of them is over: threads share it without a lock. Those that go on are taken over:
        a limit of a minute has a new bucket each second, and a month in some time zone is not to be found anew for it.
        """
        if not before or self.controls.raises:
            in_force = tuple([_Current.at(budget, now, self.controls) for budget in self.budgets])
        else:
            in_force = tuple(
                [each if each.is_at(now) else _Current.at(each.budget, now, self.controls) for each in before]
            )
        starts = [each.span.bucket_start for each in in_force]
        ends = [each.span.bucket_end for each in in_force if each.span.bucket_end is not None]
        ends += self.controls.ends_after(now)
        return _InForce(max(starts, default=_EVER), min(ends, default=_NEVER), in_force)

    def named(self, name: str) -> Budget:
        """Find a budget by its name."""
        return self._by_name[name]

    def spans(self, now: datetime) -> list[tuple[Budget, Span]]:
        """List every budget with its window of now."""
        return [(budget, budget.window.at(now)) for budget in self.budgets]


@dataclass(frozen=True, slots=True)
class _InForce:
    """All budgets in their windows, for as long as these last."""

    since: datetime
    until: datetime
    budgets: tuple[_Current, ...]
