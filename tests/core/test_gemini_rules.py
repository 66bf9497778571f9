"""Each expected number is worked out from what Google publishes, most as its own examples."""

import pytest

from otel_llmcost.core.input_rules import (
    audio_tokens_per_second,
    image_tokens,
    page_tokens,
    video_tokens_per_second,
)


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        # Both edges up to 384: one tile. 960 x 540: tiles of 540 / 1.5 = 360, 3 x 2 of them.
        pytest.param("gemini-2.5-flash", (384, 300), None, 258, id="small"),
        pytest.param("gemini-2.5-flash", (960, 540), None, 6 * 258, id="tiles"),
        pytest.param("gemini-2.0-flash", (1024, 1024), "auto", 4 * 258, id="square"),
        pytest.param("google/gemini-2.5-pro", (4000, 3000), "MEDIA_RESOLUTION_LOW", 64, id="low"),
        pytest.param("gemini-2.5-flash", (60_000, 1), None, 100 * 258, id="a-strip-is-bounded"),
        # Gemini 3: a budget whatever the size, high by default.
        pytest.param("gemini-3-pro-preview", (100, 100), None, 1120, id="3-default"),
        pytest.param("gemini-3.5-flash", (4000, 3000), "MEDIA_RESOLUTION_MEDIUM", 560, id="3-medium"),
        pytest.param("gemini-3.8-flash", (4000, 3000), "low", 280, id="3-low"),
        pytest.param("gemini-3.8-flash", (4000, 3000), "media_resolution_ultra_high", 2240, id="3-ultra"),
        pytest.param("models/gemini-flash-latest", (10, 10), {"odd": 1}, 1120, id="latest-is-the-newest"),
    ],
)
def test_an_image_costs_what_google_publishes(model, size, detail, tokens):
    assert image_tokens(model, size, detail) == tokens


def test_sound_video_and_pages_have_their_published_rates():
    assert (audio_tokens_per_second("gemini-2.5-flash"), audio_tokens_per_second("gpt-4o")) == (32, 10)
    assert video_tokens_per_second("gemini-2.5-flash") == 263
    assert video_tokens_per_second("gemini-2.5-flash", "MEDIA_RESOLUTION_LOW") == 66 + 32
    assert video_tokens_per_second("gemini-3-flash-preview") == 70 + 32
    assert video_tokens_per_second("gemini-3-flash-preview", "high") == 280 + 32
    assert (page_tokens("gemini-2.5-pro"), page_tokens("gemini-3-pro"), page_tokens("gemini-3-pro", "low")) == (
        258,
        560,
        280,
    )
