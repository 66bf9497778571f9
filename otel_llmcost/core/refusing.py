"""What the caller is told of a call that does not fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from otel_llmcost.core.budget import Budget, Refusal, from_units
from otel_llmcost.errors import BudgetExceededError, RateLimitedError, RefusedError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def room_at(refusal: Refusal) -> datetime | None:
    """Say when a claim that was refused is expected to fit; None: no time brings that.

    Calls under way may end with less than they hold, and leave room before.
    """
    claim = refusal.claim
    if claim.amount_nano > claim.limit_nano:
        return None
    if not claim.is_rolling:
        return claim.window.end
    if refusal.room_us is None:  # of a window that rolls on, something comes free with each of its buckets
        return claim.window.bucket_end
    return _EPOCH + timedelta(microseconds=refusal.room_us)


def refused(refusal: Refusal, budget: Budget, now: datetime) -> RefusedError:
    """Make the error of a refusal."""
    claim = refusal.claim
    measure = claim.measure
    limit, balance = from_units(claim.limit_nano, measure), from_units(refusal.held_nano, measure)
    requested = from_units(claim.amount_nano, measure)
    end = claim.window.end
    if budget.is_rate_limit:
        room = room_at(refusal)
        return RateLimitedError.over_limit(
            limit_name=budget.name,
            scope=claim.key.subject,
            limit=limit,
            balance=balance,
            requested=requested,
            measure=measure,
            window=str(budget.window),
            retry_after_seconds=None if room is None else max((room - now).total_seconds(), 0.0),
        )
    return BudgetExceededError.over_limit(
        budget=budget.name,
        scope=claim.key.subject,
        limit=limit,
        balance=balance,
        requested=requested,
        window_end=end,
        retry_after_seconds=None if end is None else max((end - now).total_seconds(), 0.0),
    )
