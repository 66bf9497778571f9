"""A usage is canonical: no negative count, no part above its total, and adding loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.usage import PARENTS, UNITS, Unit, Usage, canonical

COUNTS = st.dictionaries(st.sampled_from(UNITS), st.integers(-5, 10**6), max_size=8)
USAGES = COUNTS.map(canonical)


@given(COUNTS)
def test_a_total_is_never_below_its_parts(counts: dict[Unit, int]) -> None:
    usage = canonical(counts)

    for part, totals in PARENTS.items():
        assert all(usage[part] <= usage[total] for total in totals)


@given(COUNTS)
def test_nothing_that_was_counted_gets_smaller_but_negative_counts_go(counts: dict[Unit, int]) -> None:
    usage = canonical(counts)

    assert all(usage[unit] >= count for unit, count in counts.items())
    assert all(count > 0 for count in usage.counts.values())


@given(COUNTS)
def test_only_totals_of_a_larger_part_are_raised(counts: dict[Unit, int]) -> None:
    usage = canonical(counts)

    raised = {unit for unit in usage.counts if usage[unit] != counts.get(unit, 0)}
    assert all(any(usage[part] == usage[unit] for part, of in PARENTS.items() if unit in of) for unit in raised)


@given(USAGES)
def test_a_canonical_usage_is_canonical(usage: Usage) -> None:
    assert canonical(usage.counts) == usage


@given(USAGES, USAGES)
def test_adding_adds_every_unit(one: Usage, other: Usage) -> None:
    total = one + other

    assert all(total[unit] == one[unit] + other[unit] for unit in UNITS)
    assert total == other + one


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"input_tokens": -3, "output_tokens": 0}, {}, id="neither-negative-nor-zero"),
        pytest.param(
            {"input_tokens": 10, "cache_read_tokens": 4},
            {"input_tokens": 10, "cache_read_tokens": 4},
            id="right-already",
        ),
        pytest.param(
            {"cache_write_1h_tokens": 7},
            {"cache_write_1h_tokens": 7, "cache_write_tokens": 7, "input_tokens": 7},
            id="a-part-of-a-part-raises-both",
        ),
        pytest.param(
            {"input_tokens": 5, "cache_read_audio_tokens": 9},
            {"input_tokens": 9, "cache_read_audio_tokens": 9, "cache_read_tokens": 9, "input_audio_tokens": 9},
            id="a-part-of-two-totals-raises-both",
        ),
    ],
)
def test_counts_are_made_canonical(reported: dict[Unit, int], kept: dict[Unit, int]) -> None:
    assert canonical(reported).counts == kept


def test_what_was_not_counted_is_nothing() -> None:
    usage = Usage({"input_tokens": 3})

    assert (usage.input_tokens, usage.output_tokens, usage["images"]) == (3, 0, 0)
    assert usage
    assert not Usage()


def test_every_part_and_total_is_a_unit() -> None:
    assert set(PARENTS) | {total for totals in PARENTS.values() for total in totals} <= set(UNITS)
