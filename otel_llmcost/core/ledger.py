"""What one call came to: the charge that span, metrics, ledger and alerts are all made of."""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime
from typing import Literal

from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.rates import Rate
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.value import value

ChargeStatus = Literal["confirmed", "estimated", "suspected", "unpriced"]
"""confirmed: priced from what the provider reported · estimated: the answer came without (all of) its usage ·
suspected: nobody saw the answer, the provider may have billed it · unpriced: used, but no rate is known."""


@value
class Charge:
    """One entry of the ledger. Amounts in nano-USD; None where no rate is known, never 0 in its place."""

    charge_id: str
    """UUIDv7, so entries sort by the time their call began; writing one twice is a no-op."""
    at: datetime
    duration_seconds: float
    provider: str
    operation: str
    requested_model: str
    served_model: str | None
    tags: Tags
    usage: Usage
    status: ChargeStatus
    cost_nano: int | None
    """Effective cost: after discounts."""
    list_cost_nano: int | None
    """Cost at list prices; None beside a cost that only the provider knows."""
    method: str = "reported"
    """Where the usage is from: `reported`, or how it was estimated."""
    rate_id: str | None = None
    rate_source: str | None = None
    """Where the price is from; `provider`: the cost is the provider's own word."""
    tier: str = "standard"
    estimate_nano: int | None = None
    """What was expected before sending; None: no rate was known then."""
    trace_id: str | None = None
    span_id: str | None = None
    response_id: str | None = None
    error_type: str | None = None
    rate: Rate | None = field(default=None, compare=False, repr=False)
    """What it was priced by, in all its parts; not kept in the ledger, where its id and source stand."""

    corrects: str | None = None
    """Id of an earlier entry that this one takes back or replaces, now that the truth is known."""
    actions: tuple[str, ...] = ()
    """What budgets had changed in the request before it was sent, in words."""

    @property
    def model(self) -> str:
        """The model that answered, else the one asked for."""
        return self.served_model or self.requested_model


REVERSED = "reversed"
"""Method of an entry that takes another back: all its counts and amounts are negative."""


def reversal(charge: Charge) -> Charge:
    """Return the entry that takes a charge back; it counts where that one did, and writing it twice is a no-op."""
    return replace(
        charge,
        charge_id=f"{charge.charge_id}-reversed",
        usage=Usage({unit: -count for unit, count in charge.usage.counts.items()}),
        cost_nano=None if charge.cost_nano is None else -charge.cost_nano,
        list_cost_nano=None if charge.list_cost_nano is None else -charge.list_cost_nano,
        estimate_nano=None,
        duration_seconds=0.0,
        method=REVERSED,
        corrects=charge.charge_id,
    )


def calls_of(charge: Charge) -> int:
    """Count the call of an entry: a correction is of one that counts already."""
    return int(charge.corrects is None)


def unpriced_of(charge: Charge) -> int:
    """Count the call of an entry if it has no price; one that takes such a charge back takes it off."""
    return 0 if charge.cost_nano is not None else -1 if charge.method == REVERSED else 1
