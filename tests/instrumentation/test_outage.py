"""While the store is away, budgets hold on what was known of them, and on what this process spends since."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from otel_llmcost.core.budget import Refusal
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.window import parse_window
from otel_llmcost.errors import BudgetExceededError, StoreError
from otel_llmcost.instrumentation.desk import Desk
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.rooms import Rooms
from otel_llmcost.storage.base import Hold, Posting
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.writer import Writer
from tests.storage.books import NOW, USD, Books, budget, charge

AWAY = StoreError("no answer")


def outage_of(books: Books, *latest_usd: float) -> Outage:
    """Let a store go away that was looked at half a minute ago, and what this process spent after that."""
    at = NOW + timedelta(seconds=10)
    own = [charge(at, cost_nano=int(usd * USD)) for usd in latest_usd]
    outage = Outage(lambda: own)
    spans = [(each, each.window.at(NOW)) for each in books.budgets]
    outage.know(books.store.balances(spans), NOW)
    books.now = NOW + timedelta(seconds=30)
    return outage


def ask(outage: Outage, books: Books, usd: float) -> Hold | None:
    """Ask for room; None: refused."""
    hold = books.hold(usd)
    return None if isinstance(outage.reserve(hold, books.policy, AWAY), Refusal) else hold


@pytest.mark.parametrize("window", ["day", "24h", "5h"])
def test_what_others_spent_until_then_is_spent(window: str) -> None:
    books = Books(MemoryStore(), [budget("b", "10", window=parse_window(window))])
    books.spend(7)
    books.reserve(1)
    outage = outage_of(books)

    assert ask(outage, books, 2.5) is None
    assert ask(outage, books, 2) is not None


def test_what_this_process_spent_since_is_spent_too() -> None:
    books = Books(MemoryStore(), [budget("b", "10")])
    outage = outage_of(books, 4, 3)

    assert ask(outage, books, 4) is None
    assert ask(outage, books, 3) is not None


def test_what_is_given_back_during_the_outage_may_be_taken_again() -> None:
    books = Books(MemoryStore(), [budget("b", "10")])
    outage = outage_of(books)
    hold = ask(outage, books, 8)
    assert hold is not None
    assert ask(outage, books, 8) is None

    outage.settle(Posting(reservation_id=hold.reservation_id, claims=hold.claims, charge=None, assumed={}))

    assert ask(outage, books, 8) is not None


def test_a_window_that_began_since_begins_at_nothing() -> None:
    books = Books(MemoryStore(), [budget("b", "10")])
    books.spend(9)
    outage = outage_of(books)
    books.now = NOW + timedelta(days=1)

    assert ask(outage, books, 10) is not None


def test_a_closed_budget_refuses_every_call() -> None:
    books = Books(MemoryStore(), [budget("b", "10", on_store_error="closed")])

    with pytest.raises(BudgetExceededError, match="is closed while its store is out of reach"):
        ask(outage_of(books), books, 1)


def test_it_is_said_once_when_it_begins_and_once_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    books = Books(MemoryStore(), [budget("b", "10")])
    outage = outage_of(books)

    with caplog.at_level(logging.WARNING, "otel_llmcost"):
        ask(outage, books, 1)
        ask(outage, books, 1)
        outage.is_over()
        outage.is_over()

    assert caplog.text.count("the store is out of reach") == 1
    assert "as they stood at 10:30:00" in caplog.text
    assert caplog.text.count("the store is there again: 2 calls were decided without it") == 1


def test_the_next_outage_begins_with_what_is_known_then() -> None:
    books = Books(MemoryStore(), [budget("b", "10")])
    outage = outage_of(books)
    ask(outage, books, 9)
    outage.is_over()

    assert ask(outage, books, 9) is not None


class Comes(MemoryStore):
    """A store that is away as long as a test says so."""

    is_local = False
    is_away = False

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> object:  # type: ignore[override]
        if self.is_away:
            raise AWAY
        return super().reserve(hold, wait=wait, tell=tell)


def test_calls_that_began_without_the_store_are_booked_when_it_is_there_again() -> None:
    store = Comes()
    books = Books(store, [budget("b", "10")])
    policy = Policy(books.budgets, NOW)
    desk = Desk(Writer(store, now=lambda: NOW), Outage(), Rooms())
    store.is_away = True
    during = books.hold(4)
    desk.reserve(during, policy, tell=True)
    desk.book(books.posting(during, 5))

    store.is_away = False
    after = books.hold(1)
    desk.reserve(after, policy, tell=True)
    desk.writer.flush(5)

    assert not desk.outage.is_on
    assert books.balance("b").settled_nano == 5 * USD
    assert books.balance("b").reserved_nano == 1 * USD
    desk.writer.close()


class Mute(Comes):
    """A store that does what it is asked for, and whose answers get lost as long as a test says so."""

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> object:
        answer = MemoryStore.reserve(self, hold, wait=wait, tell=tell)
        if self.is_away:
            raise AWAY
        return answer


def mute_desk(**more: str) -> tuple[Books, Desk]:
    books = Books(Mute(), [budget("b", "10", **more)])
    books.store.is_away = True
    return books, Desk(Writer(books.store, now=lambda: NOW), Outage(), Rooms())


def test_what_the_store_took_without_saying_so_is_released_if_the_call_is_refused() -> None:
    """Else it would be suspected spend of a call that was never sent, until the window ends."""
    books, desk = mute_desk(on_store_error="closed")
    hold = books.hold(4)
    with pytest.raises(BudgetExceededError):
        desk.reserve(hold, books.policy, tell=True)
    assert books.balance("b").reserved_nano == 4 * USD

    desk.let_go(hold.reservation_id)
    desk.writer.flush(5)

    assert books.balance("b").reserved_nano == 0
    assert desk.unsure == {}
    desk.writer.close()


def test_a_call_that_goes_on_without_the_store_keeps_what_the_store_took() -> None:
    books, desk = mute_desk()
    hold = books.hold(4)
    desk.reserve(hold, books.policy, tell=True)

    desk.let_go(hold.reservation_id)
    desk.writer.flush(5)

    assert books.balance("b").reserved_nano == 4 * USD
    desk.writer.close()


def test_a_call_that_waits_until_the_store_answers_keeps_what_it_holds() -> None:
    books, desk = mute_desk(on_store_error="closed")
    hold = books.hold(4)
    with pytest.raises(BudgetExceededError):
        desk.reserve(hold, books.policy, tell=False)
    books.store.is_away = False
    desk.reserve(hold, books.policy, tell=True)

    desk.let_go(hold.reservation_id)
    desk.writer.flush(5)

    assert books.balance("b").reserved_nano == 4 * USD
    desk.writer.close()


async def test_what_was_taken_unseen_for_a_task_that_is_cancelled_is_released() -> None:
    books, desk = mute_desk()
    hold, asked = books.hold(4), asyncio.get_running_loop().create_future()
    asked.set_exception(AWAY)
    books.store.is_away = False
    desk.reserve(hold, books.policy, tell=True)

    desk._give_back_late(hold, asked)
    desk.writer.flush(5)

    assert books.balance("b").reserved_nano == 0
    desk.writer.close()
