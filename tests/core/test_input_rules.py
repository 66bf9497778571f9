"""Each expected number is worked out from the published rule, most as the providers' own examples."""

import pytest

from otel_llmcost.core.input_rules import (
    family,
    image_tokens,
    page_tokens,
    provided_tool_tokens,
    tool_prompt_tokens,
    typical_factor,
)


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        # Tiles. 1024² is shrunk to 768² = 2 x 2 tiles; 2048 x 4096 to 1024 x 2048, then 768 x 1536 = 2 x 3 tiles.
        pytest.param("gpt-4o", (1024, 1024), "high", 85 + 4 * 170, id="gpt-4o-square"),
        pytest.param("gpt-4o", (2048, 4096), "high", 85 + 6 * 170, id="gpt-4o-tall"),
        pytest.param("gpt-4o", (4096, 8192), "low", 85, id="gpt-4o-low"),
        pytest.param("gpt-4.1-2025-04-14", (512, 512), "auto", 85 + 170, id="gpt-4.1-one-tile-is-not-enlarged"),
        pytest.param("gpt-4o-mini", (1024, 1024), "auto", 2833 + 4 * 5667, id="gpt-4o-mini"),
        pytest.param("o1-pro", (1024, 1024), None, 75 + 4 * 150, id="o1"),
        pytest.param("gpt-5.1", (1024, 1024), "auto", 70 + 4 * 140, id="gpt-5.1"),
        pytest.param("gpt-5-chat-latest", (1024, 1024), "auto", 70 + 4 * 140, id="gpt-5"),
        # Patches. 1024² = 32 x 32 = 1024 patches; 2048² over a budget of 2,500 becomes 1600² = 50 x 50.
        pytest.param("gpt-5.4", (1024, 1024), "high", 1229, id="gpt-5.4-square"),
        pytest.param("gpt-5.4", (2048, 2048), "high", 3000, id="gpt-5.4-over-budget"),
        pytest.param("gpt-5.4-mini", (2048, 2048), "auto", 3000, id="gpt-5.4-auto-is-high"),
        pytest.param("gpt-5.4", (2048, 2048), "low", 4916, id="gpt-5.4-low-takes-64-x-64-patches"),
        pytest.param("gpt-5.5", (2048, 2048), "auto", 4916, id="gpt-5.5-auto-is-original"),
        pytest.param("gpt-5.5", (2048, 2048), "low", 308, id="gpt-5.5-low-is-16-x-16-patches"),
        pytest.param("gpt-5.2", (2048, 2048), "high", 4916, id="gpt-5.2-has-one-size"),
        # 1800 x 2400 over a budget of 1,536: the published example shrinks it to 1056 x 1408 = 33 x 44 = 1452.
        pytest.param("o4-mini", (1800, 2400), "high", 2498, id="o4-mini-times-1.72"),
        pytest.param("gpt-4.1-nano", (1800, 2400), "auto", 3572, id="gpt-4.1-nano-times-2.46"),
        pytest.param("gpt-5-mini", (2048, 768), "auto", 1844, id="gpt-5-mini-at-its-budget"),
        pytest.param("gpt-5-nano", (1024, 1024), "auto", 1536, id="gpt-5-nano-times-1.5"),
        pytest.param("gpt-4.1-mini", (1024, 1024), "auto", 1659, id="gpt-4.1-mini-times-1.62"),
        # Measured on GPT-6: no pixel limit at high, none at all at auto.
        pytest.param("gpt-6-astra", (2560, 1440), "high", 2931, id="gpt-6-high"),
        pytest.param("gpt-6.1-sol", (4032, 3024), "auto", 14_364, id="gpt-6-original"),
        pytest.param("gpt-5.5", (4032, 3024), "auto", 11_868, id="gpt-5.5-original-within-10000-patches"),
        # Claude. 1075 x 1520 becomes 924 x 1307 = 33 x 47; 1920 x 1080 becomes 1456 x 819 = 52 x 30.
        pytest.param("claude-haiku-4-5", (1075, 1520), None, 33 * 47, id="claude-standard-a4"),
        pytest.param("claude-haiku-4-5", (1920, 1080), None, 52 * 30, id="claude-standard-screenshot"),
        pytest.param("claude-opus-4-7", (1075, 1520), None, 39 * 55, id="claude-large-a4"),
        pytest.param("claude-sonnet-5-5", (1920, 1080), None, 69 * 39, id="claude-large-screenshot"),
        pytest.param("claude-opus-5", (100, 100), None, 16, id="claude-small"),
        pytest.param("claude-3-5-sonnet-20241022", (4000, 10), None, 56, id="claude-standard-strip"),
        pytest.param("llama-4-maverick", (1024, 1024), "auto", 765, id="a-stranger-counts-as-gpt-4o"),
        pytest.param("", (1024, 1024), "auto", 765, id="no-model"),
    ],
)
def test_an_image_costs_what_its_provider_publishes(model, size, detail, tokens):
    assert image_tokens(model, size, detail) == tokens


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5.4", "gpt-6-astra", "o4-mini", "claude-opus-5", "claude-haiku-4-5"])
@pytest.mark.parametrize("size", [(1, 1), (1, 60_000), (60_000, 1), (60_000, 60_000)])
@pytest.mark.parametrize("detail", ["low", "high", "original", "auto", None, [], "huge"])
def test_no_size_or_detail_is_too_odd(model, size, detail):
    assert image_tokens(model, size, detail) >= 1


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "gpt-4o"),
        ("azure/gpt-4o", "gpt-4o"),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", "gpt-4o-mini-2024-07-18:acme::x"),
        ("openai/o3", "o3"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929-v1:0"),
        ("anthropic/claude-opus-5", "claude-opus-5"),
        ("Prod-GPT-4o", "gpt-4o"),
        ("mistral-large", ""),
        ("foo1", ""),
        ("", ""),
    ],
)
def test_a_name_is_found_behind_what_others_put_before_it(model, name):
    assert family(model) == name


