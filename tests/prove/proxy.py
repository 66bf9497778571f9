"""A network that fails: hands bytes on to a server, late, not at all, or until it cuts the connection."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_PIECE = 65536


class Proxy:
    """Stands in front of one server; what it does to connections can be changed at any time, from any thread."""

    def __init__(self, port: int) -> None:
        self._there = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay_seconds = 0.0
        self._is_cut = False
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break all connections, and let nobody connect."""
        self._loop.call_soon_threadsafe(self._cut)

    def silence(self) -> None:
        """Hand nothing on, and break nothing either."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def delay(self, seconds: float) -> None:
        """Hand everything on so much later."""
        self._delay_seconds = seconds

    def heal(self) -> None:
        self._is_cut, self._delay_seconds = False, 0.0
        self._loop.call_soon_threadsafe(self._flows.set)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        self._cut()
        self._flows.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._is_cut:
            to_client.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._there)
        except OSError:
            to_client.transport.abort()
            return
        self._writers |= {to_client, to_server}
        for reader, writer in ((from_client, to_server), (from_server, to_client)):
            task = self._loop.create_task(self._pump(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                await asyncio.sleep(self._delay_seconds)
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
