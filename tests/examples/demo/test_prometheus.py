"""The demo's reading of metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, start_http_server

from examples.demo.prometheus import COST, Readings, Sample, prometheus, scrape, total_nano
from tests.examples.demo.scenes import samples


@contextmanager
def serving(*costs: float) -> Iterator[str]:
    """An agent's metrics, by the exporter that agents use."""
    registry = CollectorRegistry()
    provider = MeterProvider(metric_readers=[PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)
    counter = provider.get_meter("test").create_counter("llmcost.cost", "USD")
    for number, cost in enumerate(costs):
        counter.add(cost, {"gen_ai.agent.name": f"agent-{number}", "gen_ai.request.model": "m"})
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()
    provider.shutdown()


def test_what_an_agent_serves_is_read_and_added_up() -> None:
    with serving(0.001, 0.000_000_001) as url:
        found = scrape(url)

    assert total_nano(found) == 1_000_001
    assert f'{COST}{{gen_ai_agent_name="agent-0",gen_ai_request_model="m",…}}' in map(str, found)


def test_nothing_is_read_where_nobody_serves() -> None:
    assert scrape("http://127.0.0.1:9/metrics") == []


@pytest.mark.parametrize(("answer", "agrees"), [(None, True), (samples(), True), (samples(0.0098), False), ([], False)])
def test_readings_agree_with_an_amount_if_all_of_them_do(answer: list[Sample] | None, *, agrees: bool) -> None:
    assert Readings(team=samples(), prometheus=answer).say(9_900_000) is agrees


def test_without_prometheus_on_the_path_there_is_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with prometheus(tmp_path, "http://127.0.0.1:9/metrics") as asked:
        assert asked is None
