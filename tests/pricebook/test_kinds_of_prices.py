"""Every kind of price and modifier once, worked out by hand from what the provider publishes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_llmcost.core.rates import Cost, price
from otel_llmcost.core.usage import Usage, canonical
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.book import load

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MILLION = 1_000_000


@pytest.fixture(scope="module")
def book():
    return load()


def priced(book, provider, model, usage, tier="standard"):
    counts: Usage = canonical(usage)
    rate = book.rate_at(provider, model, NOW, input_tokens=counts.input_tokens, tier=tier)
    cost: Cost = price(counts, rate)
    assert cost.unrated == ()
    return Decimal(cost.list_cost_nano).scaleb(-9), rate


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd"),
    [
        pytest.param(
            "anthropic",
            "claude-opus-5-5",
            {
                "input_tokens": 5000,
                "cache_read_tokens": 1000,
                "cache_write_tokens": 3000,
                "cache_write_1h_tokens": 1000,
            },
            "0.0222",  # 1000 at 4, 1000 read at 0.20, 2000 kept 5 minutes at 1.25 x 4, 1000 kept an hour at 2 x 4
            id="cache-of-5-minutes-and-of-an-hour",
        ),
        pytest.param(
            "openai",
            "gpt-6-sol",
            {
                "input_tokens": 4000,
                "cache_write_tokens": 3000,
                "cache_write_30m_tokens": 2000,
                "cache_write_12h_tokens": 1000,
            },
            "0.012",  # 1000 at 2, 2000 kept 30 minutes at 1.25 x 2, 1000 kept 12 hours at 2.5 x 2
            id="cache-of-30-minutes-and-of-12-hours",
        ),
        pytest.param(
            "perplexity",
            "sonar-deep-research",
            {
                "input_tokens": 1000,
                "output_tokens": 4000,
                "reasoning_tokens": 2000,
                "citation_tokens": 1000,
                "web_searches": 10,
            },
            "0.068",  # 1000 in at 2, 1000 out at 8, 2000 thought at 3, 1000 cited at 2, 10 searches at 5 per 1,000
            id="reasoning-and-citations-apart-from-output",
        ),
        pytest.param(
            "openai",
            "gpt-realtime",
            {
                "input_tokens": 3000,
                "input_audio_tokens": 2000,
                "cache_read_tokens": 1000,
                "cache_read_audio_tokens": 1000,
                "output_tokens": 1000,
                "output_audio_tokens": 500,
            },
            "0.0764",  # 1000 of text at 4, 1000 of sound at 32, 1000 cached at 0.40; 500 and 500 out at 16 and 64
            id="sound-in-out-and-cached",
        ),
        pytest.param(
            "openai",
            "gpt-image-1",
            {"input_tokens": 1100, "input_image_tokens": 1000, "output_tokens": 4160},
            "0.1769",  # 100 tokens of text at 5, 1000 of an image at 10, an image of 4160 at 40
            id="images-by-their-tokens",
        ),
        pytest.param(
            "gcp.gemini",
            "gemini-3-pro-image-preview",
            {"input_tokens": 1000, "output_tokens": 1620, "output_image_tokens": 1120, "reasoning_tokens": 500},
            "0.1424",  # 1000 in at 2; an image of 1120 at 120, 500 of thoughts at 12
            id="an-image-among-other-output",
        ),
        pytest.param(
            "gcp.gemini",
            "gemini-2.5-flash",
            {"input_tokens": 0, "output_tokens": 1000, "web_searches": 2, "maps_searches": 1},
            "0.0975",  # 1000 at 2.50; a grounded prompt at 35 per 1,000, on maps at 25
            id="grounding-by-the-prompt",
        ),
        pytest.param(
            "gcp.gemini",
            "gemini-3.8-flash",
            {"input_tokens": 0, "output_tokens": 1000, "web_searches": 3, "maps_searches": 1},
            "0.05975",  # 1000 at 3.75; a query at 14 per 1,000, on maps too
            id="grounding-by-the-query",
        ),
        pytest.param(
            "openai",
            "gpt-5.4",
            {"input_tokens": 1000, "web_searches": 2, "file_searches": 2, "code_interpreter_sessions": 1},
            "0.0575",  # 1000 at 2.50; searches of the web at 10 and of files at 2.50 per 1,000, a container at 0.03
            id="tools-of-openai",
        ),
        pytest.param("openai", "text-embedding-3-large", {"input_tokens": MILLION}, "0.13", id="embeddings"),
        pytest.param("mistral_ai", "codestral-embed", {"input_tokens": MILLION}, "0.15", id="embeddings-of-code"),
        pytest.param("cohere", "embed-v4.0", {"input_tokens": MILLION}, "0.12", id="embeddings-of-cohere"),
        pytest.param("voyage", "voyage-3.5", {"input_tokens": MILLION}, "0.06", id="embeddings-of-voyage"),
        pytest.param("aws.bedrock", "amazon.titan-embed-text-v2:0", {"input_tokens": MILLION}, "0.02", id="of-titan"),
        pytest.param("aws.bedrock", "cohere.embed-english-v3", {"input_tokens": MILLION}, "0.1", id="of-cohere-on-aws"),
        pytest.param("gcp.gemini", "gemini-embedding-001", {"input_tokens": MILLION}, "0.15", id="of-gemini"),
        pytest.param("cohere", "rerank-v3.5", {"search_units": 3}, "0.006", id="rerank-by-the-search"),
        pytest.param("aws.bedrock", "cohere.rerank-v3-5:0", {"search_units": 3}, "0.006", id="rerank-on-aws"),
        pytest.param("voyage", "rerank-2.5", {"input_tokens": MILLION}, "0.05", id="rerank-by-its-tokens"),
        pytest.param(
            "mistral_ai", "mistral-ocr-2512", {"pages": 10, "annotated_pages": 4}, "0.024", id="pages"
        ),  # 6 at 2 and 4 at 3 per 1,000
        pytest.param("openai", "whisper-1", {"audio_milliseconds": 4500}, "0.00045", id="sound-by-the-second"),
        pytest.param("groq", "whisper-large-v3", {"audio_milliseconds": 3_600_000}, "0.111", id="sound-by-the-hour"),
        pytest.param("gcp.gemini", "imagen-4.0-fast-generate-001", {"images": 4}, "0.08", id="images-one-by-one"),
        pytest.param("aws.bedrock", "amazon.nova-canvas-v1:0", {"images": 2}, "0.12", id="images-on-aws"),
        pytest.param("x_ai", "grok-imagine-image", {"images": 2}, "0.04", id="images-of-xai"),
        pytest.param("openai", "tts-1-hd", {"characters": 1000}, "0.03", id="speech-by-the-character"),
        pytest.param("openai", "omni-moderation-latest", {"input_tokens": 700}, "0", id="moderation-is-free"),
        pytest.param("openai", "omni-moderation-latest", {"requests": 2}, "0", id="moderation-is-free-by-the-request"),
        pytest.param("perplexity", "sonar-pro", {"output_tokens": 1000, "requests": 1}, "0.029", id="by-the-request"),
    ],
)
def test_each_kind_of_price(book, provider, model, usage, usd):
    assert priced(book, provider, model, usage)[0] == Decimal(usd)


TEXT = {"input_tokens": 2000, "cache_read_tokens": 1000, "output_tokens": 1000}


@pytest.mark.parametrize(
    ("provider", "model", "tier", "usd"),
    [
        # gpt-5.4: 2.50 in, 0.25 cached, 15 out; in flex 1.25, 0.13 as published, 7.50
        pytest.param("openai", "gpt-5.4", "standard", "0.01775", id="standard"),
        pytest.param("openai", "gpt-5.4", "flex", "0.00888", id="half-in-flex"),
        pytest.param("openai", "gpt-5.4", "priority", "0.0355", id="twice-in-priority"),
        pytest.param("openai", "gpt-5.4", "eu", "0.019525", id="a-tenth-more-in-the-eu"),
        pytest.param("openai", "gpt-5.4", "eu+flex", "0.009768", id="a-tenth-more-than-half"),
        # gpt-6-astra: 10 in, 1 cached, 50 out, six times that at the highest speed
        pytest.param("openai", "gpt-6-astra", "ultrafast", "0.366", id="six-times-in-ultrafast"),
        # claude-opus-5: 5 in, 0.50 cached, 25 out
        pytest.param("anthropic", "claude-opus-5", "batch", "0.01525", id="half-in-a-batch-caches-too"),
        pytest.param("anthropic", "claude-opus-5", "us", "0.03355", id="a-tenth-more-in-the-us"),
        pytest.param("anthropic", "claude-opus-5", "batch+us", "0.016775", id="a-batch-in-the-us"),
        pytest.param("anthropic", "claude-opus-5", "fast", "0.061", id="twice-at-speed"),
        pytest.param("anthropic", "claude-opus-5", "fast+us", "0.0671", id="speed-in-the-us"),
        # gemini-2.5-pro: 1.25 in, 0.125 cached, 10 out; a batch leaves caches as they are, priority is 1.8 times
        pytest.param("gcp.gemini", "gemini-2.5-pro", "batch", "0.00575", id="caches-are-no-cheaper-in-a-batch"),
        pytest.param("gcp.gemini", "gemini-2.5-pro", "ON_DEMAND_PRIORITY", "0.020475", id="priority-of-gemini"),
        # gemini-3.8-flash: 0.75 in, 0.075 cached, 3.75 out
        pytest.param("gcp.vertex_ai", "gemini-3.8-flash", "regional", "0.0050325", id="a-region-of-vertex"),
        pytest.param("gcp.vertex_ai", "gemini-3.8-flash", "global", "0.004575", id="vertex-everywhere"),
        # claude-sonnet-4-5 on Vertex AI: 3 in, 0.30 cached, 15 out
        pytest.param("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "regional", "0.02013", id="claude-in-a-region"),
        # nova-pro: 0.80 in, 0.20 cached, 3.20 out; priority is 1.75 times, flex half
        pytest.param("aws.bedrock", "us.amazon.nova-pro-v1:0", "default", "0.0042", id="nova"),
        pytest.param("aws.bedrock", "us.amazon.nova-pro-v1:0", "priority", "0.00735", id="nova-in-priority"),
        pytest.param("aws.bedrock", "us.amazon.nova-pro-v1:0", "flex", "0.0021", id="nova-in-flex"),
        # grok-4.6: 2 in, 0.50 cached, 6 out
        pytest.param("x_ai", "grok-4.6", "us", "0.00935", id="a-tenth-more-in-the-us-of-xai"),
        # llama-3.3-70b on Groq: 0.59 in, 0.79 out; cached input is not cheaper
        pytest.param("groq", "llama-3.3-70b-versatile", "flex", "0.00197", id="flex-that-costs-the-same"),
        pytest.param("groq", "llama-3.3-70b-versatile", "batch", "0.000985", id="a-batch-by-rule"),
    ],
)
def test_each_modifier(book, provider, model, tier, usd):
    """2,000 tokens in, half of them cached, and 1,000 out."""
    cost, rate = priced(book, provider, model, TEXT, tier)

    assert (cost, rate.is_tier_assumed) == (Decimal(usd), False)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        pytest.param("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "0.0183", id="everywhere"),
        pytest.param("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "0.02013", id="in-the-us-a-tenth-more"),
        pytest.param("anthropic.claude-sonnet-4-5-20250929-v1:0", "0.02013", id="in-one-region-a-tenth-more"),
    ],
)
def test_bedrock_says_the_place_in_the_models_name(book, model, usd):
    assert priced(book, "aws.bedrock", model, TEXT)[0] == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "usage", "tier", "usd"),
    [
        pytest.param("dall-e-3", {"images": 2}, "1024x1024+standard", "0.08", id="two-squares"),
        pytest.param("dall-e-3", {"images": 2}, "standard", "0.08", id="squares-are-what-who-does-not-say-gets"),
        pytest.param("dall-e-3", {"images": 2}, "hd", "0.16", id="in-hd-too"),
        pytest.param("dall-e-3", {"images": 2}, "hd+1024x1792", "0.24", id="two-tall-ones-in-hd"),
        pytest.param("dall-e-2", {"images": 2}, "256x256", "0.032", id="two-small-ones"),
        pytest.param("sora-2", {"video_milliseconds": 8000}, "1280x720", "0.8", id="eight-seconds"),
        pytest.param("sora-2-pro", {"video_milliseconds": 8000}, "1792x1024", "4", id="eight-seconds-large"),
    ],
)
def test_images_and_films_cost_by_size_and_quality(book, model, usage, tier, usd):
    assert priced(book, "openai", model, usage, tier)[0] == Decimal(usd)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "tier"),
    [
        pytest.param("openai", "dall-e-3", {"images": 1}, "640x480", id="a-size-that-is-not-sold"),
        pytest.param("openai", "sora-2", {"video_milliseconds": 1000}, "640x480", id="a-film-of-no-size-that-is-sold"),
        pytest.param("openai", "gpt-image-1", {"images": 1}, "high+1024x1024", id="an-image-without-its-tokens"),
        pytest.param("cohere", "rerank-v3.5", {"input_tokens": 9}, "standard", id="a-search-that-was-not-counted"),
        pytest.param("ollama", "llama3.2", {"input_tokens": 9}, "standard", id="a-model-on-ones-own-machine"),
    ],
)
def test_what_has_no_price_is_not_given_one(book, provider, model, usage, tier):
    with pytest.raises(UnknownPriceError):
        priced(book, provider, model, usage, tier)


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [
        ("gcp.vertex_ai", "gemini-2.5-pro", "PROVISIONED_THROUGHPUT"),
        ("aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "reserved"),
        ("openai", "gpt-4o", "scale"),
    ],
)
def test_capacity_that_was_bought_has_no_price_by_the_token(provider: str, model: str, tier: str):
    """It is paid by the month, whatever it is used for; a fixed cost says so."""
    assert load().rate_at(provider, model, NOW).prices
    with pytest.raises(UnknownPriceError):
        load().rate_at(provider, model, NOW, tier=tier)
