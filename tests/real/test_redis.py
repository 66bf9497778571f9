"""Budgets on real Redis servers that are killed, paused, restarted and failed over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_llmcost.core.budget import Refusal
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.redis import RedisStore
from tests.real.redis_servers import Server, cluster, sentinels, server
from tests.real.servers import wait_until
from tests.storage.books import LEASE, USD, Books, budget
from tests.storage.processes import Process, race

pytestmark = pytest.mark.real

LIMIT = "5"
_CLAIMS_AT_ONCE = """
import asyncio, json, sys
from otel_llmcost.core.budget import Refusal
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

books = Books(open_store(sys.argv[1]), [budget(limit="5")])
holds = [books.hold(1) for _ in range(25)]
print("ready", flush=True)
sys.stdin.readline()

async def claim():
    return await asyncio.gather(*(books.store.areserve(hold) for hold in holds[:12]))

answers = asyncio.run(claim()) + [books.store.reserve(hold) for hold in holds[12:]]
print(json.dumps(sum(not isinstance(answer, Refusal) for answer in answers)), flush=True)
"""
_WORK_FOR_EVER = """
import random, sys
from otel_llmcost.core.budget import Refusal
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

books = Books(open_store(sys.argv[1]), [budget(limit="1000"), budget("each", "1000", per=("user",))])
chance, number = random.Random(int(sys.argv[2])), 0
while True:
    number += 1
    hold = books.hold(1, {"user": f"u-{number % 3}"}, exposure_usd=1)
    try:
        if isinstance(books.store.reserve(hold), Refusal):
            continue
    except StoreError:
        continue
    posting = books.posting(hold, chance.choice([0.25, 0.5, 1, 1.75]))
    while True:
        try:
            books.store.settle([posting])
            break
        except StoreError:
            pass
    print(number, flush=True)
