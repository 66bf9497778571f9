"""Balances and reservations in SQLite: what happens inside a transaction that `sqlite.py` opens."""

from __future__ import annotations

from collections.abc import Sequence

from otel_llmcost.core.alert import Alert, marks_of_refusal, reached
from otel_llmcost.core.budget import Balance, BalanceKey, Budget, Claim, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Span
from otel_llmcost.storage import sqlite_ledger as ledger
from otel_llmcost.storage import sqlite_outbox as outbox
from otel_llmcost.storage.base import Hold, Posting
from otel_llmcost.storage.database import Execute
from otel_llmcost.storage.shared import KEPT_DAYS, alert_of_charge, alert_of_refusal, drop_us, empty_balance

_PRUNED_AT_ONCE = 1000
_UNLIMITED = 2**63 - 1
_KEPT_US = KEPT_DAYS * 86_400_000_000

_AMOUNTS = ("settled", "reserved", "suspected", "overrun", "exposure", "calls", "refused", "unpriced")
_KEY = "budget = ? AND subject = ? AND bucket_us"
_HELD_IN_BUCKET = f"SELECT settled + suspected + reserved FROM balances WHERE {_KEY} = ?"
_HELD_SINCE = f"SELECT sum(settled + suspected + reserved) FROM balances WHERE {_KEY} >= ?"
_SPENT_IN_BUCKET = f"SELECT settled + suspected FROM balances WHERE {_KEY} = ?"
_SPENT_SINCE = f"SELECT sum(settled + suspected) FROM balances WHERE {_KEY} >= ?"
_ADD = f"""INSERT INTO balances (budget, subject, bucket_us, drop_us, {", ".join(_AMOUNTS)})
    VALUES ({", ".join("?" * (4 + len(_AMOUNTS)))})
    ON CONFLICT (budget, subject, bucket_us) DO UPDATE SET
    {", ".join(f"{name} = {name} + excluded.{name}" for name in _AMOUNTS)}"""
_TAKE_IF_IT_FITS = f"""UPDATE balances SET reserved = reserved + ?, exposure = exposure + ?
    WHERE {_KEY} = ? AND settled + suspected + reserved <= ?"""
_CHANGE = f"""UPDATE balances SET reserved = reserved + ?, suspected = suspected + ?, exposure = exposure + ?
    WHERE {_KEY} = ?"""
