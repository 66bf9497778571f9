"""What plugins settle over the API is charged and booked once, whatever dies, and whoever else tells of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otel_llmcost.core.ledger import reversal
from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.fleet_store import FleetStore
from otel_llmcost_collector.observed import Observed
from tests.collector.accounting.telling import response_id, told
from tests.collector.fakes import Disk, FakeLedger, KilledError
from tests.storage.books import NOW, USD, Books, budget, charge, unbilled

WITHIN = 20.0


class Fragile(MemoryStore):
    """Balances that can be out of reach."""

    problem: BaseException | None = None

    def settle(self, postings: Any) -> Any:
        if self.problem is not None:
            raise self.problem
        return super().settle(postings)


class Node:
    """A collector's books, begun anew as often as a test likes."""

    def __init__(self, ending: ExitStack) -> None:
        self.disk = Disk()
        self.inner = Fragile()
        self._ending = ending
        self.begin()

    def begin(self) -> None:
        self.ledger = FakeLedger(self.disk)
        self.accountant = Accountant(self.ledger, self.inner, Policy([budget()], NOW), clock=lambda: NOW)
        self.accountant.start()
        self._ending.callback(self.accountant.close, 0.1)
        self.store = FleetStore(self.accountant, self.ledger, self.inner)
        self.books = Books(self.store)

    def post(self, *observed: Observed) -> None:
        asyncio.run(self.accountant.post(observed))
        assert self.accountant.wait_until_booked(WITHIN)

    @property
    def stands(self) -> tuple[int, int, int, int]:
        """What the ledger says, and what the balance does: amount, calls, held."""
        (total,) = self.store.totals([], NOW - timedelta(days=1), NOW + timedelta(days=1))
        balance = self.books.balance()
        assert (total.cost_nano, total.calls) == (balance.settled_nano, balance.calls)
        return total.cost_nano, total.calls, balance.reserved_nano, self.store.open_reservations()


@pytest.fixture
def node() -> Iterator[Node]:
    with ExitStack() as ending:
        yield Node(ending)


def test_a_call_that_was_reserved_for_is_charged_and_its_hold_given_back(node: Node) -> None:
    node.books.spend(3)

    assert node.stands == (3 * USD, 1, 0, 0)


def test_a_posting_sent_again_books_nothing(node: Node) -> None:
    posting = node.books.posting(node.books.reserve(2), 3)

    for _ in range(3):
        node.store.settle([posting, posting])

    assert node.stands == (3 * USD, 1, 0, 0)


def test_a_span_behind_its_charge_adds_nothing(node: Node) -> None:
    posting = node.books.posting(node.books.reserve(2), 3)
    node.store.settle([posting])

    assert posting.charge is not None
    node.post(Observed.of(posting.charge, source="otel-llmcost", richness=9))

    assert node.stands == (3 * USD, 1, 0, 0)


def test_a_charge_behind_its_span_only_gives_back_what_was_held(node: Node) -> None:
    posting = node.books.posting(node.books.reserve(2), 3)
    assert posting.charge is not None
    node.post(Observed.of(posting.charge, source="otel-llmcost", richness=9))

    assert node.store.settle([posting]) == []

    assert node.stands == (3 * USD, 1, 0, 0)


def test_a_charge_takes_the_place_of_what_others_told_of_its_call(node: Node) -> None:
    answer = response_id()
    node.post(told(response_id=answer, cost_nano=5 * USD, at_us=told().at_us))

    node.books.spend(3, response_id=answer, estimate_nano=7, actions=("model: gpt-4o to gpt-4o-mini",))

    assert node.stands == (3 * USD, 1, 0, 0)
    found = {each.estimate_nano: each for each in node.store.charges(NOW - timedelta(days=1), NOW + timedelta(days=1))}
    assert found[7].actions == ("model: gpt-4o to gpt-4o-mini",)


def test_two_calls_of_our_plugin_that_got_one_answer_are_two_charges(node: Node) -> None:
    """Another node charged the first: a cache answered the second."""
    answer = response_id()
    node.books.spend(1, response_id=answer)
    node.accountant.close()
    node.begin()
    node.accountant._twins.forget(list(node.disk.lines))

    node.books.spend(1, response_id=answer)

    assert node.stands == (2 * USD, 2, 0, 0)


def test_a_correction_stands_in_the_ledger_and_moves_the_balance_by_the_difference(node: Node) -> None:
    hold = node.books.reserve(2)
    posting = node.books.posting(hold, 3, status="estimated", response_id="r-1")
    node.store.settle([posting])
    wrong = node.store.uncertain("r-1")
    assert wrong is not None
    right = replace(charge(wrong.at), charge_id="01a202ce-3c40-7809-80b2-a769b6729ae3", corrects=wrong.charge_id)

    for _ in range(2):
        for each in (reversal(wrong), right):
            node.store.settle([Posting(reservation_id=each.charge_id, claims=posting.claims, charge=each, assumed={})])

    assert node.stands == (USD, 1, 0, 0)
    assert node.store.uncertain("r-1") is None


