"""What the store says of budgets, limits, stops and fixed costs, as metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from otel_llmcost.core.budget import Balance
from otel_llmcost.telemetry.meters import Histogram, Meters
from otel_llmcost.telemetry.metrics import Reading, StoreState, read
from otel_llmcost_collector.exposition.names import INSTANCE, prometheus_label, prometheus_name
from otel_llmcost_collector.exposition.text import Family, go_float, labelled


def gauges(state: StoreState, instance: str, most_series: int) -> list[Family]:
    """Write down what the store says, under the names that agents have for it.

    Args:
        state: what it says.
        instance: id of this run.
        most_series: of each metric; of more balances the fullest are shown.
    """
    shown = replace(state, balances=_fullest(state.balances, most_series), limits=_fullest(state.limits, most_series))
    return [_family(reading, instance) for reading in read(Meters(), shown) if reading.is_gauge]


def _fullest(balances: Sequence[tuple[str, Balance]], most: int) -> Sequence[tuple[str, Balance]]:
    if len(balances) <= most:
        return balances
    return sorted(balances, key=lambda each: each[1].share, reverse=True)[:most]


def _family(reading: Reading, instance: str) -> Family:
    name = prometheus_name(reading.name, reading.unit)
    lines = [
        f"{name}{{{labelled({**{prometheus_label(key): str(text) for key, text in attributes}, INSTANCE: instance})}}} "
        f"{go_float(value)}"
        for attributes, value in reading.points
        if not isinstance(value, Histogram)
    ]
    return Family(name, "gauge", reading.description, lines)
