"""What all stores do alike: alerts of a claim, how long a balance is kept, how totals are grouped and ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from otel_llmcost.core.alert import Alert
from otel_llmcost.core.budget import Balance, Budget, Claim, Measure
from otel_llmcost.core.ledger import Charge, ChargeStatus, calls_of, unpriced_of
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Span
from otel_llmcost.storage.base import Booking, Hold, Posting, Total

COMMITS_KEPT_SECONDS = 7 * 86_400
"""How long a store knows which commits were booked."""
KEPT_DAYS = 400
"""How long ended balances, alerts and deliveries are kept: last year's month can be compared with this one's."""
FRESH = timedelta(days=1)
"""How far back a channel that is new is told of alerts."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000


def drop_us(window: Span, at: datetime) -> int:
    """Say when a balance first used at this instant may be forgotten, in µs since 1970.

    A rolling window leaves a row behind every sixtieth of its length, of no use once it counts no more.
    """
    end = window.end
    if window.start != window.bucket_start and end is not None:
        return micros(end) + _DAY_US
    return micros(at if end is None else end) + KEPT_DAYS * _DAY_US


def alert_of_charge(claim: Claim, level: str, spent_nano: int, charge: Charge | Booking) -> Alert:
    """Make the alert of a mark that was reached by spending."""
    start, end = claim.window.bounds
    at = charge.at if isinstance(charge, Booking) else charge.at + timedelta(seconds=charge.duration_seconds)
    return Alert(
        key=claim.key,
        level=level,
        at=at,
        spent_nano=spent_nano,
        limit_nano=claim.limit_nano,
        window_start=start,
        window_end=end,
        trace_id=charge.trace_id,
    )


def alert_of_refusal(claim: Claim, level: str, spent_nano: int, hold: Hold) -> Alert:
    """Make the alert of a mark that was reached by refusing a call."""
    start, end = claim.window.bounds
    return Alert(
        key=claim.key,
        level=level,
        at=hold.at,
        spent_nano=spent_nano,
        limit_nano=claim.limit_nano,
        window_start=start,
        window_end=end,
        trace_id=hold.trace_id,
        requested_nano=claim.amount_nano,
    )


def room_us(claim: Claim, held_nano: int, by_bucket: Iterable[tuple[int, int]]) -> int | None:
    """Say when so much of a rolling balance counts no more that a claim fits, in µs since 1970; None: never.

    Args:
        claim: what was refused.
        held_nano: what is settled, suspected and reserved.
        by_bucket: the same by bucket, oldest first.
    """
    assert claim.window.end is not None  # noqa: S101 -- it rolls
    lasts_us = micros(claim.window.end) - claim.key.bucket_us
    excess = held_nano + claim.amount_nano - claim.limit_nano
    for bucket_us, amount in by_bucket:
        excess -= amount
        if excess <= 0:
            return bucket_us + lasts_us
    return None


def counted_from_us(alert: Alert) -> int:
    """Say from which bucket on a mark told already is not told again."""
    return alert.key.bucket_us if alert.window_start is None else micros(alert.window_start)


AMOUNTS = ("settled", "reserved", "suspected", "overrun", "exposure", "calls", "refused", "unpriced", "carried")
"""What stands on a balance, in the order in which stores hand it on."""
amounts_of: Callable[[Cell], tuple[int, ...]] = attrgetter(*AMOUNTS)


def balance_of(budget: Budget, span: Span, subject: str, amounts: Sequence[int]) -> Balance:
    """Make a balance of its `AMOUNTS`."""
    start, end = span.bounds
    settled, reserved, suspected, overrun, exposure, calls, refused, unpriced, carried = amounts
    return Balance(
        budget=budget.name,
        subject=subject,
        limit_nano=budget.limit_nano + carried,
        window_start=start,
        window_end=end,
        settled_nano=settled,
        reserved_nano=reserved,
        suspected_nano=suspected,
        overrun_nano=overrun,
        exposure_nano=exposure,
        calls=calls,
        refused=refused,
        unpriced=unpriced,
        measure=budget.measure,
        carried_nano=carried,
    )


def empty_balance(budget: Budget, span: Span) -> Balance:
    """Make the balance of a budget that nobody used yet."""
    return balance_of(budget, span, "", [0] * len(AMOUNTS))


def highest_share_first(balances: Iterable[Balance], most: int) -> list[Balance]:
    """Order balances for people: the fullest on top."""
    return sorted(balances, key=lambda balance: (-balance.share, balance.budget, balance.subject))[:most]


