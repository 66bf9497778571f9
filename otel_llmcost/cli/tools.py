"""What commands work with: settings, store, prices and the clock, handed down by `main`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from otel_llmcost.config import Settings
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.storage.base import Store


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
