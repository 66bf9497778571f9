"""The writer loses no settlement, keeps nobody waiting, and says when something is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otel_llmcost.core.alert import Alert
from otel_llmcost.core.budget import Grant, Refusal
from otel_llmcost.errors import StoreBusyError, StoreError, UnstorableError
from otel_llmcost.storage import writer as module
from otel_llmcost.storage.base import Hold, Posting, Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.sqlite import SqliteStore
from otel_llmcost.storage.writer import Writer
from tests.storage.books import LEASE, USD, Books, budget, unbilled

SECONDS = 20


class ShakyStore(MemoryStore):
    """Balances that seem to be far away and fail as they are told."""

    is_local = False  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False
        self.groups: list[int] = []
        self.tried = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        assert self.may_go_on.wait(SECONDS)
        self.tried.release()
        self._fail_if_down()
        if any(posting.charge is not None and posting.charge.method == "unstorable" for posting in postings):
            problem = "this cannot be stored"
            raise UnstorableError(problem)
        if any(posting.charge is not None and posting.charge.method == "a bug" for posting in postings):
            raise TypeError
        self.groups.append(len(postings))
        return super().settle(postings)

    def expire(self, now: datetime) -> int:
        self._fail_if_down()
        return super().expire(now)

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        self._fail_if_down()
        super().learn(values)

    def _fail_if_down(self) -> None:
        if self.is_down:
            problem = "the disk is full"
            raise StoreError(problem)


class AsyncShakyStore(ShakyStore):
    """The same, to be waited for on an event loop."""

    async def areserve(self, hold: Hold, *, tell: bool = True) -> Refusal | Grant | None:
        return self.reserve(hold, tell=tell)


class Desk:
    """A writer with its store, its clock, and what it said."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.alerts: list[str] = []
        self.problems: list[str] = []
        self.alerted = threading.Event()
        self.books = Books(store, **more)
        self.writer = Writer(
            store,
            now=lambda: self.books.now,
            lease=LEASE,
            on_alerts=self._hear,
            on_problem=self._hear_problem,
            on_recovery=lambda: self.problems.append("over"),
        )

    def _hear(self, alerts: list[Alert]) -> None:
        self.alerts += [alert.level for alert in alerts]
        self.alerted.set()

    def _hear_problem(self, error: StoreError) -> None:
        self.problems.append(str(error))

    def call(self, usd: float, *, held: float | None = None, **changes: Any) -> Posting:
        hold = self.books.hold(usd if held is None else held)
        assert self.writer.reserve(hold) is None
        posting = self.books.posting(hold, usd, **changes)
        self.writer.settle(posting)
        return posting


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk(ShakyStore())
    yield made
    made.books.store.may_go_on.set()
    made.books.store.is_down = False
    made.writer.close()


@pytest.fixture(params=["memory", "sqlite"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "ledger.db"))
    yield made
    made.writer.close()


def test_what_is_settled_is_written_by_the_end_of_a_flush(any_desk: Desk) -> None:
    for _ in range(3):
        any_desk.call(1)

    assert any_desk.writer.flush()

    balance = any_desk.books.balance()
    assert (balance.settled_nano, balance.reserved_nano, any_desk.writer.waiting) == (3 * USD, 0, 0)


def test_what_a_settlement_fires_is_told_without_anybody_asking(any_desk: Desk) -> None:
    any_desk.call(8)

    assert any_desk.alerted.wait(SECONDS)
    assert any_desk.alerts == ["warning"]


def test_a_settlement_does_not_wait_for_the_store(desk: Desk) -> None:
    desk.books.store.may_go_on.clear()

    desk.call(1)

    assert desk.writer.waiting == 1
    desk.books.store.may_go_on.set()
    assert desk.writer.flush()


def test_settlements_that_come_together_are_written_together(desk: Desk) -> None:
    store = desk.books.store
    store.may_go_on.clear()
    for _ in range(4):
        desk.call(1)

    store.may_go_on.set()
    desk.writer.flush()

    assert sum(store.groups) == 4
    assert len(store.groups) < 4


