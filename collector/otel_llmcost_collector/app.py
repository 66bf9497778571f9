"""The collector as a program: builds its parts of the settings, runs them, and ends them in the order they depend on.

This process keeps the books and answers on the API's address. It receives, too, unless workers do.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import ConfigError, StoreError
from otel_llmcost_collector.books import Books
from otel_llmcost_collector.front import Front
from otel_llmcost_collector.governing import prices_of
from otel_llmcost_collector.listening import bind
from otel_llmcost_collector.plan import Plan
from otel_llmcost_collector.receivers.serving import Application, serve_http
from otel_llmcost_collector.reception import Reception, listen_at, names_of
from otel_llmcost_collector.setting_rows import Place
from otel_llmcost_collector.showing import Showing
from otel_llmcost_collector.store_api import StoreApi
from otel_llmcost_collector.store_server import sections

LOGGER = logging.getLogger("otel_llmcost_collector")

DRAIN_SECONDS = 20.0
"""To answer what is under way and hand on what waits; Kubernetes gives 30 in all."""
_API_DRAIN_SECONDS = 3.0


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
        run_loop(partial(_serve, plan))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except StoreError as error:
        sys.stderr.write(f"the collector cannot go on: {error}\n")
        return 1
    return 0


def run_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something on the fastest event loop there is."""
    try:
        import uvloop  # noqa: PLC0415 -- there is none for Windows
    except ImportError:  # pragma: no cover -- the tests have it
        asyncio.run(work())
    else:
        uvloop.run(work())


def told_to_end() -> asyncio.Event:
    """Return what is set when a signal says that this process shall end."""
    ends = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ends.set)
    return ends


async def _serve(plan: Plan) -> None:
    """Build all parts, each of which is ended before those that it needs."""
    ends = told_to_end()
    async with AsyncExitStack() as ending:
        showing = Showing(asyncio.get_running_loop())
        books = await asyncio.to_thread(Books, plan, showing.saw)
        ending.push_async_callback(asyncio.to_thread, books.close)
        front = await _open_api(plan, books, showing, ending)
        await _receive(plan, books, showing, ending)
        LOGGER.info("ready")
        await ends.wait()
        front.is_draining = True
        LOGGER.info("ending: what is under way is answered first")


async def _open_api(plan: Plan, books: Books, showing: Showing, ending: AsyncExitStack) -> Front:
    """Answer agents whose store this is, and whoever looks at metrics."""
    collector = plan.collector
    path = plan.settings.config_path
    budgets = dict[str, object] if path is None else partial(sections, path)
    api = StoreApi(books.store, tokens=plan.tokens, budgets=budgets, clock=partial(datetime.now, UTC))
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
