"""Which reader spans of a scope with a set of attributes have, if they can be calls at all."""

from __future__ import annotations

from dataclasses import replace

from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.dialects.base import Reader
from otel_llmcost_collector.dialects.ours import OurReader
from otel_llmcost_collector.dialects.row import Dialect, Names
from otel_llmcost_collector.dialects.shape import ShapeReader
from otel_llmcost_collector.dialects.table import DIALECTS, STANDARD

_TELLING = ("gen_ai.", "llm.", "ai.", "embedding.", "reranker.", "decision.", "langfuse.", "llmcost.", "openinference.")
"""Beginnings, with one of which begins an attribute of every span that tells of a call."""


def reader_for(scope: str, keys: frozenset[str]) -> Reader | None:
    """Return who reads the spans of a scope with a set of attributes; None: such are never calls."""
    if not any(key.startswith(_TELLING) for key in keys):
        return None
    row = dialect_of(scope, keys)
    if semconv.CHARGE_ID in keys:
        return OurReader(replace(row, needs=()), scope, keys)
    reader = ShapeReader(row, scope, keys)
    return reader if reader.is_any_call else None


def dialect_of(scope: str, keys: frozenset[str]) -> Dialect:
    """Tell whose spans they are: by the scope, else by attributes that only theirs have, else the standard's."""
    for row in DIALECTS:
        if any(scope == each[:-1] if each.endswith("=") else scope.startswith(each) for each in row.scopes):
            return row
    return next((row for row in DIALECTS if _has(keys, row.marks)), STANDARD)


def _has(keys: frozenset[str], marks: Names) -> bool:
    return any(any(key.startswith(mark[:-1]) for key in keys) if mark.endswith("*") else mark in keys for mark in marks)
