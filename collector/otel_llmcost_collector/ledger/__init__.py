"""Where a collector keeps its charges: SQLite on one node, PostgreSQL for many."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from otel_llmcost.errors import ConfigError

if TYPE_CHECKING:
    from otel_llmcost_collector.ledger.base import Ledger

EXPECTED = (
    "memory://, sqlite:///absolute/path, sqlite://relative/path (with ?synchronous=full if wanted) "
    "or postgresql://user@host/database"
)
_SQLITE = "otel_llmcost_collector.ledger.sqlite"
_POSTGRES = "otel_llmcost_collector.ledger.postgres"


def open_ledger(url: str, *, node: str) -> Ledger:
    """Open the ledger a URL names.

    Args:
        url: `sqlite:///absolute/path`, `sqlite://relative/path` or `postgresql://user@host/database`; `memory://` is
            gone with the process.
        node: name of this collector among those that share a ledger.

    Raises:
        ConfigError: no ledger of ours is named so, or what it needs is not installed.
        StoreError: it cannot be used.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "memory":
        return _open_sqlite(":memory:", "", node)
    if separator and scheme == "sqlite":
        path, _, query = rest.partition("?")
        return _open_sqlite(unquote(path), query, node)
    if separator and scheme in {"postgresql", "postgres"}:
        return _open_postgres(url, node)
    problem = f"no ledger for {scheme + separator!r}"  # what stands behind may hold a password
    raise ConfigError(problem, key="ledger", expected=EXPECTED)


def _open_sqlite(path: str, query: str, node: str) -> Ledger:
    options = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    synchronous = options.pop("synchronous", "normal")
    if not path.strip("/") or options or synchronous not in {"normal", "full"}:
        problem = "a path is missing" if not path.strip("/") else "an option is not known"
        raise ConfigError(problem, key="ledger", expected=EXPECTED)
    ledger: Ledger = import_module(_SQLITE).SqliteLedger(path, node=node, is_synchronous=synchronous == "full")
    return ledger


def _open_postgres(url: str, node: str) -> Ledger:
    try:
        module = import_module(_POSTGRES)
    except ImportError as error:
        problem = "the extra is missing: pip install 'otel-llmcost[postgres]'"
        raise ConfigError(problem, key="ledger", expected="psycopg to be installed") from error
    ledger: Ledger = module.PostgresLedger(url, node=node)
    return ledger
