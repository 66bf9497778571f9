"""Budgets that a server tells all agents of a fleet to hold, beside those of a process's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from otel_llmcost.config import sections
from otel_llmcost.config.reader import Notes
from otel_llmcost.config.settings import Settings

GUARDS = ("budget", "limit", "tiers")
"""The sections of `llmcost.toml` that a server tells."""


def with_fleet(own: Settings, told: Mapping[str, object], origin: str) -> Settings:
    """Put the fleet's budgets before a process's own; where both have one of a name, the fleet's counts.

    Args:
        own: what the process was told itself.
        told: sections, as they stand in the server's file; what is not a guard is passed over.
        origin: names the server.
    """
    notes = Notes()
    notes.file, notes.is_strict = origin, own.strict
    budgets = sections.budgets({name: told[name] for name in GUARDS if name in told}, notes)
    of_fleet = {budget.name: budget for budget in budgets}
    alone = tuple(budget for budget in own.budgets if budget.name not in of_fleet)
    passed_over = [each.name for each in own.budgets if each != of_fleet.get(each.name, each)]
    return replace(
        own,
        budgets=(*budgets, *alone),
        problems=(*own.problems, *notes.problems),
        notices=(*own.notices, *(f"the budget {name!r} of {origin} counts, not your own" for name in passed_over)),
        refuse_all_reason=own.refuse_all_reason or notes.refuse_all_reason,
    )
