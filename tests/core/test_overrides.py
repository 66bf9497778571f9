"""Reading the user's own prices."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from otel_llmcost.core.overrides import PRICE_KEYS, price_override
from otel_llmcost.core.usage import UNITS
from otel_llmcost.errors import ConfigError


def test_a_row_is_read_with_its_place():
    row = price_override(
        {
            "provider": "openai",
            "model": "gpt-4o*",
            "valid_from": date(2026, 1, 1),
            "input": 2.50,
            "output": 10,
            "web_search": "10",
            "audio_hour": 0.36,
            "gpu_hour": 3.6,
            "discount": 0.10,
            "tier": "default",
            "max_output_tokens": 16384,
        },
        file="llmcost.toml",
        line=12,
    )

    assert row.prices == {
        "input_tokens": Decimal("0.0000025"),
        "output_tokens": Decimal("0.00001"),
        "web_searches": Decimal("0.01"),
        "audio_milliseconds": Decimal("0.0000001"),
        "gpu_milliseconds": Decimal("0.000001"),
    }
    assert row.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert (row.provider, row.model, row.tier, row.discount) == ("openai", "gpt-4o*", "standard", Decimal("0.1"))
    assert (row.max_output_tokens, row.source) == (16384, "llmcost.toml:12")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        pytest.param(datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 12, tzinfo=UTC), id="without-offset-is-utc"),  # noqa: DTZ001
        pytest.param(
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(2025, 12, 31, 23, tzinfo=UTC),
            id="with-offset",
        ),
        pytest.param(None, None, id="left-out"),
    ],
)
def test_valid_from_is_an_instant(written, instant):
    row = {"model": "m", "input": 1} | ({"valid_from": written} if written else {})

    assert price_override(row).valid_from == instant


@pytest.mark.parametrize(
    ("row", "key"),
    [
        pytest.param({"model": "m", "inptu": 1}, "inptu", id="unknown-key"),
        pytest.param({"input": 1}, "model", id="no-model"),
        pytest.param({"model": "", "input": 1}, "model", id="empty-model"),
        pytest.param({"model": 4, "input": 1}, "model", id="model-is-no-text"),
        pytest.param({"model": "m"}, "", id="neither-price-nor-discount"),
        pytest.param({"model": "m", "input": -1}, "input", id="negative-price"),
        pytest.param({"model": "m", "input": "cheap"}, "input", id="price-is-no-number"),
        pytest.param({"model": "m", "input": float("nan")}, "input", id="price-is-nan"),
        pytest.param({"model": "m", "input": True}, "input", id="price-is-a-truth-value"),
        pytest.param({"model": "m", "discount": 10}, "discount", id="discount-in-percent"),
        pytest.param({"model": "m", "input": 1, "valid_from": "2026-01-01"}, "valid_from", id="date-in-quotes"),
        pytest.param({"model": "m", "input": 1, "max_output_tokens": 0}, "max_output_tokens", id="ceiling-of-nothing"),
        pytest.param({"model": "m", "input": 1, "tier": 1}, "tier", id="tier-is-no-text"),
    ],
)
def test_a_wrong_row_names_file_line_key_and_what_was_expected(row, key):
    with pytest.raises(ConfigError) as caught:
        price_override(row, file="llmcost.toml", line=7)

    assert (caught.value.file, caught.value.line, caught.value.key) == ("llmcost.toml", 7, key)
    assert caught.value.expected


def test_every_unit_can_be_given_a_price():
    assert {unit for unit, _ in PRICE_KEYS.values()} == set(UNITS)


@pytest.mark.parametrize(
    ("row", "prices"),
    [
        pytest.param({"gpu_hour": 3.6}, {"gpu_milliseconds": "0.000001"}, id="by-the-time-calls-take"),
        pytest.param({"gpu_second": "0.001"}, {"gpu_milliseconds": "0.000001"}, id="by-the-second"),
        pytest.param(
            {"gpu_hour": "3.60", "tokens_per_second": 500},
            {"input_tokens": "0.000002", "output_tokens": "0.000002"},
            id="by-throughput",  # 3.60 USD for 500 x 3,600 tokens are 2 USD per million
        ),
        pytest.param(
            {"gpu_second": "0.001", "tokens_per_second": 500, "input": 0},
            {"input_tokens": "0", "output_tokens": "0.000002"},
            id="by-throughput-of-answers-alone",
        ),
    ],
)
def test_ones_own_hardware_is_paid_by_its_time_or_by_its_throughput(row, prices):
    own = price_override({"model": "llama*", **row})

    assert own.prices == {unit: Decimal(amount) for unit, amount in prices.items()}
    assert own.is_self_hosted


def test_a_throughput_alone_is_no_price():
    for row in ({"tokens_per_second": 500}, {"tokens_per_second": 0, "gpu_hour": 1}):
        with pytest.raises(ConfigError) as caught:
            price_override({"model": "llama*", **row})
        assert caught.value.key == "tokens_per_second"


def test_a_price_for_tokens_is_not_self_hosted():
    assert not price_override({"model": "m", "input": 1}).is_self_hosted
