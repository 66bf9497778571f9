"""What every store must do with balances and reservations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from otel_llmcost.core.window import Life, Rolling, Window
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import Store
from tests.storage.books import DAY, LEASE, NOW, USD, Books, budget, channel, unbilled


@pytest.fixture
def books(store: Store) -> Books:
    return Books(store)


def test_a_call_that_fits_is_held(books: Books) -> None:
    books.reserve(4, exposure_usd=2)

    balance = books.balance()
    assert (balance.reserved_nano, balance.exposure_nano, balance.settled_nano) == (4 * USD, 2 * USD, 0)
    assert books.store.open_reservations() == 1


def test_the_last_cent_may_be_held(books: Books) -> None:
    books.reserve(10)

    assert books.balance().remaining_nano == 0


def test_a_call_that_does_not_fit_is_refused_with_what_is_held(books: Books) -> None:
    books.spend(3)
    books.reserve(4)

    refusal = books.store.reserve(books.hold(3.5))

    assert refusal is not None
    assert (refusal.claim.key.budget, refusal.held_nano, refusal.spent_nano) == ("all", 7 * USD, 3 * USD)
    balance = books.balance()
    assert (balance.refused, balance.reserved_nano, books.store.open_reservations()) == (1, 4 * USD, 1)


def test_a_refusal_by_one_budget_takes_nothing_of_the_others(store: Store) -> None:
    books = Books(store, [budget("first"), budget("narrow", "1"), budget("last")])

    refusal = store.reserve(books.hold(2, exposure_usd=1))

    assert refusal is not None
    assert refusal.claim.key.budget == "narrow"
    for name in ("first", "narrow", "last"):
        balance = books.balance(name)
        assert (balance.reserved_nano, balance.exposure_nano) == (0, 0)
    assert [books.balance(name).refused for name in ("first", "narrow", "last")] == [0, 1, 0]


def test_a_refusal_that_is_not_to_be_told_is_neither_counted_nor_alerted(books: Books) -> None:
    assert books.store.reserve(books.hold(11), tell=False) is not None

    assert books.balance().refused == 0
    assert books.store.claim_deliveries([channel("ops", "exceeded")], NOW, lease=LEASE) == []


def test_a_budget_that_only_alerts_refuses_nothing(store: Store) -> None:
    books = Books(store, [budget(on_limit="alert")])

    books.reserve(11)

    assert books.balance().reserved_nano == 11 * USD


def test_taking_a_reservation_twice_takes_it_once(books: Books) -> None:
    hold = books.reserve(6)

    assert books.store.reserve(hold) is None

    assert books.balance().reserved_nano == 6 * USD


def test_a_call_without_budgets_needs_no_reservation(store: Store) -> None:
    books = Books(store, [])

    books.spend(1)

    assert store.open_reservations() == 0
    assert [charge.cost_nano for charge in store.charges(NOW, NOW + LEASE)] == [USD]


def test_what_was_held_and_not_spent_is_given_back(books: Books) -> None:
    hold = books.reserve(4, exposure_usd=2)

    books.store.settle([books.posting(hold, 3)])

    balance = books.balance()
    assert (balance.settled_nano, balance.reserved_nano, balance.exposure_nano) == (3 * USD, 0, 0)
    assert (balance.calls, balance.overrun_nano, books.store.open_reservations()) == (1, 0, 0)


def test_what_cost_more_than_was_held_is_booked_whole_and_told_as_overrun(books: Books) -> None:
    hold = books.reserve(4)

    books.store.settle([books.posting(hold, 11)])

    balance = books.balance()
    assert (balance.settled_nano, balance.overrun_nano) == (11 * USD, 7 * USD)
    assert balance.held_nano <= balance.limit_nano + balance.bound_nano


def test_a_call_that_was_not_billed_leaves_no_trace(books: Books) -> None:
    hold = books.reserve(4, exposure_usd=1)

    assert books.store.settle([unbilled(hold)]) == []

    balance = books.balance()
    assert (balance.held_nano, balance.exposure_nano, balance.calls) == (0, 0, 0)
    assert list(books.store.charges(NOW, NOW + LEASE)) == []


def test_calls_that_are_written_together_each_end_in_their_own_way(books: Books) -> None:
    holds = [books.reserve(1, exposure_usd=1) for _ in range(5)]
    books.store.expire(NOW + LEASE)
    books.store.renew([hold.reservation_id for hold in holds[:3]], NOW + 2 * LEASE)
    known = books.posting(holds[4], 0.5)
    books.store.settle([known])

    books.store.settle(
        [
            books.posting(holds[0], 0.5),
            books.posting(holds[1], 3),
            unbilled(holds[2]),
            books.posting(holds[3], 0.25, status="suspected"),
            known,
            books.posting(books.hold(1), 2),
        ]
    )

    balance = books.balance()
    assert (balance.settled_nano, balance.suspected_nano) == (6 * USD, USD // 4)
    assert (balance.reserved_nano, balance.exposure_nano, balance.overrun_nano) == (0, 0, 4 * USD)
    assert (balance.calls, books.store.open_reservations()) == (5, 0)


def test_a_charge_is_booked_once_however_often_it_is_posted(books: Books) -> None:
    posting = books.posting(books.reserve(4), 3)

    books.store.settle([posting, posting])
    books.store.settle([posting])

    balance = books.balance()
    assert (balance.settled_nano, balance.calls, balance.overrun_nano) == (3 * USD, 1, 0)


def test_a_charge_that_came_another_way_still_gives_the_reservation_back(books: Books) -> None:
    """The collector may have booked the span before the process that made the call did."""
    hold = books.reserve(4)
    posting = books.posting(hold, 3)
    books.store.settle([replace(posting, reservation_id="of nobody", claims=())])

    books.store.settle([posting])

    balance = books.balance()
    assert (balance.reserved_nano, balance.settled_nano, books.store.open_reservations()) == (0, 0, 0)


def test_a_charge_without_a_reservation_is_overrun(books: Books) -> None:
    """While a store is down calls go through unheld: the stated bound must still tell the truth."""
    books.store.settle([books.posting(books.hold(4), 3)])

    balance = books.balance()
    assert (balance.settled_nano, balance.reserved_nano, balance.overrun_nano) == (3 * USD, 0, 3 * USD)


def test_a_charge_nobody_confirmed_is_suspected(books: Books) -> None:
    books.spend(3, status="suspected")

    balance = books.balance()
    assert (balance.suspected_nano, balance.settled_nano, balance.spent_nano) == (3 * USD, 0, 3 * USD)


def test_a_charge_without_a_price_counts_as_unpriced_at_what_is_assumed(store: Store) -> None:
    books = Books(store, [budget("assuming"), budget("plain")])

    books.spend(None, assumed={"assuming": 2 * USD}, status="unpriced")

    assuming, plain = books.balance("assuming"), books.balance("plain")
    assert (assuming.settled_nano, assuming.unpriced, assuming.overrun_nano) == (2 * USD, 1, 2 * USD)
    assert (plain.settled_nano, plain.unpriced, plain.calls) == (0, 1, 1)


def test_every_subject_has_a_balance_of_its_own(store: Store) -> None:
    books = Books(store, [budget(per=("user",))])

    books.spend(2, {"user": "a"})
    books.spend(9, {"user": "b"})

    assert [(balance.subject, balance.settled_nano) for balance in books.balances("all")] == [
        ("user=b", 9 * USD),
        ("user=a", 2 * USD),
    ]


def test_only_so_many_balances_are_read_as_are_asked_for(store: Store) -> None:
    books = Books(store, [budget(per=("user",))])
    for number in range(5):
        books.spend(number + 1, {"user": f"u-{number}"})

    found = store.balances([(books.budgets[0], books.budgets[0].window.at(NOW))], most=2)

    assert [balance.subject for balance in found] == ["user=u-4", "user=u-3"]


def test_a_budget_nobody_used_has_a_balance_of_nothing(books: Books) -> None:
    balance = books.balance()

    assert (balance.limit_nano, balance.held_nano, balance.calls) == (10 * USD, 0, 0)
    assert (balance.window_start, balance.window_end) == (
        NOW.replace(hour=0, minute=0),
        NOW.replace(hour=0, minute=0, day=23),
    )


def test_a_new_day_begins_with_nothing_spent(books: Books) -> None:
    books.spend(9)
    books.now += timedelta(days=1)

    books.reserve(10)

    assert (books.balance().settled_nano, books.balance().reserved_nano) == (0, 10 * USD)


def test_a_call_over_midnight_is_settled_on_the_day_it_was_held_on(books: Books) -> None:
    hold = books.reserve(4)
    posting = books.posting(hold, 4, duration_seconds=86_400.0)
    books.now += timedelta(days=1)

    books.store.settle([posting])

    assert books.balance().held_nano == 0
    books.now = NOW
    assert (books.balance().settled_nano, books.balance().reserved_nano) == (4 * USD, 0)


def test_a_rolling_window_forgets_bucket_by_bucket(store: Store) -> None:
    books = Books(store, [budget(window=Rolling(timedelta(hours=1), "1h"))])
    books.spend(4)
    books.now += timedelta(minutes=30)
    books.spend(5)

    assert store.reserve(books.hold(2)) is not None
    books.now += timedelta(minutes=31, seconds=30)
    books.reserve(2)

    assert (books.balance().settled_nano, books.balance().reserved_nano) == (5 * USD, 2 * USD)


def test_a_session_keeps_its_balance_from_day_to_day(store: Store) -> None:
    books = Books(store, [budget(window=Life("session"))])
    books.spend(6, {"session": "s-1"})
    books.now += timedelta(days=3)

    assert store.reserve(books.hold(5, {"session": "s-1"})) is not None
    books.reserve(5, {"session": "s-2"})

    balance = books.balances("all")[0]
    assert (balance.subject, balance.window_start, balance.window_end) == ("session=s-1", None, None)


def test_a_reservation_past_its_time_is_suspected_not_given_back(books: Books) -> None:
    books.reserve(4, exposure_usd=2)

    assert books.store.expire(NOW + LEASE - timedelta(seconds=1)) == 0
    assert books.store.expire(NOW + LEASE) == 1
    assert books.store.expire(NOW + LEASE) == 0

    balance = books.balance()
    assert (balance.reserved_nano, balance.suspected_nano, balance.exposure_nano) == (0, 4 * USD, 0)
    assert books.store.open_reservations() == 0


def test_a_late_settlement_takes_the_suspicion_back(books: Books) -> None:
    hold = books.reserve(4)
    books.store.expire(NOW + LEASE)

    books.store.settle([books.posting(hold, 3)])

    balance = books.balance()
    assert (balance.suspected_nano, balance.settled_nano, balance.reserved_nano) == (0, 3 * USD, 0)
    assert balance.overrun_nano == 0


def test_a_late_release_takes_the_suspicion_back(books: Books) -> None:
    hold = books.reserve(4)
    books.store.expire(NOW + LEASE)

    books.store.settle([unbilled(hold)])

    assert books.balance().held_nano == 0


def test_a_renewed_reservation_does_not_expire(books: Books) -> None:
    hold = books.reserve(4)

    books.store.renew([hold.reservation_id], NOW + 2 * LEASE)
    books.store.renew([hold.reservation_id], NOW)  # never sooner than was granted

    assert books.store.expire(NOW + LEASE) == 0
    assert books.store.expire(NOW + 2 * LEASE) == 1


def test_a_call_that_was_given_up_and_still_lives_is_held_again(books: Books) -> None:
    """A laptop that slept for an hour finds its stream expired by another process."""
    hold = books.reserve(4, exposure_usd=1)
    books.store.expire(NOW + LEASE)

    books.store.renew([hold.reservation_id, "unknown"], NOW + 2 * LEASE)

    balance = books.balance()
    assert (balance.reserved_nano, balance.suspected_nano, balance.exposure_nano) == (4 * USD, 0, USD)
    assert books.store.open_reservations() == 1


def test_a_reset_forgives_what_was_spent_and_keeps_what_is_under_way(books: Books) -> None:
    books.spend(3)
    books.spend(1, status="suspected")
    books.reserve(2)

    assert books.store.reset("all") == 1

    balance = books.balance()
    assert (balance.settled_nano, balance.suspected_nano, balance.reserved_nano) == (0, 0, 2 * USD)


def test_a_reset_of_one_subject_leaves_the_others(store: Store) -> None:
    books = Books(store, [budget(per=("user",)), budget("other")])
    for user in ("a", "b"):
        books.spend(3, {"user": user})

    assert store.reset("all", "user=a") == 1

    assert [balance.settled_nano for balance in books.balances("all")] == [3 * USD, 0]
    assert books.balance("other").settled_nano == 6 * USD


def test_a_call_that_expired_before_a_reset_does_not_push_the_balance_below_nothing(books: Books) -> None:
    hold = books.reserve(4)
    books.store.expire(NOW + LEASE)
    books.store.reset("all")

    books.store.settle([books.posting(hold, 3)])

    balance = books.balance()
    assert (balance.suspected_nano, balance.settled_nano) == (0, 3 * USD)


def test_a_clock_that_jumps_back_an_hour_gives_nothing_free(books: Books) -> None:
    books.spend(6)
    books.now -= timedelta(hours=1)

    assert books.store.reserve(books.hold(5)) is not None
    books.reserve(4)

    assert books.balance().held_nano == 10 * USD


def test_a_clock_that_jumps_back_over_midnight_finds_yesterday_as_it_was(books: Books) -> None:
    books.spend(6)
    books.now -= timedelta(days=1)
    books.spend(7)

    assert books.balance().settled_nano == 7 * USD
    books.now = NOW
    assert books.balance().settled_nano == 6 * USD


def test_a_clock_that_jumps_back_in_a_rolling_window_still_counts_what_came_after(store: Store) -> None:
    books = Books(store, [budget(window=Rolling(timedelta(hours=24), "24h"))])
    books.spend(6)
    books.now -= timedelta(hours=1)

    assert store.reserve(books.hold(5)) is not None


@pytest.mark.parametrize(
    ("window", "kept_days"),
    [
        pytest.param(Rolling(timedelta(hours=1), "1h"), 1, id="rolling-buckets-go-when-they-count-no-more"),
        pytest.param(DAY, 400, id="days-stay-for-a-comparison-with-last-year"),
        pytest.param(Life("session"), 400, id="sessions-stay-a-year"),
    ],
)
def test_balances_of_long_ago_are_forgotten(store: Store, window: Window, kept_days: int) -> None:
    books = Books(store, [budget(window=window)])
    books.spend(6, {"session": "s-1"})

    store.expire(NOW + timedelta(days=kept_days - 1))
    assert books.balances("all")[0].settled_nano == 6 * USD
    store.expire(NOW + timedelta(days=kept_days + 2))
    assert books.balances("all")[0].settled_nano == 0


def test_a_closed_store_says_so(books: Books) -> None:
    books.spend(1)
    books.store.close()

    with pytest.raises(StoreError, match="closed"):
        books.reserve(1)
    with pytest.raises(StoreError, match="closed"):
        books.balance()


def test_what_was_learned_is_kept_by_key(store: Store) -> None:
    store.learn({"gpt-4o": (1.1, 250.0), "claude": (0.9,)})
    store.learn({"gpt-4o": (1.2, 260.0)})

    assert store.learned() == {"gpt-4o": (1.2, 260.0), "claude": (0.9,)}
