"""Entries are priced anew as their calls would be, and corrections are always the same entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from otel_llmcost.core.ledger import Charge, reversal
from otel_llmcost.core.prices import PriceBook, PriceOverride
from otel_llmcost.core.repricing import Repriced, reprice, taken_back
from otel_llmcost.core.usage import Usage
from otel_llmcost.pricebook.book import load
from tests.storage.books import charge

MILLION = Usage({"input_tokens": 1_000_000})
LATER = datetime(2027, 1, 1, tzinfo=UTC)
BOOK = load()


def used(**facts: Any) -> Charge:
    return charge(usage=MILLION, **facts)


def cost(made: Charge | None) -> Decimal | None:
    return None if made is None or made.cost_nano is None else Decimal(made.cost_nano).scaleb(-9)


def dearer(since: datetime, usd: str, model: str = "gpt-4o*") -> PriceBook:
    row = PriceOverride(
        provider="openai", model=model, valid_from=since, prices={"input_tokens": Decimal(usd).scaleb(-6)}
    )
    return BOOK.with_overrides([row])


def test_a_charge_is_priced_at_the_rates_of_its_time() -> None:
    """A price that holds from next year on changes nothing of this one's."""
    assert cost(reprice(used(), BOOK, None)) == Decimal("2.5")
    assert cost(reprice(used(), dearer(LATER, "7"), None)) == Decimal("2.5")


def test_a_charge_is_priced_at_the_rates_of_a_day() -> None:
    assert cost(reprice(used(), dearer(LATER, "7"), LATER)) == Decimal(7)


def test_a_charge_without_a_price_gets_one_where_it_is_known_now() -> None:
    """It is as sure then as what was counted."""
    unknown = used(status="unpriced", cost_nano=None, list_cost_nano=None, requested_model="gpt-4o", served_model="x")

    reported, guessed = reprice(unknown, BOOK, None), reprice(replace(unknown, method="rule"), BOOK, None)

    assert reported is not None
    assert guessed is not None
    assert (cost(reported), reported.status, guessed.status) == (Decimal("2.5"), "confirmed", "estimated")


def test_the_time_of_ones_own_hardware_is_counted_where_it_is_what_is_paid_for() -> None:
    """No answer reports it; the entry knows how long the call took."""
    row = PriceOverride(
        provider="openai", model="*", valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        prices={"gpu_milliseconds": Decimal("0.001")},
    )  # fmt: skip

    assert cost(reprice(used(), BOOK.with_overrides([row]), None)) == Decimal("2.5") + Decimal("1.5")


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(used(rate_source="provider"), id="provider's-own-word"),
        pytest.param(used(requested_model="nobody's", served_model="nobody's"), id="no-rate"),
        pytest.param(reversal(used()), id="takes-another-back"),
        pytest.param(charge(usage=Usage({"images": 3}), requested_model="text-embedding-3-small"), id="unpaid"),
    ],
)
def test_some_entries_stay_as_they_are(kept: Charge) -> None:
    """What is known is never made unknown."""
    assert reprice(replace(kept, served_model=kept.requested_model), BOOK, None) is None


def test_corrections_have_names_of_their_own_each_time() -> None:
    """The same whoever writes them, so that they are written once; the new one first, so that no cost is lost."""
    old = used()
    new = reprice(old, BOOK, None)
    assert new is not None
    again = reprice(new, BOOK, None)

    assert again is not None
    assert (new.charge_id, again.charge_id) == (f"{old.charge_id}-repriced-1", f"{old.charge_id}-repriced-2")
    assert new.corrects == old.charge_id
    first, second = Repriced(old=old, new=new).entries
    assert (first, second.charge_id) == (new, f"{old.charge_id}-reversed")
    assert taken_back([old, first, second]) == {old.charge_id}
