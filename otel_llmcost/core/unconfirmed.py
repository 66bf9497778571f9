"""Calls whose cost is not confirmed, by what is not known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from otel_llmcost.core.ledger import REVERSED, Charge, ChargeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """Calls that are estimated, suspected or unpriced in the same way."""

    status: ChargeStatus
    provider: str
    model: str
    method: str
    """Where their usage is from."""
    calls: int
    last_at: datetime


def unconfirmed(charges: Iterable[Charge]) -> list[Unconfirmed]:
    """Count them, most first; entries that were taken back are left out."""
    entries = list(charges)
    taken_back = {each.corrects for each in entries if each.method == REVERSED}
    found: dict[tuple[ChargeStatus, str, str, str], list[datetime]] = {}
    for each in entries:
        if each.status != "confirmed" and each.method != REVERSED and each.charge_id not in taken_back:
            found.setdefault((each.status, each.provider, each.model, each.method), []).append(each.at)
    return most_first(
        Unconfirmed(status=status, provider=provider, model=model, method=method, calls=len(times), last_at=max(times))
        for (status, provider, model, method), times in found.items()
    )


def most_first(found: Iterable[Unconfirmed]) -> list[Unconfirmed]:
    """Order them for people; what is as frequent by name."""
    return sorted(found, key=lambda each: (-each.calls, each.status, each.provider, each.model, each.method))
