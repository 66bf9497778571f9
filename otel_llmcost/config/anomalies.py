"""`[anomalies]` of `llmcost.toml` as a value of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from otel_llmcost.config import kinds
from otel_llmcost.config.kinds import Kind, WrongValueError, listed, one_of, part, unknown
from otel_llmcost.config.reader import Notes, Table, shown
from otel_llmcost.core.anomaly import TOTAL, WATCHED, Anomalies, By
from otel_llmcost.core.money import to_nano
from otel_llmcost.core.usual import Method

_MOST = 1000
_LONGEST_DAYS = 365
"""As far as that, the ledger is read for every look."""
_LOSS = "it is taken as if left out"
_DIMENSIONS: tuple[By, ...] = tuple(by for by in WATCHED if by != TOTAL)


def anomalies(document: Mapping[str, object], notes: Notes) -> Anomalies:
    """Read `[anomalies]`; what of it cannot be read is noted and taken as if left out."""
    section = document.get("anomalies", {})
    if not isinstance(section, dict):
        expected = "a table headed [anomalies]"
        notes.place(("anomalies",), f"found {shown(section)}", loss=_LOSS, expected=expected)
        section = {}
    row = Table(notes, ("anomalies",), cast("Mapping[str, object]", section), loss=_LOSS, guards=False)
    default = Anomalies()
    least = row.take("least_usd", kinds.USD, None)
    found = Anomalies(
        is_watched=row.take("watch", kinds.SWITCH, default.is_watched),
        by=row.take("by", _BY, default.by),
        method=row.take("method", _METHOD, default.method),
        threshold=row.take("threshold", _THRESHOLD, default.threshold),
        least_nano=default.least_nano if least is None else to_nano(least),
        first_seen=row.take("first_seen", _FIRST_SEEN, default.first_seen),
        first_seen_days=row.take("first_seen_days", _DAYS, default.first_seen_days),
    )
    row.finish()
    return found


def _names(value: object, known: tuple[By, ...]) -> tuple[By, ...]:
    if not isinstance(value, list):
        raise WrongValueError(value)

    def read(name: object) -> By:
        for by in known:
            if by == name:
                return by
        raise WrongValueError(name, problem=unknown("dimension", str(name), known), expected=listed(known))

    names: tuple[By, ...] = tuple(part(at, read, name) for at, name in enumerate(cast("list[object]", value)))
    if len(set(names)) != len(names):
        raise WrongValueError(names, problem="a dimension is named twice")
    return names


def _threshold(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST:
        raise WrongValueError(value)
    return float(value)


def _days(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LONGEST_DAYS:
        raise WrongValueError(value)
    return value


_BY: Kind[tuple[By, ...]] = Kind(
    'a list of dimensions such as ["total", "agent"]', lambda value: _names(value, WATCHED)
)
_FIRST_SEEN: Kind[tuple[By, ...]] = Kind(
    'a list of dimensions such as ["agent", "model"]', lambda value: _names(value, _DIMENSIONS)
)
_METHOD: Kind[Method] = one_of(get_args(Method))
_THRESHOLD = Kind(f"a number above 0 and up to {_MOST}, such as 3", _threshold)
_DAYS = Kind(f"a number of days from 1 to {_LONGEST_DAYS}", _days)
