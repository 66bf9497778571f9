"""Anomalies of the ledger are found, and each is told once."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from otel_llmcost.alerting.log import describe
from otel_llmcost.alerting.watch_anomalies import EVERY, find, watch, watch_hourly
from otel_llmcost.alerting.webhook import body
from otel_llmcost.core.anomaly import Anomalies
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Posting, Store
from tests.storage.books import USD, charge

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DAY = timedelta(days=1)
OPTIONS = Anomalies()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = open_store("memory://" if request.param == "memory" else f"sqlite://{tmp_path}/ledger.db")
    yield made
    made.close()


@pytest.fixture
def spend(store: Store) -> Callable[..., None]:
    def book(usd: float, days_ago: int = 0, agent: str | None = "writer", model: str = "gpt-4o") -> None:
        tags = {"provider": "openai", "model": model} | ({"agent": agent} if agent else {})
        made = charge(NOW - DAY * days_ago - timedelta(hours=1), cost_nano=round(usd * USD), tags=tags)
        store.settle([Posting(reservation_id=made.charge_id, claims=(), charge=made, assumed={})])

    return book


@pytest.fixture
def month(spend: Callable[..., None]) -> None:
    """A month of days that cost about ten dollars."""
    for days_ago in range(1, 31):
        spend(10 + days_ago % 3, days_ago)


def test_a_quiet_month_has_no_anomalies(store, month):
    assert find(store, NOW - 30 * DAY, NOW, OPTIONS) == []
    assert watch(store, NOW, OPTIONS) == []


def test_a_spike_is_found_in_all_that_it_shows_in(store, spend, month):
    spend(60, 1)

    found = find(store, NOW - 30 * DAY, NOW, OPTIONS)

    assert [(each.by, each.value, each.day.day, each.cost_nano // USD) for each in found] == [
        ("total", None, 21, 71),
        ("model", "gpt-4o", 21, 71),
        ("agent", "writer", 21, 71),
    ]


def test_what_is_new_is_found_and_its_first_day_is_no_anomaly_beside(store, spend, month):
    spend(90, 0, agent="runaway")

    found = find(store, NOW - 3 * DAY, NOW, Anomalies(by=("agent",), first_seen=("agent", "provider")))

    assert [each.text for each in found] == ["agent runaway was first seen on 2026-11-22 and cost $90.00 so far"]


def test_each_anomaly_is_told_once_by_whoever_looks(store, spend, month):
    options = Anomalies(by=("agent",))
    spend(60, 1)

    told = [watch(store, NOW + timedelta(hours=hours), options) for hours in range(5)]

    (alert,) = told[0]
    assert told[1:] == [[]] * 4
    assert (alert.kind, alert.level, alert.key.subject) == ("anomaly", "anomaly", "agent=writer")
    assert (alert.spent_nano, alert.window_start) == (71 * USD, datetime(2026, 11, 21, tzinfo=UTC))
    assert alert.facts["day"] == "2026-11-21"
    assert isinstance(alert.facts["score"], Decimal)


def test_a_fleet_looks_once_an_hour(store, spend, month):
    options = Anomalies(by=("agent",))
    first = watch_hourly(store, NOW, options)
    spend(60, 1)

    soon, later, again = (watch_hourly(store, NOW + EVERY * hours, options) for hours in (0.9, 1, 2))

    assert [first, soon, again] == [[], [], []]
    assert [alert.kind for alert in later] == ["anomaly"]


def test_nobody_looks_who_was_told_not_to(store, spend, month):
    spend(60, 1)

    assert watch_hourly(store, NOW, Anomalies(is_watched=False)) == []
    assert len(watch_hourly(store, NOW, OPTIONS)) == len(["total", "agent", "model"])


def test_an_anomaly_that_goes_on_is_told_again_only_if_it_gets_much_worse(store, spend, month):
    for days_ago, usd in ((3, 60), (2, 62), (1, 200), (0, 150)):
        spend(usd, days_ago)

    told = watch(store, NOW, Anomalies(by=("agent",)))

    assert [alert.facts["day"] for alert in told] == ["2026-11-19", "2026-11-21"]


def test_the_first_seen_and_the_dear_are_told_apart(store, spend, month):
    spend(90, 0, agent="writer", model="claude-opus-4-6")

    told = watch(store, NOW, Anomalies(by=("total", "model")))

    assert [(alert.type, alert.key.subject) for alert in told] == [
        ("first_seen.anomaly", "model=claude-opus-4-6"),
        ("anomaly", ""),
    ]


def test_an_alert_says_itself_in_a_line_and_in_a_message(store, spend, month):
    spend(60, 1)

    (alert,) = watch(store, NOW, Anomalies(by=("agent",)))

    text = str(alert.facts["text"])
    assert text.startswith("agent writer cost $71.00 on 2026-11-21: $11.")
    assert describe(alert) == f"anomaly: {text}"
    assert b'"type":"anomaly"' in body(alert)
    assert text.encode() in body(alert)


def test_a_time_that_ends_at_midnight_has_no_day_that_is_not_over(store, spend, month):
    spend(60, 1)
    midnight = NOW.replace(hour=0, minute=0)

    (finding,) = find(store, midnight - DAY, midnight, Anomalies(by=("agent",)))

    assert not finding.is_partial
    assert find(store, midnight - DAY, NOW - DAY, Anomalies(by=("agent",)))[0].is_partial
