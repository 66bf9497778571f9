"""What people decide while agents run: who stopped or raised what, when, why and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from otel_llmcost.core.attribution import Scope, Tags
from otel_llmcost.core.budget import Balance

ActKind = Literal["stop", "resume", "raise", "lower", "reset"]
"""`resume` ends a stop, `lower` ends a raise before its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One decision of a person; it is only ever added, and ended by another."""

    act_id: str
    """UUIDv7."""
    at: datetime
    kind: ActKind
    by: str
    reason: str = ""
    scope: Scope = field(default_factory=Scope)
    """Of a stop: the calls that are refused; no pattern at all is every call."""
    budget: str | None = None
    """Of a raise or reset."""
    subject: str | None = None
    """The one balance it is for; None: all of the budget's."""
    amount_nano: int | None = None
    """Of a raise: by how much the limit is higher."""
    until: datetime | None = None
    """None: until it is ended."""
    ends: str | None = None
    """Id of the act that this one ends."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The acts in force, as calls are held against them."""

    stops: tuple[Act, ...] = ()
    raises: tuple[Act, ...] = ()

    def stop_of(self, tags: Tags, now: datetime) -> Act | None:
        """Return the stop that a call falls under; None: it may be sent."""
        return next((act for act in self.stops if _holds(act, now) and act.scope.matches(tags)), None)

    def raised_nano(self, budget: str, now: datetime) -> int:
        """Say by how much a budget's limit is raised for all its balances."""
        return sum(act.amount_nano or 0 for act in self._raises_of(budget, now) if act.subject is None)

    def raised_subjects(self, budget: str, now: datetime) -> Mapping[str, int]:
        """Say by how much more it is raised for single subjects."""
        found: dict[str, int] = {}
        for act in self._raises_of(budget, now):
            if act.subject is not None:
                found[act.subject] = found.get(act.subject, 0) + (act.amount_nano or 0)
        return found

    def lifted(self, balance: Balance, now: datetime) -> Balance:
        """Return a balance with the limit that it has now."""
        more = self.raised_nano(balance.budget, now)
        more += self.raised_subjects(balance.budget, now).get(balance.subject, 0)
        return replace(balance, limit_nano=balance.limit_nano + more) if more else balance

    def ends_after(self, now: datetime) -> list[datetime]:
        """List when raises end."""
        return [act.until for act in self.raises if act.until is not None and act.until > now]

    def _raises_of(self, budget: str, now: datetime) -> list[Act]:
        return [act for act in self.raises if act.budget == budget and _holds(act, now)]


NO_CONTROLS = Controls()


def in_force(acts: Iterable[Act], now: datetime) -> Controls:
    """Tell what holds of all acts there are."""
    known = list(acts)
    ended = {act.ends for act in known if act.ends is not None}
    holding = [act for act in known if act.act_id not in ended and _holds(act, now)]
    return Controls(
        tuple(act for act in holding if act.kind == "stop"),
        tuple(act for act in holding if act.kind == "raise"),
    )


def _holds(act: Act, now: datetime) -> bool:
    return act.until is None or now < act.until
