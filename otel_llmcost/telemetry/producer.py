"""Hands our readings to every metric reader of the SDK at each of its collections.

The specification knows a MetricProducer for this; the Python SDK has none, so we stand in for the `collect` of each
reader's storage. Where an SDK has no such place, nothing is patched and `attach` says so.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from opentelemetry.sdk.metrics import Counter
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llmcost.telemetry import semconv
from otel_llmcost.telemetry.meters import Histogram
from otel_llmcost.telemetry.metrics import Attributes, Reading

Read = Callable[[], list[Reading]]
_MARK = "_llmcost_producer"


@dataclass(slots=True)
class _Told:
    """What a reader was told last, for one that wants differences."""

    at_ns: int
    values: dict[tuple[str, Attributes], float | Histogram] = field(
        default_factory=dict[tuple[str, Attributes], float | Histogram]
    )


class Producer:
    """Our side of a collection."""

    def __init__(self, read: Read, version: str) -> None:
        self._read = read
        self._scope = InstrumentationScope(semconv.SCOPE, version)
        self._started_ns = time.time_ns()
        self._instance = str(uuid.uuid4())
        self._told: list[_Told] = []

    def forked(self) -> None:
        """Begin anew in a forked child: its figures are its own."""
        self._started_ns = time.time_ns()
        self._instance = str(uuid.uuid4())
        for told in self._told:
            told.at_ns = self._started_ns
            told.values.clear()

    def attach(self, provider: Any) -> bool:
        """Join the collections of a meter provider; once is enough.

        Returns:
            False: the provider is none of the SDK's, or of a version that has no place for us.
        """
        storages = getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", None)
        if not isinstance(storages, dict):
            return False
        for storage in cast("dict[object, object]", storages).values():
            if not hasattr(storage, _MARK):
                self._join(storage, provider)
        return True

    def _join(self, storage: Any, provider: Any) -> None:
        collect = storage.collect
        temporality = storage._instrument_class_temporality  # noqa: SLF001
        told = _Told(self._started_ns)
        self._told.append(told)

        def collect_with_ours(*args: Any, **kwargs: Any) -> MetricsData | None:
            data: MetricsData | None = collect(*args, **kwargs)
            metrics = self._metrics(self._read(), temporality, told)
            if not metrics:
                return data
            ours = ScopeMetrics(scope=self._scope, metrics=metrics, schema_url="")
            if data is None or not data.resource_metrics:
                resource = provider._sdk_config.resource  # noqa: SLF001
                return _data(resource, [ours])
            first = data.resource_metrics[0]
            return _data(first.resource, [*first.scope_metrics, ours])

        storage.collect = collect_with_ours
        setattr(storage, _MARK, self)

    def _metrics(
        self,
        readings: Sequence[Reading],
        temporality: dict[type, AggregationTemporality],
        told: _Told,
    ) -> list[Metric]:
        now = time.time_ns()
        made: list[Metric] = []
        last = told.values
        for reading in readings:
            is_histogram = isinstance(reading.points[0][1], Histogram)
            kind = _temporality_of(HistogramInstrument if is_histogram else Counter, temporality)
            is_delta = kind == AggregationTemporality.DELTA and not reading.is_gauge
            times = told.at_ns if is_delta else self._started_ns, now
            points = [
                self._point(attributes, _since(last, (reading.name, attributes), value) if is_delta else value, times)
                for attributes, value in reading.points
            ]
            data: Any
            if reading.is_gauge:
                data = Gauge(data_points=points)
            elif is_histogram:
                data = HistogramData(data_points=points, aggregation_temporality=kind)
            else:
                data = Sum(data_points=points, aggregation_temporality=kind, is_monotonic=True)
            made.append(Metric(name=reading.name, description=reading.description, unit=reading.unit, data=data))
        told.at_ns = now
        return made

    def _point(self, attributes: Attributes, value: float | Histogram, times: tuple[int, int]) -> Any:
        start, now = times
        named = {**dict(attributes), semconv.INSTANCE: self._instance}
        if isinstance(value, Histogram):
            return HistogramDataPoint(
                attributes=named,
                start_time_unix_nano=start,
                time_unix_nano=now,
                count=value.count,
                sum=value.total,
                bucket_counts=tuple(value.buckets),
                explicit_bounds=value.bounds,
                min=value.low,
                max=value.high,
            )
        return NumberDataPoint(attributes=named, start_time_unix_nano=start, time_unix_nano=now, value=value)


def _temporality_of(instrument: type, temporality: dict[type, AggregationTemporality]) -> AggregationTemporality:
    """Look an instrument up; the SDK's keys are private classes below the public ones."""
    found = (each for kind, each in temporality.items() if issubclass(kind, instrument))
    return next(found, AggregationTemporality.CUMULATIVE)


def _data(resource: Resource, scopes: Sequence[ScopeMetrics]) -> MetricsData:
    return MetricsData(
        resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=scopes, schema_url=resource.schema_url)]
    )


def _since(
    last: dict[tuple[str, Attributes], float | Histogram], key: tuple[str, Attributes], value: float | Histogram
) -> float | Histogram:
    """Return what came since the last collection, for readers that want differences."""
    before = last.get(key)
    if isinstance(value, Histogram):
        last[key] = value.copy()
        return value if not isinstance(before, Histogram) else value.minus(before)
    last[key] = value
    return value - before if isinstance(before, (int, float)) else value
