"""How Redis is asked: how often, from where, and what becomes of an answer that does not come."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from otel_llmcost.core.budget import Refusal
from otel_llmcost.errors import StoreBusyError, StoreError
from otel_llmcost.storage import open_store
from otel_llmcost.storage.redis import RedisStore
from tests.storage.books import USD, Books, budget
from tests.storage.processes import ROOT
from tests.storage.redis_server import FakeRedisServer

SCRIPTS = {"EVAL", "EVALSHA"}
FIVE = [budget(f"b-{number}", per=("user",)) for number in range(5)]
Open = Callable[..., RedisStore]


@pytest.fixture
def open_redis(redis_server: FakeRedisServer) -> Iterator[Open]:
    opened: list[RedisStore] = []

    def open_it(kind: str = "redis", path: str = "", *, more: str = "timeout=5") -> RedisStore:
        opened.append(open_store(f"{kind}://{redis_server.place}{path}?{more}", deadline_seconds=5))
        return opened[-1]

    yield open_it
    for made in opened:
        made.close()


def asked(server: FakeRedisServer) -> list[str]:
    """Give what was asked since the last time, but for what a connection begins with."""
    seen = [name for name in server.seen if name not in {"CLIENT", "COMMAND", "CLUSTER"}]
    server.seen.clear()
    return seen


def test_a_call_asks_once_before_it_is_sent_and_once_after(redis_server: FakeRedisServer, open_redis: Open) -> None:
    books = Books(open_redis(), FIVE)
    books.spend(1, {"user": "u"})
    asked(redis_server)

    hold = books.reserve(1, {"user": "u"})
    assert asked(redis_server) == ["EVALSHA"]
    books.store.settle([books.posting(hold, 1)])
    assert asked(redis_server) == ["EVALSHA"]
    assert isinstance(books.store.reserve(books.hold(20, {"user": "u"})), Refusal)
    assert asked(redis_server) == ["EVALSHA"]


async def test_so_does_one_on_an_event_loop(redis_server: FakeRedisServer, open_redis: Open) -> None:
    books = Books(open_redis(), FIVE)
    await books.store.areserve(books.hold(1, {"user": "u"}))
    asked(redis_server)

    assert await books.store.areserve(books.hold(1, {"user": "u"})) is None

    assert asked(redis_server) == ["EVALSHA"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [("redis", ""), ("redis+sentinel", "/ours"), ("redis+cluster", "")],
    ids=["one", "sentinel", "cluster"],
)
async def test_every_kind_of_servers_is_asked_from_threads_and_event_loops(
    open_redis: Open, kind: str, path: str
) -> None:
    """In a cluster, five balances are in five slots, all asked at once; what fits one and not another is released."""
    books = Books(open_redis(kind, path), [*FIVE, budget("small", "5")])

    taken = [await books.store.areserve(books.hold(1, {"user": "u"})) for _ in range(3)]
    taken += [books.store.reserve(books.hold(1, {"user": "u"})) for _ in range(3)]
    refused = await books.store.areserve(books.hold(1, {"user": "u"}))

    assert taken[:5] == [None] * 5
    assert isinstance(taken[5], Refusal)
    assert isinstance(refused, Refusal)
    assert [balance.reserved_nano for each in FIVE for balance in books.balances(each.name)] == [5 * USD] * 5
    assert books.store.open_reservations() == 5


async def test_a_call_without_budgets_asks_nothing(redis_server: FakeRedisServer, open_redis: Open) -> None:
    books = Books(open_redis(), [])

    assert (await books.store.areserve(books.hold(1)), books.store.reserve(books.hold(1))) == (None, None)
    assert redis_server.seen == []


def test_an_event_loop_is_not_to_be_held_up(open_redis: Open) -> None:
    books = Books(open_redis())

    with pytest.raises(StoreBusyError, match="areserve"):
        books.store.reserve(books.hold(1), wait=False)


def test_many_settlements_are_sent_at_once(redis_server: FakeRedisServer, open_redis: Open) -> None:
    books = Books(open_redis(), [budget(limit="10000")])
    holds = [books.reserve(1) for _ in range(3)]
    asked(redis_server)

    books.store.settle([books.posting(hold, 1) for hold in holds])

    assert set(asked(redis_server)) <= SCRIPTS
    assert books.balance().settled_nano == 3 * USD


@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
@pytest.mark.parametrize("is_async", [False, True], ids=["thread", "event-loop"])
async def test_an_act_whose_answer_was_lost_is_done_once(
    redis_server: FakeRedisServer, open_redis: Open, kind: str, is_async: bool
) -> None:
    """The connection is cut between doing and answering: once in each act."""
    books, is_whole = Books(open_redis(kind), [budget("a"), budget("b", "5")]), [True]

    def cut(words: list[bytes]) -> bool:
        return words[0].startswith(b"EVAL") and bool(is_whole) and is_whole.pop()

    redis_server.cut = cut
    for _ in range(3):
        hold, is_whole[:] = books.hold(2, exposure_usd=1), [True]
        answer = await books.store.areserve(hold) if is_async else books.store.reserve(hold)
        is_whole[:] = [True]
        if not isinstance(answer, Refusal):
            books.store.settle([books.posting(hold, 3)])

    assert [(balance.settled_nano, balance.calls, balance.held_nano) for balance in books.balances("a")] == [
        (6 * USD, 2, 6 * USD)
    ]
    (total,) = books.store.totals([], books.now.replace(hour=0), books.now.replace(hour=23))
    assert (total.calls, total.cost_nano, books.store.open_reservations()) == (2, 6 * USD, 0)


@pytest.mark.parametrize(
    "problem",
    ["READONLY You can't write against a read only replica.", "LOADING Redis is loading the dataset in memory",
     "CLUSTERDOWN The cluster is down", "OOM command not allowed", "NOPERM no permissions"],
    ids=lambda text: text.split()[0],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
async def test_what_a_server_refuses_is_told_as_ours(
    redis_server: FakeRedisServer, open_redis: Open, kind: str, problem: str
) -> None:
    books = Books(open_redis(kind), FIVE)
    books.reserve(1, {"user": "u"})
    redis_server.refuse = lambda words: problem if words[0].startswith(b"EVAL") else None

    with pytest.raises(StoreError, match="Redis: "):
        books.store.reserve(books.hold(1, {"user": "u"}))
    with pytest.raises(StoreError, match="Redis: "):
        await books.store.areserve(books.hold(1, {"user": "u"}))
    with pytest.raises(StoreError, match="Redis: "):
        books.store.settle([books.posting(books.hold(1), 1)])


async def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_said(
    redis_server: FakeRedisServer, open_redis: Open
) -> None:
    books, is_over = Books(open_redis(more="timeout=20ms")), threading.Event()
    redis_server.refuse = lambda words: str(is_over.wait()) if words[0].startswith(b"EVAL") else None

    with pytest.raises(StoreError, match="Redis: "):
        books.store.reserve(books.hold(1))
    with pytest.raises(StoreError, match=r"no answer within 0\.02 s"):
        await books.store.areserve(books.hold(1))
    is_over.set()


def test_no_more_acts_are_under_way_than_allowed(open_redis: Open) -> None:
    """Who finds no turn in time is told so: nobody queues without an end."""
    books = Books(open_redis(more="timeout=50ms&connections=1"))
    clients = books.store._open()[0]

    with clients._turn(), pytest.raises(StoreError, match="1 acts are under way already"):
        books.store.reserve(books.hold(1))

    assert books.store.reserve(books.hold(1)) is None


def test_a_wrong_password_is_told_but_not_repeated() -> None:
    server = FakeRedisServer(password="right")
    store = open_store(f"redis://:geheim@{server.place}")

    with pytest.raises(StoreError, match="invalid username-password") as caught:
        store.open_reservations()

    assert "geheim" not in str(caught.value)
    store.close()
    server.stop()


def test_a_cut_connection_is_tried_again_only_as_long_as_there_is_time(
    redis_server: FakeRedisServer, open_redis: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, clock = Books(open_redis(more="timeout=5")), iter([0.0, 5.0])
    redis_server.cut = lambda words: words[0].startswith(b"EVAL")
    monkeypatch.setattr("otel_llmcost.storage.redis_clients.time", SimpleNamespace(monotonic=lambda: next(clock)))

    with pytest.raises(StoreError, match="Redis: "):
        books.store.reserve(books.hold(1))

    assert next(clock, None) is None


def test_nobody_there_is_told(open_redis: Open, redis_server: FakeRedisServer) -> None:
    store = open_redis()
    redis_server.stop()

    with pytest.raises(StoreError, match="Redis: "):
        store.balances([(budget(), budget().window.at(Books(store).now))])


def test_each_event_loop_has_connections_of_its_own_that_end_with_it(open_redis: Open) -> None:
    books = Books(open_redis())

    for _ in range(3):
        assert asyncio.run(books.store.areserve(books.hold(1))) is None

    assert books.store._open()[0]._by_loop == {}
    assert books.balance().reserved_nano == 3 * USD


def test_an_event_loop_that_does_not_run_any_more_is_left_alone(open_redis: Open) -> None:
    books, loop = Books(open_redis()), asyncio.new_event_loop()
    loop.run_until_complete(books.store.areserve(books.hold(1)))

    books.store.close()

    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def test_closing_lets_go_of_connections_on_the_event_loop_too(open_redis: Open) -> None:
    books = Books(open_redis())
    await books.store.areserve(books.hold(1))

    books.store.close()

    with pytest.raises(StoreError, match="closed"):
        await books.store.areserve(books.hold(1))
    await asyncio.sleep(0)  # lets the loop come round to it
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


def test_a_forked_process_connects_anew(open_redis: Open) -> None:
    books = Books(open_redis())
    books.reserve(1)

    child = os.fork()
    if not child:
        books.reserve(1)
        os._exit(0)
    code = os.waitpid(child, 0)[1]
    books.store.after_fork_in_child()  # what the child did, where coverage sees it
    books.reserve(1)

    assert (code, books.balance().reserved_nano) == (0, 3 * USD)


def test_the_package_is_loaded_by_the_first_use_not_by_the_start() -> None:
    opened = "from otel_llmcost.storage import open_store; open_store('redis://x')"
    program = f"import sys; {opened}; print('redis' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "False"
