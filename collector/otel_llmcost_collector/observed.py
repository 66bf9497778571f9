"""One call as one span tells of it: what receivers hand to the accountant, and the accountant to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.ledger import Charge, ChargeStatus
from otel_llmcost.core.policy import micros
from otel_llmcost.core.usage import Unit, Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Elsewhere = Mapping[str, str]
"""Charge id of a telling that is not charged, because another one of its call is → id of the entry that stands."""
NOTHING_ELSEWHERE: Final[Elsewhere] = MappingProxyType({})
"""As it is nearly always."""


def id_of_span(at_us: int, span_id: str, trace_id: str) -> str:
    """Make the charge id of a span that brings none: 32 hexadecimal digits.

    Such ids begin with the time in ms, as UUIDv7 do, so that ledgers grow at one end; a span that is sent again has the
    same.

    Args:
        at_us: when it began, in µs since 1970.
        span_id: its 16 hexadecimal digits.
        trace_id: its 32 hexadecimal digits.
    """
    return f"{at_us // 1000 & 0xFFFF_FFFF_FFFF:012x}{span_id}{trace_id[-4:]}"


class Observed(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A charge, flat, since a hundred thousand of them pass in a second; and what tells that two are of one call.

    Sent between processes as MessagePack, by position: processes of one collector are of one version.
    """

    charge_id: str
    """Of ours, the charge id on the span. Of others see `id_of_span`."""
    at_us: int
    """When the call began, in µs since 1970."""
    duration_us: int
    provider: str
    operation: str
    requested_model: str
    served_model: str | None
    tags: Mapping[Dimension, str]
    counts: Mapping[Unit, int]
    """Canonical: a total includes its parts, see `Usage`."""
    status: ChargeStatus
    method: str
    cost_nano: int | None
    """None: no rate is known, or the span does not carry enough to know; never 0 in its place."""
    list_cost_nano: int | None
    rate_id: str | None
    rate_source: str | None
    tier: str
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    response_id: str | None
    error_type: str | None
    source: str
    """The dialect it was told in."""
    richness: int
    """Of several tellings of one call the richest is kept."""

    def charge(self) -> Charge:
        """Return the entry of the ledger."""
        return Charge(
            charge_id=self.charge_id,
            at=_EPOCH + timedelta(microseconds=self.at_us),
            duration_seconds=self.duration_us / 1e6,
            provider=self.provider,
            operation=self.operation,
            requested_model=self.requested_model,
            served_model=self.served_model,
            tags=self.tags,
            usage=Usage(self.counts),
            status=self.status,
            cost_nano=self.cost_nano,
            list_cost_nano=self.list_cost_nano,
            method=self.method,
            rate_id=self.rate_id,
            rate_source=self.rate_source,
            tier=self.tier,
            trace_id=self.trace_id,
            span_id=self.span_id,
            response_id=self.response_id,
            error_type=self.error_type,
        )

    @classmethod
    def of(cls, charge: Charge, *, source: str, richness: int) -> Observed:
        """Return an entry that did not come as a span, such as one that a plugin settled over the API."""
        return cls(
            charge_id=charge.charge_id,
            at_us=micros(charge.at),
            duration_us=round(charge.duration_seconds * 1e6),
            provider=charge.provider,
            operation=charge.operation,
            requested_model=charge.requested_model,
            served_model=charge.served_model,
            tags=charge.tags,
            counts=charge.usage.counts,
            status=charge.status,
            method=charge.method,
            cost_nano=charge.cost_nano,
            list_cost_nano=charge.list_cost_nano,
            rate_id=charge.rate_id,
            rate_source=charge.rate_source,
            tier=charge.tier,
            trace_id=charge.trace_id,
            span_id=charge.span_id,
            parent_span_id=None,
            response_id=charge.response_id,
            error_type=charge.error_type,
            source=source,
            richness=richness,
        )
