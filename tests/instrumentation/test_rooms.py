"""Whoever waits is let in: in turn, as soon as there is room, and never beyond the limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llmcost.core.budget import Refusal
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.window import Life, Rolling
from otel_llmcost.instrumentation.rooms import Rooms, Wait
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Hold, Store
from tests.storage.books import NOW, Books, budget, unbilled

LENGTH = timedelta(minutes=1)
HOURS = timedelta(hours=9)
LIMIT = 100
TOKENS = budget(
    "tokens",
    str(LIMIT),
    window=Rolling(LENGTH, "1m"),
    measure="tokens",
    is_rate_limit=True,
    on_limit="wait",
    max_wait=HOURS,
    marks=(),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that somebody is going to make."""

    after_seconds: int
    """Since the one before."""
    tokens: int
    used: int
    takes_seconds: int


ASKS = st.lists(
    st.builds(Ask, st.sampled_from([0, 0, 1, 20]), st.integers(1, 100), st.integers(0, 100), st.integers(0, 90)),
    max_size=25,
)


@dataclass
class Day:
    """Calls that come, wait, are sent and end, in a time that goes from one event to the next."""

    books: Books
    rooms: Rooms = field(default_factory=Rooms)
    granted: list[tuple[int, datetime, int]] = field(default_factory=list[tuple[int, datetime, int]])
    """Which call, when, and how many tokens it used."""
    overruns: int = 0

    def run(self, asks: list[Ask]) -> None:
        """Let time go on to whatever comes first: a call, the end of a wait, or of a call."""
        at, running = NOW, list[tuple[datetime, Wait | None, Generator[float, None, None]]]()
        for number, ask in enumerate(asks):
            at += timedelta(seconds=ask.after_seconds)
            wait = Wait(self.rooms, self.books.policy.waits, None)
            running.append((at, wait, self._call(number, ask, wait)))
        while running:
            position = min(range(len(running)), key=lambda each: self._due(running[each]))
            due, wait, call = running[position]
            self.books.now = max(self.books.now, self._due((due, wait, call)))
            if wait is not None and _is_rung(wait):
                wait._rung.get_nowait()
            seconds = next(call, None)
            if seconds is None:
                running.pop(position)
            else:
                running[position] = (self.books.now + timedelta(seconds=seconds), wait, call)

    def _due(self, each: tuple[datetime, Wait | None, Generator[float, None, None]]) -> datetime:
        at, wait, _ = each
        return self.books.now if wait is not None and _is_rung(wait) else at

    def _call(self, number: int, ask: Ask, wait: Wait) -> Generator[float, None, None]:
        hold = yield from self._taken(ask, wait)
        self.granted.append((number, hold.at, ask.used))
        self.overruns += max(ask.used - ask.tokens, 0)
        yield float(ask.takes_seconds)
        posting = self.books.posting(hold, 0, usage=Usage({"input_tokens": ask.used})) if ask.used else unbilled(hold)
        self.books.store.settle([posting])
        self.rooms.freed(posting)

    def _taken(self, ask: Ask, wait: Wait) -> Generator[float, None, Hold]:
        """Do as the driver does."""
        while True:
            hold = self.books.hold(0, tokens=ask.tokens)
            seconds = wait.before(hold.claims, self.books.now)
            if seconds is None:
                answer = self.books.store.reserve(hold, tell=wait.is_over)
                seconds = wait.after(answer, self.books.now)
                if seconds is None:
                    assert not isinstance(answer, Refusal)
                    wait.leave()
                    return hold
            yield seconds


def _is_rung(wait: Wait) -> bool:
    return not wait._rung.empty()


@contextmanager
def memory() -> Iterator[Store]:
    store = open_store("memory://")
    yield store
    store.close()


@contextmanager
def sqlite() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        store = open_store(f"sqlite://{Path(folder)}/ledger.db")
        yield store
        store.close()


@pytest.mark.parametrize("opened", [memory, sqlite])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=ASKS)
def test_all_who_wait_are_let_in_in_turn_and_no_window_holds_more_than_the_limit(
    opened: Callable[[], contextmanager[Store]], asks: list[Ask]
) -> None:
    """Whatever calls come, however large they are and whatever they use."""
    with opened() as store:
        day = Day(Books(store, [TOKENS]))

        day.run(asks)

    assert [number for number, *_ in day.granted] == list(range(len(asks)))
    for _, end, _ in day.granted:
        inside = sum(used for _, at, used in day.granted if end - LENGTH < at <= end)
        assert inside <= LIMIT + day.overruns
    assert day.rooms.queues == {}


@pytest.mark.parametrize("opened", [memory, sqlite])
def test_nobody_waits_longer_than_there_is_need(opened: Callable[[], contextmanager[Store]]) -> None:
    """Ten calls of the whole limit go through one after the other, a bucket more than a minute apart."""
    with opened() as store:
        day = Day(Books(store, [TOKENS]))
        day.rooms.jitter_seconds = lambda: 0.0

        day.run([Ask(0, LIMIT, LIMIT, 5)] * 10)

    assert [(at - NOW).total_seconds() for _, at, _ in day.granted] == [61.0 * number for number in range(10)]


def waiting(books: Books, rooms: Rooms, tokens: int) -> Wait:
    """Let a call be refused and stand in line."""
    wait = Wait(rooms, books.policy.waits, None)
    hold = books.hold(0, tokens=tokens)
    while wait.budget is None:
        if wait.before(hold.claims, books.now) is None:
            wait.after(books.store.reserve(hold, tell=False), books.now)
    return wait


