"""What people decided, and who does which duty, in this process's memory."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter

from otel_llmcost.core.acts import Act, in_force


class MemoryActs:
    """All acts, in the order they came, and the duties of the processes that share this memory: of one."""

    def __init__(self) -> None:
        self._acts: dict[str, Act] = {}
        self._duties: dict[str, tuple[str, datetime]] = {}

    def add(self, act: Act) -> None:
        """Write an act down, unless it is there."""
        self._acts.setdefault(act.act_id, act)

    def between(self, since: datetime, until: datetime) -> list[Act]:
        """Read the acts of a time, oldest first."""
        return sorted((act for act in self._acts.values() if since <= act.at < until), key=attrgetter("at"))

    def in_force(self, now: datetime) -> list[Act]:
        """Read the stops and raises that hold, oldest first."""
        found = in_force(self._acts.values(), now)
        return sorted((*found.stops, *found.raises), key=attrgetter("at"))

    def lead(self, duty: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take a duty, or keep it."""
        held_by, held_until = self._duties.get(duty, (holder, now))
        if held_by != holder and now < held_until:
            return False
        self._duties[duty] = holder, until
        return True