_KEEP_CLAIM = """INSERT OR IGNORE INTO reservations (reservation_id, budget, subject, bucket_us, amount, exposure,
    expires_us) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_CLAIM = "budget, subject, bucket_us, amount, exposure, is_expired"
_CLAIMS_OF = f"SELECT {_CLAIM} FROM reservations WHERE reservation_id = ?"
_PAST_THEIR_TIME = f"SELECT reservation_id, {_CLAIM} FROM reservations WHERE expires_us <= ? AND is_expired = 0"
_DROP_RESERVATIONS = """DELETE FROM reservations WHERE is_expired = 1
    AND (budget, subject, bucket_us) NOT IN (SELECT budget, subject, bucket_us FROM balances)"""
_READ = f"SELECT subject, {', '.join(f'sum({name})' for name in _AMOUNTS)} FROM balances WHERE budget = ? AND bucket_us"
_READ_ORDER = "GROUP BY subject ORDER BY sum(settled + suspected) DESC, subject LIMIT ?"
_READ_BUCKET = f"{_READ} = ? {_READ_ORDER}"
_READ_SINCE = f"{_READ} >= ? {_READ_ORDER}"

_Row = tuple[str, str, int, int, int, int]
"""One claim of a reservation, as `_CLAIM` names its columns."""


def take(execute: Execute, hold: Hold, *, tell: bool) -> Refusal | None:
    """Hold all claims, or none and say why."""
    expires_us = micros(hold.expires_at)
    for claim in hold.claims:
        values = (hold.reservation_id, *claim.key, claim.amount_nano, claim.exposure_nano, expires_us)
        if not execute(_KEEP_CLAIM, values).rowcount:
            return None  # taken before
        held = _take_one(execute, claim, hold)
        if held is not None:
            _take_back(execute, hold, claim)
            return _told_refusal(execute, claim, held, hold) if tell else Refusal(claim, held)
    return None


def post(execute: Execute, posting: Posting) -> list[Alert]:
    """Book a charge, unless the ledger has it already, and give back what was held for it."""
    charge = posting.charge
    is_new = charge is not None and ledger.insert(execute, charge)
    held = _taken_out(execute, posting.reservation_id) if posting.claims else {}
    alerts: list[Alert] = []
    if charge is not None and is_new:
        for claim in posting.claims:
            alerts += _book(execute, claim, charge, posting.assumed.get(claim.key.budget, 0), held.pop(claim.key, None))
    for key, row in held.items():
        amount, exposure, is_expired = row[3:]
        execute(_CHANGE, (0, -amount, 0, *key) if is_expired else (-amount, 0, -exposure, *key))
    return alerts


def renew(execute: Execute, reservation_ids: Sequence[str], expires_us: int) -> None:
    """Give calls more time; one that was given up is believed in again."""
    for reservation_id in reservation_ids:
        for *key, amount, exposure, is_expired in execute(_CLAIMS_OF, (reservation_id,)).fetchall():
            if is_expired:
                execute(_CHANGE, (amount, -amount, exposure, *key))
        execute(
            "UPDATE reservations SET is_expired = 0, expires_us = max(expires_us, ?) WHERE reservation_id = ?",
            (expires_us, reservation_id),
        )


def is_anything_over(execute: Execute, now_us: int) -> bool:
    """Tell whether `expire` would change anything."""
    query = """SELECT EXISTS (SELECT 1 FROM reservations WHERE expires_us <= ? AND is_expired = 0)
        OR EXISTS (SELECT 1 FROM balances WHERE drop_us <= ?)"""
    return bool(execute(query, (now_us, now_us)).fetchone()[0])


def expire(execute: Execute, now_us: int) -> int:
    """Suspect the calls that gave no sign of life in time, and forget what is of no use any more."""
    rows = execute(_PAST_THEIR_TIME, (now_us,)).fetchall()
    for _, *key, amount, exposure, _ in rows:
        execute(_CHANGE, (-amount, amount, -exposure, *key))
    execute("UPDATE reservations SET is_expired = 1 WHERE expires_us <= ? AND is_expired = 0", (now_us,))
    _prune(execute, now_us)
    return len({reservation_id for reservation_id, *_ in rows})


def read(execute: Execute, budget: Budget, span: Span, most: int) -> list[Balance]:
    """Read the fullest balances of a budget in a window; one of 0 if there is none."""
    start, end = span.bounds
    query = _READ_BUCKET if span.start == span.bucket_start else _READ_SINCE
    rows = execute(query, (budget.name, micros(span.start), most)).fetchall()
    return [
        Balance(
            budget=budget.name,
            subject=subject,
            limit_nano=budget.limit_nano,
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
        )
        for subject, settled, reserved, suspected, overrun, exposure, calls, refused, unpriced in rows
    ] or [empty_balance(budget, span)]


def reset(execute: Execute, budget: str, subject: str | None) -> int:
    """Forgive what was spent and tell marks anew; what is held for calls under way stays held."""
    where, values = ("budget = ?", (budget,)) if subject is None else ("budget = ? AND subject = ?", (budget, subject))
    count: int = execute(f"SELECT count(DISTINCT subject) FROM balances WHERE {where}", values).fetchone()[0]
    execute(f"UPDATE balances SET settled = 0, suspected = 0, overrun = 0 WHERE {where}", values)
    execute(f"DELETE FROM reservations WHERE {where} AND is_expired = 1", values)
    execute(f"DELETE FROM marks_told WHERE {where}", values)
    return count


def open_reservations(execute: Execute) -> int:
    """Count calls under way."""
    query = "SELECT count(DISTINCT reservation_id) FROM reservations WHERE is_expired = 0"
    count: int = execute(query).fetchone()[0]
    return count


def _amount(execute: Execute, claim: Claim, in_bucket: str, since: str) -> int:
    """Read an amount of a balance: of its one bucket, or of all that a rolling window reaches back to."""
    query = since if claim.is_rolling else in_bucket
    row = execute(query, (claim.key.budget, claim.key.subject, claim.from_us)).fetchone()
    return (row[0] or 0) if row is not None else 0


def _take_one(execute: Execute, claim: Claim, hold: Hold) -> int | None:
    """Hold one claim; where it does not fit, return what is held already."""
    amount, exposure = claim.amount_nano, claim.exposure_nano
    if not claim.is_rolling:
        at_most = claim.limit_nano if claim.refuses else _UNLIMITED
        if execute(_TAKE_IF_IT_FITS, (amount, exposure, *claim.key, at_most - amount)).rowcount:
            return None
    # It does not fit, it is the first of its window, or its window rolls.
    held = _amount(execute, claim, _HELD_IN_BUCKET, _HELD_SINCE)
    if not claim.fits(held):
        return held
    execute(_ADD, (*claim.key, drop_us(claim, hold.at), 0, amount, 0, 0, exposure, 0, 0, 0))
    return None


def _take_back(execute: Execute, hold: Hold, refused: Claim) -> None:
    """Undo what was taken before one claim did not fit."""
    for claim in hold.claims:
        if claim is refused:
            break
        execute(_CHANGE, (-claim.amount_nano, 0, -claim.exposure_nano, *claim.key))
    execute("DELETE FROM reservations WHERE reservation_id = ?", (hold.reservation_id,))


def _told_refusal(execute: Execute, claim: Claim, held: int, hold: Hold) -> Refusal:
    execute(_ADD, (*claim.key, drop_us(claim, hold.at), 0, 0, 0, 0, 0, 0, 1, 0))
    spent = _amount(execute, claim, _SPENT_IN_BUCKET, _SPENT_SINCE)
    alerts = [alert_of_refusal(claim, level, spent, hold) for level in marks_of_refusal(claim)]
    told = tuple(alert.level for alert in alerts if outbox.fire(execute, alert))
    return Refusal(claim, held, spent, told)


def _taken_out(execute: Execute, reservation_id: str) -> dict[BalanceKey, _Row]:
    rows: list[_Row] = execute(_CLAIMS_OF, (reservation_id,)).fetchall()
    if rows:
        execute("DELETE FROM reservations WHERE reservation_id = ?", (reservation_id,))
    return {BalanceKey(*row[:3]): row for row in rows}


def _book(execute: Execute, claim: Claim, charge: Charge, assumed_nano: int, row: _Row | None) -> list[Alert]:
    """Book a charge on one balance in place of what was held there; return the alerts this fires."""
    cost = assumed_nano if charge.cost_nano is None else charge.cost_nano
    settled, suspected = (0, cost) if charge.status == "suspected" else (cost, 0)
    reserved = exposure = amount = 0
    if row is not None:
        *_, amount, held_exposure, is_expired = row
        if is_expired:
            suspected -= amount
        else:
            reserved, exposure = -amount, -held_exposure
    drop, overrun, unpriced = drop_us(claim, charge.at), max(cost - amount, 0), int(charge.cost_nano is None)
    execute(_ADD, (*claim.key, drop, settled, reserved, suspected, overrun, exposure, 1, 0, unpriced))
    spent = _amount(execute, claim, _SPENT_IN_BUCKET, _SPENT_SINCE) if claim.marks else 0
    alerts = [alert_of_charge(claim, level, spent, charge) for level in reached(claim, spent)]
    return [alert for alert in alerts if outbox.fire(execute, alert)]


def _prune(execute: Execute, now_us: int) -> None:
    over = execute(
        "SELECT budget, subject, bucket_us FROM balances WHERE drop_us <= ? AND reserved = 0 LIMIT ?",
        (now_us, _PRUNED_AT_ONCE),
    ).fetchall()
    for key in over:
        execute(f"DELETE FROM balances WHERE {_KEY} = ?", key)
        execute(f"DELETE FROM marks_told WHERE {_KEY} = ?", key)
    if over:
        execute(_DROP_RESERVATIONS)
    outbox.prune(execute, now_us - _KEPT_US)
