"""How calls end in Redis: one script call for each, all sent at once.

In a cluster its parts lie in different slots and are done in this order: the ledger, which says whether the charge is
new, with a note of what is to be done; the balances, each of which knows what was booked on it; the register of calls
under way. Whoever dies in between leaves the note for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zlib import crc32

from otel_llmcost.core.alert import Alert
from otel_llmcost.core.budget import Claim
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.storage.base import Posting
from otel_llmcost.storage.redis_alerts import alert_of, template
from otel_llmcost.storage.redis_balances import Known, claim_body, open_part
from otel_llmcost.storage.redis_calls import Asking, Call, Layout, Part, checked, index_part
from otel_llmcost.storage.redis_halves import note_parts
from otel_llmcost.storage.redis_ledger import charge_part
from otel_llmcost.storage.redis_outbox import carry, outbox_part
from otel_llmcost.storage.shared import Cell, alert_of_charge, book, drop_us, is_spent_anyway

_BOOKED_FOR_US = timedelta(days=2) // timedelta(microseconds=1)
"""How long a balance in a cluster knows what was booked on it, for postings that are tried again."""
_WHOLE = (frozenset({"charges", "claims", "index", "open", "outbox"}),)
_STAGES = (frozenset({"charges", "notes"}), frozenset({"claims", "index"}), frozenset({"done", "open"}))


@dataclass
class _Ending:
    """One posting on its way."""

    posting: Posting
    head: dict[str, object]
    parts: list[Part]
    state: str = "none"
    """Of its charge: new, mine (written by this posting before) or known."""
    due: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """In a cluster: alerts that wait beside balances, with the key that each waits in."""


def settle(layout: Layout, known: Known, postings: Sequence[Posting]) -> Asking[list[Alert]]:
    """Book charges, unless the ledger has them already, and give back what was held for them."""
    yield from known.look_up(layout, [claim for posting in postings for claim in posting.claims])
    endings = [_ending(layout, known, posting) for posting in postings]
    alerts: list[Alert] = []
    for kinds in _STAGES if layout.is_split else _WHOLE:
        asked = [(ending, _calls(layout, ending, kinds)) for ending in endings]
        calls = [call for _, of_ending in asked for call in of_ending]
        answers = iter((yield calls))
        for ending, of_ending in asked:
            for _ in of_ending:
                alerts += _read(ending, next(answers))
    yield from carry(layout, list(dict.fromkeys(due for ending in endings for due in ending.due)))
    known.add(claim.key for posting in postings if posting.charge is not None for claim in posting.claims)
    return alerts


def _ending(layout: Layout, known: Known, posting: Posting) -> _Ending:
    charge = posting.charge
    head: dict[str, object] = {"id": posting.reservation_id}
    parts: list[Part] = []
    if charge is not None:
        parts.append(charge_part(layout, charge, _owner(posting)))
        parts += [
            index_part(layout, claim.key, drop_us(claim.window, charge.at), charge.at)
            for claim in posting.claims
            if claim.key not in known
        ]
        if layout.is_split:
            at_us = micros(charge.at)
            head |= {"charge_id": charge.charge_id, "at": str(at_us), "forget": str(at_us - _BOOKED_FOR_US)}
    parts += [_claim_part(layout, known, number, claim, posting) for number, claim in enumerate(posting.claims)]
    if posting.claims:
        parts.append(open_part(layout, posting.reservation_id))
    if layout.is_split:
        head["is_split"] = True
        if posting.claims:
            elsewhere = layout.calls("settle", head, [part for part in parts if part.kind in _STAGES[1]])
            shard = layout.shard(posting.reservation_id if charge is None else charge.charge_id)
            parts += note_parts(layout, shard, elsewhere)
    else:
        parts.append(outbox_part(layout))
    return _Ending(posting, head, parts)


def _calls(layout: Layout, ending: _Ending, kinds: frozenset[str]) -> list[Call]:
    parts = [part for part in ending.parts if part.kind in kinds]
    return layout.calls("settle", {**ending.head, "state": ending.state}, parts) if parts else []


def _read(ending: _Ending, answer: list[Any]) -> list[Alert]:
    ending.state, _, fired, due = answer
    ending.due += [(key, record) for key, record in due]
    return [alert_of(record) for record in fired]


def _claim_part(layout: Layout, known: Known, number: int, claim: Claim, posting: Posting) -> Part:
    charge = posting.charge
    if charge is None:
        body: dict[str, object] = {"bucket": str(claim.key.bucket_us)}
        if is_spent_anyway(posting, claim):
            body["anyway"] = checked(claim.amount_nano)
    else:
        body = claim_body(known, number, claim, charge.at)
        body["booking"] = _booking(posting, claim, charge)
        body["marks"] = [[level, str(at_nano)] for level, at_nano in claim.marks]
        if claim.marks:
            body["alert"] = template(alert_of_charge(claim, "", 0, charge))
    return Part("claims", layout.of_balance(claim.key), body)


def _booking(posting: Posting, claim: Claim, charge: Charge) -> dict[str, object]:
    cell = Cell(0)
    cost = book(cell, charge, 0, posting.assumed, claim)
    amounts = {"settled": cell.settled, "suspected": cell.suspected, "calls": cell.calls, "unpriced": cell.unpriced}
    return {"cost": checked(cost), "cells": {name: checked(amount) for name, amount in amounts.items() if amount}}


def _owner(posting: Posting) -> str:
    """Name who writes a charge: a posting that is tried again does so under the same name."""
    said = "\n".join([posting.reservation_id, *[str(claim.key) for claim in posting.claims]])
    return f"{crc32(said.encode(errors='replace')):08x}"
