"""A real Prometheus scrapes a real ledger: what it knows is what the ledger has, to the nano-dollar."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dashboards.builder import promql
from otel_llmcost.core.budget import Budget
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.window import Calendar
from otel_llmcost.instrumentation.store_state import store_state
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.exposition.asgi import MetricsApp
from otel_llmcost_collector.exposition.processes import Processes
from otel_llmcost_collector.exposition.rendering import Exposition, Sources
from otel_llmcost_collector.exposition.text import OPENMETRICS
from otel_llmcost_collector.ledger.sqlite import SqliteLedger
from otel_llmcost_collector.listening import Listen, bind
from otel_llmcost_collector.observed import Observed, id_of_span
from otel_llmcost_collector.receivers.serving import serve_http
from otel_llmcost_collector.self_metrics import FORWARD_SENT, Counters
from tests.collector.exposition.charges import call
from tests.real.boards import check_board, load_boards
from tests.real.ledger import call_of
from tests.real.servers import get_json, prometheus, wait_until
from tests.real.truth import DAY, Balance, Truth
from tests.test_docs import blocks

pytestmark = pytest.mark.real

HERE = Listen(host="127.0.0.1", port=0)
ODD = 'quo"te back\\slash\nnext \x00 ü 😀 {x="y"}'
"""A model may be called so by whoever sends."""
NOW = datetime.now(UTC)
MOST_SERIES = 12
DOCS = Path(__file__).parents[2] / "docs"


def told(number: int, **more: Any) -> Observed:
    """Make a call of which all is told apart from others."""
    at_us = int(NOW.timestamp() * 1e6) - 1_000_000 + number
    return call(
        charge_id=id_of_span(at_us, f"{number + 1:016x}", f"{number + 1:032x}"),
        at_us=at_us,
        trace_id=f"{number + 1:032x}",
        span_id=f"{number + 1:016x}",
        response_id=f"chatcmpl-{number * 7919 + 10**20:030x}",
        **more,
    )


CALLS = [
    *(told(n, cost_nano=123_456_789_123 + n, tags={"agent": f"agent-{n % 3}", "team": "research"}) for n in range(20)),
    told(20, requested_model=ODD, cost_nano=1),
    told(21, cost_nano=None, status="unpriced", requested_model="unknown"),
    told(22, cost_nano=7, source="otel-llmcost"),
    *(told(n, cost_nano=10, tags={"agent": f"made-up-{n}"}) for n in range(23, 60)),
]


@asynccontextmanager
async def served(folder: Path, *budgets: Budget) -> AsyncIterator[tuple[Accountant, int]]:
    """Keep books, and show them; everything is begun anew each time but what is on disk."""
    loop, counters = asyncio.get_running_loop(), Counters()
    counters.add(FORWARD_SENT, ("tempo", "traces"), 3)
    holder: list[Exposition] = []

    def saw(new: Any) -> None:
        loop.call_soon_threadsafe(holder[0].add, new)

    ledger = SqliteLedger(str(folder / "charges.db"), node="here")
    store, policy = MemoryStore(), Policy(budgets, NOW)
    accountant = Accountant(ledger, store, policy, saw=saw)
    accountant.start()
    processes = Processes(lambda: [counters.figures(), *(each.figures() for each in accountant.figures())])
    sources = Sources(series=accountant.series, figures=processes.figures)
    holder.append(Exposition(sources, most_series=MOST_SERIES, epoch_file=folder / "epoch.json"))
    app = MetricsApp(holder[0], state=lambda: store_state(store, policy, (), datetime.now(UTC)))
    serving = await serve_http(app, [bind(HERE)], HERE)
    try:
        yield accountant, serving.port
    finally:
        await serving.drain(3)
        await asyncio.to_thread(accountant.close)
        ledger.close()


def config(folder: Path, job: dict[str, Any]) -> Path:
    path = folder / "prometheus.yml"
    scraping = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{**job, "job_name": "collector"}]}
    path.write_text(yaml.safe_dump(scraping))
    return path


def asked(url: str, query: str) -> list[dict[str, Any]]:
    return get_json(f"{url}/api/v1/query", query=query)["data"]["result"]


def number(url: str, query: str) -> float | None:
    found = asked(url, query)
    return float(found[0]["value"][1]) if found else None


def ready(url: str, query: str, expected: float) -> Callable[[], bool]:
    return lambda: number(url, query) == expected


def fetched(port: int, **headers: str) -> tuple[str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode(), answer.headers["content-type"]


def costs(url: str) -> Decimal:
    """Add up what Prometheus knows, each series as the nano-dollars it was written as."""
    found = asked(url, "llmcost_cost_USD_total")
    return sum((Decimal(each["value"][1]) for each in found), Decimal(0))


def check_sums(url: str) -> None:
    """All money is there, though not all series are."""
    assert costs(url) == Decimal(sum(each.cost_nano or 0 for each in CALLS)).scaleb(-9)
    assert number(url, 'count(llmcost_cost_USD_total{otel_metric_overflow="true"})') == 1
    assert number(url, "count(llmcost_calls_total)") == MOST_SERIES + 1
    assert number(url, "sum(llmcost_cost_per_call_USD_count)") == len(CALLS) - 1


def check_names(url: str) -> None:
    """Nothing that was sent breaks a scrape."""
    (target,) = get_json(f"{url}/api/v1/targets")["data"]["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    (odd,) = asked(url, 'llmcost_cost_USD_total{gen_ai_request_model=~"(?s)quo.*"}')
    assert odd["metric"]["gen_ai_request_model"] == ODD.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def check_itself(url: str) -> None:
    """What the collector did is told too."""
    assert number(url, "llmcost_collector_forward_sent_total") == 3
    assert number(url, "llmcost_collector_ledger_entries_total") == len(CALLS)
    assert number(url, 'llmcost_collector_duplicates_total{kind="same_span"}') == 5


def check_traces(url: str) -> None:
    """The calls behind the numbers can be found."""
    range_ = {"start": str(time.time() - 3600), "end": str(time.time() + 60)}
    for query in ("llmcost_cost_USD_total", "llmcost_cost_per_call_USD_bucket"):
        named = get_json(f"{url}/api/v1/query_exemplars", query=query, **range_)["data"]
        traces = {each["labels"]["trace_id"] for series in named for each in series["exemplars"]}
        assert traces
        assert traces <= {each.trace_id for each in CALLS}


def test_prometheus_knows_what_the_ledger_has(tmp_path: Path) -> None:
    """With odd names, without room for all series, and with the traces behind the numbers."""

    async def play() -> None:
        async with served(tmp_path) as (accountant, port):
            await accountant.post(CALLS)
            await accountant.post(CALLS[:5])  # sent again
            target = {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            await asyncio.to_thread(look, port, config(tmp_path, target))

    def look(port: int, path: Path) -> None:
        (text, _), (new, kind) = fetched(port), fetched(port, accept="application/openmetrics-text")
        assert kind == OPENMETRICS
        assert {each.name for each in read_text(text)} == {each.name for each in read_openmetrics(new)}
        with prometheus(tmp_path, path, {"enable-feature": "exemplar-storage"}) as url:
            wait_until(ready(url, "sum(llmcost_calls_total)", len(CALLS)), "a scrape")
            for check in (check_sums, check_names, check_itself, check_traces):
                check(url)

    asyncio.run(play())


def test_what_nobody_had_scraped_is_not_lost_in_a_restart(tmp_path: Path) -> None:
    """The next run shows it in the same series, and a board's sum over the restart is the ledger's."""
    first, second = CALLS[:10], CALLS[10:20]
    gained = promql.total(promql.added("llmcost_cost_USD_total", "10m"))

    async def play() -> None:
        async with served(tmp_path) as (accountant, port):
            await accountant.post(first[:5])
            await asyncio.to_thread(fetched, port)
            await accountant.post(first[5:])  # and nobody looks
        async with served(tmp_path) as (accountant, port):
            await accountant.post(second)
            target = {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            await asyncio.to_thread(look, config(tmp_path, target))

    def look(path: Path) -> None:
        with prometheus(tmp_path, path) as url:
            wait_until(ready(url, "sum(llmcost_calls_total)", 20), "a scrape")
            found = number(url, gained)
            assert found is not None
            assert round(Decimal(found), 9) == Decimal(sum(each.cost_nano or 0 for each in CALLS[:20])).scaleb(-9)

    asyncio.run(play())


def test_beside_agents_their_calls_can_be_left_out_as_the_page_says(tmp_path: Path) -> None:
    """The page's own configuration, with another address."""
    (block,) = blocks("yaml", (DOCS / "collector-metrics.md").read_text())
    job = next(each for each in yaml.safe_load(block)["scrape_configs"] if each["job_name"] == "collector")

    async def play() -> None:
        async with served(tmp_path) as (accountant, port):
            await accountant.post(CALLS[20:23])
            path = config(tmp_path, {**job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]})
            await asyncio.to_thread(look, path)

    def look(path: Path) -> None:
        with prometheus(tmp_path, path) as url:
            wait_until(ready(url, "sum(llmcost_calls_total)", 2), "a scrape")
            assert asked(url, 'llmcost_tokens_total{llmcost_source="otel-llmcost"}') == []
            assert number(url, "llmcost_collector_ledger_entries_total") == 3

    asyncio.run(play())


