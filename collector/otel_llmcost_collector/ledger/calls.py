"""Which calls of the last minutes are in a ledger: tellings of one call share its key, and begin within a minute.

An index of them on disk would be written all over with each commit; they are few minutes' worth, and stand in the
entries: a minute that is asked for is read once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

MINUTE_US = 60_000_000
_MOST = 300_000
"""So many calls are remembered at least; more than these are while one write needs them."""

_Calls = dict[int, bytes]
"""Number of a call → key of its entry."""
Load = Callable[[int], _Calls]


class CallWindow:
    """Calls by the minute in which they began."""

    def __init__(self) -> None:
        self.is_repeating = False
        """Whether what was written last was in part told before, as is likely of what comes next."""
        self._minutes: OrderedDict[int, _Calls] = OrderedDict()

    def near(self, minutes: Iterable[int], load: Load) -> dict[int, tuple[_Calls, _Calls, _Calls]]:
        """Return each of some minutes, the one before and the one behind it, in this order: itself, before, behind.

        Args:
            minutes: since 1970.
            load: reads the calls of one.
        """
        wanted = {near for minute in minutes for near in (minute - 1, minute, minute + 1)}
        for minute in sorted(wanted):
            if minute not in self._minutes:
                self._minutes[minute] = load(minute)
            self._minutes.move_to_end(minute)
        self._forget(len(wanted))
        at = self._minutes
        return {minute: (at[minute], at[minute - 1], at[minute + 1]) for minute in minutes}

    def clear(self) -> None:
        """Forget all: what is in the ledger may have changed."""
        self._minutes.clear()

    def _forget(self, needed: int) -> None:
        known = sum(map(len, self._minutes.values()))
        while len(self._minutes) > needed and (known > _MOST or len(self._minutes) > _MOST // 100):
            known -= len(self._minutes.popitem(last=False)[1])
