"""The disk as the event loop sees it: a spool that is used in a thread of its own, and written to in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from otel_llmcost_collector.forwarding.items import Item
from otel_llmcost_collector.forwarding.spool import Entry, Place, Spool

T = TypeVar("T")
_FULL_SECONDS: Final = 1.0
"""A disk that refused something is taken for full for so long."""
_Write = tuple[Item, bool, "asyncio.Future[Place | OSError]"]
"""An item, whether it is in memory too, and who waits to hear where it stands."""


class Disk:
    """Where requests of one back end wait."""

    def __init__(self, spool: Spool, thread: ThreadPoolExecutor) -> None:
        """Take over a spool, and the one thread that it is used in."""
        self.writing_bytes = 0
        """Of requests that are being written and are not among those in memory."""
        self._full_until = 0.0
        """On the event loop's clock."""
        self._spool = spool
        self._thread = thread
        self._to_write: list[_Write] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of files."""
        return self._spool.size_bytes

    @property
    def damaged_bytes(self) -> int:
        """Bytes that could not be read."""
        return self._spool.damaged_bytes

    @property
    def has_some(self) -> bool:
        """Whether requests wait here that are not in memory."""
        return self._spool.loose > 0

    def is_full(self, size: int) -> bool:
        """Whether a request of this size would, as far as one can know, be refused."""
        is_refusing = asyncio.get_running_loop().time() < self._full_until
        return is_refusing or self.size_bytes + size > self._spool.limit_bytes

    async def write(self, item: Item, *, is_in_memory: bool) -> None:
        """Return when a request is on disk, as it is after this process too.

        Raises:
            OSError: It is not.
        """
        written: asyncio.Future[Place | OSError] = asyncio.get_running_loop().create_future()
        self._to_write.append((item, is_in_memory, written))
        if not is_in_memory:
            self.writing_bytes += item.size
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        place = await asyncio.shield(written)
        if isinstance(place, OSError):
            self._full_until = asyncio.get_running_loop().time() + _FULL_SECONDS
            raise place

    async def read(self, most_bytes: int) -> list[Item]:
        """Take the oldest requests into memory: at least one, if there is any."""
        return [
            Item(waiting.signal, waiting.content, is_json=waiting.is_json, place=waiting.place)
            for waiting in await self._do(self._spool.read, most_bytes)
        ]

    async def forget(self, items: Sequence[Item]) -> None:
        """Note that requests need not be sent again."""
        places = [item.place for item in items if item.place is not None]
        if places:
            await self._do(self._spool.done, places)

    async def close(self) -> None:
        """Write what was handed in, and leave it to whoever comes next."""
        if self._writer is not None:
            await self._writer
        await self._do(self._spool.close)
        self._thread.shutdown(wait=False)

    async def _write_all(self) -> None:
        """Write in groups whatever is there by then."""
        try:
            while self._to_write:
                group, self._to_write = self._to_write, []
                await self._write_group(group)
        finally:
            self._writer = None

    async def _write_group(self, group: Sequence[_Write]) -> None:
        entries = [
            Entry(signal=item.signal, content=item.content, is_json=item.is_json, is_in_hand=is_in_memory)
            for item, is_in_memory, _ in group
        ]
        places = await self._do(self._spool.write, entries)
        for (item, is_in_memory, written), place in zip(group, places, strict=True):
            if not is_in_memory:
                self.writing_bytes -= item.size
            elif isinstance(place, Place):
                item.place = place
            written.set_result(place)
        await self.forget([item for item, _, _ in group if item.is_sent])

    async def _do(self, act: Callable[..., T], *arguments: object) -> T:
        # Shielded: what is to be done there is done, even if whoever waits for it is told to end.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments))
