"""What the second source adds to the first."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_llmcost.pricebook.additions import Addition, Additions, Listed, additions, written
from otel_llmcost.pricebook.book import load, parse
from otel_llmcost.pricebook.compile import compile_book
from otel_llmcost.pricebook.second_source import additions_of, listed

DAY = "2026-11-22"
AT = datetime(2026, 11, 22, tzinfo=UTC)
SMALL = {"id": "m", "match": {"starts_with": "m"}, "prices": {"input_mtok": "2", "output_mtok": "8"}}
LISTED = {"litellm_provider": "openai", "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}


def compiled(*models, beside=None, **others):
    raw = [{"id": "openai", "models": list(models)}, *({"id": name, **facts} for name, facts in others.items())]
    beside = Additions() if beside is None else beside
    data, _ = compile_book(raw, version="1", compiled_on=DAY, ceilings={}, ceilings_source="", beside=beside)
    return parse(data)


def found(models, *listed, **others):
    return Additions("map 1", DAY, additions_of(compiled(*listed, **others), models, AT))


def in_tier(book, tier, *, at=AT, provider="openai", **how):
    rate = book.rate_at(provider, "m", at, tier=tier, **how)
    return {unit: amount * 1_000_000 for unit, amount in rate.prices.items()}, rate


def test_a_tier_that_only_the_second_source_knows_is_taken_over_with_its_name():
    beside = found({"m": {**LISTED, "input_cost_per_token_flex": 1e-6, "output_cost_per_token_flex": 4e-6}}, SMALL)

    prices, rate = in_tier(compiled(SMALL, beside=beside), "flex")

    assert prices == {"input_tokens": 1, "output_tokens": 4}
    assert (rate.source, rate.is_tier_assumed) == ("map 1", False)


def test_a_tier_that_the_first_source_knows_stays_its_own():
    both = {**SMALL, "price_variants": [{"when": {"service_tier": "flex"}, "prices": {"input_mtok": "1.5"}}]}

    assert found({"m": {**LISTED, "input_cost_per_token_flex": 1e-6}}, both).models == ()


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param({"input_cost_per_token": 3e-6}, id="another-price-for-input"),
        pytest.param({"output_cost_per_token": 9e-6}, id="another-price-for-output"),
        pytest.param({"litellm_provider": "elsewhere"}, id="a-provider-nobody-knows"),
    ],
)
def test_where_the_two_do_not_agree_on_the_standard_nothing_is_taken_over(theirs):
    assert found({"m": {**LISTED, "input_cost_per_token_flex": 1e-6, **theirs}}, SMALL).models == ()


def test_what_is_no_model_is_passed_over():
    assert found({"spec": {"mode": "one of many"}, "m": {"litellm_provider": "openai"}}, SMALL).models == ()


def test_a_model_whose_price_has_changed_since_loses_what_was_added_to_the_old_one():
    beside = found({"m": {**LISTED, "input_cost_per_token_flex": 1e-6}}, SMALL)
    dearer = {**SMALL, "prices": {"input_mtok": "3", "output_mtok": "8"}}

    assert in_tier(compiled(dearer, beside=beside), "flex")[1].is_tier_assumed


def test_a_model_that_is_gone_is_passed_over():
    beside = found({"m": {**LISTED, "input_cost_per_token_flex": 1e-6}}, SMALL)

    assert compiled({**SMALL, "match": {"equals": "n"}}, beside=beside).show("openai", "m") == []


def test_what_the_names_of_a_model_contradict_each_other_on_is_left_out():
    tiers = {"input_cost_per_token_flex": 1e-6, "cache_read_input_token_cost_flex": 5e-7}
    other = {**LISTED, **tiers, "cache_read_input_token_cost_flex": 4e-7, "input_cost_per_token_priority": 4e-6}
    models = {"m": {**LISTED, **tiers, "input_cost_per_token_priority": 5e-6}, "m-1": other}

    [addition] = found(models, SMALL).models

    assert addition.names == ("m", "m-1")
    assert addition.rows == ({"tier": "flex", "usd": {"input_tokens": "1"}},)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        pytest.param({"input_cost_per_token_above_200k_tokens_flex": 3e-6}, 3, id="as-the-tier-says"),
        pytest.param({}, 2, id="else-twice-as-in-the-standard"),
    ],
)
def test_long_requests_cost_more_in_a_tier_too(theirs, expected):
    """The standard is 2 USD, 4 above 200,000 tokens; flex is 1 below."""
    long = {"base": "2", "tiers": [{"start": 200_000, "price": "4"}]}
    listed = {**SMALL, "prices": {"input_mtok": long, "output_mtok": "8"}}
    facts = {**LISTED, "input_cost_per_token_above_200k_tokens": 4e-6, "input_cost_per_token_flex": 1e-6, **theirs}

    book = compiled(listed, beside=found({"m": facts}, listed))

    assert in_tier(book, "flex")[0]["input_tokens"] == 1
    assert in_tier(book, "flex", input_tokens=200_001)[0]["input_tokens"] == expected


def test_when_the_standard_was_or_will_be_dearer_the_tier_is_by_as_much():
    """Half of 2 USD today, so half of 6 before and half of 1 from next year on."""
    prices = [
        {"prices": {"input_mtok": "6", "output_mtok": "8"}},
        {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": "2", "output_mtok": "8"}},
        {"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": "1", "output_mtok": "8"}},
    ]
    listed = {**SMALL, "prices": prices}

    book = compiled(listed, beside=found({"m": {**LISTED, "input_cost_per_token_batches": 1e-6}}, listed))

    days = [datetime(year, 6, 1, tzinfo=UTC) for year in (2025, 2026, 2027)]
    assert [in_tier(book, "batch", at=day)[0]["input_tokens"] for day in days] == [3, 1, Decimal("0.5")]


def test_fees_and_other_units_hold_in_every_tier():
    facts = {
        **LISTED,
        "search_context_cost_per_query": dict.fromkeys(("low", "medium", "high"), 0.01),
        "cache_creation_input_token_cost_above_12hr": 5e-6,
        "output_cost_per_audio_token": 6e-5,
    }
    book = compiled(SMALL, beside=found({"m": facts}, SMALL))

    added = {"web_searches": 10_000, "cache_write_12h_tokens": 5, "output_audio_tokens": 60}
    assert in_tier(book, "standard")[0] == {"input_tokens": 2, "output_tokens": 8, **added}
    assert [rate.tier for rate in book.show("openai", "m")] == ["standard"]


def test_a_fee_that_hangs_on_how_much_is_searched_is_not_taken_over():
    searches = {"search_context_cost_per_query": {"low": 0.01, "high": 0.02}}

    assert found({"m": {**LISTED, **searches}}, SMALL).models == ()


def test_maps_cost_what_google_asks_for_them():
    google = {"models": [SMALL]}
    facts = {**LISTED, "litellm_provider": "gemini", "google_maps_grounding_cost_per_query": 0.014}

    book = compiled(google=google, beside=found({"gemini/m": facts}, google=google))

    assert in_tier(book, "standard", provider="google")[0]["maps_searches"] == 14_000


def test_a_reseller_has_tiers_of_its_own():
    """Neither its maker's tier nor a rule for many models is asked where the reseller names a price."""
    both = {**SMALL, "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": "5"}}]}
    azure = {"models": [], "fallback_model_providers": ["openai"]}
    facts = {**LISTED, "litellm_provider": "azure", "input_cost_per_token_priority": 3e-6}

    book = compiled(both, azure=azure, beside=found({"azure/m": facts}, both, azure=azure))

    assert in_tier(book, "priority", provider="azure")[0]["input_tokens"] == 3
    assert in_tier(book, "priority")[0]["input_tokens"] == 5


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        pytest.param({}, {"cache_read_tokens": "0.1", "cache_write_1h_tokens": "2"}, id="as-much-more-than-input"),
        pytest.param({"input_cost_per_token_above_200k_tokens": 4e-6}, {}, id="not-where-long-requests-cost-more"),
    ],
)
def test_caches_of_a_claude_stack_with_its_tier(short, expected):
    """Reading is 0.1 of input and writing for an hour twice as much, in a batch as out of it."""
    prices = {"input_mtok": "2", "cache_read_mtok": "0.2", "cache_write_1h_mtok": "4", "output_mtok": "8"}
    listed = {"id": "claude", "match": {"starts_with": "m"}, "prices": prices}

    [addition] = found({"m": {**LISTED, **short, "input_cost_per_token_batches": 1e-6}}, listed).models

    [row] = addition.rows
    assert {unit: usd for unit, usd in row["usd"].items() if unit.startswith("cache")} == expected


