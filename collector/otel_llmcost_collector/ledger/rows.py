"""Entries as rows of a ledger, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from struct import Struct
from typing import Any, cast

import msgspec

from otel_llmcost.core.attribution import Dimension, encodable
from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.usage import Unit
from otel_llmcost_collector.ledger.base import Line
from otel_llmcost_collector.ledger.keys import id_of, is_stray, packed, tells_span
from otel_llmcost_collector.ledger.kinds import Kind, clean
from otel_llmcost_collector.observed import Observed

COLUMNS = (
    "id",
    "at_us",
    "kind",
    "person",
    "task",
    "session",
    "trace_id",
    "span_id",
    "parent_id",
    "response_id",
    "call_key",
    "duration_us",
    "input",
    "output",
    "cache_read",
    "cache_write",
    "reasoning",
    "cost",
    "list_cost",
    "more",
    "unsure",
    "stray",
)
COUNTED: Mapping[str, Unit] = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning": "reasoning_tokens",
}
"""Column → what is counted in it; whatever else was counted stands in `more`."""
_COUNTED = frozenset(COUNTED.values())
_TEXTS = [COLUMNS.index(name) for name in ("task", "session", "response_id")]
"""Those that anybody may have written; all other text was looked at before."""
UNCERTAIN = 1
UNPRICED = 2
_UNSURE = {"estimated": UNCERTAIN, "suspected": UNCERTAIN, "unpriced": UNPRICED}
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_PLAIN_BYTES = 16
"""Of the key of an id that is nothing but 32 digits."""
_first_8_bytes = Struct(">q").unpack_from


class More(msgspec.Struct, frozen=True, omit_defaults=True):
    """What few entries have, so that no column is kept for it."""

    counts: dict[str, int] = {}
    trace: str | None = None
    """Of the tags, where it is not that of the span."""
    ids: tuple[str | None, str | None, str | None] = (None, None, None)
    """Of trace, span and parent, where they are not of the usual form; empty: there is none, whatever the id says."""
    error_type: str | None = None
    corrects: str | None = None
    estimate_nano: int | None = None
    actions: tuple[str, ...] = ()


_facts = attrgetter(
    "charge_id",
    "at_us",
    "trace_id",
    "span_id",
    "parent_span_id",
    "response_id",
    "cost_nano",
    "list_cost_nano",
    "error_type",
)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(More)
_NOTHING_MORE = More()


def call_number(call_key: bytes) -> int:
    """Return what tells calls of some minutes apart: 64 bits do for more than any machine makes in that time."""
    number: int = _first_8_bytes(call_key)[0]
    return number


def row_of(line: Line, key: bytearray, kind: int, person: int | None, null: float | None = None) -> tuple[object, ...]:
    """Make the row of an entry, as `COLUMNS` has it; in one go, since a hundred thousand are made in a second.

    Args:
        line: the entry.
        key: what it is kept under.
        kind: number of its kind.
        person: number of its user.
        null: stands for what is not there: not-a-number, which drivers take faster than None.
    """
    observed, call_key = line.observed, line.call_key
    charge_id, at_us, trace, span, parent, response_id, cost, listed, error_type = _facts(observed)
    counts = observed.counts
    count, tag = counts.get, observed.tags.get
    tagged = tag("trace")
    trace_id, parent_id = packed(trace, _TRACE_BYTES), packed(parent, _SPAN_BYTES)
    is_made_of_span = len(key) == _PLAIN_BYTES and charge_id[12:28] == span
    span_id = None if is_made_of_span else packed(span, _SPAN_BYTES)
    more: str | float | None = null
    if (
        error_type is not None
        or trace_id is None
        or (span_id is None and not is_made_of_span)
        or (parent_id is None and parent is not None)
        or line.corrects is not None
        or line.estimate_nano is not None
        or line.actions
        or (tagged is not None and tagged != trace)
        or not counts.keys() <= _COUNTED
    ):
        span_there = key[6:14] if is_made_of_span else span_id
        more = _more(line, key, trace_id, span_there, parent_id) or null
    return (
        key,
        at_us,
        kind,
        null if person is None else person,
        tag("task", null),
        tag("session", null),
        null if trace_id is None else trace_id,
        null if span_id is None or key.startswith(span_id, 6) else span_id,
        null if parent_id is None else parent_id,
        null if response_id is None else response_id,
        null if call_key is None else call_number(call_key),
        observed.duration_us,
        count("input_tokens", null),
        count("output_tokens", null),
        count("cache_read_tokens", null),
        count("cache_write_tokens", null),
        count("reasoning_tokens", null),
        null if cost is None else cost,
        null if listed is None or listed == cost else listed,
        more,
        null if line.is_reversal else _UNSURE.get(observed.status, null),
        null if key.startswith((at_us // 1000).to_bytes(6, "big", signed=True)) or not is_stray(key, at_us) else 1,
    )


def cleaned(row: Sequence[object]) -> tuple[object, ...]:
    """Spell out in a row what is no character."""
    texts = {place: clean(value) for place in _TEXTS if isinstance(value := row[place], str)}
    return tuple([texts.get(place, value) for place, value in enumerate(row)])


def line_of(row: Sequence[Any], kind: Kind, person: str | None) -> Line:
    """Read an entry; its call's key is not read, since it is kept in part only."""
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    form, key = kind.form, bytes(values["id"])
    more = _NOTHING_MORE if values["more"] is None else _decoder.decode(values["more"])
    cost = values["cost"]
    charge_id = id_of(key)
    trace_id = _hex(values["trace_id"]) or more.ids[0]
    return Line(
        observed=Observed(
            charge_id=charge_id,
            at_us=values["at_us"],
            duration_us=values["duration_us"],
            provider=form.provider,
            operation=form.operation,
            requested_model=form.requested_model,
            served_model=form.served_model,
            tags=_tags(values, kind, person, trace_id if form.is_trace_tagged else more.trace),
            counts=_counts(values, more),
            status=kind.status,
            method=form.method,
            cost_nano=cost,
            list_cost_nano=cost if form.is_at_list_price else values["list_cost"],
            rate_id=form.rate_id,
            rate_source=form.rate_source,
            tier=form.tier,
            trace_id=trace_id,
            span_id=_span_id(values["span_id"], key, more.ids[1]),
            parent_span_id=_hex(values["parent_id"]) or more.ids[2],
            response_id=values["response_id"],
            error_type=more.error_type,
            source=form.source,
            richness=form.richness,
        ),
        corrects=more.corrects,
        is_reversal=kind.is_reversal,
        estimate_nano=more.estimate_nano,
        actions=more.actions,
    )


