"""Keeps a collector at what its owner wants by now: changed budgets and prices, stops, raises, duties of the fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from otel_llmcost.alerting.channels import log_channel
from otel_llmcost.alerting.dispatcher import Dispatcher
from otel_llmcost.alerting.top import top_agents
from otel_llmcost.config import Settings
from otel_llmcost.config.table import CONFIG
from otel_llmcost.core.alert import Channel
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import ConfigError
from otel_llmcost.instrumentation.chores import Chore, Chores
from otel_llmcost.instrumentation.contain import contained
from otel_llmcost.instrumentation.outage import Outage
from otel_llmcost.instrumentation.oversight import Oversight
from otel_llmcost.instrumentation.source import Source
from otel_llmcost.instrumentation.watching import watch
from otel_llmcost.pricebook.book import load as load_prices
from otel_llmcost.storage.base import Store
from otel_llmcost_collector.self_metrics import Counters

ALERT_SECONDS = 1.0
"""How often the outbox is looked at: bookings, agents over the API and other collectors put alerts into it."""
EXPIRE_SECONDS = 5.0


def source_of(named: Path | None, environ: Mapping[str, str], *, cwd: Path, home: Path) -> Source:
    """Say where budgets and prices are read from; None: where agents look for them."""
    file = {} if named is None else {CONFIG.variable: str(named)}
    return Source.of({**environ, **file}, cwd=cwd, home=home)


def checked(settings: Settings) -> Settings:
    """Return settings with which nothing is wrong.

    Raises:
        ConfigError: one that tells of all that is.
    """
    if settings.problems:
        raise ConfigError("\n".join(map(str, settings.problems)))
    return settings


def prices_of(settings: Settings) -> PriceBook:
    """Load the newer of our price book and the one that was fetched, with the owner's own prices over it."""
    return load_prices(settings.refreshed_prices).with_overrides(settings.prices)


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """List where alerts go: to the log, and where the owner says."""
    return log_channel({mark.level for budget in settings.budgets for mark in budget.marks}), *settings.channels


class Reins:
    """What oversight holds the collector by."""

    def __init__(self, policy: Policy, use: Callable[[Policy], None]) -> None:
        """Begin with a policy, and hand over each later one."""
        self.refuse_all_reason: str | None = None
        self.outage = Outage()
        self._policy = policy
        self._use = use

    @property
    def policy(self) -> Policy:
        """The budgets in force."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = policy
        self._use(policy)

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)


class Governor:
    """Looks after the collector in a thread of its own, and delivers its alerts."""

    def __init__(
        self,
        store: Store,
        source: Source,
        settings: Settings,
        *,
        use: Callable[[Policy], None],
        applied: Callable[[Settings], None],
        beside: Sequence[Chore] = (),
    ) -> None:
        """Start nothing yet.

        Args:
            store: the composite one, whose ledger is the collector's.
            source: where settings are read again from.
            settings: what they were at the start.
            use: puts budgets in force.
            applied: is told of settings that have changed beside their budgets.
            beside: what else is to be done every so often.
        """
        self.counters = Counters()
        """Counted in the governor's thread."""
        self._settings, self._applied = settings, applied
        self.reins = Reins(Policy(settings.budgets, datetime.now(UTC)), use)
        self._store = store
        self.dispatcher = Dispatcher(
            store,
            channels_of(settings),
            clock=self.reins.now,
            top=lambda alert: top_agents(alert, self.reins.policy.budgets, store),
            around=lambda: contained("deliver alerts"),  # balances that are away for a moment end no thread
        )
        self._oversight = Oversight(store, self.reins, source, self._apply, duties=(self._watch,))
        chores = [
            *self._oversight.chores(),
            Chore("deliver alerts", ALERT_SECONDS, self.dispatcher.poke),
            Chore("suspect calls of dead processes", EXPIRE_SECONDS, self._expire),
            *beside,
        ]
        self._chores = Chores(chores)

    @property
    def settings(self) -> Settings:
        """Budgets, channels and prices in force."""
        return self._settings

    def start(self) -> None:
        """Take up what holds, and go on looking."""
        self._oversight.begin()
        self._chores.start()
        self.dispatcher.resume()

    def close(self) -> None:
        """Look no more; deliver what is due, within a bound."""
        self._chores.close()
        self.dispatcher.close()

    def _apply(self, settings: Settings) -> None:
        self._settings = settings
        self.dispatcher.use(channels_of(settings))
        self._applied(settings)

    def _expire(self) -> None:
        self._store.expire(self.reins.now())

    def _watch(self, policy: Policy, now: datetime) -> None:
        self.counters.alerted(watch(self._store, policy, self._settings.anomalies, now))
        self.dispatcher.poke()
