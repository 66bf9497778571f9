"""From tellings to lines of the ledger, with a mind to what stands there for a call already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from otel_llmcost.core.ledger import REVERSED
from otel_llmcost_collector.accounting.bookings import Noted, reversal_of
from otel_llmcost_collector.accounting.bookkeeper import Task
from otel_llmcost_collector.accounting.tellings import call_key, is_own, rank_of
from otel_llmcost_collector.accounting.twins import Plan, Twins
from otel_llmcost_collector.ledger.base import Ledger, Line
from otel_llmcost_collector.observed import Observed


@dataclass(frozen=True, slots=True)
class Form:
    """How calls of one kind are entered."""

    noted: Callable[[Sequence[Line]], Noted]
    """Says what new lines leave to be done on balances."""
    take: Callable[[Task], object]
    """Takes it on."""
    plain: Mapping[str, Line] = field(default_factory=dict[str, Line])
    """Charge id → what is to be written of it beside what was observed."""
    corrections: Sequence[Line] = ()

    def dressed(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Return lines with what plugins tell beside what is observed."""
        return [self._dressed(line) for line in lines] if self.plain else lines

    def _dressed(self, line: Line) -> Line:
        said = self.plain.get(line.observed.charge_id)
        if said is None:
            return line
        return msgspec.structs.replace(line, estimate_nano=said.estimate_nano, actions=said.actions)


def lines_of(plan: Plan, twins: Twins, ledger: Ledger) -> list[Line]:
    """Make the lines that a plan comes to.

    Args:
        plan: what was chosen.
        twins: learns what cannot be replaced.
        ledger: tells what entries come to that are to be taken back.
    """
    if not plan.replaces and not plan.taken_back:
        return [_line(each) for each in plan.charges if each is not None]
    standing = _standing(ledger, [*plan.replaces.values(), *plan.taken_back])
    lines = [reversal_of(standing[entry]) for entry in plan.taken_back if entry in standing]
    for place, charge in enumerate(plan.charges):
        replaced = plan.replaces.get(place)
        if charge is None:
            continue
        if replaced is None:
            lines.append(_line(charge))
        elif replaced in standing:
            lines += replacing(charge, standing[replaced])
        else:  # somebody replaced it before, and what by is not known here: the call is charged
            own_id = charge.charge_id
            twins.stands(own_id, own_id if _standing(ledger, [own_id]) else replaced, None)
    return lines


def replacing(observed: Observed, standing: Observed) -> list[Line]:
    """Make the lines that put one entry in the place of another."""
    return [reversal_of(standing), Line(observed=observed, call_key=call_key(observed), corrects=standing.charge_id)]


def richer(lines: Sequence[Line], known: Mapping[int, str], twins: Twins, ledger: Ledger) -> list[Line]:
    """Make the lines for calls that the ledger knew under another id, and knew less of.

    Args:
        lines: that were to be written.
        known: place of a line → id of the entry of its call.
        twins: learns what stands.
        ledger: tells what that entry says.
    """
    standing = _standing(ledger, list(known.values()))
    found: list[Line] = []
    for place, entry_id in known.items():
        observed, entry = lines[place].observed, standing.get(entry_id)
        if entry is not None and is_own(observed) and is_own(entry):
            found.append(Line(observed=observed))  # our plugin makes one charge of a call: these are two
        elif entry is not None and rank_of(observed) > rank_of(entry):
            found += replacing(observed, entry)
        else:
            twins.stands(observed.charge_id, entry_id, entry)
    return found


def _line(observed: Observed) -> Line:
    return Line(observed=observed, call_key=call_key(observed))


def _standing(ledger: Ledger, ids: Sequence[str]) -> dict[str, Observed]:
    """Read entries that nobody took back."""
    found = {each.charge_id: each for each in ledger.find([*ids, *[f"{each}-{REVERSED}" for each in ids]])}
    return {each: found[each] for each in ids if each in found and f"{each}-{REVERSED}" not in found}
