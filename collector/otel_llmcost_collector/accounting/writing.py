"""The one thread that writes the ledger: what waits is gathered, written in one go, and told to be on disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from otel_llmcost.errors import StoreBusyError, StoreError
from otel_llmcost_collector.observed import Elsewhere, Observed

LOGGER = logging.getLogger("otel_llmcost_collector")

T = TypeVar("T")
Told = Callable[[StoreError | None, Elsewhere], object]
"""Is told, in the writing thread, that it is on disk, or why not, and which of the calls were charged elsewhere."""


@dataclass(frozen=True, slots=True)
class Request:
    """Calls that somebody waits for."""

    observed: Sequence[Observed]
    told: Told


class Writing:
    """Runs commits and other work on the ledger, one after another."""

    def __init__(self, commit: Callable[[Sequence[Request]], None], *, at_once: int, waiting: int) -> None:
        """Start nothing yet.

        Args:
            commit: writes requests, and tells whoever waits.
            at_once: so many calls are gathered at most, unless one request alone has more.
            waiting: so many may wait; what comes beyond that is turned away, unless nothing waits.
        """
        self._commit = commit
        self._at_once = at_once
        self._most_waiting = waiting
        self._requests: deque[Request] = deque()
        self._works: deque[Callable[[], object]] = deque()
        self._calls_waiting = 0
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Take on a request.

        Raises:
            StoreBusyError: too much is waiting.
            StoreError: this is closed.
        """
        count = len(request.observed)
        with self._changed:
            self._check_open()
            if self._calls_waiting and self._calls_waiting + count > self._most_waiting:
                msg = f"{self._calls_waiting} calls wait for the ledger already"
                raise StoreBusyError(msg)
            self._requests.append(request)
            self._calls_waiting += count
            self._changed.notify()

    def do(self, work: Callable[[], T]) -> Future[T]:
        """Do something else with the ledger in its thread, before what waits.

        Raises:
            StoreError: this is closed.
        """
        future: Future[T] = Future()
        with self._changed:
            self._check_open()
            self._works.append(lambda: _fulfil(future, work))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Write what waits, then end."""
        with self._changed:
            if self._is_closing:
                return
            self._is_closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _check_open(self) -> None:
        if self._is_closing:
            msg = "the accountant is closed"
            raise StoreError(msg)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._requests or self._works or self._is_closing)
                works, self._works = self._works, deque()
                requests = self._gathered()
            for work in works:
                work()
            if requests:
                self._commit(requests)
            elif not works:
                return

    def _gathered(self) -> list[Request]:
        requests: list[Request] = []
        count = 0
        while self._requests and (not requests or count + len(self._requests[0].observed) <= self._at_once):
            requests.append(self._requests.popleft())
            count += len(requests[-1].observed)
        self._calls_waiting -= count
        return requests


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 -- it is raised again where the work was asked for
        future.set_exception(error)
