"""The accountant charges each call once, and books it once, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.core.acts import Act, in_force
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Budget
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreBusyError, StoreError, UnstorableError
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.accounting.accountant import Accountant, Bounds
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS, Ledger
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from otel_llmcost_collector.observed import Elsewhere, Observed
from otel_llmcost_collector.self_metrics import (
    ALERTS,
    DUPLICATES,
    LEDGER_AGE,
    LEDGER_COMMITS,
    NOTES_WAITING,
    REPLACED,
    STORE_ERRORS,
)
from tests.collector.accounting.telling import NOW, SECOND, TRACE, USD, again, own, response_id, told
from tests.collector.fakes import FakeLedger
from tests.storage.books import Books, budget, channel

WITHIN = 20.0


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """Closes what a test opened, last opened first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["fake", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, ending: ExitStack) -> Ledger:
    made: Ledger = FakeLedger() if request.param == "fake" else SqliteLedger(str(tmp_path / "l.db"), node="n-1")
    ending.callback(made.close)
    return made


class Away(MemoryStore):
    """A store that can be out of reach."""

    problem: StoreError | None = None

    def book(self, commit_id: str, bookings: Sequence[Any]) -> list[Any]:
        if self.problem is not None:
            raise self.problem
        return super().book(commit_id, bookings)


@pytest.fixture
def store() -> Away:
    return Away()


Opening = Callable[..., Accountant]


@pytest.fixture
def opened(store: Store, ending: ExitStack) -> Opening:
    """Starts accountants, and ends them when the test ends."""

    def open_it(ledger: Ledger, *budgets: Budget, **more: Any) -> Accountant:
        made = Accountant(ledger, store, Policy(budgets, NOW), clock=lambda: NOW + timedelta(minutes=1), **more)
        made.start()
        ending.callback(made.close)
        return made

    return open_it


def post(accountant: Accountant, *batches: Sequence[Observed]) -> None:
    """Send batches one after another, as far as balances."""
    for batch in batches:
        asyncio.run(accountant.post(batch))
    assert accountant.wait_until_booked(WITHIN)


def spent(ledger: Ledger) -> int:
    found = ledger.totals([], NOW - timedelta(days=400), NOW + timedelta(days=1))
    return sum(each.cost_nano for each in found)


def calls(ledger: Ledger) -> int:
    found = ledger.totals([], NOW - timedelta(days=400), NOW + timedelta(days=1))
    return sum(each.calls for each in found)


def test_what_is_posted_stands_in_the_ledger_and_on_the_balance(opened: Opening, ledger: Ledger, store: Store) -> None:
    post(opened(ledger, budget()), [told(), told(cost_nano=2 * USD)])

    assert (spent(ledger), calls(ledger)) == (3 * USD, 2)
    balance = Books(store).balance()
    assert (balance.settled_nano, balance.calls) == (3 * USD, 2)


def elsewhere(accountant: Accountant, *observed: Observed) -> Elsewhere:
    """Post, and say what is charged elsewhere."""
    return asyncio.run(accountant.post(observed))


def test_a_poorer_telling_is_told_where_its_call_is_charged(opened: Opening, ledger: Ledger) -> None:
    accountant, poorer = opened(ledger), told(response_id=response_id())
    richer = again(poorer, richness=9, source="richer")

    assert elsewhere(accountant, poorer, told(), richer) == {poorer.charge_id: richer.charge_id}
    assert elsewhere(accountant, poorer) == {poorer.charge_id: richer.charge_id}
    late = again(poorer, source="late")
    assert elsewhere(accountant, late) == {late.charge_id: richer.charge_id}
    assert spent(ledger) == 2 * USD


def test_what_is_sent_again_stays_charged_where_it_is(opened: Opening, ledger: Ledger) -> None:
    accountant, poorer = opened(ledger), told(response_id=response_id())
    richer = again(poorer, richness=9, source="richer")

    assert elsewhere(accountant, poorer, told()) == {}
    assert elsewhere(accountant, poorer, poorer) == {}
    assert elsewhere(accountant, richer) == {}
    assert elsewhere(accountant, richer) == {}


