"""The books of a collector with all that hangs on them: ledger, balances, budgets, alerts and the figures of it all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from otel_llmcost.config import Settings
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.instrumentation.chores import Chore
from otel_llmcost.instrumentation.store_state import store_state
from otel_llmcost.storage import open_store
from otel_llmcost.storage.redis import RedisStore
from otel_llmcost.storage.sqlite import SqliteStore
from otel_llmcost.telemetry.metrics import StoreState
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.fleet_store import FleetStore
from otel_llmcost_collector.governing import Governor, prices_of
from otel_llmcost_collector.ledger import BY_COMMAND, open_ledger
from otel_llmcost_collector.ledger.base import Ledger
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.plan import Plan
from otel_llmcost_collector.self_metrics import Figures

LOGGER = logging.getLogger("otel_llmcost_collector")

_FORGOTTEN_AT_ONCE = 20_000
_FORGET_SECONDS = 3600.0
_LOST_SECONDS = 2.0
_SETTLED_AGAIN = timedelta(days=7)
"""No agent settles a call again after so long."""

Saw = Callable[[Sequence[Observed]], object]


class Books:
    """What one node keeps."""

    def __init__(self, plan: Plan, saw: Saw) -> None:
        """Open ledger and store, and take up what an earlier process left.

        Args:
            plan: what the collector is started with.
            saw: is told in the ledger's thread of what is new in it.

        Raises:
            ConfigError: there is no such ledger or store.
            StoreError: they cannot be used.
        """
        collector, now = plan.collector, datetime.now(UTC)
        self._keep = collector.keep
        self.on_prices: Callable[[PriceBook], None] | None = None
        """Is told of other prices, from another thread."""
        with ExitStack() as opened:
            self._ledger = open_ledger(collector.ledger, node=collector.node)
            opened.callback(self._ledger.close)
            self._inner = inner = open_store(collector.balances)
            opened.callback(inner.close)
            self._pricing = Pricing(prices_of(plan.settings))
            self.accountant = Accountant(
                self._ledger, inner, Policy(plan.settings.budgets, now), assumed=self._assumed, saw=saw
            )
            self.accountant.start()
            opened.callback(self.accountant.close)
            reading = _opened_again(collector.ledger, opened)
            self.store = FleetStore(self.accountant, self._ledger, inner, reading=reading)
            """What agents ask over the API, and what alerts and reports are made of."""
            self._governor = Governor(
                self.store,
                plan.source,
                plan.settings,
                use=self.accountant.use,
                applied=self._apply,
                beside=(
                    Chore("forget old charges", _FORGET_SECONDS, self._forget),
                    Chore("count again what balances have lost", _LOST_SECONDS, self._count_lost),
                ),
            )
            opened.callback(self._governor.close)
            self._governor.start()
            self._generation = self._kept_by_redis()
            """Of what Redis keeps, as far as it was counted."""
            self._opened = opened.pop_all()

    def state(self) -> StoreState:
        """Say how budgets stand.

        Raises:
            StoreError: the store does not say.
        """
        governor = self._governor
        return store_state(self.store, governor.reins.policy, governor.settings.fixed_costs, governor.reins.now())

    def series(self) -> Mapping[tuple[str, ...], Sequence[int]]:
        """Return the sums that metrics are made of."""
        return self.accountant.series()

    def figures(self) -> list[Figures]:
        """Return what is counted, each by a thread of its own."""
        return [counters.figures() for counters in (*self.accountant.figures(), self._governor.counters)]

    def check(self) -> None:
        """Look whether the ledger can be used.

        Raises:
            StoreError: it cannot.
        """
        self.accountant.do(partial(self._ledger.find, ["ready"])).result()

    def close(self) -> None:
        """Deliver what is due, write what waits, and let go of all."""
        self._opened.close()

    def _apply(self, settings: Settings) -> None:
        book = prices_of(settings)
        self._pricing.use(book)
        if self.on_prices is not None:
            self.on_prices(book)

    def _assumed(self, model: str, observed: Observed) -> int | None:
        return self._pricing.cost_at(model, observed.charge())

    def _count_lost(self) -> None:
        """Count budgets anew from the ledger where Redis has lost what it kept, as one without a disk does."""
        generation = self._kept_by_redis()
        if generation is None or generation == self._generation:
            return
        adopted = self.store.adopt_anew(self._governor.reins.policy.budgets, datetime.now(UTC))
        LOGGER.warning("balances were lost, and are counted anew from the ledger: %s", ", ".join(adopted) or "none")
        self._generation = generation

    def _kept_by_redis(self) -> str | None:
        return self._inner.generation if isinstance(self._inner, RedisStore) else None

    def _forget(self) -> None:
        now = datetime.now(UTC)
        some = partial(self._ledger.forget, now - self._keep, most=_FORGOTTEN_AT_ONCE)
        while self.accountant.do(some).result():  # who writes comes in between
            pass
        if isinstance(self._inner, SqliteStore):  # what agents settled is in the ledger; Redis forgets by itself
            while self._inner.forget_charges(now - _SETTLED_AGAIN):
                pass


def _opened_again(url: str, opened: ExitStack) -> Ledger | None:
    """Open a ledger for reports; one in memory is where it is."""
    if url.startswith("memory:"):
        return None
    ledger = open_ledger(url, node=BY_COMMAND)
    opened.callback(ledger.close)
    return ledger
