"""What every ledger of a collector must do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from otel_llmcost.core.attribution import DIMENSIONS
from otel_llmcost.core.ledger import Charge, ChargeStatus, reversal
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.usage import UNITS, Usage
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import GroupBy, Posting, Store
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS, Ledger
from otel_llmcost_collector.observed import id_of_span
from tests.collector.ledger.lines import FOREVER, NOW, USD, charge, line, lines, nothing, taken_back

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SPAN_ID, TRACE_ID = "00f067aa0ba902b7", "4bf92f3577b34da6a3ce929d0e0e4736"
OF_SPAN_ID = id_of_span(int(NOW.timestamp() * 1e6), SPAN_ID, TRACE_ID)
WHOLE = charge(
    tags={**{dimension: f"{dimension} value" for dimension in DIMENSIONS}, "trace": TRACE_ID},
    usage=Usage({unit: number + 1 for number, unit in enumerate(UNITS)}),
    status="estimated",
    method="rule",
    rate_id="openai/gpt-4o@2026-01-01",
    rate_source="genai-prices 0.2.3",
    tier="priority",
    estimate_nano=7,
    list_cost_nano=2 * USD,
    span_id=SPAN_ID,
    response_id="chatcmpl-1",
    error_type="TimeoutError",
    actions=("max_tokens 100",),
)
OF_SPAN = replace(WHOLE, charge_id=OF_SPAN_ID)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(charge(), id="usual"),
        pytest.param(WHOLE, id="everything-known"),
        pytest.param(OF_SPAN, id="id-of-a-span"),
        pytest.param(replace(OF_SPAN, span_id=None), id="id-of-a-span-that-is-not-said"),
        pytest.param(replace(WHOLE, charge_id=f"{WHOLE.charge_id}-lost-1"), id="something-behind-the-id"),
        pytest.param(replace(WHOLE, charge_id="openai:batch_1"), id="id-of-another-form"),
        pytest.param(replace(WHOLE, charge_id=WHOLE.charge_id.upper()), id="id-in-capitals"),
        pytest.param(replace(WHOLE, charge_id="x" * 32), id="id-that-is-no-number"),
        pytest.param(replace(WHOLE, charge_id=f"{'0' * 8}-{'0' * 27}"), id="id-with-a-dash"),
        pytest.param(replace(WHOLE, charge_id=f"{OF_SPAN_ID}+more"), id="id-with-something-else-behind-it"),
        pytest.param(
            charge(
                served_model=None, tags={}, usage=Usage(), status="unpriced", cost_nano=None, list_cost_nano=None,
                trace_id=None,
            ),
            id="nothing-known",
        ),
        pytest.param(charge(list_cost_nano=None), id="no-list-cost"),
        pytest.param(charge(at=NOW.replace(microsecond=123457)), id="to-the-microsecond"),
        pytest.param(charge(tags={"user": "Jörg ☃ '; DROP TABLE charges; --", "trace": "mine"}), id="any-text"),
        pytest.param(charge(trace_id="t", span_id="s", tags={"trace": "t"}), id="ids-of-traces-of-another-form"),
    ],
)  # fmt: skip
def test_a_charge_comes_back_whole(ledger: Ledger, reopened: Callable[[], Ledger], written: Charge) -> None:
    """Whatever is known of a call is there for as long as the ledger is."""
    ledger.write(lines(written), nothing)

    assert list(reopened().charges(*FOREVER)) == [written]


def test_what_is_no_character_is_spelled_out(ledger: Ledger) -> None:
    """A stray byte of an environment must not keep a hundred other calls from being charged."""
    ledger.write(lines(charge(), charge(tags={"user": "a\udcff", "task": "b\udcff", "team": "c\udcff"})), nothing)

    tags = [each.tags for each in ledger.charges(*FOREVER)]
    assert {"user": "a\\udcff", "task": "b\\udcff", "team": "c\\udcff"} in tags
    assert len(tags) == 2


def test_an_id_is_new_once(ledger: Ledger, reopened: Callable[[], Ledger]) -> None:
    """Within one write, later, and after a restart; the first is kept."""
    first, other = charge(), charge()
    again = replace(first, cost_nano=7)

    assert list(ledger.write(lines(first, again, other), nothing).is_new) == [True, False, True]
    assert list(ledger.write(lines(again), nothing).is_new) == [False]
    assert list(reopened().write(lines(charge(), again), nothing).is_new) == [True, False]
    assert [each.cost_nano for each in ledger.find([first.charge_id])] == [USD]


def test_an_id_is_new_once_whatever_time_it_comes_with(ledger: Ledger) -> None:
    """A plugin's charge and its span have one id, and clocks that differ."""
    first = charge()

    ledger.write(lines(first), nothing)
    later = ledger.write(lines(replace(first, at=first.at + HOUR)), nothing)

    assert list(later.is_new) == [False]


