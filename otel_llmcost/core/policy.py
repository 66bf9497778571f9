"""All budgets of a process: which of them a call counts on, and how much it wants of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from otel_llmcost.core.attribution import Dimension, Tags, subject_of
from otel_llmcost.core.budget import BalanceKey, Budget, Claim
from otel_llmcost.core.value import maker, value
from otel_llmcost.core.window import Span

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

    expected_nano: int
    worst_nano: int
    """With as much output as the request or the model allows."""
    is_capped: bool
    """Whether the caller set a maximum of output."""
    input_tokens: int
    expected_output_tokens: int


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
    marks: tuple[tuple[str, int], ...]
    refuses: bool
    is_worst_held: bool
    is_worst_held_if_capped: bool
    matches: Callable[[Tags], bool] | None
    """None: every call does."""
    counted_by: tuple[Dimension, ...]
    span: Span
    bucket_us: int
    from_us: int
    keys: dict[str, BalanceKey] = field(default_factory=dict[str, BalanceKey])
    """Subject → key, so that calls for the same subject share it."""

    @classmethod
    def at(cls, budget: Budget, now: datetime) -> _Current:
        limit_nano, span, refuses = budget.limit_nano, budget.window.at(now), budget.on_limit == "refuse"
        return cls(
            budget,
            limit_nano,
            tuple((mark.level, int(mark.share * limit_nano)) for mark in budget.marks),
            refuses,
            budget.reserve == "worst",
            budget.reserve is None and refuses,
            budget.scope.matches if budget.scope.patterns else None,
            budget.counted_by,
            span,
            micros(span.bucket_start),
            micros(span.start),
        )

    def claim(self, subject: str, counted: Estimate | None) -> Claim:
        held = exposure = 0
        if counted is not None:
            is_worst = self.is_worst_held or (self.is_worst_held_if_capped and counted.is_capped)
            held = counted.worst_nano if is_worst else counted.expected_nano
            exposure = counted.worst_nano - held
        key = self.keys.get(subject)
        if key is None:
            if len(self.keys) >= _MOST_KEYS:
                self.keys.clear()
            key = self.keys[subject] = BalanceKey(self.budget.name, subject, self.bucket_us)
        return _claim(
            key=key,
            from_us=self.from_us,
            window=self.span,
            limit_nano=self.limit_nano,
            refuses=self.refuses,
            amount_nano=held,
            exposure_nano=exposure,
            marks=self.marks,
        )


class Policy:
    """The budgets in force. Keeps the window of each at hand, since finding one in a time zone is slow."""

    def __init__(self, budgets: Sequence[Budget], now: datetime) -> None:
        self.budgets = tuple(budgets)
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
            estimate: what it may cost; None: no rate is known.
            unpriced: asked then, per budget and subject; None again: nothing is held.
        """
        since, until, in_force = self._in_force
        if not since <= now < until:
            self._in_force = _, _, in_force = self._at(now)
        claims: list[Claim] = []
        for current in in_force:
            if current.matches is not None and not current.matches(tags):
                continue
            subject = subject_of(current.counted_by, tags) if current.counted_by else ""
            if subject is not None:
                counted = estimate if estimate is not None else unpriced(current.budget, subject)
                claims.append(current.claim(subject, counted))
        return tuple(claims)

    def _at(self, now: datetime) -> tuple[datetime, datetime, tuple[_Current, ...]]:
        """Return from when until when all these windows last, and the budgets in them.

        Replaced as a whole when one of them is over: threads share it without a lock.
        """
        in_force = tuple(_Current.at(budget, now) for budget in self.budgets)
        starts = [each.span.bucket_start for each in in_force]
        ends = [each.span.bucket_end for each in in_force if each.span.bucket_end is not None]
        return max(starts, default=_EVER), min(ends, default=_NEVER), in_force

    def named(self, name: str) -> Budget:
        """Find a budget by its name."""
        return next(budget for budget in self.budgets if budget.name == name)

    def spans(self, now: datetime) -> list[tuple[Budget, Span]]:
        """List every budget with its window of now."""
        return [(budget, budget.window.at(now)) for budget in self.budgets]
