"""What every store must do for budgets of tokens and calls, of windows that carry over, and of those with actions."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from otel_llmcost.core.actions import Action
from otel_llmcost.core.budget import Budget, Grant, Mark, Refusal
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.window import Calendar, parse_window
from tests.storage.books import DAY, NOW, USD, Books, budget, charge, unbilled

TOKENS = Usage({"input_tokens": 700, "output_tokens": 300})


def limit(measure: str, of: int, window: str = "day") -> Budget:
    return budget("l", str(of), window=parse_window(window), measure=measure, marks=(), is_rate_limit=True)


def test_tokens_are_held_as_estimated_and_booked_as_reported(store):
    books = Books(store, [limit("tokens", 2000)])

    hold = books.reserve(0, tokens=1500)
    held = books.balance("l").reserved_nano
    store.settle([books.posting(hold, 0.01, usage=TOKENS)])

    assert held == 1500
    assert books.balance("l").settled_nano == 1000
    assert books.balance("l").reserved_nano == 0


def test_calls_are_refused_beyond_their_number_whatever_they_cost(store):
    books = Books(store, [limit("requests", 2)])

    books.spend(0.001)
    books.spend(None)
    refusal = store.reserve(books.hold(0))

    assert isinstance(refusal, Refusal)
    assert refusal.held_nano == 2


def test_a_call_that_was_sent_counts_as_a_request_though_nothing_was_billed(store):
    books = Books(store, [limit("requests", 5)])

    hold = books.reserve(0)
    store.settle([unbilled(hold)])
    store.settle([unbilled(hold)])

    assert books.balance("l").settled_nano == 1


def test_a_call_that_was_given_up_before_it_was_sent_counts_as_no_request(store):
    books = Books(store, [limit("requests", 5)])

    hold = books.reserve(0)
    store.settle([replace(unbilled(hold), is_sent=False)])

    assert books.balance("l").settled_nano == 0
    assert books.balance("l").reserved_nano == 0


def test_a_call_that_ends_unbilled_after_its_time_counts_once(store):
    books = Books(store, [limit("requests", 5)])

    hold = books.reserve(0)
    store.expire(NOW + timedelta(hours=1))
    store.settle([unbilled(hold)])

    assert books.balance("l").spent_nano == 1


def test_budgets_of_all_measures_are_taken_together_or_not_at_all(store):
    books = Books(store, [budget("usd", "10"), replace(limit("tokens", 100), name="t"), limit("requests", 5)])

    refusal = store.reserve(books.hold(1, tokens=101))

    assert isinstance(refusal, Refusal)
    assert refusal.claim.key.budget == "t"
    assert [books.balance(name).held_nano for name in ("usd", "t", "l")] == [0, 0, 0]


def test_a_limit_that_rolls_forgets_bucket_by_bucket(store):
    books = Books(store, [limit("requests", 1, "1m")])

    books.spend(0.001)
    books.now = NOW + timedelta(seconds=30)
    early = store.reserve(books.hold(0))
    books.now = NOW + timedelta(seconds=62)
    late = store.reserve(books.hold(0))

    assert isinstance(early, Refusal)
    assert late is None


def carrying(most: str = "100") -> Budget:
    return budget("c", "10", carry_over=Decimal(most), marks=(Mark("half", Decimal("0.5")),))


@pytest.mark.parametrize(
    ("spent", "most", "limit_usd"),
    [
        pytest.param(4, "100", 16, id="all-that-was-left"),
        pytest.param(4, "1", 11, id="no-more-than-allowed"),
        pytest.param(10, "100", 10, id="nothing-was-left"),
    ],
)
def test_a_balance_begins_with_what_the_window_before_left(store, spent, most, limit_usd):
    books = Books(store, [carrying(most)])
    store.adopt(books.budgets, NOW)

    books.spend(spent)
    books.now = NOW + timedelta(days=1)
    books.spend(1)

    assert books.balance("c").limit_nano == limit_usd * USD


def test_nobody_having_spent_before_leaves_a_whole_window_over(store):
    books = Books(store, [carrying()])
    store.adopt(books.budgets, NOW - timedelta(days=1))

    refusal = store.reserve(books.hold(21))
    books.reserve(20)

    assert isinstance(refusal, Refusal)
    assert refusal.claim.limit_nano == 20 * USD


def test_a_new_budget_has_nothing_left_over(store):
    books = Books(store, [carrying()])
    store.adopt(books.budgets, NOW)

    refusal = store.reserve(books.hold(11))

    assert isinstance(refusal, Refusal)
    assert refusal.claim.limit_nano == 10 * USD


def test_marks_lie_higher_by_what_was_carried_over(store):
    books = Books(store, [carrying()])
    store.adopt(books.budgets, NOW - timedelta(days=1))

    assert books.spend(9) == []
    assert books.spend(1) == ["half"]


def test_whoever_reserves_is_told_what_was_spent_of_budgets_with_actions(store):
    watched = budget("w", "10", actions=(Action(share=Decimal("0.5"), level="half", cap=5),))
    books = Books(store, [budget("plain", "10"), watched])

    first = store.reserve(books.hold(2))
    books.spend(3)
    second = store.reserve(books.hold(1))

    key = books.claims(0, {})[1].key
    assert first == Grant({key: 0})
    assert second == Grant({key: 3 * USD})


def test_a_refusal_tells_what_was_spent_too(store):
    watched = budget("w", "10", actions=(Action(share=Decimal("0.5"), level="half", cap=5),))
    books = Books(store, [watched])

    books.spend(8)
    refusal = store.reserve(books.hold(3))

    assert isinstance(refusal, Refusal)
    assert refusal.watched == {books.claims(0, {})[0].key: 8 * USD}


def test_a_new_budget_counts_what_was_spent_in_its_window_already(store):
    store.settle([Books(store, []).loose(charge(NOW, tags={"agent": "writer"}))])
    store.settle([Books(store, []).loose(charge(NOW - timedelta(days=1)))])
    books = Books(store, [budget("new", "10", per=("agent",))])

    adopted = store.adopt(books.budgets, NOW)

    assert adopted == ["new"]
    (balance,) = books.balances("new")
    assert (balance.subject, balance.settled_nano, balance.calls) == ("agent=writer", USD, 1)
    assert store.adopt(books.budgets, NOW) == []


@pytest.mark.parametrize(
    ("measure", "amount"), [pytest.param("tokens", 2000, id="tokens"), pytest.param("requests", 1, id="requests")]
)
def test_a_new_limit_counts_what_was_used_already(store, measure, amount):
    store.settle([Books(store, []).loose(charge(NOW - timedelta(minutes=10)))])
    books = Books(store, [limit(measure, 5000, "1h")])

    store.adopt(books.budgets, NOW)

    assert books.balance("l").settled_nano == amount


def test_a_new_budget_of_a_session_counts_what_it_spent_today(store):
    store.settle([Books(store, []).loose(charge(NOW - timedelta(hours=1), tags={"session": "s-1"}))])
    books = Books(store, [budget("s", "10", window=parse_window("session"))])

    store.adopt(books.budgets, NOW)

    assert books.balance("s").settled_nano == USD


def test_a_budget_that_counts_otherwise_than_before_is_counted_anew(store):
    old = Books(store, [budget("b", "10", per=("agent",))])
    store.adopt(old.budgets, NOW)
    old.spend(3, {"agent": "writer"})
    new = Books(store, [budget("b", "10", window=Calendar("month"))])

    assert store.adopt(new.budgets, NOW) == ["b"]

    assert [(each.subject, each.settled_nano) for each in new.balances("b") if each.settled_nano] == [("", 3 * USD)]


def test_counting_again_adds_what_others_booked_without_knowing_of_a_budget(store):
    books = Books(store, [budget("b", "10")])
    store.adopt(books.budgets, NOW)
    books.spend(2)
    store.settle([books.loose(charge(NOW))])

    store.adopt(books.budgets, NOW, again=True)
    store.adopt(books.budgets, NOW, again=True)

    assert books.balance("b").settled_nano == 3 * USD


def test_counting_again_takes_nothing_away(store):
    books = Books(store, [budget("b", "10", unpriced="assume:m")])
    store.adopt(books.budgets, NOW)
    books.spend(None, assumed={"b": 2 * USD})

    store.adopt(books.budgets, NOW, again=True)

    assert books.balance("b").settled_nano == 2 * USD


def test_a_raised_limit_needs_no_counting(store):
    store.adopt([budget("b", "10", window=DAY)], NOW)

    assert store.adopt([budget("b", "99", window=DAY)], NOW) == []
