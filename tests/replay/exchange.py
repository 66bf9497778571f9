"""What must hold of an exchange, in the words of our accounting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from otel_llmcost.core.ledger import Charge


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A charge as it must be; what is left out is not looked at, but `usage` must be whole and exact.

    Attributes:
        cost_usd: worked out by hand; None: no price may be given.
    """

    provider: str
    operation: str = "chat"
    model: str
    served: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    cost_usd: str | None
    status: str = "confirmed"
    tier: str | None = None
    response_id: str | None = None


def check(charge: Charge, expected: Expected) -> None:
    """Compare a charge with what it must be."""
    assert charge.provider == expected.provider
    assert charge.operation == expected.operation
    assert charge.requested_model == expected.model
    assert charge.status == expected.status
    assert dict(charge.usage.counts) == dict(expected.usage)
    cost = None if expected.cost_usd is None else int(Decimal(expected.cost_usd) * 1_000_000_000)
    assert charge.cost_nano == cost
    for name, value in (
        ("served_model", expected.served),
        ("tier", expected.tier),
        ("response_id", expected.response_id),
    ):
        assert value is None or getattr(charge, name) == value


def told(span: ReadableSpan) -> dict[str, Any]:
    """Return what a span says."""
    return dict(span.attributes or {})