def test_each_request_is_told_of_its_own_tellings(opened: Opening, ledger: Ledger) -> None:
    """Though they are written in one go."""
    accountant, poorer = opened(ledger), told(response_id=response_id())
    richer = again(poorer, richness=9, source="richer")

    held = threading.Event()

    async def at_once() -> list[Elsewhere]:
        accountant.do(held.wait)
        posts = [asyncio.ensure_future(accountant.post(each)) for each in ([poorer], [richer], [told()])]
        await asyncio.sleep(0)
        held.set()
        return await asyncio.gather(*posts)

    assert asyncio.run(at_once()) == [{poorer.charge_id: richer.charge_id}, {}, {}]


def test_a_call_that_the_ledger_alone_knows_is_charged_there(opened: Opening, ledger: Ledger) -> None:
    """Another node charged it, or this one in a time that nobody remembers."""
    first = told(response_id=response_id())
    post(opened(ledger), [first])
    other = opened(ledger, bounds=Bounds(reloaded=timedelta(0)))
    late = again(first)

    assert elsewhere(other, late) == {late.charge_id: first.charge_id}
    assert elsewhere(other, late) == {late.charge_id: first.charge_id}
    assert elsewhere(other, first) == {}
    assert spent(ledger) == USD


def test_what_took_anothers_place_keeps_it_after_a_restart(opened: Opening, ledger: Ledger) -> None:
    """Also where what is known of the call is only who told of it first."""
    poorer = told(response_id=response_id())
    richer, richest = again(poorer, richness=9, source="richer"), again(poorer, richness=11, source="richest")
    post(opened(ledger), [poorer], [richer])
    second = opened(ledger)

    assert elsewhere(second, richer) == {}
    assert elsewhere(opened(ledger), richest) == {richest.charge_id: poorer.charge_id}
    assert spent(ledger) == USD


def test_nothing_to_post_is_no_commit(opened: Opening, ledger: Ledger) -> None:
    accountant = opened(ledger)

    post(accountant, [])

    assert LEDGER_COMMITS not in accountant.counters.counts


def test_a_batch_sent_again_moves_nothing(opened: Opening, ledger: Ledger, store: Store) -> None:
    accountant, batch = opened(ledger, budget()), [told(), told()]

    post(accountant, batch, batch)

    assert (spent(ledger), Books(store).balance().settled_nano) == (2 * USD, 2 * USD)
    assert accountant.counters.counts[DUPLICATES] == {("same_span",): 2}


def test_a_batch_sent_again_after_a_restart_moves_nothing(opened: Opening, ledger: Ledger, store: Store) -> None:
    batch = [told(response_id=response_id()), told()]
    first = opened(ledger, budget())
    post(first, batch)
    first.close()

    post(opened(ledger, budget()), batch)

    assert (spent(ledger), Books(store).balance().settled_nano) == (2 * USD, 2 * USD)


def test_the_richer_telling_takes_the_place_of_the_poorer(opened: Opening, ledger: Ledger, store: Store) -> None:
    poorer = told(trace_id=TRACE, cost_nano=USD)
    richer = again(poorer, cost_nano=3 * USD, richness=9)
    accountant = opened(ledger, budget(), budget("calls", measure="requests"))

    post(accountant, [poorer], [richer], [poorer], [richer])

    assert (spent(ledger), calls(ledger)) == (3 * USD, 1)
    books = Books(store, [budget(), budget("calls", measure="requests")])
    assert (books.balance().settled_nano, books.balance().calls, books.balance("calls").settled_nano) == (3 * USD, 1, 1)
    assert accountant.counters.counts[REPLACED] == {(): 1}


def test_after_a_restart_a_third_telling_does_not_replace_what_was_replaced(opened: Opening, ledger: Ledger) -> None:
    poorer = told(trace_id=TRACE, cost_nano=USD)
    richer = again(poorer, cost_nano=3 * USD, richness=9)
    first = opened(ledger)
    post(first, [poorer], [richer])
    first.close()

    post(opened(ledger), [again(poorer, cost_nano=5 * USD, richness=11, source="third")])

    assert (spent(ledger), calls(ledger)) == (3 * USD, 1)


