"""Bookkeeping behind the caller's back: reservations at once, settlements by one thread, housekeeping now and then."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import cast

from otel_llmcost.core.alert import Alert
from otel_llmcost.core.budget import Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.errors import StoreBusyError, StoreError, UnstorableError
from otel_llmcost.storage import fork
from otel_llmcost.storage.base import AsyncStore, Hold, Posting, Store
from otel_llmcost.storage.shared import alert_of_refusal

LOGGER = logging.getLogger("otel_llmcost")

_COALESCED_SECONDS = 0.01
_GROUP = 100
"""Postings per transaction: as long as it lasts, no call of this process can reserve."""
_PATIENCE_SECONDS = 5.0
_MOST_WAITING = 100_000
_MOST_AGAIN = 10_000
_UPKEEP = timedelta(minutes=1)
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0


class Writer:
    """Keeps the books of one process in a store that it owns.

    A settlement that the store does not take is kept and tried again, so money is not lost while the process lives.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        lease: timedelta = timedelta(minutes=15),
        on_alerts: Callable[[list[Alert]], None] = lambda _: None,
        on_problem: Callable[[StoreError], None] = lambda _: None,
        on_recovery: Callable[[], None] = lambda: None,
    ) -> None:
        """Take over a store; threads start when there is something to do.

        Args:
            store: closed with the writer.
            now: the clock.
            lease: how long a reservation lasts after a sign of life; given anew to every call still under way.
            on_alerts: told what settlements and refusals fired, in the thread that found out.
            on_problem: told once when the store begins to fail, and of each posting that can never be stored.
            on_recovery: told when a store that failed takes what waited again.
        """
        self.store = store
        self.lost = 0
        """Postings given up: unstorable, or more than can be kept while the store fails."""
        self._now = now
        self._lease = lease
        self._on_alerts = on_alerts
        self._on_problem = on_problem
        self._on_recovery = on_recovery
        self._is_local = store.is_local
        self._astore = cast("AsyncStore", store) if hasattr(store, "areserve") else None
        self._begin()
        fork.watch(self)

    def _begin(self) -> None:
        self._waiting: deque[Posting] = deque()
        """Postings leave it when they are written, not when they are tried."""
        self._wake: SimpleQueue[None] = SimpleQueue()  # may be put to from a destructor, unlike an Event
        self._is_awake = False
        self._given_back: dict[str, None] = {}
        """Reservations that are to be released for calls that may ask again, as the same call, for something else."""
        self._again: deque[Posting] = deque(maxlen=_MOST_AGAIN)
        """What is released a second time."""
        self._open: dict[str, None] = {}
        self._learned: dict[str, tuple[float, ...]] = {}
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_failing = False
        self._is_closed = False
        self._aged: frozenset[str] = frozenset()
        """Calls that were under way at the last housekeeping already."""
        self._next_upkeep = self._now() + _UPKEEP

    @property
    def waiting(self) -> int:
        """How many settlements are not written yet."""
        return len(self._waiting)

    @property
    def is_async(self) -> bool:
        """Whether reservations can be waited for on an event loop."""
        return self._astore is not None

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """Take a call's claims, durably, before it is sent.

        Args:
            hold: what the call wants.
            wait: False, on an event loop: raise `StoreBusyError` instead of waiting; ask again from a thread.
            tell: False: see `Store.reserve`.

        Raises:
            StoreError: the store does not answer.
        """
        if self._is_local:
            if hold.at >= self._next_upkeep:
                self._next_upkeep = hold.at + _UPKEEP
                self.keep_up()
            return self._noted(hold, self.store.reserve(hold, tell=tell))
        if self._thread is None:
            self._start()
        return self._noted(hold, self._reserve(hold, wait=wait, tell=tell))

    async def areserve(self, hold: Hold, *, tell: bool = True) -> Refusal | Grant | None:
        """Take a call's claims as `reserve` does, waiting on the event loop; to be asked where `is_async`.

        Raises:
            StoreError: the store does not answer.
        """
        if self._astore is None:
            return self.reserve(hold, wait=False, tell=tell)
        if self._thread is None:
            self._start()
        if hold.reservation_id in self._given_back:
            await _in_thread(self._release_first)
        is_settled = not self._waiting
        answer = await self._astore.areserve(hold, tell=tell and is_settled)
        if isinstance(answer, Refusal) and not is_settled:
            await _in_thread(partial(self._write_all, _PATIENCE_SECONDS))
            answer = await self._astore.areserve(hold, tell=tell)
        return self._noted(hold, answer)

    def _noted(self, hold: Hold, answer: Refusal | Grant | None) -> Refusal | Grant | None:
        """Take in how a reservation went."""
        if not isinstance(answer, Refusal):
            if not self._is_local:
                self._open[hold.reservation_id] = None
        elif answer.told:
            self._on_alerts([alert_of_refusal(answer.claim, level, answer.spent_nano, hold) for level in answer.told])
        return answer

    def _reserve(self, hold: Hold, *, wait: bool, tell: bool) -> Refusal | Grant | None:
        if not self._waiting:
            return self.store.reserve(hold, wait=wait, tell=tell)
        if hold.reservation_id in self._given_back:
            if not wait:
                msg = "what the call held before is to be released first"
                raise StoreBusyError(msg)
            self._release_first()
        answer = self.store.reserve(hold, wait=wait, tell=False)
        if not isinstance(answer, Refusal):
            return answer
        # Calls that ended hold more than they cost until they are written: not a reason to refuse.
        if not wait:
            msg = "settlements of this process are to be written first"
            raise StoreBusyError(msg)
        self._write_all(_PATIENCE_SECONDS)
        return self.store.reserve(hold, wait=wait, tell=tell)

    def _release_first(self) -> None:
        """Write what is released: else the store takes it for held still, and releases what the call goes on with."""
        if not self._write_all(_PATIENCE_SECONDS):
            msg = "what a call held before could not be released"
            raise StoreError(msg)

    def settle(self, posting: Posting) -> None:
        """Book the end of a call; returns at once, never raises, may be called from a destructor."""
        if self._is_closed:
            self.lost += 1
            return
        if self._is_local:
            self._settle_here(posting)
            return
        self._open.pop(posting.reservation_id, None)
        if not posting.is_sent:
            self._given_back[posting.reservation_id] = None
        self._waiting.append(posting)
        if not self._is_awake:
            self._is_awake = True
            if self._thread is None:
                self._start()
            self._wake.put(None)

    def release(self, posting: Posting) -> None:
        """Release what the store may hold although its answer did not come; returns at once, never raises.

        That is done a second time later: a store that was slow may take what it was asked for after it was released.
        """
        self.settle(posting)
        if not self._is_local:
            self._again.append(posting)

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """Write what was learned with the next housekeeping."""
        self._learned.update(values)

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Write what is waiting now, in this thread; False: some of it could not be written in time."""
        is_written = self._write_all(timeout_seconds)
        if is_written:
            self._write_again()
            self._write_learned()
        return is_written

    def unwritten(self) -> list[Charge]:
        """Give the charges that the store does not have yet."""
        return [posting.charge for posting in tuple(self._waiting) if posting.charge is not None]

    def keep_up(self) -> None:
        """Do the housekeeping: renew long calls, suspect those of dead processes, write what was learned."""
        now = self._now()
        still_open = self._aged.intersection(self._open)
        self._aged = frozenset(self._open)
        try:
            self.store.renew(sorted(still_open), now + self._lease)
            self.store.expire(now)
        except StoreError as error:
            self._failed(error)
        else:
            if not self._waiting:
                self._recovered()
                self._write_again()
            self._write_learned()

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Write what is left and close the store; False: some of it could not be written in time."""
        self._is_closed = True
        self._wake.put(None)
        is_written = self.flush(timeout_seconds)
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        self.lost += len(self._waiting)
        self.store.close()
        return is_written

    def before_fork(self) -> None:
        """Nothing to do: the store comes to rest by itself."""

    def after_fork_in_parent(self) -> None:
        """Nothing to do."""

    def after_fork_in_child(self) -> None:
        """Begin anew: what waits, and what is under way, is the parent's to write."""
        self.lost = 0
        self._begin()

    def _settle_here(self, posting: Posting) -> None:
        try:
            alerts = self._try((posting,))
        except StoreError as error:
            self.lost += 1
            self._on_problem(error)
        else:
            if alerts:
                self._on_alerts(alerts)

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it, or this one, and a destructor came in between
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="otel-llmcost-writer", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            LOGGER.debug("no thread can be started any more; what is left is written at exit")
        finally:
            self._starting.release()

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        next_upkeep = time.monotonic() + _UPKEEP.total_seconds()
        while not self._is_closed:
            until_upkeep = max(next_upkeep - time.monotonic(), 0)
            with contextlib.suppress(Empty):
                self._wake.get(timeout=min(pause_seconds, until_upkeep) if self._is_failing else until_upkeep)
            if self._is_closed:
                return
            try:
                self._catch_up()
                if time.monotonic() >= next_upkeep:
                    next_upkeep = time.monotonic() + _UPKEEP.total_seconds()
                    self.keep_up()
            except Exception:  # the thread must outlive any fault: what waits is money
                LOGGER.exception("writing the ledger failed in a way that was not foreseen; it is tried again")
                self._is_failing = True
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS) if self._is_failing else _FIRST_PAUSE_SECONDS

    def _catch_up(self) -> None:
        """Write all that waits. While the store fails, `_is_awake` stays set, so that nobody wakes us early."""
        if not self._is_failing:
            time.sleep(_COALESCED_SECONDS)
            self._is_awake = False
        while self._waiting and not self._is_closed:
            if not self._write():
                self._is_awake = True
                return
            self._is_awake = False

    def _write_all(self, timeout_seconds: float) -> bool:
        until = time.monotonic() + timeout_seconds
        while self._waiting and time.monotonic() < until:
            if not self._write(max(until - time.monotonic(), 0)):
                break
        return not self._waiting

    def _write_again(self) -> None:
        again = [self._again.popleft() for _ in range(len(self._again))]
        try:
            for first in range(0, len(again), _GROUP):
                self.store.settle(again[first : first + _GROUP])
        except StoreError as error:
            self._again.extend(again)
            self._failed(error)

    def _write_learned(self) -> None:
        learned, self._learned = self._learned, {}
        try:
            if learned:
                self.store.learn(dict(learned))  # a copy: another thread may be learning still
        except StoreError as error:
            self._learned = {**learned, **self._learned}
            self._failed(error)

    def _write(self, timeout_seconds: float = -1) -> bool:
        """Write one group; False: it could not be."""
        if not self._writing.acquire(timeout=timeout_seconds):
            return False
        try:
            alerts = self._write_group([self._waiting[place] for place in range(min(len(self._waiting), _GROUP))])
        except StoreError as error:
            while len(self._waiting) > _MOST_WAITING:
                self._given_back.pop(self._waiting.popleft().reservation_id, None)
                self.lost += 1
            self._failed(error)
            return False
        finally:
            self._writing.release()
        self._recovered()
        if alerts:
            self._on_alerts(alerts)
        return True

    def _recovered(self) -> None:
        if self._is_failing:
            self._is_failing = False
            self._on_recovery()

    def _write_group(self, group: Sequence[Posting]) -> list[Alert]:
        if not group:
            return []
        try:
            alerts = self._try(group)
        except UnstorableError as error:
            if len(group) > 1:
                return [alert for posting in group for alert in self._write_group((posting,))]
            alerts = []
            self.lost += 1
            self._on_problem(error)
        for posting in group:
            self._waiting.popleft()
            if not posting.is_sent:
                self._given_back.pop(posting.reservation_id, None)
        return alerts

    def _try(self, group: Sequence[Posting]) -> list[Alert]:
        try:
            return self.store.settle(group)
        except StoreError:
            raise
        except Exception as error:  # a fault of ours in one posting must not hold up the others for ever
            msg = f"a settlement cannot be written: {error!r}"
            raise UnstorableError(msg) from error

    def _failed(self, error: StoreError) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._on_problem(error)


async def _in_thread(write: Callable[[], object]) -> None:
    """Wait for what would keep an event loop from going on."""
    import asyncio  # noqa: PLC0415 -- there is one, as this is awaited; agents without start without it

    await asyncio.get_running_loop().run_in_executor(None, write)
