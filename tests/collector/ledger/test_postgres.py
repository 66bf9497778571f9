"""What only a ledger on a server, which many nodes share, can suffer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from otel_llmcost.errors import ConfigError, StoreError, UnstorableError
from otel_llmcost_collector.ledger import open_ledger
from otel_llmcost_collector.ledger.base import Ledger, Line
from tests.collector.ledger.lines import FOREVER, USD, charge, line, lines, nothing
from tests.real.postgres_server import PostgresServer

pytestmark = pytest.mark.real
TODAY = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database(f"test_{uuid4().hex}")


@pytest.fixture
def nodes(url: str) -> Iterator[Callable[[int], list[Ledger]]]:
    opened: list[Ledger] = []

    def some(count: int) -> list[Ledger]:
        opened.extend(open_ledger(url, node=f"node-{number}", most_noted=200) for number in range(count))
        return opened

    yield some
    for made in opened:
        made.close()


def test_nodes_that_write_at_once_charge_each_call_once(nodes: Callable[[int], list[Ledger]]) -> None:
    """The same spans and other tellings of the same calls, in other orders and batches, at four nodes."""
    tellings: list[Line] = []
    for number in range(600):
        first = charge(TODAY + timedelta(milliseconds=number * 100), tags={"user": f"user-{number % 7}"})
        second = charge(first.at + timedelta(seconds=random.Random(number).uniform(-50, 50)), tags={"user": "second"})
        tellings += [line(first, f"chatcmpl-{number}"), line(second, f"chatcmpl-{number}")]

    def send(numbered: tuple[int, Ledger]) -> list[bool]:
        number, ledger = numbered
        mine = random.Random(number).sample(tellings, len(tellings))
        return [
            new for start in range(0, len(mine), 40) for new in ledger.write(mine[start : start + 40], nothing).is_new
        ]

    some = nodes(4)
    with ThreadPoolExecutor(4) as pool:
        news = list(pool.map(send, enumerate(some)))

    assert sum(map(sum, news)) == 600
    (total,) = some[0].totals((), *FOREVER)
    assert (total.calls, total.cost_nano) == (600, 600 * USD)
    assert sum(each.calls for each in some[1].totals(("user",), *FOREVER)) == 600
    assert [sum(amounts[2] for amounts in each.series().values()) for each in some] == [sum(new) for new in news]


def test_a_claim_on_a_call_that_is_refused_goes_to_who_has_it(nodes: Callable[[int], list[Ledger]]) -> None:
    """Of three tellings, the first and the last are too far apart to meet but through the second."""
    (ledger,) = nodes(1)
    start = datetime.fromtimestamp(TODAY.timestamp() // 120 * 120, UTC)
    first, second, third = (charge(start + timedelta(seconds=seconds)) for seconds in (50, 70, 125))

    ledger.write([line(first, "c")], nothing)
    ledger.write([line(second, "c")], nothing)
    written = ledger.write([line(third, "c")], nothing)

    assert dict(written.known_calls) == {0: first.charge_id}


def test_days_have_partitions_and_whatever_is_strange_has_one_too(
    nodes: Callable[[int], list[Ledger]], url: str
) -> None:
    """A clock that is wrong by years makes no table for each of its days."""
    (ledger,) = nodes(1)
    strange = [charge(TODAY + timedelta(days=days)) for days in (-3000, 3000)]
    ledger.write(lines(charge(TODAY), *strange, charge(TODAY, charge_id="openai:batch_1")), nothing)

    with psycopg.connect(url) as connection:
        named = connection.execute(
            "SELECT tableoid::regclass::text, count(*) FROM llmcost.charges GROUP BY 1"
        ).fetchall()
    assert dict(named) == {f"llmcost.charges_{TODAY:%Y%m%d}": 1, "llmcost.charges_other": 3}


def test_days_that_are_over_are_dropped_whole(nodes: Callable[[int], list[Ledger]], url: str) -> None:
    (ledger,) = nodes(1)
    yesterday = TODAY.replace(hour=12) - timedelta(days=1)
    ledger.write(lines(*[charge(yesterday) for _ in range(5)], charge(TODAY)), nothing)

    assert ledger.forget(TODAY.replace(hour=0, minute=0, second=0)) == 5

    with psycopg.connect(url) as connection:
        (found,) = (
            connection.execute("SELECT to_regclass(%s)", (f"llmcost.charges_{yesterday:%Y%m%d}",)).fetchone() or ()
        )
    assert found is None
    (total,) = ledger.totals((), *FOREVER)
    assert total.calls == 6


def test_a_zero_byte_is_spelled_out(nodes: Callable[[int], list[Ledger]]) -> None:
    """PostgreSQL takes it in no text."""
    (ledger,) = nodes(1)
    ledger.write(lines(charge(TODAY, tags={"user": "a\0", "team": "b\0", "task": "c\0"}, error_type="d\0")), nothing)

    (found,) = ledger.charges(*FOREVER)
    assert dict(found.tags) == {"user": "a\\x00", "team": "b\\x00", "task": "c\\x00"}
    assert found.error_type == "d\\x00"


def test_what_does_not_fit_is_said(nodes: Callable[[int], list[Ledger]]) -> None:
    (ledger,) = nodes(1)

    with pytest.raises(UnstorableError):
        ledger.write([line(charge(TODAY), duration_us=1 << 70)], nothing)
    assert list(ledger.write(lines(charge(TODAY)), nothing).is_new) == [True]


def test_a_server_that_died_is_said_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    """Nothing is half done: what was not acknowledged can be sent again."""
    server = PostgresServer(tmp_path)
    ledger = open_ledger(server.database("ledger"), node="a")
    first, second = charge(TODAY), charge(TODAY, tags={"user": "new"})
    ledger.write(lines(first), lambda _new: b"owed")
    server.kill()

    for _ in range(2):
        with pytest.raises(StoreError, match="PostgreSQL cannot be used"):
            ledger.write(lines(second), nothing)
    server.start()

    assert list(ledger.write(lines(first, second), nothing).is_new) == [False, True]
    assert [body for _, body in ledger.notes()] == [b"owed"]
    assert sum(each.calls for each in ledger.totals(("user",), *FOREVER)) == 2
    ledger.close()
    server.stop()


def test_a_server_that_nobody_runs_is_said() -> None:
    """Without the password that may stand in the URL."""
    with pytest.raises(StoreError) as caught:
        open_ledger("postgresql://me:secret@127.0.0.1:1/ledger", node="a")

    assert "secret" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_said() -> None:
    with pytest.raises(ConfigError):
        open_ledger("postgresql://host/db?nonsense=1", node="a")


def test_tables_of_a_newer_version_are_left_as_they_are(nodes: Callable[[int], list[Ledger]], url: str) -> None:
    nodes(1)
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO llmcost.migrations (name) VALUES ('9999 from the future')")

    with pytest.raises(StoreError, match="9999 from the future"):
        open_ledger(url, node="b")


def test_a_closed_ledger_says_so(nodes: Callable[[int], list[Ledger]]) -> None:
    (ledger,) = nodes(1)
    ledger.close()

    with pytest.raises(StoreError, match="closed"):
        ledger.find([replace(charge()).charge_id])
