"""What the collector does, as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.exposition.names import INSTANCE, prometheus_name
from otel_llmcost_collector.exposition.text import Family, HistogramLines, decimal, labelled
from otel_llmcost_collector.self_metrics import (
    MICROS,
    SELF_METRICS,
    STORE_ERRORS,
    TIME_BOUNDS_US,
    Figures,
    Labels,
    SelfMetric,
)

STORE_ERRORS_OF_ALL: Final = SelfMetric(
    name=prometheus_name(semconv.STORE_ERRORS), kind="counter", description="Failures of the store."
)
"""Agents have it too, so the same rule watches both."""
_BOUNDS = tuple(bound / 10**MICROS for bound in TIME_BOUNDS_US)


def self_families(figures: Figures, instance: str) -> list[Family]:
    """Write the figures of all processes down.

    Args:
        figures: added up.
        instance: id of this run.
    """
    families = [_family(metric, figures, instance) for metric in SELF_METRICS]
    failures = sum(figures.counts.get(STORE_ERRORS.name, {}).values())
    return [*families, _numbers(STORE_ERRORS_OF_ALL, {(): failures}, instance)]


def _family(metric: SelfMetric, figures: Figures, instance: str) -> Family:
    if metric.kind != "histogram":
        return _numbers(metric, figures.counts.get(metric.name, {}), instance)
    lines = [
        line
        for labels, cell in figures.times.get(metric.name, {}).items()
        for line in HistogramLines(metric.name, _text(metric, labels, instance), _BOUNDS, metric.digits).lines(cell)
    ]
    return Family(metric.name, metric.kind, metric.description, lines)


def _numbers(metric: SelfMetric, numbers: Mapping[Labels, int], instance: str) -> Family:
    name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
    lines = [
        f"{name}{{{_text(metric, labels, instance)}}} {decimal(number, metric.digits)}"
        for labels, number in numbers.items()
    ]
    return Family(metric.name, metric.kind, metric.description, lines)


def _text(metric: SelfMetric, labels: Labels, instance: str) -> str:
    return labelled({**dict(zip(metric.labels, labels, strict=True)), INSTANCE: instance})