def test_a_call_is_not_refused_for_what_ended_calls_still_hold(desk: Desk) -> None:
    """The first holds 9 and costs 1; until that is written, its 9 are in the way."""
    desk.books.store.is_down = True
    desk.call(1, held=9)
    hold = desk.books.hold(5)

    with pytest.raises(StoreBusyError, match="to be written first"):
        desk.writer.reserve(hold, wait=False)
    desk.books.store.is_down = False
    assert desk.writer.reserve(hold) is None

    balance = desk.books.balance()
    assert (balance.settled_nano, balance.reserved_nano, balance.refused) == (USD, 5 * USD, 0)


def test_a_call_that_does_not_fit_is_refused_and_counted_once(any_desk: Desk) -> None:
    any_desk.call(9)

    assert any_desk.writer.reserve(any_desk.books.hold(5)) is not None

    assert any_desk.books.balance().refused == 1


def test_what_a_refusal_fires_is_told_too(any_desk: Desk) -> None:
    for _ in range(2):
        assert any_desk.writer.reserve(any_desk.books.hold(11)) is not None

    assert any_desk.alerts == ["exceeded"]


def test_a_store_that_fails_is_said_once_and_tried_again_until_it_takes_all(desk: Desk) -> None:
    store = desk.books.store
    store.is_down = True
    desk.call(1)
    desk.call(2)
    for _ in range(3):
        assert store.tried.acquire(timeout=SECONDS)

    assert desk.problems == ["the disk is full"]
    assert not desk.writer.flush(1)
    store.is_down = False
    assert desk.writer.flush()

    assert (desk.books.balance().settled_nano, desk.writer.lost) == (3 * USD, 0)


def test_the_writer_itself_comes_back_after_an_outage(desk: Desk) -> None:
    desk.books.store.is_down = True
    desk.call(8)
    assert desk.books.store.tried.acquire(timeout=SECONDS)

    desk.books.store.is_down = False

    assert desk.alerted.wait(SECONDS)
    assert desk.books.balance().settled_nano == 8 * USD


def test_a_second_outage_is_said_again(desk: Desk) -> None:
    for _ in range(2):
        desk.books.store.is_down = True
        desk.call(1)
        assert not desk.writer.flush(1)
        desk.books.store.is_down = False
        assert desk.writer.flush()

    assert desk.problems == ["the disk is full", "over"] * 2


@pytest.mark.parametrize("method", ["unstorable", "a bug"])
def test_one_settlement_that_cannot_be_written_does_not_hold_up_the_others(desk: Desk, method: str) -> None:
    desk.books.store.may_go_on.clear()
    for how in ("reported", method, "reported"):
        desk.call(1, method=how)
    desk.books.store.may_go_on.set()

    assert desk.writer.flush()

    assert desk.books.balance().settled_nano == 2 * USD
    assert (desk.writer.lost, len(desk.problems)) == (1, 1)


def test_while_the_store_fails_only_so_much_is_kept_and_what_is_lost_is_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    desk.books.store.is_down = True
    for _ in range(5):
        desk.call(1)

    assert not desk.writer.flush(1)

    assert (desk.writer.waiting, desk.writer.lost) == (3, 2)
    desk.books.store.is_down = False
    assert desk.writer.flush()
    assert desk.books.balance().settled_nano == 3 * USD


def test_a_long_call_is_renewed_for_as_long_as_it_lives(desk: Desk) -> None:
    hold = desk.books.reserve(1)
    stream = desk.books.hold(2)
    desk.writer.reserve(stream)

    for _ in range(4):
        desk.books.now += timedelta(minutes=5)
        desk.writer.keep_up()

    balance = desk.books.balance()
    assert (balance.reserved_nano, balance.suspected_nano) == (2 * USD, hold.claims[0].amount_nano)
    desk.writer.settle(unbilled(stream))
    desk.writer.flush()
    assert desk.books.store.open_reservations() == 0


