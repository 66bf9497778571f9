"""Budgets, ledger and outbox in one SQLite file that all agents of a machine share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from sqlite3 import Cursor
from urllib.parse import unquote

from otel_llmcost.core.acts import Act
from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.budget import Balance, Budget, Grant, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.unconfirmed import Unconfirmed
from otel_llmcost.core.window import Span
from otel_llmcost.errors import ConfigError, StoreError
from otel_llmcost.storage import sqlite_acts as acts
from otel_llmcost.storage import sqlite_balances as balances
from otel_llmcost.storage import sqlite_booking as booking
from otel_llmcost.storage import sqlite_ledger as ledger
from otel_llmcost.storage import sqlite_outbox as outbox
from otel_llmcost.storage import sqlite_settling as settling
from otel_llmcost.storage.base import Booking, GroupBy, Hold, Posting, Total, Totals
from otel_llmcost.storage.database import Database
from otel_llmcost.storage.shared import highest_share_first

_POSTINGS_BETWEEN_CHECKPOINTS = 1000


def open_sqlite(path: str, deadline_seconds: float) -> SqliteStore:
    """Make a store of what stands behind `sqlite://`.

    Raises:
        ConfigError: no path stands there.
    """
    if not path.strip("/"):
        problem = "a path is missing"
        raise ConfigError(problem, key="store", expected="sqlite:///absolute/path or sqlite://relative/path")
    return SqliteStore(unquote(path), deadline_seconds=deadline_seconds)


class SqliteStore:
    """A store in a file; the file is opened when it is first used."""

    is_local = False

    def __init__(self, path: str | Path, *, deadline_seconds: float = 5.0) -> None:
        """Name the file; nothing is opened yet.

        Args:
            path: of the file; it and its folder are made if they are not there.
            deadline_seconds: how long to wait for other processes and threads.
        """
        place = Path(path).absolute()
        self._books = Database(place, deadline_seconds=deadline_seconds)
        self._reader = Database(place, deadline_seconds=deadline_seconds)
        """Reports and checkpoints go through a connection of their own, so that no call ever waits for them."""
        self._posted = 0

    def reserve(self, hold: Hold, *, wait: bool = True, tell: bool = True) -> Refusal | Grant | None:
        """See `Store.reserve`."""
        if not hold.claims:
            return None
        with suppress(balances.NotAtOnceError):
            return self._books.write(lambda cursor: balances.take_at_once(cursor, hold), wait=wait)
        return self._books.write(lambda cursor: balances.take(cursor, hold, tell=tell), wait=wait)

    def settle(self, postings: Sequence[Posting]) -> list[Alert]:
        """See `Store.settle`."""
        self._books.check_place()
        try:
            alerts = self._books.write(lambda cursor: settling.post_at_once(cursor, postings))
        except balances.NotAtOnceError:
            alerts = self._books.write(lambda cursor: settling.post(cursor, postings))
        self._posted += len(postings)
        if self._posted >= _POSTINGS_BETWEEN_CHECKPOINTS:
            self._posted = 0
            with suppress(StoreError):  # what was written is safe in the log, and the next one will do
                self._reader.checkpoint()
        return alerts

    def book(self, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:
        """See `Store.book`."""
        self._books.check_place()
        return self._books.write(lambda cursor: booking.book(cursor, commit_id, bookings))

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """See `Store.renew`."""
        if reservation_ids:
            self._books.write(lambda cursor: balances.renew(cursor, reservation_ids, micros(expires_at)))

    def expire(self, now: datetime) -> int:
        """See `Store.expire`."""
        self._books.check_place()
        now_us = micros(now)
        if not self._reader.read(lambda cursor: balances.is_anything_over(cursor, now_us)):
            return 0
        return self._books.write(lambda cursor: balances.expire(cursor, now_us))

    def balances(self, budgets: Sequence[tuple[Budget, Span]], *, most: int = 1000) -> list[Balance]:
        """See `Store.balances`."""

        def work(cursor: Cursor) -> list[Balance]:
            return [balance for budget, span in budgets for balance in balances.read(cursor, budget, span, most)]

        self._reader.check_place()
        return highest_share_first(self._reader.read(work), most)

    def reset(self, budget: str, subject: str | None = None) -> int:
        """See `Store.reset`."""
        return self._books.write(lambda cursor: balances.reset(cursor, budget, subject))

    def adopt(
        self, budgets: Sequence[Budget], now: datetime, *, again: bool = False, totals: Totals | None = None
    ) -> list[str]:
        """See `Store.adopt`."""
        self._reader.check_place()
        if not again and not self._reader.read(lambda cursor: acts.unknown(cursor, budgets)):
            return []
        return self._books.write(lambda cursor: acts.adopt(cursor, budgets, now, again=again, totals=totals))

    def act(self, act: Act) -> None:
        """See `Store.act`."""
        self._books.write(lambda cursor: acts.add(cursor, act))

    def acts(self, since: datetime, until: datetime) -> list[Act]:
        """See `Store.acts`."""
        self._reader.check_place()
        return self._reader.read(lambda cursor: acts.between(cursor, micros(since), micros(until)))

    def acts_in_force(self, now: datetime) -> list[Act]:
        """See `Store.acts_in_force`."""
        self._reader.check_place()
        return self._reader.read(lambda cursor: acts.in_force(cursor, micros(now)))

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """See `Store.lead`."""
        self._books.check_place()
        return self._books.write(lambda cursor: acts.lead(cursor, duty, holder, micros(now), micros(until)))

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Store.totals`."""
        self._reader.check_place()
        return self._reader.read(lambda cursor: ledger.totals(cursor, by, micros(since), micros(until)))

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Store.charges`."""
        self._reader.check_place()
        after, until_us = (micros(since), ""), micros(until)
        while page := self._reader.read(partial(ledger.page, after=after, until_us=until_us)):
            yield from page
            after = (micros(page[-1].at), page[-1].charge_id)

    def forget_charges(self, before: datetime, *, most: int = 10_000) -> int:
        """Delete some charges of before a time, for whoever keeps them elsewhere; balances stay. Return how many."""
        return self._books.write(lambda cursor: ledger.forget(cursor, micros(before), most))

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Store.uncertain`."""
        self._reader.check_place()
        return self._reader.read(lambda cursor: ledger.uncertain(cursor, response_id))

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Store.unconfirmed`."""
        self._reader.check_place()
        return self._reader.read(lambda cursor: ledger.unconfirmed(cursor, micros(since), micros(until)))

    def open_reservations(self) -> int:
        """See `Store.open_reservations`."""
        self._reader.check_place()
        return self._reader.read(balances.open_reservations)

    def fire(self, alert: Alert) -> bool:
        """See `Store.fire`."""
        return self._books.write(lambda cursor: outbox.fire(cursor, alert))

    def claim_deliveries(
        self, channels: Sequence[Channel], now: datetime, *, lease: timedelta, most: int = 20
    ) -> list[Delivery]:
        """See `Store.claim_deliveries`."""
        names, now_us = [channel.name for channel in channels], micros(now)
        if not self._reader.read(lambda cursor: outbox.is_anything_due(cursor, names, now_us)):
            return []
        return self._books.write(lambda cursor: outbox.claim(cursor, channels, now, now + lease, most))

    def finish_delivery(self, delivery: Delivery) -> None:
        """See `Store.finish_delivery`."""
        self._books.write(lambda cursor: outbox.finish(cursor, delivery))

    def deliveries(self, *, most: int = 100) -> list[Delivery]:
        """See `Store.deliveries`."""
        return self._reader.read(lambda cursor: outbox.newest(cursor, most))

    def pending_deliveries(self) -> int:
        """See `Store.pending_deliveries`."""
        return self._reader.read(outbox.pending)

    def next_delivery_at(self, channels: Sequence[str]) -> datetime | None:
        """See `Store.next_delivery_at`."""
        return self._reader.read(lambda cursor: outbox.next_at(cursor, channels))

    def alerts(self, *, most: int = 100) -> list[Fired]:
        """See `Store.alerts`."""
        return self._reader.read(lambda cursor: outbox.newest_alerts(cursor, most))

    def open_alerts(self, now: datetime) -> list[Fired]:
        """See `Store.open_alerts`."""
        return self._reader.read(lambda cursor: outbox.open_alerts(cursor, micros(now)))

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> bool:
        """See `Store.acknowledge`."""
        return self._books.write(lambda cursor: outbox.acknowledge(cursor, alert_id, by, micros(at)))

    def recover(self, alert_id: str, at: datetime) -> bool:
        """See `Store.recover`."""
        return self._books.write(lambda cursor: outbox.recover(cursor, alert_id, micros(at)))

    def resend(self, delivery_id: str, now: datetime) -> bool:
        """See `Store.resend`."""
        return self._books.write(lambda cursor: outbox.resend(cursor, delivery_id, now))

    def learned(self) -> dict[str, tuple[float, ...]]:
        """See `Store.learned`."""
        rows = self._reader.read(lambda cursor: cursor.execute("SELECT key, numbers FROM learned").fetchall())
        return {key: tuple(json.loads(numbers)) for key, numbers in rows}

    def learn(self, values: Mapping[str, tuple[float, ...]]) -> None:
        """See `Store.learn`."""

        def work(cursor: Cursor) -> None:
            for key, numbers in values.items():
                cursor.execute(
                    "INSERT OR REPLACE INTO learned (key, numbers) VALUES (?, ?)", (key, json.dumps(numbers))
                )

        self._books.write(work)

    def close(self) -> None:
        """See `Store.close`."""
        self._books.close()
        self._reader.close()
