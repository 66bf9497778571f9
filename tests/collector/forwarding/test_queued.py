"""What waits for one back end, where a server could not bring it about."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from otel_llmcost_collector.forwarding import queued
from otel_llmcost_collector.forwarding.base import Backend, FullError
from otel_llmcost_collector.forwarding.disk import Disk
from otel_llmcost_collector.forwarding.queued import Queue
from otel_llmcost_collector.forwarding.sending import Sender
from otel_llmcost_collector.forwarding.spool import Spool
from otel_llmcost_collector.forwarding.transports import HttpTransport
from otel_llmcost_collector.self_metrics import Counters
from tests.collector.forwarding.servers import http_backend
from tests.collector.forwarding.test_forwarder import FAST
from tests.collector.forwarding.test_spool import MIB, entry, files, opened, read

BACKEND = Backend(name="near", endpoint="http://127.0.0.1:9", memory_bytes=1000, merge_bytes=0)


class Stopped:
    """The thread of a disk, which can be stopped."""

    def __init__(self, folder: Path) -> None:
        self.threads = ThreadPoolExecutor(1)
        self.spool = Spool(folder, limit_bytes=MIB, syncs=False)
        self.queue = Queue(BACKEND, Disk(self.spool, self.threads))
        self._go_on = threading.Event()

    def stop(self) -> None:
        self._go_on.clear()
        self.threads.submit(self._go_on.wait)

    def go_on(self) -> None:
        self._go_on.set()

    def put(self, content: bytes) -> asyncio.Future[None]:
        return asyncio.ensure_future(self.queue.put("traces", content, is_json=False))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stopped]:
    """Whatever is not sent at once goes there."""
    monkeypatch.setattr(queued, "PATIENCE_SECONDS", 0)
    disk = Stopped(tmp_path)
    yield disk
    disk.go_on()
    disk.threads.shutdown()


async def passed(*waiting: asyncio.Future[None]) -> None:
    """Let others run until they come to wait for something."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)


async def test_a_disk_that_does_not_keep_up_is_not_waited_for_without_a_bound(disk: Stopped) -> None:
    """As much again as may be in memory waits to be written; then senders are told."""
    disk.stop()
    disk.queue.is_away = True
    waiting = [disk.put(b"x" * 144) for _ in range(5)]
    await passed(*waiting)

    with pytest.raises(FullError, match="too slow"):
        await disk.put(b"x" * 144)
    disk.go_on()
    await asyncio.gather(*waiting)


async def test_what_was_read_back_from_disk_keeps_nothing_from_it(disk: Stopped) -> None:
    """Each sender has one in hand while the back end is away: that may be more than memory has room for."""
    disk.queue.is_away = True
    for _ in range(12):
        await disk.put(b"x" * 144)
    taken = [await disk.queue.take() for _ in range(12)]
    assert disk.queue.memory_bytes > 2 * BACKEND.memory_bytes

    await disk.put(b"y")

    assert sum(map(len, taken)) == 12
    assert [item.content for item in await disk.queue.take()] == [b"y"]


async def test_what_is_sent_while_it_is_being_written_leaves_no_file(disk: Stopped, tmp_path: Path) -> None:
    """Else it would be sent once more after the next start."""
    disk.stop()
    waiting = disk.put(b"x")
    await passed(waiting)
    await disk.queue.done(await disk.queue.take())
    disk.go_on()
    await waiting
    await disk.queue.settle()

    assert not files(tmp_path)


async def test_what_was_handed_in_as_it_ends_is_written_before_it_has_ended(disk: Stopped, tmp_path: Path) -> None:
    """Whether it is accepted is not left open."""
    disk.stop()
    waiting = [disk.put(b"x"), disk.put(b"y")]
    await passed(*waiting)
    ending = asyncio.ensure_future(disk.queue.settle())
    await passed()
    disk.go_on()
    await ending

    assert all(each.done() for each in waiting)
    assert read(opened(tmp_path)) == [b"x", b"y"]


async def test_what_nobody_waits_for_any_more_is_written_before_the_disk_is_left(disk: Stopped, tmp_path: Path) -> None:
    """Else it would be written where another process may be by then."""
    disk.stop()
    first, second = disk.put(b"x"), disk.put(b"y")
    await passed(first, second)
    first.cancel()
    second.cancel()
    ending = asyncio.ensure_future(disk.queue.settle())
    await passed(ending)
    disk.go_on()
    await ending

    assert read(opened(tmp_path)) == [b"x", b"y"]


async def test_a_taker_that_is_gone_is_passed_over() -> None:
    """The request goes to another."""
    queue = Queue(BACKEND, None)
    first, second = (asyncio.ensure_future(queue.take()) for _ in range(2))
    await passed()
    second.cancel()

    await queue.put("traces", b"x", is_json=False)

    assert [item.content for item in await first] == [b"x"]


async def test_what_one_taker_reads_from_disk_serves_all(disk: Stopped) -> None:
    """They do not read at the same time."""
    disk.spool.write([entry(b"x"), entry(b"y")])
    disk.stop()
    taking = [asyncio.ensure_future(disk.queue.take()) for _ in range(2)]
    await passed()
    disk.go_on()

    first, second = await asyncio.gather(*taking)

    assert [item.content for item in (*first, *second)] == [b"x", b"y"]


async def test_a_disk_that_cannot_be_read_for_a_moment_does_not_end_the_sending(
    disk: Stopped, caplog, monkeypatch
) -> None:
    """Whatever is raised there is told, and tried again."""
    read_at_last, faults = disk.spool.read, [RuntimeError("a fault")]

    def read_later(most_bytes: int) -> object:
        if faults:
            raise faults.pop()
        return read_at_last(most_bytes)

    monkeypatch.setattr(disk.spool, "read", read_later)
    disk.spool.write([entry(b"x")])
    async with http_backend() as backend:
        to = replace(BACKEND, endpoint=backend.url, retry=FAST)
        done = asyncio.get_running_loop().create_future()
        backend.on_asked = done.set_result
        sender = Sender(to, disk.queue, HttpTransport(to), Counters())
        await done
        await sender.end()

    assert backend.bodies == [b"x"]
    assert "a fault" in caplog.text
