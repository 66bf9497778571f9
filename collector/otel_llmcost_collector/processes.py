"""The worker processes of a collector: begun, begun anew when they die, and ended with a time to finish."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

LOGGER = logging.getLogger("otel_llmcost_collector")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_LONG_LIVED_SECONDS = 60.0
"""One that lived so long is begun anew at once."""


class Workers:
    """So many processes, all alike."""

    def __init__(self, count: int, command: Callable[[int], Sequence[str]]) -> None:
        """Begin nothing yet.

        Args:
            count: how many there are to be.
            command: says by its number, from 0, how one is begun.
        """
        self.count = count
        self.deaths = 0
        self._command = command
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._is_ending = False

    @property
    def alive(self) -> int:
        """How many there are now."""
        return len(self._running)

    def start(self) -> None:
        """Begin all, and keep them alive."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self.count)]

    async def end(self, drain_seconds: float) -> None:
        """Let all finish what they have, and end those that take longer."""
        self._is_ending = True
        for process in self._running.values():
            _send(process, signal.SIGTERM)
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=drain_seconds)
        for process in self._running.values():
            LOGGER.error("worker %d does not end and is killed; what it had not forwarded is on its disk", process.pid)
            _send(process, signal.SIGKILL)
        await asyncio.gather(*self._keepers)

    async def _keep(self, number: int) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._is_ending:
            began = monotonic()
            process = await asyncio.create_subprocess_exec(*self._command(number), stdin=asyncio.subprocess.DEVNULL)
            self._running[number] = process
            if self._is_ending:  # it was asked to while this one was begun
                _send(process, signal.SIGTERM)
            code = await process.wait()
            del self._running[number]
            if self._is_ending:
                return
            self.deaths += 1
            is_old = monotonic() - began >= _LONG_LIVED_SECONDS
            pause_seconds = _FIRST_PAUSE_SECONDS if is_old else min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
            LOGGER.error("worker %d ended with %d and is begun anew in %.1f s", number, code, pause_seconds)
            await asyncio.sleep(pause_seconds)


def _send(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(which)
