"""Marks crossed: who is told, once per mark and window."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from otel_llmcost.core.budget import BalanceKey, Claim, Mark, Measure
from otel_llmcost.core.exact_json import Scalar

DeliveryState = Literal["pending", "delivered", "dead", "closed"]
"""Closed: it is no use any more, since somebody has taken care, or nobody knows the channel."""
News = Literal["fired", "reminded", "escalated", "acknowledged", "recovered"]
"""What is told of an alert."""
AlertState = Literal["fired", "reminded", "escalated", "acknowledged", "recovered", "over"]
"""The furthest that an alert has come. Over: its window has ended, so that its mark is armed again."""

OK = "ok"
BUDGET = "budget"
"""The kind of an alert that is a mark of a budget."""
KINDS = ("anomaly", "burn_rate", "burn_rate.fast", "burn_rate.slow", "first_seen", "stop", "resume")
"""Other kinds of alerts, and types of them; channels name them among their levels."""
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

    def is_one_of(self, levels: frozenset[str]) -> bool:
        """Tell whether its level, its kind or its type is among these."""
        return not levels.isdisjoint((self.level, self.kind, self.type))

    @property
    def ends_at(self) -> datetime:
        """Say when it is over by itself: its balance begins anew, or it is of yesterday."""
        if self.kind != BUDGET:
            return max(self.window_end or self.at, self.at + _OPEN)
        if self.window_end is not None:
            return self.window_end
        return self.at + (_OPEN if self.window_start is None else self.at - self.window_start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours in which nobody is to be disturbed, by the clock on the wall of a place."""

    starts: time
    ends: time
    """Before `starts`: on the next day."""
    timezone: str = "UTC"
    except_for: frozenset[str] = frozenset({"exceeded", "stop"})
    """Levels and kinds that are told all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Somewhere alerts are sent to."""

    name: str
    url: str = field(repr=False)
    """http or https: a signed webhook; any other scheme: a notification URL. Its path may be a secret."""
    secret: str | None = field(repr=False)
    """Signs the webhook; None: it is sent unsigned."""
    levels: frozenset[str]
    """Levels and kinds of alerts that are sent there; none: only what other channels hand on."""
    remind_every: timedelta | None = None
    """While an alert is open; None: never."""
    escalate_to: str | None = None
    """Name of the channel that is told when nobody has acknowledged an alert `escalate_after` this one was told."""
    escalate_after: timedelta = timedelta(minutes=15)
    quiet: Quiet | None = None
    group: timedelta | None = None
    """What comes within this time goes out as one message; None: each by itself, at once."""
    recoveries: bool = True
    """Whether it is told as well that an alert was acknowledged or has recovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """News of one alert on its way to one channel."""

    delivery_id: str
    """Stays the same over all attempts: the receiver's idempotency key."""
    channel: str
    alert: Alert
    attempts: int
    state: DeliveryState
    next_attempt_at: datetime
    """Of one that is delivered, dead or closed: when it became that."""
    problem: str | None = None
    news: News = "fired"
    due_at: datetime
    """When it was first to go out."""
    group_id: str | None = None
    """Idempotency key of the message that it goes out in with others; None: in one of its own."""
    by: str | None = None
    """Who has acknowledged the alert."""

    @property
    def message_id(self) -> str:
        """Return the idempotency key of the message that it goes out in."""
        return self.group_id or self.delivery_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """An alert and what has become of it."""

    alert: Alert
    deliveries: tuple[Delivery, ...] = ()
    """Oldest first."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    recovered_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nobody has to be bothered with it any more."""
        return self.acknowledged_at is not None or self.recovered_at is not None

    def state(self, now: datetime) -> AlertState:
        """Say how far it has come."""
        if self.recovered_at is not None:
            return "recovered"
        if now >= self.alert.ends_at:
            return "over"
        if self.acknowledged_at is not None:
            return "acknowledged"
        told = {delivery.news for delivery in self.deliveries}
        return "escalated" if "escalated" in told else "reminded" if "reminded" in told else "fired"


def messages(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """Put together what goes out as one message."""
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.message_id, []).append(delivery)
    return list(found.values())


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
