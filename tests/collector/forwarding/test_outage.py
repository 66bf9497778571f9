"""A back end that is away for long, while processes die, and disks that are really full."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.bench.collector.corpus import payloads
from tests.collector.forwarding.feeding import MEMORY_BYTES
from tests.collector.forwarding.servers import Asked, HttpBackend, http_backend

NUMBER = re.compile(rb"number (\d{12})")
PROGRAM = (sys.executable, "-m", "tests.collector.forwarding.feeding")
BATCHES = 3600 * 1000 // 512
"""An hour of a thousand spans a second."""


class Feeding:
    """A process that hands requests on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.accepted: list[int] = []
        self.refused = 0
        self.first_memory = self.last_memory = 0

    async def until(self, accepted: int) -> None:
        """Read what it says, up to so many requests that were accepted, or until it has fed them all."""
        assert self.process.stdout is not None
        while len(self.accepted) < accepted:
            match (await self.process.stdout.readline()).decode().split():
                case ["memory", size]:
                    self.first_memory = int(size)
                case ["ended", size]:
                    self.last_memory = int(size)
                case ["refused", *_]:
                    self.refused += 1
                case [number] if number.isdecimal():
                    self.accepted.append(int(number))
                case _:
                    return

    async def kill(self) -> None:
        """End it without a word; what it has said by then counts."""
        self.process.kill()
        await self.until(BATCHES)
        await self.process.wait()

    async def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.until(BATCHES + 1)
        assert await self.process.wait() == 0


class Hour:
    """The back end's side: which requests have come."""

    def __init__(self, folder: Path, backend: HttpBackend) -> None:
        self.folder = folder
        self.backend = backend
        self.came = Counter[int]()
        self._wanted = 0
        self._some: asyncio.Future[None] | None = None
        (folder / "batch").write_bytes(payloads("base")[0])
        backend.on_asked = self._note

    @asynccontextmanager
    async def feeding(self, first: int, after: int, *prefix: str) -> AsyncIterator[Feeding]:
        arguments = [self.backend.url, self.folder / "waiting", self.folder / "batch", first, after]
        process = await asyncio.create_subprocess_exec(
            *prefix, *PROGRAM, *map(str, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            yield Feeding(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def all_of(self, accepted: set[int]) -> None:
        """Return when they have come."""
        while missing := accepted - self.came.keys():
            self._some = asyncio.get_running_loop().create_future()
            self._wanted = len(missing)
            await self._some

    def _note(self, asked: Asked) -> None:
        self.came.update(map(int, NUMBER.findall(asked.body, len(asked.body) - 100)))
        self.backend.asked.clear()
        self._wanted -= 1
        if not self._wanted and self._some is not None:
            self._some.set_result(None)


@pytest.mark.slow
async def test_an_hour_without_a_backend_loses_nothing_though_processes_are_killed(tmp_path: Path) -> None:
    """An hour's spans, as fast as they go; two processes at a time, killed amid the outage and amid the catching up."""
    accepted: set[int] = set()
    async with http_backend() as backend:
        hour = Hour(tmp_path, backend)
        await backend.stop()
        for part in range(4):
            first, half = part * BATCHES // 5, BATCHES // 10
            async with hour.feeding(first, first + half) as one, hour.feeding(first + half, first + 2 * half) as two:
                await asyncio.gather(one.until(half - part * 50), two.until(half - part * 70))
                await asyncio.gather(one.kill(), two.kill())
            accepted |= {*one.accepted, *two.accepted}

        await backend.start()
        async with hour.feeding(4 * BATCHES // 5, BATCHES) as amid:
            await amid.until(BATCHES // 10)
            await amid.kill()
        accepted |= set(amid.accepted)
        async with hour.feeding(0, 0) as last:
            await last.until(1)
            await hour.all_of(accepted)
            await last.end()

    assert len(accepted) > BATCHES * 4 // 5
    assert 0 < last.last_memory - last.first_memory < 6 * MEMORY_BYTES
    assert not list((tmp_path / "waiting").rglob("*.requests"))
    print(
        f"{len(accepted)} requests accepted, {hour.came.total() - len(hour.came)} came twice; "
        f"memory {last.first_memory >> 20} -> {last.last_memory >> 20} MiB"
    )


@pytest.mark.slow
async def test_memory_stays_bounded_while_nobody_takes_anything(tmp_path: Path) -> None:
    """A tenth of the hour is many times what may be in memory."""
    async with http_backend() as backend:
        hour = Hour(tmp_path, backend)
        await backend.stop()
        async with hour.feeding(0, BATCHES // 10) as feeding:
            await feeding.until(BATCHES)
            await feeding.end()

    assert len(feeding.accepted) == BATCHES // 10
    print(f"memory {feeding.first_memory >> 20} -> {feeding.last_memory >> 20} MiB")
    assert feeding.last_memory - feeding.first_memory < 6 * MEMORY_BYTES


@pytest.mark.real
async def test_a_disk_that_is_really_full_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """A file system of its own, of 4 MiB; it needs the right to mount one."""
    (tmp_path / "waiting").mkdir()
    mounted = "mount -t tmpfs -o size=4m none $0 && exec $@"
    async with http_backend() as backend:
        hour = Hour(tmp_path, backend)
        await backend.stop()
        as_root = () if os.geteuid() == 0 else ("sudo", "-n", "env", "PYTHONDONTWRITEBYTECODE=1")
        prefix = (*as_root, "unshare", "--mount", "sh", "-c", mounted, str(tmp_path / "waiting"))
        async with hour.feeding(0, 300, *prefix) as feeding:
            await feeding.until(300)
            assert feeding.refused > 100
            await backend.start()
            await hour.all_of(set(feeding.accepted))
            await feeding.end()

    assert len(feeding.accepted) > 50
