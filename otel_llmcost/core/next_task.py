"""What the next task of a kind will cost, by what such tasks cost before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

BUFFER = Fraction(12, 10)
"""By so much more than the mean the next task is expected to cost."""
UNKNOWN_INPUT_TOKENS = 5000
"""Of a task that nothing like was ever done."""
UNKNOWN_OUTPUT_TOKENS = 1000
UNKNOWN_NANO = 100_000_000
"""Cost assumed of such a task where the price of its model is not known either: ten cents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneTask:
    """What a task came to."""

    tokens: int
    """Input and output."""
    cost_nano: int
    is_priced: bool
    """False: calls of it have no price, so its cost is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTask:
    """What the next task is expected to cost."""

    expected_nano: int
    """With the buffer; what to set aside for it."""
    expected_tokens: int
    tasks: int
    """That it is judged by; 0: none, so it is assumed."""
    unpriced_tasks: int
    """Left out."""
    mean_nano: int | None
    median_nano: int | None
    high_nano: int | None
    """What 95 of 100 tasks stayed within."""
    most_nano: int | None


def next_task(done: Sequence[DoneTask], unknown_nano: int = UNKNOWN_NANO) -> NextTask:
    """Expect of the next task the mean of those done, and a fifth more.

    Args:
        done: tasks of its kind.
        unknown_nano: what to assume if there was none.
    """
    priced = [task for task in done if task.is_priced]
    costs = sorted(task.cost_nano for task in priced)
    if not costs:
        return _expected(unknown_nano, UNKNOWN_INPUT_TOKENS + UNKNOWN_OUTPUT_TOKENS, done, costs)
    cost, tokens = _mean(costs), _mean([task.tokens for task in priced])
    return _expected(round(cost * BUFFER), round(tokens * BUFFER), done, costs)


def _expected(nano: int, tokens: int, done: Sequence[DoneTask], costs: Sequence[int]) -> NextTask:
    return NextTask(
        expected_nano=nano,
        expected_tokens=tokens,
        tasks=len(costs),
        unpriced_tasks=len(done) - len(costs),
        mean_nano=round(_mean(costs)) if costs else None,
        median_nano=_at(costs, 50),
        high_nano=_at(costs, 95),
        most_nano=costs[-1] if costs else None,
    )


def _mean(amounts: Sequence[int]) -> Fraction:
    return Fraction(sum(amounts), len(amounts))


def _at(costs: Sequence[int], percent: int) -> int | None:
    """Return what so many of 100 stayed within: one of the costs themselves, by nearest rank."""
    return costs[-(-percent * len(costs) // 100) - 1] if costs else None
