"""Where `ledger` commands read entries and write corrections: the store, or the ledger of a collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module, util
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from otel_llmcost.core.ledger import Charge
from otel_llmcost.errors import ConfigError, StoreError
from otel_llmcost.storage.base import Posting, Store
from otel_llmcost.storage.sqlite_backup import backup

_COLLECTOR = "otel_llmcost_collector.ledger"
"""Named, not imported: plugins do without the collector."""


class Books(Protocol):
    """Entries, and a way to add some."""

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """Read entries in order of time."""
        ...

    def append(self, charges: Sequence[Charge]) -> None:
        """Write entries that are not there yet; no balance is moved."""
        ...


@dataclass(frozen=True, slots=True)
class StoreBooks:
    """Those of a store."""

    store: Store

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Books.charges`."""
        return self.store.charges(since, until)

    def append(self, charges: Sequence[Charge]) -> None:
        """See `Books.append`: who claims nothing moves no balance."""
        self.store.settle([Posting(reservation_id=one.charge_id, claims=(), charge=one, assumed={}) for one in charges])


@dataclass(frozen=True, slots=True)
class CollectorBooks:
    """Those of a collector."""

    ledger: Any

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Books.charges`."""
        found: Iterator[Charge] = self.ledger.charges(since, until)
        return found

    def append(self, charges: Sequence[Charge]) -> None:
        """See `Books.append`: what is corrected was told by somebody, and so is its correction."""
        import_module(f"{_COLLECTOR}.correcting").append(self.ledger, charges)


def open_books(store: Callable[[], Store], url: str | None, when_done: Callable[[Callable[[], None]], object]) -> Books:
    """Open what is asked for.

    Args:
        store: gives the store of the settings.
        url: of a collector's ledger; None: the store's.
        when_done: is told what to do at the end.

    Raises:
        ConfigError: the URL names no ledger, or the collector is not installed.
    """
    if url is None:
        return StoreBooks(store())
    if util.find_spec("msgspec") is None or util.find_spec("otel_llmcost_collector") is None:
        raise ConfigError(
            "the collector is not installed", key="--ledger", expected="pip install 'otel-llmcost[collector]'"
        )
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and not Path(_path(rest)).is_file():
        msg = f"there is no {_path(rest)}"
        raise StoreError(msg)
    module = import_module(_COLLECTOR)
    ledger = module.open_ledger(url, node=module.BY_COMMAND)
    when_done(ledger.close)
    return CollectorBooks(ledger)


def copy(url: str, to: Path) -> None:
    """Copy a ledger of one file, be it a store's or a collector's.

    Raises:
        ConfigError: it is not in one file.
    """
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite":
        raise ConfigError(
            f"a ledger behind {scheme}:// is copied with the tools of its server",
            key="backup",
            expected="sqlite://...; of PostgreSQL, pg_dump makes a copy while collectors write",
        )
    backup(Path(_path(rest)), to)


def _path(rest: str) -> str:
    return unquote(rest.partition("?")[0])
