"""Whether what an agent sends makes sense at all: a store must never be the first to find out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
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


def fault(value: object, place: str = "$") -> str | None:
    """Say what makes no sense in a value that was read; None: nothing."""
    problem = _problem(value)
    if problem is not None:
        return f"{place} {problem}"
    return next((found for found in (fault(each, name) for name, each in _parts(value, place)) if found), None)


def _problem(value: object) -> str | None:
    match value:
        case str() if len(value) > LONGEST_TEXT:
            return f"is longer than {LONGEST_TEXT} characters"
        case int() | float() | Decimal() if not _is_in_range(value):
            return "is out of range"
        case datetime() if value.tzinfo is None or value.year not in _YEARS:
            return "is no instant with a zone"
        case Claim() if min(value.amount_nano, value.exposure_nano, value.limit_nano) < 0:
            return "has an amount below 0"
        case _:
            return None


def _is_in_range(number: float | Decimal) -> bool:
    if isinstance(number, Decimal):  # one of a million digits must not even be compared
        return number.is_finite() and number.adjusted() in _DIGITS
    return math.isfinite(number) and -_MOST <= number <= _MOST


def _parts(value: object, place: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, msgspec.Struct):
        yield from ((f"{place}.{name}", getattr(value, name)) for name in value.__struct_fields__)
    elif is_dataclass(value):
        yield from ((f"{place}.{each.name}", getattr(value, each.name)) for each in fields(value) if each.init)
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Any]", value).items():
            yield f"a key of {place}", key
            yield f"{place}.{key[:60]}", each
    elif isinstance(value, (list, tuple)):
        yield from ((f"{place}[{at}]", each) for at, each in enumerate(cast("list[object]", value)))
