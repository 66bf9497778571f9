"""The text that Prometheus reads, as 0.0.4 or as OpenMetrics, of lines that others made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from otel_llmcost_collector.self_metrics import MICROS, Kind

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

NO_EXEMPLARS: Mapping[int, str] = {}

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f]")
"""Not all parsers take them; a name that somebody sent must not cost us all the others."""
_LONGEST_EXEMPLAR = 128
"""Characters; OpenMetrics allows no more."""
_LONGEST_PLAIN = 6
"""Digits before the point from which on Go writes a number with an exponent."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples."""

    name: str
    """In a counter without `_total`."""
    kind: Kind
    description: str
    lines: Sequence[str]
    """Each with its value, and its exemplar if there is one; without the line's end."""


def document(families: Iterable[Family], *, is_openmetrics: bool) -> bytes:
    """Put families together; those without a sample are left out."""
    lines: list[str] = []
    for family in families:
        if family.lines:
            name = family.name if is_openmetrics or family.kind != "counter" else f"{family.name}_total"
            lines.append(f"# HELP {name} {_help(family.description, is_openmetrics=is_openmetrics)}")
            lines.append(f"# TYPE {name} {family.kind}")
            lines += family.lines
    if is_openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def labelled(labels: Mapping[str, str]) -> str:
    """Write labels as they stand between the braces; those without a value are left out."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items() if value)


def decimal(number: int, digits: int) -> str:
    """Write a number of which so many digits stand after the point, all of them."""
    if not digits:
        return str(number)
    if number < 0:
        return f"-{decimal(-number, digits)}"
    text = str(number)
    if len(text) <= digits:
        return f"0.{text.zfill(digits)}"
    return f"{text[:-digits]}.{text[-digits:]}"


def go_float(number: float) -> str:
    """Write a number as exporters write bounds, so that buckets of theirs and ours have the same label."""
    if number == float("inf"):
        return "+Inf"
    if number == float("-inf"):
        return "-Inf"
    if isnan(number):
        return "NaN"
    text = repr(float(number))
    point = text.find(".")
    if "e" in text or number < 0 or point <= _LONGEST_PLAIN:
        return text
    digits = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0").rstrip(".")
    return f"{digits}e+{point - 1:02d}"


class HistogramLines:
    """The lines of one distribution; what stands before each number is made once."""

    __slots__ = ("_buckets", "_count", "_digits", "_sum")

    def __init__(self, name: str, labels: str, bounds: Sequence[float], digits: int) -> None:
        """Prepare them.

        Args:
            name: of the metric.
            labels: as they stand between the braces, without `le`.
            bounds: of the buckets but the last, in the metric's unit.
            digits: how many digits of the sum stand after the point.
        """
        edges = [go_float(bound) for bound in (*bounds, float("inf"))]
        comma = "," if labels else ""
        self._buckets = [f'{name}_bucket{{{labels}{comma}le="{edge}"}} ' for edge in edges]
        self._count, self._sum = f"{name}_count{{{labels}}} ", f"{name}_sum{{{labels}}} "
        self._digits = digits

    def lines(self, cell: Sequence[int], exemplars: Mapping[int, str] = NO_EXEMPLARS) -> list[str]:
        """Write down how many values lie in each bucket, and their sum, which is the last number."""
        lines: list[str] = []
        count = 0
        for bucket, (start, inside) in enumerate(zip(self._buckets, cell, strict=False)):
            count += inside
            lines.append(f"{start}{count}{exemplars.get(bucket, '')}")
        return [*lines, f"{self._count}{count}", self._sum + decimal(cell[-1], self._digits)]


def exemplar(trace_id: str, span_id: str | None, value: str, at_us: int) -> str:
    """Write what stands behind a number to name a call that moved it; nothing if its ids are too long for that."""
    ids = labelled({"trace_id": trace_id, "span_id": span_id or ""})
    return f" # {{{ids}}} {value} {decimal(at_us, MICROS)}" if len(ids) <= _LONGEST_EXEMPLAR else ""


def is_openmetrics(accept: str) -> bool:
    """Tell by an `Accept` header whether OpenMetrics is liked at least as well as the older text."""
    liked = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for each in accept.split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        if kind in liked:
            liked[kind] = max(liked[kind], _quality(parameters))
    return liked["application/openmetrics-text"] > 0 and liked["application/openmetrics-text"] >= liked["text/plain"]


def takes_gzip(accept_encoding: str) -> bool:
    """Tell by an `Accept-Encoding` header whether the answer may be packed."""
    for each in accept_encoding.split(","):
        coding, *parameters = (part.strip() for part in each.split(";"))
        if coding == "gzip":
            return _quality(parameters) > 0
    return False


def _quality(parameters: Iterable[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _escaped(value: str) -> str:
    clean = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(text: str, *, is_openmetrics: bool) -> str:
    clean = text.replace("\\", "\\\\").replace("\n", "\\n")
    return clean.replace('"', '\\"') if is_openmetrics else clean
