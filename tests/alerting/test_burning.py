"""Budgets that will not last are told of, once per window, by what the ledger says of the last hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from otel_llmcost.alerting.burning import watch_burns
from otel_llmcost.core.acts import Act, in_force
from otel_llmcost.core.alert import Alert
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.window import parse_window
from otel_llmcost.storage.memory import MemoryStore
from tests.storage.books import NOW, USD, Books, budget

MINUTE = timedelta(minutes=1)


def watched(books: Books, *acts: Act) -> list[Alert]:
    books.now = NOW
    return watch_burns(books.store, Policy(books.budgets, NOW, in_force(acts, NOW)), NOW)


def spend_all_along(books: Books, usd: float, **tags: Any) -> None:
    """Spend so much in each of the last 60 minutes."""
    for minute in range(60):
        books.now = NOW - minute * MINUTE
        books.store.settle([books.posting(books.reserve(usd, tags), usd, tags=tags)])


def test_a_budget_that_will_be_gone_before_its_window_ends_is_told_with_the_instant() -> None:
    books = Books(MemoryStore(), [budget("day", "10")])
    spend_all_along(books, 0.05)

    (alert,) = watched(books)

    assert (alert.type, alert.key.budget, alert.spent_nano) == ("burn_rate.fast", "day", 3 * USD)
    assert alert.facts["gone_at"] == "2026-11-22T12:50:00Z"
    assert "spends $3.00 an hour: at this pace it is gone on Sunday, November 22, 12:50 UTC" in str(alert.facts["text"])


def test_it_is_told_once_in_a_window() -> None:
    books = Books(MemoryStore(), [budget("day", "10")])
    spend_all_along(books, 0.05)

    assert len(watched(books)) == 1
    assert watched(books) == []


def test_each_balance_has_a_pace_of_its_own() -> None:
    books = Books(MemoryStore(), [budget("each", "10", per=("user",))])
    spend_all_along(books, 0.05, user="u-1")
    spend_all_along(books, 0.001, user="u-2")

    (alert,) = watched(books)

    assert alert.key.subject == "user=u-1"
    assert "of user=u-1" in str(alert.facts["text"])


def test_a_raise_may_make_it_last() -> None:
    books = Books(MemoryStore(), [budget("day", "10")])
    spend_all_along(books, 0.05)
    lift = Act(act_id="a", at=NOW, kind="raise", by="ann", budget="day", amount_nano=100 * USD)

    assert watched(books, lift) == []


@pytest.mark.parametrize(
    "what",
    [
        pytest.param({"window": parse_window("24h")}, id="a-window-that-rolls"),
        pytest.param({"window": parse_window("session")}, id="a-session"),
        pytest.param({"measure": "requests"}, id="no-money"),
        pytest.param({"is_rate_limit": True}, id="a-rate-limit"),
    ],
)
def test_what_has_no_end_to_be_gone_before_is_not_looked_at(what: dict[str, object]) -> None:
    books = Books(MemoryStore(), [budget("b", "100", **what)])
    spend_all_along(books, 0.05, session="s-1")

    assert watched(books) == []


def test_a_budget_nobody_used_is_not_told() -> None:
    assert watched(Books(MemoryStore(), [budget("day", "10")])) == []
