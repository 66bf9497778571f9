"""Errors carry their facts, and say them in one sentence."""

import inspect
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_llmcost import errors
from otel_llmcost.errors import (
    BudgetExceededError,
    ConfigError,
    LLMCostError,
    RateLimitedError,
    RefusedError,
    StoreBusyError,
    StoreError,
    UnknownPriceError,
    UnstorableError,
)

END = datetime(2026, 11, 23, tzinfo=UTC)
OVER = {
    "budget": "daily",
    "scope": "user=u-7",
    "limit": Decimal("10.00"),
    "balance": Decimal("9.99"),
    "requested": Decimal("0.025"),
    "window_end": END,
    "retry_after_seconds": 60.0,
}


def test_all_our_errors_are_known_as_ours():
    found = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, BaseException)]

    assert all(issubclass(each, LLMCostError) and each.__name__.endswith("Error") for each in found)
    assert {each.__name__ for each in found} <= set(errors.__doc__.split())


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (BudgetExceededError, RefusedError),
        (RateLimitedError, RefusedError),
        (StoreBusyError, StoreError),
        (UnstorableError, StoreError),
    ],
)
def test_the_tree_of_errors_is_as_drawn(error, parent):
    assert error.__bases__ == (parent,)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "bad"),
        ({"file": "llmcost.toml"}, "llmcost.toml: bad"),
        ({"file": "llmcost.toml", "line": 7, "key": "store"}, "llmcost.toml:7: store: bad"),
        ({"key": "store", "expected": "a URL"}, "store: bad (expected a URL)"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_place(facts, message):
    error = ConfigError("bad", **facts)

    assert str(error) == message
    assert {name: getattr(error, name) for name in facts} == facts


def test_an_unknown_price_names_the_model():
    error = UnknownPriceError("acme", "m")

    assert (error.provider, error.model, str(error)) == ("acme", "m", "acme/m: no rate in the price book")


def test_a_call_over_its_limit_says_what_it_needs_and_what_is_left():
    error = BudgetExceededError.over_limit(**OVER)

    assert str(error).startswith("budget 'daily' of user=u-7: the call needs about $0.025000, $0.010000 of $10")
    assert "is left until 2026-11-23 00:00 UTC; it was not sent" in str(error)
    assert (error.name, error.budget, error.scope, error.limit, error.balance, error.requested) == (
        "daily",
        "daily",
        "user=u-7",
        Decimal(10),
        Decimal("9.99"),
        Decimal("0.025"),
    )
    assert (error.window_end, error.retry_after_seconds) == (END, 60.0)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({"scope": ""}, "budget 'daily': the call", id="one-balance-for-all"),
        pytest.param({"balance": Decimal(12)}, "$0.000000 of $10", id="never-less-than-nothing-left"),
        pytest.param({"window_end": None, "retry_after_seconds": None}, "is left; it was not sent", id="no-end"),
        pytest.param({"limit": Decimal("1E+3"), "balance": Decimal(0)}, "$1000 ", id="no-exponent"),
    ],
)
def test_what_a_refusal_does_not_know_it_leaves_out(facts, said):
    assert said in f"{BudgetExceededError.over_limit(**{**OVER, **facts})} "


def test_nobodys_name_writes_a_second_line_or_moves_the_terminal():
    """A program logs the refusal as it is."""
    error = BudgetExceededError.over_limit(**{**OVER, "scope": "user=u\n\x1b[2J7"})

    assert str(error).startswith("budget 'daily' of user=u  [2J7: the call needs")
    assert error.scope == "user=u\n\x1b[2J7"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            BudgetExceededError.unpriced(budget="daily", scope="", limit=Decimal(10), provider="acme", model="m"),
            "without a known price: acme/m",
            id="unpriced",
        ),
        pytest.param(
            BudgetExceededError.unreachable(budget="daily", scope="", limit=Decimal(10), problem="disk is full"),
            "(disk is full)",
            id="unreachable",
        ),
        pytest.param(
            BudgetExceededError.misconfigured("budget 3 cannot be read"), "budget 3 cannot be read", id="toml"
        ),
    ],
)
def test_a_refusal_without_an_amount_says_why(error, said):
    assert said in str(error)
    assert (error.requested, error.window_end, error.retry_after_seconds) == (None, None, None)


@pytest.mark.parametrize(
    "error",
    [
        BudgetExceededError.over_limit(**OVER),
        BudgetExceededError.misconfigured("a reason"),
        RateLimitedError("no", name="rpm", scope="", limit=Decimal(60), balance=Decimal(60), retry_after_seconds=1.0),
        ConfigError("bad", file="f", line=1, key="k", expected="e"),
        UnknownPriceError("acme", "m", "a reason"),
    ],
    ids=["budget", "configuration", "limit", "setting", "price"],
)
def test_an_error_survives_the_way_back_from_another_process(error):
    """Pools of processes pickle what a worker raises; an error that cannot be unpickled breaks the pool."""
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
