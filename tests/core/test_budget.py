"""Budgets: whose they are, what fits, and how they will end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.attribution import Dimension, Scope
from otel_llmcost.core.budget import Balance, BalanceKey, Budget, Claim, projected, projection, status
from otel_llmcost.core.window import Calendar, Life

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
HALF = datetime(2026, 11, 16, tzinfo=UTC)
USD = 1_000_000_000
AMOUNTS = st.integers(0, 20)


def balance(**amounts: int) -> Balance:
    return Balance(budget="all", subject="", limit_nano=10 * USD, window_start=START, window_end=END, **amounts)


def claim(amount_nano: int, *, refuses: bool = True) -> Claim:
    return Claim(
        key=BalanceKey("all", "", 0),
        from_us=0,
        window=Calendar("month").at(START),
        limit_nano=10 * USD,
        refuses=refuses,
        amount_nano=amount_nano,
    )


@pytest.mark.parametrize(
    ("held", "amount", "fits"),
    [(0, 10 * USD, True), (0, 10 * USD + 1, False), (10 * USD, 0, True), (10 * USD + 1, 0, False), (4, 6, True)],
)
def test_a_claim_fits_up_to_the_last_nano_of_the_limit(held: int, amount: int, fits: bool) -> None:
    assert claim(amount).fits(held) is fits


@given(AMOUNTS, AMOUNTS)
def test_a_budget_that_only_alerts_is_never_too_small(held: int, amount: int) -> None:
    assert claim(amount * USD, refuses=False).fits(held * USD)


@given(st.lists(AMOUNTS, max_size=20))
def test_claims_that_fit_one_after_another_never_pass_the_limit(amounts: list[int]) -> None:
    held = 0
    for amount in amounts:
        if claim(amount * USD).fits(held):
            held += amount * USD

    assert held <= 10 * USD


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_what_is_held_and_what_remains_add_up_to_the_limit_or_above(
    settled: int, suspected: int, reserved: int
) -> None:
    one = balance(settled_nano=settled * USD, suspected_nano=suspected * USD, reserved_nano=reserved * USD)

    assert one.held_nano + one.remaining_nano == max(one.limit_nano, one.held_nano)
    assert one.spent_nano == one.held_nano - one.reserved_nano


def test_the_share_is_of_what_is_spent_not_of_what_is_held() -> None:
    assert balance(settled_nano=2 * USD, suspected_nano=USD, reserved_nano=5 * USD).share == Decimal("0.3")


@pytest.mark.parametrize(("spent", "share"), [(0, 0), (1, 1)])
def test_a_limit_of_nothing_is_full_with_the_first_nano(spent: int, share: int) -> None:
    empty = Balance(budget="none", subject="", limit_nano=0, window_start=START, window_end=END, settled_nano=spent)

    assert empty.share == share


@pytest.mark.parametrize(
    ("budget", "tags", "subject"),
    [
        pytest.param(Budget(name="all", limit=Decimal(1), window=Calendar("day")), {"user": "u"}, "", id="all"),
        pytest.param(
            Budget(name="per", limit=Decimal(1), window=Calendar("day"), per=("user",)),
            {"user": "u"},
            "user=u",
            id="per",
        ),
        pytest.param(
            Budget(name="per", limit=Decimal(1), window=Calendar("day"), per=("user",)), {}, None, id="nobody-known"
        ),
        pytest.param(
            Budget(name="scoped", limit=Decimal(1), window=Calendar("day"), scope=Scope({"team": ("a",)})),
            {"team": "b"},
            None,
            id="out-of-scope",
        ),
        pytest.param(
            Budget(name="session", limit=Decimal(1), window=Life("session")),
            {"session": "s"},
            "session=s",
            id="a-session-is-part-of-the-subject",
        ),
        pytest.param(
            Budget(name="session", limit=Decimal(1), window=Life("session"), per=("user", "session")),
            {"session": "s", "user": "u"},
            "user=u,session=s",
            id="once",
        ),
        pytest.param(
            Budget(name="session", limit=Decimal(1), window=Life("session")), {}, None, id="no-session-no-balance"
        ),
    ],
)
def test_a_budget_names_the_balance_of_a_call(budget: Budget, tags: dict[Dimension, str], subject: str | None) -> None:
    assert budget.subject(tags) == subject


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(START, 6, id="before-any-time-has-passed"),
        pytest.param(START - timedelta(days=1), 6, id="before-the-window"),
        pytest.param(HALF, 12, id="half-way"),
        pytest.param(END, 6, id="at-the-end"),
        pytest.param(END + timedelta(days=9), 6, id="after-the-end"),
    ],
)
def test_the_pace_so_far_is_carried_on_to_the_end(now: datetime, expected: int) -> None:
    assert projected(Decimal(6), START, END, now) == expected


@pytest.mark.parametrize(
    ("spent", "expected"), [(0, "on_track"), (5, "on_track"), (5.1, "at_risk"), (10, "at_risk"), (10.1, "over")]
)
def test_the_status_tells_how_a_budget_will_end(spent: float, expected: str) -> None:
    assert status(balance(settled_nano=int(spent * USD)), HALF) == expected


def test_a_window_without_an_end_projects_what_is_spent() -> None:
    rolling = Balance(
        budget="all", subject="", limit_nano=10 * USD, window_start=START, window_end=None, settled_nano=9 * USD
    )

    assert projection(rolling, HALF) == 9
    assert status(rolling, HALF) == "on_track"
