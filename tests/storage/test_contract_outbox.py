"""What every store must do with marks, alerts and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from otel_llmcost.core.alert import Alert, Channel, Delivery
from otel_llmcost.core.budget import BalanceKey, Mark
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Life, Rolling
from otel_llmcost.storage.base import Store
from tests.storage.books import LEASE, NOW, USD, Books, budget, channel

LEVELS = ("warning", "critical", "exceeded")
OPS = [channel("ops", *LEVELS)]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def books(store: Store) -> Books:
    return Books(store)


def claim(books: Books, channels: Sequence[Channel] = OPS) -> list[Delivery]:
    return books.store.claim_deliveries(channels, books.now, lease=MINUTE)


def test_each_mark_is_told_once_in_its_window(books: Books) -> None:
    fired = [books.spend(usd) for usd in (7, 0.5, 0.5, 1.5, 0.4, 0.1)]

    assert fired == [[], ["warning"], [], ["critical"], [], ["exceeded"]]


def test_one_charge_may_reach_all_marks_lowest_first(books: Books) -> None:
    assert books.spend(10) == ["warning", "critical", "exceeded"]


def test_of_calls_that_are_written_together_each_tells_the_mark_that_it_reached(books: Books) -> None:
    holds = [books.reserve(2) for _ in range(5)]
    costs = [7, 1, 1, 0.6, 1]

    fired = books.store.settle(
        [books.posting(hold, cost, trace_id=f"of {cost}") for hold, cost in zip(holds, costs, strict=True)]
    )

    assert [(alert.level, alert.trace_id, alert.spent_nano) for alert in fired] == [
        ("warning", "of 1", 8 * USD),
        ("critical", "of 0.6", 96 * USD // 10),
        ("exceeded", "of 1", 106 * USD // 10),
    ]


def test_marks_are_armed_again_by_a_new_window(books: Books) -> None:
    books.spend(8)
    books.now += timedelta(days=1)

    assert books.spend(8) == ["warning"]


def test_marks_are_armed_again_by_a_reset(books: Books) -> None:
    books.spend(8)
    books.store.reset("all")

    assert books.spend(8) == ["warning"]


def test_a_reset_forgives_more_than_one_window(books: Books) -> None:
    books.spend(8)
    books.now += timedelta(days=1)
    books.spend(8)
    books.store.reset("all")

    assert books.spend(8) == ["warning"]


def test_every_subject_has_marks_of_its_own(store: Store) -> None:
    books = Books(store, [budget(per=("user",))])

    assert [books.spend(8, {"user": user}) for user in ("a", "b")] == [["warning"], ["warning"]]


def test_a_mark_of_a_rolling_window_is_told_again_only_after_its_length(store: Store) -> None:
    books = Books(store, [budget(window=Rolling(timedelta(hours=1), "1h"))])

    fired: list[list[str]] = []
    for minutes in (0, 30, 32, 30):  # each time what is older than an hour has gone
        books.now += minutes * MINUTE
        fired.append(books.spend(4))

    assert fired == [[], ["warning"], [], ["warning"]]


def test_suspected_spend_reaches_marks_too(books: Books) -> None:
    books.reserve(7)
    books.store.expire(NOW + LEASE)

    assert books.spend(0.5) == ["warning"]


def test_what_is_only_held_reaches_no_mark(books: Books) -> None:
    books.reserve(9)

    assert books.spend(0.5) == []


def test_a_lowered_limit_is_told_by_the_next_charge(store: Store) -> None:
    books = Books(store, [budget(limit="100")])
    books.spend(8)

    lowered = Books(store, [budget(limit="10")])

    assert lowered.spend(0.1) == ["warning"]


def test_a_limit_of_nothing_is_exceeded_by_the_first_charge(store: Store) -> None:
    books = Books(store, [budget(limit="0", on_limit="alert")])

    assert books.spend(0) == []
    assert books.spend(0.01) == ["warning", "critical", "exceeded"]


def test_an_alert_says_what_was_spent_of_what_when_and_by_which_call(books: Books) -> None:
    hold = books.reserve(8)

    (alert,) = books.store.settle([books.posting(hold, 8)])

    start = NOW.replace(hour=0, minute=0)
    assert alert == Alert(
        key=BalanceKey("all", "", micros(start)),
        level="warning",
        at=NOW + timedelta(seconds=1.5),
        spent_nano=8 * USD,
        limit_nano=10 * USD,
        window_start=start,
        window_end=start + timedelta(days=1),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )


def test_a_refusal_tells_the_marks_at_the_limit_once(books: Books) -> None:
    """A hard budget that refuses in time never spends its last cents."""
    books.spend(7)

    refusals = [books.store.reserve(books.hold(5)) for _ in range(3)]

    assert [refusal and refusal.told for refusal in refusals] == [("exceeded",), (), ()]
    (delivery,) = claim(books)

    assert (delivery.alert.level, delivery.alert.spent_nano, delivery.alert.requested_nano) == (
        "exceeded",
        7 * USD,
        5 * USD,
    )
    assert delivery.alert.trace_id == "0af7651916cd43dd8448eb211c80319c"


def test_an_alert_comes_back_from_the_outbox_as_it_was_fired(store: Store) -> None:
    books = Books(store, [budget("a"), budget("b", window=Life("session"), per=("user", "session"))])
    hold = books.reserve(9, {"user": "u-1", "session": "s"})

    fired = store.settle([books.posting(hold, 9)])

    assert [delivery.alert for delivery in claim(books)] == fired
    assert fired[1].window_start is None


def test_an_alert_of_another_kind_is_fired_once_too(books: Books) -> None:
    start = NOW.replace(hour=0, minute=0)
    anomaly = Alert(
        key=BalanceKey("agent=writer", "", micros(start)),
        level="anomaly",
        kind="anomaly",
        facts={"z": Decimal("3.25"), "days": 7, "text": "agent writer spent five times as much as usual"},
        at=NOW,
        spent_nano=250 * USD,
        limit_nano=105 * USD,
        window_start=start,
        window_end=start + timedelta(days=1),
    )

    assert [books.store.fire(anomaly), books.store.fire(replace(anomaly, spent_nano=1))] == [True, False]

    (delivery,) = claim(books, [channel("ops", "anomaly")])
    assert delivery.alert == anomaly


def test_kinds_of_alerts_do_not_silence_one_another(books: Books) -> None:
    start = NOW.replace(hour=0, minute=0)
    books.spend(8)

    burning = Alert(
        key=BalanceKey("all", "", micros(start)),
        level="warning",
        kind="burn_rate",
        measure="tokens",
        at=NOW,
        spent_nano=8,
        limit_nano=10,
        window_start=start,
        window_end=start + timedelta(days=1),
    )

    assert books.store.fire(burning)
    assert [delivery.alert.type for delivery in claim(books)] == ["budget.warning", "burn_rate.warning"]


def test_a_channel_gets_the_levels_it_wants_and_no_others(books: Books) -> None:
    books.spend(10)

    got = claim(books, [*OPS, channel("pager", "exceeded"), channel("silent")])

    assert sorted((delivery.channel, delivery.alert.level) for delivery in got) == [
        ("ops", "critical"),
        ("ops", "exceeded"),
        ("ops", "warning"),
        ("pager", "exceeded"),
    ]


def test_two_senders_never_get_the_same_delivery(books: Books) -> None:
    books.spend(10)

    first, second = books.store.claim_deliveries(OPS, NOW, lease=MINUTE, most=2), claim(books)

    assert len({delivery.delivery_id for delivery in (*first, *second)}) == 3
    assert claim(books) == []


def test_a_delivery_whose_sender_died_is_given_out_again_under_its_id(books: Books) -> None:
    books.spend(8)
    (first,) = claim(books)

    books.now += MINUTE
    (again,) = claim(books)

    assert (again.delivery_id, again.alert) == (first.delivery_id, first.alert)


def test_a_failed_attempt_is_tried_again_when_it_is_due(books: Books) -> None:
    books.spend(8)
    (delivery,) = claim(books)

    failed = replace(delivery, attempts=1, next_attempt_at=NOW + 5 * MINUTE, problem="connection refused")
    books.store.finish_delivery(failed)

    books.now += 4 * MINUTE
    assert claim(books) == []
    books.now += MINUTE
    assert claim(books) == [failed]
    assert books.store.pending_deliveries() == 1


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_a_delivery_that_is_over_is_given_out_no_more(books: Books, state: str) -> None:
    books.spend(8)
    (delivery,) = claim(books)

    books.store.finish_delivery(replace(delivery, attempts=1, state=state))

    books.now += timedelta(days=1)
    assert claim(books) == []
    assert books.store.pending_deliveries() == 0
    assert [delivery.state for delivery in books.store.deliveries()] == [state]


def test_deliveries_are_listed_newest_first(books: Books) -> None:
    books.spend(10)
    claim(books)

    assert [delivery.alert.level for delivery in books.store.deliveries(most=2)] == ["exceeded", "critical"]


def test_a_channel_that_is_new_is_told_of_today_not_of_all_that_ever_was(books: Books) -> None:
    books.spend(8)
    books.now += timedelta(days=2)
    books.spend(10)

    assert len(claim(books, [channel("new", *LEVELS)])) == 3


def test_a_known_channel_is_told_of_all_it_missed(books: Books) -> None:
    """Everything was down over a long weekend: nothing is lost."""
    assert claim(books) == []
    books.spend(8)
    books.now += timedelta(days=4)

    assert [delivery.alert.level for delivery in claim(books)] == ["warning"]


def test_without_channels_nothing_is_given_out(books: Books) -> None:
    books.spend(8)

    assert claim(books, []) == []
    assert [delivery.alert.level for delivery in claim(books)] == ["warning"]


def test_marks_may_have_any_name_and_share(store: Store) -> None:
    marks = (Mark("half", Decimal("0.5")), Mark("far over", Decimal("1.5")))
    books = Books(store, [budget(on_limit="alert", marks=marks)])

    assert [books.spend(usd) for usd in (5, 5, 5)] == [["half"], [], ["far over"]]
