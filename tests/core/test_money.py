"""Money is exact, rounded once, and never a float."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.money import format_usd, from_nano, parse_usd, to_nano


@given(st.integers(-(10**18), 10**18))
def test_nano_usd_survive_the_way_through_usd(nano: int) -> None:
    assert to_nano(from_nano(nano)) == nano


@given(st.decimals(-(10**9), 10**9, places=12))
def test_rounding_is_off_by_half_a_nano_at_most(usd: Decimal) -> None:
    assert abs(from_nano(to_nano(usd)) - usd) <= Decimal("0.5e-9")


@pytest.mark.parametrize(
    ("usd", "nano"),
    [("0.0000000005", 0), ("0.0000000015", 2), ("0.0000000025", 2), ("-0.0000000015", -2), ("12", 12_000_000_000)],
)
def test_halves_are_rounded_to_even(usd: str, nano: int) -> None:
    assert to_nano(Decimal(usd)) == nano


@pytest.mark.parametrize(
    ("written", "usd"),
    [(10, "10"), (0.1, "0.1"), ("10.00", "10.00"), (Decimal("2.5"), "2.5"), (0, "0"), ("1e3", "1000"), (-3, "-3")],
)
def test_amounts_are_read_as_people_write_them(written: object, usd: str) -> None:
    assert parse_usd(written) == Decimal(usd)


@pytest.mark.parametrize("written", [True, None, "", "ten", "$10", "1,000", "NaN", "inf", float("nan"), [], b"1"])
def test_what_is_no_amount_is_an_error_that_shows_it(written: object) -> None:
    with pytest.raises(ValueError, match="not a") as caught:
        parse_usd(written)

    assert repr(written) in str(caught.value)


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("1", "$1.00"),
        ("0.5", "$0.5000"),
        ("0.01", "$0.0100"),
        ("0.00265", "$0.002650"),
        ("-12", "-$12.00"),
        ("-0.002", "-$0.002000"),
    ],
)
def test_people_see_cents_where_they_say_enough(usd: str, shown: str) -> None:
    assert format_usd(Decimal(usd)) == shown
