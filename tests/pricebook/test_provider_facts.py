"""What the providers' own price pages say, through the whole way from a usage to a cost."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_llmcost.core.prices import breakdown_nano, price
from otel_llmcost.core.usage import Usage
from otel_llmcost.pricebook.book import load

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MILLION = 1_000_000


@pytest.fixture(scope="module")
def book():
    return load()


def cost(book, provider, model, usage, at=NOW, tier="standard"):
    usage = Usage(usage)
    return price(usage, book.rate_at(provider, model, at, input_tokens=usage.input_tokens, tier=tier)).list_cost_usd


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd"),
    [
        pytest.param("openai", "gpt-4o", {"input_tokens": 1000, "output_tokens": 1000}, "0.0125", id="gpt-4o"),
        pytest.param(
            "openai",
            "gpt-4o",
            {"input_tokens": MILLION, "cache_read_tokens": MILLION},
            "1.25",
            id="cached-input-at-half",
        ),
        pytest.param(
            "openai",
            "o3",
            {"input_tokens": 0, "output_tokens": MILLION, "reasoning_tokens": 900_000},
            "8",
            id="reasoning-is-inside-output",
        ),
        pytest.param(
            "openai",
            "gpt-audio",
            {"input_tokens": 1000, "input_audio_tokens": 1000, "output_tokens": 1000, "output_audio_tokens": 1000},
            "0.096",
            id="audio-in-and-out",
        ),
        pytest.param(
            "openai",
            "gpt-4o",
            {"input_tokens": 0, "web_searches": 2, "file_searches": 4},
            "0.03",
            id="openai-tool-fees",
        ),
        pytest.param("openai", "text-embedding-3-small", {"input_tokens": MILLION}, "0.02", id="embeddings"),
        pytest.param("openai", "tts-1", {"characters": MILLION}, "15", id="speech-by-the-character"),
        pytest.param("openai", "whisper-1", {"audio_milliseconds": 60_000}, "0.006", id="transcription-by-the-minute"),
        pytest.param("openai", "omni-moderation-latest", {"input_tokens": 500}, "0", id="moderation-is-free"),
        pytest.param(
            "anthropic",
            "claude-sonnet-4-20250514",
            {
                "input_tokens": 4000,
                "cache_write_tokens": 2000,
                "cache_write_1h_tokens": 1000,
                "cache_read_tokens": 1000,
            },
            "0.01305",  # 1000 fresh at 3, 1000 written for 5 minutes at 3.75 and for an hour at 6, 1000 read at 0.30
            id="anthropic-cache",
        ),
        pytest.param(
            "anthropic", "claude-opus-5", {"output_tokens": 10, "web_searches": 3}, "0.03025", id="web-search"
        ),
        pytest.param("anthropic", "claude-opus-5", {"output_tokens": 10, "web_fetches": 3}, "0.00025", id="web-fetch"),
        pytest.param(
            "gcp.gemini",
            "gemini-2.5-flash",
            {"input_tokens": 2000, "input_audio_tokens": 1000, "output_tokens": 100, "reasoning_tokens": 50},
            "0.00155",
            id="gemini-audio-and-thoughts",
        ),
    ],
)
def test_a_call_costs_what_the_providers_page_says(book, provider, model, usage, usd):
    assert cost(book, provider, model, usage) == Decimal(usd)


@pytest.mark.parametrize(("input_tokens", "usd"), [(200_000, "0.6"), (200_001, "1.200006")])
def test_a_request_over_200k_is_dearer_as_a_whole(book, input_tokens, usd):
    assert cost(book, "anthropic", "claude-sonnet-4-5", {"input_tokens": input_tokens}) == Decimal(usd)


@pytest.mark.parametrize(("at", "usd"), [("2025-06-09", 10), ("2025-06-10", 2)])
def test_o3_became_cheaper_on_a_day(book, at, usd):
    day = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert cost(book, "openai", "o3", {"input_tokens": MILLION}, at=day) == usd


@pytest.mark.parametrize(
    ("at", "usd"),
    [("2025-08-01T12:00", "0.27"), ("2025-08-01T20:00", "0.135"), ("2025-09-10T20:00", "0.56"), ("2026-01-01", "0.28")],
)
def test_deepseeks_nighttime_discount_ended(book, at, usd):
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert cost(book, "deepseek", "deepseek-chat", {"input_tokens": MILLION}, at=instant) == Decimal(usd)


@pytest.mark.parametrize(
    ("at", "usd"),
    [
        pytest.param("2026-08-01T02:00", "0.14", id="one-price-until-august"),
        pytest.param("2026-08-22T02:00", "0.44", id="then-twice-as-much-in-peak-hours-at-first-also-on-saturday"),
        pytest.param("2026-08-29T02:00", "0.22", id="a-week-later-not-on-saturday"),
        pytest.param("2026-11-20T02:00", "0.3", id="friday-between-1-and-4"),
        pytest.param("2026-11-20T06:00", "0.3", id="friday-between-6-and-10"),
        pytest.param("2026-11-20T04:00", "0.15", id="friday-between-the-peaks"),
        pytest.param("2026-11-22T02:00", "0.15", id="sunday"),
        pytest.param("2026-11-23T01:00", "0.3", id="monday"),
    ],
)
def test_deepseek_costs_twice_as_much_in_the_peak_hours_of_working_days(book, at, usd):
    """Peak hours are 01:00 to 04:00 and 06:00 to 10:00 UTC, Monday to Friday; everything else is half the price."""
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert cost(book, "deepseek", "deepseek-v4-flash", {"input_tokens": MILLION}, at=instant) == Decimal(usd)


@pytest.mark.parametrize(
    ("provider", "model", "tier", "usd"),
    [
        ("openai", "gpt-4o", "default", "2.5"),
        ("openai", "gpt-4o", "batch", "1.25"),
        ("openai", "gpt-4o", "priority", "4.25"),
        ("openai", "gpt-5", "flex", "0.625"),
        ("anthropic", "claude-opus-5", "batch", "2.5"),
        ("anthropic", "claude-opus-5", "fast", "10"),
    ],
)
def test_service_tiers_have_their_price(book, provider, model, tier, usd):
    assert cost(book, provider, model, {"input_tokens": MILLION}, tier=tier) == Decimal(usd)


CURRENT = {
    "openai": "gpt-4o gpt-4o-mini gpt-4.1 gpt-5 gpt-5-mini gpt-5.1 gpt-5.2 gpt-5.4 gpt-5.5 gpt-5.6-sol gpt-6-sol "
    "o4-mini",
    "anthropic": "claude-haiku-4-5 claude-sonnet-4-5 claude-sonnet-4-6 claude-opus-4-5 claude-opus-4-8 "
    "claude-sonnet-5 claude-opus-5 claude-opus-5-5",
    "gcp.gemini": "gemini-2.5-pro gemini-2.5-flash gemini-3.8-flash",
}


@pytest.mark.parametrize(
    ("provider", "model"), [(provider, model) for provider, models in CURRENT.items() for model in models.split()]
)
def test_current_models_are_in_the_book_with_sensible_prices(book, provider, model):
    """Output is dearer than input, cached input cheaper, and the largest answer known, which budgets reserve for."""
    rate = book.rate_at(provider, model, NOW)
    per_million = {unit: amount * MILLION for unit, amount in rate.prices.items()}

    assert Decimal("0.05") <= per_million["input_tokens"] <= 20
    assert 2 <= per_million["output_tokens"] / per_million["input_tokens"] <= 10
    assert per_million["cache_read_tokens"] <= per_million["input_tokens"] / 2
    assert 8_000 <= rate.max_output_tokens <= 200_000


def test_a_cost_can_be_told_by_class(book):
    usage = Usage({"input_tokens": 10_000, "cache_read_tokens": 8_000, "output_tokens": 1_000, "reasoning_tokens": 400})

    split = breakdown_nano(usage, book.rate_at("openai", "gpt-4o", NOW))

    assert split == {"input": 5_000_000, "cache_read": 10_000_000, "output": 6_000_000, "reasoning": 4_000_000}
