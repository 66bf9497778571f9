"""What is done to calls once a share of a budget is spent: less output, a cheaper model, or no call at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.change import Change

ActionKind = Literal["cap", "route", "pause"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do from a share of a budget on. Exactly one of `cap`, `route` and `pause` is said."""

    share: Decimal
    """Spent as a share of the limit."""
    level: str
    """Name of the mark at that share, or the share itself."""
    cap: int | None = None
    """Output tokens a call may ask for at most."""
    route: Mapping[str, str] | None = None
    """Pattern of a model's name → model to ask instead, of the same provider; the first that fits counts."""
    pause: Scope | None = None
    """Calls that are refused; an empty scope is every call."""

    @property
    def kind(self) -> ActionKind:
        """Name what it does."""
        if self.cap is not None:
            return "cap"
        return "route" if self.route is not None else "pause"

    def __str__(self) -> str:
        if self.cap is not None:
            return f"cap {self.cap}"
        if self.route is not None:
            return "route " + ", ".join(f"{pattern} to {model}" for pattern, model in self.route.items())
        return f"pause {str(self.pause) or 'all calls'}"

    def model_for(self, model: str) -> str | None:
        """Name the model to ask in place of one; None: it may be asked."""
        for pattern, other in (self.route or {}).items():
            if fnmatchcase(model, pattern):
                return other if other != model else None
        return None


@dataclass(frozen=True, slots=True)
class Done:
    """An action that was taken on a call."""

    budget: str
    kind: ActionKind
    text: str
    """As span and ledger tell it, such as `route gpt-4o to gpt-4o-mini: support-daily at critical`."""
    was_possible: bool = True
    """False: the request went out as the caller made it, as this cannot be changed in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the actions due come to for one call."""

    change: Change | None = None
    done: tuple[Done, ...] = ()

    def as_it_went(self, applied: Change, unapplied: Change) -> tuple[Done, ...]:
        """List what came of it; a cap that the caller keeps anyway is left out.

        Args:
            applied: what was changed in the request.
            unapplied: what could not be.
        """
        return tuple(
            each
            if _names(applied, each.kind)
            else replace(each, text=f"{each.text} (not possible)", was_possible=False)
            for each in self.done
            if _names(applied, each.kind) or _names(unapplied, each.kind)
        )


def _names(change: Change, kind: ActionKind) -> bool:
    return (change.model if kind == "route" else change.max_output_tokens) is not None


NOTHING = Plan()
