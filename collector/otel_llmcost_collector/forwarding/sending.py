"""Send what waits for a back end, again and again until it is taken or refused for good."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.forwarding.answers import Failed, Outcome, Refused, Took
from otel_llmcost_collector.forwarding.base import Backend
from otel_llmcost_collector.forwarding.items import Item
from otel_llmcost_collector.forwarding.queued import Queue
from otel_llmcost_collector.forwarding.transports import UNREADABLE, Transport
from otel_llmcost_collector.self_metrics import Counters

LOGGER = logging.getLogger(__name__)
_DOUBLINGS: Final = 32
"""More is beyond any longest pause, and at some point beyond numbers."""
_TOLD_SECONDS: Final = 60.0
"""A back end that comes and goes is not told of more often."""


class Sender:
    """Sends the requests of one queue, several at a time."""

    def __init__(self, backend: Backend, queue: Queue, transport: Transport, counters: Counters) -> None:
        self._backend = backend
        self._queue = queue
        self._transport = transport
        self._counters = counters
        self._told = set[str]()
        self._tell_from = 0.0
        self._is_back = asyncio.Event()
        self._not_before = 0.0
        """On the event loop's clock: the back end asked for a pause."""
        self._tasks = [asyncio.create_task(self._run()) for _ in range(backend.in_flight)]

    async def end(self) -> None:
        """Stop, whatever is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._transport.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._deliver(await self._queue.take())
            except Exception:  # a fault of ours or of the disk; whatever comes next is sent all the same
                LOGGER.exception("%s: sending failed", self._backend.name)
                await asyncio.sleep(self._backend.retry.first_seconds)

    async def _deliver(self, items: Sequence[Item]) -> None:
        outcome = await self._outcome(items)
        if isinstance(outcome, Took):
            self._count_taken(items, outcome)
        elif len(items) > 1:
            for item in items:  # one that is wrong, or the size of all, is not to take the others with it
                await self._deliver([item])
            return
        else:
            self._count_refused(items[0], outcome)
        await self._queue.done(items)

    async def _outcome(self, items: Sequence[Item]) -> Took | Refused:
        """Send until there is something final."""
        first = items[0]
        content = first.content if len(items) == 1 else b"".join(item.content for item in items)
        failures = 0
        while True:
            await self._wait_until_asked()
            outcome = await self._send(first, content)
            if not isinstance(outcome, Failed):
                self._note_back()
                return outcome
            self._counters.add(self_metrics.FORWARD_RETRIED, (self._backend.name, first.signal))
            self._note_away(outcome)
            if (outcome.after_seconds or 0.0) < self._backend.retry.first_seconds:
                await self._pause(failures)  # even if it asks for none: it would be asked without end
            failures += 1

    async def _send(self, item: Item, content: bytes) -> Outcome:
        try:
            return await self._transport.send(item.signal, content, is_json=item.is_json)
        except Exception as error:  # a fault of ours; the request is kept
            if self._is_new(f"fault {type(error).__name__}"):
                LOGGER.warning("%s: sending failed", self._backend.name, exc_info=error)
            return Failed(reason="fault")

    async def _wait_until_asked(self) -> None:
        """Hold a pause that the back end asked for, whichever request it was told with."""
        clock = asyncio.get_running_loop().time
        while (seconds := self._not_before - clock()) > 0:  # noqa: ASYNC110 -- it is told how long
            await asyncio.sleep(seconds)

    async def _pause(self, failures: int) -> None:
        """Wait longer each time, but no longer than until another request got through."""
        retry = self._backend.retry
        seconds = min(retry.first_seconds * 2 ** min(failures, _DOUBLINGS), retry.most_seconds)
        seconds *= random.uniform(0.5, 1.0)  # noqa: S311 -- no secret
        at_least = min(seconds, retry.first_seconds)  # even then: it may be this request that does not get through
        await asyncio.sleep(at_least)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - at_least):
                await self._is_back.wait()

    def _note_away(self, outcome: Failed) -> None:
        now = asyncio.get_running_loop().time()
        if outcome.after_seconds is not None:
            self._not_before = max(self._not_before, now + outcome.after_seconds)
        if not self._queue.is_away and now >= self._tell_from:
            self._tell_from = now + _TOLD_SECONDS
            LOGGER.warning(
                "%s does not take requests now, which wait: %s %s", self._backend.name, outcome.reason, outcome.message
            )
        self._queue.is_away = True
        self._is_back.clear()

    def _note_back(self) -> None:
        if self._queue.is_away:
            self._queue.is_away = False
            self._is_back.set()

    def _count_taken(self, items: Sequence[Item], outcome: Took) -> None:
        labels = self._backend.name, items[0].signal
        self._counters.add(self_metrics.FORWARD_SENT, labels, len(items))
        if outcome.rejected:
            self._counters.add(self_metrics.FORWARD_REJECTED, labels, outcome.rejected)
        if outcome.message and self._is_new("partial success"):
            LOGGER.warning("%s took a request of %s but for %d: %s", *labels, outcome.rejected, outcome.message)

    def _count_refused(self, item: Item, outcome: Refused) -> None:
        name, why = self._backend.name, "unreadable" if outcome is UNREADABLE else "refused"
        self._counters.add(self_metrics.FORWARD_DROPPED, (name, item.signal, why))
        if self._is_new(outcome.reason):
            LOGGER.error(
                "%s refused a request of %s, which is dropped; more like it are only counted: %s %s",
                name,
                item.signal,
                outcome.reason,
                outcome.message,
            )

    def _is_new(self, reason: str) -> bool:
        """Whether it is the first time, which is when it is told."""
        if reason in self._told:
            return False
        self._told.add(reason)
        return True
