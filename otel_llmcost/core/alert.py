"""Marks crossed: who is told, once per mark and window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from otel_llmcost.core.budget import BalanceKey, Claim, Mark

DeliveryState = Literal["pending", "delivered", "dead"]

OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One mark reached by one balance in one window."""

    key: BalanceKey
    level: str
    at: datetime
    spent_nano: int
    limit_nano: int
    window_start: datetime | None
    window_end: datetime | None
    trace_id: str | None = None
    requested_nano: int | None = None
    """Estimate of the call that was refused; None: no refusal, the mark was reached by spending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Somewhere alerts are sent to."""

    name: str
    url: str = field(repr=False)
    """http or https: a signed webhook; any other scheme: a notification URL. Its path may be a secret."""
    secret: str | None = field(repr=False)
    """Signs the webhook; None: it is sent unsigned."""
    levels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert on its way to one channel."""

    delivery_id: str
    """Stays the same over all attempts: the receiver's idempotency key."""
    channel: str
    alert: Alert
    attempts: int
    state: DeliveryState
    next_attempt_at: datetime
    problem: str | None = None


def level_at(spent: Decimal, limit: Decimal, marks: Sequence[Mark]) -> str:
    """Name the highest mark that `spent` has reached, or `ok`."""
    reached = OK
    for mark in marks:
        if spent >= mark.share * limit and spent > 0:
            reached = mark.level
    return reached


def reached(claim: Claim, spent_nano: int) -> tuple[str, ...]:
    """Name the marks that `spent` has reached, lowest first; which of them were told already, the store knows.

    Not only those crossed by the last charge: suspected spend, a lowered limit or a new mark cross silently.
    """
    return tuple(level for level, at_nano in claim.marks if at_nano <= spent_nano) if spent_nano > 0 else ()


def marks_of_refusal(claim: Claim) -> tuple[str, ...]:
    """Name the marks that a refusal reaches by itself: those at or above the whole limit.

    A hard budget that refuses in time never spends its last cents, so "exceeded" would never be told by spending.
    """
    return tuple(level for level, at_nano in claim.marks if at_nano >= claim.limit_nano)
