"""What a rate limit promises of any store: no window ever holds more than the limit, wherever it is laid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llmcost.core.budget import Refusal
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.window import Rolling
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Hold, Posting, Store
from tests.storage.books import NOW, Books, budget, unbilled

LENGTH = timedelta(minutes=1)
TOKENS = budget("tokens", "100", window=Rolling(LENGTH, "1m"), measure="tokens", is_rate_limit=True, marks=())
REQUESTS = budget("requests", "5", window=Rolling(LENGTH, "1m"), measure="requests", is_rate_limit=True, marks=())
MONEY = budget("money", "3")


@dataclass(frozen=True, slots=True)
class Step:
    """Time passes, then a call is tried, and one under way may end."""

    seconds: float
    tokens: int
    used: int | None
    """None: none ends. More than were held is overrun."""
    is_billed: bool = True


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 0.25, 1, 7.3, 20, 59.9, 61]),
        st.integers(1, 60),
        st.none() | st.integers(0, 60),
        st.booleans(),
    ),
    max_size=40,
)


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest) -> Callable[[], Iterator[Store]]:
    """Opens a store anew for each example."""

    def opened() -> Iterator[Store]:
        with TemporaryDirectory() as folder:
            store = open_store("memory://" if request.param == "memory" else f"sqlite://{Path(folder)}/ledger.db")
            yield store
            store.close()

    return opened


def ended(books: Books, hold: Hold, tokens: int) -> Posting:
    return books.posting(hold, 0, usage=Usage({"input_tokens": tokens}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_rolling_window_holds_more_than_the_limit_and_what_was_overrun(
    opened: Callable[[], Iterator[Store]], steps: list[Step]
) -> None:
    """A window is laid behind every call that was let through: at its instant the most is in it."""
    for store in opened():
        books = Books(store, [TOKENS, REQUESTS])
        sent: dict[str, tuple[datetime, int, int]] = {}
        under_way: list[Hold] = []
        for step in steps:
            books.now += timedelta(seconds=step.seconds)
            hold = books.hold(0, tokens=step.tokens)
            if not isinstance(store.reserve(hold), Refusal):
                under_way.append(hold)
                sent[hold.reservation_id] = (hold.at, step.tokens, 0)
            if step.used is not None and under_way:
                hold = under_way.pop(0)
                at, held, _ = sent[hold.reservation_id]
                used = step.used if step.is_billed else 0
                sent[hold.reservation_id] = (at, used, max(used - held, 0))
                store.settle([ended(books, hold, used) if step.is_billed else unbilled(hold)])

        for end, _, _ in sent.values():
            inside = [each for each in sent.values() if end - LENGTH < each[0] <= end]
            assert sum(tokens for _, tokens, _ in inside) <= 100 + sum(overrun for *_, overrun in inside)
            assert len(inside) <= 5


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(st.integers(1, 40), max_size=6), tokens=st.integers(1, 120))
def test_a_call_that_is_refused_takes_nothing_of_its_other_budgets(
    opened: Callable[[], Iterator[Store]], before: list[int], tokens: int
) -> None:
    """While a call waits for one limit, what others could use of its other budgets is left to them."""
    for store in opened():
        books = Books(store, [MONEY, REQUESTS, TOKENS])
        for each in before:
            store.reserve(books.hold(0.5, tokens=each))
        names = ("money", "requests", "tokens")
        held = [(books.balance(name).held_nano, books.balance(name).refused) for name in names]

        answer = store.reserve(books.hold(0.5, tokens=tokens), tell=False)

        after = [(books.balance(name).held_nano, books.balance(name).refused) for name in names]
        assert (after == held) == isinstance(answer, Refusal)


@pytest.mark.parametrize("tokens", [30, 60, 90])
def test_a_refusal_says_when_enough_of_a_rolling_window_is_free(store: Store, tokens: int) -> None:
    """At that instant the call fits, and a moment before it does not."""
    books = Books(store, [TOKENS])
    for _ in range(3):
        store.settle([ended(books, books.reserve(0, tokens=30), 30)])
        books.now += timedelta(seconds=10)
    refusal = store.reserve(books.hold(0, tokens=tokens), tell=False)
    assert isinstance(refusal, Refusal)
    assert (refusal.held_nano, refusal.spent_nano) == (90, 90)
    assert refusal.room_us is not None

    books.now = NOW + timedelta(microseconds=refusal.room_us - int(NOW.timestamp() * 1_000_000) - 1)
    assert isinstance(store.reserve(books.hold(0, tokens=tokens), tell=False), Refusal)
    books.now += timedelta(microseconds=1)
    assert store.reserve(books.hold(0, tokens=tokens), tell=False) is None


def test_what_can_never_fit_has_no_time_to_come_back(store: Store) -> None:
    """More than the whole limit."""
    refusal = store.reserve(Books(store, [TOKENS]).hold(0, tokens=101))

    assert isinstance(refusal, Refusal)
    assert refusal.room_us is None


def test_a_request_that_was_sent_counts_whatever_came_of_it(store: Store) -> None:
    """A provider that answers 400 has counted it too; its tokens are given back."""
    books = Books(store, [TOKENS, REQUESTS])
    sent, given_up = books.reserve(0, tokens=30), books.reserve(0, tokens=30)

    store.settle([unbilled(sent), replace(unbilled(given_up), is_sent=False)])

    assert (books.balance("requests").spent_nano, books.balance("tokens").spent_nano) == (1, 0)
    assert (books.balance("requests").reserved_nano, books.balance("tokens").reserved_nano) == (0, 0)


def test_buckets_that_were_begun_out_of_order_all_count(store: Store) -> None:
    """A clock may be set back, and a thread may come late."""
    books = Books(store, [REQUESTS])
    for seconds in (50, 10, 30, 20, 40):
        books.now = NOW + timedelta(seconds=seconds)
        books.reserve(0)

    books.now = NOW + timedelta(seconds=5)
    assert isinstance(store.reserve(books.hold(0)), Refusal)
    books.now = NOW + timedelta(seconds=72)
    assert store.reserve(books.hold(0)) is None


def test_a_balance_of_many_old_buckets_is_read_by_its_new_ones(store: Store) -> None:
    """Old buckets are kept for a day; a call that comes after thousands of them counts the last minute only."""
    books = Books(store, [REQUESTS])
    for _ in range(200):
        books.now += timedelta(seconds=13)
        hold = books.hold(0)
        assert store.reserve(hold) is None
        store.settle([unbilled(hold)])

    assert books.balance("requests").spent_nano == 5
