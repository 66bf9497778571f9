"""What every store must do with charges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.core.ledger import Charge, reversal
from otel_llmcost.core.usage import UNITS, Usage
from otel_llmcost.storage.base import GroupBy, Posting, Store
from tests.storage.books import NOW, USD, Books, budget, charge

HOUR = timedelta(hours=1)
FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def write(store: Store, *charges: Charge) -> None:
    store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={}) for one in charges])


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(charge(), id="usual"),
        pytest.param(
            charge(
                tags={dimension: f"{dimension} value" for dimension in DIMENSIONS},
                usage=Usage({unit: number + 1 for number, unit in enumerate(UNITS)}),
                status="estimated",
                method="rule",
                rate_id="openai/gpt-4o@2026-01-01",
                rate_source="genai-prices 0.2.3",
                tier="priority",
                estimate_nano=7,
                span_id="00f067aa0ba902b7",
                response_id="chatcmpl-1",
                error_type="TimeoutError",
            ),
            id="everything-known",
        ),
        pytest.param(
            charge(
                served_model=None,
                tags={},
                usage=Usage(),
                status="unpriced",
                cost_nano=None,
                list_cost_nano=None,
                trace_id=None,
            ),
            id="nothing-known",
        ),
        pytest.param(charge(at=NOW.replace(microsecond=123457)), id="to-the-microsecond"),
        pytest.param(charge(tags={"user": "Jörg ☃ '; DROP TABLE charges; --"}), id="any-text"),
    ],
)
def test_a_charge_comes_back_whole(store: Store, written: Charge) -> None:
    write(store, written)

    assert list(store.charges(*FOREVER)) == [written]


def test_a_stray_byte_in_a_name_loses_no_money(store: Store) -> None:
    """The environment hands them over as half characters, which no file takes."""
    books = Books(store, [budget(per=("user",))])

    hold = books.reserve(1, {"user": "J\udcf6rg"})
    store.settle([books.posting(hold, 1, tags={"user": "J\udcf6rg"})])

    assert books.balance().settled_nano == USD
    (total,) = store.totals([], *FOREVER)
    assert total.cost_nano == USD


def test_neither_a_stray_byte_nor_a_known_charge_loses_those_that_are_written_with_it(store: Store) -> None:
    known = charge()
    write(store, known)

    write(store, charge(), charge(tags={"user": "J\udcf6rg"}), known, charge())

    (total,) = store.totals([], *FOREVER)
    assert (total.calls, total.cost_nano) == (4, 4 * USD)


def test_charges_come_in_order_of_time_whatever_order_they_were_written_in(store: Store) -> None:
    times = [NOW + number * HOUR for number in (3, 1, 2, 0)]
    write(store, *[charge(at) for at in times])

    assert [one.at for one in store.charges(*FOREVER)] == sorted(times)


def test_a_period_begins_with_its_first_instant_and_ends_before_its_last(store: Store) -> None:
    write(store, *[charge(NOW + number * HOUR) for number in range(4)])

    assert [one.at for one in store.charges(NOW + HOUR, NOW + 3 * HOUR)] == [NOW + HOUR, NOW + 2 * HOUR]
    (total,) = store.totals([], NOW + HOUR, NOW + 3 * HOUR)
    assert total.calls == 2


def test_a_long_ledger_is_read_to_its_end(store: Store) -> None:
    same_instant = [charge() for _ in range(1201)]
    write(store, *same_instant)

    assert {one.charge_id for one in store.charges(*FOREVER)} == {one.charge_id for one in same_instant}


def test_a_charge_written_meanwhile_does_not_disturb_who_reads(store: Store) -> None:
    write(store, *[charge(NOW + number * HOUR) for number in range(3)])
    reading = store.charges(*FOREVER)
    next(reading)

    write(store, charge(NOW - HOUR))

    assert [one.at for one in reading] == [NOW + HOUR, NOW + 2 * HOUR]


def test_totals_add_up_all_there_is_to_add(store: Store) -> None:
    write(
        store,
        charge(),
        charge(status="estimated", cost_nano=2 * USD),
        charge(status="suspected", cost_nano=4 * USD),
        charge(status="unpriced", cost_nano=None, list_cost_nano=None, usage=Usage({"input_tokens": 7})),
    )

    (total,) = store.totals([], *FOREVER)

    assert (total.group, total.calls, total.cost_nano, total.unpriced_calls) == ((), 4, 7 * USD, 1)
    assert (total.input_tokens, total.output_tokens, total.cache_read_tokens) == (4507, 1500, 300)
    assert total.by_status_nano == {"confirmed": USD, "estimated": 2 * USD, "suspected": 4 * USD, "unpriced": 0}


def test_totals_come_dearest_first_and_keep_what_nobody_named(store: Store) -> None:
    write(
        store,
        charge(tags={"agent": "writer"}),
        charge(tags={"agent": "planner"}, cost_nano=3 * USD),
        charge(tags={}, cost_nano=2 * USD),
        charge(tags={"agent": "writer"}, cost_nano=USD // 2),
    )

    totals = store.totals(["agent"], *FOREVER)

    assert [(total.group, total.cost_nano, total.calls) for total in totals] == [
        (("planner",), 3 * USD, 1),
        ((None,), 2 * USD, 1),
        (("writer",), USD + USD // 2, 2),
    ]


@pytest.mark.parametrize(
    ("by", "group"),
    [
        *[pytest.param((name,), (f"of {name}",), id=name) for name in DIMENSIONS],
        pytest.param(("day",), ("2026-11-22",), id="day"),
        pytest.param(("hour",), ("2026-11-22T10:00",), id="hour"),
        pytest.param(("month",), ("2026-11",), id="month"),
        pytest.param(("status",), ("confirmed",), id="status"),
        pytest.param(("operation",), ("chat",), id="operation"),
        pytest.param(("rate",), ("openai/gpt-4o@2024-08-06",), id="rate"),
        pytest.param(("team", "day", "status"), ("of team", "2026-11-22", "confirmed"), id="several"),
    ],
)
def test_totals_group_by_any_dimension(store: Store, by: tuple[GroupBy, ...], group: tuple[str, ...]) -> None:
    write(store, charge(tags={name: f"of {name}" for name in DIMENSIONS}, rate_id="openai/gpt-4o@2024-08-06"))

    (total,) = store.totals(by, *FOREVER)

    assert (total.group, total.calls) == (group, 1)


def test_hours_and_days_are_those_of_utc(store: Store) -> None:
    write(store, charge(datetime(2026, 11, 22, 1, 30, tzinfo=timezone(2 * HOUR))))

    (total,) = store.totals(["day", "hour"], *FOREVER)

    assert total.group == ("2026-11-21", "2026-11-21T23:00")


def test_a_call_without_tags_is_still_known_by_provider_model_and_trace(store: Store) -> None:
    write(store, charge(tags={}))

    (total,) = store.totals(["provider", "model", "trace"], *FOREVER)

    assert total.group == ("openai", "gpt-4o-2024-08-06", "4bf92f3577b34da6a3ce929d0e0e4736")


def test_nothing_written_adds_up_to_nothing(store: Store) -> None:
    assert store.totals(["agent"], *FOREVER) == []
    assert list(store.charges(*FOREVER)) == []


def test_a_charge_with_another_time_but_a_known_id_is_the_same_charge(store: Store) -> None:
    """A span carries our charge id, but its own clock."""
    first = charge()

    write(store, first, replace(first, at=first.at + timedelta(microseconds=3)))

    assert list(store.charges(*FOREVER)) == [first]


def test_a_truth_takes_the_place_of_a_suspicion(store: Store) -> None:
    """One call, though there are three entries; what was suspected is nothing any more."""
    suspected = charge(status="suspected", cost_nano=USD, list_cost_nano=USD, response_id="resp-1")
    truth = charge(cost_nano=3 * USD, corrects=suspected.charge_id, usage=Usage({"input_tokens": 40}))
    write(store, suspected)
    assert store.uncertain("resp-1") == suspected

    write(store, reversal(suspected), truth)
    write(store, reversal(suspected), truth)

    (total,) = store.totals([], *FOREVER)
    assert (total.calls, total.cost_nano, total.input_tokens, total.output_tokens) == (1, 3 * USD, 40, 0)
    assert total.by_status_nano == {"suspected": 0, "confirmed": 3 * USD}
    assert store.uncertain("resp-1") is None


def test_a_call_without_a_price_is_not_unpriced_once_its_truth_has_one(store: Store) -> None:
    """Taking the entry back takes its mark off too."""
    unpriced = charge(status="estimated", cost_nano=None, list_cost_nano=None)

    write(store, unpriced, reversal(unpriced), charge(corrects=unpriced.charge_id))

    (total,) = store.totals([], *FOREVER)
    assert (total.calls, total.unpriced_calls, total.cost_nano) == (1, 0, USD)


def test_a_confirmed_charge_is_not_uncertain(store: Store) -> None:
    """There is nothing to be corrected on it."""
    write(store, charge(response_id="resp-1"))

    assert store.uncertain("resp-1") is None
    assert store.uncertain("resp-2") is None


def test_calls_that_are_not_confirmed_are_counted_by_what_is_not_known_of_them(store: Store) -> None:
    """Those that were taken back are none any more; the truth in their place is one if it has no price."""
    early = {"status": "estimated", "method": "stream-ended-early"}
    gone = charge(NOW, **early)
    truth = charge(status="unpriced", cost_nano=None, list_cost_nano=None, corrects=gone.charge_id, served_model=None)
    write(
        store,
        *(charge(NOW + number * HOUR, **early) for number in (2, 1, 0)),
        charge(NOW + HOUR, status="estimated", method="no-usage-reported"),
        charge(NOW, status="suspected", method="no-answer-seen", provider="anthropic", served_model="claude-opus-5"),
        charge(),
        charge(NOW - HOUR, **early),
        charge(NOW + 5 * HOUR, **early),
        *(gone, reversal(gone), truth),
    )

    found = store.unconfirmed(NOW, NOW + 5 * HOUR)

    assert [(each.calls, each.status, each.provider, each.model, each.method, each.last_at) for each in found] == [
        (3, "estimated", "openai", "gpt-4o-2024-08-06", "stream-ended-early", NOW + 2 * HOUR),
        (1, "estimated", "openai", "gpt-4o-2024-08-06", "no-usage-reported", NOW + HOUR),
        (1, "suspected", "anthropic", "claude-opus-5", "no-answer-seen", NOW),
        (1, "unpriced", "openai", "gpt-4o", "reported", NOW),
    ]
