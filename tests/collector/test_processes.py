"""Worker processes live as long as the collector, however they die."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from otel_llmcost_collector.processes import Workers

_WORK = "import pathlib, signal, sys, os; pathlib.Path(sys.argv[1], str(os.getpid())).touch(); signal.pause()"


async def test_a_worker_that_is_killed_is_begun_anew(tmp_path: Path) -> None:
    """A fleet goes on sending whatever befalls one process."""
    workers = Workers(2, lambda number: [sys.executable, "-c", _WORK, str(tmp_path)])
    workers.start()
    await _until(lambda: len(list(tmp_path.iterdir())) == 2)

    _kill_one(tmp_path)

    await _until(lambda: len(list(tmp_path.iterdir())) == 3 and workers.alive == 2)
    assert workers.deaths == 1
    await workers.end(5)
    assert workers.alive == 0


async def test_a_worker_that_does_not_end_is_killed(tmp_path: Path, caplog) -> None:
    """Whoever deploys a new version must not wait for ever."""
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{_WORK}\nsignal.pause()"
    workers = Workers(1, lambda number: [sys.executable, "-c", stubborn, str(tmp_path)])
    workers.start()
    await _until(lambda: any(tmp_path.iterdir()))

    await workers.end(0.1)

    assert workers.alive == 0
    assert "does not end and is killed" in caplog.text


async def test_no_workers_end_at_once() -> None:
    """A collector of one process has none."""
    workers = Workers(0, lambda number: [])
    workers.start()

    await workers.end(1)

    assert workers.deaths == 0


def _kill_one(folder: Path) -> None:
    """Each worker of these leaves a file that is named after its id."""
    os.kill(int(next(folder.iterdir()).name), signal.SIGKILL)


async def _until(holds) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 -- it is another process that makes it hold
            await asyncio.sleep(0.01)
