"""What docs/prices.md says, checked."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from otel_llmcost.core.overrides import PRICE_KEYS, price_override

PAGE = (Path(__file__).parents[2] / "docs" / "prices.md").read_text("utf-8")
EXAMPLES = [row for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) for row in tomllib.loads(block)["price"]]


def test_the_page_names_every_key_of_a_price():
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))

    assert set(re.findall(r"`(\w+)`", rows)) == set(PRICE_KEYS)


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row["provider"])
def test_an_example_of_the_page_is_understood(row):
    assert price_override(row).prices


def test_the_throughput_of_the_page_is_worked_out_right():
    """3.50 USD buy an hour, in which 500 tokens a second are 1,800,000: 1.944 USD per million."""
    rate = price_override(EXAMPLES[-1])

    assert round(rate.prices["output_tokens"] * 1_000_000, 2) == Decimal("1.94")