class Cell:
    """What stands on one balance in one bucket, or is to be added to it; in nano-USD and calls."""

    __slots__ = (
        "calls",
        "carried",
        "drop_us",
        "exposure",
        "overrun",
        "refused",
        "reserved",
        "settled",
        "suspected",
        "unpriced",
    )

    def __init__(self, drop_us: int, carried: int = 0) -> None:
        self.settled = self.reserved = self.suspected = self.overrun = self.exposure = 0
        self.carried = carried
        self.calls = self.refused = self.unpriced = 0
        self.drop_us = drop_us


def amount_of(charge: Charge, measure: Measure) -> int:
    """Say what a charge comes to in a measure; where it has no price, a cost of 0."""
    if measure == "cost":
        return charge.cost_nano or 0
    if measure == "tokens":
        return charge.usage.input_tokens + charge.usage.output_tokens
    return calls_of(charge)


def book(cell: Cell, charge: Charge, held_nano: int, assumed: Mapping[str, int], claim: Claim) -> int:
    """Put a charge onto a balance, in place of what was held for it; return what it comes to there.

    Args:
        cell: the balance.
        charge: what is to be booked.
        held_nano: what was held until now; what the charge costs beyond it is overrun.
        assumed: budget → cost of a charge without a price.
        claim: what was wanted of the balance.
    """
    if charge.cost_nano is None:
        cell.unpriced += unpriced_of(charge)
    if claim.measure == "cost":
        cost = assumed.get(claim.key.budget, 0) if charge.cost_nano is None else charge.cost_nano
    else:
        cost = amount_of(charge, claim.measure)
    cell.calls += calls_of(charge)
    if charge.status == "suspected":
        cell.suspected += cost
    else:
        cell.settled += cost
    if cost > held_nano:
        cell.overrun += cost - held_nano
    return cost


def add_booking(cell: Cell, booking: Booking) -> None:
    """Put what calls came to onto a balance; nothing was held for them, so all of it is overrun."""
    cell.settled += booking.amount_nano
    cell.overrun += max(booking.amount_nano, 0)
    cell.calls += booking.calls
    cell.unpriced += booking.unpriced


def is_spent_anyway(posting: Posting, claim: Claim) -> bool:
    """Tell whether a call that nothing was billed for counts all the same: it was sent, and requests are counted."""
    return posting.charge is None and posting.is_sent and claim.measure == "requests"


@dataclass(slots=True)
class Sum:
    """A total as it grows."""

    calls: int = 0
    cost_nano: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    unpriced_calls: int = 0
    by_status_nano: dict[ChargeStatus, int] = field(default_factory=dict[ChargeStatus, int])

    def add(  # noqa: PLR0913, PLR0917 -- one row of sums
        self,
        status: ChargeStatus,
        calls: int,
        cost_nano: int,
        unpriced_calls: int,
        input_tokens: int,
        output_tokens: int,
        cache_read_tokens: int,
    ) -> None:
        """Add the charges of one status."""
        self.calls += calls
        self.cost_nano += cost_nano
        self.unpriced_calls += unpriced_calls
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cache_read_tokens += cache_read_tokens
        self.by_status_nano[status] = self.by_status_nano.get(status, 0) + cost_nano

    def add_charge(self, charge: Charge) -> None:
        """Add one charge."""
        usage, cost = charge.usage, charge.cost_nano
        cached = usage["cache_read_tokens"]
        self.add(
            charge.status,
            calls_of(charge),
            cost or 0,
            unpriced_of(charge),
            usage.input_tokens,
            usage.output_tokens,
            cached,
        )

    def add_sum(self, other: Sum) -> None:
        """Add what was added up of one status elsewhere."""
        for status, cost in other.by_status_nano.items():
            self.add(
                status,
                other.calls,
                cost,
                other.unpriced_calls,
                other.input_tokens,
                other.output_tokens,
                other.cache_read_tokens,
            )

    def total(self, group: tuple[str | None, ...]) -> Total:
        """Make a value of it."""
        return Total(
            group=group,
            calls=self.calls,
            cost_nano=self.cost_nano,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_tokens=self.cache_read_tokens,
            unpriced_calls=self.unpriced_calls,
            by_status_nano=self.by_status_nano,
        )


def dearest_first(totals: Iterable[Total]) -> list[Total]:
    """Order totals for people: the dearest on top, then the most called."""
    return sorted(totals, key=lambda total: (-total.cost_nano, -total.calls, [value or "" for value in total.group]))


def utc(at_us: int) -> datetime:
    """Turn µs since 1970 into an instant."""
    return _EPOCH + timedelta(microseconds=at_us)
