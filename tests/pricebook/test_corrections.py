"""What we say against, or beyond, the source of the prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_llmcost.core.prices import SoldModel
from otel_llmcost.pricebook.book import load, parse, render
from otel_llmcost.pricebook.compile import Compiler
from otel_llmcost.pricebook.sources import corrections, installed_prices, modifiers

AT = datetime(2026, 11, 22, tzinfo=UTC)
CORRECTIONS = corrections()
_DRESS = {
    "ft:": "-2025-04-14:org::id",
    "imagen": "-001",
    "gpt-4o-mini-tts": "-2025-03-20",
    "gpt-4o-mini-transcribe": "-2025-12-15",
}
"""What is put behind the start of a name to make a name of it that calls have."""


@pytest.fixture(scope="module")
def uncorrected():
    raw, version = installed_prices()
    providers = Compiler().providers(raw, {})
    return parse(render(providers, source="genai-prices", version=version, compiled_on="2026-11-22", ceilings=""))


def facts(book, provider, name):
    return [(rate.valid_from, rate.tier, rate.prices) for rate in book.show(provider, name)]


@pytest.mark.parametrize("change", CORRECTIONS, ids=lambda change: change["id"])
def test_a_correction_is_in_the_book_and_still_needed(change, uncorrected):
    """One that the source has caught up with is to be deleted."""
    name = change["id"] + next((rest for start, rest in _DRESS.items() if change["id"].startswith(start)), "")
    book = load()

    assert book.find(change["provider"], name) == SoldModel(change["provider"], change["id"])
    assert facts(book, change["provider"], name) != facts(uncorrected, change["provider"], name)
    if "prices" in change:
        assert {rate.source for rate in book.show(change["provider"], name)} == {change["source"]}


@pytest.mark.parametrize("change", CORRECTIONS, ids=lambda change: change["id"])
def test_a_correction_says_why(change):
    assert change["reason"]
    assert change["source"]


MODIFIERS = modifiers()


@pytest.mark.parametrize("change", MODIFIERS, ids=lambda change: f"{change['provider']}-{'-'.join(change['tiers'])}")
def test_a_modifier_says_why(change):
    assert change["reason"]
    assert change["source"]


@pytest.mark.parametrize(
    ("provider", "model", "tier", "times"),
    [
        ("anthropic", "claude-opus-4-6", "us", "1.1"),
        ("anthropic", "claude-sonnet-5-5", "us", "1.1"),
        ("anthropic", "claude-sonnet-4-5", "us", None),
        ("anthropic", "claude-3-haiku-20240307", "batch", "0.5"),
        ("openai", "gpt-5.4-mini", "eu", "1.1"),
        ("openai", "gpt-6.1-sol", "regional", "1.1"),
        ("openai", "gpt-5.1", "eu", None),
        ("gcp.vertex_ai", "gemini-3.8-flash", "regional", "1.1"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "regional", "1.1"),
        ("gcp.vertex_ai", "gemini-2.5-pro", "regional", None),
        ("x_ai", "grok-4.6", "us", "1.1"),
        ("together", "zai-org/GLM-5.3", "ca", "1.25"),
        ("groq", "openai/gpt-oss-120b", "flex", "1"),
        ("groq", "llama-3.1-8b-instant", "batch", "0.5"),
        ("mistral_ai", "mistral-large-2407", "batch", "0.5"),
        ("azure.ai.openai", "gpt-4o-2024-08-06", "batch", "0.5"),
    ],
)
def test_a_modifier_holds_for_the_models_it_is_published_for(provider, model, tier, times):
    book = load()

    standard, modified = (book.rate_at(provider, model, AT, tier=each) for each in ("standard", tier))

    assert modified.is_tier_assumed is (times is None)
    assert modified.prices["input_tokens"] == standard.prices["input_tokens"] * Decimal(times or 1)
