"""Every store there is, fresh for each test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from otel_llmcost.core.policy import Policy
from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.fleet_store import FleetStore
from otel_llmcost_collector.ledger import BY_COMMAND
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from otel_llmcost_collector.store_api import StoreApi
from tests.real.redis_servers import cluster, sentinels, server, server_with_tls
from tests.storage.books import NOW
from tests.storage.redis_server import FakeRedisServer
from tests.storage.serving import Serving


@pytest.fixture(scope="session")
def serving() -> Iterator[Serving]:
    """One server for all tests; what it serves is theirs."""
    with Serving() as running:
        yield running


@pytest.fixture
def url_of_a_served_store(serving: Serving) -> Iterator[str]:
    kept = MemoryStore()
    serving.app = api = StoreApi(kept)
    yield f"http://127.0.0.1:{serving.port}?timeout=5"
    api.close()
    kept.close()


@pytest.fixture
def redis_server() -> Iterator[FakeRedisServer]:
    server = FakeRedisServer()
    yield server
    server.stop()


@pytest.fixture
def url_of_redis(redis_server: FakeRedisServer) -> str:
    return f"redis://{redis_server.place}?timeout=5"


@pytest.fixture
def url_of_a_cluster(redis_server: FakeRedisServer) -> str:
    return f"redis+cluster://{redis_server.place}?timeout=5"


@pytest.fixture(scope="session")
def real_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("redis")) as made:
        yield f"redis://{made.place}"


@pytest.fixture(scope="session")
def real_redis_with_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server_with_tls(tmp_path_factory.mktemp("redis-tls")) as url:
        yield url


@pytest.fixture(scope="session")
def real_sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sentinels(tmp_path_factory.mktemp("sentinels")) as (url, *_):
        yield url


@pytest.fixture(scope="session")
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("cluster")) as (url, _):
        yield url


_REAL = ["real_redis", "real_redis_with_tls", "real_sentinels", "real_cluster"]
"""Servers that all tests share; each has a part of its own."""


def _with_options(url: str, **options: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(options)}"


_SERVED = {"https": "url_of_a_served_store", "redis": "url_of_redis", "redis-cluster": "url_of_a_cluster"}


@contextmanager
def _collector(folder: Path, balances: str) -> Generator[Store]:
    """Open what a collector serves agents: its own ledger, and balances beside it."""
    with ExitStack() as opened:
        ledger = SqliteLedger(str(folder / "collector.db"), node="n-1")
        opened.callback(ledger.close)
        inner = open_store(balances)
        opened.callback(inner.close)
        accountant = Accountant(ledger, inner, Policy([], NOW), clock=lambda: NOW)
        accountant.start()
        opened.callback(accountant.close)
        reading = opened.enter_context(closing(SqliteLedger(str(folder / "collector.db"), node=BY_COMMAND)))
        yield FleetStore(accountant, ledger, inner, reading=None if balances == "memory://" else reading)


_COLLECTORS = {"collector": "memory://", "collector-sqlite": "sqlite://{}/balances.db"}
_STORES = ["memory", "sqlite", *_SERVED, *_COLLECTORS, *(pytest.param(name, marks=pytest.mark.real) for name in _REAL)]
"""A new backend adds a param here, not a test."""


@pytest.fixture(params=_STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each of them."""
    yield from _opened(request, tmp_path)


@pytest.fixture(params=[name for name in _STORES if name != "https"])
def booking_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each that books what nothing was held for: behind a server, that server does."""
    yield from _opened(request, tmp_path)


def _opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param in _COLLECTORS:
        with _collector(tmp_path, _COLLECTORS[request.param].format(tmp_path)) as served:
            yield served
        return
    urls = {"memory": "memory://", "sqlite": f"sqlite://{tmp_path}/ledger.db"}
    if request.param in _REAL:
        url = _with_options(request.getfixturevalue(request.param), prefix=f"test-{uuid4().hex}", timeout="5")
    else:
        url = request.getfixturevalue(_SERVED[request.param]) if request.param in _SERVED else urls[request.param]
    made = open_store(url)
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
