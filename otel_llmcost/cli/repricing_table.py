"""How `ledger reprice` shows what would change."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.table import Table

from otel_llmcost.cli.output import Column, table, usd
from otel_llmcost.core.ledger import REVERSED, Charge
from otel_llmcost.core.money import from_nano


@dataclass(slots=True)
class Change:
    """Entries of one model."""

    entries: int = 0
    changed: int = 0
    old_nano: int = 0
    new_nano: int = 0
    kept: int = 0
    """Without a rate, or with a cost that is the provider's own word."""


@dataclass(slots=True)
class Comparison:
    """Entries at their old and at their new prices, by model."""

    models: dict[tuple[str, str], Change] = field(default_factory=dict[tuple[str, str], Change])

    def add(self, old: Charge, new: Charge | None) -> None:
        """Add an entry; None: it stays as it is."""
        if old.method == REVERSED:
            return
        now = old if new is None else new
        change = self.models.setdefault((old.provider, old.model), Change())
        change.entries += 1
        change.changed += (now.cost_nano, now.list_cost_nano) != (old.cost_nano, old.list_cost_nano)
        change.kept += new is None
        change.old_nano += old.cost_nano or 0
        change.new_nano += now.cost_nano or 0

    def whole(self) -> Change:
        """Add up all models."""
        every = self.models.values()
        return Change(
            sum(each.entries for each in every),
            sum(each.changed for each in every),
            sum(each.old_nano for each in every),
            sum(each.new_nano for each in every),
            sum(each.kept for each in every),
        )

    def drawn(self, title: str) -> Table:
        """Draw it, the largest differences first."""
        numbers = ("entries", "changed", "old cost", "new cost", "difference")
        ordered = sorted(self.models.items(), key=lambda item: -abs(item[1].new_nano - item[1].old_nano))
        return table(
            [Column("provider"), Column("model"), *(Column(name, is_number=True) for name in numbers)],
            [[*name, *_cells(change)] for name, change in ordered],
            title=title,
            total=["total", "", *_cells(self.whole())],
        )

    def document(self) -> dict[str, object]:
        """Return it as programs read it."""
        named = [{"provider": name[0], "model": name[1], **_record(change)} for name, change in self.models.items()]
        return {"total": _record(self.whole()), "models": named}

    def said(self, *, is_applied: bool) -> str:
        """Say what was done, and what to do."""
        whole = self.whole()
        kept = f" {whole.kept} entries stay as they are: no rate, or the provider's own word." if whole.kept else ""
        if not whole.changed:
            return f"Nothing changes.{kept}"
        if is_applied:
            return f"{whole.changed} entries were corrected; budgets' balances were not moved.{kept}"
        return f"Nothing was written: --apply writes corrections of {whole.changed} entries.{kept}"


def _cells(change: Change) -> list[str]:
    amounts = (change.old_nano, change.new_nano, change.new_nano - change.old_nano)
    return [str(change.entries), str(change.changed), *map(usd, amounts)]


def _record(change: Change) -> dict[str, object]:
    return {
        "entries": change.entries,
        "changed": change.changed,
        "kept": change.kept,
        "old_cost_usd": from_nano(change.old_nano),
        "new_cost_usd": from_nano(change.new_nano),
        "difference_usd": from_nano(change.new_nano - change.old_nano),
    }
