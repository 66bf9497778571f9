"""What is told of an alert, to whom and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired, News, Quiet
from otel_llmcost.core.budget import Balance, BalanceKey, Mark
from otel_llmcost.core.lifecycle import Plan, due_at, group_for, has_recovered, held_until, plan, quiet_until

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALERT = Alert(
    key=BalanceKey("all", "", 0),
    level="warning",
    at=NOON,
    spent_nano=8,
    limit_nano=10,
    window_start=NOON - 12 * HOUR,
    window_end=NOON + 12 * HOUR,
)
NIGHT = Quiet(starts=time(22), ends=time(7))


def channel(name: str = "ops", **rules: Any) -> Channel:
    return Channel(name=name, url="https://h.example", secret=None, levels=frozenset(), **rules)


def delivery(name: str = "ops", news: News = "fired", at: datetime = NOON, **changes: Any) -> Delivery:
    made = Delivery(
        delivery_id=f"{name} {news}",
        channel=name,
        alert=ALERT,
        attempts=1,
        state="delivered",
        next_attempt_at=at,
        news=news,
        due_at=at,
    )
    return replace(made, **changes)


def fired(*deliveries: Delivery, **changes: Any) -> Fired:
    return Fired(alert=ALERT, deliveries=deliveries, **changes)


def told(decided: Plan) -> list[tuple[str, str]]:
    return [(order.channel, order.news) for order in decided.orders]


def test_who_was_not_told_yet_is_told() -> None:
    decided = plan(fired(), channel(), NOON)

    assert (told(decided), decided.orders[0].due_at, decided.look_at) == ([("ops", "fired")], NOON, None)


def test_an_alert_of_long_ago_is_told_all_the_same() -> None:
    """Everything was down over a long weekend."""
    assert told(plan(fired(), channel(), NOON + 96 * HOUR)) == [("ops", "fired")]


def test_a_channel_without_rules_is_told_once() -> None:
    assert plan(fired(delivery()), channel(), NOON + HOUR) == Plan()


@pytest.mark.parametrize(
    ("minutes", "expected", "look_after"),
    [(59, [], 60), (60, [("ops", "reminded")], 120), (75, [("ops", "reminded")], 135)],
)
def test_a_reminder_comes_as_long_after_what_was_told_as_asked(
    minutes: int, expected: list[tuple[str, str]], look_after: int
) -> None:
    decided = plan(fired(delivery()), channel(remind_every=HOUR), NOON + minutes * MINUTE)

    assert (told(decided), decided.look_at) == (expected, NOON + look_after * MINUTE)


def test_there_is_no_reminder_while_the_news_before_is_under_way() -> None:
    """A receiver that was down for a day is not told twenty things at once when it is back."""
    waiting = delivery(state="pending", next_attempt_at=NOON + 5 * HOUR)

    decided = plan(fired(waiting), channel(remind_every=HOUR), NOON + 4 * HOUR)

    assert decided == Plan(look_at=NOON + 5 * HOUR)


def test_a_reminder_waits_for_the_end_of_quiet_hours() -> None:
    """Else the morning begins with nine of them."""
    decided = plan(fired(delivery()), channel(remind_every=HOUR, quiet=NIGHT), NOON.replace(hour=23))

    assert decided == Plan(look_at=NOON.replace(day=23, hour=7))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"acknowledged_at": NOON, "acknowledged_by": "eva"}, id="acknowledged"),
        pytest.param({"recovered_at": NOON}, id="recovered"),
    ],
)
def test_nobody_is_reminded_of_or_escalated_to_what_is_settled(changes: dict[str, Any]) -> None:
    rules = channel(remind_every=HOUR, escalate_to="boss", recoveries=False)

    assert plan(fired(delivery(), **changes), rules, NOON + 2 * HOUR) == Plan()


def test_nobody_is_reminded_once_the_window_is_over() -> None:
    assert plan(fired(delivery()), channel(remind_every=HOUR, escalate_to="boss"), NOON + 12 * HOUR) == Plan()


def test_nobody_is_reminded_of_a_mark_below_the_one_that_was_reached_since() -> None:
    assert plan(fired(delivery()), channel(remind_every=HOUR), NOON + HOUR, is_overtaken=True) == Plan()


def test_what_nobody_acknowledged_is_handed_on_once() -> None:
    rules = channel(escalate_to="boss", escalate_after=15 * MINUTE)

    assert plan(fired(delivery()), rules, NOON) == Plan(look_at=NOON + 15 * MINUTE)
    assert told(plan(fired(delivery()), rules, NOON + 15 * MINUTE)) == [("boss", "escalated")]
    assert plan(fired(delivery(), delivery("boss", "escalated")), rules, NOON + HOUR) == Plan()


def test_one_who_was_told_already_is_escalated_to_all_the_same() -> None:
    decided = plan(fired(delivery(), delivery("boss")), channel(escalate_to="boss"), NOON + HOUR)

    assert told(decided) == [("boss", "escalated")]


def test_escalation_goes_on_from_the_one_it_came_to() -> None:
    boss = channel("boss", escalate_to="owner", escalate_after=30 * MINUTE)
    life = fired(delivery(), delivery("boss", "escalated", NOON + 15 * MINUTE))

    assert plan(life, boss, NOON + 40 * MINUTE) == Plan(look_at=NOON + 45 * MINUTE)
    assert told(plan(life, boss, NOON + 45 * MINUTE)) == [("owner", "escalated")]


def test_escalation_counts_from_when_the_first_one_could_hear_of_it() -> None:
    """Who has quiet hours has not failed to answer."""
    waiting = delivery(state="pending", next_attempt_at=at(20), due_at=at(20))

    assert plan(fired(waiting), channel(escalate_to="boss"), at(20)) == Plan(look_at=at(20, 15))


def test_reminder_and_escalation_go_on_side_by_side() -> None:
    rules = channel(remind_every=HOUR, escalate_to="boss", escalate_after=90 * MINUTE)

    assert plan(fired(delivery()), rules, NOON + HOUR).look_at == NOON + 90 * MINUTE


@pytest.mark.parametrize(
    ("changes", "news"),
    [
        ({"acknowledged_at": NOON, "acknowledged_by": "eva"}, "acknowledged"),
        ({"recovered_at": NOON}, "recovered"),
        ({"acknowledged_at": NOON, "acknowledged_by": "eva", "recovered_at": NOON}, "recovered"),
    ],
)
def test_who_was_told_of_an_alert_is_told_how_it_ended_once(changes: dict[str, Any], news: News) -> None:
    assert told(plan(fired(delivery(), **changes), channel(), NOON)) == [("ops", news)]
    assert plan(fired(delivery(), delivery(news=news), **changes), channel(), NOON) == Plan()


def test_a_recovery_is_told_after_an_acknowledgement() -> None:
    life = fired(delivery(), delivery(news="acknowledged"), acknowledged_at=NOON, recovered_at=NOON + HOUR)

    assert told(plan(life, channel(), NOON + HOUR)) == [("ops", "recovered")]


def test_of_several_marks_that_recover_only_the_highest_is_told() -> None:
    assert plan(fired(delivery(), recovered_at=NOON), channel(), NOON, is_overtaken=True) == Plan()


def test_a_reminder_that_did_not_arrive_yet_is_taken_back() -> None:
    waiting = delivery(news="reminded", state="pending")

    decided = plan(fired(delivery(), waiting, recovered_at=NOON), channel(), NOON)

    assert (decided.closes, told(decided)) == (("ops reminded",), [("ops", "recovered")])


def test_who_was_never_told_is_not_told_of_the_end() -> None:
    waiting = delivery("boss", "escalated", state="pending")

    decided = plan(fired(delivery(), waiting, acknowledged_at=NOON), channel("boss"), NOON)

    assert decided == Plan(closes=("boss escalated",))


def test_what_has_recovered_before_it_was_told_is_told_with_its_end() -> None:
    decided = plan(fired(recovered_at=NOON), channel(), NOON)

    assert (told(decided), decided.look_at) == ([("ops", "fired")], NOON)


def at(hour: int, minute: int = 0, day: int = 22) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param(at(21, 59), None, id="before"),
        pytest.param(at(22), at(7, day=23), id="from-the-first-minute-on"),
        pytest.param(at(3), at(7), id="in-the-morning"),
        pytest.param(at(7), None, id="until-the-last-one"),
    ],
)
def test_quiet_hours_go_over_midnight(now: datetime, until: datetime | None) -> None:
    assert quiet_until(channel(quiet=NIGHT), ALERT, now) == until


@pytest.mark.parametrize(("now", "until"), [(at(11, 59), None), (at(12), at(14)), (at(14), None)])
def test_quiet_hours_may_lie_in_a_day(now: datetime, until: datetime | None) -> None:
    assert quiet_until(channel(quiet=Quiet(starts=time(12), ends=time(14))), ALERT, now) == until


def test_quiet_hours_are_those_of_the_place() -> None:
    there = channel(quiet=Quiet(starts=time(22), ends=time(7), timezone="America/New_York"))

    assert quiet_until(there, ALERT, at(3)) == at(12)


@given(st.sampled_from([(3, 27), (10, 23)]), st.integers(0, 4 * 24 * 60), st.times(), st.times())
def test_quiet_hours_end_within_a_day_also_where_clocks_are_set(
    first: tuple[int, int], minutes: int, starts: time, ends: time
) -> None:
    now = datetime(2026, *first, tzinfo=UTC) + minutes * MINUTE

    until = quiet_until(channel(quiet=Quiet(starts=starts, ends=ends, timezone="Europe/Berlin")), ALERT, now)

    assert until is None or timedelta(0) < until - now <= 25 * HOUR


@pytest.mark.parametrize(("level", "kind"), [("exceeded", "budget"), ("", "stop")])
def test_some_levels_go_through_quiet_hours(level: str, kind: str) -> None:
    assert quiet_until(channel(quiet=NIGHT), replace(ALERT, level=level, kind=kind), at(23)) is None


def test_news_waits_for_its_group_and_then_for_the_morning() -> None:
    assert due_at(channel(group=5 * MINUTE), ALERT, NOON) == NOON + 5 * MINUTE
    assert due_at(channel(group=5 * MINUTE, quiet=NIGHT), ALERT, at(21, 58)) == at(7, day=23)


def test_news_joins_the_first_group_that_goes_out_no_later_than_itself() -> None:
    groups = {"morning": at(7, day=23), "soon": at(12, 4), "next": at(12, 5)}

    assert group_for(at(12, 5), groups) == "soon"
    assert group_for(at(12, 3), groups) is None


def test_a_message_is_held_back_only_if_all_of_it_is() -> None:
    quiet, loud = delivery(), delivery(alert=replace(ALERT, level="exceeded"))
    ops = channel(quiet=NIGHT)

    assert held_until(ops, [quiet, quiet], at(23)) == at(7, day=23)
    assert held_until(ops, [quiet, loud], at(23)) is None
    assert held_until(ops, [quiet], NOON) is None


MARKS = (Mark("warning", Decimal("0.75")), Mark("exceeded", Decimal(1)))


def balance(spent: int, limit: int) -> Balance:
    return Balance(budget="all", subject="", limit_nano=limit, window_start=None, window_end=None, settled_nano=spent)


@pytest.mark.parametrize(
    ("spent", "limit", "is_over"),
    [
        pytest.param(8, 10, False, id="nothing-changed"),
        pytest.param(8, 20, True, id="raised"),
        pytest.param(0, 10, True, id="reset"),
        pytest.param(15, 20, False, id="raised-but-spent-since"),
    ],
)
def test_a_mark_has_recovered_once_the_balance_is_below_it(spent: int, limit: int, is_over: bool) -> None:
    assert has_recovered(ALERT, MARKS, balance(spent, limit)) is is_over


def test_a_mark_that_there_is_no_more_never_recovers() -> None:
    assert not has_recovered(replace(ALERT, level="gone"), MARKS, balance(0, 10))


@pytest.mark.parametrize(
    ("spent", "limit", "is_over"),
    [
        pytest.param(8, 10, False, id="below-its-mark-as-it-was-when-it-was-fired"),
        pytest.param(7, 10, False, id="a-correction-but-too-small-for-the-call"),
        pytest.param(8, 13, True, id="raised"),
        pytest.param(9, 12, False, id="raised-and-spent"),
    ],
)
def test_a_refusal_has_recovered_once_there_is_new_room_for_the_call(spent: int, limit: int, is_over: bool) -> None:
    """It fires a mark that the balance is below: else it would recover and be fired again with every call."""
    refused = replace(ALERT, level="exceeded", requested_nano=4)

    assert has_recovered(refused, MARKS, balance(spent, limit)) is is_over


@pytest.mark.parametrize(
    ("deliveries", "changes", "now", "state"),
    [
        ((), {}, NOON, "fired"),
        ((delivery(), delivery(news="reminded")), {}, NOON, "reminded"),
        ((delivery(), delivery(news="reminded"), delivery("boss", "escalated")), {}, NOON, "escalated"),
        ((), {"acknowledged_at": NOON}, NOON, "acknowledged"),
        ((), {"acknowledged_at": NOON}, NOON + 12 * HOUR, "over"),
        ((), {"acknowledged_at": NOON, "recovered_at": NOON}, NOON + 12 * HOUR, "recovered"),
    ],
)
def test_the_state_is_the_furthest_that_an_alert_came(
    deliveries: tuple[Delivery, ...], changes: dict[str, Any], now: datetime, state: str
) -> None:
    assert fired(*deliveries, **changes).state(now) == state
