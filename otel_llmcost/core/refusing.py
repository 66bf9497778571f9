"""What the caller is told of a call that does not fit."""

from __future__ import annotations

from datetime import datetime

from otel_llmcost.core.budget import Budget, Refusal, from_units
from otel_llmcost.errors import BudgetExceededError, RateLimitedError, RefusedError


def refused(refusal: Refusal, budget: Budget, now: datetime) -> RefusedError:
    """Make the error of a refusal."""
    claim = refusal.claim
    measure, window = claim.measure, claim.window
    limit, balance = from_units(claim.limit_nano, measure), from_units(refusal.held_nano, measure)
    requested = from_units(claim.amount_nano, measure)
    end = window.end
    if budget.is_rate_limit:
        # Of a window that rolls on, some is free again with each of its buckets.
        free = window.bucket_end if claim.is_rolling else end
        return RateLimitedError.over_limit(
            limit_name=budget.name,
            scope=claim.key.subject,
            limit=limit,
            balance=balance,
            requested=requested,
            measure=measure,
            window=str(budget.window),
            retry_after_seconds=None if free is None else max((free - now).total_seconds(), 0.0),
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
