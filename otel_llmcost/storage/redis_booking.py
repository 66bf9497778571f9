"""What calls came to that nothing was held for, in Redis: added to balances once for each commit.

In a cluster each balance knows for itself which commits were booked on it. Who dies in between books the same commit
again, and where it was booked nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_llmcost.core.alert import Alert
from otel_llmcost.storage.base import Booking
from otel_llmcost.storage.redis_alerts import alert_of, template
from otel_llmcost.storage.redis_balances import Known, claim_body
from otel_llmcost.storage.redis_calls import Asking, Layout, Part, checked, index_part
from otel_llmcost.storage.redis_outbox import carry, outbox_part
from otel_llmcost.storage.shared import COMMITS_KEPT_SECONDS, Cell, add_booking, alert_of_charge, drop_us

_ADDED = ("settled", "overrun", "calls", "unpriced")


def book(layout: Layout, known: Known, commit_id: str, bookings: Sequence[Booking]) -> Asking[list[Alert]]:
    """Add amounts to balances and fire the marks that are reached by it, unless this commit is booked."""
    yield from known.look_up(layout, [booking.claim for booking in bookings])
    parts = [_claim_part(layout, known, number, booking) for number, booking in enumerate(bookings)]
    parts += [
        index_part(layout, booking.claim.key, drop_us(booking.claim.window, booking.at), booking.at)
        for booking in bookings
        if booking.claim.key not in known
    ]
    head: dict[str, object] = {"commit": commit_id, "kept": str(COMMITS_KEPT_SECONDS)}
    if layout.is_split:
        head["is_split"] = True
    else:
        parts += [outbox_part(layout), Part("commits", (layout.common("commits"),), {})]
    answers = yield layout.calls("book", head, parts)
    yield from carry(layout, list(dict.fromkeys((key, record) for _, due in answers for key, record in due)))
    known.add(booking.claim.key for booking in bookings)
    return [alert_of(record) for fired, _ in answers for record in fired]


def _claim_part(layout: Layout, known: Known, number: int, booking: Booking) -> Part:
    claim, cell = booking.claim, Cell(0)
    add_booking(cell, booking)
    body = claim_body(known, number, claim, booking.at)
    body["adds"] = {name: checked(getattr(cell, name)) for name in _ADDED if getattr(cell, name)}
    body["marks"] = [[level, str(at_nano)] for level, at_nano in claim.marks]
    if claim.marks:
        body["alert"] = template(alert_of_charge(claim, "", 0, booking))
    return Part("claims", layout.of_balance(claim.key), body)
