"""What every store must do with calls that nothing was held for: book them once, whoever asks how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.window import Rolling
from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Booking, Store
from otel_llmcost.storage.memory import MemoryStore
from tests.storage.books import LEASE, NOW, USD, Books, budget, channel, charge

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def books(booking_store: Store) -> Books:
    return Books(booking_store)


def bookings(books: Books, usd: float, tags: Tags | None = None, **more: Any) -> list[Booking]:
    """Make one for each budget that such calls count on."""
    facts = {"calls": 1, "at": books.now, "trace_id": TRACE, **more}
    claims = books.policy.claims(tags or {}, books.now, None, lambda _budget, _subject: None)
    return [Booking(claim=claim, amount_nano=int(usd * USD), **facts) for claim in claims]


def test_what_is_booked_stands_on_the_balance(books: Books) -> None:
    """All of it is overrun, since nothing was held: the stated bound must hold for it too."""
    books.store.book("c-1", bookings(books, 4, calls=3, unpriced=1))

    balance = books.balance()
    assert (balance.settled_nano, balance.reserved_nano, balance.overrun_nano) == (4 * USD, 0, 4 * USD)
    assert (balance.calls, balance.unpriced) == (3, 1)


def test_a_commit_is_booked_once_however_often_it_is_handed_in(books: Books) -> None:
    for _ in range(3):
        books.store.book("c-1", bookings(books, 4))

    assert (books.balance().settled_nano, books.balance().calls) == (4 * USD, 1)


def test_another_commit_is_booked_beside_it(books: Books) -> None:
    books.store.book("c-1", bookings(books, 4))
    books.store.book("c-2", bookings(books, 1))

    assert books.balance().settled_nano == 5 * USD


def test_nothing_to_book_is_no_fault(books: Books) -> None:
    assert books.store.book("c-1", []) == []


def test_what_is_taken_back_comes_off(books: Books) -> None:
    books.store.book("c-1", bookings(books, 4))
    books.store.book("c-2", bookings(books, -1.5, calls=0))

    balance = books.balance()
    assert (balance.settled_nano, balance.overrun_nano, balance.calls) == (2.5 * USD, 4 * USD, 1)


def test_it_leaves_less_for_calls_that_ask_before(books: Books) -> None:
    books.store.book("c-1", bookings(books, 8))

    refusal = books.store.reserve(books.hold(3))

    assert refusal is not None
    assert refusal.held_nano == 8 * USD


def test_it_is_added_to_what_calls_spent_and_hold(books: Books) -> None:
    books.spend(1)
    books.reserve(2)

    books.store.book("c-1", bookings(books, 3))

    balance = books.balance()
    assert (balance.settled_nano, balance.reserved_nano, balance.calls) == (4 * USD, 2 * USD, 2)


def test_each_mark_reached_is_told_once_by_the_calls_that_reached_it(books: Books) -> None:
    first = books.store.book("c-1", bookings(books, 8))
    again = books.store.book("c-1", bookings(books, 8))
    second = books.store.book("c-2", bookings(books, 2))

    assert [[alert.level for alert in each] for each in (first, again, second)] == [
        ["warning"],
        [],
        ["critical", "exceeded"],
    ]
    (alert,) = first
    assert (alert.spent_nano, alert.limit_nano, alert.at, alert.trace_id) == (8 * USD, 10 * USD, NOW, TRACE)


def test_its_alerts_are_in_the_outbox(books: Books) -> None:
    books.store.book("c-1", bookings(books, 8))

    (delivery,) = books.store.claim_deliveries([channel("ops", "warning")], NOW, lease=LEASE)
    assert (delivery.alert.level, delivery.alert.spent_nano) == ("warning", 8 * USD)


def test_what_is_taken_back_tells_nothing_anew(books: Books) -> None:
    books.store.book("c-1", bookings(books, 8))

    assert books.store.book("c-2", bookings(books, -8)) == []


def test_many_balances_are_booked_in_one_commit(books: Books) -> None:
    books = Books(books.store, [budget(), budget("users", per=("user",)), budget("calls", "5", measure="requests")])
    commit = [*bookings(books, 1, {"user": "u-1"}), bookings(books, 2, {"user": "u-2"})[1]]

    books.store.book("c-1", commit)
    books.store.book("c-1", commit)

    assert {balance.subject: balance.settled_nano for balance in books.balances("users")} == {
        "user=u-1": USD,
        "user=u-2": 2 * USD,
    }
    assert books.balance("calls").settled_nano == USD


def test_a_rolling_balance_counts_what_was_booked_in_each_of_its_buckets(books: Books) -> None:
    books = Books(books.store, [budget(window=Rolling(timedelta(hours=1), "1h"))])
    late = bookings(books, 1)
    books.now += timedelta(minutes=30)

    books.store.book("c-1", [*late, *bookings(books, 2)])
    books.store.book("c-1", [*late, *bookings(books, 2)])

    assert books.balance().settled_nano == 3 * USD
    books.now += timedelta(minutes=45)
    assert books.balance().settled_nano == 2 * USD


def test_a_balance_that_begins_takes_over_what_was_left(books: Books) -> None:
    kept = [budget(carry_over=budget().limit)]
    books.store.adopt(kept, NOW - timedelta(days=2))
    books = Books(books.store, kept)
    books.now -= timedelta(days=1)
    books.store.book("c-1", bookings(books, 4))
    books.now += timedelta(days=1)

    books.store.book("c-2", bookings(books, 1))

    balance = books.balance()
    assert (balance.carried_nano, balance.limit_nano, balance.settled_nano) == (6 * USD, 16 * USD, USD)


def test_amounts_of_two_bookings_on_one_balance_add_up(books: Books) -> None:
    books.store.book("c-1", [*bookings(books, 1), *bookings(books, 2)])

    assert (books.balance().settled_nano, books.balance().calls) == (3 * USD, 2)


@pytest.mark.parametrize("url", ["url_of_redis", "url_of_a_cluster"])
def test_what_no_calls_come_to_is_not_booked(url: str, request: pytest.FixtureRequest) -> None:
    """Sums of 64 bits would overflow."""
    store = open_store(request.getfixturevalue(url))

    with pytest.raises(UnstorableError):
        store.book("c-1", bookings(Books(store), 2_000_000_000))

    store.close()


def test_behind_a_server_the_server_books(url_of_a_served_store: str) -> None:
    store = open_store(url_of_a_served_store)

    with pytest.raises(StoreError, match="itself"):
        store.book("c-1", bookings(Books(store), 1))

    store.close()


def test_a_new_budget_can_count_from_the_ledger_of_whoever_books(books: Books) -> None:
    """A collector keeps one of its own, and the store sees sums alone."""
    elsewhere = MemoryStore()
    Books(elsewhere, []).store.settle([Books(elsewhere).loose(charge(cost_nano=3 * USD))])

    adopted = books.store.adopt(books.budgets, NOW, totals=elsewhere.totals)
    books.store.adopt(books.budgets, NOW, again=True, totals=elsewhere.totals)

    assert adopted == ["all"]
    assert (books.balance().settled_nano, books.balance().calls) == (3 * USD, 1)


def test_behind_a_server_the_servers_ledger_counts(url_of_a_served_store: str) -> None:
    store = open_store(url_of_a_served_store)

    with pytest.raises(StoreError, match="of its own"):
        store.adopt([budget()], NOW, totals=MemoryStore().totals)

    store.close()
