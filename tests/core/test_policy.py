"""A policy picks the budgets of a call and makes its claims, in the window of now."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest

from otel_llmcost.core.attribution import Scope, Tags
from otel_llmcost.core.budget import BalanceKey, Budget, Claim
from otel_llmcost.core.policy import Estimate, Policy, assumed_model, micros
from otel_llmcost.core.window import Calendar, Rolling, Span

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = Calendar("day")


def budget(name: str = "all", **more: Any) -> Budget:
    return Budget(**{"name": name, "limit": Decimal(10), "window": DAY, **more})


def estimate(expected: int = 0, worst: int = 0, *, is_capped: bool = False) -> Estimate:
    return Estimate(
        expected_nano=expected, worst_nano=worst, is_capped=is_capped, input_tokens=0, expected_output_tokens=0
    )


def not_asked(_budget: Budget, _subject: str) -> Estimate | None:
    pytest.fail("the price is known")


def claim_of(policy: Policy, at: datetime = NOW, counted: Estimate | None = None) -> Claim:
    (claim,) = policy.claims({}, at, counted or estimate(), not_asked)
    return claim


def claims_at(policy: Policy, at: datetime) -> tuple[Claim, ...]:
    return policy.claims({}, at, estimate(), not_asked)


def test_a_call_counts_on_all_budgets_that_are_for_it() -> None:
    policy = Policy(
        [budget("team", scope=Scope({"team": ("a",)})), budget("each", per=("user",)), budget("all")],
        NOW,
    )

    def found(tags: Tags) -> list[tuple[str, str]]:
        return [claim.key[:2] for claim in policy.claims(tags, NOW, estimate(), not_asked)]

    assert found({"team": "a", "user": "u"}) == [("team", ""), ("each", "user=u"), ("all", "")]
    assert found({"team": "b"}) == [("all", "")]


def test_a_claim_carries_all_that_a_store_needs() -> None:
    policy = Policy([budget(on_limit="alert", per=("user",))], NOW)

    (claim,) = policy.claims({"user": "u"}, NOW, estimate(5, 7), not_asked)

    midnight = NOW.replace(hour=0)
    assert claim.key == BalanceKey("all", "user=u", micros(midnight))
    assert (claim.from_us, claim.window) == (micros(midnight), DAY.at(NOW))
    assert (claim.limit_nano, claim.refuses, claim.amount_nano, claim.exposure_nano) == (10**10, False, 5, 2)
    assert claim.marks == (("warning", 7_500_000_000), ("critical", 9_500_000_000), ("exceeded", 10**10))
    assert not claim.is_rolling


def test_a_claim_of_a_rolling_budget_reaches_back() -> None:
    claim = claim_of(Policy([budget(window=Rolling(timedelta(hours=1), "1h"))], NOW))

    assert claim.is_rolling
    assert claim.key.bucket_us - claim.from_us == 3600 * 10**6


@pytest.mark.parametrize("hours", [-13, -12, 0, 11, 12, 36])
def test_a_claim_is_for_the_window_of_its_instant_whatever_came_before(hours: int) -> None:
    then = NOW + timedelta(hours=hours)

    claim = claim_of(Policy([budget()], NOW), then)

    assert claim.window == DAY.at(then)
    assert claim.key.bucket_us == micros(DAY.at(then).start)


def test_threads_at_midnight_never_get_a_window_of_one_day_and_the_balance_of_another() -> None:
    policy = Policy([budget()], NOW)
    wrong: list[Claim] = []

    def claim(instants: list[datetime]) -> None:
        for instant in instants:
            made = claim_of(policy, instant)
            if made.key.bucket_us != micros(made.window.start) or made.window != DAY.at(instant):
                wrong.append(made)

    days = [NOW + timedelta(days=number) for number in range(2)]
    threads = [threading.Thread(target=claim, args=(list(chain(*[days] * 500)),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_more_users_than_are_remembered_still_have_balances_of_their_own() -> None:
    policy = Policy([budget(per=("user",))], NOW)
    users = [f"u-{number}" for number in range(2500)]

    keys = {policy.claims({"user": user}, NOW, estimate(), not_asked)[0].key for user in users}

    assert keys == {BalanceKey("all", f"user={user}", micros(NOW.replace(hour=0))) for user in users}


def test_a_call_without_a_price_is_asked_about_for_each_budget() -> None:
    policy = Policy([budget("assuming"), budget("plain", per=("user",))], NOW)

    claims = policy.claims(
        {"user": "u"},
        NOW,
        None,
        lambda one, subject: estimate(4, 9) if (one.name, subject) == ("assuming", "") else None,
    )

    assert [(claim.amount_nano, claim.exposure_nano) for claim in claims] == [(4, 5), (0, 0)]


def test_all_budgets_are_listed_with_their_windows() -> None:
    policy = Policy([budget("a"), budget("b")], NOW)

    later = NOW + timedelta(days=3)
    assert policy.spans(later) == [(policy.budgets[0], DAY.at(later)), (policy.budgets[1], DAY.at(later))]


@pytest.mark.parametrize(
    ("more", "is_capped", "held"),
    [
        pytest.param({}, True, 9, id="hard-with-a-maximum-holds-the-worst"),
        pytest.param({}, False, 3, id="hard-without-a-maximum-holds-the-likely"),
        pytest.param({"on_limit": "alert"}, True, 3, id="soft-holds-the-likely"),
        pytest.param({"reserve": "worst"}, False, 9, id="as-the-budget-says-worst"),
        pytest.param({"reserve": "expected"}, True, 3, id="as-the-budget-says-expected"),
    ],
)
def test_how_much_is_held_and_what_may_come_on_top(more: dict[str, Any], is_capped: bool, held: int) -> None:
    claim = claim_of(Policy([budget(**more)], NOW), NOW, estimate(3, 9, is_capped=is_capped))

    assert (claim.amount_nano, claim.exposure_nano) == (held, 9 - held)


@pytest.mark.parametrize(
    ("unpriced", "model"),
    [("allow", None), ("refuse", None), ("assume:gpt-4o", "gpt-4o"), ("assume:openai/gpt:4o", "openai/gpt:4o")],
)
def test_a_budget_may_name_a_model_for_calls_without_a_price(unpriced: str, model: str | None) -> None:
    assert assumed_model(budget(unpriced=unpriced)) == model


def test_a_window_that_goes_on_is_not_found_anew_because_a_shorter_one_ended() -> None:
    """A limit of a minute has a new bucket each second; a month in a time zone must not be looked up with each."""
    found: list[datetime] = []

    class Watched(Calendar):
        def at(self, instant: datetime) -> Span:
            found.append(instant)
            return super().at(instant)

    policy = Policy([budget(window=Watched("month")), budget("limit", window=Rolling(timedelta(minutes=1), "1m"))], NOW)

    starts = {claim.key for second in range(5) for claim in claims_at(policy, NOW + timedelta(seconds=second))}

    assert (len(starts), found) == (6, [NOW])
    assert claims_at(policy, NOW + timedelta(days=30))[0].key.bucket_us > micros(NOW)
