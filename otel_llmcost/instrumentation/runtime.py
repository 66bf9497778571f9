"""All parts of a process that calls paid models, wired together when the first SDK is imported."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.alerting.channels import log_channel
from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.alerting.top import top_agents
from otel_llmcost.config import Settings
from otel_llmcost.core.alert import Alert, Channel
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.errors import ConfigError, StoreError
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.chores import Chores
from otel_llmcost.instrumentation.contain import contained, logger
from otel_llmcost.instrumentation.counting import ExactCounting, by_rule
from otel_llmcost.instrumentation.driver import Driver
from otel_llmcost.instrumentation.fleet import Fleet
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.oversight import Oversight
from otel_llmcost.instrumentation.source import Source
from otel_llmcost.instrumentation.store_state import store_state
from otel_llmcost.instrumentation.tracing import Tracing
from otel_llmcost.instrumentation.workers import at_end, not_at_end
from otel_llmcost.instrumentation.wrap import ClientWrapper
from otel_llmcost.pricebook.book import load as load_prices
from otel_llmcost.storage import fork, open_store
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.writer import Writer
from otel_llmcost.telemetry.metrics import StoreState
from otel_llmcost.telemetry.summary import KEPT_EVENTS, as_text, summarise

_EXIT_SECONDS = 2.0


@dataclass(slots=True, weakref_slot=True, eq=False)
class Runtime:
    """The parts that live as long as the process."""

    settings: Settings
    store: Store
    writer: Writer
    dispatcher: Dispatcher
    driver: Driver
    tracing: Tracing
    oversight: Oversight = field(init=False)

    @classmethod
    def start(cls, settings: Settings, tracing: Tracing, source: Source | None = None) -> Runtime:
        """Open the store and build what a call needs.

        Args:
            settings: what the process is told.
            tracing: shows its figures.
            source: where the settings are from, to be read again when it changes; None: they stay.
        """
        now, is_exact = _now(), settings.count == "exact"
        events: deque[Charge] = deque(maxlen=KEPT_EVENTS)
        store = _open(settings)
        fleet = Fleet.of(store, settings)
        if fleet is not None:
            settings = fleet.begin()
        meters = tracing.meters
        dispatcher = Dispatcher(
            store,
            _channels(settings),
            clock=_now,
            top=lambda alert: top_agents(alert, parts.policy.budgets, store),
            around=_around_deliveries,
        )

        def on_alerts(alerts: list[Alert]) -> None:
            for alert in alerts:
                meters.alerted(alert.key.budget, alert.level)
            dispatcher.poke()

        def on_problem(error: StoreError) -> None:
            meters.store_errors += 1
            dispatcher.tell_directly("store.failed", str(error))

        def on_recovery() -> None:
            dispatcher.is_over("store.failed")

        writer = Writer(store, now=_now, on_alerts=on_alerts, on_problem=on_problem, on_recovery=on_recovery)
        parts = Driver(
            policy=Policy(settings.budgets, now),
            pricing=Pricing(_prices(settings), _learned(store, fleet), keep=writer.learn, is_exact=is_exact),
            writer=writer,
            outage=Outage(lambda: tuple(events)),
            spans=tracing.spans,
            meters=meters,
            events=events,
            said=settings.attribution,
            count_text=ExactCounting() if is_exact else by_rule,
            refuse_all_reason=settings.refuse_all_reason,
            uncertain=store.uncertain,
        )
        runtime = cls(settings, store, writer, dispatcher, parts, tracing)
        runtime.oversight = Oversight(store, parts, source, runtime.apply, (runtime.watch,), fleet)
        runtime.oversight.begin()
        parts.chores = Chores(runtime.oversight.chores())
        dispatcher.resume()
        at_end(runtime.at_exit)
        fork.watch(runtime)
        return runtime

    def store_state(self) -> StoreState:
        """Read what the metrics show of the store."""
        return store_state(self.store, self.driver.policy, self.settings.fixed_costs, _now())

    def apply(self, settings: Settings) -> None:
        """Put in force what of changed settings can be while the process runs, beside its budgets."""
        self.settings = settings
        self.dispatcher.use(_channels(settings))
        self.driver.pricing.use(_prices(settings))

    def watch(self, policy: Policy, now: datetime) -> None:
        """Look over the whole ledger, as one process of all does."""
        from otel_llmcost.instrumentation.watching import watch  # noqa: PLC0415 -- see there

        for alert in watch(self.store, policy, self.settings.anomalies, now):
            self.tracing.meters.alerted(alert.key.budget, alert.level)
        self.dispatcher.poke()

    def summary(self) -> dict[str, Any]:
        """Sum up what this process has spent."""
        return summarise(self.tracing.meters, list(self.driver.events))

    def at_exit(self) -> None:
        """Write and tell what is left, within a bound; the store stays open for a last collection of metrics."""
        self.driver.chores.close()
        with contained("finish at exit"):
            self.driver.end_all()
            if not self.writer.flush(_EXIT_SECONDS):
                _tell_unwritten(self.writer.unwritten())
            self.dispatcher.close(_EXIT_SECONDS)
            if self.settings.summary:
                sys.stderr.write(as_text(self.summary()) + "\n")

    def before_fork(self) -> None:
        """Nothing is held that a fork could break."""

    def after_fork_in_parent(self) -> None:
        """Go on as before."""

    def after_fork_in_child(self) -> None:
        """Begin with figures, calls and ids of one's own."""
        self.tracing.forked()
        self.driver.forked()

    def close(self) -> None:
        """End all of it."""
        not_at_end(self.at_exit)
        self.at_exit()
        self.writer.close(_EXIT_SECONDS)


def _tell_unwritten(charges: list[Charge]) -> None:
    cost = format_usd(from_nano(sum(charge.cost_nano or 0 for charge in charges)))
    logger.error("the store could not be written to the end: the ledger lacks %d calls for %s", len(charges), cost)


def wrapper(sdk: ClientSdk, *, is_async: bool) -> ClientWrapper:
    """Make the wrapper of one method of one SDK."""
    return ClientWrapper(sdk, driver, is_async=is_async)


def driver() -> Driver | None:
    """Return what calls are accounted by; None: nothing is to be done."""
    runtime = state.runtime
    return None if runtime is None else runtime.driver


@contextmanager
def _around_deliveries() -> Generator[None]:
    """Keep our own sending out of the host's traces, and our faults out of its threads."""
    with contained("deliver alerts"), suppress_instrumentation():
        yield


def _now() -> datetime:
    return datetime.now(UTC)


def _channels(settings: Settings) -> tuple[Channel, ...]:
    levels = {mark.level for budget in settings.budgets for mark in budget.marks}
    return log_channel(levels), *settings.channels


def _open(settings: Settings) -> Store:
    """Open the store; where that cannot be, account in memory and say so."""
    try:
        return open_store(settings.store, token=settings.store_token)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the agent runs
        logger.error("the store %s cannot be opened, costs are kept in memory only: %s", settings.store, error)
        return MemoryStore()


def _prices(settings: Settings) -> PriceBook:
    """Load the newer of our price book and the user's own, and lay his prices over it."""
    try:
        book = load_prices(settings.refreshed_prices)
    except ConfigError as error:
        logger.error("the refreshed price book is passed over: %s", error)
        book = load_prices()
    return book.with_overrides(settings.prices)


def _learned(store: Store, fleet: Fleet | None) -> dict[str, tuple[float, ...]]:
    if fleet is not None and fleet.is_away:
        return {}  # a start waits for its store once
    try:
        return store.learned()
    except StoreError as error:
        logger.warning("what was learned of models cannot be read: %s", error)
        return {}