def charge_of(line: Line) -> Charge:
    """Return an entry with all that the plugin's ledgers know of it."""
    return replace(
        line.observed.charge(), corrects=line.corrects, estimate_nano=line.estimate_nano, actions=line.actions
    )


def trace_of(trace_id: bytes | None, more: str | None) -> str | None:
    """Name the trace that an entry is counted for."""
    if more is None:
        return _hex(trace_id)
    rare = _decoder.decode(more)
    return rare.trace or _hex(trace_id) or rare.ids[0]


def _more(
    line: Line, key: bytearray, trace_id: bytearray | None, span_id: bytearray | None, parent_id: bytearray | None
) -> str | None:
    """Write down what has no column; None: there is nothing."""
    observed = line.observed
    trace, others = observed.tags.get("trace"), observed.counts.keys() - _COUNTED
    span = None if span_id is not None else clean(observed.span_id)
    made = More(
        counts={unit: observed.counts[unit] for unit in others},
        trace=None if trace == observed.trace_id else clean(trace),
        ids=(
            None if trace_id is not None else clean(observed.trace_id),
            "" if span_id is None and span is None and tells_span(key) else span,
            None if parent_id is not None else clean(observed.parent_span_id),
        ),
        error_type=clean(observed.error_type),
        corrects=clean(line.corrects),
        estimate_nano=line.estimate_nano,
        actions=tuple(map(encodable, line.actions)),
    )
    return None if made == _NOTHING_MORE else _encoder.encode(made).decode()


def _span_id(column: bytes | None, key: bytes, other: str | None) -> str | None:
    if column is not None:
        return column.hex()
    if other is not None:
        return other or None
    return key[6:14].hex() if tells_span(key) else None


def _hex(packed_id: bytes | None) -> str | None:
    return None if packed_id is None else packed_id.hex()


def _counts(values: Mapping[str, Any], more: More) -> dict[Unit, int]:
    counts: dict[Unit, int] = {unit: values[column] for column, unit in COUNTED.items() if values[column] is not None}
    for unit, count in more.counts.items():
        counts[cast("Unit", unit)] = count
    return counts


def _tags(values: Mapping[str, Any], kind: Kind, person: str | None, trace: str | None) -> dict[Dimension, str]:
    own: dict[Dimension, str | None] = {
        "user": person,
        "task": values["task"],
        "session": values["session"],
        "trace": trace,
    }
    return {**kind.tags, **{name: value for name, value in own.items() if value is not None}}
