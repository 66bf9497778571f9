"""What waits for one back end: in memory, and on disk what does not fit there or has waited for longer than a moment.

With a disk, a request is accepted when it is sent or on disk, whichever is first: most never touch the disk, and the
death of the process loses none. Without one it is accepted when it is in memory.
Memory holds the oldest requests. While others wait on disk only, new ones join them there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from otel_llmcost_collector.forwarding.base import Backend, FullError, Signal
from otel_llmcost_collector.forwarding.spool import Entry, Place, Spool

LOGGER = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE_SECONDS: Final = 0.02
"""Requests that a back end has not taken by then are written to disk; most back ends nearby are faster."""
_LAST_PATIENCE_SECONDS: Final = 1.0
"""When the disk takes no more: requests that a slow back end has not taken by then are refused."""
_READ_BYTES: Final = 2 * 1024 * 1024
_ITEM_BYTES: Final = 256
"""What a request takes beside its content."""


class Item:
    """A request that waits."""

    __slots__ = ("content", "is_json", "is_out", "is_sent", "place", "signal", "size", "waiter")

    def __init__(self, signal: Signal, content: bytes, *, is_json: bool, place: Place | None = None) -> None:
        self.signal: Signal = signal
        self.content = content
        self.is_json = is_json
        self.place = place
        """On disk; None: it is in memory only."""
        self.is_out = False
        """Somebody is sending it."""
        self.is_sent = False
        self.size = len(content) + _ITEM_BYTES
        self.waiter: asyncio.Future[bool] | None = None
        """Of whoever handed it in: true when it is sent."""


_Write = tuple[Item, bool, "asyncio.Future[Place | OSError]"]
"""An item, whether it is in hand, and who waits to hear where it stands."""


class Queue:
    """The requests for one back end."""

    def __init__(self, backend: Backend, spool: Spool | None, disk: ThreadPoolExecutor) -> None:
        """Take a spool, if there is one, and the one thread that it is used in."""
        self.is_away = False
        """The back end does not answer: nobody need wait to see whether it will."""
        self._backend = backend
        self._spool = spool
        self._disk = disk
        self._memory = deque[Item]()
        self._bytes = 0
        """In memory, those that are being sent or written included."""
        self._count = Counter[Signal]()
        self._idle = deque[asyncio.Future[None]]()
        self._reading = asyncio.Lock()
        self._to_write: list[_Write] = []
        self._loose_writes = 0
        self._writer: asyncio.Task[None] | None = None
        self._putting = 0
        self._is_closed = False
        self._still = asyncio.Event()

    @property
    def memory_bytes(self) -> int:
        """Bytes of requests in memory."""
        return self._bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes of files on disk."""
        return self._spool.size_bytes if self._spool is not None else 0

    @property
    def damaged_bytes(self) -> int:
        """Bytes on disk that could not be read."""
        return self._spool.damaged_bytes if self._spool is not None else 0

    @property
    def requests(self) -> Counter[Signal]:
        """How many requests are in memory."""
        return self._count

    def check(self, size: int) -> None:
        """Look whether there is room for a request.

        Raises:
            FullError: There is none.
        """
        size += _ITEM_BYTES
        if self._is_closed:
            raise FullError(self._backend.name, "nothing more is taken, since the collector ends")
        if self._spool is None:
            if not self._fits(size):
                raise FullError(self._backend.name, f"as many bytes wait as may: {self._backend.memory_bytes}")
        elif not self._fits(size) and self._bytes + size > 2 * self._backend.memory_bytes:
            raise FullError(self._backend.name, "the disk is too slow")

    async def put(self, signal: Signal, content: bytes, *, is_json: bool) -> None:
        """Return when a request is sent, or is where it waits to be.

        Raises:
            FullError: It cannot be taken.
        """
        self.check(len(content))
        item = Item(signal, content, is_json=is_json)
        if self._spool is None:
            self._append(item)
            return
        self._putting += 1
        try:
            await self._put(item, self._spool)
        finally:
            self._putting -= 1
            self._notice_stillness()

    async def take(self) -> list[Item]:
        """Return the oldest request as soon as there is one, with small ones behind it that go along with it."""
        while True:
            if self._memory:
                return self._popped()
            if self._spool is not None and self._spool.loose and not self._is_closed:
                async with self._reading:
                    if not self._memory:
                        await self._read(self._spool)
                continue
            await self._wait_for_one()

    async def done(self, items: Sequence[Item]) -> None:
        """Forget requests that need not be sent again."""
        for item in items:
            item.is_sent = True
            self._forget(item)
            _answer(item)
        self._notice_stillness()
        await self._forget_on_disk(items)

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
            _answer(item)
        while self._putting:
            self._still.clear()
            await self._still.wait()
        if self._writer is not None:  # for somebody who did not wait for it
            await self._writer
        if self._spool is not None:
            await self._on_disk(self._spool.close)
            self._disk.shutdown(wait=False)
            return Counter()
        return +self._count

    async def _put(self, item: Item, spool: Spool) -> None:
        if spool.loose or self._loose_writes or not self._fits(item.size):
            await self._write(item, is_in_hand=False)
            self._wake()
            return
        self._append(item)
        if not self.is_away and await _sent_within(item, PATIENCE_SECONDS):
            return
        try:
            await self._write(item, is_in_hand=True)
        except FullError:
            if not await self._is_sent_after_all(item):
                raise

    async def _is_sent_after_all(self, item: Item) -> bool:
        """Give an item that the disk does not take a last chance; take it out if nobody is sending it."""
        if item.is_sent or (not self.is_away and await _sent_within(item, _LAST_PATIENCE_SECONDS)):
            return True
        if not item.is_out:
            self._memory.remove(item)
            self._forget(item)
        return False

    async def _write(self, item: Item, *, is_in_hand: bool) -> None:
        written: asyncio.Future[Place | OSError] = asyncio.get_running_loop().create_future()
        self._to_write.append((item, is_in_hand, written))
        if not is_in_hand:
            self._loose_writes += 1
            self._bytes += item.size
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        place = await asyncio.shield(written)
        if isinstance(place, OSError):
            raise FullError(self._backend.name, place.strerror or str(place)) from place

    async def _write_all(self) -> None:
        """Write in groups whatever is there by then."""
        try:
            while self._to_write:
                group, self._to_write = self._to_write, []
                await self._write_group(group)
        finally:
            self._writer = None

    async def _write_group(self, group: list[_Write]) -> None:
        spool = self._spool
        assert spool is not None  # noqa: S101 -- else nothing is written
        entries = [
            Entry(signal=item.signal, content=item.content, is_json=item.is_json, is_in_hand=is_in_hand)
            for item, is_in_hand, _ in group
        ]
        places = await self._on_disk(spool.write, entries)
        for (item, is_in_hand, written), place in zip(group, places, strict=True):
            if not is_in_hand:
                self._loose_writes -= 1
                self._bytes -= item.size
            elif isinstance(place, Place):
                item.place = place
            written.set_result(place)
        await self._forget_on_disk([item for item, _, _ in group if item.is_sent])

    async def _forget_on_disk(self, items: Sequence[Item]) -> None:
        places = [item.place for item in items if item.place is not None]
        if places and (spool := self._spool):
            await self._on_disk(spool.done, places)

    async def _read(self, spool: Spool) -> None:
        """Take more from the disk, the oldest first."""
        most = max(1, min(_READ_BYTES, self._backend.memory_bytes - self._bytes))
        for waiting in await self._on_disk(spool.read, most):
            self._append(Item(waiting.signal, waiting.content, is_json=waiting.is_json, place=waiting.place))

    async def _wait_for_one(self) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(woken)
        try:
            await woken
        finally:
            if woken in self._idle:  # it was cancelled
                self._idle.remove(woken)

    async def _on_disk(self, act: Callable[..., T], *arguments: object) -> T:
        # Shielded: what is to be done there is done, even if whoever waits for it is told to end.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._disk, act, *arguments))

    def _popped(self) -> list[Item]:
        first = self._memory.popleft()
        items, size = [first], len(first.content)
        while self._memory and _go_together(first, self._memory[0]):
            size += len(self._memory[0].content)
            if size > self._backend.merge_bytes:
                break
            items.append(self._memory.popleft())
        for item in items:
            item.is_out = True
        return items

    def _fits(self, size: int) -> bool:
        """Whether it is within the bound; a request that is above it alone comes when nothing else is there."""
        return not self._bytes or self._bytes + size <= self._backend.memory_bytes

    def _append(self, item: Item) -> None:
        self._memory.append(item)
        self._bytes += item.size
        self._count[item.signal] += 1
        self._wake()

    def _forget(self, item: Item) -> None:
        self._bytes -= item.size
        self._count[item.signal] -= 1

    def _wake(self) -> None:
        while self._idle:
            woken = self._idle.pop()  # the latest one: its connection is the warmest
            if not woken.done():
                woken.set_result(None)
                return

    def _notice_stillness(self) -> None:
        if self._is_closed:
            self._still.set()


def _go_together(first: Item, other: Item) -> bool:
    """Whether two requests are one when they stand one after the other, which is how protobuf merges messages."""
    return first.signal == other.signal and not first.is_json and not other.is_json


async def _sent_within(item: Item, seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    item.waiter = loop.create_future()
    timer = loop.call_later(seconds, _answer, item)
    try:
        return await item.waiter
    finally:
        timer.cancel()
        item.waiter = None


def _answer(item: Item) -> None:
    if item.waiter is not None and not item.waiter.done():
        item.waiter.set_result(item.is_sent)
