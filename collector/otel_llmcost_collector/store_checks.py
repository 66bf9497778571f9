"""Whether what an agent sends makes sense at all: a store must never be the first to find out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import msgspec

from otel_llmcost.core.budget import Claim

LONGEST_TEXT = 8192
_MOST = 2**62
"""Amounts are added up in 64 bits."""
_DIGITS = range(-30, 19)
_YEARS = range(1970, 9000)
_known: dict[Any, tuple[str, ...]] = {}
"""Class → its fields: to ask a class for them takes longer than to look at them all."""


def fault(value: object) -> str | None:
    """Say what makes no sense in a value that was read; None: nothing."""
    return None if _is_sane(value) else next(_faults(value, "$"))


def _is_sane(value: object) -> bool:
    """Look at all there is, without noting where: nearly always nothing is wrong."""
    return _problem(value) is None and all(map(_is_sane, _parts(value)))


def _faults(value: object, place: str) -> Iterator[str]:
    problem = _problem(value)
    if problem is not None:
        yield f"{place} {problem}"
    for name, part in zip(_part_names(value), _parts(value), strict=False):
        yield from _faults(part, place + name)


def _problem(value: object) -> str | None:
    match value:
        case str():
            return f"is longer than {LONGEST_TEXT} characters" if len(value) > LONGEST_TEXT else None
        case int() | float():
            return None if -_MOST <= value <= _MOST else "is out of range"
        case Decimal():  # one of a million digits must not even be compared
            return None if value.is_finite() and value.adjusted() in _DIGITS else "is out of range"
        case datetime() if value.tzinfo is None or value.year not in _YEARS:
            return "is no instant with a zone"
        case Claim() if min(value.amount_nano, value.exposure_nano, value.limit_nano) < 0:
            return "has an amount below 0"
        case _:
            return None


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, (str, int)):
        return ()
    if isinstance(value, (list, tuple)):
        return cast("list[object]", value)
    if isinstance(value, dict):
        known = cast("dict[object, object]", value)
        return (*known, *known.values())
    return (getattr(value, name) for name in _names(type(value)))


def _part_names(value: object) -> Iterable[str]:
    if isinstance(value, (list, tuple)):
        return (f"[{at}]" for at in range(len(cast("list[object]", value))))
    if isinstance(value, dict):
        keys = [str(key)[:60] for key in cast("dict[object, object]", value)]
        return (*(f": the key {key}…" for key in keys), *(f".{key}" for key in keys))
    return (f".{name}" for name in _names(type(value)))


def _names(kind: Any) -> tuple[str, ...]:
    known = _known.get(kind)
    if known is None:
        if issubclass(kind, msgspec.Struct):
            known = kind.__struct_fields__
        else:
            known = tuple(each.name for each in fields(kind) if each.init) if is_dataclass(kind) else ()
        _known[kind] = known
    return known
