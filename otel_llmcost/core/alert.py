"""Marks crossed: who is told, once per mark and window."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from otel_llmcost.core.budget import BalanceKey, Claim, Mark, Measure
from otel_llmcost.core.exact_json import Scalar

DeliveryState = Literal["pending", "delivered", "dead"]

OK = "ok"
BUDGET = "budget"
"""The kind of an alert that is a mark of a budget."""
_ID_LENGTH = 8
_OPEN = timedelta(days=1)
"""How long somebody should see to what has no end of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One mark reached by one balance in one window, or something else that somebody must know."""

    key: BalanceKey
    """Of the balance; of another kind, whatever it is to be told once about."""
    level: str
    at: datetime
    spent_nano: int
    """In nano-USD, or in what `measure` counts; so is `limit_nano`."""
    limit_nano: int
    window_start: datetime | None
    window_end: datetime | None
    trace_id: str | None = None
    requested_nano: int | None = None
    """Estimate of the call that was refused; None: no refusal, the mark was reached by spending."""
    kind: str = BUDGET
    """Such as `anomaly`, `burn_rate`, `first_seen`, `stop`."""
    measure: Measure = "cost"
    facts: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    """What else is to be told; `text` is a sentence for people that says all of it."""

    @property
    def alert_id(self) -> str:
        """Name it in a way that people can type; the same in every process."""
        said = "\n".join((self.kind, *map(str, self.key), self.level, str(self.at.timestamp())))
        return b32encode(sha256(said.encode(errors="replace")).digest())[:_ID_LENGTH].decode().lower()

    @property
    def type(self) -> str:
        """Name what it is, such as `budget.warning`, `burn_rate.fast` or `anomaly`."""
        return self.kind if self.level in {"", self.kind} else f"{self.kind}.{self.level}"

    @property
    def mark(self) -> str:
        """Name what is told once per balance and window: a budget's level, or the type of another kind."""
        return self.level if self.kind == BUDGET else self.type

    @property
    def ends_at(self) -> datetime:
        """Say when it is over by itself: its balance begins anew, or it is of yesterday."""
        if self.kind != BUDGET:
            return max(self.window_end or self.at, self.at + _OPEN)
        if self.window_end is not None:
            return self.window_end
        return self.at + (_OPEN if self.window_start is None else self.at - self.window_start)


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