def test_a_call_that_was_not_billed_is_no_matter_of_the_ledger(node: Node) -> None:
    node.store.settle([unbilled(node.books.reserve(2))])

    assert (node.store.open_reservations(), node.ledger.writes) == (0, 0)


def test_balances_out_of_reach_keep_nothing_from_being_charged(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    posting = node.books.posting(node.books.reserve(2), 3)
    node.inner.problem = StoreError("no answer")

    with caplog.at_level(logging.WARNING):
        node.store.settle([posting])
    node.inner.problem = None

    assert node.accountant.wait_until_booked(WITHIN)
    assert "is booked on balances later" in caplog.text
    assert node.stands == (3 * USD, 1, 0, 0)


def _before_it_is_written(node: Node) -> None:
    node.ledger.kill_before = node.ledger.writes


def _after_it_is_written(node: Node) -> None:
    node.ledger.kill_after = node.ledger.writes


def _before_it_is_booked(node: Node) -> None:
    node.inner.problem = KilledError()


@pytest.mark.parametrize("kill", [_before_it_is_written, _after_it_is_written, _before_it_is_booked])
def test_a_process_that_is_killed_amid_a_settlement_books_it_once(node: Node, kill: Callable[[Node], None]) -> None:
    """The plugin, which got no answer, tells it again."""
    posting = node.books.posting(node.books.reserve(2), 3)
    kill(node)
    node.accountant._bookkeeper.add = lambda *_: None  # type: ignore[method-assign]  # a dead process books nothing

    with pytest.raises(KilledError):
        node.store.settle([posting])
    node.inner.problem = None
    node.begin()
    node.store.settle([posting])

    assert node.accountant.wait_until_booked(WITHIN)
    assert node.stands == (3 * USD, 1, 0, 0)


def test_a_new_budget_counts_what_anybody_told_of(node: Node) -> None:
    node.post(told(cost_nano=2 * USD))
    node.books.spend(1)
    books = Books(node.store, [budget("new")])

    assert node.store.adopt(books.budgets, NOW) == ["new"]
    assert node.store.adopt(books.budgets, NOW) == []
    assert node.store.adopt(books.budgets, NOW, again=True) == []

    assert (books.balance("new").settled_nano, books.balance("new").calls) == (3 * USD, 2)


def test_a_new_budget_waits_for_what_is_not_booked_yet(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be counted twice."""
    monkeypatch.setattr("otel_llmcost_collector.accounting.fleet_store._ADOPTING_SECONDS", 0.01)
    posting = node.books.posting(node.books.reserve(2), 3)
    node.inner.problem = StoreError("no answer")
    node.store.settle([posting])

    with pytest.raises(StoreError, match="lag behind"):
        node.store.adopt([budget("new")], NOW)

    node.inner.problem = None
    assert node.accountant.wait_until_booked(WITHIN)
    assert node.store.adopt([budget("new")], NOW) == ["new"]


def test_what_else_is_booked_is_a_matter_of_the_balances(node: Node) -> None:
    node.store.book("c-1", [])

    assert node.books.balance().settled_nano == 0


def test_a_fault_that_nobody_foresaw_is_told_and_what_is_noted_is_booked_later(node: Node) -> None:
    posting = node.books.posting(node.books.reserve(2), 3)
    node.inner.problem = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        node.store.settle([posting])
    node.inner.problem = None
    node.begin()

    assert node.accountant.wait_until_booked(WITHIN)
    assert node.stands == (3 * USD, 1, 0, 0)


def test_what_was_written_of_a_settlement_that_failed_half_way_is_booked(node: Node) -> None:
    """One of two calls stands in the ledger as another node was told of it, and the ledger fails at that."""
    answer = response_id()
    node.post(told(response_id=answer, cost_nano=5 * USD))
    node.accountant._twins.forget(list(node.disk.lines))
    postings = [node.books.posting(node.books.reserve(1), 1, response_id=each) for each in (answer, None)]
    write = node.ledger.write

    def fail_after_that(*arguments: Any) -> Any:
        written = write(*arguments)
        node.ledger.problem = StoreError("the disk is full")
        return written

    node.ledger.write = fail_after_that  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="full"):
        node.store.settle(postings)
    node.ledger.problem, node.ledger.write = None, write  # type: ignore[method-assign]
    node.store.settle(postings)

    assert node.accountant.wait_until_booked(WITHIN)
    assert node.stands == (2 * USD, 2, 0, 0)


def test_a_correction_stands_under_the_source_of_what_it_corrects(node: Node) -> None:
    """Else a board that leaves out what the plugin told would show another's call without its correction."""
    span = Observed.of(charge(at=NOW, cost_nano=3 * USD), source="official", richness=9)
    node.post(span)

    node.store.settle([node.books.loose(reversal(span.charge()))])

    (sums,) = [amounts for labels, amounts in node.accountant.series().items() if labels[-1] == "official"]
    assert sums[:2] == [3 * USD, 3 * USD]
    assert {labels[-1] for labels in node.accountant.series()} == {"official"}
