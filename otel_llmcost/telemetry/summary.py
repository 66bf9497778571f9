"""What this process has spent so far, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.core.unconfirmed import unconfirmed
from otel_llmcost.telemetry.meters import TOKEN_CLASSES, Cell, CellKey, Meters

KEPT_EVENTS = 1000


def summarise(meters: Meters, events: Iterable[Charge] = ()) -> dict[str, Any]:
    """Sum up: totals, by model, by agent, and the latest charges; amounts as text, exact to the nano-dollar.

    Args:
        meters: all there is to add up.
        events: the latest charges; those that are not confirmed are counted by what is not known of them.
    """
    latest = list(events)
    with meters.lock:
        cells = list(meters.cells.items())
        refused = sum(meters.refusals.values())
    return {
        **_total(cells),
        "refused_calls": refused,
        "by_model": {name: _total(part) for name, part in _by(cells, "model").items()},
        "by_agent": {name: _total(part) for name, part in _by(cells, "agent").items()},
        "unconfirmed": [{**asdict(each), "last_at": each.last_at.isoformat()} for each in unconfirmed(latest)],
        "events": [_event(charge) for charge in latest],
    }


def as_text(summary: dict[str, Any]) -> str:
    """Write a summary as a few lines for a terminal."""
    lines = [
        f"otel-llmcost: {format_usd(Decimal(summary['cost_usd']))} for {summary['calls']} calls,"
        f" {summary['tokens']:,} tokens" + _remarks(summary)
    ]
    for title in ("by_model", "by_agent"):
        for name, part in sorted(summary[title].items(), key=lambda each: Decimal(each[1]["cost_usd"]), reverse=True):
            kind = title.removeprefix("by_")
            cost = format_usd(Decimal(part["cost_usd"]))
            lines.append(f"  {kind:5} {name:32} {cost:>12}  {part['calls']:>6} calls{_remarks(part)}")
    lines += [
        f"  {each['status']} {each['provider']}/{each['model']}: {each['calls']} calls, usage {each['method']}"
        for each in summary["unconfirmed"]
    ]
    return "\n".join(lines)


def _remarks(summary: dict[str, Any]) -> str:
    remarks = [
        f"{summary[key]} {word}"
        for key, word in (("unpriced_calls", "unpriced"), ("refused_calls", "refused"), ("failed_calls", "failed"))
        if summary.get(key)
    ]
    return f" ({', '.join(remarks)})" if remarks else ""


def _by(cells: list[tuple[CellKey, Cell]], name: str) -> dict[str, list[tuple[CellKey, Cell]]]:
    parts: dict[str, list[tuple[CellKey, Cell]]] = {}
    for key, cell in cells:
        if key.outcome != "refused":
            parts.setdefault(getattr(key, name) or "(none)", []).append((key, cell))
    return parts


def _total(cells: list[tuple[CellKey, Cell]]) -> dict[str, Any]:
    sent = [(key, cell) for key, cell in cells if key.outcome != "refused"]
    cost = from_nano(sum(cell.cost_nano for _, cell in sent))
    tokens = sum(sum(cell.tokens) for _, cell in sent)
    return {
        "calls": sum(cell.calls for _, cell in sent),
        "cost_usd": f"{cost:f}",
        "tokens": tokens,
        "tokens_by_class": {
            name: sum(cell.tokens[position] for _, cell in sent) for position, name in enumerate(TOKEN_CLASSES)
        },
        "cost_per_token_usd": f"{cost / tokens:.12f}" if tokens else None,
        "unpriced_calls": sum(cell.calls for key, cell in sent if key.outcome == "unpriced"),
        "failed_calls": sum(cell.calls for key, cell in sent if key.outcome == "failed"),
    }


def _event(charge: Charge) -> dict[str, Any]:
    return {
        "charge_id": charge.charge_id,
        "at": charge.at.isoformat(),
        "provider": charge.provider,
        "model": charge.model,
        "status": charge.status,
        "method": charge.method,
        "cost_usd": None if charge.cost_nano is None else f"{from_nano(charge.cost_nano):f}",
        "usage": dict(charge.usage.counts),
        "attribution": dict(charge.tags),
    }