@pytest.mark.parametrize("apart", [0, 1, 30, 59, -30, -59])
def test_two_tellings_of_one_call_are_one_entry(ledger: Ledger, reopened: Callable[[], Ledger], apart: int) -> None:
    """Two instrumentors on one call share its response id; the second is told whose entry it is."""
    first, second = charge(), charge(NOW + timedelta(seconds=apart))

    ledger.write([line(first, "chatcmpl-1")], nothing)
    written = ledger.write([line(charge(), "chatcmpl-2"), line(second, "chatcmpl-1")], nothing)
    again = reopened().write([line(second, "chatcmpl-1")], nothing)

    assert (list(written.is_new), dict(written.known_calls)) == ([True, False], {1: first.charge_id})
    assert (list(again.is_new), dict(again.known_calls)) == ([False], {0: first.charge_id})


def test_of_two_tellings_in_one_write_the_first_is_kept(ledger: Ledger) -> None:
    """The order of lines tells which one that is."""
    first, second = charge(), charge(NOW + timedelta(seconds=1))

    written = ledger.write([line(first, "chatcmpl-1"), line(second, "chatcmpl-1")], nothing)

    assert (list(written.is_new), dict(written.known_calls)) == ([True, False], {1: first.charge_id})
    assert [each.charge_id for each in ledger.charges(*FOREVER)] == [first.charge_id]


def test_the_same_answer_much_later_is_another_call(ledger: Ledger) -> None:
    """A cache in front of a provider hands an old answer out again."""
    first, second = charge(), charge(NOW + 5 * MINUTE)

    ledger.write([line(first, "chatcmpl-1")], nothing)
    written = ledger.write([line(second, "chatcmpl-1")], nothing)

    assert list(written.is_new) == [True]


def test_a_line_that_is_known_by_its_id_is_no_telling_of_itself(ledger: Ledger) -> None:
    first = charge()

    ledger.write([line(first, "chatcmpl-1")], nothing)
    written = ledger.write([line(first, "chatcmpl-1")], nothing)

    assert (list(written.is_new), dict(written.known_calls)) == ([False], {})


def test_a_correction_is_of_a_call_that_is_known(ledger: Ledger) -> None:
    """It has the call's key, and is written all the same."""
    first = charge()
    taken, new = taken_back(first, cost_nano=3 * USD, list_cost_nano=3 * USD)

    ledger.write([line(first, "chatcmpl-1")], nothing)
    written = ledger.write([line(taken, "chatcmpl-1"), line(new, "chatcmpl-1")], nothing)

    assert list(written.is_new) == [True, True]
    (total,) = ledger.totals((), *FOREVER)
    assert (total.calls, total.cost_nano, total.input_tokens) == (1, 3 * USD, 1500)


def test_what_is_noted_stays_until_it_is_done(ledger: Ledger, reopened: Callable[[], Ledger]) -> None:
    """Balances are booked after the ledger; a process that is killed in between must find what it owes."""
    one = ledger.write(lines(charge()), lambda new: f"{len(new)} new".encode())
    two = ledger.write(lines(charge(), charge()), lambda new: f"{len(new)} new".encode())
    none = ledger.write(lines(charge()), nothing)

    assert none.commit_id is None
    assert reopened().notes() == [(one.commit_id, b"1 new"), (two.commit_id, b"2 new")]
    ledger.done([str(one.commit_id)])
    ledger.done([])
    assert ledger.notes() == [(two.commit_id, b"2 new")]


