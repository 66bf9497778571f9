"""Writing corrections that no span told: of a price book that was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otel_llmcost.core.ledger import REVERSED, Charge
from otel_llmcost_collector.ledger.base import Ledger, Line
from otel_llmcost_collector.observed import Observed

_BY_COMMAND = "corrected"


def append(ledger: Ledger, charges: Sequence[Charge]) -> None:
    """Write corrections of entries, each counted as told by whoever told of what it corrects; no balance is moved."""
    wanted = [each.corrects for each in charges if each.corrects is not None]
    known = {each.charge_id: each for each in ledger.find(wanted)}
    ledger.write(list(_lines(charges, known)), lambda _new: None)


def _lines(charges: Iterable[Charge], known: dict[str, Observed]) -> Iterable[Line]:
    for charge in charges:
        told = known.get(charge.corrects or "")
        yield Line(
            observed=Observed.of(
                charge,
                source=_BY_COMMAND if told is None else told.source,
                richness=0 if told is None else told.richness,
            ),
            corrects=charge.corrects,
            is_reversal=charge.method == REVERSED,
            estimate_nano=charge.estimate_nano,
            actions=charge.actions,
        )
