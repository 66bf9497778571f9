"""Deliveries from the outbox to a real receiver, driven pass by pass with a clock that stands still."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.alerting.channels import log_channel
from otel_llmcost.alerting.courier import LEASE
from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.alerting.message import Message
from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.alerting.webhook import verify
from otel_llmcost.core.alert import Alert, Channel, Delivery
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.sqlite import SqliteStore
from tests.alerting.makers import ALERT, END, LEVELS, NOON, SECRET, alert, alert_of, channel
from tests.alerting.receiver import Receiver, status

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "ledger.db")
    yield made
    made.close()


@pytest.fixture
def dispatcher_of(clock: Clock) -> Callable[..., Dispatcher]:
    def make(store: Any, *channels: Channel, **more: Any) -> Dispatcher:
        return Dispatcher(store, channels, clock=clock, jitter=lambda: 0.5, **more)

    return make


Make = Callable[..., Dispatcher]


def test_an_alert_arrives_once_and_says_what_it_is_about(store: Store, receiver: Receiver, dispatcher_of: Make):
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel(receiver.url), top=lambda _: (AgentCost("writer", 3_000_000_000),))

    assert dispatcher.run_once() is None
    assert dispatcher.run_once() is None

    (got,) = receiver.got
    message = verify(SECRET, got.headers, got.body, now=NOON)
    assert (message["type"], message["data"]["top"]) == ("budget.warning", [{"agent": "writer", "cost_usd": 3}])
    assert store.pending_deliveries() == 0


def test_each_mark_is_told_once_per_window(store: Store, receiver: Receiver, dispatcher_of: Make):
    tomorrow = alert(key=ALERT.key._replace(bucket_us=ALERT.key.bucket_us + 86_400_000_000), window_start=END)
    dispatcher = dispatcher_of(store, channel(receiver.url))

    for each in (ALERT, ALERT, alert(at=NOON + SECOND, spent_nano=8), alert(level="critical"), tomorrow):
        store.fire(each)
        dispatcher.run_once()

    told = [verify(SECRET, got.headers, got.body, now=NOON) for got in receiver.got]
    assert [(each["type"], each["data"]["window"]["start"]) for each in told] == [
        ("budget.warning", "2026-11-22T00:00:00Z"),
        ("budget.critical", "2026-11-22T00:00:00Z"),
        ("budget.warning", "2026-11-23T00:00:00Z"),
    ]


def test_a_channel_gets_only_the_levels_it_wants(store: Store, receiver: Receiver, dispatcher_of: Make):
    with Receiver() as other:
        store.fire(ALERT)
        store.fire(alert(level="exceeded"))
        all_of_it = channel(receiver.url)
        worst = channel(other.url, name="boss", levels=frozenset({"exceeded"}))

        dispatcher_of(store, all_of_it, worst).run_once()

        assert (len(receiver.got), len(other.got)) == (2, 1)
        assert b"budget.exceeded" in other.got[0].body


def test_a_failed_delivery_comes_again_when_it_is_time(
    store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock
):
    receiver.answers.extend([status(500), status(500)])
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel(receiver.url))

    assert dispatcher.run_once() == NOON + SECOND
    assert dispatcher.run_once() == NOON + SECOND
    assert len(receiver.got) == 1
    clock.now += SECOND
    assert dispatcher.run_once() == clock.now + 2 * SECOND
    clock.now += 2 * SECOND
    assert dispatcher.run_once() is None

    assert len(receiver.got) == 3
    assert len(set(receiver.ids)) == 1
    assert {got.body for got in receiver.got} == {receiver.got[0].body}
    assert store.deliveries()[0].state == "delivered"


def test_what_a_dead_receiver_missed_arrives_after_a_restart(
    tmp_path: Path, receiver: Receiver, dispatcher_of: Make, clock: Clock
):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        dead_url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    before = SqliteStore(tmp_path / "ledger.db")
    before.fire(ALERT)
    dispatcher_of(before, channel(dead_url)).run_once()
    (missed,) = before.deliveries()
    before.close()

    clock.now += SECOND
    after = SqliteStore(tmp_path / "ledger.db")
    dispatcher_of(after, channel(receiver.url)).run_once()

    assert missed.problem is not None
    assert "Connection refused" in missed.problem
    assert receiver.ids == [missed.delivery_id]
    assert [(each.state, each.attempts) for each in after.deliveries()] == [("delivered", 2)]
    after.close()


def test_a_crash_after_sending_sends_again_with_the_same_id(
    tmp_path: Path, receiver: Receiver, dispatcher_of: Make, clock: Clock
):
    class Crashing(SqliteStore):
        def finish_delivery(self, delivery: Delivery) -> None:
            raise StoreError("no space left on device")

    crashing = Crashing(tmp_path / "ledger.db")
    crashing.fire(ALERT)
    with pytest.raises(StoreError):
        dispatcher_of(crashing, channel(receiver.url)).run_once()
    crashing.close()

    store = SqliteStore(tmp_path / "ledger.db")
    dispatcher = dispatcher_of(store, channel(receiver.url))
    dispatcher.run_once()
    assert len(receiver.got) == 1  # the lease of the dead process still holds
    clock.now += LEASE
    dispatcher.run_once()

    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    assert store.pending_deliveries() == 0
    store.close()


def test_after_a_day_of_failures_a_delivery_is_dead(
    store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock, caplog: pytest.LogCaptureFixture
):
    receiver.otherwise = status(500)
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel(receiver.url))

    while (again := dispatcher.run_once()) is not None:
        clock.now = again
    clock.now += timedelta(days=1)
    dispatcher.run_once()

    (dead,) = store.deliveries()
    assert (dead.state, dead.attempts, len(receiver.got)) == ("dead", 36, 36)
    assert timedelta(hours=24) < clock.now - NOON - timedelta(days=1) < timedelta(hours=25)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert "given up after 36 attempts: answered 500 Internal Server Error" in caplog.messages[1]


def test_a_receiver_that_is_gone_is_asked_once(store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock):
    receiver.otherwise = status(410)
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel(receiver.url))

    assert dispatcher.run_once() is None
    clock.now += timedelta(days=1)
    dispatcher.run_once()

    assert len(receiver.got) == 1
    assert store.deliveries()[0].state == "dead"


def test_a_receiver_that_asks_for_a_pause_gets_it(store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock):
    receiver.answers.append(status(429, retry_after="120"))
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel(receiver.url))

    assert dispatcher.run_once() == NOON + 120 * SECOND
    clock.now += 119 * SECOND
    dispatcher.run_once()
    assert len(receiver.got) == 1
    clock.now += SECOND
    dispatcher.run_once()

    assert store.deliveries()[0].state == "delivered"


def test_a_receiver_that_is_down_is_asked_once_for_all_that_waits(
    store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock
):
    """Fifty alerts at five seconds of timeout each would hold up everything else for minutes."""
    receiver.answers.append(status(503))
    for number in range(50):
        store.fire(alert_of(f"budget-{number}"))
    dispatcher = dispatcher_of(store, channel(receiver.url))

    again = dispatcher.run_once()
    assert (len(receiver.got), again) == (1, NOON + SECOND)
    clock.now += SECOND
    dispatcher.run_once()

    assert len(receiver.got) == 51
    assert store.pending_deliveries() == 0


def test_one_refused_alert_does_not_hold_up_the_others(store: Store, receiver: Receiver, dispatcher_of: Make):
    receiver.answers.append(status(400))
    for number in range(5):
        store.fire(alert_of(f"budget-{number}"))

    dispatcher_of(store, channel(receiver.url)).run_once()

    assert len(receiver.got) == 5
    assert store.pending_deliveries() == 1


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """What came, by type and state, each checked for its signature."""
    data = [verify(SECRET, got.headers, got.body, now=NOON, tolerance=DAY) for got in receiver.got]
    return [(each["type"], each["data"].get("state", "")) for each in data]


def test_a_group_is_one_message(store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock):
    for number in range(3):
        store.fire(alert_of(f"budget-{number}"))
    dispatcher = dispatcher_of(store, replace(channel(receiver.url), group=300 * SECOND))

    assert dispatcher.run_once() == NOON + 300 * SECOND
    clock.now += 300 * SECOND
    assert dispatcher.run_once() is None

    (got,) = receiver.got
    alerts = json.loads(got.body)["data"]["alerts"]
    assert [each["data"]["budget"] for each in alerts] == ["budget-0", "budget-1", "budget-2"]
    assert {each.state for each in store.deliveries()} == {"delivered"}


def test_a_group_that_fails_is_tried_again_whole(store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock):
    receiver.answers.append(status(500))
    for number in range(3):
        store.fire(alert_of(f"budget-{number}"))
    dispatcher = dispatcher_of(store, replace(channel(receiver.url), group=300 * SECOND))
    dispatcher.run_once()
    clock.now += 300 * SECOND

    again = dispatcher.run_once()
    assert again == clock.now + SECOND
    clock.now += SECOND
    dispatcher.run_once()

    assert len(set(receiver.ids)) == 1
    assert len({got.body for got in receiver.got}) == 1


def test_who_comes_next_reminds_and_hands_on(tmp_path: Path, receiver: Receiver, dispatcher_of: Make, clock: Clock):
    """Agents come and go; the alert stays."""
    rules = replace(channel(receiver.url), remind_every=3600 * SECOND, escalate_to="boss")
    boss = channel(receiver.url, name="boss", levels=frozenset())
    for seconds in (0, 900, 2700):
        clock.now += seconds * SECOND
        store = SqliteStore(tmp_path / "ledger.db")
        if not seconds:
            store.fire(ALERT)
        dispatcher_of(store, rules, boss).run_once()
        store.close()

    assert told(receiver) == [
        ("budget.warning", "fired"),
        ("budget.warning", "escalated"),
        ("budget.warning", "reminded"),
    ]


def test_the_end_of_an_alert_is_told(store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock):
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel(receiver.url))
    dispatcher.run_once()

    store.acknowledge(ALERT.alert_id, "eva", clock.now)
    dispatcher.run_once()
    store.recover(ALERT.alert_id, clock.now)
    dispatcher.run_once()

    assert [state for _, state in told(receiver)] == ["fired", "acknowledged", "recovered"]
    assert json.loads(receiver.got[1].body)["data"]["acknowledged_by"] == "eva"


def test_good_news_is_no_warning_in_the_log(store: Store, dispatcher_of: Make, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="otel_llmcost")
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, log_channel(LEVELS))
    dispatcher.run_once()
    store.acknowledge(ALERT.alert_id, "eva", NOON)
    dispatcher.run_once()

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.messages[1] == f"acknowledged by eva: {caplog.messages[0]}"


def test_a_receiver_that_is_down_does_not_hold_up_another(store: Store, receiver: Receiver, dispatcher_of: Make):
    with Receiver() as down:
        down.otherwise = status(503)
        store.fire(ALERT)
        store.fire(alert(level="critical"))

        dispatcher_of(store, channel(down.url, name="down"), channel(receiver.url)).run_once()

        assert (len(down.got), len(receiver.got)) == (1, 2)


def test_what_one_process_is_sending_no_other_sends(tmp_path: Path, dispatcher_of: Make):
    """The second one looks exactly while the first one sends."""
    ours, theirs = SqliteStore(tmp_path / "ledger.db"), SqliteStore(tmp_path / "ledger.db")
    sent: list[str] = []
    ops = channel("http://127.0.0.1/")

    def send_theirs(_channel: Channel, message: Message, *_: Any) -> Outcome:
        sent.append(f"theirs {message.message_id}")
        return DELIVERED

    def send_ours(_channel: Channel, message: Message, *_: Any) -> Outcome:
        dispatcher_of(theirs, ops, send=send_theirs).run_once()
        sent.append(f"ours {message.message_id}")
        return DELIVERED

    ours.fire(ALERT)
    dispatcher_of(ours, ops, send=send_ours).run_once()

    assert sent == [f"ours {ours.deliveries()[0].delivery_id}"]
    ours.close()
    theirs.close()


def test_a_channel_that_cannot_be_reached_at_all_is_said_once_and_left_out(
    store: Store, receiver: Receiver, dispatcher_of: Make, caplog: pytest.LogCaptureFixture
):
    store.fire(ALERT)
    dispatcher = dispatcher_of(store, channel("http:///t0ken", name="chat"), channel(receiver.url))

    dispatcher.run_once()
    dispatcher.run_once()

    assert caplog.messages == [
        "alert channel 'chat' gets no alerts: its URL needs a host, and to be ASCII without spaces"
    ]
    assert [each.channel for each in store.deliveries()] == ["ops"]


def test_without_channels_nothing_is_asked_of_the_store(dispatcher_of: Make):
    class Untouchable:
        """Has none of an outbox's methods."""

    assert dispatcher_of(Untouchable()).run_once() is None


