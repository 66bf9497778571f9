"""Charge ids: time-ordered, as RFC 9562 wants them."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.uuid7 import uuid7

MOMENTS = st.integers(0, 2**48 - 1)
RANDOM = st.integers(0, 2**74 - 1)


def test_the_example_of_the_rfc_comes_out():
    """RFC 9562, appendix A.6: 22 February 2022, 19:22:22 GMT."""
    random = 0xCC3 << 62 | 0x18C4DC0C0C07398F

    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(MOMENTS, RANDOM)
def test_any_time_and_bits_make_a_version_7_id_that_tells_the_time(moment, random):
    made = UUID(uuid7(moment, random))

    assert (made.version, made.variant, made.int >> 80) == (7, "specified in RFC 4122", moment)


@given(MOMENTS, MOMENTS, RANDOM, RANDOM)
def test_ids_sort_by_time_as_text(one, other, random, other_random):
    first, second = uuid7(one, random), uuid7(other, other_random)

    assert one == other or (first < second) == (one < other)


@given(MOMENTS, RANDOM, RANDOM)
def test_two_ids_of_one_moment_differ_where_the_random_bits_do(moment, random, other_random):
    assert (uuid7(moment, random) == uuid7(moment, other_random)) == (random == other_random)
