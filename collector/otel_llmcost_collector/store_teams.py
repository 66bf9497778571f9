"""What a token that is bound to one team sees and does: only what is that team's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from otel_llmcost.core.attribution import DIMENSIONS, encodable
from otel_llmcost.core.budget import Balance, Budget, Claim
from otel_llmcost.core.ledger import Charge
from otel_llmcost.storage.base import GroupBy, Posting, Total


def names_another(subject: str, team: str) -> bool:
    """Tell whether a balance's subject names a team that is not this one."""
    plain = encodable(team)
    ours = {f"team={plain}", f"team={plain.replace('%', '%25').replace(',', '%2C')}"}
    if subject in ours:
        return False
    parts = subject.split(",")
    if not all(part.partition("=")[0] in DIMENSIONS for part in parts):  # a comma in the value of a single dimension
        parts = [subject]
    return any(part.startswith("team=") and part not in ours for part in parts)


def claims_of(claims: Iterable[Claim], team: str) -> tuple[Claim, ...]:
    """Leave out claims on other teams' balances."""
    return tuple(claim for claim in claims if not names_another(claim.key.subject, team))


def posting_of(posting: Posting, team: str) -> Posting:
    """Make a call the team's, whatever team it says it is for: whoever holds the token pays.

    It is not turned away, since money that was spent has to be booked.
    """
    charge = posting.charge
    if charge is not None:
        charge = replace(charge, tags={**charge.tags, "team": team})
    return replace(posting, charge=charge, claims=claims_of(posting.claims, team))


def is_scoped_to(budget: Budget, team: str) -> bool:
    """Tell whether a budget counts this team's calls only."""
    return budget.scope.patterns.get("team") == (team,)


def balances_of(balances: Iterable[Balance], team: str) -> list[Balance]:
    """Leave out other teams' balances."""
    return [balance for balance in balances if not names_another(balance.subject, team)]


def is_of(charge: Charge | None, team: str) -> bool:
    """Tell whether a charge is the team's."""
    return charge is not None and charge.tags.get("team") == team


def with_team(by: Sequence[GroupBy]) -> list[GroupBy]:
    """Group by team too, as the last one."""
    return [*by, "team"]


def totals_of(totals: Iterable[Total], team: str) -> list[Total]:
    """Leave out other teams' totals, and the team that they were grouped by last."""
    return [replace(total, group=total.group[:-1]) for total in totals if total.group[-1] == team]
