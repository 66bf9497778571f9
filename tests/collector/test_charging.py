"""What tellings come to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.overrides import PriceOverride
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import breakdown_usd, price
from otel_llmcost.core.usage import Usage, canonical
from otel_llmcost_collector import charging as module
from otel_llmcost_collector.charging import Charging
from otel_llmcost_collector.dialects.base import Telling
from tests.collector.spans import book

AT_US = 1_780_000_000_000_000
COUNTS = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "web_searches"]),
    st.integers(1, 10**6),
    min_size=1,
)


def telling(counts=None, **facts):
    told = {"provider": "acme", "operation": "chat", "requested_model": "m", "served_model": None, "tags": {}}
    return Telling("test", 1, **told | {"counts": {"input_tokens": 1000} if counts is None else counts} | facts)


@given(COUNTS, st.sampled_from(["0", "0.1", "-0.5"]))
def test_a_cost_is_what_the_core_makes_of_it(counts, discount):
    """The sums are written out for speed, and must be the same."""
    rates = book(PriceOverride(model="m", prices={}, discount=Decimal(discount)))
    usage = canonical(counts)
    rate = rates.rate_at("acme", "m", module._EPOCH)

    charged = Charging(rates).charged(telling(usage.counts), AT_US, 0)

    cost = price(usage, rate)
    assert (charged.cost_nano, charged.list_cost_nano) == (cost.cost_nano, cost.list_cost_nano)
    parts = {name: usd for name, usd in zip(charged.basis.classes, charged.numbers[1:], strict=True) if usd}
    assert parts == {name: usd for name, usd in breakdown_usd(Usage(usage.counts), rate).items() if usd}


def test_a_larger_request_is_priced_by_its_band():
    """Long requests cost more at some providers."""
    from otel_llmcost.pricebook.book import load

    rates = load()
    charging = Charging(rates)
    sizes = [{"input_tokens": tokens, "output_tokens": 10} for tokens in (1000, 300_000)]

    for counts in sizes:
        asked = telling(counts, provider="google", requested_model="gemini-2.5-pro")
        charged = charging.charged(asked, AT_US, 0)
        at = module._EPOCH + module.timedelta(microseconds=AT_US)
        rate = rates.rate_at("google", "gemini-2.5-pro", at, input_tokens=counts["input_tokens"])
        assert (charged.cost_nano, charged.basis.rate_id) == (price(Usage(counts), rate).cost_nano, rate.rate_id)


def test_what_is_free_costs_nothing():
    """A known price of 0 is no unknown price."""
    free = PriceOverride(model="free", prices={"input_tokens": Decimal(0), "output_tokens": Decimal(0)})

    charged = Charging(book(free)).charged(telling(requested_model="free"), AT_US, 0)

    assert (charged.status, charged.cost_nano) == ("confirmed", 0)


@pytest.mark.parametrize("name", ["_MOST_PERIODS", "_MOST_BASES"])
def test_what_is_remembered_is_bounded(monkeypatch, name):
    """Names come from whoever sends spans."""
    monkeypatch.setattr(module, name, 2)
    charging = Charging(PriceBook().with_overrides([PriceOverride(model="*", prices={"input_tokens": Decimal(1)})]))
    kinds = [
        {"input_tokens": 1},
        {"input_tokens": 1, "cache_read_tokens": 1},
        {"cache_read_tokens": 1, "input_tokens": 1},
    ]

    for number in range(9):
        charging.charged(telling(kinds[number % 3], requested_model=f"m{number // 3}"), AT_US, 0)

    assert len(charging._periods) <= (2 if name == "_MOST_PERIODS" else 3)
    assert all(len(band[1].bases) <= 3 for period in charging._periods.values() for band in period.bands)


def test_capacity_that_is_paid_ahead_has_no_price_by_the_call():
    """What such a call costs, its tokens do not tell."""
    charged = Charging(book()).charged(telling(tier="provisioned_throughput"), AT_US, 0)

    assert (charged.status, charged.cost_nano, charged.reason) == ("unpriced", None, "unknown model")
