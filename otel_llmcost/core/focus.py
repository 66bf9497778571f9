"""Entries of the ledger in the words of FOCUS, the FinOps open cost and usage specification; ours begin with `x_`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.money import from_nano
from otel_llmcost.core.usage import Unit

FocusValue = str | int | float | Decimal | datetime | None

_NAMED: frozenset[Unit] = frozenset(
    {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"}
)


def _usd(nano_usd: int | None) -> Decimal | None:
    return None if nano_usd is None else from_nano(nano_usd)


def _others(charge: Charge) -> str | None:
    others = {unit: count for unit, count in charge.usage.counts.items() if unit not in _NAMED}
    return _json(others) if others else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


COLUMNS: Mapping[str, Callable[[Charge], FocusValue]] = {
    "ChargePeriodStart": lambda charge: charge.at.astimezone(UTC),
    "ChargePeriodEnd": lambda charge: charge.at.astimezone(UTC) + timedelta(seconds=charge.duration_seconds),
    "ChargeCategory": lambda _: "Usage",
    "ChargeClass": lambda charge: None if charge.corrects is None else "Correction",
    "ServiceCategory": lambda _: "AI and Machine Learning",
    "ProviderName": lambda charge: charge.provider,
    "SkuId": lambda charge: charge.model,
    "SkuPriceId": lambda charge: charge.rate_id,
    "ConsumedQuantity": lambda charge: charge.usage.input_tokens + charge.usage.output_tokens,
    "ConsumedUnit": lambda _: "Tokens",
    "ListCost": lambda charge: _usd(charge.list_cost_nano),
    "EffectiveCost": lambda charge: _usd(charge.cost_nano),
    "BillingCurrency": lambda _: "USD",
    "Tags": lambda charge: _json(charge.tags),
    "x_ChargeId": lambda charge: charge.charge_id,
    "x_Corrects": lambda charge: charge.corrects,
    "x_Status": lambda charge: charge.status,
    "x_Method": lambda charge: charge.method,
    "x_Operation": lambda charge: charge.operation,
    "x_RequestedModel": lambda charge: charge.requested_model,
    "x_ServedModel": lambda charge: charge.served_model,
    "x_InputTokens": lambda charge: charge.usage.counts.get("input_tokens"),
    "x_OutputTokens": lambda charge: charge.usage.counts.get("output_tokens"),
    "x_CacheReadTokens": lambda charge: charge.usage.counts.get("cache_read_tokens"),
    "x_CacheWriteTokens": lambda charge: charge.usage.counts.get("cache_write_tokens"),
    "x_ReasoningTokens": lambda charge: charge.usage.counts.get("reasoning_tokens"),
    "x_OtherUsage": _others,
    "x_RateSource": lambda charge: charge.rate_source,
    "x_ServiceTier": lambda charge: charge.tier,
    "x_TraceId": lambda charge: charge.trace_id,
    "x_SpanId": lambda charge: charge.span_id,
    "x_ResponseId": lambda charge: charge.response_id,
    "x_ErrorType": lambda charge: charge.error_type,
    "x_DurationSeconds": lambda charge: charge.duration_seconds,
}
"""Column → what stands in it; None: it is not known, or does not apply."""


def row(charge: Charge) -> dict[str, FocusValue]:
    """Return an entry by columns."""
    return {column: value(charge) for column, value in COLUMNS.items()}
