"""What calls came to that nothing was held for, in SQLite: added to balances once for each commit."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Cursor

from otel_llmcost.core.alert import Alert, reached
from otel_llmcost.core.budget import BalanceKey
from otel_llmcost.storage import sqlite_outbox as outbox
from otel_llmcost.storage.base import Booking
from otel_llmcost.storage.shared import COMMITS_KEPT_SECONDS, Cell, add_booking, alert_of_charge, drop_us
from otel_llmcost.storage.sqlite_balances import add, all_spent, begin, carrying

_NOW = "CAST(strftime('%s', 'now') AS INTEGER)"
"""The file's own clock: when a commit was booked, not when its calls were."""
_NOTE = f"INSERT OR IGNORE INTO booked_commits (commit_id, booked_s) VALUES (?, {_NOW})"
_FORGET = f"DELETE FROM booked_commits WHERE booked_s < {_NOW} - {COMMITS_KEPT_SECONDS}"


def book(cursor: Cursor, commit_id: str, bookings: Sequence[Booking]) -> list[Alert]:
    """Add amounts to balances and fire the marks that are reached by it, unless this commit is booked."""
    if cursor.execute(_NOTE, (commit_id,)).rowcount == 0:
        return []
    cursor.execute(_FORGET)
    cells: dict[BalanceKey, Cell] = {}
    for booking in bookings:
        begin(cursor, booking.claim, booking.at)
        cell = cells.setdefault(booking.claim.key, Cell(drop_us(booking.claim.window, booking.at)))
        add_booking(cell, booking)
    add(cursor, cells)
    return _fired(cursor, [booking for booking in bookings if booking.claim.marks])


def _fired(cursor: Cursor, bookings: Sequence[Booking]) -> list[Alert]:
    claims = [carrying(cursor, booking.claim) for booking in bookings]
    alerts: list[Alert] = []
    for booking, claim, spent in zip(bookings, claims, all_spent(cursor, claims), strict=True):
        told = [alert_of_charge(claim, level, spent, booking) for level in reached(claim, spent)]
        alerts += [alert for alert in told if outbox.fire(cursor, alert)]
    return alerts
