"""What a store must do: hold claims, settle them, remember charges and alerts, each as one atomic act."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Channel, Delivery, DeliveryState, Fired
from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.budget import Balance, Budget, Claim, Grant, Refusal
from otel_llmcost.core.ledger import Charge, ChargeStatus
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.value import value
from otel_llmcost.core.window import Span

__all__ = [
    "AsyncStore",
    "Booking",
    "Delivery",
    "DeliveryState",
    "GroupBy",
    "Hold",
    "Posting",
    "Store",
    "Total",
    "Totals",
]

GroupBy = Dimension | Literal["day", "hour", "month", "status", "operation", "rate"]


@value
class Hold:
    """The claims of one call, taken together or not at all."""

    reservation_id: str
    """The charge id of the call."""
    claims: tuple[Claim, ...]
    at: datetime
    expires_at: datetime
    trace_id: str | None = None


@value
class Posting:
    """How a call ended: what it came to is booked, what was held for it is given back."""

    reservation_id: str
    claims: tuple[Claim, ...]
    """The same as were held."""
    charge: Charge | None
    """None: nothing was billed."""
    assumed: Mapping[str, int]
    """Budget → nano-USD to book for a charge without a price."""
    is_sent: bool = True
    """False: the call was given up before it was sent, so it does not count as a request either."""


@value
class Booking:
    """What calls came to on one balance together; below 0 where more was taken back than came."""

    claim: Claim
    """Tells the balance, its window and marks; nothing is held for it."""
    amount_nano: int
    """In nano-USD, or in what the claim measures."""
    calls: int
    unpriced: int = 0
    at: datetime
    """When the last of the calls ended, to tell of a mark that was reached."""
    trace_id: str | None = None
    """Of that call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Charges added up over one group."""

    group: tuple[str | None, ...]
    """Values of the dimensions grouped by, in their order; None: not known of these charges."""
    calls: int
    cost_nano: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    unpriced_calls: int
    by_status_nano: Mapping[ChargeStatus, int]


Totals = Callable[[Sequence[GroupBy], datetime, datetime], list[Total]]
"""Adds up a ledger, as `Store.totals` does."""


class Store(Protocol):
    """Balances, reservations, ledger and outbox. Safe for threads; methods raise `StoreError` only."""

    @property
    def is_local(self) -> bool:
        """Whether balances live in this process, so that nothing is gained by settling behind the caller's back."""
        ...

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """Check and take all claims in one act; taking the same reservation twice takes it once.

        A refusal is counted on the balance that refused, and its "exceeded" marks are fired, once per window.
        A balance that begins takes over what the window before left, as far as its claim asks for that and the budget
        was known (see `adopt`) before this window began: a new budget has nothing left over.

        Args:
            hold: what the call wants.
            wait: False: raise `StoreBusyError` instead of waiting for another process or thread.
            tell: False: a refusal is neither counted nor fires marks, since the caller is going to try again.

        Returns:
            None, or a grant where a claim is watched: taken. A refusal: nothing was taken.
        """
        ...

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """Book all postings in one act, each exactly once: a charge id that is in the ledger moves nothing again.

        An expired reservation is taken back out of the suspected amount first. What a call cost beyond what the
        store still held for it is its overrun.

        Returns:
            The alerts that these postings fired, already in the outbox.
        """
        ...

    def book(self, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:
        """Add to balances what calls came to that nothing was held for, and fire marks as `settle` does.

        What is in the ledger is none of its business: whoever books keeps one of his own.

        Args:
            commit_id: names these bookings; however often they are handed in under it, they are booked once. It is
                remembered for days.
            bookings: one for each balance.

        Returns:
            The alerts that they fired, already in the outbox.
        """
        ...

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """Give reservations of calls still under way more time."""
        ...

    def expire(self, now: datetime) -> int:
        """Turn reservations past their time into suspected spend; return how many."""
        ...

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """Read the balances of these windows, highest share first; a budget nobody used yet has one of 0."""
        ...

    def reset(self, budget: str, subject: str | None = None) -> int:
        """Set settled, suspected and overrun of a budget's balances to 0 and re-arm its marks; return how many."""
        ...

    def adopt(
        self, budgets: Sequence[Budget], now: datetime, *, again: bool = False, totals: Totals | None = None
    ) -> list[str]:
        """Let budgets that are new here, or count otherwise than before, count what was spent in their window already.

        Args:
            budgets: all that are in force.
            now: tells their windows.
            again: look at all of them once more, for what others booked who did not know of a budget yet; no balance
                gets lower by that.
            totals: of the ledger that tells what was spent; None: of its own.

        Returns:
            Names of those that were adopted.
        """
        ...

    def act(self, act: Act) -> None:
        """Write down what a person decided; writing it twice is a no-op."""
        ...

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """Read what people decided, oldest first."""
        ...

    def acts_in_force(self, now: datetime) -> list[Act]:
        """Read the stops and raises that nobody ended and that are not over by themselves, oldest first."""
        ...

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take a duty that one process of all does, or keep it; False: another holds it."""
        ...

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """Add up the ledger, dearest group first; hours and days in UTC."""
        ...

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """Read the ledger in order of time."""
        ...

    def uncertain(self, response_id: str) -> Charge | None:
        """Find the charge of an answer that is estimated or suspected and was not corrected yet."""
        ...

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """Count the calls of a time whose cost is not confirmed, and was not taken back since, most first."""
        ...

    def open_reservations(self) -> int:
        """Count calls under way."""
        ...

    def fire(self, alert: Alert) -> bool:
        """Put an alert into the outbox unless its mark fired in this window already."""
        ...

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """Decide what these channels are to be told, and take what is due for this process for as long as `lease`.

        Deliveries with one `message_id` are given out together, and go out as one message.
        """
        ...

    def finish_delivery(self, delivery: Delivery) -> None:
        """Write back an attempt's end: its state, attempts, problem and next attempt."""
        ...

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """List deliveries, newest first."""
        ...

    def pending_deliveries(self) -> int:
        """Count what is yet to be delivered."""
        ...

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """Say when the next delivery, reminder or escalation of these channels may be due; None: none is to come."""
        ...

    def alerts(self, *, most: int = 100) -> list[Fired]:
        """List alerts with what has become of them, newest first."""
        ...

    def open_alerts(self, now: datetime) -> list[Fired]:
        """List alerts whose window is not over and that have not recovered, oldest first."""
        ...

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """Write down that somebody takes care of an alert, which ends reminders and escalation.

        Returns:
            False: there is no such alert, or somebody did before.
        """
        ...

    def recover(self, alert_id: str, at: datetime) -> bool:
        """Write down that an alert's cause is gone, and arm its mark again unless its window rolls.

        Returns:
            False: there is no such alert, or it was written before; so one process of all does it.
        """
        ...

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """Begin a delivery once more that is dead or closed; False: there is none such."""
        ...

    def learned(self) -> dict[str, tuple[float, ...]]:
        """Read what was learned of models (token factors, output sizes) by key."""
        ...

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """Write what was learned; the last writer wins."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A closed store raises `StoreError`."""
        ...


class AsyncStore(Store, Protocol):
    """A store that can be waited for on an event loop, as one over a network; all else is done from threads."""

    async def areserve(self, hold: Hold, *, tell: bool = True) -> Refusal | Grant | None:
        """See `Store.reserve`."""
        ...
