"""How OpenTelemetry's names are written for Prometheus, as its exporters do."""

from __future__ import annotations

from typing import Final

from otel_llmcost.telemetry import semconv

_UNITS = {"USD": "_USD", "s": "_seconds"}
"""Others are no part of a name: what stands in braces says what is counted, and a share's own name says `ratio`."""


def prometheus_name(name: str, unit: str = "") -> str:
    """Return the name of a metric, of a counter without `_total`."""
    return prometheus_label(name) + _UNITS.get(unit, "")


def prometheus_label(name: str) -> str:
    """Return the name of a label."""
    return name.replace(".", "_")


INSTANCE: Final = prometheus_label(semconv.INSTANCE)
OVERFLOW: Final = prometheus_label(semconv.OVERFLOW)
SOURCE: Final = "llmcost_source"
"""The dialect that calls were told in, which only a collector knows; agents' own metrics have no such label."""
