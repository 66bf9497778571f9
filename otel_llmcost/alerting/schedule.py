"""What follows an attempt: delivered, given up, or tried again later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from otel_llmcost.core.alert import Delivery, DeliveryState

MOST_ATTEMPTS = 36
"""With the pauses below the last one comes about 24 hours after the first."""
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_RETRY_AFTER = timedelta(hours=24)
_JITTER = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended."""

    state: DeliveryState
    """`pending`: it may go better later."""
    problem: str | None = None
    is_shared: bool = False
    """It lies with the receiver, not with this message: others for the same channel need not try now."""
    retry_after: timedelta | None = None
    """How long the receiver asks to be left alone."""


DELIVERED = Outcome(state="delivered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message about otel-llmcost itself on its way to one channel, past the outbox."""

    delivery_id: str
    channel: str
    kind: str
    text: str
    at: datetime
    attempts: int = 0
    state: DeliveryState = "pending"
    next_attempt_at: datetime
    problem: str | None = None


Letter = TypeVar("Letter", Delivery, Notice)


def pause(attempts: int, jitter: float) -> timedelta:
    """Say how long to wait after so many failed attempts: 1 s, doubled each time, up to an hour.

    Args:
        attempts: 1 or more.
        jitter: 0 to 1, at random: makes it 80 % to 120 %, so that processes do not come all at once.
    """
    doubled = min(timedelta(seconds=2 ** (min(attempts, MOST_ATTEMPTS) - 1)), LONGEST_PAUSE)
    return doubled * (1 - _JITTER / 2 + _JITTER * jitter)


def after(letter: Letter, outcome: Outcome, now: datetime, jitter: float) -> Letter:
    """Write an attempt's outcome on a letter; the last failed attempt makes it dead."""
    attempts = letter.attempts + 1
    state = "dead" if outcome.state == "pending" and attempts >= MOST_ATTEMPTS else outcome.state
    asked = min(outcome.retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return replace(
        letter,
        attempts=attempts,
        state=state,
        problem=outcome.problem,
        next_attempt_at=now + max(pause(attempts, jitter), asked) if state == "pending" else now,
    )