def test_nothing_is_noted_where_nothing_is_new(ledger: Ledger) -> None:
    first = charge()
    ledger.write(lines(first), nothing)

    written = ledger.write(lines(first), lambda _new: pytest.fail("there is nothing"))

    assert written.commit_id is None
    assert ledger.write([], nothing).is_new == ()


def test_notes_are_a_nodes_own(open_it: Callable[[str], Ledger], ledger: Ledger, url: str) -> None:
    """Each node books what it wrote itself."""
    other = ledger if url == "memory://" else open_it("b")

    ledger.write(lines(charge()), lambda _new: b"of a")

    assert [body for _, body in other.notes()] == ([b"of a"] if other is ledger else [])


def test_nothing_is_written_if_what_is_to_be_noted_fails(ledger: Ledger) -> None:
    """Both or neither."""
    first = charge(tags={"user": "u"})

    with pytest.raises(ZeroDivisionError):
        ledger.write([line(first, "chatcmpl-1")], lambda _new: b"" if 1 / 0 else None)

    assert list(ledger.charges(*FOREVER)) == []
    assert list(ledger.write([line(charge(tags={"user": "u"}), "chatcmpl-1")], nothing).is_new) == [True]
    assert [total.calls for total in ledger.totals(("user",), *FOREVER)] == [1]


def test_entries_are_found_by_id(ledger: Ledger) -> None:
    known = [charge(NOW + timedelta(seconds=number)) for number in range(3)]
    ledger.write(lines(*known), nothing)

    found = ledger.find([known[2].charge_id, "nobody's", known[0].charge_id])

    assert [each.charge() for each in found] == [known[2], known[0]]
    assert [(each.source, each.richness) for each in found] == [("test", 1)] * 2


def test_the_latest_entries_are_read_oldest_first(ledger: Ledger) -> None:
    """What a process that starts anew has to know again; corrections are no calls."""
    known = [charge(NOW + timedelta(seconds=number)) for number in range(5)]
    odd = charge(NOW + timedelta(seconds=2.5), charge_id="openai:batch_1")
    ledger.write(lines(*known, odd, reversal(known[4])), nothing)

    assert [each.charge_id for each in ledger.since(NOW + timedelta(seconds=1), 3)] == [
        odd.charge_id, known[3].charge_id, known[4].charge_id,
    ]  # fmt: skip
    assert len(ledger.since(NOW, 100)) == 6


def test_charges_are_read_in_order_of_time_and_no_more_than_asked_for(ledger: Ledger) -> None:
    """More than a page of them, with ids that tell another time, or none."""
    chance = random.Random(1)
    made = [charge(NOW + timedelta(milliseconds=chance.randrange(60_000))) for _ in range(2000)]
    odd = [replace(each, charge_id=f"odd-{number}") for number, each in enumerate(made[:1000])]
    late = [replace(each, at=each.at + timedelta(seconds=0.9)) for each in made[1000:1100]]
    for part in (made[1500:], odd, late, made[1100:1500]):
        ledger.write(lines(*part), nothing)
    since, until = NOW + timedelta(seconds=10), NOW + timedelta(seconds=50)

    found = list(ledger.charges(since, until))

    wanted = [each for each in (*made[1100:], *odd, *late) if since <= each.at < until]
    assert found == sorted(wanted, key=lambda each: (each.at, each.charge_id))


