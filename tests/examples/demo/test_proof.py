"""The demo's claims: all hold when all went well, and each can fail."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from examples.demo.proof import checks, receipt, total_usd
from examples.provider_server import Exchange
from otel_llmcost.pricebook.book import load
from tests.examples.demo.scenes import COST_NANO, items, readings, scene, standing, totals, webhook


def failed(**changes: Any) -> list[str]:
    """Name the claims that do not hold."""
    said: dict[str, Any] = {"snapshot": scene(), "items": items(), "readings": readings(), "is_running": True} | changes
    return [check.claim for check in checks(**said) if not check.holds]


def test_all_claims_hold_at_the_end_of_a_good_play() -> None:
    assert failed() == []


def test_without_prometheus_and_with_real_providers_less_is_claimed_and_holds() -> None:
    assert failed(snapshot=scene(requests=None), items=[], readings=readings(prometheus=None)) == []


TOLD = scene().webhooks


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        pytest.param({"snapshot": scene(requests=31)}, "31 requests reached the provider", id="a-request-uncharged"),
        pytest.param({"items": items(9_001)}, "what the provider counted", id="a-token-too-few"),
        pytest.param({"is_running": False}, "has ended, which it should not", id="the-team-died"),
        pytest.param({"snapshot": scene(standings=[standing(refused=0)])}, "0 calls were refused", id="none-refused"),
        pytest.param({"snapshot": scene(standings=[standing(spent=10_000_001)])}, "at $0.01000 of", id="limit-passed"),
        pytest.param({"snapshot": scene(webhooks=[])}, "0 webhooks arrived", id="nobody-told"),
        pytest.param(
            {"snapshot": scene(webhooks=[*TOLD, webhook("warning", is_verified=False)])},
            "4 webhooks arrived, 3 with a valid signature",
            id="a-forged-webhook",
        ),
        pytest.param({"snapshot": scene(webhooks=[*TOLD, TOLD[0]])}, "more than once", id="told-twice"),
        pytest.param({"snapshot": scene(webhooks=TOLD[1:])}, "was told of: critical, exceeded", id="a-mark-missed"),
        pytest.param({"snapshot": scene(webhooks=TOLD[::-1])}, "was told of: exceeded", id="told-backwards"),
        pytest.param({"readings": readings(team=0.0098)}, "the team's own metrics say $0.009800000", id="metrics"),
        pytest.param({"readings": readings(prometheus=0.0098)}, "Prometheus says $0.009800000", id="prometheus"),
    ],
)
def test_each_claim_fails_when_it_is_not_so(changes: dict[str, Any], claim: str) -> None:
    assert [claim in each for each in failed(**changes)].count(True) == 1


def test_a_play_in_which_nothing_happened_proves_nothing() -> None:
    nothing = scene(
        standings=[standing(spent=0, refused=0)],
        totals=totals(0, 0),
        webhooks=[],
        requests=0,
    )

    claims = list(checks(nothing, [], readings(team=0.0, prometheus=0.0), is_running=True))

    assert not any(check.holds for check in claims)


def test_a_receipt_is_what_the_provider_counted_times_the_price_book() -> None:
    chat = Exchange(
        method="POST", path="/v1/chat/completions", query="", headers={}, body={"model": "gpt-4o-mini"}, at=0.0
    )
    chat.usage = {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}
    message = replace(chat, path="/v1/messages", body={"model": "claude-haiku-5-5"})
    message.usage = {"input_tokens": 10, "output_tokens": 2}
    embedding = replace(chat, path="/v1/embeddings", body={"model": "text-embedding-3-small"})
    embedding.usage = {"prompt_tokens": 1_000_000}

    lines = receipt([chat, message, embedding, chat], load())

    assert [(line.model, line.requests, line.cost_usd) for line in lines] == [
        ("claude-haiku-5-5", 1, Decimal("0.000002")),
        ("gpt-4o-mini", 2, Decimal("0.90")),
        ("text-embedding-3-small", 1, Decimal("0.02")),
    ]
    assert total_usd(lines) == Decimal("0.920002")
    assert total_usd(items()) * 10**9 == COST_NANO
