"""JSON with exact amounts."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.exact_json import Json, to_json

SCALARS = st.one_of(
    st.text(), st.integers(), st.booleans(), st.none(), st.decimals(allow_nan=False, allow_infinity=False)
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=10
)


@given(VALUES)
def test_what_is_written_is_read_back_to_the_last_digit(value: Json) -> None:
    """Floats would not say a nano-dollar above a million."""
    assert json.loads(to_json(value), parse_float=Decimal) == value


def test_an_amount_has_no_exponent_and_no_zeros_at_its_end() -> None:
    assert to_json([Decimal("1E+3"), Decimal("0.000000001"), Decimal("2.50"), True]) == "[1000,0.000000001,2.5,true]"
