"""Our place in the host's OpenTelemetry: a tracer, a span processor, and a part in each collection of metrics."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import metrics, trace

from otel_llmcost.config import Settings
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.contain import contained, guard, logger
from otel_llmcost.telemetry import semconv
from otel_llmcost.telemetry.meters import Meters
from otel_llmcost.telemetry.metrics import Reading, StoreState, read
from otel_llmcost.telemetry.producer import Producer
from otel_llmcost.telemetry.spans import CostProcessor, Spans


def own_version() -> str:
    """Return our version; `0` where the package was not installed."""
    try:
        return version("otel-llmcost")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True)
class Tracing:
    """What shows our figures to OpenTelemetry; accounting does without any of it."""

    spans: Spans
    meters: Meters
    producer: Producer

    @classmethod
    def start(cls, settings: Settings) -> Tracing:
        """Join the providers that are set now."""
        own = own_version()
        spans = Spans(trace.get_tracer(semconv.SCOPE, own), settings.spans)
        meters = Meters()
        producer = Producer(lambda: _read(meters), own)
        join = getattr(trace.get_tracer_provider(), "add_span_processor", None)  # others stand in for the SDK's class
        if join is not None and settings.spans != "off":
            join(CostProcessor(spans, settings.attribution, guard))
        if not producer.attach(metrics.get_meter_provider()):
            logger.info("no OpenTelemetry SDK meter provider is set: costs are kept in the store, not exported")
        return cls(spans, meters, producer)

    def forked(self) -> None:
        """Begin anew in a forked child."""
        self.meters.forked()
        self.producer.forked()

    def stop(self) -> None:
        """Fall silent: processors cannot be taken out of a provider."""
        self.spans.mute()


def _read(meters: Meters) -> list[Reading]:
    store_state: StoreState | None = None
    if state.runtime is not None:
        with contained("read balances for metrics"):
            store_state = state.runtime.store_state()
    return read(meters, store_state)
