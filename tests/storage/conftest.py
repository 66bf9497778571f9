"""Every store there is, fresh for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new backend adds a param here, not a test."""
    urls = {"memory": "memory://", "sqlite": f"sqlite://{tmp_path}/ledger.db"}
    made = open_store(urls[request.param])
    yield made
    made.close()


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens one file again and again, as processes do."""
    opened: list[Store] = []

    def open_it(name: str = "ledger.db", *, deadline_seconds: float = 5.0) -> Store:
        opened.append(open_store(f"sqlite://{tmp_path}/{name}", deadline_seconds=deadline_seconds))
        return opened[-1]

    yield open_it
    for made in opened:
        made.close()
