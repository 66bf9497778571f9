"""Exactly once: however often, in whatever order and batches it is sent, and whenever the accountant is killed."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Policy
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.bookings import Noted
from otel_llmcost_collector.accounting.bookkeeper import Task
from otel_llmcost_collector.accounting.fleet_store import FleetStore
from otel_llmcost_collector.accounting.series import Series
from otel_llmcost_collector.ledger.base import Ledger
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from otel_llmcost_collector.observed import Observed
from tests.collector.accounting.traffic import Traffic
from tests.collector.fakes import Disk, FakeLedger, KilledError
from tests.storage.books import NOW, Books, budget

T = TypeVar("T")

BUDGETS = (budget("all", "1000"), budget("users", "1000", per=("user",)), budget("calls", "10", measure="requests"))
DAY = timedelta(days=1)


class Steps:
    """An accountant without threads, that is killed between any two of its steps, and begun anew."""

    def __init__(self, opened: Callable[[], Ledger], dice: random.Random, kills: float) -> None:
        self._opened = opened
        self._dice = dice
        self._kills = kills
        self.balances = MemoryStore()
        """In another process, which lives."""
        self.begun = 0
        self.begin()

    def begin(self) -> None:
        self.begun += 1
        self.ledger = self._opened()
        self.accountant = Accountant(self.ledger, self.balances, Policy(BUDGETS, NOW), clock=lambda: NOW)
        self.accountant._series = Series(self.ledger.series())
        self.accountant._remember()
        self.tasks: list[Task] = list(self.accountant._noted())
        self.accountant._bookkeeper.add = self._add  # type: ignore[method-assign]
        self.accountant.do = self._do  # type: ignore[method-assign]
        self.store = FleetStore(self.accountant, self.ledger, self.balances)

    def send(self, batch: list[Observed]) -> None:
        """Send until it is taken, as senders do."""
        while True:
            with suppress(KilledError):
                self._may_die()
                self.accountant._charge(batch)
                self._may_die()
                return
            self.ledger.close()
            self.begin()

    def settle(self, charge: Charge) -> None:
        """Settle over the API until there is an answer, as plugins do."""
        claims = Policy(BUDGETS, NOW).claims(charge.tags, charge.at, None, lambda _budget, _subject: None)
        posting = Posting(reservation_id=charge.charge_id, claims=claims, charge=charge, assumed={})
        while True:
            with suppress(KilledError):
                self._may_die()
                self.store.settle([posting])
                return
            self.ledger.close()
            self.begin()

    def book(self) -> None:
        """Do what is noted, until nothing is."""
        while self.tasks:
            try:
                self._may_die()
                assert self.accountant._bookkeeper.book(*self.tasks[0])
                self._may_die()
                self.ledger.done([self.tasks.pop(0)[0]])
            except KilledError:
                self.ledger.close()
                self.begin()

    def _add(self, commit_id: str, noted: Noted) -> None:
        self._may_die()
        self.tasks.append((commit_id, noted))

    def _do(self, work: Callable[[], T]) -> Future[T]:
        """Do it here and now; a process may die before it, and behind it."""
        self._may_die()
        done: Future[T] = Future()
        done.set_result(work())
        self._may_die()
        return done

    def _may_die(self) -> None:
        if self._dice.random() < self._kills:
            raise KilledError


def soak(steps: Steps, traffic: Traffic, dice: random.Random) -> None:
    """Send all of it, booking now and then, and compare with what it must come to."""
    todo: list[Callable[[], None]] = [partial(steps.send, batch) for batch in traffic.batches()]
    todo += [partial(steps.settle, each.charge()) for each in traffic.settled]
    dice.shuffle(todo)
    for step in todo:
        step()
        if dice.random() < 0.3:
            steps.book()
    steps.book()
    (total,) = steps.ledger.totals([], NOW - DAY, NOW + DAY)
    assert (total.cost_nano, total.calls) == (traffic.cost_nano, traffic.calls)
    assert (
        sum(each.cost_nano for each in steps.ledger.charges(NOW - DAY, NOW + DAY) if each.cost_nano) == total.cost_nano
    )
    books = Books(steps.balances, BUDGETS)
    assert (books.balance("all").settled_nano, books.balance("all").calls) == (traffic.cost_nano, traffic.calls)
    assert books.balance("calls").settled_nano == traffic.calls
    by_user = {each.subject.removeprefix("user="): each.settled_nano for each in books.balances("users")}
    assert by_user == traffic.by_user
    assert steps.accountant.series() == {key: list(amounts) for key, amounts in steps.ledger.series().items()}
    assert sum(sums[0] - sums[1] for sums in steps.accountant.series().values()) == traffic.cost_nano


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), kills=st.sampled_from([0.0, 0.05, 0.4]))
def test_each_call_is_charged_and_booked_once_whenever_a_process_dies(seed: int, kills: float) -> None:
    dice, disk = random.Random(seed), Disk()
    traffic = Traffic(dice)
    traffic.add(25)

    soak(Steps(lambda: FakeLedger(disk), dice, kills), traffic, dice)


@pytest.mark.parametrize("seed", range(3))
def test_each_call_is_charged_once_in_the_real_ledger(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    traffic = Traffic(dice)
    traffic.add(120)
    steps = Steps(lambda: SqliteLedger(str(tmp_path / "ledger.db"), node="n-1"), dice, 0.1)

    soak(steps, traffic, dice)

    assert steps.begun > 5
    steps.ledger.close()
