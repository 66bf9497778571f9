"""What commands work with: settings, store, prices and the clock, handed down by `main`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from otel_llmcost.config import Settings
from otel_llmcost.config.fleet import with_fleet
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.instrumentation.fleet import Telling
from otel_llmcost.storage.base import Store

_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Handed to every command as click's context object."""

    settings: Settings
    environ: Mapping[str, str]
    now: Callable[[], datetime]
    store: Callable[[], Store]
    """Gives the one store of this run, opened when first asked for."""
    book: Callable[[], PriceBook]
    """Gives the price book in use, with the user's own prices over it."""

    def in_force(self) -> Settings:
        """Return the settings with the budgets in them that the store's server tells all agents to hold.

        Raises:
            StoreError: it does not say.
        """
        store: object = self.store()
        if not isinstance(store, Telling):
            return self.settings
        told = store.told("", _SECONDS)
        return self.settings if told is None else with_fleet(self.settings, told[1], store.name)
