"""Clocks to wait by: time passes where all would wait for it, and nobody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Lock

import pytest

from otel_llmcost.instrumentation.driver import Driver

_MOST_LOOKS = 30_000
_LOOK_SECONDS = 0.002
"""How long somebody who waits for the clock looks whether somebody else woke him."""


class Clock:
    """Stands still while any call is busy; where all wait, it goes on to the first instant that one waits for."""

    def __init__(self, driver: Driver, *, left_open: int = 0) -> None:
        """Take the place of a driver's clock, and of the ways it waits.

        Args:
            driver: whose calls wait.
            left_open: so many calls are under way and never end by themselves.
        """
        self._driver = driver
        self._left_open = left_open
        self.began = self.at = datetime.now(UTC).replace(second=0, microsecond=0)
        self._lock = Lock()
        self._untils: list[datetime] = []
        driver.now = lambda: self.at
        driver.rooms.pause = self.pause
        driver.rooms.apause = self.apause
        driver.rooms.jitter_seconds = lambda: 0.0

    @property
    def passed_seconds(self) -> float:
        return (self.at - self.began).total_seconds()

    def pause(self, rung: SimpleQueue[None], seconds: float) -> None:
        """Wait in a thread."""
        with self._waits(seconds) as until:
            for _ in self._looks_until(until):
                with suppress(Empty):
                    rung.get(timeout=_LOOK_SECONDS)
                    return

    async def apause(self, rung: asyncio.Event, seconds: float) -> None:
        """Wait on an event loop."""
        with self._waits(seconds) as until:
            for _ in self._looks_until(until):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await rung.wait()
                        return

    @contextmanager
    def _waits(self, seconds: float) -> Generator[datetime]:
        with self._lock:
            until = self.at + timedelta(seconds=seconds)
            self._untils.append(until)
        try:
            yield until
        finally:
            with self._lock:
                self._untils.remove(until)

    def _looks_until(self, until: datetime) -> Iterator[None]:
        for _ in range(_MOST_LOOKS):
            if self._is_over(until):
                return
            yield
        pytest.fail("time does not pass, as a call neither waits nor ends")

    def _is_over(self, until: datetime) -> bool:
        """Let the time pass if all wait, and who asks is the first."""
        with self._lock:
            is_idle = len(self._driver.flows) <= len(self._untils) + self._left_open
            if is_idle and until == min(self._untils):
                self.at = max(self.at, until)
            return self.at >= until