def test_in_memory_the_housekeeping_comes_with_the_calls() -> None:
    desk = Desk(MemoryStore())
    desk.books.reserve(1)

    desk.books.now += LEASE
    desk.call(1)

    assert desk.books.balance().suspected_nano == USD


def test_housekeeping_that_fails_is_said_and_what_was_learned_is_kept_for_the_next(desk: Desk) -> None:
    store = desk.books.store
    desk.writer.learn({"gpt-4o": (1.0,), "claude": (0.9,)})
    store.is_down = True
    desk.writer.keep_up()
    desk.writer.flush()
    desk.writer.learn({"gpt-4o": (1.1,)})

    store.is_down = False
    desk.writer.keep_up()

    assert store.learned() == {"gpt-4o": (1.1,), "claude": (0.9,)}
    store.is_down = True
    desk.writer.keep_up()
    assert desk.problems == ["the disk is full", "over", "the disk is full"]


def test_a_listener_that_fails_stops_no_settlement(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_alerts: list[Alert]) -> None:
        raise LookupError

    desk.writer._on_alerts = fail
    desk.call(8)
    assert desk.books.store.tried.acquire(timeout=SECONDS)

    desk.call(0.5)

    assert desk.books.store.tried.acquire(timeout=SECONDS)
    assert desk.writer.flush()
    assert desk.books.balance().settled_nano == 8.5 * USD
    assert "not foreseen" in caplog.text


def test_without_a_thread_settlements_are_written_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the interpreter is shutting down, no thread can be started any more."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError

    monkeypatch.setattr(threading.Thread, "start", refuse)
    desk = Desk(SqliteStore(tmp_path / "ledger.db"))
    desk.call(1)
    assert desk.writer.waiting == 1

    assert desk.writer.close()

    again = Books(SqliteStore(tmp_path / "ledger.db"))
    assert again.balance().settled_nano == USD
    again.store.close()


def test_what_was_learned_is_written_by_a_flush(any_desk: Desk) -> None:
    any_desk.writer.learn({"gpt-4o": (1.0,)})
    any_desk.writer.learn({"gpt-4o": (1.1,), "claude": (0.9,)})

    any_desk.writer.flush()

    assert any_desk.books.store.learned() == {"gpt-4o": (1.1,), "claude": (0.9,)}


def test_closing_writes_what_is_left_and_closes_the_store(tmp_path: Path) -> None:
    desk = Desk(SqliteStore(tmp_path / "ledger.db"))
    desk.call(1)

    assert desk.writer.close()

    again = Books(SqliteStore(tmp_path / "ledger.db"))
    assert again.balance().settled_nano == USD
    again.store.close()
    with pytest.raises(StoreError, match="closed"):
        desk.books.balance()


def test_what_cannot_be_written_at_the_end_is_counted_as_lost() -> None:
    desk = Desk(ShakyStore())
    desk.call(1)
    desk.writer.flush()
    desk.books.store.is_down = True
    desk.call(1)

    assert not desk.writer.close(0.5)

    assert desk.writer.lost == 1
    assert [charge.cost_nano for charge in desk.writer.unwritten()] == [USD]


@pytest.mark.parametrize("make", [MemoryStore, ShakyStore])
def test_a_settlement_after_the_end_is_counted_as_lost_not_raised(make: Callable[[], Store]) -> None:
    """Streams dropped while the interpreter shuts down settle from their destructors."""
    desk = Desk(make())
    desk.writer.close()

    desk.writer.settle(replace(unbilled(desk.books.hold(1)), charge=None))

    assert desk.writer.lost == 1


def test_a_call_may_be_settled_from_a_destructor_amid_a_settlement(any_desk: Desk) -> None:
    """The garbage collector runs destructors wherever it likes, also while the books are being written."""
    desk = any_desk
    inner = desk.books.hold(1)
    assert desk.writer.reserve(inner) is None

    class Dropped(dict[str, int]):
        def get(self, *arguments: Any) -> Any:
            desk.writer.settle(desk.books.posting(inner, 1))
            return super().get(*arguments)

    hold = desk.books.hold(2)
    assert desk.writer.reserve(hold) is None
    desk.writer.settle(desk.books.posting(hold, None, assumed=Dropped(all=2 * USD)))

    assert desk.writer.flush()
    balance = desk.books.balance()
    assert (balance.settled_nano, balance.reserved_nano, balance.calls) == (3 * USD, 0, 2)


