"""What a process does beside its calls, every so often: one thread, begun with the first call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from time import monotonic
from typing import NamedTuple

from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.storage import fork

_PATIENCE_SECONDS = 1.0
"""For a chore that is under way when the process ends, so that no store is closed under it."""

_logger = logging.getLogger("otel_llmcost")


class Chore(NamedTuple):
    """Something to do again and again."""

    what: str
    """As a log tells it if it fails, such as "look for stops"."""
    every_seconds: float
    do: Callable[[], None]


class Chores:
    """Does chores in a thread; what fails is logged, and done again when its time comes."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        """Start nothing yet."""
        self._chores = tuple(chores)
        self.is_running = False
        self._thread: threading.Thread | None = None
        self._begin()
        fork.watch(self)

    def start(self) -> None:
        """Begin, unless it is begun; to be called by every call."""
        if self.is_running or not self._starting.acquire(blocking=False):
            return
        try:
            if not self.is_running and not self._closing.is_set():
                self.is_running = True
                # In a context of its own: else baggage and trace of the first call would stay with the thread.
                run = Context().run
                thread = threading.Thread(target=run, args=(self._run,), name="otel-llmcost-chores", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            _logger.debug("no thread can be started any more: the process ends")
        finally:
            self._starting.release()

    def run_due(self, now: float) -> float:
        """Do what is due; return for how many seconds nothing is.

        Nothing is due at the first time: it was looked at as the process began, and what a duty loads is not for
        agents that soon end.

        Args:
            now: by a clock that never goes back, in seconds.
        """
        for chore in self._chores:
            if not self._closing.is_set() and now >= self._due.setdefault(chore.what, now + chore.every_seconds):
                self._due[chore.what] = now + chore.every_seconds
                with contained(chore.what):
                    chore.do()
        return max(min(self._due.values(), default=now) - now, 0.0)

    def close(self) -> None:
        """Do nothing more; what is being done now is waited for, but not for long."""
        self._closing.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_SECONDS)

    def before_fork(self) -> None:
        """Nothing to do: nothing is held."""

    def after_fork_in_parent(self) -> None:
        """Nothing to do."""

    def after_fork_in_child(self) -> None:
        """Begin anew: the thread stayed with the parent."""
        self.is_running = False
        self._begin()

    def _begin(self) -> None:
        self._starting = threading.Lock()
        self._closing = threading.Event()
        self._thread = None
        self._due: dict[str, float] = {}

    def _run(self) -> None:
        closing = self._closing
        while not closing.wait(self.run_due(monotonic())):
            pass