def test_a_twin_of_long_ago_is_known_by_its_answer(opened: Opening, ledger: Ledger) -> None:
    """Nothing is remembered of it but what stands in the ledger, as of one that another node took in."""
    poorer = told(response_id=response_id(), cost_nano=USD)
    first = opened(ledger)
    post(first, [poorer])
    first.close()
    accountant = opened(ledger, bounds=Bounds(reloaded=-timedelta(days=1)))

    post(accountant, [again(poorer, cost_nano=3 * USD, richness=9)], [again(poorer, richness=4, source="third")])

    assert (spent(ledger), calls(ledger)) == (3 * USD, 1)
    assert accountant.counters.counts[DUPLICATES] == {("same_call",): 2}


def test_calls_that_turn_out_to_be_one_are_charged_once(opened: Opening, ledger: Ledger) -> None:
    outer = told(trace_id=TRACE, cost_nano=USD, richness=3)
    inner = told(trace_id=TRACE, parent_span_id="00f067aa0ba902b7", cost_nano=2 * USD, richness=7)
    between = told(trace_id=TRACE, span_id="00f067aa0ba902b7", parent_span_id=outer.span_id, richness=1)

    post(opened(ledger), [outer], [inner], [between])

    assert spent(ledger) == 2 * USD


def test_marks_are_told(opened: Opening, ledger: Ledger, store: Store) -> None:
    post(opened(ledger, budget()), [told(cost_nano=8 * USD, trace_id=TRACE)])

    (delivery,) = store.claim_deliveries([channel("ops", "warning")], NOW, lease=timedelta(minutes=1))
    assert (delivery.alert.level, delivery.alert.trace_id) == ("warning", TRACE)


def test_a_limit_that_is_raised_for_a_while_is_what_marks_are_measured_by(
    opened: Opening, ledger: Ledger, store: Store
) -> None:
    accountant = opened(ledger, budget())
    act = Act(act_id="a", at=NOW, kind="raise", by="ops", budget="all", amount_nano=10 * USD)

    accountant.use(Policy([budget()], NOW, in_force([act], NOW)))
    post(accountant, [told(cost_nano=8 * USD)])

    assert store.alerts() == []


def test_changed_budgets_hold_from_then_on(opened: Opening, ledger: Ledger, store: Store) -> None:
    accountant = opened(ledger)
    post(accountant, [told()])

    accountant.use(Policy([budget()], NOW))
    post(accountant, [told()])

    assert Books(store).balance().settled_nano == USD


def test_budgets_are_told_apart_by_what_calls_say_of_themselves(opened: Opening, ledger: Ledger, store: Store) -> None:
    scoped = budget(scope=Scope({"model": ("gpt-4o*",), "provider": ("openai",), "team": ("support",)}), per=("agent",))

    post(opened(ledger, scoped), [told(), told(requested_model="o1", served_model=None), told(tags={})])

    (balance,) = Books(store, [scoped]).balances("all")
    assert (balance.subject, balance.settled_nano) == ("agent=writer", USD)


def test_a_late_call_counts_in_the_window_it_was_made_in(opened: Opening, ledger: Ledger, store: Store) -> None:
    yesterday = told(at_us=told().at_us - 86_400 * SECOND)

    post(opened(ledger, budget()), [yesterday, told()])

    books = Books(store)
    assert books.balance().settled_nano == USD
    books.now -= timedelta(days=1)
    assert books.balance().settled_nano == USD


def test_a_call_from_the_future_counts_now(opened: Opening, ledger: Ledger, store: Store) -> None:
    """Its clock is wrong, and what it costs is spent."""
    post(opened(ledger, budget()), [told(at_us=told().at_us + 86_400 * SECOND)])

    assert Books(store).balance().settled_nano == USD


def test_tokens_and_calls_count_where_a_limit_is_of_those(opened: Opening, ledger: Ledger, store: Store) -> None:
    limits = [budget("tokens", "1000", measure="tokens"), budget("calls", measure="requests")]

    post(opened(ledger, *limits), [told(counts={"input_tokens": 30, "output_tokens": 12}), told(counts={})])

    books = Books(store, limits)
    assert (books.balance("tokens").settled_nano, books.balance("calls").settled_nano) == (42, 2)


