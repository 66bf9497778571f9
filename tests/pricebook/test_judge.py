"""The book's list prices beside LiteLLM's."""

import hashlib
import json
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.book import SHIPPED, header_of, load

DATA = Path(__file__).parents[1] / "data"
JUDGE = json.loads((DATA / "litellm_chat_prices.json").read_text())
JUDGED = {row["name"]: row for row in tomllib.loads((DATA / "judged_prices.toml").read_text())["model"]}
TOLERANCE = Decimal("0.001")
UNITS = ("input_tokens", "output_tokens")


@pytest.fixture(scope="module")
def compared():
    """Model → (our prices, their prices), for all that both know."""
    book = load()
    at = datetime.fromisoformat(book.compiled_on).replace(tzinfo=UTC)
    found = {}
    for name, (provider, *theirs) in JUDGE["models"].items():
        try:
            rate = book.rate_at(provider, name, at)
        except UnknownPriceError:
            continue
        ours = [rate.prices[unit] * 1_000_000 for unit in UNITS]
        found[name] = (ours, [Decimal(amount) for amount in theirs])
    return found


def differs(ours, theirs):
    return any(abs(our - their) > their * TOLERANCE for our, their in zip(ours, theirs, strict=True))


def test_at_least_150_chat_models_are_compared(compared):
    assert len(compared) >= 150


def test_every_difference_was_judged(compared):
    different = {name: prices for name, prices in compared.items() if differs(*prices)}

    assert sorted(different) == sorted(JUDGED)
    for name, (ours, theirs) in different.items():
        assert [Decimal(amount) for amount in JUDGED[name]["ours"]] == ours
        assert [Decimal(amount) for amount in JUDGED[name]["theirs"]] == theirs
        assert JUDGED[name]["verdict"] in {"ours", "theirs"}
        assert JUDGED[name]["reason"]


def test_the_judge_is_the_one_the_book_was_compiled_with():
    lines = (DATA / "litellm_chat_prices.json").read_text().partition('"models":{\n')[2].removesuffix("\n}}\n")

    assert JUDGE["source"] == header_of(SHIPPED).ceilings
    assert JUDGE["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