def test_series_are_of_all_time_and_never_fall(ledger: Ledger, reopened: Callable[[], Ledger]) -> None:
    """Metrics go on after a restart where they were; what is taken back is counted beside."""
    first = charge(
        tags={"agent": "writer", "team": "support"},
        usage=Usage({"input_tokens": 1000, "cache_read_tokens": 100, "output_tokens": 50, "reasoning_tokens": 20}),
    )
    ledger.write(lines(first, charge(cost_nano=None, list_cost_nano=None, status="unpriced", tags={})), nothing)
    ledger.write(lines(reversal(first)), nothing)

    series = reopened().series()

    amounts = dict(
        zip(
            SERIES_AMOUNTS,
            series["openai", "gpt-4o", "chat", "writer", "support", "", "", "confirmed", "test"],
            strict=True,
        )
    )
    assert {name: amount for name, amount in amounts.items() if amount} == {
        "cost_nano": USD, "reversed_nano": USD, "calls": 1, "input": 900, "reversed_input": 900, "cache_read": 100,
        "reversed_cache_read": 100, "output": 30, "reversed_output": 30, "reasoning": 20, "reversed_reasoning": 20,
    }  # fmt: skip
    unpriced = series["openai", "gpt-4o", "chat", "", "", "", "", "unpriced", "test"]
    assert unpriced[SERIES_AMOUNTS.index("unpriced")] == 1


def test_what_is_forgotten_stays_in_the_sums_and_is_not_charged_again(ledger: Ledger) -> None:
    """Whoever sends a span again after a year must not be charged twice for it."""
    old, new = charge(NOW - 40 * DAY, tags={"user": "u", "agent": "a"}), charge(tags={"user": "u", "agent": "a"})
    odd = replace(old, charge_id="openai:batch_1")
    ledger.write(lines(old, odd, new), nothing)

    assert ledger.forget(NOW - DAY) == 2
    assert ledger.forget(NOW - 2 * DAY) == 0

    assert list(ledger.charges(*FOREVER)) == [new]
    assert list(ledger.write(lines(old), nothing).is_new) == [False]
    for by in (("agent",), ("user",), ("month", "agent")):
        assert sum(each.calls for each in ledger.totals(by, *FOREVER)) == 3
    assert {each.group: each.calls for each in ledger.totals(("task",), *FOREVER)} == {(None,): 3}


def test_entries_can_be_forgotten_some_at_a_time(ledger: Ledger) -> None:
    """Whoever writes meanwhile need not wait for all of them."""
    ledger.write(lines(*[charge(NOW - 40 * DAY) for _ in range(25)], charge()), nothing)

    forgotten = 0
    while some := ledger.forget(NOW - DAY, most=10):
        forgotten += some

    assert forgotten == 25
    assert len(list(ledger.charges(*FOREVER))) == 1


def test_what_is_known_by_its_id_is_no_telling_of_another_call(ledger: Ledger) -> None:
    """It came without the answer's id first, and another telling of the call was charged meanwhile."""
    first, second = charge(), charge()
    ledger.write([line(first), line(second, "chatcmpl-1")], nothing)

    written = ledger.write([line(charge(), "chatcmpl-2"), line(first, "chatcmpl-1")], nothing)

    assert (list(written.is_new), dict(written.known_calls)) == ([True, False], {})


def some_charges() -> Iterator[Charge]:
    """Charges of four months, with corrections, unsure ones and ids that tell no time."""
    chance = random.Random(7)
    statuses: list[ChargeStatus] = list(get_args(ChargeStatus))
    for number in range(400):
        status = chance.choice(statuses)
        cost = None if status == "unpriced" else chance.randrange(USD)
        tags = {name: f"{name}-{chance.randrange(3)}" for name in DIMENSIONS if chance.random() < 0.6}
        made = charge(
            NOW - timedelta(seconds=chance.randrange(120 * 86_400)),
            tags=tags,
            status=status,
            method=chance.choice(["reported", "rule"]),
            served_model=chance.choice([None, "", "gpt-4o-2024-08-06"]),
            cost_nano=cost,
            list_cost_nano=cost,
            usage=Usage({"input_tokens": chance.randrange(100), "output_tokens": 3}),
            rate_id=None if cost is None else f"rate-{number % 2}",
            response_id=f"chatcmpl-{number}",
        )
        made = replace(made, charge_id=f"odd-{number}") if number % 50 == 0 else made
        yield made
        if number % 5 == 0:
            yield from taken_back(made, cost_nano=5, response_id=made.response_id)