WHO = {"agent": "planner", "team": "research", "feature": "search", "environment": "test"}


def test_the_boards_show_of_a_collector_what_they_show_of_agents(tmp_path: Path) -> None:
    """Every query of every board, on what a collector shows of calls that were told twice, failed or have no price."""
    poor = told(3, tags=WHO, cost_nano=2_000_000, status="estimated")
    rich = msgspec.structs.replace(
        poor,
        charge_id=id_of_span(poor.at_us, "c" * 16, poor.trace_id or ""),
        span_id="c" * 16,
        source="other",
        richness=9,
        status="confirmed",
        cost_nano=3_000_000,
    )
    calls = [
        told(0, tags=WHO, cost_nano=125_000_001),
        told(1, tags={**WHO, "agent": "writer"}, cost_nano=62_500_000, requested_model="gpt-4o-mini"),
        told(2, tags=WHO, cost_nano=None, status="unpriced", requested_model="own"),
        poor,
    ]
    budget = Budget(name="daily", limit=Decimal("0.5"), window=Calendar("day"))  # far from any mark

    async def play() -> None:
        async with served(tmp_path, budget) as (accountant, port):
            await accountant.post(calls)
            await accountant.post([rich])
            assert await asyncio.to_thread(accountant.wait_until_booked, 10)
            entries = await asyncio.wrap_future(accountant.do(lambda: charges(accountant)))
            target = {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            await asyncio.to_thread(look, config(tmp_path, target), entries)

    def look(path: Path, entries: list[Charge]) -> None:
        spent = sum((Decimal(each.cost_nano or 0).scaleb(-9) for each in entries), Decimal(0))
        assert spent == Decimal("0.190500001")
        midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        balance = Balance(
            budget="daily",
            window="day",
            limit=budget.limit,
            spent=spent,
            bound=spent,  # nothing was held for calls that are only told of
            start=midnight,
            end=midnight + DAY,
        )
        truth = Truth(
            calls=[replace(call_of(each), source="openinference") for each in entries],
            balances_at=lambda _: [balance],
            knows_the_past=False,
        )
        with prometheus(tmp_path, path) as url:
            wait_until(ready(url, "sum(llmcost_calls_total)", len(calls)), "a scrape")
            end = ceil(time.time() / 60) * 60
            for name, board in load_boards().items():
                if name != "collector":  # it shows more than calls
                    check_board(board, url, truth, now=end, seconds=600, scrape_seconds=1)

    asyncio.run(play())


def charges(accountant: Accountant) -> list[Charge]:
    """Read the whole ledger; in its own thread."""
    return list(accountant._ledger.charges(NOW - timedelta(days=1), NOW + timedelta(days=1)))
