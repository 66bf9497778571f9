"""Every ledger there is, fresh for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from otel_llmcost_collector.ledger import open_ledger
from otel_llmcost_collector.ledger.base import Ledger
from tests.real.postgres_server import PostgresServer

OpenLedger = Callable[..., Ledger]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One server for all tests; each has a database of its own."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new kind of ledger adds a param here, not a test."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.database(f"test_{uuid4().hex}")
    return {"memory": "memory://", "sqlite": f"sqlite://{tmp_path}/collector.db"}[request.param]


@pytest.fixture
def open_it(url: str) -> Iterator[OpenLedger]:
    """Opens the ledger, as nodes and processes do."""
    opened: list[Ledger] = []

    def again(node: str = "a") -> Ledger:
        opened.append(open_ledger(url, node=node, most_noted=120))
        return opened[-1]

    yield again
    for made in opened:
        made.close()


@pytest.fixture
def ledger(open_it: OpenLedger) -> Ledger:
    return open_it()


@pytest.fixture
def reopened(open_it: OpenLedger, ledger: Ledger, url: str) -> Callable[[], Ledger]:
    """Opens a ledger anew that others may have open; in memory there is only the one."""
    return lambda: ledger if url == "memory://" else open_it()
