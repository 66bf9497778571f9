"""A reservation is as much work beside ten thousand balances of its budget as it is beside ten."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from redis import Redis

from otel_llmcost.storage import open_store
from otel_llmcost.storage.base import Store
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.sqlite import SqliteStore
from tests.prove.conftest import UrlOf
from tests.prove.counting import steps
from tests.prove.report import Report
from tests.prove.sizes import Size
from tests.storage.books import Books, budget

FEW = 10
AT_MOST = 1.2
_LOOKS = 30
_GROUP = 100


def fill(books: Books, count: int) -> None:
    """Let so many users spend something."""
    names = (f"u-{number}" for number in range(count))
    for group in iter(lambda: list(itertools.islice(names, _GROUP)), []):
        books.store.settle([books.posting(books.hold(1, {"user": name}), 1) for name in group])


def work_of_a_call(books: Books, servers: list[Redis], users: Iterator[str]) -> Counter[str]:
    """Add up what reservations of some users take, from the look for budgets on."""
    total: Counter[str] = Counter()
    for _ in range(_LOOKS):
        total.update(steps(books.store, servers, lambda: books.reserve(1, {"user": next(users)})))
    return total


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis", "redis+cluster"])
def test_a_reservation_takes_no_more_steps_beside_ten_thousand_balances(
    kind: str, size: Size, url_of: UrlOf, report: Report, tmp_path: Path
) -> None:
    """In bytecodes, in instructions of SQLite's machine, in commands of Redis; for users known and new."""
    counts: dict[tuple[str, int], Counter[str]] = {}
    with ExitStack() as stack:
        for many in (FEW, size.balances):
            url = url_of(kind)
            store: Store = MemoryStore()
            if kind == "sqlite":
                store = SqliteStore(tmp_path / f"{many}.db")
            elif kind != "memory":
                store = open_store(f"{url}&prefix=many-{many}")
            stack.enter_context(closing(store))
            books = Books(store, [budget("each", "1000", per=("user",)), budget("all", "1000000")])
            fill(books, many)
            books.reserve(1, {"user": "u-0"})  # connects, which later ones need not
            known = itertools.cycle(f"u-{number * many // FEW}" for number in range(FEW))
            new = (f"new-{number}" for number in itertools.count())
            for who, users in (("known", known), ("new", new)):
                counts[who, many] = work_of_a_call(books, _servers(kind, url, stack), users)

    for who in ("known", "new"):
        few, many_steps = counts[who, FEW], counts[who, size.balances]
        figures = ", ".join(f"{name} {few[name] // _LOOKS:,} and {many_steps[name] // _LOOKS:,}" for name in few)
        report.say("e  10 and 10,000 balances", f"{kind}, {who} user", f"per reservation: {figures}")
        assert all(many_steps[name] <= few[name] * AT_MOST for name in few)


def _servers(kind: str, url: str, stack: ExitStack) -> list[Redis]:
    if "redis" not in kind:
        return []
    places = url.partition("://")[2].partition("?")[0].split(",")
    return [stack.enter_context(Redis(port=int(place.rpartition(":")[2]))) for place in places]


def test_sqlite_looks_for_no_balance_by_reading_others(tmp_path: Path) -> None:
    """The plans of all statements of a reservation go by an index."""
    with closing(SqliteStore(tmp_path / "ledger.db")) as store:
        books = Books(store, [budget("each", "1000", per=("user",))])
        fill(books, FEW)
        said: list[str] = []
        connection = store._books._connection
        connection.set_trace_callback(said.append)
        books.reserve(1, {"user": "u-1"})
        connection.set_trace_callback(None)

        kinds = ("INSERT", "UPDATE", "SELECT", "DELETE")
        asked = [statement for statement in said if statement.strip().upper().startswith(kinds)]
        plans = [row[3] for statement in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert asked
        assert not [plan for plan in plans if plan.startswith("SCAN")]
