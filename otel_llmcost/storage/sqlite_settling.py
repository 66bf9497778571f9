"""How calls end in SQLite: charges into the ledger, reservations out, what it came to onto the balances.

Calls that end together share their balances, mostly: what they come to is added up first, and written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Cursor

from otel_llmcost.core.alert import Alert, reached
from otel_llmcost.core.budget import BalanceKey, Claim
from otel_llmcost.core.ledger import Charge
from otel_llmcost.storage import sqlite_ledger as ledger
from otel_llmcost.storage import sqlite_outbox as outbox
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.shared import Cell, alert_of_charge, book, drop_us, is_spent_anyway
from otel_llmcost.storage.sqlite_balances import add, carrying, spent

_SIZES = (1, 8, 64)
"""Lists of ids are filled up to these, so that few different statements have to be kept ready."""

_Booking = tuple[Claim, Charge, int]
"""What was booked on one balance: the last is the cost."""
_Held = frozenset[BalanceKey] | None
"""None: all claims of the reservation are held. A set: it expired, and stands as suspected on these balances."""


def post(cursor: Cursor, postings: Sequence[Posting]) -> list[Alert]:
    """Book charges, unless the ledger has them already, and give back what was held for them."""
    are_new = iter(ledger.insert(cursor, [posting.charge for posting in postings if posting.charge is not None]))
    ended = _ended(cursor, [posting.reservation_id for posting in postings if posting.claims])
    cells: dict[BalanceKey, Cell] = {}
    bookings: dict[BalanceKey, list[_Booking]] = {}
    for posting in postings:
        charge = posting.charge if posting.charge is not None and next(are_new) else None
        if posting.reservation_id in ended:
            _give_back(cells, posting, ended.pop(posting.reservation_id), charge, bookings)
        elif charge is not None:
            _give_back(cells, posting, frozenset(), charge, bookings)
    add(cursor, cells)
    return [alert for of_balance in bookings.values() for alert in _fired(cursor, of_balance)]


def _give_back(
    cells: dict[BalanceKey, Cell],
    posting: Posting,
    held: _Held,
    charge: Charge | None,
    bookings: dict[BalanceKey, list[_Booking]],
) -> None:
    """Take a call off its balances and put its charge, if there is one to be booked, in its place."""
    for claim in posting.claims:
        key = claim.key
        cell = cells.get(key)
        if cell is None:  # a balance that something is held on is there already: it begins with a charge only
            cell = cells[key] = Cell(0 if charge is None else drop_us(claim.window, charge.at))
        amount = 0
        if held is None:
            amount = claim.amount_nano
            cell.reserved -= amount
            cell.exposure -= claim.exposure_nano
        elif key in held:
            amount = claim.amount_nano
            cell.suspected -= amount
        if is_spent_anyway(posting, claim):
            cell.settled += amount
        if charge is not None:
            cost = book(cell, charge, amount, posting.assumed, claim)
            if claim.marks:
                bookings.setdefault(key, []).append((claim, charge, cost))


def _ended(cursor: Cursor, reservation_ids: Sequence[str]) -> dict[str, _Held]:
    """End reservations; return how each stood that was there."""
    if not reservation_ids:
        return {}
    count = len(reservation_ids)
    size = next((size for size in _SIZES if count <= size), count)
    among = f"reservation_id IN ({', '.join('?' * size)})"
    values = [*reservation_ids, *[""] * (size - count)]
    found: list[tuple[str, int]] = cursor.execute(
        f"SELECT reservation_id, max(is_expired) FROM reservations WHERE {among} GROUP BY reservation_id", values
    ).fetchall()
    ended = {
        reservation_id: _suspected(cursor, reservation_id) if is_expired else None
        for reservation_id, is_expired in found
    }
    if ended:
        cursor.execute(f"DELETE FROM reservations WHERE {among}", values)
    return ended


def _suspected(cursor: Cursor, reservation_id: str) -> frozenset[BalanceKey]:
    query = "SELECT budget, subject, bucket_us FROM reservations WHERE reservation_id = ?"
    return frozenset(BalanceKey(*row) for row in cursor.execute(query, (reservation_id,)).fetchall())


def _fired(cursor: Cursor, bookings: Sequence[_Booking]) -> list[Alert]:
    """Tell the marks that the bookings on one balance reached, each by the charge that reached it."""
    claim = carrying(cursor, bookings[0][0])
    spent_nano = spent(cursor, claim)
    if spent_nano < claim.marks[0][1]:
        return []
    alerts: list[Alert] = []
    spent_nano -= sum(cost for _, _, cost in bookings)
    for _, charge, cost in bookings:
        spent_nano += cost
        told = [alert_of_charge(claim, level, spent_nano, charge) for level in reached(claim, spent_nano)]
        alerts += [alert for alert in told if outbox.fire(cursor, alert)]
    return alerts
