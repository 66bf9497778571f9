"""What a caller is told of a call that does not fit, above all when to come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from otel_llmcost.core.budget import Budget, Claim, Refusal
from otel_llmcost.core.policy import Estimate, Policy, micros
from otel_llmcost.core.refusing import refused, room_at
from otel_llmcost.core.window import Calendar, Life, Rolling
from otel_llmcost.errors import BudgetExceededError, RateLimitedError
from tests.core.calls import NOW, budget

MINUTE = Rolling(timedelta(minutes=1), "1m")
LATER = timedelta(seconds=0.5)
WANTED = Estimate(expected_nano=10**9, worst_nano=10**9, is_capped=False, input_tokens=30, expected_output_tokens=10)


def limit(**facts: Any) -> Budget:
    known = {"limit": Decimal(60), "window": MINUTE, "measure": "tokens", "is_rate_limit": True}
    return budget("l", **{**known, **facts})


def claim_on(wanted_of: Budget) -> Claim:
    (claim,) = Policy([wanted_of], NOW).claims({"session": "s"}, NOW, WANTED, lambda _budget, _subject: None)
    return claim


def test_a_limit_refuses_with_all_that_a_caller_needs_to_know() -> None:
    """Whoever catches it need not read the message, and whoever reads it need not know the code."""
    refusal = Refusal(claim_on(limit()), 42, room_us=micros(NOW) + 2_500_000)

    error = refused(refusal, limit(), NOW)

    assert isinstance(error, RateLimitedError)
    assert (error.name, error.scope, error.measure) == ("l", "", "tokens")
    assert (error.limit, error.balance, error.requested) == (60, 42, 40)
    assert error.retry_after_seconds == 2.5
    assert str(error) == (
        "limit 'l': 42 of 60 tokens per 1m are taken, the call needs 40; it was not sent; try again in 2.5 s"
    )


@pytest.mark.parametrize(
    ("of", "room_us", "seconds"),
    [
        pytest.param(limit(), micros(NOW) + 7_000_000, 6.5, id="when-enough-counts-no-more"),
        pytest.param(limit(), None, 0.5, id="with-the-next-bucket-where-that-is-not-known"),
        pytest.param(limit(window=Calendar("hour")), None, 3599.5, id="when-the-hour-is-over"),
        pytest.param(limit(window=Life("session")), None, None, id="never-in-this-session"),
        pytest.param(limit(limit=Decimal(39)), None, None, id="never-as-it-wants-more-than-there-is"),
        pytest.param(limit(limit=Decimal(39), window=Calendar("day")), None, None, id="nor-tomorrow"),
        pytest.param(limit(), micros(NOW), 0.0, id="not-before-now"),
    ],
)
def test_a_refusal_says_when_there_will_be_room(of: Budget, room_us: int | None, seconds: float | None) -> None:
    """A caller that waits so long is not refused for the same calls again; None: waiting does not help."""
    refusal = Refusal(claim_on(of), 42, room_us=room_us)

    assert refused(refusal, of, NOW + LATER).retry_after_seconds == seconds


def test_a_budget_refuses_until_its_window_ends() -> None:
    """Money is not a rate: what is spent today is free tomorrow at the earliest."""
    of = budget(limit=Decimal("0.5"))

    error = refused(Refusal(claim_on(of), 0), of, NOW)

    assert isinstance(error, BudgetExceededError)
    assert error.retry_after_seconds == 12 * 3600
    assert error.requested == 1


def test_a_budget_of_a_session_is_not_free_again() -> None:
    """There is no time to name."""
    of = budget(window=Life("session"))

    assert refused(Refusal(claim_on(of), 10**10), of, NOW).retry_after_seconds is None


def test_what_was_raised_may_fit_though_the_budget_says_less() -> None:
    """The claim's limit counts, not the budget's."""
    claim = claim_on(limit(limit=Decimal(39)))

    assert room_at(Refusal(claim, 42)) is None
    assert room_at(Refusal(replace(claim, limit_nano=50), 42)) == claim.window.bucket_end
