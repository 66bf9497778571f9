"""What waits for one back end: in memory, and on disk what does not fit there or has waited for longer than a moment.

With a disk, a request is accepted when it is sent or on disk, whichever is first: most never touch the disk, and the
death of the process loses none. Without one it is accepted when it is in memory.
Memory holds the oldest requests. While others wait on disk only, new ones join them there.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from otel_llmcost_collector.forwarding.base import Backend, FullError, Signal
from otel_llmcost_collector.forwarding.disk import Disk
from otel_llmcost_collector.forwarding.items import ITEM_BYTES, Item

PATIENCE_SECONDS: Final = 0.02
"""Requests that a back end has not taken by then are written to disk; most back ends nearby are faster."""
_LAST_PATIENCE_SECONDS: Final = 1.0
"""When the disk takes no more: requests that a slow back end has not taken by then are refused."""
_READ_BYTES: Final = 2 * 1024 * 1024


class Queue:
    """The requests for one back end."""

    def __init__(self, backend: Backend, disk: Disk | None) -> None:
        """Begin with what is on disk."""
        self.is_away = False
        """The back end does not answer: nobody need wait to see whether it will."""
        self.disk = disk
        self.requests = Counter[Signal]()
        """In memory."""
        self._backend = backend
        self._memory = deque[Item]()
        self._bytes = 0
        """In memory, those that are being sent included."""
        self._idle = deque[asyncio.Future[None]]()
        self._reading = asyncio.Lock()
        self._putting = 0
        self._is_closed = False
        self._still = asyncio.Event()

    @property
    def memory_bytes(self) -> int:
        """Bytes of requests in memory."""
        return self._bytes + (self.disk.writing_bytes if self.disk is not None else 0)

    def check(self, size: int) -> None:
        """Look whether there is room for a request.

        Raises:
            FullError: There is none.
        """
        if self._is_closed:
            raise FullError(self._backend.name, "nothing more is taken, since the collector ends")
        fits = self._fits(size + ITEM_BYTES)
        if self.disk is None:
            if not fits:
                raise FullError(self._backend.name, f"as many bytes wait as may: {self._backend.memory_bytes}")
            return
        if (self.is_away or self.disk.has_some or not fits) and self.disk.is_full(size):
            raise FullError(self._backend.name, "the disk, or as much of it as may be used, is full")
        # What was read back from the disk into many hands does not count here: then there is room on it.
        if self.disk.writing_bytes and self.disk.writing_bytes + size > self._backend.memory_bytes:
            raise FullError(self._backend.name, "the disk is too slow")

    async def put(self, signal: Signal, content: bytes, *, is_json: bool) -> None:
        """Return when a request is sent, or is where it waits to be.

        Raises:
            FullError: It cannot be taken.
        """
        self.check(len(content))
        item = Item(signal, content, is_json=is_json)
        if self.disk is None:
            self._append(item)
            return
        self._putting += 1
        try:
            await self._put(item, self.disk)
        except OSError as error:
            raise FullError(self._backend.name, error.strerror or str(error)) from error
        finally:
            self._putting -= 1
            self._notice_stillness()

    async def take(self) -> list[Item]:
        """Return the oldest request as soon as there is one, with small ones behind it that go along with it."""
        while True:
            if self._memory:
                return self._popped()
            if self.disk is not None and self.disk.has_some and not self._is_closed:
                async with self._reading:
                    await self._read(self.disk)
            else:
                await self._wait_for_one()

    async def done(self, items: Sequence[Item]) -> None:
        """Forget requests that need not be sent again."""
        for item in items:
            item.is_sent = True
            self._forget(item)
            item.answer()
        self._notice_stillness()
        if self.disk is not None:
            await self.disk.forget(items)

    async def drain(self) -> None:
        """Take nothing more, and return when all is sent that is in memory and all is written that was handed in."""
        self._is_closed = True
        while self._bytes or self._putting:
            self._still.clear()
            await self._still.wait()

    async def settle(self) -> Counter[Signal]:
        """Write whatever was handed in, after sending has ended; return what was in memory only and is lost."""
        self.is_away = self._is_closed = True
        for item in self._memory:
            item.answer()
        while self._putting:
            self._still.clear()
            await self._still.wait()
        if self.disk is None:
            return +self.requests
        await self.disk.close()
        return Counter()

    async def _put(self, item: Item, disk: Disk) -> None:
        if disk.has_some or disk.writing_bytes or not self._fits(item.size):
            await disk.write(item, is_in_memory=False)
            self._wake()
            return
        self._append(item)
        if not self.is_away and await item.sent_within(PATIENCE_SECONDS):
            return
        try:
            await disk.write(item, is_in_memory=True)
        except OSError:
            if not await self._is_sent_after_all(item):
                raise

    async def _is_sent_after_all(self, item: Item) -> bool:
        """Give an item that the disk does not take a last chance; take it out if nobody is sending it."""
        if item.is_sent or (not self.is_away and await item.sent_within(_LAST_PATIENCE_SECONDS)):
            return True
        if not item.is_out:
            self._memory.remove(item)
            self._forget(item)
        return False

    async def _read(self, disk: Disk) -> None:
        """Take more from the disk, the oldest first, unless somebody has done so meanwhile."""
        if not self._memory:
            room = self._backend.memory_bytes - self.memory_bytes
            for item in await disk.read(max(1, min(_READ_BYTES, room))):
                self._append(item)

    async def _wait_for_one(self) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(woken)
        try:
            await woken
        finally:
            if woken in self._idle:  # it was cancelled
                self._idle.remove(woken)

    def _popped(self) -> list[Item]:
        first = self._memory.popleft()
        items, size = [first], len(first.content)
        while self._memory and first.goes_with(self._memory[0]):
            size += len(self._memory[0].content)
            if size > self._backend.merge_bytes:
                break
            items.append(self._memory.popleft())
        for item in items:
            item.is_out = True
        return items

    def _fits(self, size: int) -> bool:
        """Whether it is within the bound; a request that is above it alone comes when nothing else is there."""
        return not self.memory_bytes or self.memory_bytes + size <= self._backend.memory_bytes

    def _append(self, item: Item) -> None:
        self._memory.append(item)
        self._bytes += item.size
        self.requests[item.signal] += 1
        self._wake()

    def _forget(self, item: Item) -> None:
        self._bytes -= item.size
        self.requests[item.signal] -= 1

    def _wake(self) -> None:
        while self._idle:
            woken = self._idle.pop()  # the latest one: its connection is the warmest
            if not woken.done():
                woken.set_result(None)
                return

    def _notice_stillness(self) -> None:
        if self._is_closed:
            self._still.set()
