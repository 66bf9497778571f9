"""How calls end in SQLite: charges into the ledger, reservations out, what it came to onto the balances.

Calls that end together share their balances, mostly: what they come to is added up first, and written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from sqlite3 import Cursor

from otel_llmcost.core.alert import Alert, reached
from otel_llmcost.core.budget import BalanceKey, Claim
from otel_llmcost.core.ledger import Charge
from otel_llmcost.storage import sqlite_ledger as ledger
from otel_llmcost.storage import sqlite_outbox as outbox
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.shared import Cell, alert_of_charge, book, drop_us, is_spent_anyway
from otel_llmcost.storage.sqlite_balances import NotAtOnceError, add, add_at_once, all_spent, carrying

_SIZES = (1, 8, 64)
"""Lists of ids are filled up to these, so that few different statements have to be kept ready."""

_Booking = tuple[Claim, Charge, int]
"""What was booked on one balance: the last is the cost."""
_Held = frozenset[BalanceKey] | None
"""None: all claims of the reservation are held. A set: it expired, and stands as suspected on these balances."""


def post_at_once(cursor: Cursor, postings: Sequence[Posting]) -> list[Alert]:
    """Do as `post` does in as few statements as can be, which is right for nearly all calls.

    Raises:
        NotAtOnceError: some of it is done and has to be undone.
    """
    ended = _ended_at_once(cursor, [posting for posting in postings if posting.claims])
    charges = [posting.charge for posting in postings if posting.charge is not None]
    if not ledger.insert_at_once(cursor, charges):
        raise NotAtOnceError
    cells, bookings = _booked(postings, ended, iter([True] * len(charges)))
    add_at_once(cursor, cells)
    return _fired(cursor, bookings)


def post(cursor: Cursor, postings: Sequence[Posting]) -> list[Alert]:
    """Book charges, unless the ledger has them already, and give back what was held for them."""
    are_new = iter(ledger.insert(cursor, [posting.charge for posting in postings if posting.charge is not None]))
    ended = _ended(cursor, [posting.reservation_id for posting in postings if posting.claims])
    cells, bookings = _booked(postings, ended, are_new)
    _date(cells, postings)
    add(cursor, cells)
    return _fired(cursor, bookings)


def _booked(
    postings: Sequence[Posting], ended: dict[str, _Held], are_new: Iterator[bool]
) -> tuple[dict[BalanceKey, Cell], dict[BalanceKey, list[_Booking]]]:
    """Add up what is to be added to balances.

    Args:
        postings: how calls ended.
        ended: the reservations that were there.
        are_new: of each charge, in order, whether it is to be booked.
    """
    cells: dict[BalanceKey, Cell] = {}
    bookings: dict[BalanceKey, list[_Booking]] = {}
    for posting in postings:
        charge = posting.charge if posting.charge is not None and next(are_new) else None
        if posting.reservation_id in ended:
            _give_back(cells, posting, ended.pop(posting.reservation_id), charge, bookings)
        elif charge is not None:
            _give_back(cells, posting, frozenset(), charge, bookings)
    return cells, bookings


def _date(cells: Mapping[BalanceKey, Cell], postings: Sequence[Posting]) -> None:
    """Say how long balances are kept that begin now: with a charge, as those that something is held on have begun."""
    for posting in postings:
        if posting.charge is None:
            continue
        for claim in posting.claims:
            if claim.key in cells:
                cells[claim.key].drop_us = drop_us(claim.window, posting.charge.at)


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
        if cell is None:
            cell = cells[key] = Cell(0)
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


def _ended_at_once(cursor: Cursor, postings: Sequence[Posting]) -> dict[str, _Held]:
    """End reservations of which all are under way, or none is there.

    Raises:
        NotAtOnceError: some are.
    """
    ids = [posting.reservation_id for posting in postings]
    if not ids:
        return {}
    among, values = _among(ids)
    count = cursor.execute(f"DELETE FROM reservations WHERE {among} AND is_expired = 0", values).rowcount
    if count == sum([len(posting.claims) for posting in postings]):
        return dict.fromkeys(ids)
    if count:
        raise NotAtOnceError
    return _ended(cursor, ids)


def _ended(cursor: Cursor, reservation_ids: Sequence[str]) -> dict[str, _Held]:
    """End reservations; return how each stood that was there."""
    if not reservation_ids:
        return {}
    among, values = _among(reservation_ids)
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


def _among(reservation_ids: Sequence[str]) -> tuple[str, list[str]]:
    count = len(reservation_ids)
    size = next((size for size in _SIZES if count <= size), count)
    return f"reservation_id IN ({', '.join('?' * size)})", [*reservation_ids, *[""] * (size - count)]


def _suspected(cursor: Cursor, reservation_id: str) -> frozenset[BalanceKey]:
    query = "SELECT budget, subject, bucket_us FROM reservations WHERE reservation_id = ?"
    return frozenset(BalanceKey(*row) for row in cursor.execute(query, (reservation_id,)).fetchall())


def _fired(cursor: Cursor, bookings: Mapping[BalanceKey, Sequence[_Booking]]) -> list[Alert]:
    """Tell the marks that bookings reached, each by the charge that reached it."""
    claims = [carrying(cursor, of_balance[0][0]) for of_balance in bookings.values()]
    alerts: list[Alert] = []
    for claim, of_balance, spent_nano in zip(claims, bookings.values(), all_spent(cursor, claims), strict=True):
        if spent_nano >= claim.marks[0][1]:
            before_nano = spent_nano - sum(cost for _, _, cost in of_balance)
            alerts += _reached(cursor, claim, before_nano, of_balance)
    return alerts


def _reached(cursor: Cursor, claim: Claim, spent_nano: int, bookings: Sequence[_Booking]) -> Iterator[Alert]:
    for _, charge, cost in bookings:
        spent_nano += cost
        told = [alert_of_charge(claim, level, spent_nano, charge) for level in reached(claim, spent_nano)]
        yield from [alert for alert in told if outbox.fire(cursor, alert)]
