"""Hand every request on to all back ends that want its signal."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector import self_metrics
from otel_llmcost_collector.forwarding.base import SIGNALS, Backend, Forwarder, FullError, Nowhere, Signal
from otel_llmcost_collector.forwarding.disk import Disk
from otel_llmcost_collector.forwarding.queued import Queue
from otel_llmcost_collector.forwarding.sending import Sender
from otel_llmcost_collector.forwarding.spool import Spool
from otel_llmcost_collector.forwarding.transports import HttpTransport, Transport
from otel_llmcost_collector.self_metrics import Counters

LOGGER = logging.getLogger(__name__)


async def open_forwarder(backends: Sequence[Backend], counters: Counters) -> Forwarder:
    """Begin to send; what an earlier process left on disk first.

    Raises:
        ConfigError: A back end's settings cannot be used.
    """
    names = [backend.name for backend in backends]
    if len(set(names)) != len(names):
        raise ConfigError("two back ends have the same name", key="forward", expected="names of their own")
    lines: list[Line] = []
    try:
        for backend in backends:
            lines.append(await Line.open(backend, counters))  # noqa: PERF401 -- those that are open are closed below
    except BaseException:  # being cancelled, too, must leave no folder locked
        await Everywhere(lines).close(0)
        raise
    return Everywhere(lines) if lines else Nowhere()


class Line:
    """One back end: what waits for it, and who sends that."""

    def __init__(self, backend: Backend, queue: Queue, sender: Sender, counters: Counters) -> None:
        self.backend = backend
        self._queue = queue
        self._sender = sender
        self._counters = counters

    @classmethod
    async def open(cls, backend: Backend, counters: Counters) -> Line:
        """Find what waits on disk, and begin to send.

        Raises:
            ConfigError: The back end's settings cannot be used.
        """
        transport = _transport(backend)
        queue = Queue(backend, await _disk(backend))
        return cls(backend, queue, Sender(backend, queue, transport, counters), counters)

    def check(self, size: int) -> None:
        """Look whether there is room.

        Raises:
            FullError: There is none.
        """
        if not self.backend.is_optional:
            self._queue.check(size)

    async def put(self, signal: Signal, content: bytes, *, is_json: bool) -> None:
        """Return when a request is sent, or is where it waits to be.

        Raises:
            FullError: It cannot be taken.
        """
        try:
            await self._queue.put(signal, content, is_json=is_json)
        except FullError:
            if not self.backend.is_optional:
                raise
            self._drop(signal, "full", 1)

    async def close(self, drain_seconds: float) -> None:
        """Send what is in memory, for so long at most."""
        try:
            async with asyncio.timeout(drain_seconds):
                await self._queue.drain()
        except TimeoutError:
            LOGGER.info("%s did not take all that waits in %g s", self.backend.name, drain_seconds)
        await self._sender.end()
        for signal, count in (await self._queue.settle()).items():
            self._drop(signal, "ended", count)
            LOGGER.error("%s: %d requests of %s were in memory only and are lost", self.backend.name, count, signal)

    def figures(self) -> None:
        """Put what waits into the counters."""
        name, put = self.backend.name, self._counters.put
        for signal in SIGNALS:
            put(self_metrics.FORWARD_QUEUE, (name, signal), self._queue.requests[signal])
        put(self_metrics.FORWARD_QUEUE_BYTES, (name, "memory"), self._queue.memory_bytes)
        put(self_metrics.FORWARD_LIMIT_BYTES, (name, "memory"), self.backend.memory_bytes)
        if (disk := self._queue.disk) is not None:
            put(self_metrics.FORWARD_QUEUE_BYTES, (name, "disk"), disk.size_bytes)
            put(self_metrics.FORWARD_LIMIT_BYTES, (name, "disk"), self.backend.disk_bytes)
            put(self_metrics.FORWARD_DAMAGED_BYTES, (name,), disk.damaged_bytes)

    def _drop(self, signal: Signal, reason: str, count: int) -> None:
        self._counters.add(self_metrics.FORWARD_DROPPED, (self.backend.name, signal, reason), count)


class Everywhere:
    """All back ends."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._is_closed = False
        self._lines_of = {signal: [line for line in lines if signal in line.backend.signals] for signal in SIGNALS}

    async def put(self, signal: Signal, content: bytes, is_json: bool = False) -> None:  # noqa: FBT001, FBT002 -- a seam
        """Return when a request is sent, or is where it waits to be, for each back end.

        Raises:
            FullError: One of them can take no more. Unless a disk filled up just now, none of them has it then.
        """
        lines = self._lines_of[signal]
        if len(lines) == 1:
            await lines[0].put(signal, content, is_json=is_json)
            return
        for line in lines:
            line.check(len(content))
        done = await asyncio.gather(
            *(line.put(signal, content, is_json=is_json) for line in lines), return_exceptions=True
        )
        for error in done:
            if error is not None:
                raise error

    async def close(self, drain_seconds: float) -> None:
        """Send what waits, for so long at most; the rest stays on disk."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.gather(*(line.close(drain_seconds) for line in self._lines))

    def figures(self) -> None:
        """Put what waits into the counters."""
        for line in self._lines:
            line.figures()


def _transport(backend: Backend) -> Transport:
    if backend.protocol != "grpc":
        return HttpTransport(backend)
    try:
        from otel_llmcost_collector.forwarding.grpc_client import GrpcTransport  # noqa: PLC0415 -- only where it is used
    except ImportError as error:  # pragma: no cover -- the tests have it
        raise ConfigError("grpcio is missing", key="forward", expected="the extra otel-llmcost[collector]") from error
    return GrpcTransport(backend)


async def _disk(backend: Backend) -> Disk | None:
    if backend.disk is None:
        return None
    key = f"forward {backend.name!r}: disk"
    if sys.platform == "win32":  # pragma: no cover -- the tests run elsewhere
        raise ConfigError("is not used on Windows, where files are locked otherwise", key=key, expected="none")
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"forward-{backend.name}")
    opening = partial(Spool, backend.disk / backend.name, limit_bytes=backend.disk_bytes, syncs=backend.syncs)
    try:
        return Disk(await asyncio.get_running_loop().run_in_executor(thread, opening), thread)
    except OSError as error:
        thread.shutdown(wait=False)
        raise ConfigError(f"cannot be used: {error}", key=key, expected="a folder to write to") from error
