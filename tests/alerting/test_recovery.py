"""Alerts that recover because limits were raised, or balances reset."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otel_llmcost.alerting.recovery import recovered
from otel_llmcost.core.acts import Act, Controls
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from tests.storage.books import NOW, USD, Books, budget

RAISED = Act(act_id="a-1", at=NOW, kind="raise", by="eva", budget="all", amount_nano=10 * USD)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    urls = {"memory": "memory://", "sqlite": f"sqlite://{tmp_path}/ledger.db"}
    made = open_store(urls[request.param])
    yield made
    made.close()


@pytest.fixture
def books(store: Store) -> Books:
    return Books(store)


def levels(books: Books, controls: Controls | None = None) -> list[str]:
    found = recovered(books.store, books.budgets, books.now, controls or Controls())
    return [alert.level for alert in found]


def test_nothing_recovers_by_itself(books: Books):
    books.spend(9.6)

    assert levels(books) == []


def test_a_raised_limit_lets_alerts_recover_once(books: Books):
    books.spend(9.6)

    assert levels(books, Controls(raises=(RAISED,))) == ["warning", "critical"]
    assert levels(books, Controls(raises=(RAISED,))) == []


def test_a_limit_raised_for_one_lets_only_his_alerts_recover(store: Store):
    books = Books(store, [budget(per=("user",))])
    for user in ("a", "b"):
        books.spend(8, {"user": user})

    his = Act(act_id="a-1", at=NOW, kind="raise", by="eva", budget="all", subject="user=a", amount_nano=10 * USD)
    found = recovered(store, books.budgets, books.now, Controls(raises=(his,)))

    assert [alert.key.subject for alert in found] == ["user=a"]


def test_a_higher_limit_in_the_settings_does_too(store: Store):
    Books(store).spend(8)

    assert levels(Books(store, [budget(limit="20")])) == ["warning"]


def test_a_reset_lets_alerts_recover(books: Books):
    books.spend(8)
    books.store.reset("all")

    assert levels(books) == ["warning"]


def test_a_refused_call_does_not_recover_before_there_is_room_for_it(books: Books):
    """Its mark lies above what is spent: it must not be fired and recover with every call."""
    books.spend(7)
    books.store.reserve(books.hold(5))
    more = [Act(act_id="a-1", at=NOW, kind="raise", by="eva", budget="all", amount_nano=nano * USD) for nano in (1, 2)]

    assert levels(books) == []
    assert levels(books, Controls(raises=(more[0],))) == []
    assert levels(books, Controls(raises=(more[1],))) == ["exceeded"]


def test_a_window_that_is_over_lets_nothing_recover(books: Books):
    """The next one begins in silence."""
    books.spend(8)
    books.now += timedelta(days=1)

    assert levels(books) == []


def test_a_budget_that_is_not_in_the_settings_is_left_alone(books: Books):
    books.spend(8)

    assert recovered(books.store, [budget("other")], books.now) == []
