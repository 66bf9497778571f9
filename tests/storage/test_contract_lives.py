"""What every store must do with an alert once it is fired: remind, hand on, acknowledge, recover, hold back, group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import time, timedelta
from threading import Barrier
from typing import Any

import pytest

from otel_llmcost.core.alert import Channel, Delivery, Quiet
from otel_llmcost.core.lifecycle import STALE
from otel_llmcost.core.window import Rolling
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.outbox import MOST_AT_ONCE, MOST_IN_GROUP
from tests.storage.books import NOW, Books, budget, channel

LEVELS = ("warning", "critical", "exceeded")
OPS = channel("ops", *LEVELS)
BOSS = channel("boss")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def books(store: Store) -> Books:
    return Books(store)


def ops(**rules: Any) -> Channel:
    return channel("ops", *LEVELS, **rules)


def deliver(books: Books, channels: Sequence[Channel] = (OPS,)) -> list[tuple[str, str, str]]:
    """Deliver what is due; return channel, level and news of each."""
    got: list[tuple[str, str, str]] = []
    while taken := books.store.claim_deliveries(channels, books.now, lease=MINUTE):
        for each in taken:
            arrive(books, each)
            got.append((each.channel, each.alert.level, each.news))
    return got


def arrive(books: Books, delivery: Delivery, state: str = "delivered") -> None:
    books.store.finish_delivery(replace(delivery, attempts=1, state=state, next_attempt_at=books.now))


def the_id(books: Books) -> str:
    return books.store.alerts()[0].alert.alert_id


def test_an_open_alert_is_reminded_of_again_and_again(books: Books) -> None:
    books.spend(8)
    got: list[list[tuple[str, str, str]]] = []

    for minutes in (0, 30, 30, 30, 30):
        books.now += minutes * MINUTE
        got.append(deliver(books, [ops(remind_every=HOUR)]))

    reminder = ("ops", "warning", "reminded")
    assert got == [[("ops", "warning", "fired")], [], [reminder], [], [reminder]]


def test_of_two_processes_one_reminds(books: Books) -> None:
    books.spend(8)
    rules = [ops(remind_every=HOUR)]
    deliver(books, rules)
    books.now += HOUR

    taken = [books.store.claim_deliveries(rules, books.now, lease=MINUTE) for _ in range(2)]

    assert [len(each) for each in taken] == [1, 0]


def test_of_many_processes_at_once_one_reminds(open_file: Callable[..., Store]) -> None:
    books = Books(open_file(), [budget(per=("user",))])
    for number in range(20):
        books.spend(8, {"user": f"u-{number}"})
    rules = [ops(remind_every=HOUR)]
    deliver(books, rules)
    start = Barrier(4)

    def remind() -> list[str]:
        mine = Books(open_file(), now=NOW + HOUR)
        start.wait()
        return reminded(mine, rules)

    with ThreadPoolExecutor(4) as processes:
        got = [subject for each in [processes.submit(remind) for _ in range(4)] for subject in each.result()]

    assert sorted(got) == sorted(f"user=u-{number}" for number in range(20))


def reminded(books: Books, rules: Sequence[Channel]) -> list[str]:
    got: list[str] = []
    while taken := books.store.claim_deliveries(rules, books.now, lease=MINUTE, most=3):
        for each in taken:
            arrive(books, each)
            got.append(each.alert.key.subject)
    return got


def test_what_nobody_acknowledges_is_handed_on_to_a_channel_that_wants_no_level(books: Books) -> None:
    books.spend(8)
    channels = [ops(escalate_to="boss", escalate_after=15 * MINUTE), BOSS]

    at_first = deliver(books, channels)
    books.now += 15 * MINUTE
    later = deliver(books, channels)
    books.now += HOUR

    assert at_first == [("ops", "warning", "fired")]
    assert later == [("boss", "warning", "escalated")]
    assert deliver(books, channels) == []


def test_escalation_goes_from_channel_to_channel(books: Books) -> None:
    books.spend(8)
    channels = [
        ops(escalate_to="boss", escalate_after=15 * MINUTE),
        channel("boss", escalate_to="owner", escalate_after=30 * MINUTE),
        channel("owner"),
    ]
    got: list[tuple[str, str, str]] = []

    for minutes in (0, 15, 29, 1):
        books.now += minutes * MINUTE
        got += deliver(books, channels)

    assert [name for name, _, _ in got] == ["ops", "boss", "owner"]


def test_an_acknowledgement_ends_reminders_and_is_told(books: Books) -> None:
    books.spend(8)
    channels = [ops(remind_every=HOUR, escalate_to="boss"), BOSS]
    deliver(books, channels)

    assert books.store.acknowledge(the_id(books), "eva", books.now)

    (told,) = books.store.claim_deliveries(channels, books.now, lease=MINUTE)
    assert (told.news, told.by) == ("acknowledged", "eva")
    books.now += 3 * HOUR
    assert [each.news for each in books.store.claim_deliveries(channels, books.now, lease=MINUTE)] == ["acknowledged"]


def test_a_reminder_that_is_still_under_way_is_taken_back(books: Books) -> None:
    books.spend(8)
    rules = [ops(remind_every=HOUR)]
    deliver(books, rules)
    books.now += HOUR
    (reminder,) = books.store.claim_deliveries(rules, books.now, lease=MINUTE)
    books.store.finish_delivery(replace(reminder, attempts=1, next_attempt_at=books.now + HOUR))

    books.store.acknowledge(the_id(books), "eva", books.now)

    assert deliver(books, rules) == [("ops", "warning", "acknowledged")]
    assert {each.delivery_id: each.state for each in books.store.deliveries()}[reminder.delivery_id] == "closed"


def test_an_alert_is_acknowledged_once(books: Books) -> None:
    books.spend(8)

    said = [books.store.acknowledge(the_id(books), by, books.now) for by in ("eva", "tom")]

    (fired,) = books.store.alerts()
    assert said == [True, False]
    assert (fired.acknowledged_by, fired.acknowledged_at, fired.state(books.now)) == ("eva", NOW, "acknowledged")
    assert not books.store.acknowledge("nosuchid", "eva", books.now)


def test_a_recovery_is_written_once_and_told(books: Books) -> None:
    books.spend(8)
    deliver(books)

    said = [books.store.recover(the_id(books), books.now) for _ in range(2)]

    assert said == [True, False]
    assert deliver(books) == [("ops", "warning", "recovered")]
    assert books.store.open_alerts(books.now) == []
    assert not books.store.recover("nosuchid", books.now)


def test_a_channel_may_do_without_good_news(books: Books) -> None:
    books.spend(8)
    rules = [ops(recoveries=False)]
    deliver(books, rules)
    books.store.acknowledge(the_id(books), "eva", books.now)
    books.store.recover(the_id(books), books.now)

    assert deliver(books, rules) == []


def test_what_recovered_is_fired_again_when_it_comes_back(store: Store) -> None:
    """A limit was raised, and then reached all the same."""
    Books(store).spend(8)
    (first,) = store.alerts()
    store.recover(first.alert.alert_id, NOW)

    again = Books(store, [budget(limit="20")], now=NOW + MINUTE)

    assert again.spend(8) == ["warning"]
    assert again.store.alerts()[0].alert.alert_id != first.alert.alert_id


def test_what_recovered_in_a_rolling_window_is_not_fired_again_within_its_length(store: Store) -> None:
    """It goes up and down there all the time."""
    books = Books(store, [budget(window=Rolling(HOUR, "1h"))])
    books.spend(8)

    assert store.recover(the_id(books), books.now)

    assert books.spend(0.1) == []


def test_open_alerts_are_those_of_this_window(books: Books) -> None:
    books.spend(8)
    books.now += 12 * HOUR
    today = [each.alert.level for each in books.store.open_alerts(books.now)]
    books.now += 12 * HOUR
    books.spend(9.9)

    assert today == ["warning"]
    assert [each.alert.level for each in books.store.open_alerts(books.now)] == ["warning", "critical"]


def test_alerts_are_listed_newest_first_with_all_that_was_told(books: Books) -> None:
    books.spend(9.6)
    deliver(books, [ops(), channel("pager", "critical")])

    found = books.store.alerts(most=2)

    assert [each.alert.level for each in found] == ["critical", "warning"]
    assert [delivery.channel for delivery in found[0].deliveries] == ["ops", "pager"]
    assert len(books.store.alerts(most=1)) == 1


def test_only_of_the_highest_mark_that_a_channel_was_told_is_it_reminded(books: Books) -> None:
    books.spend(9.6)
    channels = [ops(remind_every=HOUR), channel("early", "warning", remind_every=HOUR)]
    deliver(books, channels)
    books.now += HOUR

    assert sorted(deliver(books, channels)) == [("early", "warning", "reminded"), ("ops", "critical", "reminded")]


def test_of_marks_that_recover_together_one_recovery_is_told(books: Books) -> None:
    books.spend(10)
    deliver(books)
    books.now += MINUTE
    for each in books.store.open_alerts(books.now):
        books.store.recover(each.alert.alert_id, books.now)

    assert deliver(books) == [("ops", "exceeded", "recovered")]


def test_quiet_hours_hold_back_what_can_wait(books: Books) -> None:
    books.now = NOW.replace(hour=22, minute=30)
    rules = [ops(quiet=Quiet(starts=time(22), ends=time(7)))]
    books.spend(10)

    assert deliver(books, rules) == [("ops", "exceeded", "fired")]
    assert books.store.next_delivery_at(["ops"]) == NOW.replace(day=23, hour=7, minute=0)
    books.now = NOW.replace(day=23, hour=7, minute=0)
    assert deliver(books, rules) == [("ops", "warning", "fired"), ("ops", "critical", "fired")]


def test_a_failed_attempt_is_not_repeated_in_quiet_hours(books: Books) -> None:
    books.spend(8)
    rules = [ops(quiet=Quiet(starts=time(11), ends=time(12)))]
    (failed,) = books.store.claim_deliveries(rules, books.now, lease=MINUTE)
    books.store.finish_delivery(replace(failed, attempts=1, next_attempt_at=NOW.replace(hour=11)))

    books.now = NOW.replace(hour=11)
    assert books.store.claim_deliveries(rules, books.now, lease=MINUTE) == []
    books.now = NOW.replace(hour=12)
    (again,) = books.store.claim_deliveries(rules, books.now, lease=MINUTE)

    assert (again.delivery_id, again.due_at) == (failed.delivery_id, failed.due_at)


@pytest.fixture
def teams(store: Store) -> Books:
    return Books(store, [budget(per=("team",))])


def test_what_comes_within_a_groups_time_goes_out_as_one(teams: Books) -> None:
    rules = [ops(group=5 * MINUTE)]
    for team in ("a", "b"):
        teams.spend(8, {"team": team})
        assert teams.store.claim_deliveries(rules, teams.now, lease=MINUTE) == []
        teams.now += 2 * MINUTE
    teams.now += MINUTE
    teams.spend(8, {"team": "c"})

    (first, second) = teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)

    assert [each.alert.key.subject for each in (first, second)] == ["team=a", "team=b"]
    assert first.message_id == second.message_id != first.delivery_id
    teams.now += 5 * MINUTE
    arrive(teams, first)
    arrive(teams, second)
    assert [each.alert.key.subject for each in teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)] == [
        "team=c"
    ]


def test_a_group_is_taken_whole_even_by_one_with_little_time(teams: Books) -> None:
    rules = [ops(group=5 * MINUTE)]
    for team in "abc":
        teams.spend(8, {"team": team})
    teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)
    teams.now += 5 * MINUTE

    taken = teams.store.claim_deliveries(rules, teams.now, lease=MINUTE, most=1)

    assert len(taken) == 3
    assert teams.store.claim_deliveries(rules, teams.now, lease=MINUTE) == []


def test_a_group_that_failed_comes_again_as_the_same_message(teams: Books) -> None:
    rules = [ops(group=MINUTE)]
    for team in "ab":
        teams.spend(8, {"team": team})
    teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)
    teams.now += MINUTE
    failed = teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)
    for each in failed:
        teams.store.finish_delivery(replace(each, attempts=1, next_attempt_at=teams.now + HOUR))
    teams.spend(8, {"team": "late"})
    teams.now += HOUR

    again = teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)

    assert [each.delivery_id for each in again if each.message_id == failed[0].message_id] == [
        each.delivery_id for each in failed
    ]


def test_a_group_has_an_end(teams: Books) -> None:
    """A thousand users over their budgets would make a message that no receiver takes."""
    rules = [ops(group=MINUTE)]
    teams.spend(8, {"team": "a"})
    (fired,) = teams.store.alerts()
    for number in range(MOST_IN_GROUP):
        teams.store.fire(replace(fired.alert, key=fired.alert.key._replace(subject=f"team={number}")))
    teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)
    teams.now += MINUTE

    taken = [each for _ in range(2) for each in teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)]

    assert sorted(Counter(each.message_id for each in taken).values()) == [1, MOST_IN_GROUP]


def test_of_thousands_of_alerts_none_is_forgotten(teams: Books) -> None:
    """Calls wait for what the outbox does, so it does not look at all of them in one go."""
    teams.spend(8, {"team": "a"})
    (fired,) = teams.store.alerts()
    for number in range(2 * MOST_AT_ONCE):
        teams.store.fire(replace(fired.alert, key=fired.alert.key._replace(subject=f"team={number}")))
    told = 0

    while taken := teams.store.claim_deliveries([OPS], teams.now, lease=DAY, most=MOST_AT_ONCE):
        told += len(taken)

    assert told == 2 * MOST_AT_ONCE + 1


def test_what_could_not_be_looked_at_yet_is_the_next_thing_to_do(teams: Books) -> None:
    """Also if nothing of what was looked at is wanted: nobody pokes for the rest."""
    critical = [channel("ops", "critical")]
    teams.store.claim_deliveries(critical, teams.now, lease=MINUTE)
    teams.spend(8, {"team": "a"})
    (fired,) = teams.store.alerts()
    for number in range(MOST_AT_ONCE):
        teams.store.fire(replace(fired.alert, key=fired.alert.key._replace(subject=f"team={number}")))
    last = replace(fired.alert, level="critical")
    teams.store.fire(last)

    assert teams.store.claim_deliveries(critical, teams.now, lease=MINUTE) == []
    assert teams.store.next_delivery_at(["ops"]) == last.at
    assert [each.alert for each in teams.store.claim_deliveries(critical, teams.now, lease=MINUTE)] == [last]


def test_what_was_given_up_can_be_sent_again_under_its_id(books: Books) -> None:
    books.spend(8)
    (dead,) = books.store.claim_deliveries([OPS], books.now, lease=MINUTE)
    arrive(books, dead, "dead")
    books.now += HOUR

    assert books.store.resend(dead.delivery_id, books.now)

    (again,) = books.store.claim_deliveries([OPS], books.now, lease=MINUTE)
    assert (again.delivery_id, again.attempts, again.problem) == (dead.delivery_id, 0, None)


def test_what_is_under_way_or_arrived_or_unknown_is_not_sent_again(books: Books) -> None:
    books.spend(8)
    (delivery,) = books.store.claim_deliveries([OPS], books.now, lease=MINUTE)

    said = [books.store.resend(delivery.delivery_id, books.now)]
    arrive(books, delivery)

    assert [*said, books.store.resend(delivery.delivery_id, books.now)] == [False, False]
    assert not books.store.resend("msg_0", books.now)


def test_one_of_a_group_is_sent_again_by_itself(teams: Books) -> None:
    rules = [ops(group=MINUTE)]
    for team in "ab":
        teams.spend(8, {"team": team})
    teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)
    teams.now += MINUTE
    for each in teams.store.claim_deliveries(rules, teams.now, lease=MINUTE):
        arrive(teams, each, "dead")

    teams.store.resend(teams.store.deliveries()[0].delivery_id, teams.now)

    (again,) = teams.store.claim_deliveries(rules, teams.now, lease=MINUTE)
    assert again.message_id == again.delivery_id


def test_what_waits_for_a_channel_that_nobody_has_any_more_is_closed(books: Books) -> None:
    books.spend(8)
    (failed,) = books.store.claim_deliveries([OPS], books.now, lease=MINUTE)
    other = [channel("other")]

    books.now += STALE
    books.store.claim_deliveries(other, books.now, lease=MINUTE)
    still = books.store.pending_deliveries()
    books.now += HOUR
    books.store.claim_deliveries(other, books.now, lease=MINUTE)

    assert still == 1
    assert books.store.pending_deliveries() == 0
    (closed,) = books.store.deliveries()
    assert (closed.delivery_id, closed.state) == (failed.delivery_id, "closed")


def test_a_channel_that_some_process_has_keeps_what_waits_for_it(books: Books) -> None:
    books.spend(8)
    books.store.claim_deliveries([OPS], books.now, lease=MINUTE)

    for _ in range(9):
        books.now += DAY
        for channels in ([OPS], [channel("other")]):
            books.store.claim_deliveries(channels, books.now, lease=MINUTE)

    assert books.store.pending_deliveries() == 1


def test_the_next_thing_to_do_is_known(books: Books) -> None:
    rules = [ops(remind_every=HOUR, escalate_to="boss", escalate_after=90 * MINUTE)]
    assert books.store.next_delivery_at(["ops"]) is None
    books.spend(8)

    (taken,) = books.store.claim_deliveries(rules, books.now, lease=MINUTE)
    assert books.store.next_delivery_at(["ops"]) == NOW + MINUTE  # the lease
    arrive(books, taken)

    assert books.store.next_delivery_at(["ops"]) == NOW + HOUR
    assert books.store.next_delivery_at(["boss"]) is None
    assert books.store.next_delivery_at([]) is None
