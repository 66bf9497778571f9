"""Who may ask gets `/metrics`, whatever becomes of the store."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from otel_llmcost.errors import StoreError
from otel_llmcost.telemetry.metrics import StoreState
from otel_llmcost_collector.asgi import Headers, ProblemError
from otel_llmcost_collector.exposition.asgi import MetricsApp
from otel_llmcost_collector.exposition.rendering import Exposition, Sources
from otel_llmcost_collector.exposition.text import OPENMETRICS, TEXT
from tests.collector.asking import aask, get, post
from tests.collector.exposition.charges import CALL, NOTHING, Ledger, series_of
from tests.collector.exposition.test_exposition import STATE


def app(state: Callable[[], StoreState | None] = lambda: STATE, **more: Any) -> MetricsApp:
    ledger = Ledger()
    exposition = Exposition(Sources(series=ledger, figures=lambda: NOTHING))
    ledger.series = series_of([CALL])
    return MetricsApp(exposition, state=state, **more)


def test_metrics_are_told() -> None:
    said = get(app(), "/metrics")

    assert (said.status, said.headers["content-type"]) == (200, TEXT)
    assert b" 0.003500001\n" in said.content
    assert b"llmcost_budget_limit_USD{" in said.content


def test_packed_and_in_the_format_that_is_asked_for() -> None:
    said = get(app(), "/metrics", accept="application/openmetrics-text", accept_encoding="gzip")

    assert (said.headers["content-type"], said.headers["content-encoding"]) == (OPENMETRICS, "gzip")
    assert gzip.decompress(said.content).endswith(b"# EOF\n")


def test_nothing_else_is_here() -> None:
    assert get(app(), "/").status == HTTPStatus.NOT_FOUND
    assert post(app(), "/metrics").status == HTTPStatus.METHOD_NOT_ALLOWED


def test_who_may_not_read_is_told_nothing() -> None:
    """On an address that others reach, a token is asked for as elsewhere."""

    def check(headers: Headers) -> None:
        if headers.get("authorization") != "Bearer secret":
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "who are you?")

    guarded = app(check=check)

    assert get(guarded, "/metrics").status == HTTPStatus.UNAUTHORIZED
    assert get(guarded, "/metrics", authorization="Bearer secret").status == HTTPStatus.OK


def test_a_store_that_fails_costs_only_the_budgets(caplog: pytest.LogCaptureFixture) -> None:
    """When the store is down, people need the rest more than ever."""

    def state() -> StoreState:
        raise StoreError("no connection")

    said = get(app(state), "/metrics")

    assert b"llmcost_cost_USD_total{" in said.content
    assert b"llmcost_budget" not in said.content
    assert "no connection" in caplog.text


def test_a_store_that_hangs_is_asked_once_by_all() -> None:
    """However often Prometheus comes, one thread waits."""
    asked: list[int] = []
    may_answer = threading.Event()

    def state() -> StoreState:
        asked.append(1)
        may_answer.wait(10)
        return STATE

    async def ask() -> list[bytes]:
        one = app(state, wait_seconds=0.01)
        early = [(await aask(one, "GET", "/metrics", None)).content for _ in range(3)]
        may_answer.set()
        one._wait_seconds = 10
        return [*early, (await aask(one, "GET", "/metrics", None)).content]

    answers = asyncio.run(ask())

    assert len(asked) == 1
    assert [b"llmcost_budget_limit_USD" in answer for answer in answers] == [False, False, False, True]


def test_what_is_no_request_is_not_answered() -> None:
    """Such as a WebSocket, which the server then refuses by itself."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app()({"type": "websocket"}, receive, send))

    assert sent == []


def test_a_service_of_its_own_starts_and_stops() -> None:
    """On its own address it is an application like any other."""
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(app()({"type": "lifespan"}, receive, send))

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
