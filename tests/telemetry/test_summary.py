"""The summary of a process, as data and as text."""

import json

from inline_snapshot import snapshot

from otel_llmcost.telemetry.meters import Meters
from otel_llmcost.telemetry.summary import as_text, summarise
from tests.core.calls import call, charge, used


def busy():
    """Two agents: three charges, of these one without a price, a failure and a refusal."""
    meters = Meters()
    planner, nobody = call(), call(tags={})
    large = charge(served_model="m-large", cost_nano=1_234_567_890, usage=used(100, 50, cache_read_tokens=40))
    meters.ended(planner, charge(), None, is_foreign=False)
    meters.ended(call(model="m-large", tags={"agent": "writer"}), large, None, is_foreign=False)
    meters.ended(nobody, charge(cost_nano=None, status="unpriced"), None, is_foreign=False)
    meters.ended(planner, None, OSError(), is_foreign=False)
    meters.refused(planner, "daily")
    return meters


def test_a_summary_adds_up_what_was_sent_and_counts_what_was_not():
    summary = summarise(busy(), [charge()])

    assert json.loads(json.dumps(summary)) == snapshot(
        {
            "calls": 4,
            "cost_usd": "1.236567890",
            "tokens": 3150,
            "tokens_by_class": {"input": 2060, "cache_read": 40, "cache_write": 0, "output": 1050, "reasoning": 0},
            "cost_per_token_usd": "0.000392561235",
            "unpriced_calls": 1,
            "failed_calls": 1,
            "refused_calls": 1,
            "by_model": {
                "m": {
                    "calls": 3,
                    "cost_usd": "0.002000000",
                    "tokens": 3000,
                    "tokens_by_class": {
                        "input": 2000,
                        "cache_read": 0,
                        "cache_write": 0,
                        "output": 1000,
                        "reasoning": 0,
                    },
                    "cost_per_token_usd": "0.000000666667",
                    "unpriced_calls": 1,
                    "failed_calls": 1,
                },
                "m-large": {
                    "calls": 1,
                    "cost_usd": "1.234567890",
                    "tokens": 150,
                    "tokens_by_class": {"input": 60, "cache_read": 40, "cache_write": 0, "output": 50, "reasoning": 0},
                    "cost_per_token_usd": "0.008230452600",
                    "unpriced_calls": 0,
                    "failed_calls": 0,
                },
            },
            "by_agent": {
                "planner": {
                    "calls": 2,
                    "cost_usd": "0.002000000",
                    "tokens": 1500,
                    "tokens_by_class": {
                        "input": 1000,
                        "cache_read": 0,
                        "cache_write": 0,
                        "output": 500,
                        "reasoning": 0,
                    },
                    "cost_per_token_usd": "0.000001333333",
                    "unpriced_calls": 0,
                    "failed_calls": 1,
                },
                "writer": {
                    "calls": 1,
                    "cost_usd": "1.234567890",
                    "tokens": 150,
                    "tokens_by_class": {"input": 60, "cache_read": 40, "cache_write": 0, "output": 50, "reasoning": 0},
                    "cost_per_token_usd": "0.008230452600",
                    "unpriced_calls": 0,
                    "failed_calls": 0,
                },
                "(none)": {
                    "calls": 1,
                    "cost_usd": "0.000000000",
                    "tokens": 1500,
                    "tokens_by_class": {
                        "input": 1000,
                        "cache_read": 0,
                        "cache_write": 0,
                        "output": 500,
                        "reasoning": 0,
                    },
                    "cost_per_token_usd": "0.000000000000",
                    "unpriced_calls": 1,
                    "failed_calls": 0,
                },
            },
            "unconfirmed": [],
            "events": [
                {
                    "charge_id": "019aab6f-7a00-7000-8000-000000000001",
                    "at": "2026-11-22T12:00:00+00:00",
                    "provider": "acme",
                    "model": "m",
                    "status": "confirmed",
                    "method": "reported",
                    "cost_usd": "0.002000000",
                    "usage": {"input_tokens": 1000, "output_tokens": 500},
                    "attribution": {"agent": "planner"},
                }
            ],
        }
    )


def test_the_parts_of_a_summary_add_up_to_the_whole():
    summary = summarise(busy())

    for title in ("by_model", "by_agent"):
        for key in ("calls", "tokens", "unpriced_calls", "failed_calls"):
            assert sum(part[key] for part in summary[title].values()) == summary[key]


def test_a_summary_reads_well_on_a_terminal():
    assert as_text(summarise(busy())) == snapshot("""\
otel-llmcost: $1.24 for 4 calls, 3,150 tokens (1 unpriced, 1 refused, 1 failed)
  model m-large                                 $1.23       1 calls
  model m                                   $0.002000       3 calls (1 unpriced, 1 failed)
  agent writer                                  $1.23       1 calls
  agent planner                             $0.002000       2 calls (1 failed)
  agent (none)                                  $0.00       1 calls (1 unpriced)\
""")


def test_a_process_without_a_call_has_a_summary_too():
    summary = summarise(Meters())

    assert (summary["calls"], summary["cost_usd"], summary["cost_per_token_usd"]) == (0, "0.000000000", None)
    assert as_text(summary) == "otel-llmcost: $0.00 for 0 calls, 0 tokens"


def test_an_event_without_a_price_has_no_cost():
    (event,) = summarise(Meters(), [charge(cost_nano=None, status="unpriced")])["events"]

    assert (event["cost_usd"], event["status"]) == (None, "unpriced")


def test_a_summary_says_which_calls_are_not_confirmed_and_why():
    unpriced, left = {"cost_nano": None, "status": "unpriced"}, {"status": "estimated", "method": "stream-ended-early"}
    charges = [charge(charge_id=str(number), **facts) for number, facts in enumerate((unpriced, left, left, {}))]

    summary = summarise(Meters(), charges)

    assert [(each["calls"], each["status"], each["model"], each["method"]) for each in summary["unconfirmed"]] == [
        (2, "estimated", "m", "stream-ended-early"),
        (1, "unpriced", "m", "reported"),
    ]
    assert json.dumps(summary["unconfirmed"][0]["last_at"]) == '"2026-11-22T12:00:00+00:00"'
    assert as_text(summary).splitlines()[1:] == [
        "  estimated acme/m: 2 calls, usage stream-ended-early",
        "  unpriced acme/m: 1 calls, usage reported",
    ]
