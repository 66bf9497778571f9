"""The truth of agents that really ran: their ledger, the balances in their store, and what their webhooks told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.usage import Usage
from otel_llmcost.storage import open_store
from tests.real.truth import Alert, Balance, Call, Held, Refusal, Truth

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A store that agents use, as others see it."""

    store: str
    environment: Mapping[str, str]

    def charges(self) -> list[Charge]:
        """Read the ledger."""
        store, now = open_store(self.store), datetime.now(UTC)
        try:
            return list(store.charges(now - timedelta(days=1), now + timedelta(days=1)))
        finally:
            store.close()

    def balances(self) -> list[dict[str, Any]]:
        """Ask the command line how the budgets stand."""
        command = [Path(sys.executable).with_name("otel-llmcost"), "budgets", "list", "--json"]
        told = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd=ROOT, check=True)
        return json.loads(told.stdout)["balances"]

    def truth(self, told: Sequence[Mapping[str, Any]], who: Call) -> Truth:
        """Say what happened.

        Args:
            told: bodies of the webhooks that arrived.
            who: a call as those that were refused: the ledger has none of them.
        """
        now = time.time()
        told_of = self.balances()
        balances = [each for each in told_of if each["window"]["end"]]  # here only rate limits roll
        limits = {
            (each["budget"], each["subject"], each["window"]["kind"]): Decimal(str(each["share"]))
            for each in told_of
            if each not in balances
        }
        refusals = [
            Refusal(at=now, instance="", budget=each["budget"], agent=who.agent, team=who.team)
            for each in balances
            for _ in range(each["refused_calls"])
        ]
        alerts = [
            Alert(at=now, instance="", budget=body["data"]["budget"], level=body["data"]["level"]) for body in told
        ]
        stand = [balance_of(each) for each in balances]
        return Truth(
            calls=[*map(call_of, self.charges()), *[replace(who, at=now) for _ in refusals]],
            refusals=refusals,
            alerts=alerts,
            balances_at=lambda _: stand,
            held=Held(limits=limits),
            knows_the_past=False,
        )


def call_of(charge: Charge) -> Call:
    """Turn an entry of the ledger into what the boards are compared with."""
    return Call(
        at=charge.at.timestamp(),
        instance="",
        provider=charge.provider,
        model=charge.requested_model,
        agent=charge.tags["agent"],
        team=charge.tags["team"],
        feature=charge.tags["feature"],
        environment=charge.tags["environment"],
        outcome=charge.status,
        cost=None if charge.cost_nano is None else Decimal(charge.cost_nano).scaleb(-9),
        tokens=_classes_of(charge.usage),
        seconds=charge.duration_seconds,
        is_correction=charge.corrects is not None,
    )


def _classes_of(usage: Usage) -> dict[str, int]:
    counts = usage.counts
    read, written, reasoning = (
        counts.get(unit, 0) for unit in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    )
    classes = {
        "input": counts.get("input_tokens", 0) - read - written,
        "output": counts.get("output_tokens", 0) - reasoning,
        "cache_read": read,
        "cache_write": written,
        "reasoning": reasoning,
    }
    return {name: int(count) for name, count in classes.items() if count}


def balance_of(told: Mapping[str, Any]) -> Balance:
    """Read what the command line says of a balance."""
    amounts = {name: Decimal(str(told[f"{name}_usd"])) for name in ("limit", "spent", "reserved", "bound")}
    start, end = (datetime.fromisoformat(told["window"][edge]).timestamp() for edge in ("start", "end"))
    return Balance(
        budget=told["budget"],
        subject=told["subject"] or None,
        window=told["window"]["kind"],
        start=start,
        end=end,
        **amounts,
    )
