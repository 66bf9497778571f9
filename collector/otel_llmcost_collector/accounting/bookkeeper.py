"""Books on balances what commits of the ledger left to be done, in a thread of its own: the store may be away for long.

What is not booked stays noted in the ledger, so nothing is lost with this process, and the store knows each commit by
its id, so nothing is booked twice.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from otel_llmcost.errors import StoreError, UnstorableError
from otel_llmcost.storage.base import Store
from otel_llmcost_collector.accounting.bookings import Noted
from otel_llmcost_collector.self_metrics import STORE_ERRORS, Counters

LOGGER = logging.getLogger("otel_llmcost_collector")

_MOST_IN_MEMORY = 2000
_DONE_AT_ONCE = 100
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 15.0

Task = tuple[str, Noted]
"""A commit's id, and what is to be done."""


class Bookkeeper:
    """Does what is noted, oldest first."""

    def __init__(
        self, store: Store, done: Callable[[Sequence[str]], None], read_again: Callable[[], Sequence[Task]]
    ) -> None:
        """Start nothing yet.

        Args:
            store: where balances are.
            done: is told which commits are booked; from this keeper's thread.
            read_again: reads what is noted, after more came than is kept in memory.
        """
        self.counters = Counters()
        self._store = store
        self._done = done
        self._read_again = read_again
        self._tasks: deque[Task] = deque()
        self._more = 0
        """How many are noted in the ledger alone."""
        self._changed = threading.Condition()
        self._is_closing = self._is_reading = False
        self._booked: list[str] = []
        self._thread = threading.Thread(target=self._run, name="bookkeeper", daemon=True)

    @property
    def waiting(self) -> int:
        """How many commits are not booked yet."""
        return len(self._tasks) + self._more

    def start(self, tasks: Sequence[Task]) -> None:
        """Begin with what an earlier process left."""
        self._tasks.extend(tasks)
        self._thread.start()

    def add(self, commit_id: str, noted: Noted) -> None:
        """Take on what a commit leaves to be done."""
        with self._changed:
            if self._more or self._is_reading or len(self._tasks) >= _MOST_IN_MEMORY:
                self._more += 1
            else:
                self._tasks.append((commit_id, noted))
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is booked; False: it is not after so long."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, seconds)

    def wait_for(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Wait until all is booked, and something else is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.waiting and not self._is_reading and is_so(), seconds)

    def look(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Book what can be booked within a time, then end."""
        if not self._thread.is_alive():
            return
        self.wait(seconds)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while self._has_task(pause):
            if self._is_over(*self._tasks[0]):
                pause = _FIRST_PAUSE_SECONDS
                self._end_task()
            else:
                self._rest(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._tell()

    def _is_over(self, commit_id: str, noted: Noted) -> bool:
        """Book what one commit came to; False: it is to be tried again."""
        try:
            is_booked = self.book(commit_id, noted)
        except Exception:  # one commit must not keep all others from being booked
            LOGGER.exception(
                "commit %s failed in a way that was not foreseen; the next start tries it again", commit_id
            )
            return True
        if is_booked:
            self._booked.append(commit_id)
        return is_booked

    def _has_task(self, pause: float) -> bool:
        """Wait for something to do; False: this is the end."""
        while True:
            if self._more and not self._tasks and not self._is_closing and not self._refilled():
                self._rest(pause)
            with self._changed:
                if self._is_closing:
                    return False
                if self._tasks:
                    return True
                if not self._more:
                    self._changed.wait()

    def _end_task(self) -> None:
        with self._changed:
            self._tasks.popleft()
            self._changed.notify_all()
        if len(self._booked) >= _DONE_AT_ONCE or not self._tasks:
            self._tell()

    def _tell(self) -> None:
        if self._booked:
            self._done(self._booked)
            with self._changed:
                self._booked = []
                self._changed.notify_all()

    def _is_idle(self) -> bool:
        return not (self.waiting or self._booked or self._is_reading)

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, seconds)

    def _refilled(self) -> bool:
        """Read what was noted beyond what is kept in memory; what comes meanwhile is counted, and read next time."""
        with self._changed:
            asked, self._more, self._is_reading = self._more, 0, True
        tasks: Sequence[Task] = ()
        try:
            tasks = self._read_again()
            asked = max(len(tasks) - _MOST_IN_MEMORY, 0)
        except StoreError as error:
            LOGGER.warning("what is noted for balances cannot be read now: %s", error)
        with self._changed:
            self._tasks.extend(tasks[:_MOST_IN_MEMORY])
            self._more += asked
            self._is_reading = False
            self._changed.notify_all()
        return bool(tasks) or not asked

    def book(self, commit_id: str, noted: Noted) -> bool:
        """Book what one commit came to, in whatever thread; False: the store does not do it now."""
        try:
            if noted.bookings:
                self.counters.alerted(self._store.book(commit_id, noted.bookings))
            if noted.postings:
                self.counters.alerted(self._store.settle(noted.postings))
        except UnstorableError:
            LOGGER.exception("commit %s comes to more than a balance holds, and stays in the ledger alone", commit_id)
        except StoreError as error:
            self.counters.add(STORE_ERRORS, ("balances",))
            LOGGER.warning("balances cannot be booked now, %d commits wait: %s", self.waiting, error)
            return False
        return True