def test_additions_are_kept_in_a_file(tmp_path):
    addition = Addition("openai", ("m",), ("2", "8"), ({"tier": "flex", "usd": {}},))
    kept = Additions("map 1", DAY, (addition,), (Listed("openai", "n", {"images": "1"}, None, True),))
    (tmp_path / "a.json").write_text(written(kept))

    assert additions(tmp_path / "a.json") == kept


def test_those_shipped_are_in_the_shipped_book():
    book, beside = load(), additions()
    tiers = [(each, row["tier"]) for each in beside.models for row in each.rows if row["tier"] != "*"]

    lost = [
        (each.provider, each.names[0], tier)
        for each, tier in tiers
        if book.rate_at(each.provider, each.names[0], beside.at, tier=tier).is_tier_assumed
    ]

    assert len(tiers) > 150
    assert lost == []
    assert json.loads(written(beside))["source"] == beside.source


def usd_of(facts, name="n", provider="openai"):
    """What is listed of a model that the first source has not."""
    book = compiled(SMALL, **{} if provider == "openai" else {provider: {"models": []}})
    rows = listed(book, {name: {"litellm_provider": provider, "source": "a page", **facts}}, AT)
    return {row.name: row.usd for row in rows}


@pytest.mark.parametrize(
    ("facts", "usd"),
    [
        pytest.param(
            {"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
            {"input_tokens": "1", "output_tokens": "2"},
            id="chat",
        ),
        pytest.param({"mode": "embedding", "input_cost_per_token": 1e-7}, {"input_tokens": "0.1"}, id="embeddings"),
        pytest.param(
            {"mode": "embedding", "input_cost_per_token": 1e-7, "input_cost_per_character": 2.5e-8},
            {"characters": "0.025"},
            id="embeddings-by-the-character",
        ),
        pytest.param({"mode": "rerank", "input_cost_per_query": 0.002}, {"search_units": "2000"}, id="rerank"),
        pytest.param({"mode": "image_generation", "output_cost_per_image": 0.04}, {"images": "40000"}, id="images"),
        pytest.param(
            {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
            {"audio_milliseconds": "0.1"},
            id="transcription",
        ),
        pytest.param(
            {"mode": "audio_transcription", "input_cost_per_second": 1e-4, "input_cost_per_token": 2e-6},
            {"input_tokens": "2"},
            id="transcription-by-its-tokens-not-both",
        ),
        pytest.param({"mode": "audio_speech", "input_cost_per_character": 15e-6}, {"characters": "15"}, id="speech"),
        pytest.param(
            {"mode": "ocr", "ocr_cost_per_page": 0.002, "annotation_cost_per_page": 0.003},
            {"pages": "2000", "annotated_pages": "3000"},
            id="ocr",
        ),
    ],
)
def test_a_model_that_only_the_second_source_lists_is_sold_by_what_its_kind_is_sold_by(facts, usd):
    assert usd_of(facts) == {"n": usd}


TEXT = {"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


@pytest.mark.parametrize(
    ("facts", "name", "provider"),
    [
        pytest.param({**TEXT, "output_cost_per_token": 0}, "n", "openai", id="an-answer-for-nothing"),
        pytest.param({**TEXT, "output_cost_per_token": 5e-7}, "n", "openai", id="an-answer-cheaper-than-a-question"),
        pytest.param({"mode": "embedding", "input_cost_per_token": 1e-4}, "n", "openai", id="a-slip-of-three-digits"),
        pytest.param({**TEXT, "mode": "video_generation"}, "n", "openai", id="another-kind"),
        pytest.param({**TEXT, "mode": "ocr", "ocr_cost_per_page": 1}, "n", "openai", id="by-tokens-and-by-the-page"),
        pytest.param(TEXT, "eu-west-1/n", "openai", id="no-name-but-a-place"),
        pytest.param(TEXT, "1024-x-1024/n", "openai", id="no-name-but-a-size"),
        pytest.param(TEXT, "m", "openai", id="listed-by-the-first-source"),
        pytest.param(TEXT, "n", "nobody-knows", id="a-provider-nobody-knows"),
        pytest.param({**TEXT, "source": ""}, "n", "ovhcloud", id="a-provider-that-is-not-trusted"),
    ],
)
def test_what_is_in_doubt_is_not_listed(facts, name, provider):
    assert usd_of(facts, name, provider) == {}


def test_some_providers_are_listed_only_with_a_page_to_show():
    models = {
        "n": {"litellm_provider": "together", **TEXT},
        "k": {"litellm_provider": "together", **TEXT, "source": "x"},
    }

    assert [row.name for row in listed(compiled(together={"models": []}), models, AT)] == ["k"]


def test_a_listed_model_is_known_by_its_name_alone_and_says_where_it_is_from():
    beside = Additions("map 1", DAY, (), (Listed("openai", "N-Large", {"input_tokens": "5"}, 77),))

    book = compiled(SMALL, beside=beside)

    [rate] = book.show("openai", "n-large")
    assert (rate.prices, rate.max_output_tokens, rate.source) == ({"input_tokens": Decimal("5e-6")}, 77, "map 1")
    assert book.show("openai", "n-larger") == []


def test_a_listed_model_gives_way_to_the_first_source_once_that_has_it():
    beside = Additions("map 1", DAY, (), (Listed("openai", "m", {"input_tokens": "5"}, None),))

    assert in_tier(compiled(SMALL, beside=beside), "standard")[1].source == "genai-prices 1"


def test_what_a_reseller_asks_itself_goes_before_its_makers_price():
    deepseek = {"models": [SMALL]}
    azure = {"models": [], "fallback_model_providers": ["deepseek"]}
    others = {"azure": azure, "deepseek": deepseek}
    facts = {"litellm_provider": "azure_ai", "source": "a page", **TEXT}

    [row] = listed(compiled(**others), {"azure_ai/m": facts}, AT)
    book = compiled(beside=Additions("map 1", DAY, (), (row,)), **others)

    assert row.is_elsewhere
    assert in_tier(book, "standard", provider="azure")[0] == {"input_tokens": 1, "output_tokens": 2}
    assert in_tier(book, "standard", provider="deepseek")[0] == {"input_tokens": 2, "output_tokens": 8}


def test_listed_models_of_a_provider_that_is_gone_are_passed_over():
    beside = Additions("map 1", DAY, (), (Listed("gone", "n", {"input_tokens": "5"}, None),))

    assert "gone" not in {sold.provider for sold in compiled(SMALL, beside=beside).models()}
