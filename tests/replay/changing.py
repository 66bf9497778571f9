"""A process one of whose budgets is spent so far that it has requests changed before they are sent."""

from __future__ import annotations

from datetime import UTC, datetime

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.usage import Usage
from otel_llmcost.instrumentation import shaping
from tests.instrumentation.conftest import Process, Start

_BEFORE = "before"


def changing(start: Start, *, cap: int | None = None, route: dict[str, str] | None = None) -> Process:
    """Start with a budget that is 60 % spent, and at 50 % has these actions."""
    routes = ", ".join(f'"{pattern}" = "{model}"' for pattern, model in (route or {}).items())
    actions = [
        *([f"{{ at = 0.5, cap = {cap} }}"] if cap is not None else []),
        *([f"{{ at = 0.5, route = {{ {routes} }} }}"] if route else []),
    ]
    budget = (
        f'[[budget]]\nname = "b"\nlimit = 1\nwindow = "year"\non_limit = "alert"\nactions = [{", ".join(actions)}]\n'
    )
    process = start(budget)
    shaping._refused.clear()  # other servers were at the same ports
    process.runtime.driver.book(
        Charge(
            charge_id=_BEFORE,
            at=datetime.now(UTC),
            duration_seconds=0.0,
            provider="openai",
            operation="chat",
            requested_model="gpt-4o",
            served_model=None,
            tags={},
            usage=Usage(),
            status="confirmed",
            cost_nano=600_000_000,
            list_cost_nano=600_000_000,
        )
    )
    process.runtime.writer.flush(5)
    return process


def the_charge(process: Process) -> Charge:
    """Return the only charge since then."""
    (charge,) = [each for each in process.charges if each.charge_id != _BEFORE]
    return charge
