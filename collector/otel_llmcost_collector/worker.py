"""A worker of the collector: receives, prices and hands on; `python -m otel_llmcost_collector.worker` by its parent."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from otel_llmcost.errors import ConfigError, LLMCostError, StoreError
from otel_llmcost_collector.accounting.remote import RemoteAccounts
from otel_llmcost_collector.exposition.processes import measure
from otel_llmcost_collector.governing import checked, prices_of
from otel_llmcost_collector.plan import Plan
from otel_llmcost_collector.reception import DRAIN_SECONDS, Reception
from otel_llmcost_collector.running import run_loop, spare_what_stays, told_to_end

LOGGER = logging.getLogger("otel_llmcost_collector")

_TELL_SECONDS = 1.0
"""How often a worker says what it has counted, and looks whether its parent lives."""
_PRICES_SECONDS = 2.0


def main(words: Sequence[str]) -> int:
    """Receive until told to stop, or until the parent is gone.

    Args:
        words: the worker's number, the accountant's socket, the parent's process id (it may be gone before it can be
            asked for) and its arguments as key=value.
    """
    number, path, parent, *said = words
    try:
        plan = Plan.of(dict(each.split("=", 1) for each in said))
        plan.log()
        run_loop(partial(_work, plan, f"worker-{number}", Path(path), int(parent)))
    except ConfigError as error:
        sys.stderr.write(f"worker-{number}: {error}\n")
        return 2
    return 0


async def _work(plan: Plan, name: str, path: Path, parent: int) -> None:
    ends = told_to_end()
    accounts = RemoteAccounts(path, run=f"{name}-{os.getpid()}-{time.time_ns()}")
    reception = await Reception.begin(plan.collector, prices_of(plan.settings), plan.tokens, accounts, is_shared=True)
    spare_what_stays()
    beside = [
        asyncio.create_task(_tell(reception, accounts, name, parent, ends)),
        asyncio.create_task(_follow_prices(plan, reception)),
    ]
    await ends.wait()
    await reception.end(DRAIN_SECONDS)
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    await _tell_once(reception, accounts, name)
    await accounts.close()


async def _tell(reception: Reception, accounts: RemoteAccounts, name: str, parent: int, ends: asyncio.Event) -> None:
    """Say what was counted; without its parent a worker keeps nobody's books, and others listen where it does."""
    while not ends.is_set():
        await _tell_once(reception, accounts, name)
        await asyncio.sleep(_TELL_SECONDS)
        if os.getppid() != parent:
            LOGGER.error("%s ends: the process that keeps the books is gone", name)
            ends.set()


async def _tell_once(reception: Reception, accounts: RemoteAccounts, name: str) -> None:
    measure(reception.counters, name)
    with suppress(StoreError):  # it is told the next time
        await accounts.tell(reception.figures())


async def _follow_prices(plan: Plan, reception: Reception) -> None:
    """Go on with other prices when the settings say so; those that cannot be read change nothing."""
    while True:
        await asyncio.sleep(_PRICES_SECONDS)
        settings = plan.source.changed()
        if settings is None:
            continue
        try:
            reception.use(prices_of(checked(settings)))
        except LLMCostError as error:
            LOGGER.error("the changed prices are not put in force: %s", error)  # noqa: TRY400 -- it says all there is


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
