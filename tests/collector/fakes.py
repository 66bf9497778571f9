"""Stands in for what the accountant works with: a ledger in memory that can fail, and be killed, at each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from otel_llmcost.core.ledger import REVERSED, Charge
from otel_llmcost.core.policy import micros
from otel_llmcost.core.unconfirmed import Unconfirmed, unconfirmed
from otel_llmcost.errors import StoreError
from otel_llmcost.storage.base import GroupBy, Total
from otel_llmcost.storage.memory_ledger import MemoryLedger
from otel_llmcost_collector.accounting.series import Series
from otel_llmcost_collector.ledger.base import Line, Note, Written
from otel_llmcost_collector.observed import Observed

_FOREVER = 10**9


class KilledError(BaseException):
    """Stands for the end of a process: nothing of ours may catch it and go on."""


@dataclass
class Disk:
    """What outlives a process."""

    lines: dict[str, Line] = field(default_factory=dict[str, Line])
    notes: dict[str, bytes] = field(default_factory=dict[str, bytes])
    calls: dict[bytes, str] = field(default_factory=dict[bytes, str])
    commits: Iterator[int] = field(default_factory=count)


class FakeLedger:
    """A ledger in memory, see `Ledger`."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.problem: StoreError | None = None
        """What every write fails with."""
        self.kill_before = self.kill_after = -1
        """At which write the process is killed, counted from 0."""
        self.writes = 0

    def write(self, lines: Sequence[Line], note: Note) -> Written:
        """See `Ledger.write`."""
        if self.problem is not None:
            raise self.problem
        number, self.writes = self.writes, self.writes + 1
        if number == self.kill_before:
            raise KilledError
        is_new, known = self._sifted(lines)
        new = [line for line, each in zip(lines, is_new, strict=True) if each]
        body = note([line.observed for line in new]) if new else None
        commit_id = None if body is None else f"commit-{next(self.disk.commits)}"
        for line in new:
            self.disk.lines[line.observed.charge_id] = line
            if line.call_key is not None:
                self.disk.calls[line.call_key] = line.observed.charge_id
        if commit_id is not None and body is not None:
            self.disk.notes[commit_id] = body
        if number == self.kill_after:
            raise KilledError
        return Written(is_new=is_new, known_calls=known, commit_id=commit_id)

    def notes(self) -> list[tuple[str, bytes]]:
        """See `Ledger.notes`."""
        return list(self.disk.notes.items())

    def done(self, commit_ids: Sequence[str]) -> None:
        """See `Ledger.done`."""
        for commit_id in commit_ids:
            self.disk.notes.pop(commit_id, None)

    def find(self, charge_ids: Sequence[str]) -> list[Observed]:
        """See `Ledger.find`."""
        return [self.disk.lines[each].observed for each in charge_ids if each in self.disk.lines]

    def since(self, at: datetime, most: int) -> list[Observed]:
        """See `Ledger.since`."""
        found = [line.observed for line in self.disk.lines.values() if line.corrects is None]
        return sorted((each for each in found if each.at_us >= micros(at)), key=lambda each: each.at_us)[-most:]

    def series(self) -> Mapping[tuple[str, ...], Sequence[int]]:
        """See `Ledger.series`."""
        made = Series({})
        made.add(self.disk.lines.values())
        return made.sums()

    def totals(self, by: Sequence[GroupBy], since: datetime, until: datetime) -> list[Total]:
        """See `Ledger.totals`."""
        return self._memory().totals(by, since, until)

    def charges(self, since: datetime, until: datetime) -> Iterator[Charge]:
        """See `Ledger.charges`."""
        return iter(self._memory().charges(since, until))

    def uncertain(self, response_id: str) -> Charge | None:
        """See `Ledger.uncertain`."""
        return self._memory().uncertain(response_id)

    def unconfirmed(self, since: datetime, until: datetime) -> list[Unconfirmed]:
        """See `Ledger.unconfirmed`."""
        return unconfirmed(self._memory().charges(since, until))

    def forget(self, before: datetime) -> int:
        """See `Ledger.forget`; sums are not kept."""
        old = [key for key, line in self.disk.lines.items() if line.observed.at_us < micros(before)]
        for key in old:
            del self.disk.lines[key]
        return len(old)

    def close(self) -> None:
        """See `Ledger.close`."""

    def _sifted(self, lines: Sequence[Line]) -> tuple[list[bool], dict[int, str]]:
        seen, calls, known = set(self.disk.lines), dict(self.disk.calls), dict[int, str]()
        is_new: list[bool] = []
        for place, line in enumerate(lines):
            charge_id, key = line.observed.charge_id, line.call_key
            holder = calls.get(key) if key is not None and line.corrects is None else None
            if holder is not None and holder != charge_id and charge_id not in seen:
                known[place] = holder
                is_new.append(False)
                continue
            is_new.append(charge_id not in seen)
            seen.add(charge_id)
            if key is not None:
                calls.setdefault(key, charge_id)
        return is_new, known

    def _memory(self) -> MemoryLedger:
        made = MemoryLedger(_FOREVER)
        for line in self.disk.lines.values():
            method = REVERSED if line.is_reversal else line.observed.method
            charge = replace(line.observed.charge(), corrects=line.corrects, method=method)
            made.add(replace(charge, estimate_nano=line.estimate_nano, actions=line.actions))
        return made