def test_a_call_without_a_price_is_counted_and_costs_what_a_budget_assumes(
    opened: Opening, ledger: Ledger, store: Store
) -> None:
    budgets = [budget("plain"), budget("assuming", unpriced="assume:gpt-4o"), budget("vain", unpriced="assume:nothing")]
    prices = {"gpt-4o": 7}
    unpriced = told(cost_nano=None, list_cost_nano=None, status="unpriced", trace_id=TRACE, counts={"input_tokens": 2})

    def assumed(model: str, observed: Observed) -> int | None:
        return prices[model] * observed.counts["input_tokens"] if model in prices else None

    accountant = opened(ledger, *budgets, assumed=assumed)
    post(accountant, [unpriced])

    books = Books(store, budgets)
    assert [books.balance(each.name).settled_nano for each in budgets] == [0, 14, 0]
    assert [books.balance(each.name).unpriced for each in budgets] == [1, 1, 1]
    post(accountant, [again(unpriced, cost_nano=3, richness=9, status="confirmed")])
    assert [books.balance(each.name).settled_nano for each in budgets] == [3, 3, 3]
    assert [books.balance(each.name).unpriced for each in budgets] == [0, 0, 0]


def test_a_store_that_is_away_keeps_nobody_from_posting(
    opened: Opening, ledger: Ledger, store: Away, caplog: pytest.LogCaptureFixture
) -> None:
    store.problem = StoreError("no answer")
    accountant = opened(ledger, budget())

    with caplog.at_level(logging.WARNING):
        asyncio.run(accountant.post([told()]))
        asyncio.run(accountant.post([told()]))
        assert accountant.figures()[1].counts[NOTES_WAITING][()] == 2
        assert not accountant.wait_until_booked(0.01)
        store.problem = None
        assert accountant.wait_until_booked(WITHIN)

    assert (spent(ledger), Books(store).balance().settled_nano) == (2 * USD, 2 * USD)
    assert accountant.figures()[1].counts[STORE_ERRORS][("balances",)] >= 1
    assert "balances cannot be booked now" in caplog.text


def test_alerts_that_bookings_fire_are_counted(opened: Opening, ledger: Ledger) -> None:
    """As in agents, for the same boards."""
    accountant = opened(ledger, budget(limit="1"))

    post(accountant, [told(cost_nano=USD)])

    fired = accountant.figures()[1].counts[ALERTS]
    assert fired == {("all", level): 1 for level in ("warning", "critical", "exceeded")}


def test_how_long_the_oldest_calls_wait_for_the_ledger_is_told(opened: Opening, ledger: Ledger) -> None:
    """When the disk hangs, this is what grows; what is done is not waited for any more."""
    accountant, may_go_on = opened(ledger), threading.Event()

    async def ages() -> list[int]:
        accountant.do(lambda: may_go_on.wait(WITHIN))
        posting = asyncio.create_task(accountant.post([told()]))
        await asyncio.sleep(0)  # it is asked now
        waiting = accountant.figures()[1].counts[LEDGER_AGE][()]
        may_go_on.set()
        await posting
        return [waiting, accountant.figures()[1].counts[LEDGER_AGE][()]]

    waiting, done = asyncio.run(ages())

    assert waiting > 0
    assert done == 0


def test_what_a_killed_process_did_not_book_is_booked_at_the_next_start(
    opened: Opening, ledger: Ledger, store: Away
) -> None:
    store.problem = StoreError("no answer")
    first = opened(ledger, budget())
    asyncio.run(first.post([told()]))
    first.close(0)
    assert len(ledger.notes()) == 1
    store.problem = None

    post(opened(ledger, budget()))

    assert Books(store).balance().settled_nano == USD


def test_a_note_that_was_booked_but_not_struck_out_is_booked_once(opened: Opening, store: Store) -> None:
    """The process was killed between the two."""
    ledger = FakeLedger()
    first = opened(ledger, budget())
    asyncio.run(first.post([told()]))
    kept = dict(ledger.disk.notes)
    first.close()
    ledger.disk.notes.update(kept or {"none": b""})

    post(opened(ledger, budget()))

    assert Books(store).balance().settled_nano == USD


