"""Budgets, the claims of a call on them, their balances, and the one rule that says yes or no.

A rate limit is a budget too: of calls or of tokens in place of money. Amounts called `nano` are nano-USD, or plain
counts where the measure is not cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from otel_llmcost.core.actions import Action
from otel_llmcost.core.attribution import Dimension, Scope, Tags, subject_of
from otel_llmcost.core.money import from_nano, to_nano
from otel_llmcost.core.value import value
from otel_llmcost.core.window import Life, Span, Window

Measure = Literal["cost", "tokens", "requests"]
"""Tokens: input and output together. Requests: calls that were sent, whatever came of them."""
OnLimit = Literal["refuse", "alert", "wait"]
Reserve = Literal["expected", "worst"]
OnStoreError = Literal["open", "closed"]
Status = Literal["on_track", "at_risk", "over"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A share of a budget at which somebody is told."""

    level: str
    share: Decimal


DEFAULT_MARKS = (
    Mark("warning", Decimal("0.75")),
    Mark("critical", Decimal("0.95")),
    Mark("exceeded", Decimal(1)),
)

DEFAULT_MAX_WAIT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An amount of USD (or a number of calls or tokens) per window, for the calls in its scope."""

    name: str
    limit: Decimal
    """In USD, or in what `measure` counts."""
    window: Window
    scope: Scope = field(default_factory=Scope)
    per: tuple[Dimension, ...] = ()
    """A balance of its own for each value of these dimensions; empty: one for the whole scope."""
    on_limit: OnLimit = "refuse"
    marks: tuple[Mark, ...] = DEFAULT_MARKS
    """In rising order of share."""
    reserve: Reserve | None = None
    """None: `worst` where calls can be refused and the caller set a maximum of output, else `expected`."""
    unpriced: str = "allow"
    """`allow`, `refuse` or `assume:<model>`."""
    on_store_error: OnStoreError = "open"
    measure: Measure = "cost"
    is_rate_limit: bool = False
    """It was asked for as a `[[limit]]`: refusals are `RateLimitedError`."""
    max_wait: timedelta = DEFAULT_MAX_WAIT
    """How long a call may wait for room where `on_limit` is `wait`."""
    carry_over: Decimal | None = None
    """So much at most of what a calendar window leaves over is added to the next one; None: nothing is."""
    actions: tuple[Action, ...] = ()
    """What is done to calls once a share of the limit is spent, in rising order of share."""

    @property
    def limit_nano(self) -> int:
        """The limit in nano-USD, or in what `measure` counts."""
        return to_units(self.limit, self.measure)

    @property
    def counted_by(self) -> tuple[Dimension, ...]:
        """The dimensions that tell its balances apart: `per`, and what its window lasts as long as."""
        if isinstance(self.window, Life) and self.window.unit not in self.per:
            return (*self.per, self.window.unit)
        return self.per

    def subject(self, tags: Tags) -> str | None:
        """Name the balance that a call counts on; None: this budget is not for the call."""
        return subject_of(self.counted_by, tags) if self.scope.matches(tags) else None


def to_units(amount: Decimal, measure: Measure) -> int:
    """Turn an amount as people write it into what balances are kept in."""
    return to_nano(amount) if measure == "cost" else int(amount)


def from_units(amount: int, measure: Measure) -> Decimal:
    """Turn an amount of a balance into USD, or into a plain number."""
    return from_nano(amount) if measure == "cost" else Decimal(amount)


class BalanceKey(NamedTuple):
    """Which balance: of a budget, for a subject, in the bucket that starts at `bucket_us` (µs since 1970).

    A tuple, since every call makes and hashes some: a frozen dataclass takes three times as long for it.
    """

    budget: str
    subject: str
    bucket_us: int


class Carry(NamedTuple):
    """What a window takes over of the one before."""

    from_us: int
    """Bucket of the window before."""
    limit_nano: int
    """Its limit."""
    most_nano: int

    def amount(self, held_nano: int) -> int:
        """Say how much is carried over.

        Args:
            held_nano: what is settled, suspected and reserved on the balance of the window before.
        """
        return max(min(self.limit_nano - held_nano, self.most_nano), 0)


@value
class Claim:
    """What one call wants of one balance."""

    key: BalanceKey
    from_us: int
    """Buckets of the same budget and subject from this start on count into the balance."""
    window: Span
    limit_nano: int
    refuses: bool
    """False: the budget only alerts, so the claim is granted whatever the balance."""
    amount_nano: int
    """Held until the call is settled."""
    exposure_nano: int = 0
    """By how much the call may still cost more than is held."""
    marks: tuple[tuple[str, int], ...] = ()
    """(level, spent nano-USD at which it is reached), rising."""
    measure: Measure = "cost"
    carry: Carry | None = None
    """Asked for when the balance begins; None: nothing is carried over."""
    is_watched: bool = False
    """The budget has actions: who reserves is told what was spent."""

    @property
    def is_rolling(self) -> bool:
        """Whether the balance is a sum of buckets, not one alone."""
        return self.from_us != self.key.bucket_us

    def fits(self, held_nano: int) -> bool:
        """Say yes or no: the rule that all limits come down to.

        Args:
            held_nano: what is settled, suspected and reserved on the balance now.
        """
        return not self.refuses or held_nano + self.amount_nano <= self.limit_nano


def with_carried(claim: Claim, carried_nano: int) -> Claim:
    """Return a claim on a balance that took so much over of the window before: limit and marks lie higher."""
    if not carried_nano:
        return claim
    limit_nano = claim.limit_nano + carried_nano
    marks = tuple((level, at_nano * limit_nano // max(claim.limit_nano, 1)) for level, at_nano in claim.marks)
    return replace(claim, limit_nano=limit_nano, marks=marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What was spent and is held of one budget by one subject in one window; all amounts in nano-USD."""

    budget: str
    subject: str
    limit_nano: int
    window_start: datetime | None
    """None: the balance is of one session, task or trace."""
    window_end: datetime | None
    """None: the window rolls on, or lasts as long as a session, task or trace."""
    settled_nano: int = 0
    reserved_nano: int = 0
    suspected_nano: int = 0
    """Held by calls whose end nobody saw; counted as spent until the window ends."""
    overrun_nano: int = 0
    """Sum of what calls cost beyond what they had reserved."""
    exposure_nano: int = 0
    """By how much the calls under way may cost more than is reserved for them."""
    calls: int = 0
    refused: int = 0
    unpriced: int = 0
    measure: Measure = "cost"
    carried_nano: int = 0
    """What the window before left over; part of `limit_nano`."""

    @property
    def spent_nano(self) -> int:
        """Settled and suspected."""
        return self.settled_nano + self.suspected_nano

    @property
    def held_nano(self) -> int:
        """All that a new call does not find free any more."""
        return self.settled_nano + self.suspected_nano + self.reserved_nano

    @property
    def remaining_nano(self) -> int:
        """What a new call may still claim; never below 0."""
        return max(self.limit_nano - self.held_nano, 0)

    @property
    def bound_nano(self) -> int:
        """The stated bound: `held` is never above `limit` + this much."""
        return self.overrun_nano + self.exposure_nano

    @property
    def share(self) -> Decimal:
        """Spent as a share of the limit; of a limit of 0, 1 as soon as anything was spent."""
        if self.limit_nano == 0:
            return Decimal(1 if self.spent_nano else 0)
        return Decimal(self.spent_nano) / self.limit_nano


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not sent: the claim that did not fit, and what stood on its balance."""

    claim: Claim
    held_nano: int
    spent_nano: int = 0
    """The part of it that is settled or suspected."""
    told: tuple[str, ...] = ()
    """Marks that this refusal was the first to reach in the window; their alerts are in the outbox."""
    watched: Mapping[BalanceKey, int] = field(default_factory=dict[BalanceKey, int])
    """What was spent on the watched balances up to and with the one that refused."""
    room_us: int | None = None
    """When so much of a rolling balance counts no more that the claim fits, in µs since 1970; None: not known."""


@dataclass(frozen=True, slots=True)
class Grant:
    """All claims were taken, and some are watched."""

    watched: Mapping[BalanceKey, int]
    """What was spent on these balances before."""


def projected(spent: Decimal, start: datetime, end: datetime, now: datetime) -> Decimal:
    """Carry the pace of the window so far on to its end; before any time has passed, what is spent."""
    elapsed = (now - start).total_seconds()
    if elapsed <= 0:
        return spent
    share = Decimal(min(elapsed, (end - start).total_seconds())) / Decimal((end - start).total_seconds())
    return spent / share


def status(balance: Balance, now: datetime) -> Status:
    """Tell how a budget will end at its present pace: over already, over by then, or on track."""
    if balance.spent_nano > balance.limit_nano:
        return "over"
    return "at_risk" if projection(balance, now) > from_units(balance.limit_nano, balance.measure) else "on_track"


def projection(balance: Balance, now: datetime) -> Decimal:
    """Project a balance to its window's end, in USD or in what it counts; where there is no end, what is spent."""
    spent = from_units(balance.spent_nano, balance.measure)
    if balance.window_start is None or balance.window_end is None:
        return spent
    return projected(spent, balance.window_start, balance.window_end, now)
