"""Calls and sums to be exposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from otel_llmcost_collector.accounting.series import labels_of
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.self_metrics import Figures, Labels

CALL = Observed(
    charge_id="0" * 32,
    at_us=1_700_000_000_000_000,
    duration_us=1_500_000,
    provider="openai",
    operation="chat",
    requested_model="gpt-4o",
    served_model="gpt-4o-2024-08-06",
    tags={"agent": "planner", "team": "research"},
    counts={"input_tokens": 1000, "output_tokens": 100},
    status="confirmed",
    method="reported",
    cost_nano=3_500_001,
    list_cost_nano=3_500_001,
    rate_id="openai/gpt-4o",
    rate_source="book",
    tier="standard",
    trace_id="a" * 32,
    span_id="b" * 16,
    parent_span_id=None,
    response_id=None,
    error_type=None,
    source="openinference",
    richness=1,
)
NOTHING = Figures({}, {})


def call(**changes: Any) -> Observed:
    """Make a call that differs from the usual one."""
    return msgspec.structs.replace(CALL, **changes)


def amounts(**named: int) -> tuple[int, ...]:
    """Make sums of the ledger; what is not named is 0."""
    return tuple(named.get(name, 0) for name in SERIES_AMOUNTS)


def series_of(calls: Sequence[Observed]) -> dict[Labels, Sequence[int]]:
    """Add calls up as a ledger does."""
    sums: dict[Labels, Sequence[int]] = {}
    for each in calls:
        counts = each.counts
        one = amounts(
            cost_nano=each.cost_nano or 0,
            calls=1,
            input=counts.get("input_tokens", 0),
            output=counts.get("output_tokens", 0),
            unpriced=int(each.cost_nano is None),
        )
        known = sums.get(labels_of(each), amounts())
        sums[labels_of(each)] = tuple(a + b for a, b in zip(known, one, strict=True))
    return sums


class Ledger:
    """The sums of a ledger, as a test sets them."""

    def __init__(self, series: Mapping[Labels, Sequence[int]] | None = None) -> None:
        self.series: Mapping[Labels, Sequence[int]] = series or {}

    def __call__(self) -> Mapping[Labels, Sequence[int]]:
        return self.series