def test_a_note_that_nobody_can_read_keeps_nobody_from_starting(
    opened: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = FakeLedger()
    ledger.disk.notes["c-1"] = b"\xc1"

    post(opened(ledger, budget()), [told()])

    assert "commit c-1 is not booked" in caplog.text
    assert spent(ledger) == USD


def test_what_no_balance_holds_is_left_out_and_said(
    opened: Opening, ledger: Ledger, store: Away, caplog: pytest.LogCaptureFixture
) -> None:
    store.problem = UnstorableError("too much")

    post(opened(ledger, budget()), [told()])

    assert "stays in the ledger alone" in caplog.text
    assert ledger.notes() == [] or store.problem


def test_more_than_is_kept_in_memory_waits_in_the_ledger(
    opened: Opening, store: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_llmcost_collector.accounting.bookkeeper._MOST_IN_MEMORY", 2)
    ledger = FakeLedger()
    store.problem = StoreError("no answer")
    accountant = opened(ledger, budget("all", "1000"))
    for _ in range(7):
        asyncio.run(accountant.post([told()]))

    store.problem = None

    assert accountant.wait_until_booked(WITHIN)
    assert Books(store).balance().settled_nano == 7 * USD


def test_a_ledger_that_fails_takes_nothing_and_what_is_sent_again_is_charged(
    opened: Opening, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = FakeLedger()
    accountant, batch = opened(ledger, budget()), [told(response_id=response_id())]
    ledger.problem = StoreError("the disk is full")

    with pytest.raises(StoreError, match="full"), caplog.at_level(logging.WARNING):
        asyncio.run(accountant.post(batch))
    ledger.problem = None
    post(accountant, batch)

    assert (spent(ledger), Books(store).balance().settled_nano) == (USD, USD)
    assert "the disk is full" in caplog.text


def test_what_one_cannot_store_is_no_fault_of_the_others(opened: Opening, caplog: pytest.LogCaptureFixture) -> None:
    class Picky(FakeLedger):
        def write(self, lines: Any, note: Any) -> Any:
            if any(line.observed.provider == "poison" for line in lines):
                raise ZeroDivisionError
            return super().write(lines, note)

    async def both(accountant: Accountant) -> list[object]:
        posts = [accountant.post([told()]), accountant.post([told(provider="poison")]), accountant.post([told()])]
        return await asyncio.gather(*posts, return_exceptions=True)

    ledger = Picky()
    first, second, third = asyncio.run(both(opened(ledger)))

    assert (first, third) == ({}, {})
    assert isinstance(second, UnstorableError)
    assert spent(ledger) == 2 * USD
    assert "not foreseen" in caplog.text


def test_too_much_at_a_time_is_turned_away_at_once(opened: Opening, ledger: Ledger) -> None:
    accountant = opened(ledger, bounds=Bounds(waiting=3))

    async def crowd() -> list[object]:
        return await asyncio.gather(*(accountant.post([told(), told()]) for _ in range(100)), return_exceptions=True)

    answers = asyncio.run(crowd())

    refused = [each for each in answers if each != {}]
    assert refused
    assert all(isinstance(each, StoreBusyError) for each in refused)
    assert calls(ledger) == 2 * (100 - len(refused))


def test_what_is_larger_than_all_that_may_wait_is_taken_when_nothing_waits(opened: Opening, ledger: Ledger) -> None:
    post(opened(ledger, bounds=Bounds(waiting=3, at_once=2)), [told() for _ in range(10)])

    assert calls(ledger) == 10


def test_requests_that_wait_are_written_together(opened: Opening) -> None:
    ledger = FakeLedger()
    accountant = opened(ledger)

    async def crowd() -> None:
        await asyncio.gather(*(accountant.post([told()]) for _ in range(100)))

    asyncio.run(crowd())

    assert calls(ledger) == 100
    assert ledger.writes < 100


def test_who_stopped_waiting_is_charged_all_the_same(opened: Opening, ledger: Ledger) -> None:
    accountant = opened(ledger)

    async def give_up() -> None:
        task = asyncio.ensure_future(accountant.post([told()]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await accountant.post([told()])

    asyncio.run(give_up())

    assert calls(ledger) == 2


def test_a_closed_accountant_takes_nothing(opened: Opening, ledger: Ledger) -> None:
    accountant = opened(ledger)
    accountant.close()
    accountant.close()

    with pytest.raises(StoreError, match="closed"):
        asyncio.run(accountant.post([told()]))


def test_sums_for_metrics_are_those_of_the_ledger(opened: Opening, ledger: Ledger) -> None:
    counts = {
        "input_tokens": 100,
        "cache_read_tokens": 60,
        "cache_write_tokens": 10,
        "output_tokens": 50,
        "reasoning_tokens": 20,
    }
    poorer = told(trace_id=TRACE, counts=counts)
    accountant = opened(ledger)

    post(accountant, [poorer, told(), told(cost_nano=None)], [again(poorer, richness=9, cost_nano=2 * USD)])

    assert accountant.series() == {labels: list(amounts) for labels, amounts in ledger.series().items()}
    of_poorer = accountant.series()["openai", "gpt-4o", "chat", "writer", "support", "", "", "confirmed", "official"]
    said = dict(zip(SERIES_AMOUNTS, of_poorer, strict=True))
    assert (said["cost_nano"], said["reversed_nano"], said["calls"], said["unpriced"]) == (2 * USD, USD, 3, 1)
    assert (said["reversed_input"], said["reversed_cache_read"], said["reversed_reasoning"]) == (30, 60, 20)


def test_sums_for_metrics_go_on_after_a_restart(opened: Opening, ledger: Ledger) -> None:
    first = opened(ledger)
    post(first, [told()])
    first.close()
    second = opened(ledger)

    post(second, [told(trace_id=TRACE)])

    assert second.series() == {labels: list(amounts) for labels, amounts in ledger.series().items()}
    assert sum(sums[SERIES_AMOUNTS.index("calls")] for sums in second.series().values()) == 2


def test_who_looks_on_is_shown_what_is_new_and_keeps_nobody_from_charging(
    opened: Opening, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Observed] = []

    def look(new: Sequence[Observed]) -> None:
        seen.extend(new)
        raise ZeroDivisionError

    one = told()
    post(opened(ledger, saw=look), [one], [one])

    assert seen == [one]
    assert "could not be shown" in caplog.text


def test_the_plugins_span_is_what_stands(opened: Opening, ledger: Ledger) -> None:
    ours = own(trace_id=TRACE, cost_nano=5, response_id=response_id())

    post(opened(ledger), [again(ours, cost_nano=7, richness=99)], [ours])

    assert (spent(ledger), calls(ledger)) == (5, 1)


def test_other_work_on_the_ledger_is_done_in_its_thread(opened: Opening, ledger: Ledger) -> None:
    accountant = opened(ledger)
    post(accountant, [told(at_us=told().at_us - 40 * 86_400 * SECOND)])

    assert accountant.do(lambda: ledger.forget(NOW - timedelta(days=35))).result(WITHIN) == 1
    with pytest.raises(ZeroDivisionError):
        accountant.do(lambda: 1 // 0).result(WITHIN)


def test_a_limit_in_usd_is_exact_to_the_nano(opened: Opening, ledger: Ledger, store: Store) -> None:
    post(opened(ledger, budget("all", "1")), [told(cost_nano=1) for _ in range(1234)])

    balance = Books(store, [budget("all", "1")]).balance()
    assert balance.share == Decimal(1234) / USD


def test_a_call_without_a_price_costs_nothing_where_nobody_prices_it(opened: Opening, store: Store) -> None:
    assuming = budget(unpriced="assume:gpt-4o")

    post(opened(FakeLedger(), assuming), [told(cost_nano=None, list_cost_nano=None, status="unpriced")])

    assert (Books(store).balance().settled_nano, Books(store).balance().unpriced) == (0, 1)


def test_a_twin_of_long_ago_is_looked_at_again_if_it_could_not_be_replaced(opened: Opening) -> None:
    """The first of two writes went through, which found that the call is known; the second did not."""

    class Failing(FakeLedger):
        def write(self, lines: Any, note: Any) -> Any:
            written = super().write(lines, note)
            if written.known_calls:
                self.problem = StoreError("the disk is full")
            return written

    ledger = Failing()
    poorer = told(response_id=response_id(), cost_nano=USD)
    richer = again(poorer, cost_nano=3 * USD, richness=9)
    first = opened(ledger)
    post(first, [poorer])
    first.close()
    accountant = opened(ledger, bounds=Bounds(reloaded=-timedelta(days=1)))

    with pytest.raises(StoreError, match="full"):
        asyncio.run(accountant.post([richer]))
    ledger.problem = None
    ledger.__class__ = FakeLedger
    post(accountant, [richer])

    assert (spent(ledger), calls(ledger)) == (3 * USD, 1)


def test_notes_that_cannot_be_struck_out_are_booked_again_to_no_effect(
    opened: Opening, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    class Forgetful(FakeLedger):
        def done(self, commit_ids: Sequence[str]) -> None:
            msg = f"{len(commit_ids)} notes stay"
            raise StoreError(msg)

    ledger = Forgetful()
    first = opened(ledger, budget())
    post(first, [told()])
    first.close()

    post(opened(ledger, budget()))

    assert "1 notes stay" in caplog.text
    assert Books(store).balance().settled_nano == USD


def test_notes_that_cannot_be_read_now_are_read_later(
    opened: Opening, store: Away, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(FakeLedger):
        faults = 0

        def notes(self) -> list[tuple[str, bytes]]:
            if self.faults:
                self.faults -= 1
                msg = "not now"
                raise StoreError(msg)
            return super().notes()

    monkeypatch.setattr("otel_llmcost_collector.accounting.bookkeeper._MOST_IN_MEMORY", 1)
    ledger = Slow()
    store.problem = StoreError("no answer")
    accountant = opened(ledger, budget("all", "1000"))
    for _ in range(3):
        asyncio.run(accountant.post([told()]))
    ledger.faults = 2

    store.problem = None

    assert accountant.wait_until_booked(WITHIN)
    assert Books(store).balance().settled_nano == 3 * USD
    assert "cannot be read now" in caplog.text


def test_a_loop_that_is_over_is_told_nothing(opened: Opening) -> None:
    class Waiting(FakeLedger):
        is_over = threading.Event()

        def write(self, lines: Any, note: Any) -> Any:
            assert self.is_over.wait(WITHIN)
            return super().write(lines, note)

    async def leave(accountant: Accountant) -> None:
        task = asyncio.ensure_future(accountant.post([told()]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    ledger = Waiting()
    accountant = opened(ledger)
    asyncio.run(leave(accountant))
    ledger.is_over.set()

    assert accountant.do(lambda: None).result(WITHIN) is None
    accountant.close()
    assert calls(ledger) == 1


def test_a_poorer_twin_of_long_ago_changes_nothing(opened: Opening, ledger: Ledger) -> None:
    richer = told(response_id=response_id())
    first = opened(ledger)
    post(first, [richer])
    first.close()
    accountant = opened(ledger, bounds=Bounds(reloaded=-timedelta(days=1)))

    post(accountant, [again(richer, cost_nano=7, richness=1)])

    assert (spent(ledger), calls(ledger)) == (USD, 1)
    assert accountant.counters.counts[DUPLICATES] == {("same_call",): 1}


def test_what_is_joined_in_a_batch_and_what_is_replaced_by_it_go_together(opened: Opening, ledger: Ledger) -> None:
    outer, other = told(trace_id=TRACE, richness=9), told()
    inner = told(trace_id=TRACE, parent_span_id="00f067aa0ba902b7", richness=3)
    between = told(trace_id=TRACE, span_id="00f067aa0ba902b7", parent_span_id=outer.span_id, richness=1)
    accountant = opened(ledger)

    post(accountant, [outer, other], [inner, between, again(other, richness=9, cost_nano=5 * USD)])

    assert (spent(ledger), calls(ledger)) == (6 * USD, 2)


def test_what_was_never_begun_ends_at_once(store: Store) -> None:
    Accountant(FakeLedger(), store, Policy([], NOW)).close()


def test_a_commit_that_fails_in_a_way_not_foreseen_keeps_no_other_from_being_booked(
    opened: Opening, store: Away, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = FakeLedger()
    store.problem = ZeroDivisionError()  # type: ignore[assignment]  # no error of a store
    first = opened(ledger, budget())
    post(first, [told()])
    store.problem = None
    post(first, [told(cost_nano=2 * USD)])
    first.close()

    assert Books(store).balance().settled_nano == 2 * USD
    assert "was not foreseen" in caplog.text
    post(opened(ledger, budget()))
    assert Books(store).balance().settled_nano == 3 * USD
