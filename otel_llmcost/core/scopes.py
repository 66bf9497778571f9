"""Which of many scopes a call is in, at a cost that grows neither with them nor with who all calls."""

from __future__ import annotations

import re
from collections.abc import Sequence

from otel_llmcost.core.attribution import Dimension, Scope, Tags, compiled

_MOST_VALUES = 10_000
_MOST_GROUPS = 10_000
_NEVER = "(?!)"


class Scopes:
    """Many scopes, by their places.

    Each pattern is a bit. A value of a dimension sets those of the patterns that it fits, once for all calls that say
    it; what all values of a call set together tells its scopes, once for all calls alike in that. So a user nobody saw
    before costs a look at the patterns of users, and not at every scope.
    """

    def __init__(self, scopes: Sequence[Scope]) -> None:
        """Take them all; threads may share what is made of them."""
        self._dimensions: dict[Dimension, _Bits] = {}
        self._needed = [self._needed_by(scope) for scope in scopes]
        self._groups: dict[int, tuple[int, ...]] = {}
        """Bits that a call sets → places of the scopes that it is in."""

    def around(self, tags: Tags) -> tuple[int, ...]:
        """Return the places of the scopes that a call is in, in order."""
        found = 0
        for dimension, bits in self._dimensions.items():
            value = tags.get(dimension)
            if value is not None:
                known = bits.known.get(value)
                found |= bits.look_at(value) if known is None else known
        group = self._groups.get(found)
        return self._group(found) if group is None else group

    def _group(self, found: int) -> tuple[int, ...]:
        if len(self._groups) >= _MOST_GROUPS:
            self._groups.clear()
        group = tuple(place for place, needed in enumerate(self._needed) if needed & found == needed)
        self._groups[found] = group
        return group

    def _needed_by(self, scope: Scope) -> int:
        """Return the bits that a call in a scope sets, numbering those that are new."""
        needed = 0
        for dimension, patterns in scope.patterns.items():
            bits = self._dimensions.setdefault(dimension, _Bits())
            if patterns not in bits.numbered:
                bits.add(patterns, 1 << sum(len(each.numbered) for each in self._dimensions.values()))
            needed |= bits.numbered[patterns]
        return needed


class _Bits:
    """The patterns of one dimension."""

    __slots__ = ("any_wild", "exact", "known", "numbered", "wild")

    def __init__(self) -> None:
        self.numbered: dict[tuple[str, ...], int] = {}
        """Patterns as a scope has them → their bit."""
        self.exact: dict[str, int] = {}
        """Value → bits of the patterns that name it."""
        self.wild: list[tuple[re.Pattern[str], int]] = []
        self.any_wild: re.Pattern[str] | None = None
        """All of those in one, made when first asked for: most values fit none of many."""
        self.known: dict[str, int] = {}
        """Value → bits of all patterns that it fits."""

    def add(self, patterns: tuple[str, ...], bit: int) -> None:
        """Take in the patterns of a scope."""
        self.numbered[patterns] = bit
        exact, wild = compiled(patterns)
        for value in exact:
            self.exact[value] = self.exact.get(value, 0) | bit
        if wild is not None:
            self.wild.append((wild, bit))

    def look_at(self, value: str) -> int:
        """Find the bits of a value that was not seen yet."""
        if len(self.known) >= _MOST_VALUES:
            self.known.clear()
        found = self.exact.get(value, 0)
        if self.any_wild is None:
            self.any_wild = re.compile("|".join(pattern.pattern for pattern, _ in self.wild) or _NEVER)
        for pattern, bit in self.wild if self.any_wild.match(value) is not None else ():
            if pattern.match(value) is not None:
                found |= bit
        self.known[value] = found
        return found