@pytest.fixture
def books() -> Iterator[Books]:
    """All is taken."""
    with memory() as store:
        books = Books(store, [TOKENS])
        books.reserve(0, tokens=LIMIT)
        yield books


def test_only_the_first_is_woken_and_whoever_leaves_wakes_the_next(books: Books) -> None:
    """A thousand who wait do not all ask because one call ended."""
    rooms = Rooms()
    first, second, third = (waiting(books, rooms, 10) for _ in range(3))

    rooms.wake(("tokens", ""))
    assert [_is_rung(each) for each in (first, second, third)] == [True, False, False]
    second.leave()
    assert not _is_rung(third)
    first.leave()
    assert _is_rung(third)
    third.leave()
    assert rooms.queues == {}


def test_who_is_woken_again_and_again_asks_once(books: Books) -> None:
    """Many calls end while the first one asks."""
    rooms = Rooms()
    first = waiting(books, rooms, 10)
    for _ in range(5):
        rooms.wake(("tokens", ""))

    first.pause(60)

    assert not _is_rung(first)


def test_who_stands_behind_others_that_left_meanwhile_asks_at_once(books: Books) -> None:
    """Between looking and standing there, the last one may have gone, with nobody to wake."""
    rooms = Rooms()
    first = waiting(books, rooms, 10)
    second = Wait(rooms, books.policy.waits, None)
    claims = books.hold(0, tokens=10).claims

    assert second.before(claims, books.now) == 0.0
    assert second.before(claims, books.now) == HOURS.total_seconds()
    first.leave()
    assert second.before(claims, books.now) is None


def test_who_stands_behind_others_asks_a_last_time_when_his_time_is_over(books: Books) -> None:
    """He is refused with what the store says then."""
    rooms = Rooms()
    waiting(books, rooms, 10)
    second = waiting(books, rooms, 10)
    claims = books.hold(0, tokens=10).claims

    assert second.before(claims, books.now + HOURS) is None
    assert second.is_over


def test_who_came_first_is_first_wherever_he_goes(books: Books) -> None:
    """A call that got past one limit and is held up at the next stands there by its arrival, not at the end."""
    rooms = Rooms()
    here = [Wait(rooms, books.policy.waits, None) for _ in range(3)]
    for each in here:
        each._enter(("other", ""))
    here[2]._enter(("tokens", ""))
    here[1]._enter(("tokens", ""))

    assert rooms.queues == {("other", ""): [here[0]], ("tokens", ""): [here[1], here[2]]}
    assert here[2].before(books.hold(0, tokens=10).claims, books.now) is not None
    assert here[0].before(books.hold(0, tokens=10).claims, books.now) is None


def test_a_child_has_nobody_waiting(books: Books) -> None:
    """They wait in its parent."""
    rooms = Rooms()
    first = waiting(books, rooms, 10)

    rooms.forked()

    assert rooms.queues == {}
    first.leave()
    assert rooms.queues == {}


def test_a_loop_that_is_closed_is_not_woken(books: Books) -> None:
    """Nobody waits on it any more; whoever wakes him is not to suffer."""
    loop = asyncio.new_event_loop()
    wait = Wait(Rooms(), books.policy.waits, loop)
    loop.close()

    wait.ring()

    assert not wait._rung_on_loop.is_set()


def test_who_waits_for_what_no_time_brings_asks_every_second(books: Books) -> None:
    """A limit of a session has room when a call under way ends, be it another process's."""
    of_session = replace(TOKENS, name="session", window=Life("session"), max_wait=timedelta(seconds=1.5))
    books = Books(books.store, [of_session])
    books.reserve(0, {"session": "s"}, tokens=LIMIT)
    wait, hold = Wait(Rooms(), books.policy.waits, None), books.hold(0, {"session": "s"}, tokens=1)
    answer = books.store.reserve(hold, tell=False)

    assert [wait.after(answer, books.now + timedelta(seconds=each)) for each in (0, 0, 1)] == [0.0, 1.0, 0.5]
    assert wait.after(answer, books.now + timedelta(seconds=1.5)) == 0.0
    assert wait.is_over


def test_a_clock_that_is_set_back_makes_nobody_wait_longer(books: Books) -> None:
    """Of nine hours eight had passed; it is refused an hour later, whatever the clock says."""
    wait, hold = Wait(Rooms(), books.policy.waits, None), books.hold(0, tokens=1)
    hour = timedelta(hours=1)
    answer = books.store.reserve(hold, tell=False)
    wait.after(answer, books.now)

    for hours, is_over in ((8, False), (-1, False), (-0.5, False), (0, True)):
        wait.after(answer, books.now + hours * hour)
        assert wait.is_over == is_over


def test_a_wait_ends_when_it_is_rung_or_by_itself(books: Books) -> None:
    """In a thread and on a loop."""
    in_thread = Wait(Rooms(), books.policy.waits, None)
    in_thread.ring()
    in_thread.pause(3600)
    in_thread.pause(0.001)

    async def main() -> None:
        on_loop = Wait(Rooms(), books.policy.waits, asyncio.get_running_loop())
        on_loop.ring()
        await on_loop.apause(3600)
        await on_loop.apause(0.001)

    asyncio.run(main())
