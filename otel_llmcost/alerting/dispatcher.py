"""When alerts are delivered: in a thread that lives while there is something to deliver, bounded at exit.

Every agent loads this at its start, so what delivers is loaded only when there is something to deliver (20 ms).
"""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import Context
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from otel_llmcost.alerting.channels import is_log
from otel_llmcost.alerting.loading import loading
from otel_llmcost.core.alert import Channel

if TYPE_CHECKING:
    from otel_llmcost.alerting.bring import Bring
    from otel_llmcost.alerting.courier import Courier, Outbox
    from otel_llmcost.alerting.message import Top

CLOSE_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 60.0
"""How often to look for what others left or acknowledged, or what failed, while something is to come."""
_REST_SECONDS = 0.5
"""Between two passes, so that a storm of refusals is not a storm of queries."""

_logger = logging.getLogger("otel_llmcost")


class _Life:
    """What a process has of its own; a forked child gets a new one."""

    def __init__(self) -> None:
        # Both may be used amid their own use: a stream that the garbage collector ends may poke at any point.
        self.lock = threading.RLock()
        self.pokes: SimpleQueue[None] = SimpleQueue()
        self.closing = threading.Event()
        self.thread: threading.Thread | None = None
        self.is_poked = False
        self.ends_at: float | None = None
        """By the monotonic clock; None: not closing."""

    def wait(self, seconds: float | None) -> None:
        """Wait for a poke, and take all that came as one."""
        with suppress(Empty):
            self.pokes.get(timeout=seconds)
            while True:
                self.pokes.get_nowait()


class Dispatcher:
    """Delivers a store's alerts to channels.

    Safe for threads and for fork. Several processes on one store are fine: each delivery is taken by one of them.
    A process that dies between sending and writing back makes the delivery come twice, with the same webhook-id.
    """

    def __init__(  # noqa: PLR0913 -- what it reads and what it acts with, all of it handed in
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        *,
        clock: Callable[[], datetime],
        top: Top | None = None,
        send: Bring | None = None,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Start nothing yet.

        Args:
            outbox: the store.
            channels: where to. One that nothing can be delivered to is logged when deliveries begin, and left out.
            clock: the time now, aware.
            top: lists the agents that spent most of an alert's balance; None: webhooks say nothing of them.
            send: None: posts webhooks, and hands the rest to apprise.
            around: entered around every pass; the place to contain faults and to suppress tracing.
            jitter: 0 to 1, at random.
        """
        self._outbox = outbox
        self._clock = clock
        self._around = around
        self._channels = tuple(channels)
        self._top = top
        self._send = send
        self._jitter = jitter
        self._courier: Courier | None = None
        self._told: set[str] = set()
        self._life = _Life()
        self._watch_forks()

    def use(self, channels: Sequence[Channel]) -> None:
        """Deliver to other channels from now on; what waits for one that is gone is closed after a week."""
        with loading:
            self._channels = tuple(channels)
            self._courier = None
        self.resume()

    def poke(self) -> None:
        """Say that there may be something to deliver. Cheap; never waits for a delivery, never raises."""
        life = self._life
        with life.lock:
            life.is_poked = True
            life.pokes.put(None)
            if life.ends_at is None and (life.thread is None or not life.thread.is_alive()):
                self._start(life)

    def resume(self) -> None:
        """Take up, in the thread, what earlier runs left; without channels there is nothing to take up."""
        if not all(map(is_log, self._channels)):
            self.poke()

    def run_once(self) -> datetime | None:
        """Deliver now, in the caller's thread, what is due; return when there is something to do again, if ever.

        Raises:
            StoreError: the outbox cannot be read or written.
        """
        return self._loaded().run(self._seconds_left)

    def tell_directly(self, kind: str, text: str) -> None:
        """Tell of a fault of the store itself, past the outbox, to channels that want `critical`; once per outage.

        Args:
            kind: such as `store.failed`; the next one of the same kind is not told until `is_over`.
            text: for people.
        """
        with self._life.lock:
            if kind in self._told:
                return
            self._told.add(kind)
        _logger.error("%s: %s", kind, text)
        if self._loaded().take(kind, text):
            self.poke()

    def is_over(self, kind: str) -> None:
        """End an outage: the next one of this kind is told again."""
        self._told.discard(kind)

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Make one last attempt at what is due, no longer than this; what is left stays in the outbox."""
        life = self._life
        with life.lock:
            if life.ends_at is not None:
                return
            life.ends_at = monotonic() + timeout_seconds
            thread = life.thread
        life.pokes.put(None)
        life.closing.set()
        if thread is not None:
            thread.join(timeout_seconds)
        elif life.is_poked:
            # No thread could be started any more: Python refuses to, once it is shutting down.
            Context().run(self._pass)

    def _start(self, life: _Life) -> None:
        # In a context of its own: else baggage and trace of whoever poked first would stay with the thread.
        life.thread = threading.Thread(
            target=Context().run, args=(self._loop, life), name="otel-llmcost-alerts", daemon=True
        )
        try:
            life.thread.start()
        except RuntimeError:
            life.thread = None
            _logger.debug("no thread can be started; alerts are delivered at close, or by the next process")

    def _loop(self, life: _Life) -> None:
        pause_seconds: float | None = 0
        while True:
            life.wait(pause_seconds)
            is_last = life.ends_at is not None
            pause_seconds = self._pass()
            life.closing.wait(_REST_SECONDS)
            with life.lock:
                if is_last or (pause_seconds is None and life.pokes.empty()):
                    life.thread = None
                    life.is_poked = False
                    return

    def _pass(self) -> float | None:
        """Deliver what is due; return after how many seconds to look again; None: when poked."""
        with self._around():
            again = self.run_once()
            if again is not None:
                return min(max((again - self._clock()).total_seconds(), 0), LOOK_AGAIN_SECONDS)
            return None
        return LOOK_AGAIN_SECONDS  # `around` contained a fault

    def _seconds_left(self) -> float:
        ends_at = self._life.ends_at
        return math.inf if ends_at is None else ends_at - monotonic()

    def _watch_forks(self) -> None:
        reference = weakref.WeakMethod(self._begin_anew)

        def begin_anew() -> None:
            if (method := reference()) is not None:
                method()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=begin_anew)

    def _begin_anew(self) -> None:
        """Leave to the parent what is the parent's: its thread, and the notices that it brings."""
        self._life = _Life()
        if self._courier is not None:
            self._courier.drop_notices()

    def _loaded(self) -> Courier:
        with loading:
            if self._courier is None:
                from otel_llmcost.alerting.courier import Courier  # noqa: PLC0415 -- see the module's docstring

                self._courier = Courier(
                    self._outbox,
                    self._channels,
                    clock=self._clock,
                    top=self._top,
                    send=self._send,
                    jitter=self._jitter,
                )
            return self._courier
