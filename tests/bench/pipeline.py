"""The OpenTelemetry pipeline that every candidate writes to, and that drops it all."""

from collections.abc import Callable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

AN_HOUR_MILLIS = 3_600_000


class CountingExporter(SpanExporter):
    """Drops spans; remembers how many came and how many attributes the last had, as proof that there were any."""

    def __init__(self) -> None:
        self.spans = 0
        self.attributes = 0

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += len(spans)
        self.attributes = len(spans[-1].attributes or ())
        return SpanExportResult.SUCCESS


class DroppingExporter(MetricExporter):
    """Drops metrics."""

    def export(self, metrics_data: Any, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """Nothing is held."""


class Telemetry:
    """Batches spans and reads metrics as in production; its timers sleep, the measured part flushes what is pending."""

    def __init__(self) -> None:
        self.exporter = CountingExporter()
        self.processor = BatchSpanProcessor(self.exporter, schedule_delay_millis=AN_HOUR_MILLIS)
        self.reader = PeriodicExportingMetricReader(DroppingExporter(), export_interval_millis=AN_HOUR_MILLIS)
        self.settle: Callable[[], object] = lambda: None
        """Ends what a candidate does in the background for the calls made."""

    def install(self) -> None:
        """Make it the process's telemetry, as an application does."""
        tracers = TracerProvider()
        tracers.add_span_processor(self.processor)
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([self.reader]))
