"""Names mean what they mean to genai-prices, wherever it knows them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot

from otel_llmcost.core.prices import price
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.additions import additions
from otel_llmcost.pricebook.book import load
from otel_llmcost.pricebook.sources import corrections

CORRECTED = {(change["provider"], change["id"]) for change in corrections()}
CORRECTED |= {(each.provider, each.name) for each in additions().listed}
SOURCE = get_snapshot()
OWNER = {id(model): provider.id for provider in SOURCE.providers for model in provider.models}


def literals(clause):
    """All names, and parts of names, that a rule of theirs mentions."""
    for value in vars(clause).values():
        if isinstance(value, str):
            yield value
        else:
            for each in value:
                yield from literals(each)


IDS = [(provider.id, model.id) for provider in SOURCE.providers for model in provider.models]
NAMES = sorted(
    {
        (provider.id, name)
        for provider in SOURCE.providers
        for model in provider.models
        for name in literals(model.match)
    }
    | set(IDS)
)


DIRECT = [(provider, name) for provider, name in IDS if provider != "openrouter"]
"""Without the list that takes the source longest to search in vain."""


def has_variant(provider, name, context):
    """Tell whether the source has prices of its own for a tier, where ours may be from elsewhere."""
    _, model = SOURCE.find_provider_model(name, None, provider, None)
    return context is None or any(dict(each.when) == context for each in model.price_variants or ())


def theirs(provider, name):
    try:
        _, model = SOURCE.find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    return OWNER[id(model)], model.id


@pytest.fixture(scope="module")
def book():
    return load()


@pytest.mark.parametrize(
    ("names", "dress", "plain"),
    [
        pytest.param(NAMES, "{name}", "{name}", id="as-listed"),
        pytest.param(DIRECT, "{name}-20251211", "{name}-20251211", id="dated"),
        pytest.param(IDS, "{provider}/{name}", "{name}", id="with-the-providers-prefix"),
        pytest.param(DIRECT, "models/{name}", "{name}", id="with-a-path"),
    ],
)
def test_names_mean_what_they_mean_to_the_source(book, names, dress, plain):
    """Where it knows the name as it is dressed up, that counts; else what it says of the plain one."""
    different = []
    for provider, name in names:
        dressed = dress.format(provider=provider, name=name)
        expected = theirs(provider, dressed) or theirs(provider, plain.format(name=name))
        found = book.find(provider, dressed)
        if found != expected and found not in CORRECTED:
            different.append((provider, dressed, expected, found))

    assert len(names) > 1400
    assert different == []


def test_names_behind_a_relay_mean_what_they_mean_to_the_source(book):
    different = [
        (provider, name, expected, found)
        for provider, name in IDS
        if (found := book.find("litellm", f"{provider}/{name}"))
        != (expected := theirs("litellm", f"{provider}/{name}"))
        and found not in CORRECTED
    ]

    assert different == []


INSTANTS = [datetime(2025, 1, 1, 12, tzinfo=UTC), datetime(2026, 11, 22, 2, tzinfo=UTC)]
CONTEXTS = [("standard", None), ("batch", {"processing": "batch"}), ("priority", {"service_tier": "priority"})]


@pytest.mark.parametrize("at", INSTANTS, ids=str)
@pytest.mark.parametrize(("tier", "context"), CONTEXTS, ids=[tier for tier, _ in CONTEXTS])
def test_calls_cost_what_they_cost_by_the_source(book, at, tier, context):
    """Every model, with cached input, in and above the bands; thousands of prices, two ways of computing them."""
    compared, different = 0, []
    for provider, name in IDS:
        for size in (1_000, 300_000):
            counts = {"input_tokens": size, "cache_read_tokens": size // 2, "output_tokens": 500}
            try:
                rate = book.rate_at(provider, name, at, input_tokens=size, tier=tier)
                ours = price(Usage(counts), rate).list_cost_usd
            except UnknownPriceError:
                continue
            if (rate.provider, rate.model) in CORRECTED or not (
                rate.is_tier_assumed or has_variant(provider, name, context)
            ):
                continue
            compared += 1
            calculation = SOURCE.calc(TheirUsage(**counts), name, provider, None, at, context)
            per_request = calculation.model_price.requests_kcount or 0
            expected = calculation.total_price - Decimal(per_request) / 1000
            if abs(ours - expected) > Decimal("1e-15"):
                different.append((provider, name, size, ours, expected))

    assert compared > 3500
    assert different == []
