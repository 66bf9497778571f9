"""Values that the tests of the accountant share: calls, and who tells of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec

from otel_llmcost.core.policy import micros
from otel_llmcost.core.uuid7 import uuid7
from otel_llmcost_collector.observed import Observed, id_of_span

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
NOW_US = micros(NOW)
USD = 1_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECOND = 1_000_000
_digits = random.Random(7)


def hexadecimal(digits: int) -> str:
    return f"{_digits.getrandbits(digits * 4):0{digits}x}"


def response_id() -> str:
    return f"chatcmpl-{hexadecimal(30)}"


def told(**changes: Any) -> Observed:
    """Make one telling of a call of its own, unless what tells it apart is given."""
    facts: dict[str, Any] = {
        "at_us": NOW_US,
        "duration_us": SECOND,
        "provider": "openai",
        "operation": "chat",
        "requested_model": "gpt-4o",
        "served_model": "gpt-4o-2024-08-06",
        "tags": {"agent": "writer", "team": "support"},
        "counts": {"input_tokens": _digits.randrange(10, 5000), "output_tokens": _digits.randrange(10, 900)},
        "status": "confirmed",
        "method": "reported",
        "cost_nano": USD,
        "list_cost_nano": USD,
        "rate_id": "openai/gpt-4o",
        "rate_source": "genai-prices",
        "tier": "standard",
        "trace_id": hexadecimal(32),
        "span_id": hexadecimal(16),
        "parent_span_id": None,
        "response_id": None,
        "error_type": None,
        "source": "official",
        "richness": 5,
        **changes,
    }
    if "charge_id" not in facts:
        facts["charge_id"] = id_of_span(facts["at_us"], facts["span_id"], facts["trace_id"])
    return Observed(**facts)


def own(**changes: Any) -> Observed:
    """Make a telling of our plugin's, which brings its charge's id."""
    made = {"source": "llmcost", "richness": 9, "charge_id": uuid7(NOW_US // 1000, _digits.getrandbits(74)), **changes}
    return told(**made)


def again(observed: Observed, **changes: Any) -> Observed:
    """Tell of the same call in another span."""
    facts = {"span_id": hexadecimal(16), "source": "other", **changes}
    made = msgspec.structs.replace(observed, **facts)
    trace_id = made.trace_id or hexadecimal(32)
    return msgspec.structs.replace(made, charge_id=id_of_span(made.at_us, made.span_id or "", trace_id))
