"""`prices` shows the price book and refreshes it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from otel_llmcost.pricebook.book import load

OWN = '[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\ninput = 2\ndiscount = 0.25\n'


def test_list_takes_patterns(shell):
    result = shell.run("prices", "list", "o3-*", "--provider", "openai")

    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["openai", "o3-mini", "1.10", "0.55", "4.40"] in lines
    assert all(line[0] == "openai" for line in lines if len(line) > 3 and line[1].startswith("o3"))


def test_list_in_json_says_where_prices_are_from(shell):
    found = json.loads(shell.run("prices", "list", "gpt-4o", "--provider", "openai", "--json").stdout)

    assert found["source"] == load().source
    assert [(rate["model"], rate["usd"]["input"], rate["usd"]["output"]) for rate in found["rates"]] == [
        ("gpt-4o", 2.5, 10.0)
    ]


def test_show_lists_every_date_and_tier(shell):
    result = shell.run("prices", "show", "claude-sonnet-4-5")

    assert result.stdout.splitlines()[:8] == snapshot(
        [
            "anthropic/claude-sonnet-4-5  (genai-prices 0.2.3)",
            "          3.00  input, per 1M",
            "          3.75  cache_write, per 1M",
            "          0.30  cache_read, per 1M",
            "         15.00  output, per 1M",
            "          6.00  cache_write_1h, per 1M",
            "         10.00  web_search, per 1,000",
            "anthropic/claude-sonnet-4-5>200000  (genai-prices 0.2.3)",
        ]
    )


def test_show_lays_the_users_own_price_over_the_book(shell):
    shell.configure(OWN)

    rates = json.loads(shell.run("prices", "show", "gpt-4o", "--json").stdout)

    own = next(rate for rate in rates if rate["rate_id"].endswith("llmcost.toml:1"))
    assert (own["usd"]["input"], own["usd"]["output"], own["discount"]) == (2.0, 10.0, 0.25)
    assert "discount 25 %" in shell.run("prices", "show", "gpt-4o").stdout


def test_show_of_an_unknown_model_names_the_one_likely_meant(shell):
    result = shell.run("prices", "show", "claude-sonet-4-5", "--provider", "anthropic")

    assert result.exit_code == 1
    assert result.stderr == (
        'Error: No price is known for claude-sonet-4-5 by anthropic: no model is called "claude-sonet-4-5", '
        'perhaps "claude-sonnet-4-5" is meant.\n'
    )


def test_show_names_all_sellers_where_there_are_several(shell):
    result = shell.run("prices", "show", "text-embedding-3-small")

    assert result.exit_code == 2
    assert "text-embedding-3-small is sold by azure, openai: name one by --provider" in result.stderr


def test_the_only_seller_need_not_be_named(shell):
    result = shell.run("prices", "show", "amazon.titan-embed-text-v1")

    assert result.stdout.startswith("aws/amazon.titan-embed-text-v1")


def source(folder: Path, input_usd: float) -> Path:
    """A file of prices as genai-prices publishes it."""
    prices = {"input_mtok": input_usd, "output_mtok": 2}
    data = [
        {
            "id": "acme",
            "name": "Acme",
            "api_pattern": "https://acme",
            "models": [{"id": "m-1", "match": {"equals": "m-1"}, "prices": prices}],
        }
    ]
    file = folder / f"{input_usd}.json"
    file.write_text(json.dumps(data))
    return file


@pytest.fixture
def dearer(shell, tmp_path) -> Path:
    """A file in which one price is another than in the book in use."""
    shell.run("prices", "update", "--file", str(source(tmp_path, 1)))
    return source(tmp_path, 1.5)


def test_diff_shows_what_update_would_change_and_changes_nothing(shell, dearer):
    changes = json.loads(shell.run("prices", "diff", "--file", str(dearer), "--json").stdout)
    table = shell.run("prices", "diff", "--file", str(dearer)).stdout

    assert changes == [
        {
            "rate_id": "acme/m-1",
            "provider": "acme",
            "model": "m-1",
            "price": "input",
            "old_usd": 1.0,
            "new_usd": 1.5,
        }
    ]
    assert ["acme/m-1", "input", "1.00", "1.50"] in [line.split() for line in table.splitlines()]
    assert shell.run("prices", "diff", "--file", str(dearer)).stdout == table


def test_update_writes_the_book_that_is_loaded_from_then_on(shell, dearer):
    target = shell.settings.refreshed_prices

    facts = json.loads(shell.run("prices", "update", "--file", str(dearer), "--json").stdout)

    assert (facts["file"], facts["compiled_on"], facts["changes"]) == (str(target), "2026-11-22", 1)
    assert load(target).show("acme", "m-1")[0].prices["input_tokens"] == Decimal("0.0000015")
    assert shell.run("prices", "diff", "--file", str(dearer)).stdout == "No price would change.\n"
    assert shell.run("prices", "update", "--file", str(dearer)).stdout.endswith("; 0 changed.\n")


def test_a_file_that_is_no_price_book_is_refused(shell, tmp_path):
    file = tmp_path / "prices.json"
    file.write_text("[1, 2")

    result = shell.run("prices", "update", "--file", str(file))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file}: not JSON")
    assert not shell.settings.refreshed_prices.exists()
