"""Keeps the books: each call charged once, in one ledger, and its cost booked on the balances it counts on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from otel_llmcost.core.policy import Policy
from otel_llmcost.errors import StoreError, UnstorableError, WireError
from otel_llmcost.storage.base import Booking, Store
from otel_llmcost_collector.accounting import bookings, entries
from otel_llmcost_collector.accounting.bookings import Assumed, Noted
from otel_llmcost_collector.accounting.bookkeeper import Bookkeeper, Task
from otel_llmcost_collector.accounting.series import Labels, Series
from otel_llmcost_collector.accounting.twins import Twins, WindowSize
from otel_llmcost_collector.accounting.writing import Request, Writing
from otel_llmcost_collector.ledger.base import Ledger, Line
from otel_llmcost_collector.observed import NOTHING_ELSEWHERE, Elsewhere, Observed
from otel_llmcost_collector.self_metrics import (
    DUPLICATES,
    LEDGER_AGE,
    LEDGER_COMMITS,
    LEDGER_ENTRIES,
    LEDGER_LAG,
    NOTES_WAITING,
    REPLACED,
    STORE_ERRORS,
    Counters,
    SelfMetric,
)

LOGGER = logging.getLogger("otel_llmcost_collector")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is taken on at a time."""

    at_once: int = 2000
    """So many calls are written in one go."""
    waiting: int = 20_000
    """So many may wait to be."""
    window: WindowSize = WindowSize()  # noqa: RUF009 -- it is frozen
    reloaded: timedelta = timedelta(minutes=10)
    """So far back calls are known after a start of which others may still tell."""


def _no_price(_model: str, _observed: Observed) -> int | None:
    return None


def _nobody(_new: Sequence[Observed]) -> None:
    return None


