"""The collector as people run it: one program, real senders, and whatever may befall it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from otel_llmcost.core.ledger import Charge
from otel_llmcost.storage import open_store
from tests.collector.running import Running, running
from tests.real.servers import free_port, wait_until

NANO = 3_500_000
"""Cost of one call of `_send`."""


def _send(exporter: SpanExporter, *names: str, user: str = "u-1") -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai")
    for name in names:
        with tracer.start_as_current_span("chat gpt-4o") as span:
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.response.id": f"chatcmpl-AbCdEfGh0123456789-{name}",
                    "gen_ai.usage.input_tokens": 1000,
                    "gen_ai.usage.output_tokens": 100,
                    "gen_ai.agent.name": "scraper",
                    "user.id": user,
                }
            )
    provider.shutdown()


def _http(collector: Running) -> HttpExporter:
    return HttpExporter(f"{collector.http}/v1/traces")


def _charges(collector: Running) -> list[Charge]:
    now = datetime.now(UTC)
    with closing(open_store(collector.api)) as store:
        return list(store.charges(now - timedelta(days=1), now + timedelta(days=1)))


def test_spans_of_both_protocols_are_priced_booked_and_shown(tmp_path: Path) -> None:
    """The five-line start: one program, any sender, a ledger and metrics."""
    with running(tmp_path) as collector:
        _send(_http(collector), "a", "b")
        _send(GrpcExporter(collector.url("OTLP over gRPC"), insecure=True), "c")

        assert [charge.cost_nano for charge in _charges(collector)] == [NANO] * 3
        assert {charge.tags["agent"] for charge in _charges(collector)} == {"scraper"}
        assert collector.metric("llmcost_cost_USD_total") == pytest.approx(0.0105)
        assert collector.metric("llmcost_collector_spans_total") == 3
        assert collector.end() == 0


def test_what_is_known_outlives_a_kill_and_what_is_told_again_counts_once(tmp_path: Path) -> None:
    """An exporter that saw no answer sends the same again, be it to another run."""
    with running(tmp_path) as collector:
        _send(_http(collector), "a", "b")
        collector.end(signal.SIGKILL)
    with running(tmp_path) as collector:
        _send(_http(collector), "b", "c")

        assert len(_charges(collector)) == 3
        assert collector.metric("llmcost_cost_USD_total") == pytest.approx(0.0105)
        assert collector.metric("llmcost_collector_duplicates_total") == 1


def test_what_is_handed_on_carries_its_cost_and_counts_once_behind_us_too(tmp_path: Path) -> None:
    """A gateway before another collector, or before any back end that shows costs."""
    with running(tmp_path / "behind") as behind:
        settings = f'[[forward]]\nname = "behind"\nendpoint = "{behind.http}"\n'
        with running(tmp_path / "before", settings) as before:
            _send(_http(before), "a")
            wait_until(lambda: len(_charges(behind)) == 1, "the span arrives behind")
            _send(_http(behind), "a")

            (charge,) = _charges(behind)
            assert charge.cost_nano == NANO
            assert charge.charge_id == _charges(before)[0].charge_id


def test_a_budget_counts_what_arrives_and_its_owner_is_told(tmp_path: Path) -> None:
    """Whoever has no plugin is not refused, but nothing goes unseen."""
    budgets = """
    [[budget]]
    name = "daily"
    limit = 0.01
    window = "day"
    per = ["user"]
    """
    with running(tmp_path, budgets=budgets) as collector:
        _send(_http(collector), "a", "b", "c")

        wait_until(lambda: "exceeded" in collector.log, "the log tells of the mark")
        with closing(open_store(collector.api)) as store:
            levels = {fired.alert.level for fired in store.alerts()}
        assert levels == {"warning", "critical", "exceeded"}


def test_changed_budgets_are_in_force_while_it_runs(tmp_path: Path) -> None:
    """Nobody restarts a collector for a budget, and a new one counts what was spent in its window."""
    with running(tmp_path) as collector:
        _send(_http(collector), "a")

        (tmp_path / "llmcost.toml").write_text('[[budget]]\nname = "new"\nlimit = 1\nwindow = "day"\n')

        wait_until(lambda: "settings have changed" in collector.log, "the change is seen")
        wait_until(lambda: collector.metric("llmcost_budget_spent_USD") == pytest.approx(0.0035), "old spend counts")


def test_wrong_settings_are_told_and_nothing_starts(tmp_path: Path) -> None:
    """All of them at once, with the exit code for wrong use."""
    (tmp_path / "collector.toml").write_text("[receive]\nhttp = 1\n[acces]\n")
    command = [Path(sys.executable).parent / "otel-llmcost", "collector", "--check"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "collector.toml:2: receive.http: found 1" in done.stderr
    assert '"access" is meant' in done.stderr


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (["receive.http=127.0.0.1:4317"], "receive.grpc listens there already"),
        (["receive.http=off", "receive.grpc=off", "api.listen=off"], "nothing is listened on"),
    ],
    ids=["one-place", "no-place"],
)
def test_places_that_make_no_sense_are_told(tmp_path: Path, places: list[str], told: str) -> None:
    """Before anything is begun."""
    command = [
        Path(sys.executable).parent / "otel-llmcost",
        "collector",
        "--check",
        *(f"--set={each}" for each in places),
    ]

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)}
    )

    assert done.returncode == 2
    assert told in done.stderr


def test_a_place_that_is_taken_is_told(tmp_path: Path) -> None:
    """By which setting it was asked for."""
    with running(tmp_path / "a") as first:
        command = [Path(sys.executable).parent / "otel-llmcost", "collector", f"--set=receive.http={first.http[7:]}"]
        more = ["--set=receive.grpc=off", "--set=api.listen=off"]

        done = subprocess.run(
            [*command, *more], cwd=tmp_path, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)}
        )

    assert done.returncode == 2
    assert "receive.http" in done.stderr
    assert "in use" in done.stderr


def test_an_agent_whose_store_it_is_and_that_sends_spans_is_charged_once(tmp_path: Path) -> None:
    """The plugin settles over the API, and its span tells of the same call."""
    from examples.provider_server import ProviderServer

    with ProviderServer() as server, running(tmp_path) as collector:
        environ = {
            "OTEL_LLMCOST_STORE": collector.api,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "HOME": str(tmp_path),
            **server.environment,
        }
        bin_folder = Path(sys.executable).parent
        agent = [bin_folder / "opentelemetry-instrument", sys.executable, "examples/openai_minimal.py"]
        done = subprocess.run(agent, env=environ, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        charges = _charges(collector)
        assert len(charges) == len(server.requests)
        assert collector.metric("llmcost_collector_inference_spans_total") == len(charges)


def test_workers_receive_beside_one_that_keeps_the_books(tmp_path: Path) -> None:
    """Whichever of them a sender reaches, and whoever of them dies, there is one bill."""
    with _with_workers(tmp_path) as (collector, url):
        for number in range(6):
            _send(HttpExporter(f"{url}/v1/traces"), f"{number}")
        _kill_a_worker(collector)
        _send(HttpExporter(f"{url}/v1/traces"), "5", "6")

        assert len(_charges(collector)) == 7
        assert collector.metric("llmcost_cost_USD_total") == pytest.approx(0.0245)
        wait_until(lambda: collector.metric("llmcost_collector_workers") == 2, "another worker takes its place")
        assert collector.metric("llmcost_collector_worker_deaths_total") == 1
        assert collector.end() == 0


def test_workers_do_not_outlive_who_keeps_the_books(tmp_path: Path) -> None:
    """They would take requests from senders, and could book none."""
    with _with_workers(tmp_path) as (collector, _):
        workers = _workers_of(collector)

        collector.end(signal.SIGKILL)

        wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in workers), "the workers end")


@contextmanager
def _with_workers(folder: Path) -> Iterator[tuple[Running, str]]:
    port = free_port()
    said = {"set": f"receive.http=127.0.0.1:{port}"}
    with running(folder, '[receive]\ngrpc = "off"\n', places=False, workers=2, **said) as collector:
        yield collector, f"http://127.0.0.1:{port}"


def _workers_of(collector: Running) -> list[int]:
    own = str(collector.process.pid)
    children = [
        each for each in Path("/proc").glob("[0-9]*/stat") if each.read_text().rsplit(")")[-1].split()[1] == own
    ]
    return [int(each.parent.name) for each in children]


def _kill_a_worker(collector: Running) -> None:
    os.kill(_workers_of(collector)[0], signal.SIGKILL)


def test_it_tells_whether_it_is_ready(tmp_path: Path) -> None:
    """Load balancers ask."""
    with running(tmp_path) as collector:
        assert json.loads(collector.get("/readyz")) == {"status": "ready"}
        assert json.loads(collector.get("/healthz")) == {"status": "ok"}