def test_each_alert_is_one_line_of_the_log(store: Store, dispatcher_of: Make, caplog: pytest.LogCaptureFixture):
    store.fire(ALERT)
    store.fire(alert(level="exceeded", spent_nano=9_980_000_000, requested_nano=26_000_000))
    dispatcher = dispatcher_of(store, log_channel(LEVELS))

    dispatcher.run_once()
    dispatcher.run_once()

    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        (
            "otel_llmcost",
            "WARNING",
            (
                "budget 'support-daily' of user=u-7: warning, $7.51 of $10.00 spent (75.1%), "
                "$15.02 at this pace by 2026-11-23 00:00 UTC"
            ),
        ),
        (
            "otel_llmcost",
            "WARNING",
            (
                "budget 'support-daily' of user=u-7: exceeded, a call for about $0.0260 was refused, "
                "$9.98 of $10.00 spent (99.8%), $19.96 at this pace by 2026-11-23 00:00 UTC"
            ),
        ),
    ]


def test_a_line_of_the_log_leaves_out_what_is_not_known(
    store: Store, dispatcher_of: Make, caplog: pytest.LogCaptureFixture
):
    store.fire(alert(key=ALERT.key._replace(subject=""), window_start=None, window_end=None, limit_nano=0))

    dispatcher_of(store, log_channel(LEVELS)).run_once()

    assert caplog.messages == ["budget 'support-daily': warning, $7.51 of $0.00 spent (100.0%)"]


