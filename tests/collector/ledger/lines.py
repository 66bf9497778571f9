"""Values that the tests of ledgers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from otel_llmcost.core.ledger import Charge, reversal
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.observed import Observed
from tests.storage.books import NOW, USD, charge

__all__ = ["FOREVER", "NOW", "USD", "call_key", "charge", "line", "lines", "nothing", "taken_back"]

FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def line(made: Charge, call: str | None = None, **changes: Any) -> Line:
    """Make a line of a charge, as one who writes a plugin's would."""
    observed = Observed.of(made, source="test", richness=1)
    return Line(
        observed=replace_struct(observed, **changes),
        call_key=None if call is None else call_key(call),
        corrects=made.corrects,
        is_reversal=made.method == "reversed",
        estimate_nano=made.estimate_nano,
        actions=made.actions,
    )


def lines(*charges: Charge) -> list[Line]:
    return [line(each) for each in charges]


def replace_struct(observed: Observed, **changes: Any) -> Observed:
    import msgspec

    return msgspec.structs.replace(observed, **changes)


def call_key(response_id: str) -> bytes:
    return blake2b(response_id.encode(), digest_size=12).digest()


def taken_back(original: Charge, **changes: Any) -> tuple[Charge, Charge]:
    """Make the two entries that put a charge right."""
    new = replace(charge(original.at), corrects=original.charge_id, tags=original.tags, **changes)
    return reversal(original), new


def nothing(_new: Sequence[Observed]) -> bytes | None:
    return None
