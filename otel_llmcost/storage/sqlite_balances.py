"""Balances and reservations in SQLite: what happens inside a transaction that `sqlite.py` opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from sqlite3 import Cursor

from otel_llmcost.core.alert import marks_of_refusal
from otel_llmcost.core.budget import Balance, BalanceKey, Budget, Claim, Grant, Refusal, with_carried
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Span
from otel_llmcost.storage import sqlite_outbox as outbox
from otel_llmcost.storage.base import Hold
from otel_llmcost.storage.shared import (
    AMOUNTS,
    KEPT_DAYS,
    Cell,
    alert_of_refusal,
    balance_of,
    drop_us,
    empty_balance,
    room_us,
)

_PRUNED_AT_ONCE = 1000
_UNLIMITED = 2**62  # what is carried over is added to it
_KEPT_US = KEPT_DAYS * 86_400_000_000


_amounts = attrgetter("drop_us", *AMOUNTS)
_KEY = "budget = ? AND subject = ? AND bucket_us"
_HELD_IN_BUCKET = f"SELECT settled + suspected + reserved FROM balances WHERE {_KEY} = ?"
_HELD_SINCE = f"SELECT sum(settled + suspected + reserved) FROM balances WHERE {_KEY} >= ?"
_HELD_BY_BUCKET = f"""SELECT bucket_us, settled + suspected + reserved FROM balances
    WHERE {_KEY} >= ? ORDER BY bucket_us"""
_SPENT_IN_BUCKET = f"SELECT settled + suspected FROM balances WHERE {_KEY} = ?"
_SPENT_SINCE = f"SELECT sum(settled + suspected) FROM balances WHERE {_KEY} >= ?"
_STANDING = f"SELECT settled, suspected, calls FROM balances WHERE {_KEY} = ?"
_CARRIED = f"SELECT carried FROM balances WHERE {_KEY} = ?"
_WAS_KNOWN = "SELECT 1 FROM known_budgets WHERE budget = ? AND since_us < ?"
_ADD = f"""INSERT INTO balances (budget, subject, bucket_us, drop_us, {", ".join(AMOUNTS)})
    VALUES ({", ".join("?" * (4 + len(AMOUNTS)))})
    ON CONFLICT (budget, subject, bucket_us) DO UPDATE SET
    {", ".join(f"{name} = {name} + excluded.{name}" for name in AMOUNTS)}"""
_TAKE_IF_IT_FITS = f"""UPDATE balances SET reserved = reserved + ?, exposure = exposure + ?
    WHERE {_KEY} = ? AND settled + suspected + reserved <= ? + carried"""
_KEEP = """INSERT OR IGNORE INTO reservations
    (reservation_id, budget, subject, bucket_us, amount, exposure, expires_us) VALUES """
_KEPT = "(?, ?, ?, ?, ?, ?, ?)"
_CLAIMS = "SELECT budget, subject, bucket_us, amount, exposure FROM reservations WHERE"
_IS_TAKEN = "SELECT EXISTS (SELECT 1 FROM reservations WHERE reservation_id = ?)"
_IS_OVER = "expires_us <= ? AND is_expired = 0"
_DROP_RESERVATIONS = """DELETE FROM reservations WHERE is_expired = 1
    AND (budget, subject, bucket_us) NOT IN (SELECT budget, subject, bucket_us FROM balances)"""
_READ = f"SELECT subject, {', '.join(f'sum({name})' for name in AMOUNTS)} FROM balances WHERE budget = ? AND bucket_us"
_READ_ORDER = "GROUP BY subject ORDER BY sum(settled + suspected) DESC, subject LIMIT ?"
_READ_BUCKET = f"{_READ} = ? {_READ_ORDER}"
_READ_SINCE = f"{_READ} >= ? {_READ_ORDER}"


_SETTLED = ("settled", "reserved", "suspected", "overrun", "exposure", "calls", "unpriced")
"""What the end of a call may change of a balance."""
_settled_amounts = attrgetter(*_SETTLED)
_SETTLE = f"UPDATE balances SET {', '.join(f'{name} = {name} + ?' for name in _SETTLED)} WHERE {_KEY} = ?"
_TOGETHER = 8
"""So many rows at most go into one statement: shorter than several, and few of different length are kept ready."""


def add(cursor: Cursor, cells: Mapping[BalanceKey, Cell]) -> None:
    """Add amounts to balances; one that is not there yet begins with them."""
    cursor.executemany(_ADD, [(*key, *_amounts(cell)) for key, cell in cells.items()])


class NotAtOnceError(Exception):
    """Somebody has to look, as something is out of the ordinary.

    Such as a claim that does not fit, is the first of its window, or was taken before, or a reservation that expired.
    """


def add_at_once(cursor: Cursor, cells: Mapping[BalanceKey, Cell]) -> None:
    """Add what calls came to, to balances that are there.

    Raises:
        NotAtOnceError: one is not; some of it is done and has to be undone.
    """
    rows = [(*_settled_amounts(cell), *key) for key, cell in cells.items()]
    if cursor.executemany(_SETTLE, rows).rowcount != len(rows):
        raise NotAtOnceError


def take_at_once(cursor: Cursor, hold: Hold) -> Grant | None:
    """Hold all claims in as few statements as can be, which is right for nearly every call.

    Raises:
        NotAtOnceError: some of it is done and has to be undone.
    """
    takes: list[tuple[object, ...]] = []
    for claim in hold.claims:
        at_most = _UNLIMITED
        if claim.refuses:
            if claim.is_rolling:
                raise NotAtOnceError
            at_most = claim.limit_nano - claim.amount_nano
        takes.append((claim.amount_nano, claim.exposure_nano, *claim.key, at_most))
    watched = {claim.key: spent(cursor, claim) for claim in hold.claims if claim.is_watched}
    if cursor.executemany(_TAKE_IF_IT_FITS, takes).rowcount != len(takes) or not _keep(cursor, hold):
        raise NotAtOnceError
    return Grant(watched) if watched else None


def take(cursor: Cursor, hold: Hold, *, tell: bool) -> Refusal | Grant | None:
    """Hold all claims, or none and say why."""
    if cursor.execute(_IS_TAKEN, (hold.reservation_id,)).fetchone()[0]:
        return None
    watched: dict[BalanceKey, int] = {}
    for claim in hold.claims:
        if claim.carry is not None:
            begin(cursor, claim, hold.at)
        held = _amount(cursor, claim, _HELD_IN_BUCKET, _HELD_SINCE)
        if claim.is_watched:
            watched[claim.key] = spent(cursor, claim)
        wanted = carrying(cursor, claim)
        if not wanted.fits(held):
            told = _told(cursor, wanted, hold) if tell else ()
            return Refusal(wanted, held, spent(cursor, wanted), told, watched, _room_us(cursor, wanted, held))
    for claim in hold.claims:
        cell = Cell(drop_us(claim.window, hold.at))
        cell.reserved, cell.exposure = claim.amount_nano, claim.exposure_nano
        add(cursor, {claim.key: cell})
    _keep(cursor, hold)
    return Grant(watched) if watched else None


def carrying(cursor: Cursor, claim: Claim) -> Claim:
    """Return a claim with what its balance took over of the window before."""
    if claim.carry is None:
        return claim
    row = cursor.execute(_CARRIED, claim.key).fetchone()
    return with_carried(claim, row[0]) if row is not None else claim


def begin(cursor: Cursor, claim: Claim, at: datetime) -> None:
    """Begin a balance with what the window before left over, unless it has begun."""
    if claim.carry is None or cursor.execute(_CARRIED, claim.key).fetchone() is not None:
        return
    carried = 0
    if cursor.execute(_WAS_KNOWN, (claim.key.budget, micros(claim.window.start))).fetchone() is not None:
        row = cursor.execute(_HELD_IN_BUCKET, claim.key._replace(bucket_us=claim.carry.from_us)).fetchone()
        carried = claim.carry.amount(row[0] if row else 0)
    add(cursor, {claim.key: Cell(drop_us(claim.window, at), carried)})


def spent(cursor: Cursor, claim: Claim) -> int:
    """Read what is settled and suspected on the balance of a claim."""
    return _amount(cursor, claim, _SPENT_IN_BUCKET, _SPENT_SINCE)


def all_spent(cursor: Cursor, claims: Sequence[Claim]) -> Iterator[int]:
    """Read what is settled and suspected on the balance of each claim."""
    for place in range(0, len(claims), _TOGETHER):
        queries: list[str] = []
        values: list[object] = []
        for claim in claims[place : place + _TOGETHER]:
            queries.append(_SPENT_SINCE if claim.is_rolling else _SPENT_IN_BUCKET)
            values += (*claim.key[:2], claim.from_us) if claim.is_rolling else claim.key
        for amount in cursor.execute(f"SELECT ({'), ('.join(queries)})", values).fetchone():
            yield amount or 0


def renew(cursor: Cursor, reservation_ids: Sequence[str], expires_us: int) -> None:
    """Give calls more time; one that was given up is believed in again."""
    for reservation_id in reservation_ids:
        rows = cursor.execute(f"{_CLAIMS} reservation_id = ? AND is_expired = 1", (reservation_id,)).fetchall()
        _suspect(cursor, rows, -1)
        cursor.execute(
            "UPDATE reservations SET is_expired = 0, expires_us = max(expires_us, ?) WHERE reservation_id = ?",
            (expires_us, reservation_id),
        )


def is_anything_over(cursor: Cursor, now_us: int) -> bool:
    """Tell whether `expire` would change anything."""
    query = f"""SELECT EXISTS (SELECT 1 FROM reservations WHERE {_IS_OVER})
        OR EXISTS (SELECT 1 FROM balances WHERE drop_us <= ?)"""
    return bool(cursor.execute(query, (now_us, now_us)).fetchone()[0])


def expire(cursor: Cursor, now_us: int) -> int:
    """Suspect the calls that gave no sign of life in time, and forget what is of no use any more."""
    query = f"SELECT count(DISTINCT reservation_id) FROM reservations WHERE {_IS_OVER}"
    count: int = cursor.execute(query, (now_us,)).fetchone()[0]
    _suspect(cursor, cursor.execute(f"{_CLAIMS} {_IS_OVER}", (now_us,)).fetchall(), 1)
    cursor.execute(f"UPDATE reservations SET is_expired = 1 WHERE {_IS_OVER}", (now_us,))
    _prune(cursor, now_us)
    return count


def read(cursor: Cursor, budget: Budget, span: Span, most: int) -> list[Balance]:
    """Read the fullest balances of a budget in a window; one of 0 if there is none."""
    query = _READ_BUCKET if span.start == span.bucket_start else _READ_SINCE
    rows = cursor.execute(query, (budget.name, micros(span.start), most)).fetchall()
    return [balance_of(budget, span, subject, amounts) for subject, *amounts in rows] or [empty_balance(budget, span)]


def reset(cursor: Cursor, budget: str, subject: str | None) -> int:
    """Forgive what was spent and tell marks anew; what is held for calls under way stays held."""
    where, values = ("budget = ?", (budget,)) if subject is None else ("budget = ? AND subject = ?", (budget, subject))
    count: int = cursor.execute(f"SELECT count(DISTINCT subject) FROM balances WHERE {where}", values).fetchone()[0]
    cursor.execute(f"DELETE FROM reservations WHERE {where} AND is_expired = 1", values)
    cursor.execute(f"UPDATE balances SET settled = 0, suspected = 0, overrun = 0 WHERE {where}", values)
    cursor.execute(f"DELETE FROM marks_told WHERE {where}", values)
    return count


def standing(cursor: Cursor, key: BalanceKey) -> Cell:
    """Read what is spent on a balance, and by how many calls; of one that has not begun, nothing."""
    cell = Cell(0)
    row = cursor.execute(_STANDING, key).fetchone()
    if row is not None:
        cell.settled, cell.suspected, cell.calls = row
    return cell


def clear(cursor: Cursor, budget: str) -> None:
    """Forget what is spent of a budget, since it was counted on other terms."""
    cursor.execute("DELETE FROM reservations WHERE budget = ? AND is_expired = 1", (budget,))
    cursor.execute("UPDATE balances SET settled = 0, suspected = 0 WHERE budget = ?", (budget,))


def open_reservations(cursor: Cursor) -> int:
    """Count calls under way."""
    query = "SELECT count(DISTINCT reservation_id) FROM reservations WHERE is_expired = 0"
    count: int = cursor.execute(query).fetchone()[0]
    return count


def _amount(cursor: Cursor, claim: Claim, in_bucket: str, since: str) -> int:
    """Read an amount of a balance: of its one bucket, or of all that a rolling window reaches back to."""
    query = since if claim.is_rolling else in_bucket
    row = cursor.execute(query, (claim.key.budget, claim.key.subject, claim.from_us)).fetchone()
    return (row[0] or 0) if row is not None else 0


def _keep(cursor: Cursor, hold: Hold) -> bool:
    """Write down a reservation; False: it is there already."""
    expires_us, claims, kept = micros(hold.expires_at), hold.claims, 0
    for place in range(0, len(claims), _TOGETHER):
        some = claims[place : place + _TOGETHER]
        values: list[object] = []
        for claim in some:
            values += (hold.reservation_id, *claim.key, claim.amount_nano, claim.exposure_nano, expires_us)
        kept += cursor.execute(_KEEP + ", ".join([_KEPT] * len(some)), values).rowcount
    return kept == len(claims)


def _suspect(cursor: Cursor, rows: Sequence[tuple[str, str, int, int, int]], sign: int) -> None:
    """Move what is held for calls from reserved to suspected; with a sign of -1 back again."""
    cells: dict[BalanceKey, Cell] = {}
    for budget, subject, bucket_us, amount, exposure in rows:
        cell = cells.setdefault(BalanceKey(budget, subject, bucket_us), Cell(0))
        cell.reserved -= sign * amount
        cell.exposure -= sign * exposure
        cell.suspected += sign * amount
    add(cursor, cells)


def _told(cursor: Cursor, claim: Claim, hold: Hold) -> tuple[str, ...]:
    """Count a refusal, and fire its marks; return those that were not told yet."""
    cell = Cell(drop_us(claim.window, hold.at))
    cell.refused = 1
    add(cursor, {claim.key: cell})
    spent_nano = spent(cursor, claim)
    alerts = [alert_of_refusal(claim, level, spent_nano, hold) for level in marks_of_refusal(claim)]
    return tuple(alert.level for alert in alerts if outbox.fire(cursor, alert))


def _room_us(cursor: Cursor, claim: Claim, held: int) -> int | None:
    if not claim.is_rolling:
        return None
    values = (claim.key.budget, claim.key.subject, claim.from_us)
    return room_us(claim, held, cursor.execute(_HELD_BY_BUCKET, values).fetchall())


def _prune(cursor: Cursor, now_us: int) -> None:
    over = cursor.execute(
        "SELECT budget, subject, bucket_us FROM balances WHERE drop_us <= ? AND reserved = 0 LIMIT ?",
        (now_us, _PRUNED_AT_ONCE),
    ).fetchall()
    for key in over:
        cursor.execute(f"DELETE FROM balances WHERE {_KEY} = ?", key)
        cursor.execute(f"DELETE FROM marks_told WHERE {_KEY} = ?", key)
    if over:
        cursor.execute(_DROP_RESERVATIONS)
    outbox.prune(cursor, now_us - _KEPT_US)
