"""Where a collector keeps its charges: SQLite on one node, PostgreSQL for many."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from otel_llmcost.errors import ConfigError

if TYPE_CHECKING:
    from otel_llmcost_collector.ledger.base import Ledger

EXPECTED = (
    "memory://, sqlite:///absolute/path, sqlite://relative/path (with ?synchronous=full if wanted) "
    "or postgresql://user@host/database"
)
BY_COMMAND = ""
"""Stands for a node where no collector writes, but a command does: its series are those of whichever collector adds up
next, at the latest when it is opened."""
_SQLITE = "otel_llmcost_collector.ledger.sqlite"
_POSTGRES = "otel_llmcost_collector.ledger.postgres"


def open_ledger(url: str, *, node: str, most_noted: int | None = None) -> Ledger:
    """Open the ledger a URL names.

    Args:
        url: `sqlite:///absolute/path`, `sqlite://relative/path` or `postgresql://user@host/database`; `memory://` is
            gone with the process.
        node: name of this collector among those that share a ledger.
        most_noted: so many entries may wait for their amounts to be added to the sums that are kept; None: as many as
            is best.

    Raises:
        ConfigError: no ledger of ours is named so, or what it needs is not installed.
        StoreError: it cannot be used.
    """
    options: dict[str, Any] = {"node": node} if most_noted is None else {"node": node, "most_noted": most_noted}
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "memory":
        return _open_sqlite(":memory:", "", options)
    if separator and scheme == "sqlite":
        path, _, query = rest.partition("?")
        return _open_sqlite(unquote(path), query, options)
    if separator and scheme in {"postgresql", "postgres"}:
        return _open_postgres(url, options)
    problem = f"no ledger for {scheme + separator!r}"  # what stands behind may hold a password
    raise ConfigError(problem, key="ledger", expected=EXPECTED)


def _open_sqlite(path: str, query: str, options: dict[str, Any]) -> Ledger:
    said = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    synchronous = said.pop("synchronous", "normal")
    if not path.strip("/") or said or synchronous not in {"normal", "full"}:
        problem = "a path is missing" if not path.strip("/") else "an option is not known"
        raise ConfigError(problem, key="ledger", expected=EXPECTED)
    ledger: Ledger = import_module(_SQLITE).SqliteLedger(path, **options, is_synchronous=synchronous == "full")
    return ledger


def _open_postgres(url: str, options: dict[str, Any]) -> Ledger:
    try:
        module = import_module(_POSTGRES)
    except ImportError as error:
        problem = "the extra is missing: pip install 'otel-llmcost[postgres]'"
        raise ConfigError(problem, key="ledger", expected="psycopg to be installed") from error
    ledger: Ledger = module.PostgresLedger(url, **options)
    return ledger
