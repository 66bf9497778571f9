"""Compiling the price book from its sources."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from genai_prices import types as theirs

from otel_llmcost.core.prices import SoldModel
from otel_llmcost.errors import ConfigError
from otel_llmcost.pricebook.additions import additions
from otel_llmcost.pricebook.book import SHIPPED, header_of, load, parse
from otel_llmcost.pricebook.compile import ceilings_of, compile_book
from otel_llmcost.pricebook.sources import as_raw, installed_prices, prices_in

AT = datetime(2026, 11, 22, tzinfo=UTC)


def compiled(*models, ceilings=None, **provider):
    raw = [{"id": "acme", **provider, "models": [{"match": {"equals": "m"}, "id": "m", **model} for model in models]}]
    data, left_out = compile_book(
        raw, version="1", compiled_on="2026-11-22", ceilings=ceilings or {}, ceilings_source=""
    )
    return parse(data), left_out


def shown(model):
    book, _ = compiled(model)
    return {
        rate.rate_id: {unit: amount * 1_000_000 for unit, amount in rate.prices.items()}
        for rate in book.show("acme", "m")
    }


def test_the_shipped_book_is_what_the_installed_source_compiles_to():
    """Run `make prices` after an upgrade of genai-prices or a change of the compiler."""
    raw, version = installed_prices()
    header = header_of(SHIPPED)
    ceilings = {
        sold: most for sold, rates in load().history() for most in {rate.max_output_tokens for rate in rates} if most
    }

    data, _ = compile_book(
        raw,
        version=version,
        compiled_on=header.compiled_on,
        ceilings=ceilings,
        ceilings_source=header.ceilings,
        beside=additions(),
    )

    assert data == SHIPPED.read_bytes()


@pytest.mark.parametrize(
    ("prices", "unit", "per_million"),
    [
        ({"input_mtok": "2.5"}, "input_tokens", "2.5"),
        ({"cache_write_1h_mtok": 6}, "cache_write_1h_tokens", "6"),
        ({"web_searches_kcount": 10}, "web_searches", "10000"),
        ({"storage_searches_kcount": "2.5"}, "file_searches", "2500"),
        ({"requests_kcount": 12}, "requests", "12000"),
        ({"input_mchars": 15}, "characters", "15"),
        ({"input_document_kpages": 1}, "pages", "1000"),
        ({"input_annotated_document_kpages": 3}, "annotated_pages", "3000"),
        ({"audio_hours": "0.36", "input_audio_hours": "0.36"}, "audio_milliseconds", "0.1"),
        ({"audio_hours": "1.02"}, "audio_milliseconds", "0.283333333333"),
    ],
)
def test_prices_are_read_per_unit(prices, unit, per_million):
    assert shown({"prices": prices}) == {"acme/m": {unit: Decimal(per_million)}}


def test_dates_hours_sizes_and_tiers_become_rows():
    model = {
        "prices": [
            {"prices": {"input_mtok": {"base": 2, "tiers": [{"start": 200, "price": 4}]}}},
            {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": 3}},
            {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 5}},
        ],
        "price_variants": [
            {"when": {"processing": "batch"}, "prices": {"input_mtok": 1}},
            {"when": {"speed": "fast"}, "prices": {"input_mtok": 8}},
            {"when": {"service_tier": "default"}, "prices": {}},
        ],
    }

    assert {rate_id: prices["input_tokens"] for rate_id, prices in shown(model).items()} == {
        "acme/m": 2,
        "acme/m>200": 4,
        "acme/m@2026-01-01": 3,
        "acme/m@00:30-16:30": 5,
        "acme/m:batch": 1,
        "acme/m@2026-01-01:batch": 1,
        "acme/m@00:30-16:30:batch": 1,
        "acme/m:fast": 8,
        "acme/m@2026-01-01:fast": 8,
        "acme/m@00:30-16:30:fast": 8,
    }


@pytest.mark.parametrize(
    ("start", "expected"), [("00:30:00", "00:30"), ("01:30:00+01:00", "00:30"), ("00:30:00+01:00", "23:30")]
)
def test_hours_are_utc_whatever_their_offset(start, expected):
    rows = [{"prices": {"input_mtok": 1}}]
    rows += [{"constraint": {"start_time": start, "end_time": "12:00:00Z"}, "prices": {"input_mtok": 2}}]

    assert f"acme/m@{expected}-12:00" in shown({"prices": rows})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, {}, id="unknown"),
        pytest.param({"price_comments": "No longer listed"}, {}, id="unknown-with-a-comment"),
        pytest.param({"price_comments": "Free of charge on the API"}, {"acme/m": 0}, id="said-to-be-free"),
        pytest.param({"id": "m:free"}, {"acme/m:free": 0}, id="called-free"),
    ],
)
def test_a_model_without_prices_is_free_only_if_it_says_so(facts, expected):
    found = {rate_id: prices["input_tokens"] for rate_id, prices in shown({"prices": {}, **facts}).items()}

    assert found == expected


def test_what_has_no_place_in_the_book_is_counted():
    model = {
        "prices": {"input_mtok": 1, "moon_phases": 2},
        "price_variants": [
            {"when": {"route": "eu"}, "prices": {"input_mtok": 1}},
            {"when": {"processing": "batch", "route": "eu"}, "prices": {"input_mtok": 1}},
        ],
    }

    book, left_out = compiled(model)

    assert left_out == {"price moon_phases": 1, "variant by route": 1, "variant by processing, route": 1}
    assert [rate.rate_id for rate in book.show("acme", "m")] == ["acme/m"]


@pytest.mark.parametrize(
    ("match", "fitting", "other"),
    [
        ({"equals": "Big"}, "big", "bigger"),
        ({"starts_with": "Big"}, "bigger", "abig"),
        ({"ends_with": "Big"}, "abig", "bigger"),
        ({"contains": "Big"}, "abigger", "bi-g"),
        ({"regex": r"^b\d$"}, "b1", "b12"),
        ({"or": [{"equals": "a"}, {"or": [{"equals": "b"}, {"starts_with": "c"}]}]}, "cc", "bb"),
        ({"and": [{"starts_with": "a"}, {"or": [{"ends_with": "y"}, {"ends_with": "z"}]}]}, "a-z", "b-z"),
    ],
)
def test_clauses_become_rules(match, fitting, other):
    book, _ = compiled({"match": match, "prices": {"input_mtok": 1}})

    assert book.find("acme", fitting) == SoldModel("acme", "m")
    assert book.find("acme", other) is None


def test_provider_rules_are_kept():
    book, _ = compiled(
        {"prices": {"input_mtok": 1}}, provider_match={"contains": "Acm"}, model_match={"starts_with": "M"}
    )

    assert book.find("my-acm", "m") == SoldModel("acme", "m")
    assert book.find("", "m") == SoldModel("acme", "m")


def test_of_several_largest_answers_the_largest_counts():
    book, _ = compiled({"match": {"starts_with": "m"}, "prices": {"input_mtok": 1}})
    models = {
        "m": {"litellm_provider": "acme", "mode": "chat", "max_output_tokens": 10},
        "acme/m-2": {"litellm_provider": "acme-chat-models", "mode": "responses", "max_output_tokens": 20},
        "m-3": {"litellm_provider": "acme", "mode": "embedding", "max_output_tokens": 30},
        "m-4": {"litellm_provider": "acme", "mode": "chat"},
        "other": {"litellm_provider": "acme", "mode": "chat", "max_output_tokens": 40},
    }

    assert ceilings_of(book, models) == {SoldModel("acme", "m"): 20}


def test_the_largest_answer_comes_with_the_rate():
    book, _ = compiled({"prices": {"input_mtok": 1}}, ceilings={SoldModel("acme", "m"): 8192})

    assert book.rate_at("acme", "m", AT).max_output_tokens == 8192


def test_the_packages_objects_read_as_its_data_file():
    model = theirs.ModelInfo(
        id="m",
        match=theirs.ClauseOr(or_=[theirs.ClauseEquals("a"), theirs.ClauseAnd(and_=[theirs.ClauseStartsWith("b")])]),
        prices=[
            theirs.ConditionalPrice(
                constraint=theirs.TimeOfDateConstraint(time(0, 30, tzinfo=UTC), time(16, 30, tzinfo=UTC)),
                prices=theirs.ModelPrice(
                    input_mtok=theirs.TieredPrices(Decimal("1.50"), [theirs.Tier(200, Decimal(2))])
                ),
            )
        ],
    )

    assert as_raw(model) == {
        "id": "m",
        "match": {"or": [{"equals": "a"}, {"and": [{"starts_with": "b"}]}]},
        "prices": [
            {
                "constraint": {"start_time": "00:30:00+00:00", "end_time": "16:30:00+00:00"},
                "prices": {"input_mtok": {"base": "1.50", "tiers": [{"start": 200, "price": "2"}]}},
            }
        ],
    }


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'[{"id": "acme"}]', b"\xff"])
def test_a_file_of_something_else_is_refused(data):
    with pytest.raises(ConfigError, match=r"data\.json of genai-prices"):
        prices_in(data, "x.json")