def test_threads_that_settle_at_once_lose_nothing(any_desk: Desk) -> None:
    desk = any_desk
    desk.books = Books(desk.books.store, [budget(limit="1000")])
    work = [desk.books.hold(1) for _ in range(400)]

    def settle(part: list[Any]) -> None:
        for hold in part:
            assert desk.writer.reserve(hold) is None
            desk.writer.settle(desk.books.posting(hold, 1))

    threads = [threading.Thread(target=settle, args=(work[place::8],)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert desk.writer.flush(SECONDS)
    balance = desk.books.balance()
    assert (balance.settled_nano, balance.calls, balance.reserved_nano) == (400 * USD, 400, 0)


def given_back(hold: Hold) -> Posting:
    return Posting(reservation_id=hold.reservation_id, claims=hold.claims, charge=None, assumed={}, is_sent=False)


def test_a_call_that_gives_back_and_asks_again_holds_what_it_asked_for_last(any_desk: Desk) -> None:
    """An action changes it: what it held before is released before, never after, it holds something else."""
    first = any_desk.books.hold(3)
    any_desk.writer.reserve(first)
    any_desk.writer.settle(given_back(first))

    any_desk.writer.reserve(replace(any_desk.books.hold(1), reservation_id=first.reservation_id))
    any_desk.writer.flush()

    assert any_desk.books.balance().reserved_nano == 1 * USD


async def test_it_does_so_on_an_event_loop_as_well() -> None:
    desk = Desk(AsyncShakyStore())
    first = desk.books.hold(3)
    await desk.writer.areserve(first)
    desk.writer.settle(given_back(first))

    await desk.writer.areserve(replace(desk.books.hold(1), reservation_id=first.reservation_id))
    desk.writer.flush()

    assert desk.books.balance().reserved_nano == 1 * USD
    desk.writer.close()


def test_whoever_may_not_wait_asks_again_from_a_thread(desk: Desk) -> None:
    """Releasing takes a transaction, and an event loop stands still for none."""
    desk.books.store.may_go_on.clear()
    hold = desk.books.hold(3)
    desk.writer.reserve(hold)
    desk.writer.settle(given_back(hold))

    with pytest.raises(StoreBusyError, match="is to be released first"):
        desk.writer.reserve(hold, wait=False)


def test_what_cannot_be_released_is_not_taken_a_second_time(desk: Desk) -> None:
    hold = desk.books.hold(3)
    desk.writer.reserve(hold)
    desk.books.store.is_down = True
    desk.writer.settle(given_back(hold))

    with pytest.raises(StoreError, match="could not be released"):
        desk.writer.reserve(hold)


def test_what_is_taken_after_it_was_released_is_released_again(desk: Desk) -> None:
    """A store that stood still may do what it was asked for in another order."""
    hold = desk.books.hold(3)
    desk.writer.release(given_back(hold))
    desk.writer._write_all(SECONDS)
    desk.books.store.reserve(hold)

    desk.writer.keep_up()

    assert desk.books.balance().reserved_nano == 0


def test_that_is_tried_until_it_can_be_done(desk: Desk) -> None:
    hold = desk.books.hold(3)
    desk.writer.release(given_back(hold))
    desk.writer._write_all(SECONDS)
    desk.books.store.reserve(hold)
    desk.books.store.is_down = True
    desk.writer._write_again()
    desk.books.store.is_down = False

    desk.writer.flush()

    assert desk.books.balance().reserved_nano == 0


def test_in_memory_once_is_enough() -> None:
    desk = Desk(MemoryStore())
    hold = desk.books.hold(3)
    desk.writer.reserve(hold)

    desk.writer.release(given_back(hold))

    assert desk.books.balance().reserved_nano == 0
    desk.writer.close()
