"""A request that waits in memory, and whoever waits to hear that it is sent."""

from __future__ import annotations

import asyncio
from typing import Final

from otel_llmcost_collector.forwarding.base import Signal
from otel_llmcost_collector.forwarding.spool import Place

ITEM_BYTES: Final = 256
"""What a request takes beside its content."""


class Item:
    """A request that waits."""

    __slots__ = ("_waiter", "content", "is_json", "is_out", "is_sent", "place", "signal", "size")

    def __init__(self, signal: Signal, content: bytes, *, is_json: bool, place: Place | None = None) -> None:
        self.signal: Signal = signal
        self.content = content
        self.is_json = is_json
        self.place = place
        """On disk; None: it is in memory only."""
        self.size = len(content) + ITEM_BYTES
        self.is_out = False
        """Somebody is sending it."""
        self.is_sent = False
        self._waiter: asyncio.Future[bool] | None = None

    def goes_with(self, other: Item) -> bool:
        """Whether two are one request if they stand one after the other, which is how protobuf merges messages."""
        return self.signal == other.signal and not self.is_json and not other.is_json

    async def sent_within(self, seconds: float) -> bool:
        """Wait until it is sent, for so long at most; return whether it is."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self.answer)
        try:
            return await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def answer(self) -> None:
        """Let whoever waits wait no longer."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self.is_sent)
