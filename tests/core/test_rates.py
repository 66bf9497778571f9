"""What a usage costs at a rate."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.rates import Cost, Rate, breakdown_nano, cost_nano, price
from otel_llmcost.core.usage import PARENTS, UNITS, Usage, canonical
from otel_llmcost.errors import UnknownPriceError

PER_MILLION = Decimal("1e-6")


def rate(discount="0", **usd_per_million):
    prices = {unit: Decimal(str(amount)) * PER_MILLION for unit, amount in usd_per_million.items()}
    return Rate(rate_id="test/model", source="test", prices=prices, discount=Decimal(discount))


def cost(usage, at):
    return price(Usage(usage), at).list_cost_usd


TEXT = {"input_tokens": 3, "output_tokens": 15}


@pytest.mark.parametrize(
    ("usage", "prices", "expected"),
    [
        pytest.param({"input_tokens": 1500, "output_tokens": 500}, TEXT, "0.012", id="input-and-output"),
        pytest.param(
            {"input_tokens": 1000, "cache_read_tokens": 1000}, TEXT, "0.003", id="unrated-part-costs-as-total"
        ),
        pytest.param(
            {"input_tokens": 1000, "cache_read_tokens": 900},
            {**TEXT, "cache_read_tokens": "0.3"},
            "0.00057",
            id="cached-input-is-inside-input",
        ),
        pytest.param(
            {"input_tokens": 1000, "cache_write_tokens": 800, "cache_write_1h_tokens": 300},
            {**TEXT, "cache_write_tokens": "3.75", "cache_write_1h_tokens": 6},
            "0.004275",
            id="one-hour-writes-are-inside-writes",
        ),
        pytest.param(
            {"output_tokens": 1000, "reasoning_tokens": 600},
            {**TEXT, "reasoning_tokens": 3},
            "0.0078",
            id="reasoning-rated-apart",
        ),
        pytest.param(
            {"input_tokens": 1000, "input_audio_tokens": 600, "cache_read_tokens": 500, "cache_read_audio_tokens": 400},
            {"input_tokens": 4, "input_audio_tokens": 32, "cache_read_tokens": "0.4", "cache_read_audio_tokens": "0.8"},
            "0.00796",
            id="cached-audio-counts-once",  # 300 text at 4, 200 audio at 32, 100 cached text at 0.4, 400 cached audio
        ),
        pytest.param({"output_tokens": 10, "web_searches": 3}, {**TEXT, "web_searches": 10000}, "0.03015", id="fees"),
        pytest.param(
            {"audio_milliseconds": 90_000, "output_tokens": 70},
            {"audio_milliseconds": "0.1"},
            "0.009",
            id="paid-by-the-hour",
        ),
        pytest.param({"input_tokens": 70, "images": 2}, TEXT, "0.00021", id="images-paid-by-their-tokens"),
        pytest.param({"input_tokens": 70, "web_fetches": 2}, TEXT, "0.00021", id="fetching-is-free"),
        pytest.param({}, TEXT, "0", id="nothing-used"),
    ],
)
def test_cost_is_the_sum_over_exclusive_parts(usage, prices, expected):
    assert cost(usage, rate(**prices)) == Decimal(expected)


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        pytest.param({"output_tokens": 1}, {"input_tokens": 3}, id="output-of-an-embedding-model"),
        pytest.param({"characters": 5}, {}, id="no-price-at-all"),
        pytest.param({"input_tokens": 5}, {"cache_read_tokens": 1}, id="only-a-part-has-a-price"),
        pytest.param({"images": 2}, TEXT, id="images-paid-by-tokens-that-nobody-counted"),
        pytest.param({"audio_milliseconds": 900}, TEXT, id="time-paid-by-tokens-that-nobody-counted"),
    ],
)
def test_unknown_price_is_an_error_not_zero(usage, prices):
    with pytest.raises(UnknownPriceError):
        price(Usage(usage), rate(**prices))


def test_unknown_is_not_zero_in_nanos_either():
    with pytest.raises(UnknownPriceError):
        cost_nano(Usage({"images": 2}), rate(**TEXT))


def test_of_a_free_model_everything_is_free():
    assert cost_nano(Usage({"requests": 2, "images": 1}), rate(input_tokens=0, output_tokens=0)) == (0, 0)


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param({}, id="nothing-used"),
        pytest.param({"input_tokens": 0, "images": 0}, id="none-of-anything"),
        pytest.param({"web_fetches": 3}, id="only-what-is-free-everywhere"),
        pytest.param({"input_tokens": 10, "cache_read_tokens": 10}, id="a-part-of-a-free-total"),
    ],
)
def test_what_is_known_to_be_free_costs_zero(usage):
    assert cost_nano(Usage(usage), rate(input_tokens=0)) == (0, 0)


def test_an_unpriced_count_of_zero_is_no_unknown():
    assert cost({"input_tokens": 10, "output_tokens": 0}, rate(input_tokens=2)) == Decimal("0.00002")


def test_a_tool_call_without_a_price_is_told_but_spoils_no_charge():
    charged = price(Usage({"input_tokens": 1000, "web_searches": 2, "file_searches": 0}), rate(**TEXT))

    assert charged.list_cost_usd == Decimal("0.003")
    assert charged.unrated == ("web_searches",)


def test_a_discount_leaves_the_list_cost_and_lowers_the_effective_one():
    charged = price(Usage({"input_tokens": 1000}), rate("0.10", **TEXT))

    assert charged.list_cost_usd == Decimal("0.003")
    assert charged.effective_cost_usd == Decimal("0.0027")


def test_a_negative_discount_is_a_surcharge():
    assert price(Usage({"input_tokens": 1000}), rate("-0.1", **TEXT)).effective_cost_usd == Decimal("0.0033")


@pytest.mark.parametrize(
    ("yocto", "nano"),
    [
        pytest.param(1_500_000_000_000_000, 2, id="half-to-even-up"),
        pytest.param(2_500_000_000_000_000, 2, id="half-to-even-down"),
        pytest.param(2_500_000_000_000_001, 3, id="over-half"),
        pytest.param(999_999_999_999_999, 1, id="almost-one"),
        pytest.param(0, 0, id="nothing"),
    ],
)
def test_nano_usd_are_rounded_half_to_even(yocto, nano):
    assert Cost(0, yocto).cost_nano == nano
    assert Cost(yocto, 0).list_cost_nano == nano


def test_the_hosts_decimal_context_rounds_nothing():
    """An application may have set its precision to 3 digits; the price is still exact."""
    with localcontext(prec=3):
        charged = price(Usage({"input_tokens": 1_234_567}), rate("0.15", **TEXT))
        usd, nano = charged.effective_cost_usd, charged.cost_nano

    assert usd == Decimal("3.14814585")
    assert nano == 3_148_145_850


def test_amounts_are_written_without_exponent():
    assert str(cost({"input_tokens": 10_000_000}, rate(input_tokens=1))) == "10"
    assert str(cost({"input_tokens": 1500}, rate(input_tokens=3))) == "0.0045"


def test_breakdown_names_what_was_paid_for():
    usage = Usage(
        {
            "input_tokens": 1000,
            "cache_read_tokens": 600,
            "output_tokens": 100,
            "reasoning_tokens": 40,
            "web_searches": 1,
        }
    )

    split = breakdown_nano(usage, rate(**TEXT, cache_read_tokens="0.3", web_searches=10000))

    assert split == {
        "input": 1_200_000,
        "cache_read": 180_000,
        "output": 900_000,
        "reasoning": 600_000,
        "tools": 10_000_000,
    }


def test_totals_stand_before_their_parts():
    """Weights are computed in this order."""
    assert all(UNITS.index(total) < UNITS.index(part) for part, totals in PARENTS.items() for total in totals)


AMOUNTS = st.decimals(min_value=0, max_value=100, places=6)
TOTALS = [unit for unit in UNITS if unit not in PARENTS]
RATES = st.builds(
    lambda totals, parts, discount: Rate(
        rate_id="r",
        source="s",
        prices={unit: amount * PER_MILLION for unit, amount in {**parts, **totals}.items()},
        discount=discount,
    ),
    st.fixed_dictionaries(dict.fromkeys(TOTALS, AMOUNTS)),
    st.dictionaries(st.sampled_from(sorted(PARENTS)), AMOUNTS),
    st.decimals(min_value=-1, max_value=1, places=4),
)
USAGES = st.dictionaries(st.sampled_from(UNITS), st.integers(min_value=0, max_value=10**9)).map(canonical)


@given(RATES, USAGES, USAGES)
def test_price_is_additive_within_a_rate(at, one, other):
    together, apart = price(one + other, at), (price(one, at), price(other, at))

    assert together.list_cost_usd == sum(each.list_cost_usd for each in apart)
    assert together.effective_yocto == sum(each.effective_yocto for each in apart)


@given(RATES, USAGES)
def test_breakdown_adds_up_to_the_cost(at, usage):
    assert sum(breakdown_nano(usage, at).values()) == price(usage, at).cost_nano


@given(RATES, st.sampled_from([unit for unit in UNITS if len(PARENTS.get(unit, ())) == 1]), st.integers(1, 10**9))
def test_a_part_costs_what_it_is_rated_at_and_never_that_and_its_total(at, part, count):
    """All tokens of the total are of one part: it costs the part's own price, or the total's where it has none."""
    lineage = [part]
    while lineage[-1] in PARENTS:
        lineage.append(PARENTS[lineage[-1]][0])
    own = next(at.prices[unit] for unit in lineage if unit in at.prices)

    assert cost(dict.fromkeys(lineage, count), at) == count * own


@given(RATES, USAGES, st.sampled_from(TOTALS), st.integers(1, 10**6))
def test_using_more_never_costs_less(at, usage, unit, more):
    assert price(usage + Usage({unit: more}), at).list_yocto >= price(usage, at).list_yocto
