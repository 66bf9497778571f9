"""The store that agents ask over the API: the ledger is the collector's, all else is in the store beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.budget import Balance, Budget, Grant, Refusal
from otel_llmcost.core.ledger import REVERSED, Charge
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.adopting import terms
from otel_llmcost.storage.base import Booking, GroupBy, Hold, Posting, Store, Total, Totals
from otel_llmcost.storage.wire import sendable
from otel_llmcost_collector.accounting.accountant import Accountant
from otel_llmcost_collector.accounting.bookings import Noted
from otel_llmcost_collector.accounting.bookkeeper import Task
from otel_llmcost_collector.ledger.base import Ledger, Line
from otel_llmcost_collector.observed import Observed

LOGGER = logging.getLogger("otel_llmcost_collector")

T = TypeVar("T")

_SOURCE = "otel-llmcost"
_RICHNESS = 40_000
"""As of a span of our plugin that nobody else told of."""
_PAGE = 500
_ADOPTING_SECONDS = 0.5
"""So long new calls wait at most until all that is in the ledger is booked."""


class FleetStore:
    """See `Store`. Each charge is in the ledger before it is booked, and booked once whenever this process dies."""

    is_local = False

    def __init__(self, accountant: Accountant, ledger: Ledger, inner: Store, *, reading: Ledger | None = None) -> None:
        """Take over nothing: ledgers and store are the caller's to close.

        Args:
            accountant: keeps the ledger.
            ledger: the same.
            inner: where balances, reservations, acts and alerts are.
            reading: the same ledger opened once more, so that no report keeps charges from being written; None: it is
                asked in the accountant's thread.
        """
        self._accountant = accountant
        self._ledger = ledger
        self._reading = reading
        self._reading_turn = threading.Lock()
        self._store: Store | None = inner
        self._adopted: dict[str, str] = {}
        """Budget → the terms on which it counts, as far as known here."""

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """See `Store.reserve`."""
        return self._inner.reserve(hold, wait=wait, tell=tell)

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """See `Store.settle`: what the ledger takes is booked, at the latest when the balances are back in reach."""
        ended: dict[str, Posting] = {}
        released: list[Posting] = []
        for posting in postings:
            if posting.charge is None:
                released.append(posting)
            elif ended.setdefault(posting.charge.charge_id, posting) is not posting:
                released.append(_release(posting))
        alerts: list[Alert] = []
        if ended:
            new, commits = self._do(lambda: self._accountant.enter(*self._lines(ended)))
            released += [_release(posting) for charge_id, posting in ended.items() if charge_id not in new]
            alerts += self._booked(commits)
        released = [posting for posting in released if posting.claims]
        return alerts + (self._inner.settle(released) if released else [])

    def book(self, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:
        """See `Store.book`."""
        return self._inner.book(commit_id, bookings)

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """See `Store.renew`."""
        self._inner.renew(reservation_ids, expires_at)

    def expire(self, now: datetime) -> int:
        """See `Store.expire`."""
        return self._inner.expire(now)

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """See `Store.balances`."""
        return self._inner.balances(budgets, most=most)

    def reset(self, budget: str, subject: str | None = None) -> int:
        """See `Store.reset`."""
        return self._inner.reset(budget, subject)

    def adopt(
        self, budgets: Sequence[Budget], now: datetime, *, again: bool = False, totals: Totals | None = None
    ) -> list[str]:
        """See `Store.adopt`: counted from the collector's ledger, while all that is in it is booked.

        Raises:
            StoreError: what is in the ledger cannot be booked now, so that it would be counted twice.
        """
        said = {budget.name: terms(budget) for budget in budgets}
        if not again and said.items() <= self._adopted.items():
            return []
        adopted = self._do(
            lambda: self._accountant.at_rest(
                lambda: self._inner.adopt(budgets, now, again=again, totals=totals or self._ledger.totals),
                _ADOPTING_SECONDS,
            )
        )
        self._adopted |= said
        return adopted

    def adopt_anew(self, budgets: Sequence[Budget], now: datetime) -> list[str]:
        """Count budgets whose balances were lost from the ledger, as if they were new.

        Raises:
            StoreError: see `adopt`; to be tried again.
        """
        self._adopted.clear()
        return self.adopt(budgets, now)

    def act(self, act: Act) -> None:
        """See `Store.act`."""
        self._inner.act(act)

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """See `Store.acts`."""
        return self._inner.acts(since, until)

    def acts_in_force(self, now: datetime) -> list[Act]:
        """See `Store.acts_in_force`."""
        return self._inner.acts_in_force(now)

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """See `Store.lead`."""
        return self._inner.lead(duty, holder, now, until)

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Store.totals`."""
        return self._ask(lambda ledger: ledger.totals(by, since, until))

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Store.charges`."""
        reading = self._ask(lambda ledger: ledger.charges(since, until))
        while page := self._ask(lambda _ledger: list(islice(reading, _PAGE))):
            yield from page

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        return self._ask(lambda ledger: ledger.uncertain(response_id))

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        return self._ask(lambda ledger: ledger.unconfirmed(since, until))

    def open_reservations(self) -> int:
        """See `Store.open_reservations`."""
        return self._inner.open_reservations()

    def fire(self, alert: Alert) -> bool:
        """See `Store.fire`."""
        return self._inner.fire(alert)

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """See `Store.claim_deliveries`."""
        return self._inner.claim_deliveries(channels, now, lease=lease, most=most)

    def finish_delivery(self, delivery: Delivery) -> None:
        """See `Store.finish_delivery`."""
        self._inner.finish_delivery(delivery)

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """See `Store.deliveries`."""
        return self._inner.deliveries(most=most)

    def pending_deliveries(self) -> int:
        """See `Store.pending_deliveries`."""
        return self._inner.pending_deliveries()

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """See `Store.next_delivery_at`."""
        return self._inner.next_delivery_at(channels)

    def alerts(self, *, most: int = 100) -> list[Fired]:
        """See `Store.alerts`."""
        return self._inner.alerts(most=most)

    def open_alerts(self, now: datetime) -> list[Fired]:
        """See `Store.open_alerts`."""
        return self._inner.open_alerts(now)

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """See `Store.acknowledge`."""
        return self._inner.acknowledge(alert_id, by, at)

    def recover(self, alert_id: str, at: datetime) -> bool:
        """See `Store.recover`."""
        return self._inner.recover(alert_id, at)

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """See `Store.resend`."""
        return self._inner.resend(delivery_id, now)

    def learned(self) -> dict[str, tuple[float, ...]]:
        """See `Store.learned`."""
        return self._inner.learned()

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """See `Store.learn`."""
        self._inner.learn(values)

    def close(self) -> None:
        """Do nothing any more; what this is made of is its owner's to close."""
        self._store = None

    @property
    def _inner(self) -> Store:
        if self._store is None:
            msg = "the store is closed"
            raise StoreError(msg)
        return self._store

    def _do(self, work: Callable[[], T]) -> T:
        return self._accountant.do(work).result()

    def _ask(self, work: Callable[[Ledger], T]) -> T:
        reading = self._reading
        if reading is None:
            return self._do(lambda: work(self._ledger))
        with self._reading_turn:
            return work(reading)

    def _lines(self, ended: Mapping[str, Posting]) -> tuple[list[Line], Callable[[Sequence[Line]], Noted]]:
        charges = [posting.charge for posting in ended.values() if posting.charge is not None]
        corrected = [charge.corrects for charge in charges if charge.corrects is not None]
        before = {each.charge_id: each for each in self._ledger.find(corrected)} if corrected else {}
        lines = [_line(charge, before.get(charge.corrects or "")) for charge in charges]

        def noted(new: Sequence[Line]) -> Noted:
            """Note the calls' ends, and beside them what stood for a call until a plugin told of it."""
            replaced = [line for line in new if line.observed.charge_id not in ended]
            charged = [line for line in new if line.observed.charge_id in ended]
            made = [_posting(ended[line.observed.charge_id], line) for line in charged]
            return Noted(self._accountant.bookings(replaced), [posting for posting in made if posting.claims])

        return lines, noted

    def _booked(self, commits: Sequence[Task]) -> list[Alert]:
        """Book what is noted; what cannot be booked now is left to the bookkeeper."""
        alerts: list[Alert] = []
        left = list(commits)
        try:
            while left:
                commit_id, noted = left[0]
                alerts += self._book(commit_id, noted)
                self._accountant.settled(commit_id)
                del left[0]
        except StoreError as error:
            LOGGER.warning("what calls came to stands in the ledger, and is booked on balances later: %s", error)
        finally:
            for commit_id, noted in left:
                self._accountant.left(commit_id, noted)
        return alerts

    def _book(self, commit_id: str, noted: Noted) -> list[Alert]:
        alerts = self._inner.book(commit_id, noted.bookings) if noted.bookings else []
        return alerts + (self._inner.settle(noted.postings) if noted.postings else [])


def _line(charge: Charge, corrected: Observed | None) -> Line:
    """Make the line of a charge; a correction counts where what it corrects does."""
    source, richness = (_SOURCE, _RICHNESS) if corrected is None else (corrected.source, corrected.richness)
    return Line(
        observed=Observed.of(charge, source=source, richness=richness),
        corrects=charge.corrects,
        is_reversal=charge.method == REVERSED,
        estimate_nano=charge.estimate_nano,
        actions=charge.actions,
    )


def _posting(posting: Posting, line: Line) -> Posting:
    """Return how a call ended, as it can be written down; a charge in another's place is of a call that counts."""
    posting = sendable(posting)
    if posting.charge is None or posting.charge.corrects == line.corrects:
        return posting
    return replace(posting, charge=replace(posting.charge, corrects=line.corrects))


def _release(posting: Posting) -> Posting:
    """Return the end of a call that the ledger has already: what is held for it is given back, nothing is booked."""
    return replace(posting, charge=None, assumed={}, is_sent=False)