class Accountant:
    """Keeps one ledger and the balances beside it; see `Accounts`."""

    def __init__(  # noqa: PLR0913 -- what the books are made of, and who is told
        self,
        ledger: Ledger,
        store: Store,
        policy: Policy,
        *,
        assumed: Assumed = _no_price,
        saw: Callable[[Sequence[Observed]], object] = _nobody,
        bounds: Bounds | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take over nothing: ledger and store are the caller's to close, after this.

        Args:
            ledger: used in one thread of the accountant's only.
            store: where balances are.
            policy: the budgets in force.
            assumed: prices calls without a price for budgets that assume some model.
            saw: is told in the ledger's thread of entries that are new, reversals among them.
            bounds: None: as they are for a small machine.
            clock: tells the time.
        """
        self.counters = Counters()
        """Counted in the ledger's thread."""
        self._bounds = bounds or Bounds()
        self._ledger = ledger
        self._policy, self._assumed_cost, self._saw, self._clock = policy, assumed, saw, clock
        self._twins = Twins(self._bounds.window)
        self._series = Series({})
        self._asked: dict[asyncio.Future[Elsewhere], int] = {}
        """Who waits for the ledger → since when, in ns."""
        self._outstanding: set[str] = set()
        """Commits whose caller books them."""
        self._writing = Writing(self._commit, at_once=self._bounds.at_once, waiting=self._bounds.waiting)
        self._bookkeeper = Bookkeeper(store, self._done, lambda: self.do(self._noted).result())

    def start(self) -> None:
        """Take up what an earlier process left, and begin.

        Raises:
            StoreError: the ledger cannot be read.
        """
        self._series = Series(self._ledger.series())
        self._remember()
        tasks = self._noted()
        self._writing.start()
        self._bookkeeper.start(tasks)

    async def post(self, observed: Sequence[Observed]) -> Elsewhere:
        """See `Accounts.post`."""
        if not observed:
            return NOTHING_ELSEWHERE
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Elsewhere] = loop.create_future()
        asked_at = self._asked[future] = time.monotonic_ns()

        def told(error: StoreError | None, elsewhere: Elsewhere) -> None:
            self._asked.pop(future, None)
            self.counters.took(LEDGER_LAG, (), (time.monotonic_ns() - asked_at) // 1000)
            try:
                loop.call_soon_threadsafe(_resolve, future, error, elsewhere)
            except RuntimeError:
                LOGGER.debug("nobody waits any more: the event loop is closed")

        try:
            self._writing.submit(Request(observed, told))
        except StoreError:
            self._asked.pop(future, None)
            raise
        return await future

    def do(self, work: Callable[[], T]) -> Future[T]:
        """Do something with the ledger in its thread.

        Raises:
            StoreError: the accountant is closed.
        """
        return self._writing.do(work)

    def enter(
        self, lines: Sequence[Line], noted: Callable[[Sequence[Line]], Noted]
    ) -> tuple[frozenset[str], list[Task]]:
        """Charge what plugins settled; to be called in the ledger's thread, by `do`.

        Args:
            lines: corrections among them, which are written as they are.
            noted: says what new lines leave to be done on balances: by the caller, who says so by `settled` or `left`.

        Returns:
            Ids of the entries that are new, and what is to be done.
        """
        commits: list[Task] = []
        plain = {line.observed.charge_id: line for line in lines if line.corrects is None}
        form = entries.Form(noted, commits.append, plain, [line for line in lines if line.corrects is not None])
        try:
            new, _ = self._entered([line.observed for line in plain.values()], form)
        except BaseException:  # an interrupt, too: the caller does not hear of what was written
            for commit in commits:
                self._leave(commit)
            raise
        self._outstanding |= {commit_id for commit_id, _ in commits}
        return frozenset(line.observed.charge_id for line in new), commits

    def bookings(self, lines: Sequence[Line]) -> list[Booking]:
        """Add up what new lines come to on the balances of the budgets in force."""
        return bookings.bookings(lines, self._policy, self._clock(), self._assumed_cost)

    def at_rest(self, work: Callable[[], T], seconds: float) -> T:
        """Do something while all that is in the ledger is booked; to be called in the ledger's thread, by `do`.

        Raises:
            StoreError: it is not after so long.
        """
        if not self._bookkeeper.wait_for(lambda: not self._outstanding, seconds):
            msg = "the balances lag behind the ledger"
            raise StoreError(msg)
        return work()

    def settled(self, commit_id: str) -> None:
        """Learn that the caller of `enter` has done what was noted."""
        self._outstanding.discard(commit_id)
        self._bookkeeper.look()
        self.do(lambda: self._forget([commit_id]))

    def left(self, commit_id: str, noted: Noted) -> None:
        """Learn that the caller of `enter` could not do what was noted."""
        self._bookkeeper.add(commit_id, noted)
        self._outstanding.discard(commit_id)

    def use(self, policy: Policy) -> None:
        """Put budgets in force: changed settings, or limits that are raised for a while."""
        self._policy = policy

    def series(self) -> dict[Labels, list[int]]:
        """Copy the sums that metrics are made of."""
        return self._series.sums()

    def figures(self) -> tuple[Counters, Counters]:
        """Return what is counted, each by a thread of its own."""
        now = time.monotonic_ns()
        age = now - min(list(self._asked.values()), default=now)
        self._bookkeeper.counters.put(LEDGER_AGE, (), age // 1000)
        self._bookkeeper.counters.put(NOTES_WAITING, (), self._bookkeeper.waiting)
        return self.counters, self._bookkeeper.counters

    def wait_until_booked(self, seconds: float) -> bool:
        """Wait until nothing is left to be done on balances; False: there is after so long."""
        is_booked = self._bookkeeper.wait(seconds)
        self.do(lambda: None).result()  # by then the ledger knows
        return is_booked

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, book what can be booked within a time, and end."""
        self._bookkeeper.close(seconds)
        self._writing.close()

    def _remember(self) -> None:
        """Know again the calls of the last minutes, since others may yet tell of them."""
        since = self._clock() - self._bounds.reloaded
        self._twins.plan(self._ledger.since(since, self._bounds.window.tellings))
        self._twins.keep(time.monotonic())

    def _noted(self) -> list[Task]:
        tasks: list[Task] = []
        for commit_id, body in self._ledger.notes():
            try:
                tasks.append((commit_id, bookings.decode(body)))
            except WireError:  # it stays in the ledger, for a version that can read it
                LOGGER.exception("commit %s is not booked", commit_id)
        return tasks

    def _done(self, commit_ids: Sequence[str]) -> None:
        ids = list(commit_ids)
        self.do(lambda: self._forget(ids))

    def _forget(self, commit_ids: Sequence[str]) -> None:
        try:
            self._ledger.done(commit_ids)
        except StoreError as error:  # they are booked again at the next start, to no effect
            self._failed(error)

    def _commit(self, requests: Sequence[Request]) -> None:
        """Write requests together; what one of them does to the ledger is no fault of the others."""
        elsewhere = NOTHING_ELSEWHERE
        try:
            elsewhere = self._charge([each for request in requests for each in request.observed])
            error = None
        except StoreError as problem:
            self._failed(problem)
            error = problem
        except Exception as problem:  # whatever one request does to us, the next one is written
            LOGGER.exception("a commit failed in a way that was not foreseen")
            error = UnstorableError(f"the accountant failed: {type(problem).__name__}")
        if isinstance(error, UnstorableError) and len(requests) > 1:
            for request in requests:
                self._commit([request])
            return
        for request in requests:
            request.told(error, _among(request.observed, elsewhere))

    def _charge(self, observed: Sequence[Observed]) -> Elsewhere:
        """Charge calls; return which of them are charged elsewhere."""
        _, in_doubt = self._entered(observed, entries.Form(self._noted_of, self._leave))
        return self._twins.elsewhere(in_doubt) if in_doubt else NOTHING_ELSEWHERE

    def _entered(self, observed: Sequence[Observed], form: entries.Form) -> tuple[list[Line], Sequence[str]]:
        """Charge calls; return the lines that are new, and ids of tellings that may be charged elsewhere."""
        plan = self._twins.plan(observed)
        known: dict[int, str] = {}
        try:
            lines = [*form.dressed(entries.lines_of(plan, self._twins, self._ledger)), *form.corrections]
            new = self._written(lines, form, known)
        except BaseException:  # an interrupt, too, leaves nothing remembered that is not in the ledger
            self._twins.drop()
            raise
        self._twins.keep(time.monotonic())
        self._count(DUPLICATES, plan.same_spans, ("same_span",))
        self._count(DUPLICATES, plan.same_calls, ("same_call",))
        if known:
            new += self._enriched(lines, known, form)
            plan.in_doubt += [lines[place].observed.charge_id for place in known]
        return new, plan.in_doubt

    def _enriched(self, lines: Sequence[Line], known: Mapping[int, str], form: entries.Form) -> list[Line]:
        """Replace what the ledger knew less of."""
        try:
            return self._written(form.dressed(entries.richer(lines, known, self._twins, self._ledger)), form, {})
        except BaseException:  # as above
            self._twins.forget([lines[place].observed.charge_id for place in known])
            raise

    def _written(self, lines: Sequence[Line], form: entries.Form, known: dict[int, str]) -> list[Line]:
        """Write lines; return those that are new, and hand on what they leave to be done."""
        if not lines:
            return []
        made: list[Noted] = []

        def note(new: Sequence[Observed]) -> bytes | None:
            if not (form.plain or form.corrections or self._policy.budgets):
                return None
            of_id = {line.observed.charge_id: line for line in lines}
            made[:] = [form.noted([of_id[each.charge_id] for each in new])]
            return bookings.encode(made[0]) if made[0] else None

        written = self._ledger.write(lines, note)
        if written.commit_id is not None:
            form.take((written.commit_id, made[0]))
        known |= written.known_calls
        new = bookings.new_of(lines, written.is_new)
        self._learn(new, len(lines) - len(new) - len(known))
        self._count(DUPLICATES, len(known), ("same_call",))
        return new

    def _learn(self, new: Sequence[Line], duplicates: int) -> None:
        """Move what is made of the ledger by what is new in it."""
        self._series.add(new)
        self.counters.add(LEDGER_COMMITS)
        self._count(LEDGER_ENTRIES, len(new))
        self._count(DUPLICATES, duplicates, ("same_span",))
        self._count(REPLACED, sum([line.is_reversal for line in new]))
        try:
            self._saw([line.observed for line in new])
        except Exception:  # who only looks on must not keep anybody from booking
            LOGGER.exception("what is new in the ledger could not be shown")

    def _noted_of(self, new: Sequence[Line]) -> Noted:
        return Noted(self.bookings(new))

    def _leave(self, task: Task) -> None:
        self._bookkeeper.add(*task)

    def _failed(self, error: StoreError) -> None:
        self.counters.add(STORE_ERRORS, ("ledger",))
        LOGGER.warning("the ledger failed: %s", error)

    def _count(self, metric: SelfMetric, by: int, labels: tuple[str, ...] = ()) -> None:
        if by:
            self.counters.add(metric, labels, by)


def _among(observed: Sequence[Observed], elsewhere: Elsewhere) -> Elsewhere:
    if not elsewhere:
        return elsewhere
    return {each.charge_id: elsewhere[each.charge_id] for each in observed if each.charge_id in elsewhere}


def _resolve(future: asyncio.Future[Elsewhere], error: StoreError | None, elsewhere: Elsewhere) -> None:
    if future.done():
        return  # whoever waited was cancelled
    if error is None:
        future.set_result(elsewhere)
    else:
        future.set_exception(error)
