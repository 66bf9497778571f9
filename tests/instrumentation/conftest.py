"""A process of ours within the test: real SDKs, real store, a real provider server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_llmcost
from examples.provider_server import ProviderServer
from otel_llmcost.config import load
from otel_llmcost.core.budget import Balance
from otel_llmcost.core.ledger import Charge
from otel_llmcost.instrumentation import contain, state
from otel_llmcost.instrumentation.runtime import Runtime

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
trace.set_tracer_provider(PROVIDER)


@dataclass
class Process:
    """What a test sees of the accounting in this process."""

    runtime: Runtime

    @property
    def charges(self) -> list[Charge]:
        self.runtime.writer.flush(5)
        now = datetime.now(UTC)
        return list(self.runtime.store.charges(now - timedelta(days=1), now + timedelta(days=1)))

    @property
    def charge(self) -> Charge:
        (charge,) = self.charges
        return charge

    def balance(self, budget: str) -> Balance:
        self.runtime.writer.flush(5)
        spans = self.runtime.driver.policy.spans(datetime.now(UTC))
        (found,) = [balance for balance in self.runtime.store.balances(spans) if balance.budget == budget]
        return found

    @property
    def open_reservations(self) -> int:
        self.runtime.writer.flush(5)
        return self.runtime.store.open_reservations()

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for span in EXPORTER.get_finished_spans() if span.instrumentation_scope.name == "otel_llmcost"]


Start = Callable[..., Process]


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(params=["memory", "sqlite"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start accounting with a configuration; afterwards nothing may be held, and nothing of ours may have failed."""
    monkeypatch.setattr(contain, "reraise", True)
    started: list[Process] = []

    def begin(toml: str = "", *, store: str = "memory", **environ: str) -> Process:
        url = "memory://" if store == "memory" else f"sqlite:///{tmp_path / 'ledger.db'}"
        config = tmp_path / "llmcost.toml"
        config.write_text(toml)
        variables = {"OTEL_LLMCOST_CONFIG": str(config), "OTEL_LLMCOST_STORE": url, **environ}
        settings = load(variables, cwd=tmp_path, home=tmp_path)
        assert settings.problems == ()
        __import__("openai")
        __import__("anthropic")
        otel_llmcost.instrument(settings)
        assert state.runtime is not None
        started.append(Process(state.runtime))
        return started[-1]

    EXPORTER.clear()
    contain.seen.clear()
    yield begin
    left_open = [process.open_reservations for process in started]
    otel_llmcost.uninstrument()
    assert not any(left_open)
    assert not contain.seen


@pytest.fixture
def process(start: Start) -> Process:
    return start()


def usd(value: Any) -> int:
    """Return an amount of USD in nano-USD."""
    return round(float(value) * 1_000_000_000)
