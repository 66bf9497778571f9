"""The collector as a program: builds its parts of the settings, runs them, and ends them in the order they depend on.

This process keeps the books and answers on the API's address. It receives, too, unless workers do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import ConfigError, StoreError
from otel_llmcost_collector.accounting.remote import AccountsServer
from otel_llmcost_collector.books import Books
from otel_llmcost_collector.exposition.processes import Processes
from otel_llmcost_collector.front import Front
from otel_llmcost_collector.governing import prices_of
from otel_llmcost_collector.listening import bind
from otel_llmcost_collector.plan import Plan
from otel_llmcost_collector.processes import Workers
from otel_llmcost_collector.receivers.serving import Application, serve_http
from otel_llmcost_collector.reception import DRAIN_SECONDS, Reception, listen_at, names_of
from otel_llmcost_collector.running import run_loop, spare_what_stays, told_to_end
from otel_llmcost_collector.self_metrics import Figures
from otel_llmcost_collector.setting_rows import Place
from otel_llmcost_collector.showing import Showing
from otel_llmcost_collector.store_api import StoreApi
from otel_llmcost_collector.store_server import sections

LOGGER = logging.getLogger("otel_llmcost_collector")

_API_DRAIN_SECONDS = 3.0
_LATE_SECONDS = 2.0
"""What a worker may take beyond its time before it is killed."""


def run(arguments: Mapping[str, str], *, only_check: bool = False) -> int:
    """Run until told to stop.

    Args:
        arguments: dotted key of a setting, or `config`, → its value as a text.
        only_check: say whether the settings are right, and do nothing.

    Returns:
        The exit code: 0, 1 if something failed, 2 if the settings are wrong.
    """
    try:
        plan = Plan.of(arguments)
        if only_check:
            sys.stdout.write(f"{plan.collector.config_path or 'the defaults'}: right\n")
            return 0
        plan.log()
        run_loop(partial(_serve, plan, arguments))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except StoreError as error:
        sys.stderr.write(f"the collector cannot go on: {error}\n")
        return 1
    return 0


async def _serve(plan: Plan, arguments: Mapping[str, str]) -> None:
    """Build all parts, each of which is ended before those that it needs."""
    ends = told_to_end()
    async with AsyncExitStack() as ending:
        showing = Showing(asyncio.get_running_loop())
        books = await asyncio.to_thread(Books, plan, showing.saw)
        ending.push_async_callback(asyncio.to_thread, books.close)
        front = await _open_api(plan, books, showing, ending)
        if plan.collector.workers:
            await _employ(plan, arguments, books, showing, ends, ending)
        else:
            await _receive(plan, books, showing, ending)
        spare_what_stays()
        front.state = "ready"
        LOGGER.info("ready")
        await ends.wait()
        front.state = "ending"
        LOGGER.info("ending: what is under way is answered first")


async def _open_api(plan: Plan, books: Books, showing: Showing, ending: AsyncExitStack) -> Front:
    """Answer agents whose store this is, and whoever looks at metrics."""
    collector = plan.collector
    path = plan.settings.config_path
    budgets = dict[str, object] if path is None else partial(sections, path)
    clock = partial(datetime.now, UTC)
    api = StoreApi(books.store, tokens=plan.tokens, budgets=budgets, clock=clock, ready=books.check)
    ending.push_async_callback(asyncio.to_thread, api.close)
    metrics = showing.begin(plan, books)
    front = Front(api, None if collector.metrics else metrics)
    applications: dict[str, tuple[Place | None, Application]] = {
        "api.listen": (collector.api, front),
        "metrics.listen": (collector.metrics, metrics),
    }
    for key, (place, application) in applications.items():
        if place is not None:
            listen = listen_at(place, collector.access)
            serving = await serve_http(application, [bind(listen, names=names_of(key))], listen)
            ending.push_async_callback(serving.drain, _API_DRAIN_SECONDS)
            LOGGER.info("%s at %s", "API and metrics" if application is front else "metrics", listen.url(serving.port))
    return front


async def _receive(plan: Plan, books: Books, showing: Showing, ending: AsyncExitStack) -> None:
    """Receive in this process."""
    prices = prices_of(plan.settings)
    reception = await Reception.begin(plan.collector, prices, plan.tokens, books.accountant, is_shared=False)
    ending.push_async_callback(reception.end, DRAIN_SECONDS)
    showing.reception = reception
    loop = asyncio.get_running_loop()

    def on_prices(book: PriceBook) -> None:
        loop.call_soon_threadsafe(reception.use, book)

    books.on_prices = on_prices


async def _employ(
    plan: Plan,
    arguments: Mapping[str, str],
    books: Books,
    showing: Showing,
    ends: asyncio.Event,
    ending: AsyncExitStack,
) -> None:
    """Let workers receive, who reach this process over a socket that only they can open; return when all do."""
    for key, place in (("receive.http", plan.collector.receive.http), ("receive.grpc", plan.collector.receive.grpc)):
        if place is not None:  # said here once, rather than by each worker again and again
            _check_port(key, place)
            bind(listen_at(place, plan.collector.access), is_shared=True, names=names_of(key)).close()
    folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="llmcost-")))
    roll = _Roll(showing.processes, plan.collector.workers)
    accounts = await AccountsServer.begin(folder / "accounts.sock", books.accountant, roll)
    ending.push_async_callback(accounts.end)
    said = [f"{key}={value}" for key, value in arguments.items()]

    def command(number: int) -> list[str]:
        module = "otel_llmcost_collector.worker"
        return [sys.executable, "-m", module, str(number), str(folder / "accounts.sock"), str(os.getpid()), *said]

    workers = Workers(plan.collector.workers, command)
    ending.push_async_callback(workers.end, DRAIN_SECONDS + _LATE_SECONDS)
    workers.start()
    showing.workers = workers
    await asyncio.wait(
        [asyncio.create_task(ends.wait()), asyncio.create_task(roll.all_there.wait())],
        return_when=asyncio.FIRST_COMPLETED,
    )


def _check_port(key: str, place: Place) -> None:
    if not place[1]:
        raise ConfigError("workers listen at one place, so its port must be said", key=key, expected="a port above 0")


class _Roll:
    """Knows which workers are there, and passes on what they count."""

    def __init__(self, processes: Processes, wanted: int) -> None:
        self.all_there = asyncio.Event()
        self._processes = processes
        self._wanted = wanted
        self._there: set[str] = set()

    def take(self, run: str, figures: Figures) -> None:
        """Hear from a worker, which listens by then."""
        self._processes.take(run, figures)
        self._there.add(run)
        if len(self._there) >= self._wanted:
            self.all_there.set()

    def gone(self, run: str) -> None:
        """Miss a worker."""
        self._processes.gone(run)
        self._there.discard(run)
