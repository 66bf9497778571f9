"""Where an answer tells what was used: the part of a row that reads it, unit by unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from otel_llmcost.adapters.getters import fields_of, getter, is_list
from otel_llmcost.core.usage import PARENTS, Unit, Usage, canonical

Seen = dict[str, float]
"""Path of a count → the count, as last reported."""

_Tree = tuple[tuple[str, str | None, "_Tree"], ...]
"""(field, its whole path if it is a count, what lies below it)"""


def _tree(paths: Iterable[str], before: str = "") -> _Tree:
    below: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        below.setdefault(name, []).append(rest)
    return tuple(
        (name, before + name if "" in rests else None, _tree([rest for rest in rests if rest], f"{before}{name}."))
        for name, rests in below.items()
    )


def _note(tree: _Tree, value: Any, seen: Seen) -> None:
    fields = {str(position): item for position, item in enumerate(value)} if is_list(value) else fields_of(value)
    for name, path, below in tree:
        found = fields.get(name)
        if found is not None:
            if type(found) is int or type(found) is float:
                if path is not None:
                    seen[path] = found
            elif below:
                _note(below, found, seen)


_HEADER = "header "
_MOST = 10**12
"""A count beyond this, in our unit, is none: no call comes near it, and stores can still hold what so many cost."""


class Kind(NamedTuple):
    """Counts that stand in a list, one item for each kind, such as `[{"modality": "AUDIO", "tokenCount": 7}]`."""

    items: str
    """Path of the list inside the usage object."""
    key: str
    """Field of an item that names its kind; empty: all items are of one kind."""
    kind: str
    counted: str
    """Path inside an item to what counts it."""


class UsageAt:
    """Where an answer or a chunk reports what was used, unit by unit.

    Args:
        where: paths at which the usage object lies; the first that is there is read.
        counts: unit → paths inside the usage object, summed, because canonical totals include their parts
            whatever the provider counts.
        lengths: unit → (path of a list in the answer, value of its items' `type`): counts such items.
            An empty value counts all items.
        unbilled: (path of such an item, values there that say it is not billed).
        having: unit → (path of a list in the answer, field): counts the items that have that field.
        once: units of which a request is billed one, however many it counts.
        kinds: unit → where a list has its count.
        scales: path → what a count is multiplied by to be in our unit, such as milliseconds of a count in seconds.
        headers: unit → names of the answer's headers, in lower case, summed; they count where no body told a usage.
        within: unit → its total, where the two are counted differently: no more of the part counts than of the total.
        unless: path → another that says the same; the first does not count where the other is told.
        total: path of a total of input and output; what it holds beyond the two was output, such as reasoning that
            the provider leaves out there.
    """

    def __init__(  # noqa: PLR0913 -- a row: each field is one thing a provider does
        self,
        *,
        where: tuple[str, ...],
        counts: Mapping[Unit, tuple[str, ...]],
        lengths: Mapping[Unit, tuple[str, str]] | None = None,
        unbilled: tuple[str, frozenset[str]] | None = None,
        having: Mapping[Unit, tuple[str, str]] | None = None,
        once: tuple[Unit, ...] = (),
        kinds: Mapping[Unit, tuple[Kind, ...]] | None = None,
        scales: Mapping[str, float] | None = None,
        headers: Mapping[Unit, tuple[str, ...]] | None = None,
        within: Mapping[Unit, Unit] | None = None,
        unless: Mapping[str, str] | None = None,
        total: str | None = None,
    ) -> None:
        self._where = tuple(getter(path) for path in where)
        self._lengths = tuple((unit, getter(path), kind) for unit, (path, kind) in (lengths or {}).items())
        self._get_kind = getter(unbilled[0] if unbilled else "type")
        self._unbilled: frozenset[Any] = unbilled[1] if unbilled else frozenset()
        self._having = tuple((unit, getter(path), name) for unit, (path, name) in (having or {}).items())
        self._once = once
        self._lists = bool(lengths or having or kinds)
        self._kinds = tuple(
            (_name(each), getter(each.items), getter(each.counted), each)
            for rows in (kinds or {}).values()
            for each in rows
        )
        self._scales = scales or {}
        self._headers = tuple((name, _HEADER + name) for names in (headers or {}).values() for name in names)
        self._within = within or {}
        self._unless = unless or {}
        self._total = total
        self._tree = _tree(
            dict.fromkeys([*(path for paths in counts.values() for path in paths), *filter(None, [total])])
        )
        self._units: dict[str, list[Unit]] = {} if total is None else {total: []}
        self._map(counts)
        self._map({unit: (unit,) for unit in (*(lengths or {}), *(having or {}))})
        self._map({unit: tuple(map(_name, rows)) for unit, rows in (kinds or {}).items()})
        self._map({unit: tuple(_HEADER + name for name in names) for unit, names in (headers or {}).items()})

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units that may be told."""
        return tuple(dict.fromkeys(unit for units in self._units.values() for unit in units))

    def _map(self, names_of: Mapping[Unit, tuple[str, ...]]) -> None:
        for unit, names in names_of.items():
            for name in names:
                self._units.setdefault(name, []).append(unit)

    def note(self, answer: Any, seen: Seen) -> bool:
        """Note what this answer or chunk reports; a later report of a field replaces the earlier one."""
        for get in self._where:
            usage = get(answer)
            if usage is not None:
                break
        else:
            return False
        _note(self._tree, usage, seen)
        if self._lists:
            self._count_items(answer, usage, seen)
        return True

    def _count_items(self, answer: Any, usage: Any, seen: Seen) -> None:
        for unit, get, kind in self._lengths:
            items = get(answer)
            if is_list(items) and items:
                counted = (item for item in items if not kind or fields_of(item).get("type") == kind)
                seen[unit] = sum(1 for item in counted if str(self._get_kind(item)) not in self._unbilled)
        for unit, get, name in self._having:
            items = get(answer)
            if is_list(items):
                seen[unit] = sum(1 for item in items if fields_of(item).get(name) is not None)
        for path, get, get_count, row in self._kinds:
            items = get(usage)
            if is_list(items):
                found = [get_count(item) for item in items if not row.key or fields_of(item).get(row.key) == row.kind]
                counts = [int(each) for each in found if isinstance(each, (int, float)) and _is_countable(each, None)]
                if counts or path in seen:
                    seen[path] = sum(counts)

    def note_headers(self, headers: Mapping[str, str], seen: Seen) -> None:
        """Note what the answer's headers count."""
        for name, path in self._headers:
            text = headers.get(name, "")
            if text.isdigit():
                seen[path] = int(text)

    def usage(self, seen: Mapping[str, float]) -> Usage | None:
        """Add up what was noted; None: nothing was reported."""
        counts: dict[Unit, int] = {}
        units_of, scales = self._units, self._scales
        is_told = False
        for path, count in seen.items():
            if type(count) is float and not _is_countable(count, scales.get(path)):
                continue
            rounded = count if type(count) is int and path not in scales else round(count * scales.get(path, 1))
            if rounded > _MOST:
                continue
            is_told = True
            if rounded and (path not in self._unless or self._unless[path] not in seen):
                for unit in units_of[path]:
                    counts[unit] = counts[unit] + rounded if unit in counts else rounded
        if not is_told:
            return None
        total = None if self._total is None else seen.get(self._total)
        if total is not None and total <= _MOST and isfinite(total):
            _add_what_only_the_total_tells(counts, int(total))
        counts.update({unit: 1 for unit in self._once if unit in counts})
        counts.update(
            {part: min(counts[part], counts.get(whole, 0)) for part, whole in self._within.items() if part in counts}
        )
        return canonical(counts)


def with_asked(usage: Usage | None, asked: Mapping[Unit, int], units: tuple[Unit, ...]) -> Usage | None:
    """Add to a usage what is billed as it was asked for."""
    told: Mapping[Unit, int] = {} if usage is None else usage.counts
    added: dict[Unit, int] = {}
    for unit in units:
        if asked.get(unit) and unit not in told:
            total = next((told[each] for each in PARENTS.get(unit, ()) if each in told), None)
            added[unit] = asked[unit] if total is None else total
    return canonical({**told, **added}) if added else usage


def _name(kind: Kind) -> str:
    return f"{kind.items}[{kind.kind}].{kind.counted}"


def _is_countable(count: float, scale: float | None) -> bool:
    """Tell whether a count makes sense: a broken number of what comes whole, or one without end, does not."""
    return isfinite(count) and (scale is not None or count == int(count))


def _add_what_only_the_total_tells(counts: dict[Unit, int], total: int) -> None:
    rest = total - counts.get("input_tokens", 0) - counts.get("output_tokens", 0)
    if rest > 0 and counts.get("output_tokens"):
        counts["output_tokens"] += rest
        counts["reasoning_tokens"] = max(counts.get("reasoning_tokens", 0), rest)
