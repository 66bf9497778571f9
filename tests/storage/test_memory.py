"""What only memory has to do: stay small without getting a sum wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from otel_llmcost.storage.base import GroupBy, Posting
from otel_llmcost.storage.memory import MemoryStore
from tests.storage.books import NOW, USD, Books, budget, channel, charge

FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def filled(most: int) -> MemoryStore:
    """Twelve charges over six hours, by two agents in many tasks."""
    store = MemoryStore(most_charges=most)
    for number in range(12):
        tags = {"agent": f"a-{number % 2}", "task": f"t-{number}", "model": "gpt-4o"}
        one = charge(
            NOW + number * timedelta(minutes=30),
            tags=tags,
            rate_id=f"openai/gpt-4o@2026-0{number % 3 + 1}-01",
            cost_nano=None if number == 5 else number * USD,
            status="unpriced" if number == 5 else "suspected" if number % 3 else "confirmed",
        )
        store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={})])
    return store


def test_only_the_newest_charges_are_kept_whole() -> None:
    assert [one.tags["task"] for one in filled(3).charges(*FOREVER)] == ["t-9", "t-10", "t-11"]


@pytest.mark.parametrize(
    "by", [(), ("agent",), ("model", "status"), ("day",), ("hour", "agent"), ("operation",), ("rate",)]
)
def test_sums_are_exact_however_few_charges_are_kept(by: tuple[GroupBy, ...]) -> None:
    assert filled(3).totals(by, *FOREVER) == filled(100).totals(by, *FOREVER)


def test_sums_of_full_hours_are_exact_too() -> None:
    since, until = NOW.replace(hour=11, minute=0), NOW.replace(hour=14, minute=0)

    assert filled(3).totals(["agent"], since, until) == filled(100).totals(["agent"], since, until)


def test_old_sums_forget_the_task() -> None:
    groups = {total.group: total.calls for total in filled(3).totals(["task"], *FOREVER)}

    assert groups == {(None,): 9, ("t-9",): 1, ("t-10",): 1, ("t-11",): 1}


def test_alerts_and_deliveries_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llmcost.storage.memory_outbox._MOST", 5)
    store = MemoryStore()
    books = Books(store, [budget(per=("user",))])
    channels = [channel("ops", "warning")]
    for number in range(8):
        books.spend(8, {"user": f"u-{number}"})
    assert len(store.claim_deliveries(channels, NOW, lease=timedelta(minutes=1))) == 5
    for number in range(8, 11):
        books.spend(8, {"user": f"u-{number}"})
        store.claim_deliveries(channels, NOW, lease=timedelta(minutes=1))

    assert store.pending_deliveries() == 5


def test_what_became_of_alerts_is_forgotten_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llmcost.storage.memory_outbox._MOST", 2)
    store = MemoryStore()
    books = Books(store)
    channels = [channel("ops", "warning", "critical", "exceeded")]
    books.spend(9.6)
    (taken, _) = store.claim_deliveries(channels, NOW, lease=timedelta(minutes=1))

    books.spend(0.4)
    store.finish_delivery(replace(taken, state="delivered"))

    assert [each.alert.level for each in store.alerts()] == ["exceeded", "critical"]
    assert [each.alert.level for each in store.deliveries()] == ["critical"]
