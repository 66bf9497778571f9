"""Refreshing the price book on the user's machine."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost.pricebook import update
from otel_llmcost.pricebook.book import SHIPPED, header_of, load, parse
from otel_llmcost.pricebook.update import PriceChange, diff, refresh

TODAY = date(2999, 1, 1)
AT = datetime(2999, 1, 1, tzinfo=UTC)
RAW = [
    {
        "id": "openai",
        "models": [
            {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 2.1, "output_mtok": 10}},
            {"id": "new", "match": {"equals": "new"}, "prices": {"input_mtok": 1}},
        ],
    }
]


@pytest.fixture
def published(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(RAW))
    return path


def test_the_installed_package_is_compiled_into_the_users_folder(tmp_path):
    target = tmp_path / "data" / "rates.json"

    header = refresh(target, today=TODAY)

    assert (header.compiled_on, header.version) == ("2999-01-01", header_of(SHIPPED).version)
    assert load(target).compiled_on == "2999-01-01"
    assert diff(load(), load(target)) == []
    assert [path.name for path in target.parent.iterdir()] == ["rates.json"]


def test_a_published_file_is_compiled(tmp_path, published):
    header = refresh(tmp_path / "rates.json", today=TODAY, file=published)
    rate = load(tmp_path / "rates.json").rate_at("openai", "gpt-4o", AT)

    assert header.version.startswith("file ")
    assert rate.prices["input_tokens"] == Decimal("0.0000021")
    assert rate.source == f"genai-prices {header.version}"
    assert rate.max_output_tokens == 16384, "known from the book that was shipped"


def test_a_book_of_another_machine_is_taken_as_it_is(tmp_path):
    refresh(tmp_path / "rates.json", today=TODAY, file=SHIPPED)

    assert (tmp_path / "rates.json").read_bytes() == SHIPPED.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('[{"id": "a", "models": [{"id": "m"}]}]', id="a-model-without-prices"),
        pytest.param(
            '[{"id": "a", "models": [{"id": "m", "match": {"like": "m"}, "prices": {}}]}]', id="a-rule-nobody-knows"
        ),
        pytest.param(
            '[{"id": "a", "models": [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": "x"}}]}]',
            id="a-price-that-is-no-number",
        ),
        pytest.param('{"format":1}', id="half-a-book"),
    ],
)
def test_a_file_that_cannot_be_used_leaves_the_old_book(tmp_path, content):
    (tmp_path / "in.json").write_text(content)
    (tmp_path / "rates.json").write_text("as it was")

    with pytest.raises(ConfigError):
        refresh(tmp_path / "rates.json", today=TODAY, file=tmp_path / "in.json")

    assert (tmp_path / "rates.json").read_text() == "as it was"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        refresh(tmp_path / "rates.json", today=TODAY, file=tmp_path / "none.json")

    assert caught.value.file == str(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        pytest.param(None, "pip install", id="not-installed"),
        pytest.param(([], "0.2.1"), "older than the price book", id="older-than-shipped"),
    ],
)
def test_without_a_package_of_use_it_says_what_to_do(tmp_path, monkeypatch, installed, said):
    monkeypatch.setattr(update, "installed_prices", lambda: installed)

    with pytest.raises(ConfigError, match=said):
        refresh(tmp_path / "rates.json", today=TODAY)


def test_diff_tells_each_price_that_is_not_the_same(tmp_path, published):
    refresh(tmp_path / "old.json", today=TODAY, file=published)
    later = json.loads(json.dumps(RAW))
    later[0]["models"][0]["prices"]["input_mtok"] = 3
    later[0]["models"][1] |= {"id": "newer", "match": {"equals": "newer"}}
    published.write_text(json.dumps(later))
    refresh(tmp_path / "new.json", today=TODAY, file=published)

    changes = diff(*(parse((tmp_path / name).read_bytes()) for name in ("old.json", "new.json")))

    assert [(change.model, change.unit, change.old, change.new) for change in changes if ":" not in change.model] == [
        ("gpt-4o", "input_tokens", Decimal("0.0000021"), Decimal("0.000003")),
        ("newer", "input_tokens", None, Decimal("0.000001")),
        ("new", "input_tokens", Decimal("0.000001"), None),
    ]
    assert (
        PriceChange(
            provider="openai",
            model="gpt-4o",
            rate_id="openai/gpt-4o",
            unit="input_tokens",
            old=Decimal("0.0000021"),
            new=Decimal("0.000003"),
        )
        in changes
    )
