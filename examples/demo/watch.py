"""What can be seen from outside while the team works: ledger, balances, provider, receiver, and the team's output."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from examples.demo.stage import Stage
from otel_llmcost.config import Settings
from otel_llmcost.core.alert import level_at
from otel_llmcost.core.budget import Balance, Budget
from otel_llmcost.core.money import from_nano
from otel_llmcost.storage.base import GroupBy, Store, Total

GROUPS: tuple[GroupBy, ...] = ("agent", "task", "user", "model")
_REFUSED = re.compile(r"task (\S+) for (\S+) stopped: budget '([^']+)'.*: the call needs about (\S+), (\S+) of")
_TASK = re.compile(r"^  task ")


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget and one balance of it."""

    budget: Budget
    balance: Balance

    @property
    def refuses(self) -> bool:
        """Whether calls beyond the limit are refused, not only told of."""
        return self.budget.on_limit == "refuse"

    @property
    def level(self) -> str:
        """The highest mark that was reached: by spending, or by a call that was refused."""
        marks = self.budget.marks
        if self.balance.refused and marks[-1].share >= 1:
            return marks[-1].level
        return level_at(from_nano(self.balance.spent_nano), self.budget.limit, marks)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A message that came to the receiver."""

    at_seconds: float
    is_verified: bool
    level: str
    """Empty: it could not be read."""
    budget: str
    subject: str
    share: float
    by_refusal: bool
    """The mark was reached by a call that was refused, not by spending."""
    reason: str
    """Why it was not believed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that ended because a call of its was refused."""

    at_seconds: float
    task: str
    user: str
    budget: str
    needed: str
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All of it at one moment."""

    seconds: float
    """Since the curtain rose."""
    standings: Sequence[Standing]
    totals: Mapping[GroupBy, Sequence[Total]]
    webhooks: Sequence[Webhook]
    refused: Sequence[Refused]
    requests: int | None
    """At the provider, by its own count; None: it does not tell."""
    tasks: int
    """Ended so far, well or not."""

    @property
    def calls(self) -> int:
        """Charges in the ledger."""
        return sum(total.calls for total in self.totals["agent"])

    @property
    def cost_nano(self) -> int:
        """What they come to."""
        return sum(total.cost_nano for total in self.totals["agent"])

    @property
    def refused_calls(self) -> int:
        """Calls that were not sent; each is counted on the one balance that refused it."""
        return sum(standing.balance.refused for standing in self.standings)


class Watcher:
    """Reads one snapshot after the other."""

    def __init__(self, stage: Stage, settings: Settings, store: Store) -> None:
        self._stage = stage
        self._settings = settings
        self._store = store
        self._log = _Lines(stage.log)
        self._tasks = 0
        self._refused: list[Refused] = []

    def read(self) -> Snapshot:
        """Look at everything once."""
        now = datetime.now(UTC)
        seconds = (now - self._stage.began_at).total_seconds()
        for line in self._log.new():
            self._hear(line, seconds)
        server = self._stage.server
        return Snapshot(
            seconds=seconds,
            standings=self._standings(now),
            totals={by: self._store.totals((by,), self._stage.began_at, now) for by in GROUPS},
            webhooks=[self._webhook(entry) for entry in self._stage.receiver.entries],
            refused=tuple(self._refused),
            requests=None if server is None else len(server.requests),
            tasks=self._tasks,
        )

    def _hear(self, line: str, seconds: float) -> None:
        self._tasks += _TASK.match(line) is not None
        if found := _REFUSED.search(line):
            self._refused.append(Refused(seconds, *found.groups()))

    def _standings(self, now: datetime) -> list[Standing]:
        budgets = {budget.name: budget for budget in self._settings.budgets}
        order = list(budgets)
        balances = self._store.balances([(budget, budget.window.at(now)) for budget in budgets.values()])
        balances.sort(key=lambda balance: (order.index(balance.budget), balance.subject))
        return [Standing(budgets[balance.budget], balance) for balance in balances]

    def _webhook(self, entry: Mapping[str, Any]) -> Webhook:
        data = (entry["body"] or {}).get("data", {})
        return Webhook(
            at_seconds=entry["at"] - self._stage.began_at.timestamp(),
            is_verified=entry["status"] == HTTPStatus.OK,
            level=data.get("level", ""),
            budget=data.get("budget", ""),
            subject=data.get("scope", ""),
            share=float(data.get("share", 0)),
            by_refusal=bool(data.get("refused")),
            reason=entry["reason"],
        )


class _Lines:
    """The lines of a file that grows, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def new(self) -> list[str]:
        """Return the whole lines that were added since the last time."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.decode(errors="replace").splitlines()
