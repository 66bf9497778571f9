"""All budgets of a process: which of them a call counts on, and how much it wants of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.budget import BalanceKey, Budget, Claim
from otel_llmcost.core.value import value
from otel_llmcost.core.window import Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ASSUME = "assume:"


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


def amount(budget: Budget, estimate: Estimate) -> int:
    """Choose how much to hold, in nano-USD: all it may cost, or what it will likely cost."""
    mode = budget.reserve or ("worst" if budget.on_limit == "refuse" and estimate.is_capped else "expected")
    return estimate.worst_nano if mode == "worst" else estimate.expected_nano


def micros(instant: datetime) -> int:
    """Count microseconds since 1970, as stores key their windows."""
    return (instant - _EPOCH) // _MICROSECOND


@dataclass(slots=True)
class _Current:
    """A budget in the window of now; made anew when that window is over."""

    budget: Budget
    limit_nano: int
    marks: tuple[tuple[str, int], ...]
    span: Span
    bucket_us: int = 0
    from_us: int = 0

    def is_current(self, now: datetime) -> bool:
        return self.span.bucket_start <= now and (self.span.bucket_end is None or now < self.span.bucket_end)

    def move_to(self, now: datetime) -> None:
        self.span = self.budget.window.at(now)
        self.bucket_us = micros(self.span.bucket_start)
        self.from_us = micros(self.span.start)


class Policy:
    """The budgets in force. Keeps the window of each at hand, since finding one in a time zone is slow."""

    def __init__(self, budgets: Sequence[Budget], now: datetime) -> None:
        self.budgets = tuple(budgets)
        self._current = [_current(budget, now) for budget in self.budgets]

    def matching(self, tags: Tags) -> list[tuple[int, str]]:
        """List the budgets that a call counts on, as (position, subject)."""
        return [
            (position, subject)
            for position, budget in enumerate(self.budgets)
            if (subject := budget.subject(tags)) is not None
        ]

    def claim(self, position: int, subject: str, now: datetime, *, amount_nano: int, exposure_nano: int) -> Claim:
        """Make the claim on one matching budget."""
        current = self._current[position]
        if not current.is_current(now):
            current.move_to(now)
        return Claim(
            key=BalanceKey(current.budget.name, subject, current.bucket_us),
            from_us=current.from_us,
            window=current.span,
            limit_nano=current.limit_nano,
            refuses=current.budget.on_limit == "refuse",
            amount_nano=amount_nano,
            exposure_nano=exposure_nano,
            marks=current.marks,
        )

    def spans(self, now: datetime) -> list[tuple[Budget, Span]]:
        """List every budget with its window of now."""
        return [(budget, budget.window.at(now)) for budget in self.budgets]


def _current(budget: Budget, now: datetime) -> _Current:
    limit_nano = budget.limit_nano
    marks = tuple((mark.level, int(mark.share * limit_nano)) for mark in budget.marks)
    current = _Current(budget, limit_nano, marks, budget.window.at(now))
    current.move_to(now)
    return current
