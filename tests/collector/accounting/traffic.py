"""Traffic as a fleet sends it, and what it must come to: calls told several times, sent again, in any order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from otel_llmcost.core.uuid7 import uuid7
from otel_llmcost_collector.observed import Observed, id_of_span
from tests.collector.accounting.telling import NOW_US, SECOND, told

SOURCES = ("official", "openinference", "traceloop")


@dataclass
class Traffic:
    """Calls and all that is told of them.

    The poorest telling of a call says another cost than the others: which of those stands in the end hangs on what was
    in memory when a process died, the cost must not.
    """

    random: random.Random
    tellings: list[Observed] = field(default_factory=list[Observed])
    settled: list[Observed] = field(default_factory=list[Observed])
    """Of those that our plugin tells, those that it settles over the API too."""
    cost_nano: int = 0
    calls: int = 0
    by_user: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, count: int) -> None:
        """Make calls."""
        for _ in range(count):
            made = self._tellings()
            self.tellings += made
            self.calls += 1
            cost = made[-1].cost_nano or 0
            self.cost_nano += cost
            user = made[-1].tags["user"]
            self.by_user[user] = self.by_user.get(user, 0) + cost

    def batches(self, size: int = 8) -> list[list[Observed]]:
        """Cut it into batches, a fifth of which comes again, cut otherwise, in any order."""
        made = self._cut(self.tellings, size)
        again = self.random.sample(self.tellings, len(self.tellings) // 5)
        made += self.random.sample(made, len(made) // 5) + self._cut(again, size // 2)
        self.random.shuffle(made)
        return made

    def _cut(self, tellings: Sequence[Observed], size: int) -> list[list[Observed]]:
        mixed = self.random.sample(tellings, len(tellings))
        return [mixed[start : start + size] for start in range(0, len(mixed), size)]

    def _tellings(self) -> list[Observed]:
        """Make one call's, the poorest first."""
        call = told(
            trace_id=self._hex(32),
            span_id=self._hex(16),
            at_us=NOW_US - self.random.randrange(60 * SECOND),
            cost_nano=self.random.randrange(1, 10**9),
            tags={"user": f"u-{self.random.randrange(7)}", "agent": "writer"},
            source=SOURCES[0],
            richness=1,
        )
        kind = self.random.choice(["one", "answer", "siblings", "nested", "ours"])
        return [call] if kind == "one" else self._twins(call, kind)

    def _twins(self, call: Observed, kind: str) -> list[Observed]:
        facts: dict[str, Any] = {"answer": {"response_id": f"chatcmpl-{self._hex(30)}"}}.get(kind, {})
        call = self._remade(call, **facts)
        if kind == "ours":
            ours = msgspec.structs.replace(call, charge_id=uuid7(call.at_us // 1000, self.random.getrandbits(74)))
            ours = msgspec.structs.replace(ours, span_id=self._hex(16), richness=9, source="otel-llmcost")
            self.settled += self.random.choice([[], [ours], [ours, ours]])
            return [self._remade(call, cost_nano=7), ours]
        found = [self._remade(call, cost_nano=7)]
        for place, source in enumerate(SOURCES[1 : self.random.randrange(2, 4)], 2):
            parent = found[-1].span_id if kind == "nested" else None
            facts = {"source": source, "richness": place, "parent_span_id": parent, "span_id": self._hex(16)}
            if kind == "answer":
                facts["trace_id"] = self._hex(32)
            found.append(self._remade(call, **facts))
        return found

    def _remade(self, call: Observed, **changes: Any) -> Observed:
        made = msgspec.structs.replace(call, **changes)
        charge_id = id_of_span(made.at_us, made.span_id or "", made.trace_id or "")
        return msgspec.structs.replace(made, charge_id=charge_id)

    def _hex(self, digits: int) -> str:
        return f"{self.random.getrandbits(digits * 4):0{digits}x}"
