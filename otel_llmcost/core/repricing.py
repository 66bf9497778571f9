"""What entries of the ledger would have cost at other rates, and the entries that put that right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from otel_llmcost.core.ledger import REVERSED, Charge, reversal
from otel_llmcost.core.matching import says_less
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.pricing import PROVIDER, metered
from otel_llmcost.core.rates import Rate, cost_nano
from otel_llmcost.errors import UnknownPriceError

_AGAIN = re.compile(r"-repriced-(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """An entry and the one that it would be at other rates."""

    old: Charge
    new: Charge

    @property
    def entries(self) -> tuple[Charge, Charge]:
        """What puts it right: first what it is now, so that a writer who is stopped in between loses no cost.

        Writing them once more is a no-op, and mends what was left half done.
        """
        return self.new, reversal(self.old)


def taken_back(charges: Iterable[Charge]) -> set[str]:
    """Name the entries that count no more."""
    return {each.corrects for each in charges if each.method == REVERSED and each.corrects is not None}


def reprice(charge: Charge, book: PriceBook, as_of: datetime | None) -> Charge | None:
    """Price an entry anew.

    Args:
        charge: of what was used; one that takes another back has no price of its own.
        book: the rates.
        as_of: at which instant's rates; None: those of when the call was made.

    Returns:
        None: nobody knows a rate for it, or the cost is the provider's own word.
    """
    if charge.method == REVERSED or charge.rate_source == PROVIDER:
        return None
    try:
        rate = _rate(charge, book, charge.at if as_of is None else as_of)
    except UnknownPriceError:
        return None
    usage = charge.usage
    if rate.meters:
        usage = metered(usage, rate, round(charge.duration_seconds * 1000))
    try:
        effective, listed = cost_nano(usage, rate)
    except UnknownPriceError:
        return None
    status = charge.status
    if status == "unpriced":
        status = "confirmed" if charge.method == "reported" else "estimated"
    return replace(
        charge,
        charge_id=_next_id(charge.charge_id),
        usage=usage,
        status=status,
        cost_nano=effective,
        list_cost_nano=listed,
        rate_id=rate.rate_id,
        rate_source=rate.source,
        tier=rate.tier,
        corrects=charge.charge_id,
        rate=None,
    )


def _rate(charge: Charge, book: PriceBook, at: datetime) -> Rate:
    """Find the rate of the model that answered; under a name nobody knows, that of the one asked for."""
    served, requested, tokens = charge.served_model, charge.requested_model, charge.usage.input_tokens
    if served and served != requested and not says_less(served, requested):
        try:
            return book.rate_at(charge.provider, served, at, input_tokens=tokens, tier=charge.tier)
        except UnknownPriceError:
            pass
    return book.rate_at(charge.provider, requested, at, input_tokens=tokens, tier=charge.tier)


def _next_id(charge_id: str) -> str:
    """Name the entry in place of another: the same whoever makes it, so that it is written once."""
    before = _AGAIN.search(charge_id)
    if before is None:
        return f"{charge_id}-repriced-1"
    return f"{charge_id[: before.start()]}-repriced-{int(before[1]) + 1}"
