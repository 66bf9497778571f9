"""Budgets, ledger and outbox in this process's memory: gone when it ends, and cheap enough for every call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.budget import Balance, Budget, Claim, Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.unconfirmed import Unconfirmed, unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.errors import StoreError
from otel_llmcost.storage import fork
from otel_llmcost.storage.base import Booking, GroupBy, Hold, Posting, Total, Totals
from otel_llmcost.storage.memory_acts import MemoryActs
from otel_llmcost.storage.memory_balances import MemoryBalances
from otel_llmcost.storage.memory_ledger import MemoryLedger
from otel_llmcost.storage.memory_outbox import MemoryOutbox
from otel_llmcost.storage.shared import highest_share_first

_MOST_COMMITS = 10_000


def open_memory(_rest: str, _deadline_seconds: float) -> MemoryStore:
    """Make a store of what stands behind `memory://`, which is nothing."""
    return MemoryStore()


class MemoryStore:
    """A store for one process; its ledger keeps the newest charges whole and the older ones as sums."""

    is_local = True

    def __init__(self, *, most_charges: int = 10_000) -> None:
        """Begin empty.

        Args:
            most_charges: how many charges are kept whole.
        """
        # Reentrant: the end of a dropped stream settles from a destructor, which may run amid our own work.
        self._lock: threading.RLock | _Closed = threading.RLock()
        self._ledger = MemoryLedger(most_charges)
        self._outbox = MemoryOutbox()
        self._balances = MemoryBalances(self._ledger, self._outbox)
        self._learned: dict[str, tuple[float, ...]] = {}
        self._acts = MemoryActs()
        self._commits: OrderedDict[str, None] = OrderedDict()
        """Those that are booked, oldest first."""
        fork.watch(self)

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:  # noqa: ARG002 -- never waits
        """See `Store.reserve`."""
        with self._lock:
            return self._balances.reserve(hold, tell=tell)

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """See `Store.settle`."""
        alerts: list[Alert] = []
        with self._lock:
            for posting in postings:
                charge = posting.charge
                if charge is not None and not self._ledger.add(charge):
                    charge = None
                if posting.claims:
                    self._balances.post(posting, charge, alerts)
        return alerts

    def book(self, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:
        """See `Store.book`; the last 10,000 commits are remembered, as long as this process lives."""
        alerts: list[Alert] = []
        with self._lock:
            if commit_id in self._commits:
                return []
            self._commits[commit_id] = None
            if len(self._commits) > _MOST_COMMITS:
                self._commits.popitem(last=False)
            for booking in bookings:
                self._balances.book(booking, alerts)
        return alerts

    def put(self, claim: Claim, spent_nano: int, at: datetime) -> None:
        """Add what was spent elsewhere to a balance."""
        with self._lock:
            self._balances.put(claim, spent_nano, at)

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """See `Store.renew`."""
        with self._lock:
            self._balances.renew(reservation_ids, expires_at)

    def expire(self, now: datetime) -> int:
        """See `Store.expire`."""
        with self._lock:
            return self._balances.expire(now)

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """See `Store.balances`."""
        with self._lock:
            found = [balance for budget, span in budgets for balance in self._balances.read(budget, span)]
        return highest_share_first(found, most)

    def reset(self, budget: str, subject: str | None = None) -> int:
        """See `Store.reset`."""
        with self._lock:
            return self._balances.reset(budget, subject)

    def adopt(
        self, budgets: Sequence[Budget], now: datetime, *, again: bool = False, totals: Totals | None = None
    ) -> list[str]:
        """See `Store.adopt`."""
        with self._lock:
            return self._balances.adopt(budgets, now, again=again, totals=totals or self._ledger.totals)

    def act(self, act: Act) -> None:
        """See `Store.act`."""
        with self._lock:
            self._acts.add(act)

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """See `Store.acts`."""
        with self._lock:
            return self._acts.between(since, until)

    def acts_in_force(self, now: datetime) -> list[Act]:
        """See `Store.acts_in_force`."""
        with self._lock:
            return self._acts.in_force(now)

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """See `Store.lead`."""
        with self._lock:
            return self._acts.lead(duty, holder, now, until)

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Store.totals`; of charges that are no longer kept whole, to the hour, without task, session, trace."""
        with self._lock:
            return self._ledger.totals(by, since, until)

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Store.charges`; those that are still kept whole."""
        with self._lock:
            found = self._ledger.charges(since, until)
        return iter(found)

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        with self._lock:
            return self._ledger.uncertain(response_id)

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        with self._lock:
            found = self._ledger.charges(since, until)
        return unconfirmed(found)

    def open_reservations(self) -> int:
        """See `Store.open_reservations`."""
        with self._lock:
            return self._balances.open_reservations

    def fire(self, alert: Alert) -> bool:
        """See `Store.fire`."""
        with self._lock:
            return self._outbox.fire(alert)

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """See `Store.claim_deliveries`."""
        with self._lock:
            return self._outbox.claim(channels, now, now + lease, most)

    def finish_delivery(self, delivery: Delivery) -> None:
        """See `Store.finish_delivery`."""
        with self._lock:
            self._outbox.finish(delivery)

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """See `Store.deliveries`."""
        with self._lock:
            return self._outbox.newest(most)

    def pending_deliveries(self) -> int:
        """See `Store.pending_deliveries`."""
        with self._lock:
            return self._outbox.pending()

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """See `Store.next_delivery_at`."""
        with self._lock:
            return self._outbox.next_at(channels)

    def alerts(self, *, most: int = 100) -> list[Fired]:
        """See `Store.alerts`."""
        with self._lock:
            return self._outbox.newest_alerts(most)

    def open_alerts(self, now: datetime) -> list[Fired]:
        """See `Store.open_alerts`."""
        with self._lock:
            return self._outbox.open_alerts(now)

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """See `Store.acknowledge`."""
        with self._lock:
            return self._outbox.acknowledge(alert_id, by, at)

    def recover(self, alert_id: str, at: datetime) -> bool:
        """See `Store.recover`."""
        with self._lock:
            return self._outbox.recover(alert_id, at)

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """See `Store.resend`."""
        with self._lock:
            return self._outbox.resend(delivery_id, now)

    def learned(self) -> dict[str, tuple[float, ...]]:
        """See `Store.learned`."""
        with self._lock:
            return dict(self._learned)

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """See `Store.learn`."""
        with self._lock:
            self._learned.update(values)

    def close(self) -> None:
        """See `Store.close`."""
        self._lock = _Closed()

    def before_fork(self) -> None:
        """Come to rest, so that the child copies balances that are whole."""
        if not isinstance(self._lock, _Closed):
            self._lock.__enter__()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if not isinstance(self._lock, _Closed):
            self._lock.__exit__(None, None, None)

    def after_fork_in_child(self) -> None:
        """Go on with a copy of what the parent spent, but without the calls it has under way."""
        if isinstance(self._lock, _Closed):
            return
        self._lock = threading.RLock()
        self._balances.forget_reservations()


class _Closed:
    """Stands in for the lock of a closed store, so that being open costs no test."""

    def __enter__(self) -> NoReturn:
        msg = "the store is closed"
        raise StoreError(msg)

    def __exit__(self, *error: object) -> None:
        """Nothing was entered."""
