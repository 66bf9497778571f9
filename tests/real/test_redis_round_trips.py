"""A call waits for Redis once before it, and once behind it, however many budgets it counts on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from otel_llmcost.core.budget import Refusal
from otel_llmcost.storage import open_store
from otel_llmcost.storage.redis import RedisStore
from tests.real.redis_servers import Server, server
from tests.storage.books import Books, budget

pytestmark = pytest.mark.real


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "one") as made:
        yield made


@pytest.fixture
def store(one: Server) -> Iterator[RedisStore]:
    made = open_store(f"redis://{one.place}?timeout=5")
    assert isinstance(made, RedisStore)
    yield made
    made.close()


def counter(client: Redis) -> Callable[[], int]:
    """Return what tells how often the server was sent something since it was asked last, this asking not counted."""
    last = [0]

    def since() -> int:
        now = int(client.info("stats")["total_reads_processed"])
        found, last[0] = now - last[0] - 1, now
        return found

    since()
    return since


@pytest.mark.parametrize("budgets", [1, 5])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_a_call_makes_one_round_trip_before_and_one_behind_it(
    one: Server, store: RedisStore, budgets: int, is_async: bool
) -> None:
    """The asynchronous one is awaited on its event loop; what it came to is written by a thread in both cases.

    The server counts reads: what is longer than 16 KB, as of twenty budgets, takes it several.
    """
    books = Books(store, [budget(f"b-{number}", "1000") for number in range(budgets)])
    hold = books.hold(1)
    await store.areserve(hold)  # opens the connections, and loads the scripts
    store.settle([books.posting(hold, 1), books.posting(books.reserve(1), 1)])
    sent, hold = counter(one.client()), books.hold(1)

    answer = await store.areserve(hold) if is_async else store.reserve(hold)
    before = sent()
    store.settle([books.posting(hold, 1)])

    assert not isinstance(answer, Refusal)
    assert (before, sent()) == (1, 1)
    assert books.balance("b-0").settled_nano == 3_000_000_000
