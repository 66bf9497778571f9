"""The numbers that published cost guides work out, or should have."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from otel_llmcost.core.overrides import price_override
from otel_llmcost.core.prices import PriceBook, price
from otel_llmcost.core.usage import Usage

GUIDES = yaml.safe_load((Path(__file__).parents[1] / "data" / "worked_calls.yaml").read_text())


@pytest.mark.parametrize(
    "call", [pytest.param(call, id=f"{call['model']}-{call['input']}-{call['output']}") for call in GUIDES["calls"]]
)
def test_calls_cost_what_the_guides_own_prices_give(call):
    rows = [
        price_override({"model": model, "input": given, "output": got})
        for model, (given, got) in GUIDES["prices"][call["list"]].items()
    ]
    rate = PriceBook().with_overrides(rows).rate_at("", call["model"], datetime(2026, 11, 22, tzinfo=UTC))

    cost = price(Usage({"input_tokens": call["input"], "output_tokens": call["output"]}), rate).list_cost_usd

    assert cost * call.get("times", 1) == Decimal(str(call["expect"]))