@pytest.fixture
def written(ledger: Ledger, tmp_path: Path) -> Iterator[Store]:
    """A store of the plugin's side with the same charges, as far as they may be told in the same words."""
    made = list(some_charges())
    store = open_store(f"sqlite://{tmp_path}/store.db")
    store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={}) for one in made])
    for start in range(0, len(made), 50):
        ledger.write(lines(*made[start : start + 50]), nothing)
    yield store
    store.close()


BYS: list[tuple[GroupBy, ...]] = [
    (), *((name,) for name in DIMENSIONS if name != "model"), ("hour",), ("day",), ("month",), ("status",),
    ("operation",), ("rate",), ("day", "agent"), ("user", "day"), ("user", "month"), ("user", "team"),
    ("task", "hour"), ("month", "team", "status"), ("trace", "day"),
]  # fmt: skip
SPANS = [
    pytest.param(*FOREVER, id="ever"),
    pytest.param(NOW - timedelta(days=61, hours=5, minutes=3), NOW - timedelta(hours=7, seconds=5), id="two-months"),
    pytest.param(NOW - timedelta(hours=30), NOW + HOUR, id="a-day"),
    pytest.param(NOW.replace(minute=5), NOW.replace(minute=20), id="minutes"),
    pytest.param(NOW.replace(day=1, hour=0, minute=0), NOW.replace(day=20, hour=0, minute=0), id="whole-days"),
]


@pytest.mark.parametrize(("since", "until"), SPANS)
def test_totals_are_those_of_a_store(ledger: Ledger, written: Store, since: datetime, until: datetime) -> None:
    """By whatever is asked for, over whatever time: sums that are kept and entries agree to the nano-dollar."""
    for by in BYS:
        theirs = {each.group: each for each in written.totals(by, since, until)}
        ours = {each.group: each for each in ledger.totals(by, since, until)}
        assert {**ours} == {
            group: replace(each, by_status_nano=ours[group].by_status_nano) for group, each in theirs.items()
        }, by
        for group, each in theirs.items():
            nonzero = {status: cost for status, cost in each.by_status_nano.items() if cost}
            assert {status: cost for status, cost in ours[group].by_status_nano.items() if cost} == nonzero


def test_totals_are_dearest_first(ledger: Ledger, written: Store) -> None:
    """As people read them."""
    costs = [each.cost_nano for each in ledger.totals(("agent", "user"), *FOREVER)]

    assert costs == sorted(costs, reverse=True)


def test_charges_are_those_of_a_store(ledger: Ledger, written: Store) -> None:
    assert list(ledger.charges(*FOREVER)) == list(written.charges(*FOREVER))


def test_what_is_not_confirmed_is_that_of_a_store(ledger: Ledger, written: Store) -> None:
    def told(found: list[Unconfirmed]) -> list[Unconfirmed]:
        return [each for each in found if each.model]  # one of them keeps an empty name apart

    assert told(ledger.unconfirmed(*FOREVER)) == told(written.unconfirmed(*FOREVER))
    assert ledger.unconfirmed(NOW, NOW + HOUR) == written.unconfirmed(NOW, NOW + HOUR)


def test_an_answer_that_is_not_sure_is_found_until_it_is_corrected(ledger: Ledger, written: Store) -> None:
    for number in range(0, 400, 7):
        response_id = f"chatcmpl-{number}"
        assert ledger.uncertain(response_id) == written.uncertain(response_id)


def test_a_charge_that_comes_after_its_reversal_is_taken_back_too(ledger: Ledger) -> None:
    """Spans come in any order."""
    late = charge(status="estimated", response_id="chatcmpl-1")

    ledger.write(lines(reversal(late)), nothing)
    ledger.write(lines(late), nothing)

    assert ledger.uncertain("chatcmpl-1") is None
    assert ledger.unconfirmed(*FOREVER) == []
    assert [total.cost_nano for total in ledger.totals((), *FOREVER)] == [0]
