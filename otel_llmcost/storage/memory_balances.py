"""Balances and reservations in this process's memory: what happens inside the lock of `memory.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from otel_llmcost.core.alert import Alert, marks_of_refusal, reached
from otel_llmcost.core.budget import Balance, BalanceKey, Budget, Claim, Grant, Refusal, with_carried
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.window import Span
from otel_llmcost.storage.adopting import dimensions, raised, spent, stretches, terms
from otel_llmcost.storage.base import Booking, Hold, Posting, Totals
from otel_llmcost.storage.memory_ledger import MemoryLedger
from otel_llmcost.storage.memory_outbox import MemoryOutbox
from otel_llmcost.storage.shared import (
    Cell,
    add_booking,
    alert_of_charge,
    alert_of_refusal,
    amounts_of,
    balance_of,
    book,
    drop_us,
    empty_balance,
    is_spent_anyway,
    room_us,
)


class MemoryBalances:
    """What is spent and held of every budget, by subject and bucket."""

    def __init__(self, ledger: MemoryLedger, outbox: MemoryOutbox) -> None:
        """Begin empty.

        Args:
            ledger: tells what was spent before a budget was known.
            outbox: takes the alerts of marks that are reached.
        """
        self._ledger = ledger
        self._outbox = outbox
        self._cells: dict[BalanceKey, Cell] = {}
        self._buckets: dict[tuple[str, str], dict[int, Cell]] = {}
        """(budget, subject) → its cells by bucket, oldest first, for windows that roll."""
        self._held: dict[str, Hold] = {}
        self._expired: dict[str, Hold] = {}
        """Reservations that nobody ended in time."""
        self._expires_at: dict[str, datetime] = {}
        """Of those reservations that were given more time."""
        self._known: dict[str, tuple[str, int]] = {}
        """Budget → what it counts, as it was when its balances were last counted from the ledger, and since when."""

    @property
    def open_reservations(self) -> int:
        """How many calls are under way."""
        return len(self._held)

    def reserve(self, hold: Hold, *, tell: bool) -> Refusal | Grant | None:
        """Take all claims of a call, or none; taking the same reservation twice takes it once."""
        watched: dict[BalanceKey, int] | None = None
        if hold.reservation_id in self._held:
            return None
        cells = self._cells
        for claim in hold.claims:
            cell = cells.get(claim.key) or self._new_cell(claim, hold.at)
            held = self._since(claim, _held) if claim.is_rolling else cell.settled + cell.suspected + cell.reserved
            if claim.is_watched:
                watched = watched or {}
                watched[claim.key] = self._since(claim, _spent)
            wanted = with_carried(claim, cell.carried) if cell.carried else claim
            if not wanted.fits(held):
                self._give_back(hold.claims[: hold.claims.index(claim)])
                told = self._told(wanted, cell, hold) if tell else ()
                return self._refusal(wanted, held, told, watched or {})
            cell.reserved += claim.amount_nano
            cell.exposure += claim.exposure_nano
        if hold.claims:
            self._held[hold.reservation_id] = hold
        return None if watched is None else Grant(watched)

    def post(self, posting: Posting, charge: Charge | None, alerts: list[Alert]) -> None:
        """Give back what was held, and book the charge if there is one to be booked."""
        reservation_id = posting.reservation_id
        hold = self._held.pop(reservation_id, None)
        late = self._ended_late(reservation_id) if hold is None else None
        if self._expires_at:
            self._expires_at.pop(reservation_id, None)
        if charge is None:
            self._end_unbilled(posting, hold, is_known=hold is not None or bool(late))
            return
        for claim in posting.claims:
            cell = self._cells.get(claim.key) or self._new_cell(claim, charge.at)
            held = 0
            if hold is not None:
                held = claim.amount_nano
                cell.reserved -= held
                cell.exposure -= claim.exposure_nano
            elif late:
                held = late.get(claim.key, 0)
            book(cell, charge, held, posting.assumed, claim)
            if claim.marks:
                self._tell(claim, cell, charge, alerts)

    def book(self, booking: Booking, alerts: list[Alert]) -> None:
        """Add what calls came to that nothing was held for."""
        claim = booking.claim
        cell = self._cells.get(claim.key) or self._new_cell(claim, booking.at)
        add_booking(cell, booking)
        if claim.marks:
            self._tell(claim, cell, booking, alerts)

    def put(self, claim: Claim, spent_nano: int, at: datetime) -> None:
        """Add what was spent elsewhere to a balance."""
        cell = self._cells.get(claim.key) or self._new_cell(claim, at)
        cell.settled += spent_nano

    def renew(self, reservation_ids: Sequence[str], expires_at: datetime) -> None:
        """Give reservations more time; one that was given up is believed in again."""
        for reservation_id in reservation_ids:
            hold = self._expired.pop(reservation_id, None)
            if hold is not None:
                self._suspect(hold, -1)
                self._held[reservation_id] = hold
            hold = self._held.get(reservation_id)
            if hold is not None:
                before = self._expires_at.get(reservation_id, hold.expires_at)
                self._expires_at[reservation_id] = max(before, expires_at)

    def expire(self, now: datetime) -> int:
        """Suspect the calls that gave no sign of life in time, and forget what is of no use; return how many."""
        expires_at = self._expires_at.get
        over = [hold for key, hold in self._held.items() if expires_at(key, hold.expires_at) <= now]
        for hold in over:
            del self._held[hold.reservation_id]
            self._expires_at.pop(hold.reservation_id, None)
            self._expired[hold.reservation_id] = hold
            self._suspect(hold, 1)
        self._prune(micros(now))
        return len(over)

    def reset(self, budget: str, subject: str | None) -> int:
        """Forgive what was spent of a budget and tell its marks anew; return of how many subjects."""
        keys = [key for key in self._cells if key.budget == budget and subject in {None, key.subject}]
        for key in keys:
            cell = self._cells[key]
            cell.settled = cell.suspected = cell.overrun = 0
            self._outbox.rearm(key)
        self._forget_claims(set(keys))
        return len({key.subject for key in keys})

    def adopt(self, budgets: Sequence[Budget], now: datetime, *, again: bool, totals: Totals) -> list[str]:
        """Let budgets that are new here count what was spent in their window already; name them."""
        unknown = ("", 0)
        anew = [budget for budget in budgets if self._known.get(budget.name, unknown)[0] != terms(budget)]
        for budget in anew:
            if budget.name in self._known:
                self._clear(budget.name)
            self._known[budget.name] = terms(budget), micros(now)
        for budget in budgets if again else anew:
            self._count(budget, now, totals)
        return [budget.name for budget in anew]

    def read(self, budget: Budget, span: Span) -> list[Balance]:
        """Read the balances of a budget in a window; one of 0 if there is none."""
        from_us, is_rolling = micros(span.start), span.start != span.bucket_start
        found: list[Balance] = []
        for (name, subject), buckets in self._buckets.items():
            if name == budget.name:
                cells = [cell for bucket_us, cell in buckets.items() if _counts(bucket_us, from_us, is_rolling)]
                if cells:
                    found.append(
                        balance_of(budget, span, subject, [sum(of) for of in zip(*map(amounts_of, cells), strict=True)])
                    )
        return found or [empty_balance(budget, span)]

    def forget_reservations(self) -> None:
        """Give back what is held for calls under way: after a fork they are the parent's."""
        for hold in self._held.values():
            self._give_back(hold.claims)
        self._held.clear()
        self._expires_at.clear()

    def _clear(self, budget: str) -> None:
        """Forget what is spent of a budget, since it was counted on other terms."""
        keys = {key for key in self._cells if key.budget == budget}
        for key in keys:
            self._cells[key].settled = self._cells[key].suspected = 0
        self._forget_claims(keys)

    def _count(self, budget: Budget, now: datetime, totals: Totals) -> None:
        """Raise a budget's balances to what the ledger says."""
        drop = drop_us(budget.window.at(now), now)
        for bucket_us, since, until in stretches(budget, now):
            for each in spent(budget, bucket_us, totals(dimensions(budget), since, until)):
                cell = self._cells.get(each.key) or self._put_cell(each.key, Cell(drop))
                more = raised(cell, each, drop)
                cell.settled += more.settled
                cell.calls += more.calls

    def _end_unbilled(self, posting: Posting, hold: Hold | None, *, is_known: bool) -> None:
        """Give back what was held; where requests are counted, a call that was sent counts."""
        if hold is not None:
            self._give_back(hold.claims)
        for claim in posting.claims if is_known else ():
            if is_spent_anyway(posting, claim):
                self._cells[claim.key].settled += claim.amount_nano

    def _tell(self, claim: Claim, cell: Cell, charge: Charge | Booking, alerts: list[Alert]) -> None:
        claim = with_carried(claim, cell.carried)
        spent = self._since(claim, _spent) if claim.is_rolling else cell.settled + cell.suspected
        if spent >= claim.marks[0][1]:
            told = [alert_of_charge(claim, level, spent, charge) for level in reached(claim, spent)]
            alerts += [alert for alert in told if self._outbox.fire(alert)]

    def _give_back(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            cell = self._cells[claim.key]
            cell.reserved -= claim.amount_nano
            cell.exposure -= claim.exposure_nano

    def _ended_late(self, reservation_id: str) -> dict[BalanceKey, int]:
        """Take an expired reservation out of the suspected amounts; return what stood there."""
        hold = self._expired.pop(reservation_id, None)
        if hold is None:
            return {}
        for claim in hold.claims:
            self._cells[claim.key].suspected -= claim.amount_nano
        return {claim.key: claim.amount_nano for claim in hold.claims}

    def _suspect(self, hold: Hold, sign: int) -> None:
        """Move what is held for a call from reserved to suspected; with a sign of -1 back again."""
        for claim in hold.claims:
            cell = self._cells[claim.key]
            cell.reserved -= sign * claim.amount_nano
            cell.exposure -= sign * claim.exposure_nano
            cell.suspected += sign * claim.amount_nano

    def _told(self, claim: Claim, cell: Cell, hold: Hold) -> tuple[str, ...]:
        """Count a refusal, and fire its marks; return those that were not told yet."""
        cell.refused += 1
        spent = self._since(claim, _spent)
        alerts = [alert_of_refusal(claim, level, spent, hold) for level in marks_of_refusal(claim)]
        return tuple(alert.level for alert in alerts if self._outbox.fire(alert))

    def _refusal(self, claim: Claim, held: int, told: tuple[str, ...], watched: Mapping[BalanceKey, int]) -> Refusal:
        room = None
        if claim.is_rolling:
            by_bucket = [(bucket_us, _held(cell)) for bucket_us, cell in self._counted(claim)]
            room = room_us(claim, held, reversed(by_bucket))
        return Refusal(claim, held, self._since(claim, _spent), told, watched, room)

    def _new_cell(self, claim: Claim, at: datetime) -> Cell:
        return self._put_cell(claim.key, Cell(drop_us(claim.window, at), self._carried(claim)))

    def _put_cell(self, key: BalanceKey, cell: Cell) -> Cell:
        self._cells[key] = cell
        buckets = self._buckets.setdefault((key.budget, key.subject), {})
        is_newest = not buckets or key.bucket_us > next(reversed(buckets))
        buckets[key.bucket_us] = cell
        if not is_newest:
            self._buckets[key.budget, key.subject] = dict(sorted(buckets.items()))
        return cell

    def _carried(self, claim: Claim) -> int:
        known = self._known.get(claim.key.budget)
        if claim.carry is None or known is None or known[1] >= micros(claim.window.start):
            return 0
        before = self._cells.get(claim.key._replace(bucket_us=claim.carry.from_us))
        return claim.carry.amount(0 if before is None else _held(before))

    def _since(self, claim: Claim, amount: Callable[[Cell], int]) -> int:
        """Read an amount of a balance: of its one bucket, or of all that a rolling window reaches back to."""
        key = claim.key
        if not claim.is_rolling:
            return amount(self._cells[key])
        return sum([amount(cell) for _, cell in self._counted(claim)])

    def _counted(self, claim: Claim) -> Iterator[tuple[int, Cell]]:
        """Give the buckets that count into a rolling balance, newest first: the older ones are many and of no use."""
        for bucket_us, cell in reversed(self._buckets[claim.key.budget, claim.key.subject].items()):
            if bucket_us < claim.from_us:
                return
            yield bucket_us, cell

    def _forget_claims(self, keys: set[BalanceKey]) -> None:
        """Let go of expired reservations as far as their balances were forgiven."""
        for reservation_id, hold in list(self._expired.items()):
            claims = tuple(claim for claim in hold.claims if claim.key not in keys)
            self._expired[reservation_id] = replace(hold, claims=claims)

    def _prune(self, now_us: int) -> None:
        over = {key for key, cell in self._cells.items() if cell.drop_us <= now_us and not cell.reserved}
        if not over:
            return
        self._forget_claims(over)
        for key in over:
            del self._cells[key]
            buckets = self._buckets[key.budget, key.subject]
            del buckets[key.bucket_us]
            if not buckets:
                del self._buckets[key.budget, key.subject]
            self._outbox.rearm(key)


def _held(cell: Cell) -> int:
    return cell.settled + cell.suspected + cell.reserved


def _spent(cell: Cell) -> int:
    return cell.settled + cell.suspected


def _counts(bucket_us: int, from_us: int, is_rolling: bool) -> bool:  # noqa: FBT001 -- private
    return bucket_us >= from_us if is_rolling else bucket_us == from_us