def test_an_alert_is_told_even_if_the_ledger_cannot_be_read(store: Store, receiver: Receiver, dispatcher_of: Make):
    def top(_: Alert) -> tuple[AgentCost, ...]:
        raise StoreError("disk I/O error")

    store.fire(ALERT)

    dispatcher_of(store, channel(receiver.url), top=top).run_once()

    assert b'"top":[]' in receiver.got[0].body


class Broken:
    """An outbox on a full disk."""

    def claim_deliveries(self, channels: Sequence[Channel], now: datetime, **_: Any) -> list[Delivery]:
        raise StoreError("database or disk is full")

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        raise StoreError("database or disk is full")


def run_in_spite_of_the_store(dispatcher: Dispatcher) -> None:
    with suppress(StoreError):
        dispatcher.run_once()


@pytest.fixture
def not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pokes from starting a thread, so that the test makes the passes."""
    monkeypatch.setattr(Dispatcher, "poke", lambda _: None)


@pytest.mark.usefixtures("not_started")
def test_a_failing_store_is_told_past_the_store_once_per_outage(receiver: Receiver, dispatcher_of: Make):
    dispatcher = dispatcher_of(Broken(), channel(receiver.url))

    for _ in range(3):
        dispatcher.tell_directly("store.failed", "database or disk is full")
        run_in_spite_of_the_store(dispatcher)
    dispatcher.is_over("store.failed")
    dispatcher.tell_directly("store.failed", "unable to open database file")
    run_in_spite_of_the_store(dispatcher)

    told = [verify(SECRET, got.headers, got.body, now=NOON) for got in receiver.got]
    assert [(each["type"], each["data"]["message"]) for each in told] == [
        ("store.failed", "database or disk is full"),
        ("store.failed", "unable to open database file"),
    ]


@pytest.mark.usefixtures("not_started")
def test_a_failing_store_is_told_to_those_who_want_critical(receiver: Receiver, dispatcher_of: Make):
    with Receiver() as other:
        dispatcher = dispatcher_of(
            Broken(),
            channel(receiver.url),
            channel(other.url, name="quiet", levels=frozenset({"warning"})),
            log_channel(LEVELS),
        )

        dispatcher.tell_directly("store.failed", "full")
        run_in_spite_of_the_store(dispatcher)

        assert (len(receiver.got), len(other.got)) == (1, 0)


def test_a_failing_store_that_nobody_wants_to_know_of_is_only_logged(
    dispatcher_of: Make, caplog: pytest.LogCaptureFixture
):
    dispatcher_of(Broken(), log_channel(LEVELS)).tell_directly("store.failed", "full")

    assert caplog.messages == ["store.failed: full"]


@pytest.mark.usefixtures("not_started")
def test_a_failing_store_is_told_again_until_somebody_hears(receiver: Receiver, dispatcher_of: Make, clock: Clock):
    receiver.answers.append(status(503))
    dispatcher = dispatcher_of(Broken(), channel(receiver.url))
    dispatcher.tell_directly("store.failed", "full")

    run_in_spite_of_the_store(dispatcher)
    run_in_spite_of_the_store(dispatcher)
    assert len(receiver.got) == 1
    clock.now += SECOND
    run_in_spite_of_the_store(dispatcher)
    run_in_spite_of_the_store(dispatcher)

    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1


def test_no_secret_stands_in_any_log(
    store: Store, receiver: Receiver, dispatcher_of: Make, clock: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    receiver.answers.extend([status(302, location="/s3cret"), status(404, b"no /s3cret here"), status(410)])
    ops = replace(channel(f"http://s3cret:s3cret@127.0.0.1:{receiver.port}/s3cret?s3cret"), secret="s3cret")
    wrong = channel("http:///s3cret", name="wrong", secret="s3cret")
    dispatcher = dispatcher_of(store, ops, wrong)
    store.fire(ALERT)

    while (again := dispatcher.run_once()) is not None:
        clock.now = again

    assert len(receiver.got) == 3
    assert len(caplog.records) == 3
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(store.deliveries())
