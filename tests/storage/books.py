"""Values that the tests of stores share: a budget, its calls, and how they end."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from otel_llmcost.core.alert import Channel
from otel_llmcost.core.attribution import Tags
from otel_llmcost.core.budget import Balance, Budget, Claim, Refusal
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.policy import Estimate, Policy
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.uuid7 import uuid7
from otel_llmcost.core.window import Calendar, Window
from otel_llmcost.storage.base import Hold, Posting, Store

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DAY = Calendar("day")
LEASE = timedelta(minutes=15)
USD = 1_000_000_000
"""One, in nano-USD."""


def budget(name: str = "all", limit: str = "10", *, window: Window = DAY, **more: Any) -> Budget:
    return Budget(name=name, limit=Decimal(limit), window=window, **more)


def charge(at: datetime = NOW, **changes: Any) -> Charge:
    made = Charge(
        charge_id=new_id(at),
        at=at,
        duration_seconds=1.5,
        provider="openai",
        operation="chat",
        requested_model="gpt-4o",
        served_model="gpt-4o-2024-08-06",
        tags={"agent": "writer", "provider": "openai", "model": "gpt-4o"},
        usage=Usage({"input_tokens": 1500, "output_tokens": 500, "cache_read_tokens": 100}),
        status="confirmed",
        cost_nano=USD,
        list_cost_nano=USD,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    return replace(made, **changes)


def channel(name: str = "ops", *levels: str, **more: Any) -> Channel:
    """Make a channel that wants these levels."""
    return Channel(name=name, url="https://hooks.example.com/", secret=None, levels=frozenset(levels), **more)


def new_id(at: datetime) -> str:
    return uuid7(int(at.timestamp() * 1000), random.getrandbits(74))


@dataclass
class Books:
    """A store, the budgets on it, and a clock that a test sets."""

    store: Store
    budgets: Sequence[Budget] = field(default_factory=lambda: [budget()])
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.policy = Policy(self.budgets, self.now)

    def claims(self, usd: float, tags: Tags, exposure_usd: float = 0, tokens: int = 0) -> tuple[Claim, ...]:
        estimate = Estimate(
            expected_nano=int(usd * USD),
            worst_nano=int(usd * USD) + int(exposure_usd * USD),
            is_capped=False,
            input_tokens=tokens,
            expected_output_tokens=0,
        )
        return self.policy.claims(tags, self.now, estimate, lambda _budget, _subject: None)

    def hold(self, usd: float, tags: Tags | None = None, *, exposure_usd: float = 0, tokens: int = 0) -> Hold:
        return Hold(
            reservation_id=new_id(self.now),
            claims=self.claims(usd, tags or {}, exposure_usd, tokens),
            at=self.now,
            expires_at=self.now + LEASE,
            trace_id="0af7651916cd43dd8448eb211c80319c",
        )

    def reserve(self, usd: float, tags: Tags | None = None, *, exposure_usd: float = 0, tokens: int = 0) -> Hold:
        """Start a call that is not to be refused."""
        hold = self.hold(usd, tags, exposure_usd=exposure_usd, tokens=tokens)
        refusal = self.store.reserve(hold)
        assert not isinstance(refusal, Refusal), refusal
        return hold

    def posting(
        self, hold: Hold, usd: float | None, *, assumed: Mapping[str, int] | None = None, **changes: Any
    ) -> Posting:
        """End a call with this cost; None: it has no price."""
        cost = None if usd is None else int(usd * USD)
        made = charge(hold.at, charge_id=hold.reservation_id, cost_nano=cost, list_cost_nano=cost, **changes)
        return Posting(reservation_id=hold.reservation_id, claims=hold.claims, charge=made, assumed=assumed or {})

    def loose(self, made: Charge) -> Posting:
        """End a call that counted on no budget."""
        return Posting(reservation_id=made.charge_id, claims=(), charge=made, assumed={})

    def spend(self, usd: float | None, tags: Tags | None = None, **changes: Any) -> list[str]:
        """Let a call of this cost happen; return the levels it fired."""
        hold = self.reserve(usd or 0, tags)
        return [alert.level for alert in self.store.settle([self.posting(hold, usd, **changes)])]

    def balance(self, name: str = "all") -> Balance:
        """Read the one balance of a budget."""
        (found,) = self.balances(name)
        return found

    def balances(self, name: str) -> list[Balance]:
        spans = [(found, found.window.at(self.now)) for found in self.budgets if found.name == name]
        return self.store.balances(spans)


def unbilled(hold: Hold) -> Posting:
    """End a call that cost nothing."""
    return Posting(reservation_id=hold.reservation_id, claims=hold.claims, charge=None, assumed={})