@pytest.mark.parametrize(
    ("model", "factor"),
    [
        ("claude-opus-4-6", 1.1),
        ("claude-sonnet-4-20250514", 1.1),
        ("claude-3-5-haiku-20241022", 1.1),
        ("claude-haiku-4-5@20251001", 1.1),
        ("claude-opus-4-7", 1.4),
        ("us.anthropic.claude-haiku-5-5-v1:0", 1.4),
        ("claude-fable-5-2", 1.4),
        ("claude-latest", 1.4),
        ("gpt-4o", 1.0),
        ("llama-3", 1.0),
    ],
)
def test_claude_since_4_7_makes_more_tokens_of_a_text(model, factor):
    assert typical_factor(model) == factor


@pytest.mark.parametrize(
    ("model", "auto", "forced"),
    [
        ("claude-opus-5", 286, 406),
        ("claude-opus-4-8", 290, 410),
        ("claude-opus-4-7", 675, 804),
        ("claude-sonnet-5", 354, 474),
        ("claude-sonnet-4-5-20250929", 496, 588),
        ("claude-opus-4-1-20250805", 313, 315),
        ("claude-3-haiku-20240307", 264, 340),
        ("claude-fable-9", 286, 406),
    ],
)
def test_tools_bring_a_system_prompt_along(model, auto, forced):
    assert tool_prompt_tokens(model, is_forced=False) == auto
    assert tool_prompt_tokens(model, is_forced=True) == forced


def test_tools_that_anthropic_describes_have_a_published_size():
    assert provided_tool_tokens("bash_20250124") == 245
    assert provided_tool_tokens("text_editor_20250728") == 700
    assert provided_tool_tokens("computer_20251124") == 735
    assert provided_tool_tokens("custom") == 0
    assert provided_tool_tokens(None) == 0


@pytest.mark.parametrize(
    ("model", "detail", "tokens"),
    [
        pytest.param("claude-opus-5", "auto", 2250, id="claude"),
        # A page is 1024 x 1325 pixels: shrunk to 768 x 993 that is 2 x 2 tiles; else 32 x 42 patches times 1.2.
        pytest.param("gpt-4o", "auto", 500 + 85, id="before-5.6-auto-is-low"),
        pytest.param("gpt-4o", "high", 500 + 85 + 4 * 170, id="high"),
        pytest.param("gpt-5.6-sol", "auto", 500 + 1613, id="since-5.6-auto-is-high"),
        pytest.param("gpt-5.6-sol", "low", 500 + 250, id="low"),
    ],
)
def test_a_page_costs_its_text_and_its_image(model, detail, tokens):
    assert page_tokens(model, detail) == tokens
