"""What new entries of the ledger come to on the balances of budgets, and how that is noted in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from otel_llmcost.core.attribution import Dimension
from otel_llmcost.core.budget import BalanceKey, Claim
from otel_llmcost.core.ledger import REVERSED
from otel_llmcost.core.policy import Policy, assumed_model, micros
from otel_llmcost.errors import WireError
from otel_llmcost.storage.base import Booking, Posting
from otel_llmcost.storage.wire import cleaned
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.observed import Observed

Assumed = Callable[[str, Observed], int | None]
"""Prices a call without a price as if a model of this name had answered; None: it has no price either."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Noted(msgspec.Struct, array_like=True):
    """What one commit of the ledger leaves to be done on balances."""

    bookings: list[Booking]
    postings: list[Posting] = []
    """Of calls that plugins had reserved for: done one by one, since each ends a reservation."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to be done."""
        return bool(self.bookings or self.postings)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Noted)


def encode(noted: Noted) -> bytes:
    """Write down what is to be done; what is no character is spelled out."""
    try:
        return _encoder.encode(noted)
    except UnicodeEncodeError:
        return _encoder.encode(cleaned(msgspec.to_builtins(noted, builtin_types=(datetime,))))


def decode(body: bytes) -> Noted:
    """Read what is to be done.

    Raises:
        WireError: it was written by another version, or is damaged.
    """
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        msg = f"a note for the balances cannot be read: {error}"
        raise WireError(msg) from error


def bookings(lines: Iterable[Line], policy: Policy, now: datetime, assumed: Assumed) -> list[Booking]:
    """Add up what new entries come to, by balance.

    Args:
        lines: entries that are new.
        policy: the budgets in force.
        now: the time; a call that says it began later began now, since its clock is wrong.
        assumed: prices calls without a price.
    """
    if not policy.budgets:
        return []
    now_us = micros(now)
    sums: dict[BalanceKey, _Sum] = {}
    # In order of time, as budgets are looked up by their window of a time, and those stay the same for a while.
    for line in sorted(lines, key=lambda line: line.observed.at_us):
        observed = line.observed
        at = _EPOCH + timedelta(microseconds=min(observed.at_us, now_us))
        ended_at = min(at + timedelta(microseconds=observed.duration_us), now)
        for claim in policy.claims(_dimensions(observed), at, None, lambda _budget, _subject: None):
            found = sums.get(claim.key)
            if found is None:
                found = sums[claim.key] = _Sum(claim, ended_at)
            found.add(line, _amount(claim, line, policy, assumed), ended_at)
    return [each.booking() for each in sums.values()]


class _Sum:
    """A booking as it grows."""

    __slots__ = ("amount", "at", "calls", "claim", "trace_id", "unpriced")

    def __init__(self, claim: Claim, at: datetime) -> None:
        self.claim = claim
        self.at = at
        self.amount = self.calls = self.unpriced = 0
        self.trace_id: str | None = None

    def add(self, line: Line, amount: int, ended_at: datetime) -> None:
        self.amount += amount
        self.calls += line.corrects is None
        if line.observed.cost_nano is None:
            self.unpriced += -1 if line.is_reversal else 1
        if ended_at >= self.at:
            self.at, self.trace_id = ended_at, line.observed.trace_id

    def booking(self) -> Booking:
        return Booking(
            claim=self.claim,
            amount_nano=self.amount,
            calls=self.calls,
            unpriced=self.unpriced,
            at=self.at,
            trace_id=self.trace_id,
        )


def _amount(claim: Claim, line: Line, policy: Policy, assumed: Assumed) -> int:
    """Say what an entry comes to in what a balance measures."""
    observed = line.observed
    if claim.measure == "requests":
        return int(line.corrects is None)
    if claim.measure == "tokens":
        return observed.counts.get("input_tokens", 0) + observed.counts.get("output_tokens", 0)
    if observed.cost_nano is not None:
        return observed.cost_nano
    model = assumed_model(policy.named(claim.key.budget))
    return 0 if model is None else _assumed(model, line, assumed)


def _assumed(model: str, line: Line, assumed: Assumed) -> int:
    """Price an entry as if another model had answered; what is taken back as it was charged."""
    if not line.is_reversal:
        return assumed(model, line.observed) or 0
    counts = {unit: -count for unit, count in line.observed.counts.items()}
    return -(assumed(model, msgspec.structs.replace(line.observed, counts=counts)) or 0)


def _dimensions(observed: Observed) -> dict[Dimension, str]:
    """Return what budgets tell calls apart by: what a call says of itself is known of each, tagged or not."""
    said: dict[Dimension, str] = {
        "provider": observed.provider,
        "model": observed.served_model or observed.requested_model,
        **observed.tags,
    }
    if observed.trace_id is not None:
        said.setdefault("trace", observed.trace_id)
    return said


def reversal_of(observed: Observed) -> Line:
    """Make the entry that takes another back, as `core.ledger.reversal` does."""
    cost, listed = observed.cost_nano, observed.list_cost_nano
    taken_back = msgspec.structs.replace(
        observed,
        charge_id=f"{observed.charge_id}-{REVERSED}",
        duration_us=0,
        counts={unit: -count for unit, count in observed.counts.items()},
        cost_nano=None if cost is None else -cost,
        list_cost_nano=None if listed is None else -listed,
        method=REVERSED,
    )
    return Line(observed=taken_back, corrects=observed.charge_id, is_reversal=True)


def new_of(lines: Sequence[Line], is_new: Sequence[bool]) -> list[Line]:
    """List the lines that the ledger did not have."""
    return [line for line, new in zip(lines, is_new, strict=True) if new]