"""


@pytest.fixture(scope="module")
def whole_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[Server]]]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "one") as made:
        yield made


@pytest.fixture
def opened() -> Iterator[Callable[[str], RedisStore]]:
    stores: list[RedisStore] = []

    def open_it(url: str) -> RedisStore:
        stores.append(open_store(url))
        return stores[-1]

    yield open_it
    for each in stores:
        each.close()


@pytest.mark.parametrize("kind", ["one", "whole_cluster"])
async def test_of_a_hundred_claims_by_tasks_and_threads_exactly_five_are_taken(
    request: pytest.FixtureRequest, opened, kind: str
) -> None:
    made = request.getfixturevalue(kind)
    url = f"redis://{made.place}?timeout=10" if kind == "one" else f"{made[0]}?timeout=10&prefix=tasks"
    books = Books(opened(url), [budget(limit=LIMIT)])
    holds = [books.hold(1) for _ in range(100)]

    with ThreadPoolExecutor(20) as pool:
        by_threads = [pool.submit(books.store.reserve, hold) for hold in holds[:50]]
        answers = await asyncio.gather(*(books.store.areserve(hold) for hold in holds[50:]))
        answers += [each.result() for each in by_threads]

    balance = books.balance()
    assert sum(not isinstance(answer, Refusal) for answer in answers) == 5
    assert (balance.reserved_nano, balance.refused, books.store.open_reservations()) == (5 * USD, 95, 5)


@pytest.mark.parametrize("kind", ["one", "whole_cluster"])
def test_of_a_hundred_claims_by_processes_exactly_five_are_taken(
    request: pytest.FixtureRequest, opened, kind: str
) -> None:
    made = request.getfixturevalue(kind)
    url = f"redis://{made.place}?timeout=10" if kind == "one" else f"{made[0]}?timeout=10&prefix=processes"

    taken = race(_CLAIMS_AT_ONCE, 4, url)

    balance = Books(opened(url), [budget(limit=LIMIT)]).balance()
    assert (sum(taken), balance.reserved_nano, balance.refused) == (5, 5 * USD, 95)


def add_up(books: Books) -> tuple[int, int]:
    """Compare what stands on balances and in the ledger; return the cost and the calls of both."""
    books.store.expire(books.now + LEASE)
    whole, each = books.balance(), books.balances("each")
    (total,) = books.store.totals([], books.now.replace(hour=0), books.now.replace(hour=23))
    assert whole.settled_nano == sum(one.settled_nano for one in each) == total.cost_nano
    assert whole.calls == sum(one.calls for one in each) == total.calls
    assert (whole.reserved_nano, books.store.open_reservations()) == (0, 0)
    assert whole.held_nano <= whole.limit_nano + whole.bound_nano
    return total.cost_nano, total.calls


def both(store: RedisStore) -> Books:
    return Books(store, [budget(limit="1000"), budget("each", "1000", per=("user",))])


def work(url: str, disturb: Callable[[list[Process]], None]) -> None:
    """Let three processes work, disturb them, and kill them."""
    workers = [Process(_WORK_FOR_EVER, url, number) for number in range(3)]
    try:
        for worker in workers:
            assert worker.line()
        disturb(workers)
        for worker in workers:
            for _ in range(5):
                assert worker.line()
    finally:
        for worker in workers:
            worker.kill()


def test_a_server_that_is_paused_and_killed_and_comes_back_has_it_all(one: Server, opened) -> None:
    url = f"redis://{one.place}?timeout=100ms"

    def disturb(_workers: list[Process]) -> None:
        for _ in range(3):
            with one.paused():
                store = opened(url)
                with pytest.raises(StoreError):
                    store.reserve(Books(store).hold(1))
            one.restart()

    work(url, disturb)

    assert add_up(both(opened(url)))[1] > 0


def test_a_master_that_is_killed_is_followed_by_its_replica(tmp_path: Path, opened) -> None:
    """What the replica had not heard of is lost with the master; balances and ledger agree all the same."""
    with sentinels(tmp_path) as (base, master, replica):
        url = f"{base}?timeout=200ms"

        def disturb(_workers: list[Process]) -> None:
            master.kill()
            wait_until(lambda: replica.client().info("replication")["role"] == "master", "the failover")

        work(url, disturb)

        assert add_up(both(opened(f"{base}?timeout=5")))[1] > 0


def test_a_cluster_that_loses_a_master_goes_on(tmp_path: Path, opened) -> None:
    with cluster(tmp_path) as (base, nodes):
        url = f"{base}?timeout=200ms"

        def disturb(_workers: list[Process]) -> None:
            masters = [node for node in nodes if node.client().info("replication")["role"] == "master"]
            masters[0].kill()
            others = [node for node in nodes if node is not masters[0]]
            wait_until(
                lambda: sum(node.client().info("replication")["role"] == "master" for node in others) == 3,
                "the failover",
            )

        work(url, disturb)

        books = both(opened(f"{base}?timeout=5"))
        wait_until(lambda: is_open(books), "the cluster to be whole again")
        cost, calls = add_up_roughly(books)
        assert calls > 0
        assert cost > 0


def is_open(books: Books) -> bool:
    try:
        return books.balance() is not None
    except StoreError:
        return False


def add_up_roughly(books: Books) -> tuple[int, int]:
    """A master that dies takes along what its replica had not heard of: a few calls of one slot, not of others."""
    books.store.expire(books.now + LEASE)
    whole, each = books.balance(), books.balances("each")
    (total,) = books.store.totals([], books.now.replace(hour=0), books.now.replace(hour=23))
    for calls in (whole.calls, sum(one.calls for one in each)):
        assert abs(calls - total.calls) <= 10
    return total.cost_nano, total.calls


def test_two_event_loops_in_two_threads_share_a_store(one: Server, opened) -> None:
    books = Books(opened(f"redis://{one.place}?timeout=10"), [budget(limit="30")])
    taken: list[int] = []

    async def claim() -> None:
        answers = await asyncio.gather(*(books.store.areserve(books.hold(1)) for _ in range(20)))
        taken.append(sum(not isinstance(answer, Refusal) for answer in answers))

    threads = [threading.Thread(target=asyncio.run, args=(claim(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(taken) == 30
