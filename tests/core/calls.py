"""Calls, answers, prices and budgets to test with; every one of them takes what a test cares about."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from otel_llmcost.core.budget import Budget
from otel_llmcost.core.flow import Answer, Call
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.listing import Listing, ModelPrices, PriceRow, Provider
from otel_llmcost.core.matching import NameRule
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.rates import Rate
from otel_llmcost.core.tokens import InputCount
from otel_llmcost.core.usage import Unit, Usage, canonical
from otel_llmcost.core.window import Calendar

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHARGE_ID = "019aab6f-7a00-7000-8000-000000000001"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


def call(**facts: Any) -> Call:
    """Make a call of 1,000 input tokens to acme's m, which is 1 USD per million in, 2 out."""
    known = {
        "charge_id": CHARGE_ID,
        "at": NOW,
        "provider": "acme",
        "operation": "chat",
        "model": "m",
        "tags": {"agent": "planner", "provider": "acme", "model": "m"},
        "input": InputCount(0.0, fixed_tokens=1000),
        "max_output_tokens": None,
    }
    return Call(**{**known, **facts})


def used(input_tokens: int = 0, output_tokens: int = 0, **parts: int) -> Usage:
    return canonical({"input_tokens": input_tokens, "output_tokens": output_tokens, **parts})  # type: ignore[dict-item]


def answer(*tokens: int, **facts: Any) -> Answer:
    return Answer(usage=used(*tokens) if tokens else None, **facts)


def charge(**facts: Any) -> Charge:
    """Make a charge of 1,000 tokens in and 500 out, 0.002 USD."""
    known = {
        "charge_id": CHARGE_ID,
        "at": NOW,
        "duration_seconds": 1.5,
        "provider": "acme",
        "operation": "chat",
        "requested_model": "m",
        "served_model": None,
        "tags": {"agent": "planner"},
        "usage": used(1000, 500),
        "status": "confirmed",
        "cost_nano": 2_000_000,
        "list_cost_nano": 2_000_000,
        "rate_id": "acme/m",
        "rate_source": "test 1",
        "rate": RATE,
    }
    return Charge(**{**known, **facts})


PER_MILLION = Decimal("1e-6")
PRICES: Mapping[Unit, Decimal] = {"input_tokens": PER_MILLION, "output_tokens": 2 * PER_MILLION}
RATE = Rate(rate_id="acme/m", source="test 1", prices=PRICES)


def model(name: str, *, most: int | None = 1000, **tiers: Mapping[Unit, int]) -> Listing:
    """Make a model whose prices per million tokens are given by tier."""
    rows = tuple(
        PriceRow(prices={unit: ((0, amount * PER_MILLION),) for unit, amount in prices.items()}, tier=tier)
        for tier, prices in tiers.items()
    )
    prices = ModelPrices(provider="acme", model=name, rows=rows, max_output_tokens=most)
    return Listing(model=name, names=NameRule(equals=frozenset({name})), prices=lambda: prices)


def book() -> PriceBook:
    """Make a book of a few models; m costs 1 and 2 USD per million, half of it in a batch, m-large is known by name."""
    models = [
        model(
            "m",
            standard={"input_tokens": 1, "output_tokens": 2},
            batch={"input_tokens": Decimal("0.5"), "output_tokens": 1},  # type: ignore[dict-item]
        ),
        model("m-large", standard={"input_tokens": 10, "output_tokens": 20}),
        model("m-boundless", most=None, standard={"input_tokens": 1, "output_tokens": 2}),
        model("embed", standard={"input_tokens": 1}),
    ]
    nobody, large = NameRule(), NameRule(equals=frozenset({"m-large"}))
    return PriceBook(
        [Provider(provider="acme", names=nobody, sells=large, resells=(), listings=lambda: models)], source="test 1"
    )


def budget(name: str = "daily", **facts: Any) -> Budget:
    known = {"name": name, "limit": Decimal(10), "window": Calendar("day")}
    return Budget(**{**known, **facts})
